#!/bin/bash
# lk compare evolve: a rule changes and goes back under load, every answer is by one of the two rules; and seen failing.
set -u
cd "$(dirname "$0")/../.."
command -v redis-server >/dev/null || { echo "skip: there is no redis-server"; exit 0; }
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

fact() { # NAME STATUS-OF-THE-CHECK
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not so: %s\n' "$1"
        tail -n 30 "$work/said"
    fi
}

evolve() { timeout 120 "$1" compare evolve --out "$work/out" --count 5000 --rate 500 --seconds 1 "${@:2}" >"$work/said" 2>&1 </dev/null; }
holds() { sed -n '/^{/,$p' "$work/said" | jq -e "$1" >/dev/null; }

evolve ./lk --json
fact 'a rule changes in both architectures and goes back' $?
holds '[.lambda, .kappa] | all(.neither == 0 and .refused == 0 and .old_answers > 0 and .new_answers > 0 and .changed_s > 0)'
fact 'every answer is by the old rule or by the new one, and both were seen' $?
holds '.lambda.commands == 3 and .lambda.flips == 4 and .lambda.processes == 2 and .lambda.back_flips == 4'
fact 'lambda: two processes for one change, and each application is told' $?
holds '.kappa.commands == 4 and .kappa.flips == 2 and .kappa.processes == 1 and .kappa.back_commands == 1'
fact 'kappa: a replay, a diff, a canary, a flip; one flip back' $?
holds '.lambda.read_events > .kappa.read_events and .kappa.read_events >= 5000'
fact 'lambda reads the events twice, in its batch and in its speed layer' $?
evolve ./lk --arch dataflow
[ $? = 2 ]
fact 'another architecture is a mistake of the user' $?

# The judge is seen failing: what the canary answers is said to be of the live version, with planted bugs.
if [ -x build/bugs/lk ]; then
    LK_BUG=live-named evolve build/bugs/lk --arch kappa
    [ $? = 1 ] && grep -q 'an answer was by neither rule' "$work/said"
    fact 'a planted bug is caught' $?
else
    echo 'skip: build/bugs/lk is not built (make test builds it)'
fi

echo "$passed passed, $failed failed"
[ $failed = 0 ]
