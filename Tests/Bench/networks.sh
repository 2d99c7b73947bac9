#!/bin/bash
# `make bench-networks`: what a network adds to a run, and how fast it is, beside Podman and Docker.
#
# All of it happens in network namespaces of its own: nothing of the machine's network is touched. Medians over rounds
# that take turns.
#
#   RUNS           how often each command is run (30)
#   SECONDS_EACH   how long each throughput is measured (4)
#   APUS           the executable (.build/release/apus)
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
runs=${RUNS:-30} seconds=${SECONDS_EACH:-4}
apus=$(readlink -f -- "${APUS:-$here/../../.build/release/apus}")
[[ -x $apus ]] || { echo "bench: no executable '$apus'; run make build" >&2; exit 1; }
((EUID == 0)) || exec sudo --preserve-env=RUNS,SECONDS_EACH,APUS -- "$0"
"$here/../../.ci/install-dependencies" test bench-networks

# A machine of its own, as far as networks and mounts go.
if [[ ${1:-} != inside ]]; then
    exec env RUNS="$runs" SECONDS_EACH="$seconds" APUS="$apus" unshare --net --mount --propagation private -- "$0" inside
fi
work=$(mktemp -d -t apus-bench.XXXXXX)
chmod 711 "$work"
user=apus-bench-net
export APUS_ROOT=$work/data
# crun takes a hybrid hierarchy for v2 and finds no controllers there: hide the v2 half.
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
ip link set lo up
# A way out that leads nowhere: pasta wants one to copy.
ip link add out type veth peer name far
ip link set far up
ip addr add 198.51.100.1/24 dev out
ip link set out up
ip route add default via 198.51.100.2
mknod "$work/tun" c 10 200
chmod 666 "$work/tun"
mount --bind "$work/tun" /dev/net/tun
id "$user" >/dev/null 2>&1 || { useradd --system --create-home --add-subids-for-system "$user"; made=1; }
docker=''
clean_up() {
    "$apus" ps -aq 2>/dev/null | xargs -r "$apus" rm -f >/dev/null 2>&1 || true
    [[ -z $docker ]] || { kill "$docker" 2>/dev/null && wait "$docker" 2>/dev/null; } || true
    umount "$work/podman/overlay" 2>/dev/null || true
    [[ -z ${made:-} ]] || userdel --remove "$user" 2>/dev/null || true
    rm -rf -- "$work" 2>/dev/null || true
}
trap clean_up EXIT

cp "$apus" "$work/apus"
apus=$work/apus
root=$work/root
"$here/../make-rootfs.sh" "$root"
cat >"$work/as-user" <<EOF
#!/bin/sh
exec setpriv --reuid $user --regid $user --init-groups env -i HOME=/home/$user PATH=/usr/bin:/bin:/usr/sbin:/sbin \
    APUS_ROOT=/home/$user/apus-bench "\$@"
EOF
chmod 755 "$work/as-user"

# --- what it adds to a run --------------------------------------------------
names=() commands=()
add() { names+=("$1"); commands+=("$2"); }
add 'apus none' "$apus run --rm --network none --rootfs $root true"
add 'apus bridge' "$apus run --rm --network bridge --rootfs $root true"
add 'apus bridge -p' "$apus run --rm -p 18080:80 --rootfs $root true"
add 'apus none, user' "$work/as-user $apus run --rm --network none --rootfs $root true"
add 'apus pasta, user' "$work/as-user $apus run --rm --network pasta --rootfs $root true"
podman="podman --root $work/podman --runroot $work/podman-run --cgroup-manager cgroupfs run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024"
if $podman --network bridge --rootfs "$root" true >"$work/podman.log" 2>&1; then
    add 'podman none' "$podman --network none --rootfs $root true"
    add 'podman bridge' "$podman --network bridge --rootfs $root true"
else
    echo "podman with a bridge does not work here: $(tail -n 1 "$work/podman.log")"
