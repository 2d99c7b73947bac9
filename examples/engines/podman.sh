#!/bin/bash
# Podman with Apus as its runtime: podman --runtime runs, enters, limits, pauses and ends containers and pods.
#
# On your own machine: `podman --runtime apus-runtime …`, or in containers.conf `[engine] runtime = "apus"` and
# `[engine.runtimes] apus = ["/usr/local/bin/apus-runtime"]`; `runtime_supports_json = ["apus"]` beside them gives
# errors that say more. Needs from Debian: busybox-static podman.
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
enter_namespaces podman conmon

cat >"$work/containers.conf" <<END
[containers]
# The usual limits are higher than root here may set.
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "apus"
runtime_supports_json = ["apus"]
cgroup_manager = "cgroupfs"
events_logger = "file"
[engine.runtimes]
apus = ["$runtime"]
END
export CONTAINERS_CONF=$work/containers.conf
podman() { command podman --root "$work/data" --runroot /run/podman --tmpdir /run/podman-tmp --log-level error "$@"; }

podman info >"$work/podman.log" 2>&1 || cannot "podman does not start: $(tail -n 1 "$work/podman.log")"
make_image
podman import "$work/image.tar" local/busybox >>"$work/podman.log" 2>&1
run=(podman run --network none --cgroup-parent "$cgroup")
image=local/busybox

check 'it is the runtime' "$runtime" podman info --format '{{.Host.OCIRuntime.Path}}'
check 'run' 'Hello' "${run[@]}" --rm $image echo Hello
check_status 'exit status' 7 "${run[@]}" --rm $image sh -c 'exit 7'
check_status 'not found is 127' 127 "${run[@]}" --rm $image no-such-command
check_status 'not executable is 126' 126 "${run[@]}" --rm $image /etc/passwd
check 'a limit of memory' 67108864 \
    "${run[@]}" --rm -m 64m $image sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max'
check 'a user' '1000 1000' "${run[@]}" --rm -u 1000:1000 $image sh -c 'echo $(id -u) $(id -g)'
check 'a terminal' '/dev/pts/0' "${run[@]}" --rm -t $image tty
check 'a read-only root' 'Read-only file system' "${run[@]}" --rm --read-only --read-only-tmpfs=false $image touch /x
check 'the network of the machine' 'lo' podman run --rm --network host --cgroup-parent "$cgroup" $image ip link
"${run[@]}" -d --name web $image sh -c 'echo started; trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null
check_soon 'logs' started podman logs web
check 'exec' 'uid=0' podman exec web id
check 'exec with environment, user and directory' '1000 x /tmp' \
    podman exec -e V=x -u 1000 -w /tmp web sh -c 'echo $(id -u) $V $PWD'
check 'exec with a terminal' '/dev/pts/' podman exec -t web tty
check_status 'exec: exit status' 3 podman exec web sh -c 'exit 3'
check_status 'exec: not found is 127' 127 podman exec web nope
check_status 'exec: not executable is 126' 126 podman exec web /etc/passwd
check 'top' sleep podman top web
check_status 'pause' 0 podman pause web
check 'it is paused' paused podman inspect --format '{{.State.Status}}' web
check_status 'unpause' 0 podman unpause web
check 'stats' web podman stats --no-stream web
check_status 'stop' 0 podman stop -t 5 web
check 'its end is known' 5 podman inspect --format '{{.State.ExitCode}}' web
check_status 'start again' 0 podman start web
check_status 'rm --force' 0 podman rm -f -t 0 web
[[ ! $(podman ps -aq) ]] || die 'containers are left'
echo 'podman: all of it works'
