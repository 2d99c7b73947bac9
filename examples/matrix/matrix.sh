#!/bin/bash
# A test matrix: a command in every combination of images and values of one variable, as many at once as there are
# processors.
#
#   examples/matrix/matrix.sh 'debian:12 fedora:41' 'MODE=debug MODE=release' SOURCE COMMAND [ARGUMENT]...
#
# Each job has a copy-on-write layer over the sources, so none sees what another has built. Lines say whose they are; the
# exit status is 0 if all jobs succeeded.
set -euo pipefail

(($# >= 4)) || { echo "usage: $0 'IMAGE...' 'NAME=VALUE...' SOURCE COMMAND [ARGUMENT]..." >&2; exit 2; }
read -r -a images <<<"$1"
read -r -a variables <<<"$2"
source=$(readlink -f -- "$3")
shift 3
failed=$(mktemp)
trap 'rm -f -- "$failed"' EXIT

job() {
    local image=$1 variable=$2
    shift 2
    "${APUS:-apus}" run --rm --init --reproducible --timeout 30m --log-prefix "$image $variable | " \
        -e "$variable" -v "$source:/src:ro" --tmpfs /work:exec -w /work \
        "$image" sh -ec 'cp -r /src/. .; exec "$@"' sh "$@" || echo "$image $variable: exit status $?" >>"$failed"
}

for image in "${images[@]}"; do
    for variable in "${variables[@]}"; do
        # One more than there are processors waits for any to end.
        while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n; done
        job "$image" "$variable" "$@" </dev/null &
    done
done
wait
sort -- "$failed"
[[ ! -s $failed ]]
