# Sourced by the examples beside it: a throw-away machine of namespaces for one engine, and what they all check with.
#
# RUNTIME names the runtime (default: apus-runtime on PATH). The engine gets mount, network, PID and IPC namespaces of its
# own, /run of its own, and its data below one temporary directory: nothing of the machine's own engines is touched, and
# whatever the engine starts ends with it. Exit status 77: this engine cannot run here, and the last line says why.
set -euo pipefail

engine=$(basename -- "$0" .sh)
runtime=$(readlink -f -- "$(dirname -- "$(command -v -- "${RUNTIME:-apus-runtime}")")" 2>/dev/null)/$(basename -- "${RUNTIME:-apus-runtime}")
here=$(dirname -- "$(readlink -f -- "$0")")
PATH=$PATH:/usr/sbin:/sbin

cannot() { echo "$engine: cannot run here: $*"; exit 77; }
die() { echo "$engine: FAILED: $*" >&2; exit 1; }

# Runs the script anew inside of the namespaces, and tidies up when it is over.
enter_namespaces() {
    [[ ! ${ENGINE_WORK:-} ]] || { set_up_namespaces; return; }
    ((EUID == 0)) || cannot 'it wants root'
    [[ -x $runtime ]] || cannot "there is no runtime '${RUNTIME:-apus-runtime}' on PATH: make install"
    for program in "$@" busybox; do
        command -v "$program" >/dev/null || cannot "$program is missing: see .ci/install-dependencies engines"
    done
    work=$(mktemp -d "/tmp/apus-$engine.XXXXXX")
    local status=0
    ENGINE_WORK=$work unshare --mount --uts --net --pid --ipc --fork --kill-child --mount-proc "$0" &
    # The first process of the namespaces takes all others along.
    trap 'kill -KILL $!' INT TERM
    wait $! || status=$?
    wait $! 2>/dev/null || true
    remove_cgroups
    rm -rf --one-file-system -- "$work"
    exit "$status"
}

set_up_namespaces() {
    work=$ENGINE_WORK
    cgroup=/$(basename -- "$work")
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock
    ip link set lo up
    # crun takes no hybrid of cgroup v1 and v2; nobody else misses it.
    [[ ! -d /sys/fs/cgroup/unified ]] || umount /sys/fs/cgroup/unified
    trap 'status=$?; ((status == 0 || status == 77)) || show_logs' EXIT
}

show_logs() {
    local log
    for log in "$work"/*.log; do
        echo "--- the end of $(basename -- "$log")"
        tail -n "${LOG_LINES:-15}" -- "$log"
    done >&2
}

# Engines are told to make their cgroups below one that is named after the temporary directory.
remove_cgroups() {
    local directory
    find /sys/fs/cgroup -depth -type d -path "*/$(basename -- "$work")*" 2>/dev/null |
        while read -r directory; do rmdir -- "$directory" 2>/dev/null || true; done
}

# A root file system of busybox alone, as a tar archive.
make_image() {
    local root=$work/image
    mkdir -p "$root"/{bin,dev,etc,proc,root,run,sys,tmp}
    cp "$(command -v busybox)" "$root/bin/busybox"
    "$root/bin/busybox" --list | while read -r applet; do
        [[ $applet == busybox ]] || ln -sf busybox "$root/bin/$applet"
    done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
    tar -C "$root" -cf "$work/image.tar" .
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < until)) || return 1
        sleep 0.1
    done
}

# check WHAT WANTED COMMAND...: what the command prints (both streams) holds WANTED.
check() {
    local what=$1 wanted=$2 output
    shift 2
    output=$("$@" 2>&1) || true
    [[ $output == *"$wanted"* ]] || die "$what: wanted '$wanted', got '$output' from: $*"
    echo "  $what"
}

# check_soon WHAT WANTED COMMAND...: the same, but it may take a minute.
check_soon() {
    local what=$1 wanted=$2 until=$((SECONDS + 60)) output
    shift 2
    until output=$("$@" 2>&1) && [[ $output == *"$wanted"* ]]; do
        ((SECONDS < until)) || die "$what: wanted '$wanted', got '$output' from: $*"
        sleep 0.2
    done
    echo "  $what"
}

# check_status WHAT STATUS COMMAND...
check_status() {
    local what=$1 wanted=$2 status=0 output
    shift 2
    output=$("$@" 2>&1) || status=$?
    ((status == wanted)) || die "$what: wanted exit status $wanted, got $status and '$output' from: $*"
    echo "  $what"
}
