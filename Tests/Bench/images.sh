#!/bin/bash
# `make bench-images`: pulls, pushes and runs of images beside podman, docker and the bare pipeline of the same bytes.
#
# An image of about 600 MB in 4 layers with 20,000 files, in a registry on loopback. Medians of rounds that take turns.
#
#   ROUNDS   how many rounds (5)
#   PARTS    what is measured: `pull push runs`, or some of them
#   APUS     the executable (.build/release/apus)
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
rounds=${ROUNDS:-5}
parts=${PARTS:-pull push runs}
apus=$(readlink -f -- "${APUS:-$here/../../.build/release/apus}")
[[ -x $apus ]] || { echo "bench: no executable '$apus'; run make build" >&2; exit 1; }
((EUID == 0)) || exec sudo --preserve-env=ROUNDS,PARTS,APUS -- "$0"
for part in $parts; do
    [[ $part =~ ^(pull|push|runs)$ ]] || { echo "bench: PARTS: '$part' is none of pull, push and runs" >&2; exit 1; }
done
wants() { [[ " $parts " == *" $1 "* ]]; }

# All engines run in namespaces of their own, which end with the bench.
if [[ ! ${BENCH_WORK:-} ]]; then
    "$here/../../.ci/install-dependencies" bench-images
    BENCH_LOAD=$(cut -d' ' -f1-3 /proc/loadavg)
    BENCH_WORK=$(mktemp -d -t apus-bench.XXXXXX)
    export BENCH_LOAD BENCH_WORK
    trap 'find /sys/fs/cgroup -depth -type d -path "*/${BENCH_WORK##*/}*" -exec rmdir {} + || true
        rm -rf --one-file-system -- "$BENCH_WORK"' EXIT
    unshare --mount --uts --net --pid --ipc --fork --kill-child --mount-proc "$0"
    exit
fi
work=$BENCH_WORK
# A network would hide what an image costs.
export APUS_NETWORK=none
export DOCKER_HOST=unix:///run/docker.sock DOCKER_CONFIG=$work/docker-config
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock "$DOCKER_CONFIG"
echo {} >"$DOCKER_CONFIG/config.json"
ip link set lo up
[[ ! -d /sys/fs/cgroup/unified ]] || umount /sys/fs/cgroup/unified
# until COMMAND...: waits until it succeeds, at most 30 s.
until_ready() {
    local end=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || { echo "bench: '$*' does not succeed" >&2; exit 1; }; sleep 0.05; done
}

# --- the registry and the image ----------------------------------------------
host=127.0.0.1:5000 image=127.0.0.1:5000/bench:latest
cat >"$work/registry.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "$host"}
END
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
until_ready curl -sf "http://$host/v2/"

layout=$work/layout
umoci init --layout "$layout"
umoci new --image "$layout:bench"
"$here/../make-rootfs.sh" "$work/root"
for layer in 1 2 3 4; do
    tree=$work/tree
    rm -rf "$tree"
    if ((layer == 1)); then cp -a "$work/root" "$tree"; else mkdir "$tree"; fi
    # 30 KB each, of words that come as they may: they pack to about a third, as programs do.
    mkdir -p "$tree/opt/layer$layer"/{0..49}
    perl -e '
        open(my $random, "<", "/dev/urandom") or die;
        my @words = map { read($random, my $word, 2 + $_ % 9); substr(unpack("H*", $word), 0, 2 + $_ % 9) } 0 .. 255;
        for my $file (0 .. 4999) {
            read($random, my $numbers, 5000);
            open(my $out, ">", "$ARGV[0]/" . $file % 50 . "/$file") or die;
            print $out substr(join("", @words[unpack("C*", $numbers)]), 0, 30000);
        }' "$tree/opt/layer$layer"
    tar -C "$tree" --numeric-owner --owner 0 --group 0 -cf "$work/layer.tar" .
    umoci raw add-layer --image "$layout:bench" "$work/layer.tar"
