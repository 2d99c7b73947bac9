#!/bin/bash
# Apus inside of containers as Docker and Podman make them by default.
#
# Podman's filter lets it make containers there. Docker's forbids namespaces: 'apus doctor' says so, and what to do about
# it. Neither gives a /proc that may be shown anew, so containers in the container share its processes. Needs from Debian:
# docker.io iptables busybox-static podman runc.
. "$(dirname -- "$(readlink -f -- "$0")")/common.sh"
enter_namespaces dockerd containerd docker iptables podman conmon runc
. "$here/dockerd.sh"

# The image has Apus, and a root file system for the containers in the container.
root=$work/image
mkdir -p "$root"/{usr/bin,var/lib,rootfs/{proc,sys,tmp,run,root}}
make_image
cp -a -- "$root/bin" "$root/etc" "$root/dev" "$root/rootfs/"
cp -- "$runtime" "$root/usr/bin/apus"

start_dockerd runc
in=(docker run --rm busybox)
check 'docker: doctor names what to do' 'seccomp=unconfined' "${in[@]}" apus doctor
check 'docker: a run is refused with the remedy' "'apus doctor' says" "${in[@]}" apus run --rm --rootfs /rootfs true
# What 'apus limit' is to hold without a cgroup that may be written to.
limits() {
    check_status "$1: limit, timeout" 124 "${in[@]}" apus limit --timeout 300ms -- sleep 1000
    check "$1: a limit that needs a cgroup is refused" '--limits best-effort' "${in[@]}" apus limit --memory 64m -- true
    check_status "$1: a limit held by looking" 137 "${in[@]}" apus limit --limits best-effort --pids 5 -- \
        sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait'
    check_status "$1: CPU time" 152 "${in[@]}" apus limit --cpu-time 300ms -- sh -c 'while :; do :; done'
}
limits docker
open=(docker run --rm --security-opt seccomp=unconfined busybox)
check 'docker: without its filter' 'inside' "${open[@]}" apus run --rm --rootfs /rootfs echo inside
check_status 'docker: exit status' 7 "${open[@]}" apus run --rm --rootfs /rootfs sh -c 'exit 7'

cat >"$work/containers.conf" <<END
[containers]
# The usual limits are higher than root here may set.
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
END
export CONTAINERS_CONF=$work/containers.conf
unset DOCKER_CONFIG
podman() { command podman --root "$work/podman" --runroot /run/podman --tmpdir /run/podman-tmp --log-level error "$@"; }
podman import "$work/image.tar" local/apus >"$work/podman.log" 2>&1
in=(podman run --rm --network none --cgroup-parent "$cgroup" local/apus)
check 'podman: run' 'inside' "${in[@]}" apus run --rm --rootfs /rootfs echo inside
check_status 'podman: exit status' 7 "${in[@]}" apus run --rm --rootfs /rootfs sh -c 'exit 7'
check_status 'podman: timeout' 124 "${in[@]}" apus run --rm --timeout 300ms --rootfs /rootfs sleep 1000
check 'podman: a layer' 'kept' \
    "${in[@]}" sh -c 'apus run --rm --storage copy --rootfs /rootfs:O rm /bin/sh; [ -e /rootfs/bin/sh ] && echo kept'
check 'podman: in the background' 'inside' "${in[@]}" sh -c \
    'apus run -d --name job --rootfs /rootfs sleep 1000 && apus exec job echo inside && apus stop job && apus rm job'
check 'podman: a secret and an artifact' 'secret' "${in[@]}" sh -c \
    'TOKEN=secret apus run --rm --secret id=t,env=TOKEN --artifact /out:/a --rootfs /rootfs cp /run/secrets/t /out; cat /a/out'
limits podman
check 'podman: doctor says what a run can do' 'ok  user namespaces' "${in[@]}" apus doctor
echo 'nested: all of it works'
