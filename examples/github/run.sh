#!/bin/bash
# What action.yml runs: its inputs are variables here.
set -euo pipefail

flags=(run --rm -i --reproducible --timeout "${TIMEOUT:-1h}" --workspace "$GITHUB_WORKSPACE" -e CI=true)
[[ ! ${CACHE:-} ]] || flags+=(--cache "$CACHE:/cache:cow")
[[ ! ${ARTIFACTS:-} ]] || flags+=(--artifact "$ARTIFACTS:$GITHUB_WORKSPACE/apus-artifacts")
# Words, as in a shell: the workflow's author writes them.
read -r -a options <<<"${OPTIONS:-}"
# The script comes as standard input, so nothing in it needs quoting; -e ends it at the first failure.
exec "${APUS:-apus}" "${flags[@]}" "${options[@]}" "${IMAGE:-debian:12}" sh -e <<<"$SCRIPT"
