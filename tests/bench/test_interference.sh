#!/bin/bash
# `lk bench interference` in small: all four big things run beside a live view, every answer is checked, and a
# wrong one means no figure. How much they disturb is for the full run (make bench-interference).
. "$(dirname "$0")/kit.sh"

interference() { # LK
    told "$1" bench interference --json --events 40000 --block 400ms --rounds 1 --replay-rate 80000
}

interference "$lk"
fact 'both architectures, two big things each: every answer is the exact one' $?
[ "$(grep -cE '"p99_alone_ms":[0-9.]+,"p99_beside_ms":[0-9.]+,"ratio":' "$work/said")" = 4 ]
fact 'a figure of each' $?
[ "$(grep -cE '"runs":[1-9][0-9]*,"at_work":(0\.[1-9]|1)' "$work/said")" = 4 ]
fact 'each was at work in its block' $?
needs_bugs
LK_BUG=read-guess-believed interference "$bugs"
[ $? = 1 ] && ! grep -q '"ratio"' "$work/said"
fact 'no figure where an answer is wrong' $?
verdict
