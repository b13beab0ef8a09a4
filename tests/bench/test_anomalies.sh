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
anomalies "$lk" --handover offset --versions --kill --seed 2
fact 'both stay exact while every part dies at each of its fault points' $?
[ "$(grep -c '"idle look":[1-9]' "$work/said")" = 2 ] && ! grep -qE '"struck":.*:0[,}]' "$work/said"
fact 'and there is no point where nobody died' $?
told "$lk" bench read --reads 1000
fact 'the merged read beside the single one: all answers checked' $?
needs_bugs
LK_BUG=new-window anomalies "$bugs" --handover none --versions --kill
[ $? = 1 ] && grep -q '"lost":[1-9]' "$work/said"
fact 'a cell that was evicted and begins anew is seen' $?
LK_BUG=read-guess-believed anomalies "$bugs" --handover offset
[ $? = 1 ] && grep -q '"lost":[1-9]' "$work/said"
fact 'a reader that serves what it guessed is seen' $?
verdict
