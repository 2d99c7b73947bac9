#!/bin/bash
# Limits: what happens at them, and how they are changed while the container runs.
set -euo pipefail

apus=${APUS:-apus}

echo 'A command that takes too long is ended:'
status=0
"$apus" run --rm --network none --timeout 1s @host -- sleep 60 || status=$?
echo "exit status $status"

echo 'A limit that cannot be enforced is an error. Can these be, on this machine and for this user?'
if ! "$apus" doctor -- run --network none --memory 64m --pids-limit 10 @host -- true; then
    echo 'No: see above for what would help.'
    exit
fi

echo 'A process that takes more memory than it may is killed, and Apus says so:'
status=0
"$apus" run --rm --network none --memory 64m --memory-swap 64m @host -- \
    sh -c 'head -c 200m /dev/zero | tail >/dev/null; exit 137' || status=$?
echo "exit status $status"

echo 'Limits of a running container, before and after apus update:'
container=$("$apus" run -d --network none --memory 64m --pids-limit 10 @host -- sleep 60)
trap '"$apus" rm -f "$container" >/dev/null' EXIT
"$apus" stats --no-stream "$container"
"$apus" update --memory 128m --pids-limit 20 "$container"
"$apus" stats --no-stream "$container"