fi
mkdir -p "$work/docker"
dockerd --data-root "$work/docker/data" --exec-root "$work/docker/exec" --pidfile "$work/docker/pid" \
    --host "unix://$work/docker/socket" --default-ulimit nofile=1024:1024 --storage-driver vfs >"$work/docker.log" 2>&1 &
docker=$!
for _ in $(seq 100); do
    [[ -S $work/docker/socket ]] && docker --host "unix://$work/docker/socket" info >/dev/null 2>&1 && break
    kill -0 $docker 2>/dev/null || break
    sleep 0.1
done
client="docker --host unix://$work/docker/socket"
if tar -C "$root" -c . | $client import - bench >/dev/null 2>&1 && $client run --rm bench true >"$work/docker.log" 2>&1; then
    add 'docker none' "$client run --rm --network none bench true"
    add 'docker bridge' "$client run --rm bench true"
else
    echo "docker does not work here: $(tail -n 1 "$work/docker.log")"
fi

declare -A times
for ((run = 0; run < runs; run++)); do
    for index in "${!names[@]}"; do
        start=$(date +%s%N)
        ${commands[index]} >/dev/null 2>&1 || { echo "${names[index]} failed" >&2; exit 1; }
        times[${names[index]}]+="$((($(date +%s%N) - start) / 1000)) "
    done
done
median() { tr ' ' '\n' <<<"${times[$1]}" | grep . | sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] / 1000 }'; }
printf '%-20s %10s\n' 'run of true' 'ms'
for name in "${names[@]}"; do printf '%-20s %10.1f\n' "$name" "$(median "$name")"; done

# --- throughput and latency -------------------------------------------------
measure() { # NAME SERVER-COMMAND ADDRESS PORT
    local server rate
    $2 >/dev/null 2>&1 &
    server=$!
    for _ in $(seq 100); do
        rate=$(iperf3 --client "$3" --port "$4" --time "$seconds" --json 2>/dev/null | jq '.end.sum_received.bits_per_second // 0')
        [[ ${rate:-0} != 0 ]] && break
        sleep 0.1
    done
    printf '%-20s %10.2f\n' "$1" "$(jq -n "${rate:-0} / 1e9")"
    kill $server 2>/dev/null || true
    wait $server 2>/dev/null || true
}
printf '\n%-20s %10s\n' 'host to container' 'Gbit/s'
measure 'apus bridge' "$apus run --rm --init -p 15201:5201 @host -- iperf3 --server" 127.0.0.1 15201
measure 'apus pasta, user' "$work/as-user $apus run --rm --init -p 15202:5201 @host -- iperf3 --server" 127.0.0.1 15202
if [[ " ${names[*]} " == *docker\ bridge* ]]; then
    mounts='-v /usr:/usr -v /lib:/lib -v /lib64:/lib64'
    measure 'docker bridge' "$client run --rm --init $mounts -p 15203:5201 bench /usr/bin/iperf3 --server" 127.0.0.1 15203
fi

# --- many at once -----------------------------------------------------------
"$apus" network create crowd >/dev/null
start=$(date +%s%N)
pids=()
for i in $(seq 100); do
    "$apus" run -d --name "c$i" --network crowd --rootfs "$root" sleep 1000 >/dev/null &
    pids+=($!)
done
wait "${pids[@]}"
printf '\n%-20s %10.1f\n' '100 started, s' "$(jq -n "$((($(date +%s%N) - start) / 1000000)) / 1000")"
addresses=$("$apus" network inspect crowd | jq -r '.[0].Containers[].IPv4Address' | sort -u | wc -l)
known=$("$apus" exec c1 sh -c 'for i in $(seq 100); do grep -qw "c$i" /etc/hosts && echo; done' | wc -l)
printf '%-20s %10s\n%-20s %10s\n' 'addresses' "$addresses" 'names known to c1' "$known"
