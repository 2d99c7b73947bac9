#!/bin/bash
# `make bench-images`: pulls, pushes and runs of images beside podman, docker and the bare pipeline of the same bytes.
#
# An image of about 600 MB in 4 layers with 20,000 files, in a registry on loopback. Medians of rounds that take turns.
#
#   ROUNDS   how many rounds (5)
#   APUS     the executable (.build/release/apus)
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
rounds=${ROUNDS:-5}
apus=$(readlink -f -- "${APUS:-$here/../../.build/release/apus}")
[[ -x $apus ]] || { echo "bench: no executable '$apus'; run make build" >&2; exit 1; }
((EUID == 0)) || exec sudo --preserve-env=ROUNDS,APUS -- "$0"
"$here/../../.ci/install-dependencies" bench-images

load=$(cut -d' ' -f1-3 /proc/loadavg)
work=$(mktemp -d -t apus-bench.XXXXXX)
export APUS_ROOT=$work/data
registry=
clean_up() {
    [[ ! $registry ]] || kill "$registry" 2>/dev/null || true
    umount "$work/podman/overlay" 2>/dev/null || true
    rm -rf -- "$work"
}
trap clean_up EXIT

# --- the registry and the image ----------------------------------------------
port=$((20000 + RANDOM % 20000))
host=127.0.0.1:$port image=127.0.0.1:$port/bench:latest
cat >"$work/registry.yml" <<END
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "$host"}
END
docker-registry serve "$work/registry.yml" >"$work/registry.log" 2>&1 &
registry=$!
for ((i = 0; i < 200; i++)); do curl -sf "http://$host/v2/" >/dev/null && break || sleep 0.05; done

layout=$work/layout
umoci init --layout "$layout"
umoci new --image "$layout:bench"
"$here/../make-rootfs.sh" "$work/root"
for layer in 1 2 3 4; do
    tree=$work/tree
    rm -rf "$tree"
    if ((layer == 1)); then cp -a "$work/root" "$tree"; else mkdir "$tree"; fi
    # 30 KB each, of which half can be compressed.
    mkdir -p "$tree/opt/layer$layer"/{0..49}
    for ((file = 0; file < 5000; file++)); do
        { head -c 15000 /dev/urandom; head -c 15000 /dev/zero; } >"$tree/opt/layer$layer/$((file % 50))/$file"
    done
    tar -C "$tree" --numeric-owner --owner 0 --group 0 -cf "$work/layer.tar" .
    umoci raw add-layer --image "$layout:bench" "$work/layer.tar"
done
rm -rf "$work/tree" "$work/layer.tar"
skopeo copy -q --insecure-policy --dest-tls-verify=false "oci:$layout:bench" "docker://$image"
mapfile -t layers < <(skopeo inspect --tls-verify=false "docker://$image" | jq -r '.Layers[]')

# --- timings ------------------------------------------------------------------
declare -A times=()
# timed NAME COMMAND...: wall time in milliseconds.
timed() {
    local begun=$EPOCHREALTIME
    "${@:2}" >"$work/out" 2>&1 || { echo "bench: $1: $(tail -n 1 "$work/out")" >&2; return 1; }
    times[$1]+=" $(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.2f", (b - a) * 1000 }')"
}
median() { tr ' ' '\n' <<<"${times[$1]-}" | grep . | sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "-" }'; }

pipeline() {
    local pids=() layer
    for layer in "${layers[@]}"; do
        mkdir -p "$work/pipe/${layer#*:}"
        (curl -sf "http://$host/v2/bench/blobs/$layer" | zcat | tar -x -C "$work/pipe/${layer#*:}") & pids+=($!)
    done
    wait "${pids[@]}"
}
# What a push of the same bytes takes at least: each blob by one upload.
uploads() {
    local layer place
    for layer in "${layers[@]}"; do
        (
            place=$(curl -sfD - -o /dev/null -X POST "http://$host/v2/raw$1/blobs/uploads/" | tr -d '\r' |
                awk 'tolower($1) == "location:" { print $2 }')
            curl -sf -X PUT -H 'Content-Type: application/octet-stream' \
                --data-binary "@$layout/blobs/sha256/${layer#*:}" "$place&digest=$layer"
        ) &
    done
    wait $(jobs -p | grep -v "^$registry$")
}
podman="podman --root $work/podman --runroot $work/podman-run --storage-driver overlay"
for ((round = 1; round <= rounds; round++)); do
    rm -rf "$APUS_ROOT" "$work/pipe"
    $podman rmi -af >/dev/null 2>&1 || true
    sync
    timed pull /usr/bin/env time -f %M -o "$work/memory" "$apus" pull -q "$image"
    times[memory]+=" $(<"$work/memory")"
    timed 'second pull' "$apus" pull -q "$image"
    timed pipeline pipeline
    if command -v podman >/dev/null; then timed 'podman pull' $podman pull -q --tls-verify=false "$image" || true; fi
    if docker info >/dev/null 2>&1; then
        docker rmi -f "$image" >/dev/null 2>&1 || true
        timed 'docker pull' docker pull -q "$image" || true
    fi
    "$apus" tag "$image" "$host/pushed$round"
    timed push "$apus" push -q "$host/pushed$round"
    timed uploads uploads "$round"
    timed save "$apus" save -o "$work/save.tar" "$image"
    timed tar tar -cf "$work/tar.tar" -C "$APUS_ROOT/images" blobs
done

# --- runs -----------------------------------------------------------------------
run="$apus run --rm --network none"
tar -C "$work/root" -c . | "$apus" import - small >/dev/null
runs() { hyperfine -N --style none --warmup 3 --runs 100 --export-json "$work/run.json" "$@" >/dev/null 2>&1 &&
    jq -r '.results[].median * 1000' "$work/run.json"; }
mapfile -t before < <(runs "$run --rootfs $work/root true" "$run small true")
mkdir "$work/tiny"
for ((n = 0; n < 500; n++)); do
    echo "$n" >"$work/tiny/n"
    tar -C "$work/tiny" -c . | "$apus" import - "many:$n" >/dev/null
done
mapfile -t after < <(runs "$run small true")

cat <<END
load before: $load

$(printf '%-34s %10s' "milliseconds, median of $rounds rounds" '')
$(for name in pull 'second pull' pipeline 'podman pull' 'docker pull' push uploads save tar; do
    printf '%-34s %10s\n' "$name" "$(median "$name")"; done)
$(printf '%-34s %10s' 'peak memory of a pull, KiB' "$(median memory)")
$(printf '%-34s %10.2f' 'run --rootfs' "${before[0]}")
$(printf '%-34s %10.2f' 'run IMAGE' "${before[1]}")
$(printf '%-34s %10.2f' 'run IMAGE beside 500 images' "${after[0]}")
END
