#!/bin/bash
# Random cases of the agreement test whose batches are incremental, then by-time.
#   test_kinds.sh [FLAGS of whole-agreement]; LK_AGREEMENT_KIND_CASES says how many cases of each [50]
cd "$(dirname "$0")/../.." || exit 3
program=build/bugs/tests/whole-agreement
[ -x $program ] || { echo "there is no $program; run: make tests"; exit 3; }
status=0
for kind in incremental by-time; do
    $program --kind $kind --cases "${LK_AGREEMENT_KIND_CASES:-50}" "$@" || status=1
done
exit $status
