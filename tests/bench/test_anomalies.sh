#!/bin/bash
# The benchmarks of reading, in small: no answer that is not the exact one, and a check that can fail.
#
# LK_ANOMALY_READS and LK_ANOMALY_FLIPS ask for more of each mode.
. "$(dirname "$0")/kit.sh"

anomalies() { # LK FLAGS...
    told "$1" bench anomalies --json --reads "${LK_ANOMALY_READS:-8000}" --flips "${LK_ANOMALY_FLIPS:-15}" "${@:2}"
}

anomalies "$lk" --handover all --versions
fact 'by every hand-over, and over two versions: exact where it must be' $?
[ "$(grep -cE '"mode":"(offset|versions)".*"lost":0,"doubled":0,"regressed":0' "$work/said")" = 2 ]
fact 'offset and versions: every answer is the exact one' $?
grep -qE '"mode":"naive".*"lost":[1-9]' "$work/said"
fact 'naive loses: the check can find something' $?
anomalies "$lk" --handover offset --kill --seed 2
fact 'offset stays exact while speed layer and batch are killed' $?
told "$lk" bench read --reads 1000
fact 'the merged read beside the single one: all answers checked' $?
needs_bugs
LK_BUG=read-guess-believed anomalies "$bugs" --handover offset
[ $? = 1 ] && grep -q '"lost":[1-9]' "$work/said"
fact 'a reader that serves what it guessed is seen' $?
verdict
