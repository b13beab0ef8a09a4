#!/bin/bash
# lk compare evolve: a rule changes and goes back under load, every answer is by one of the two rules; and seen failing.
. "$(dirname "$0")/kit.sh"

evolve() { told "$1" compare evolve --out "$work/out" --count 5000 --rate 500 --seconds 1 "${@:2}"; } # LK FLAGS...

evolve "$lk" --json
fact 'a rule changes in both architectures and goes back' $?
holds '[.lambda, .kappa] | all(.neither == 0 and .refused == 0 and .old_answers > 0 and .new_answers > 0 and .changed_s > 0)'
fact 'every answer is by the old rule or by the new one, and both were seen' $?
holds '.lambda.commands == 3 and .lambda.flips == 4 and .lambda.processes == 2 and .lambda.back_flips == 4'
fact 'lambda: two processes for one change, and each application is told' $?
holds '.kappa.commands == 4 and .kappa.flips == 2 and .kappa.processes == 1 and .kappa.back_commands == 1'
fact 'kappa: a replay, a diff, a canary, a flip; one flip back' $?
holds '.lambda.read_events > .kappa.read_events and .kappa.read_events >= 5000'
fact 'lambda reads the events twice, in its batch and in its speed layer' $?
page_facts "$work/out"
sed -n '/^{/,$p' "$work/said" | jq -e --slurpfile run "$work/out/run.json" '. as $said | $run[0] | .pass and
    ([.metrics[] | .lambda, .kappa] | map(. * 1000 | round)) == ([$said.lambda | keys_unsorted[] as $k |
    ($said.lambda[$k], $said.kappa[$k])] | map(. * 1000 | round))' >/dev/null
fact 'the page has the figures of the JSON' $?
[ "$(jq -s 'map(select(.kind == "answer")) | (map(.new) | unique) == [0, 1]' "$work/out/samples.jsonl")" = true ] &&
    jq -e '[.happenings[].what] | any(startswith("lk kappa promote")) and any(startswith("applications are told"))' "$work/out/run.json" >/dev/null
fact 'its chart has answers by both rules, its table the steps' $?
evolve "$lk" --arch dataflow
[ $? = 2 ]
fact 'another architecture is a mistake of the user' $?

# The judge is seen failing: what the canary answers is said to be of the live version, with planted bugs.
needs_bugs
LK_BUG=live-named evolve "$bugs" --arch kappa
[ $? = 1 ] && grep -q 'an answer was by neither rule' "$work/said"
fact 'a planted bug is caught' $?

verdict