done
rm -rf "$work/tree" "$work/layer.tar"
skopeo copy -q --insecure-policy --dest-tls-verify=false "oci:$layout:bench" "docker://$image"
mapfile -t layers < <(skopeo inspect --tls-verify=false "docker://$image" | jq -r '.Layers[]')

# --- transfers ------------------------------------------------------------------
declare -A times=()
# timed NAME COMMAND...: wall time in milliseconds, from a disk that has nothing left to write.
timed() {
    sync
    local begun=$EPOCHREALTIME
    "${@:2}" >"$work/out" 2>&1 || { echo "bench: $1: $(tail -n 1 "$work/out")" >&2; exit 1; }
    times[$1]+=" $(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", (b - a) * 1000 }')"
}
# measured NAME COMMAND...: as timed, and its peak memory in KiB as `NAME memory`.
measured() {
    timed "$1" /usr/bin/time -f %M -o "$work/memory" "${@:2}"
    times["$1 memory"]+=" $(tail -n 1 "$work/memory")"
}
median() { tr ' ' '\n' <<<"${times[$1]}" | grep . | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# in_parallel COMMAND: for all layers.
in_parallel() {
    local pids=() layer
    for layer in "${layers[@]}"; do "$1" "$layer" & pids+=($!); done
    wait "${pids[@]}"
}
unpack() {
    mkdir -p "$pipe/${1#*:}"
    curl -sf "http://$host/v2/bench/blobs/$1" | zcat | tar -x -C "$pipe/${1#*:}"
}
# What a push of the same bytes takes at least: each blob by one upload.
upload() {
    local place
    place=$(curl -sf -D - -o /dev/null -X POST "http://$host/v2/raw$round/blobs/uploads/" | tr -d '\r' |
        awk 'tolower($1) == "location:" { print $2 }')
    curl -sf -X PUT -H 'Content-Type: application/octet-stream' -T "$layout/blobs/sha256/${1#*:}" "$place&digest=$1"
}
# Data directories of its own for each round, all removed in the end: for minutes after many files have been removed, ext4
# takes long to find inodes for new ones.
begin_round() {
    local data=$work/round$1 options=()
    mkdir -p "$data/apus" /var/lib/apus
    # In its usual places: /run is a tmpfs.
    mount --bind "$data/apus" /var/lib/apus
    podman=(podman --root "$data/podman" --runroot /run/podman --storage-driver overlay)
    pipe=$data/pipe
    wants pull || wants runs || return 0
    # The usual limit on open files is higher than root here may set.
    prlimit --nofile=1048576:1048576 true 2>/dev/null || options+=(--default-ulimit nofile=1024:1024)
    dockerd --host "$DOCKER_HOST" --data-root "$data/docker" --exec-root /run/docker --pidfile /run/docker.pid \
        --bridge none --iptables=false --cgroup-parent "/${work##*/}" "${options[@]}" >"$work/dockerd.log" 2>&1 &
    dockerd=$!
    until_ready docker info
}
end_round() {
    [[ ! ${dockerd:-} ]] || { kill "$dockerd" && wait "$dockerd" || true; }
    umount /var/lib/apus
}
for ((round = 1; round <= rounds; round++)); do
    ((round == 1)) || end_round
    begin_round "$round"
    measured pull "$apus" pull -q "$image"
    timed 'second pull' "$apus" pull -q "$image"
    if wants pull; then
        timed pipeline in_parallel unpack
        timed 'podman pull' "${podman[@]}" pull -q --tls-verify=false "$image"
        timed 'docker pull' docker pull -q "$image"
    fi
    wants push || continue
    # A registry by another name: none of its repositories has a blob that could be mounted.
    "$apus" tag "$image" "localhost:5000/pushed$round"
    measured push "$apus" push -q "localhost:5000/pushed$round"
    timed uploads in_parallel upload
    timed save "$apus" save -o "$work/save.tar" "$image"
    timed tar tar -cf "$work/tar.tar" -C /var/lib/apus/images blobs
done

# --- runs -----------------------------------------------------------------------
# compare RUNS NAME COMMAND...: medians of commands, each behind its name, which take turns by the command.
compare() {
    local runs=$1 names=() commands=() medians name
    shift
    while (($#)); do names+=("$1") commands+=("$2"); shift 2; done
    hyperfine -N --style none --warmup 5 --runs "$runs" --export-json "$work/run.json" "${commands[@]}" \
        >"$work/out" 2>&1 || { echo "bench: ${names[*]}: $(tail -n 1 "$work/out")" >&2; exit 1; }
    mapfile -t medians < <(jq -r '.results[].median * 1000' "$work/run.json")
    for name in "${!names[@]}"; do times[${names[name]}]=$(printf ' %.2f' "${medians[name]}"); done
}
if wants runs; then
    # With the files that are mounted upon in any container, as images have them.
    touch "$work/root/etc"/{hosts,hostname,resolv.conf}
    tar -C "$work/root" -c . | "$apus" import - small >/dev/null
    compare 200 rootfs "$apus run --rm --rootfs $work/root true" small "$apus run --rm small true" \
        layers "$apus run --rm $image true"
    mkdir "$work/tiny"
    for ((n = 0; n < 500; n++)); do
        echo "$n" >"$work/tiny/n"
        tar -C "$work/tiny" -c . | "$apus" import - "many:$n" >/dev/null
    done
    compare 200 'rootfs of 500' "$apus run --rm --rootfs $work/root true" 'small of 500' "$apus run --rm small true"
    wants pull || { "${podman[@]}" pull -q --tls-verify=false "$image"; docker pull -q "$image"; } >/dev/null
    compare 20 'podman run' "${podman[*]} run --rm --network none $image true" \
        'docker run' "docker run --rm --network none $image true"
fi
end_round
kill "$registry" 2>/dev/null || true

version() { dpkg-query --show --showformat '${Package} ${Version}' "$1"; }
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a / b }'; }
more() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { printf "%.2f", a - b }'; }
row() { printf '%-44s %10s   %s\n' "$@"; }
cat <<END
load before: $BENCH_LOAD; $(uname -r), $(nproc) processors
$(version podman), $(version docker.io), $(version docker-registry), $(version curl)

$(row "milliseconds, median of $rounds rounds" '' target)
$(row pull "$(median pull)" "")
$(row '  peak memory, KiB' "$(median 'pull memory')" '< 65536')
$(row 'second pull' "$(median 'second pull')" '< 20')
END
! wants pull || cat <<END
$(row 'pull, of the bare pipeline' "$(ratio pull pipeline)" '≤ 1.3')
$(row '  times as fast as podman' "$(ratio 'podman pull' pull)" '≥ 2')
$(row '  times as fast as docker' "$(ratio 'docker pull' pull)" '≥ 2')
$(row 'pipeline: curl | zcat | tar -x' "$(median pipeline)" '')
$(row 'podman pull' "$(median 'podman pull')" '')
$(row 'docker pull' "$(median 'docker pull')" '')
END
! wants push || cat <<END
$(row push "$(median push)" '')
$(row '  of bare uploads' "$(ratio push uploads)" '≤ 1.5')
$(row '  peak memory, KiB' "$(median 'push memory')" '< 65536')
$(row 'bare uploads: curl -T' "$(median uploads)" '')
$(row save "$(median save)" '')
$(row '  of tar -c' "$(ratio save tar)" '≤ 1.5')
END
! wants runs || cat <<END
$(row 'run --rm --rootfs true' "$(median rootfs)" '')
$(row 'run --rm IMAGE true, 1 layer: more' "$(more small rootfs)" '≤ 1.5')
$(row 'run --rm IMAGE true, 4 layers: more' "$(more layers rootfs)" '≤ 1.5')
$(row 'run --rm IMAGE true, beside 500 images: more' "$(more 'small of 500' 'rootfs of 500')" '≤ 1.5')
$(row 'podman run --rm' "$(median 'podman run')" '')
$(row 'docker run --rm' "$(median 'docker run')" '')
END
