#!/bin/bash
# `make demo`: a command in a container whose root is this machine's own, under a throw-away overlay.
set -euo pipefail

apus=${APUS:-apus}
name=apus-demo-$$
file=/etc/written-by-apus-demo
options=(--rm --name "$name" --memory 256m --cpus 1 --network none)

# Ordinary users can limit memory and CPUs only where systemd or a writable cgroup lets them.
if ! "$apus" run "${options[@]}" @host -- true; then
    echo 'These limits cannot be had here: going on with --limits best-effort.'
    options+=(--limits best-effort)
fi

# What the container runs: it reports, and stays until a line comes in, so that there is something to inspect.
report=$(cat <<'END_OF_REPORT'
say() { printf '  %-10s %s\n' "$1" "$2"; }
say hostname "$(cat /proc/sys/kernel/hostname)"
say system "$(. /etc/os-release; echo "$PRETTY_NAME")"
say user "uid $(id -u), capabilities $(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
for directory in /proc/[0-9]*; do
    number=${directory#/proc/}
    [ ! -r "$directory/comm" ] || say "PID $number" "$(cat "$directory/comm")"
done
say network "$(ls /sys/class/net 2>/dev/null | tr '\n' ' ')"
cd /sys/fs/cgroup 2>/dev/null
for limit in memory.max memory/memory.limit_in_bytes cpu.max cpu/cpu.cfs_quota_us; do
    [ ! -r "$limit" ] || say limit "$limit: $(cat "$limit")"
done
echo 'gone afterwards' >"$1"
say writes "$1: $(cat "$1")"
echo done
read -r line
END_OF_REPORT
)

work=$(mktemp -d)
trap '"$apus" rm -f "$name" >/dev/null 2>&1 || true; rm -rf -- "$work"' EXIT
mkfifo "$work/in" "$work/out"
echo "This machine is $(hostname), with $(printf '%s\n' /proc/[0-9]* | wc -l) processes."
echo "\$ apus run -i ${options[*]} @host -- sh -c '…'"
"$apus" run -i "${options[@]}" @host -- sh -c "$report" sh "$file" <"$work/in" >"$work/out" &
exec {input}>"$work/in" {output}<"$work/out"
while read -r -u "$output" line && [[ $line != done ]]; do echo "  $line"; done
echo "\$ apus inspect $name"
printf '  %s\n' "$("$apus" inspect --format 'pid {{.State.Pid}} here, Memory {{.HostConfig.Memory}}, NanoCpus {{.HostConfig.NanoCpus}}' "$name")"
echo >&"$input"
wait $!

[[ ! -e $file ]] || { echo "$file is on this machine: it should not be" >&2; exit 1; }
echo "Afterwards, on this machine: no $file, and no container $name:"
"$apus" ps -a
