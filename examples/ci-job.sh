#!/bin/bash
# A CI job: the checkout comes in read-only, only results go out, nothing else is left, however the job ends.
#
#   examples/ci-job.sh CHECKOUT RESULTS COMMAND [ARGUMENT]...
#
# The exit status is the command's own; 124 says that the ten minutes were over, 125 that Apus failed: also where the
# limits cannot be enforced, which LIMITS=best-effort allows. RESULTS belongs to whoever runs this.
set -euo pipefail

(($# >= 3)) || { echo "usage: $0 CHECKOUT RESULTS COMMAND [ARGUMENT]..." >&2; exit 2; }
checkout=$(readlink -f -- "$1") results=$(readlink -f -- "$2")
shift 2
exec "${APUS:-apus}" run --rm --init --network none --timeout 10m \
    --memory 2g --pids-limit 512 --limits "${LIMITS:-strict}" \
    -v "$checkout:/src:ro" -v "$results:/results" -w /src -e CI=true \
    @host -- "$@"
