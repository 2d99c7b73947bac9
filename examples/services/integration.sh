#!/bin/bash
# Integration tests beside the service that they need: the tests begin when it works, on the same localhost, and nothing
# is left when they end.
#
#   SERVICE=redis:7 HEALTH='redis-cli ping' examples/services/integration.sh debian:12 ./tests.sh
set -euo pipefail

(($# >= 2)) || { echo "usage: $0 IMAGE COMMAND [ARGUMENT]..." >&2; exit 2; }
read -r -a service <<<"${SERVICE:-redis:7}"
apus=${APUS:-apus}
name=service-$$
trap '"$apus" rm -f "$name" >/dev/null' EXIT

"$apus" run -d --name "$name" --wait-healthy --wait-timeout 60s \
    --health-cmd "${HEALTH:-redis-cli ping}" --health-interval 200ms --health-retries 100 "${service[@]}" >/dev/null
"$apus" run --rm --network "container:$name" --workspace "$PWD" "$@"
