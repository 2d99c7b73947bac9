#!/bin/bash
# `make bench`: Apus beside a C program that does only what the kernel needs, and beside its peers.
#
# Medians over rounds that take turns, so that a busy moment of the machine hits all alike.
# Seccomp: Apus runs with its default filter, crun, runc and bubblewrap without one.
#
#   ROUNDS, RUNS   how many rounds (10), and runs of each command in a round (20)
#   APUS           the executable (.build/release/apus)
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
rounds=${ROUNDS:-10} runs=${RUNS:-20}
apus=$(readlink -f -- "${APUS:-$here/../../.build/release/apus}")
[[ -x $apus ]] || { echo "bench: no executable '$apus'; run make build" >&2; exit 1; }
# The floor and the OCI runtimes with their cgroups are root's.
((EUID == 0)) || exec sudo --preserve-env=ROUNDS,RUNS,APUS -- "$0"

# crun takes a hybrid hierarchy for v2 and finds no controllers there: hide the v2 half.
if mountpoint -q /sys/fs/cgroup/unified; then
    exec unshare --mount -- sh -c 'umount /sys/fs/cgroup/unified && exec "$0"' "$0"
fi

"$here/../../.ci/install-dependencies" bench

load=$(cut -d' ' -f1-3 /proc/loadavg)
work=$(mktemp -d -t apus-bench.XXXXXX)
export APUS_ROOT=$work/data
# The executable by the name that engines call it by.
own=$work/apus-runtime
ln -s "$apus" "$own"
clean_up() {
    "$apus" ps -aq 2>/dev/null | xargs -r "$apus" rm -f >/dev/null 2>&1 || true
    for runtime in crun runc "$own"; do
        for id in "apus-bench-${runtime##*/}" apus-bench-cycle apus-bench-limit; do
            "$runtime" delete -f "$id" >/dev/null 2>&1 || true
        done
    done
    crun delete -f apus-bench-conmon 2>/dev/null || true
    if [[ ${docker_image:-} ]]; then docker rmi -f "$docker_image" >/dev/null || true; fi
    # podman leaves its own store mounted.
    umount "$work/podman/overlay" 2>/dev/null || true
    rm -rf -- "$work"
}
trap clean_up EXIT

# As `make install` puts it in place.
strip -o "$work/stripped" "$apus"
apus=$work/apus
dd if="$work/stripped" of="$apus" bs=128K status=none
chmod 755 "$apus"

root=$work/root
"$here/../make-rootfs.sh" "$root"
cc -O2 -Wall -Wextra -Werror -static -o "$work/floor" "$here/floor.c"

# bundle NAME COMMAND...: the runtimes' own default configuration around the same root.
bundle() {
    mkdir -p "$work/$1"
    (cd "$work/$1" && crun spec)
    jq --arg root "$root" '.process.terminal = false | .process.args = $ARGS.positional
        | .root = {path: $root, readonly: false} | del(.linux.seccomp)' \
        "$work/$1/config.json" --args -- "${@:2}" >"$work/$1/new"
    mv "$work/$1/new" "$work/$1/config.json"
}
bundle true /bin/true
bundle sleep /bin/sleep 1000
# The three calls by which an engine runs a container, as one command for each runtime.
cat >"$work/cycle" <<EOF
#!/bin/sh
"\$1" create --bundle $work/true apus-bench-cycle </dev/null >/dev/null 2>&1 &&
    "\$1" start apus-bench-cycle && "\$1" delete --force apus-bench-cycle
EOF
chmod +x "$work/cycle"

# --- timings ----------------------------------------------------------------
commands=()
add() { commands+=(-n "$1" "$2"); }
add 'floor' "$work/floor $root /bin/true"
run="$apus run --rm --network none"
add 'apus run' "$run --rootfs $root true"
add 'apus run, no seccomp' "$run --security-opt seccomp=unconfined --rootfs $root true"
add 'bubblewrap' "bwrap --unshare-pid --unshare-net --unshare-uts --unshare-ipc --bind $root / --proc /proc --dev /dev true"
for runtime in "$own" crun runc; do
    add "${runtime##*/} run" "$runtime run --bundle $work/true apus-bench"
    add "${runtime##*/} create+start+delete" "$work/cycle $runtime"
