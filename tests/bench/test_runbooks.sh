#!/bin/bash
# lk compare runbooks: played, judged, killed at one step; its page; and seen failing.
. "$(dirname "$0")/kit.sh"

runbooks() { told "$1" compare runbooks --out "$work/out" "${@:2}"; } # LK FLAGS...

runbooks "$lk" --only undo-deploy --arch kappa --kills 'kappa rollback' --json
fact 'kappa undoes a deploy' $?
holds '.[0] | .wrong == 0 and .answers > 5 and .commands == 3 and .pointers == 1 and .processes == 1'
fact 'and says what it takes' $?
holds '.[0] | .kills >= 4 and .states >= 1 and .states < .kills'
fact 'a rollback killed at each of its points, typed again, ends as one that was not' $?
page_facts "$work/out"
sed -n '/^\[/,$p' "$work/said" | jq -e --slurpfile run "$work/out/run.json" '.[0] as $said | $run[0] | .pass and
    (.tables[0].rows == [[.tables[0].rows[0][0], {pipeline: "kappa", pass: true}, $said.commands, $said.processes,
        $said.pointers, .tables[0].rows[0][5], $said.answers, .tables[0].rows[0][7], $said.behind_events,
        "\($said.states) of \($said.kills)"]])
    and (.tables[0].details | length == 2 and (.[0].text | contains("lk kappa rollback")) and .[1].text == $said.pictures)' >/dev/null
fact 'the page has the figures of the JSON, what is typed, and the states' $?

runbooks "$lk" --only late-backfill --arch lambda --kills 'lambda batch' --json
fact 'lambda takes a late backfill' $?
holds '.[0] | .wrong == 0 and .final_rows_wrong == 0 and .kills >= 8 and .states >= 4'
fact 'nothing is missing at its end; a batch killed at each of its points leaves states that differ' $?
[ "$(ls "$work/out")" = $'report.html\nrun.json\nsamples.jsonl' ]
fact 'what passes leaves no files but the report' $?

runbooks "$lk" --only make-coffee
[ $? = 2 ] && grep -q 'no runbook "make-coffee"' "$work/said"
fact 'an unknown runbook is a mistake of the user' $?
runbooks "$lk" --only lost-redis --kills 'no such words'
[ $? = 2 ] && grep -q 'no step.s command holds "no such words"' "$work/said"
fact 'words of --kills that no step holds are, too' $?
"$lk" compare runbooks --page | cmp -s - docs/runbooks.md
fact 'docs/runbooks.md is what is played (make docs)' $?

# The judge is seen failing: spans below the boundary counted once more, in the program with planted bugs.
needs_bugs
LK_BUG=span-twice runbooks "$bugs" --only new-view --arch lambda
[ $? = 1 ] && grep -q 'FAILED: a reader was told what the oracle denies' "$work/said"
fact 'a planted bug is caught' $?
LK_BUG=position-first runbooks "$bugs" --only change-logic --arch kappa --kills 'kappa deploy'
[ $? = 1 ] && grep -q 'FAILED: killed at "commit sent" and typed again, lk kappa deploy' "$work/said"
fact 'a step that a kill breaks for good is caught' $?

verdict
