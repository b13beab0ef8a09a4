#!/bin/bash
# More cells than memory, in small: every row is right, and a worker that forgets to read again what it let go
# is found out, as is one that holds more than it may.
. "$(dirname "$0")/kit.sh"

keys() { told "$1" bench keys --memory 1MiB --out "$work/out" "${@:2}"; } # LK FLAGS...

keys "$lk" --keys 20000 --windows 2
fact 'every row of 20,000 keys in 2 windows is right, of a version, of its next one and of a batch' $?
page_facts "$work/out"
jq -e '.pass and ([.metrics[] | select(.name == "rows checked") | .lambda, .kappa] == [40000, 80000])
    and (.tables[0].rows | length == 6) and ([.metrics[] | .kappa > 0] | all)' "$work/out/run.json" >/dev/null
fact 'its page says that 40,000 rows were checked, twice of kappa, and names every stage' $?
! grep -vq '"kind":"private"' "$work/out/samples.jsonl" && grep -q '"pipeline":"lambda"' "$work/out/samples.jsonl"
fact 'its chart has the memory of both' $?
rm -r "$work/out"

# 160,000 cells take 25 MB; a process without any 6 MB.
bounded() { # LK
    told "$1" bench keys --memory 4MiB --keys 80000 --windows 2 --out "$work/out" --json &&
        holds '[."kappa run", .deploy] | all(.memory_mb < 16)'
}
bounded "$lk"
fact 'a worker whose cells are six times its 4 MiB takes less than half as much again, and 10 MB' $?
needs_bugs
LK_BUG=more-memory bounded "$bugs"
[ $? = 1 ] && holds '.takeover_ms'
fact 'a worker that holds more than it may is seen' $?
rm -r "$work/out"
LK_BUG=new-window keys "$bugs" --keys 20000 --windows 2
[ $? = 1 ] && grep -q 'is not its count: no figure' "$work/said"
fact 'cells that left memory and are not read again are seen' $?
[ ! -e "$work/out" ]
fact 'and there is no page' $?

verdict
