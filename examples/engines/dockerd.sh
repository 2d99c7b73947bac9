# Sourced by docker.sh, swarm.sh and nested.sh: start_dockerd [NAME] starts a dockerd whose default runtime is $runtime, or
# the one of that name, and makes the image `busybox`.

start_dockerd() {
    export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=$work/config
    local options=()
    # The usual limit on open files is higher than root here may set.
    prlimit --nofile=1048576:1048576 true 2>/dev/null || options+=(--default-ulimit nofile=1024:1024)
    dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root /run/docker --pidfile /run/docker.pid \
        --add-runtime "apus=$runtime" --default-runtime "${1:-apus}" --cgroup-parent "$cgroup" "${options[@]}" \
        >"$work/dockerd.log" 2>&1 &
    wait_for 30 docker info || cannot "dockerd does not start: $(grep -E 'level=(error|fatal)|failed' "$work/dockerd.log" | tail -n 1)"
    make_image
    docker import "$work/image.tar" busybox >/dev/null
}
