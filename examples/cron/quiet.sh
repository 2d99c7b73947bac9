#!/bin/bash
# A command for cron: in a container, one at a time, with an end, and silent unless it fails, since cron mails all output.
#
#   17 3 * * *  /opt/apus/cron/quiet.sh backup 1h debian:12 /usr/local/bin/backup
#
# The name stands for a cache at /state, which keeps what the command leaves for the next night; as only one job has it at
# a time, a night's run that takes too long makes the next one fail instead of running beside it.
set -euo pipefail

(($# >= 4)) || { echo "usage: $0 NAME TIMEOUT IMAGE COMMAND [ARGUMENT]..." >&2; exit 2; }
name=$1 timeout=$2
shift 2
log=$(mktemp)
trap 'rm -f -- "$log"' EXIT
status=0
"${APUS:-apus}" run --rm --init --timeout "$timeout" --cache "$name:/state" --cache-wait 0 --log-timestamps \
    "$@" >"$log" 2>&1 || status=$?
((status == 0)) || { echo "$name: exit status $status"; cat -- "$log"; }
exit "$status"
