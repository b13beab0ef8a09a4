#!/bin/bash
# The benchmarks of reading, in small: no answer that is not the exact one, and a check that can fail.
#
# LK_ANOMALY_READS and LK_ANOMALY_FLIPS ask for more of each mode.
set -u
cd "$(dirname "$0")/../.."
command -v redis-server >/dev/null || { echo "skip: there is no redis-server"; exit 0; }
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
passed=0 failed=0

fact() { # NAME STATUS-OF-THE-CHECK
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not so: %s\n' "$1"
        cat "$work/said"
    fi
}

anomalies() { # LK FLAGS...
    local lk=$1
    shift
    timeout 120 "$lk" bench anomalies --json --reads "${LK_ANOMALY_READS:-8000}" \
        --flips "${LK_ANOMALY_FLIPS:-15}" "$@" >"$work/said" 2>&1 </dev/null
}

anomalies ./lk --handover all --versions
fact 'by every hand-over, and over two versions: exact where it must be' $?
[ "$(grep -cE '"mode":"(offset|versions)".*"lost":0,"doubled":0,"regressed":0' "$work/said")" = 2 ]
fact 'offset and versions: every answer is the exact one' $?
grep -qE '"mode":"naive".*"lost":[1-9]' "$work/said"
fact 'naive loses: the check can find something' $?
anomalies ./lk --handover offset --kill --seed 2
fact 'offset stays exact while speed layer and batch are killed' $?
LK_BUG=read-guess-believed anomalies build/bugs/lk --handover offset
[ $? = 1 ] && grep -q '"lost":[1-9]' "$work/said"
fact 'a reader that serves what it guessed is seen' $?
timeout 120 ./lk bench read --reads 1000 >"$work/said" 2>&1 </dev/null
fact 'the merged read beside the single one: all answers checked' $?
echo "$passed passed, $failed failed"
[ $failed = 0 ]