done
# Installed is not enough: where podman or Docker cannot run, say so and go on.
if command -v podman >/dev/null; then
    podman="podman --root $work/podman --runroot $work/podman-run --cgroup-manager cgroupfs run --rm --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --network none --rootfs $root true"
    if $podman >"$work/podman.log" 2>&1; then add 'podman run' "$podman"
    else echo "podman does not work here: $(tail -n 1 "$work/podman.log")"; fi
fi
if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    docker_image=apus-bench:$$
    tar -C "$root" -c . | docker import - "$docker_image" >/dev/null
    add 'docker run' "docker run --rm --network none $docker_image true"
fi

container=$("$apus" run -d --network none --rootfs "$root" sleep 1000)
add 'apus exec' "$apus exec $container true"
for runtime in "$own" crun runc; do
    "$runtime" run --detach --bundle "$work/sleep" "apus-bench-${runtime##*/}" </dev/null >/dev/null 2>&1
    add "${runtime##*/} exec" "$runtime exec apus-bench-${runtime##*/} /bin/true"
done

for ((round = 1; round <= rounds; round++)); do
    hyperfine -N --style none --warmup 2 --runs "$runs" --export-json "$work/round-$round.json" \
        "${commands[@]}" >/dev/null 2>"$work/hyperfine.log" ||
        { cat "$work/hyperfine.log" >&2; exit 1; }
done
jq -rs 'def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
    [.[].results[]] | group_by(.command)[] | [.[0].command, (map(.times[]) | median * 1000)] | @tsv' \
    "$work"/round-*.json >"$work/medians"
median() { awk -F '\t' -v name="$1" '$1 == name { print $2 }' "$work/medians"; }

# --- the least memory limit, and a large configuration ------------------------
# least RUNTIME: in KiB, the first limit under which `true` runs three times out of three.
least() {
    local limit i
    mkdir -p "$work/limit"
    for limit in 64 128 192 256 320 384 512 768 1024 1536 2048 3072 4096 6144 8192 16384; do
        jq --argjson limit $((limit * 1024)) '.linux.resources.memory.limit = $limit' \
            "$work/true/config.json" >"$work/limit/config.json"
        for ((i = 0; i < 3; i++)); do
            "$1" run --bundle "$work/limit" apus-bench-limit </dev/null >/dev/null 2>&1 || break
        done
        "$1" delete -f apus-bench-limit >/dev/null 2>&1 || true
        if ((i == 3)); then
            echo "$limit"
            return
        fi
    done
    echo "$0: $1 runs under no limit" >&2
    return 1
}
own_least=$(least "$own") crun_least=$(least crun) runc_least=$(least runc)

# What 1 MiB of strings costs: both are refused right after they have been read, since there is no terminal.
mkdir -p "$work/large"
jq '.annotations = ([range(8700) | {key: "org.example.key\(.)", value: "the value of number \(.)"}] | from_entries)
    | .process.env += [range(13600) | "VARIABLE_\(.)=some value of \(.)"]' \
    "$work/true/config.json" >"$work/large/config.json"
large_size=$(stat -c %s "$work/large/config.json")
hyperfine -N -i --style none --warmup 2 --runs 50 --export-json "$work/large.json" \
    "$own run --console-socket /nowhere --bundle $work/large apus-bench" \
    "$own run --console-socket /nowhere --bundle $work/true apus-bench" >/dev/null 2>&1
large_cost=$(jq '(.results[0].median - .results[1].median) * 1000' "$work/large.json")

# --- memory of the process that stays with a detached container ---------------
pss() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }
init=$("$apus" inspect --format '{{.State.Pid}}' "$container")
apus_pss=$(pss "$(awk '/^PPid:/ { print $2 }' "/proc/$init/status")")
conmon --cid apus-bench-conmon --cuuid apus-bench-conmon --runtime "$(command -v crun)" --bundle "$work/sleep" \
    --container-pidfile "$work/conmon.init" --conmon-pidfile "$work/conmon.pid" \
    --log-path "k8s-file:$work/conmon.log" --exit-dir "$work" --socket-dir-path "$work" \
    </dev/null >/dev/null 2>&1
