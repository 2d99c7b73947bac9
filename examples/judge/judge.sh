#!/bin/bash
# Grades an untrusted program: gives it each TESTS/*.in and compares what it prints with TESTS/*.out.
#
#   JUDGE_ROOT=debian:12 examples/judge/judge.sh PROGRAM TESTS
#
# It gets no network, no rights, nothing to write to, little memory, few processes and little time. JUDGE_ROOT is an image
# or `--rootfs DIR` with what the program needs; nothing else of this machine can be seen. Prints a verdict for each test
# and how many passed; the exit status is 0 if all did.
set -uo pipefail

(($# == 2)) || { echo "usage: $0 PROGRAM TESTS" >&2; exit 2; }
program=$(readlink -f -- "$1") tests=$(readlink -f -- "$2")
read -r -a root <<<"${JUDGE_ROOT:-debian:12}"
limit=1048576 # bytes of output
passed=0 total=0
output=$(mktemp) errors=$(mktemp)
trap 'rm -f -- "$output" "$errors"' EXIT

for input in "$tests"/*.in; do
    total=$((total + 1))
    # A program that prints more than anybody wants writes to a closed pipe in the end.
    "${APUS:-apus}" run --rm -i --reproducible --read-only --cap-drop ALL -u "${JUDGE_USER:-65534}" \
        --timeout "${JUDGE_TIME:-2s}" --stop-timeout 0 --memory "${JUDGE_MEMORY:-64m}" --pids-limit 16 \
        --limits "${LIMITS:-strict}" --ulimit fsize=0 --ulimit core=0 -v "$program:/program:ro" \
        "${root[@]}" /program <"$input" 2>"$errors" | head -c "$limit" >"$output"
    status=${PIPESTATUS[0]}
    case $status in
        0) if cmp -s -- "$output" "${input%.in}.out"; then verdict=passed; else verdict='wrong answer'; fi ;;
        124) verdict='time limit' ;;
        125) cat -- "$errors" >&2; exit 125 ;;
        137) verdict='memory limit' ;;
        *) verdict="crashed with status $status" ;;
    esac
    (($(stat -c %s -- "$output") < limit)) || verdict='output limit'
    [[ $verdict != passed ]] || passed=$((passed + 1))
    echo "$(basename -- "$input" .in): $verdict"
done
echo "$passed of $total"
((passed == total))
