#!/bin/bash
# The second half of `make bench`: what `apus limit` costs, and what its report says beside the kernel's own figures.
#
#   RUNS   how often each command is timed (200)
#   APUS   the executable (.build/release/apus)
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
runs=${RUNS:-200}
built=$(readlink -f -- "${APUS:-$here/../../.build/release/apus}")
[[ -x $built ]] || { echo "bench: no executable '$built'; run make build" >&2; exit 1; }
((EUID == 0)) || exec sudo --preserve-env=RUNS,APUS -- "$0"
"$here/../../.ci/install-dependencies" bench

load=$(cut -d' ' -f1-3 /proc/loadavg)
work=$(mktemp -d -t apus-bench.XXXXXX)
trap 'rm -rf -- "$work"' EXIT

# As `make install` puts it in place.
apus=$work/apus
strip -o "$work/stripped" "$built"
dd if="$work/stripped" of="$apus" bs=128K status=none
chmod 755 "$apus"

# --- what it adds to a command ------------------------------------------------
commands=('/bin/true' "$apus limit -- /bin/true" "$apus limit --memory 512m --pids 64 --timeout 10m -- /bin/true")
if [[ -d /run/systemd/system ]]; then commands+=('systemd-run --scope --quiet /bin/true'); fi
hyperfine -N --style none --warmup 5 --runs "$runs" --export-json "$work/times.json" "${commands[@]}" \
    >/dev/null 2>"$work/hyperfine.log" || { cat "$work/hyperfine.log" >&2; exit 1; }
median() { jq ".results[$1].median * 1000" "$work/times.json"; }
above() { awk -v a="$(median "$1")" -v b="$(median 0)" 'BEGIN { print a - b }'; }

# --- what it says -------------------------------------------------------------
# The command itself says what the kernel has counted of it, at its very end.
"$apus" limit --report "$work/cpu.json" -- bash -c \
    'i=0; while ((i < 1000000)); do ((i += 1)); done; awk "{ print (\$14 + \$15) / 100 }" /proc/$$/stat' >"$work/cpu"
cpu_error=$(jq --argjson own "$(<"$work/cpu")" '(.cpu.totalNanoseconds / 1e9 / $own - 1) * 100 | fabs' "$work/cpu.json")

# Looking costs apus CPU time of its own, which is what its children have not used.
cost=$(bash -c "times; '$apus' limit --report '$work/page.html' -- sleep 10; times" |
    awk 'NR == 2 || NR == 4 { gsub(/[ms]/, " "); total = $1 * 60 + $2 + $3 * 60 + $4
        if (NR == 2) before = total; else print (total - before) * 10 }')

# --- a fork bomb, and the machine beside it -------------------------------------
bomb='i=0; while [ $i -lt 10000 ]; do (sleep 1000 & sleep 1000) & i=$((i + 1)); done 2>/dev/null; wait'
"$apus" limit --pids 64 --timeout 5s --kill-after 0s -- sh -c "$bomb" 2>"$work/bomb.log" & bomb_pid=$!
slowest=0
while kill -0 "$bomb_pid" 2>/dev/null; do
    begun=${EPOCHREALTIME/./}
    /bin/true
    ((taken = ${EPOCHREALTIME/./} - begun, slowest = taken > slowest ? taken : slowest)) || true
done
bomb_status=0
wait "$bomb_pid" || bomb_status=$?

# --- nothing is left --------------------------------------------------------------
for ((i = 0; i < 1000; i++)); do "$apus" limit --memory 64m --pids 20 -- /bin/true; done
completed=$(seq 200 | xargs -P 200 -I{} sh -c \
    "'$apus' limit --memory 64m --pids 20 -- sh -c 'sleep 1; exit 7'; [ \$? = 7 ] && echo {}" | wc -l)
left=$(find /sys/fs/cgroup -type d -name 'limit-*' 2>/dev/null | wc -l)

# --- report -------------------------------------------------------------------
printf '\napus limit: load at the start %s; medians of %s runs\n\n' "$load" "$runs"
for index in "${!commands[@]}"; do printf '%8.2f ms  %s\n' "$(median "$index")" "${commands[index]/$apus/apus}"; done
echo
# figure NAME VALUE UNIT RELATION TARGET
figure() {
    awk -v name="$1" -v value="$2" -v unit="$3" -v relation="$4" -v target="$5" 'BEGIN {
        met = relation == "<" ? value < target : relation == "=" ? value == target : value <= target
        printf "%-46s %8.4g %-3s  target %-2s %6.4g   %s\n", name, value, unit, relation, target, met ? "ok" : "MISSED" }'
}
figure 'apus limit above the command' "$(above 1)" ms '<=' 1.2
figure 'with --memory, --pids and --timeout' "$(above 2)" ms '<=' 1.2
figure 'CPU time reported, beside the kernel' "$cpu_error" '%' '<=' 1
figure 'looking for the charts, of a processor' "$cost" '%' '<' 0.5
figure 'a fork bomb under --pids 64: exit status' "$bomb_status" '' '=' 124
figure 'the slowest command beside it' "$((slowest / 1000))" ms '<=' 500
figure '200 concurrent limited commands, completed' "$completed" '' '=' 200
figure 'cgroups left by them and 1,000 others' "$left" '' '=' 0