for ((i = 0; i < 100; i++)); do crun start apus-bench-conmon 2>"$work/crun.log" && break || sleep 0.05; done
((i < 100)) || { cat "$work/crun.log" "$work/conmon.log" >&2; exit 1; }
conmon_pss=$(pss "$(<"$work/conmon.pid")")

# --- many containers ----------------------------------------------------------
many=$work/many
seq 1000 | APUS_ROOT=$many xargs -P 4 -I{} "$apus" create --name 'c{}' --network none --rootfs "$root" true >/dev/null
APUS_ROOT=$many hyperfine -N --style none --warmup 2 --runs 20 --export-json "$work/ps.json" \
    "$apus ps -a" >/dev/null 2>&1
ps_median=$(jq '.results[0].median * 1000' "$work/ps.json")
ps_listed=$(APUS_ROOT=$many "$apus" ps -aq | wc -l)

# Each waits until the others had time to start, and only a run that ended with 7 counts.
begun=$EPOCHREALTIME
completed=$(seq 200 | xargs -P 200 -I{} sh -c \
    "$run --rootfs $root sh -c 'echo {}; sleep 2; exit 7'; [ \$? = 7 ] || echo failed" | grep -c '^[0-9]*$' || true)
concurrent=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
left=$("$apus" ps -aq --no-trunc | grep -vc "^$container" || true)

# --- report -------------------------------------------------------------------
printf 'Linux %s, %s processors, %s; %s; %s; %s\n' "$(uname -r)" "$(nproc)" "$("$apus" --version)" \
    "$(crun --version | head -n 1)" "$(runc --version | head -n 1)" "$(bwrap --version)"
printf 'load at the start %s; medians of %s runs in %s rounds\n\n' "$load" $((rounds * runs)) "$rounds"
awk -F '\t' -v floor="$(median floor)" '
    { printf "%-34s %8.2f ms %7.2f x floor\n", $1, $2, $2 / floor }' < <(sort -t $'\t' -k2,2g "$work/medians")
echo
# figure NAME VALUE UNIT RELATION TARGET
figure() {
    awk -v name="$1" -v value="$2" -v unit="$3" -v relation="$4" -v target="$5" 'BEGIN {
        met = relation == "<" ? value < target : relation == "=" ? value == target : value <= target
        printf "%-46s %8.4g %-3s  target %-2s %6.4g   %s\n", name, value, unit, relation, target, met ? "ok" : "MISSED" }'
}
ratio() { awk -v a="$(median "$1")" -v b="$(median "$2")" 'BEGIN { print a / b }'; }
figure 'apus run / floor' "$(ratio 'apus run' floor)" x '<=' 1.5
figure 'apus run / bubblewrap' "$(ratio 'apus run' bubblewrap)" x '<' 1
figure 'apus exec / crun exec' "$(ratio 'apus exec' 'crun exec')" x '<=' 0.5
figure 'apus-runtime run / floor' "$(ratio 'apus-runtime run' floor)" x '<=' 1.4
figure 'apus-runtime run / crun run' "$(ratio 'apus-runtime run' 'crun run')" x '<=' 0.5
figure 'apus-runtime create+start+delete / crun' \
    "$(ratio 'apus-runtime create+start+delete' 'crun create+start+delete')" x '<=' 0.5
figure 'apus-runtime exec / crun exec' "$(ratio 'apus-runtime exec' 'crun exec')" x '<=' 0.5
figure "least memory limit, target crun (runc: $runc_least)" "$own_least" KiB '<=' "$crun_least"
figure "parse of a config.json of $((large_size / 1024)) KiB" "$large_cost" ms '<=' 10
figure 'default seccomp filter' \
    "$(awk -v a="$(median 'apus run')" -v b="$(median 'apus run, no seccomp')" 'BEGIN { print a - b }')" ms '<' 0.2
figure 'detached supervisor (PSS), target conmon' "$apus_pss" kB '<' "$conmon_pss"
figure "ps -a of $ps_listed containers" "$ps_median" ms '<=' 50
figure "200 concurrent runs in $concurrent s, completed" "$completed" '' '=' 200
figure 'left over by them' "$left" '' '=' 0
