#!/bin/bash
# lk compare drift: two planted differences of one line, measured beside a mirrored speed layer.
. "$(dirname "$0")/kit.sh"
run() { "$lk" compare drift --hours 15 --batch-hours 5 --out "$work/drift" "$@"; }

run --only threshold,dedupe-off --json >"$work/one.json" 2>/dev/null
run --only threshold,dedupe-off --json >"$work/two.json" 2>/dev/null
row 0 '' cmp "$work/one.json" "$work/two.json"
row 0 '["mirrored","threshold","dedupe-off"]' jq -c '[.differences[].name]' "$work/one.json"
row 0 '[0,0,0]' jq -c '[.differences[].wrong_at_end]' "$work/one.json"
row 0 'true' jq '.differences[0] | .wrong_rows == 0 and .first_wrong_hour == null' "$work/one.json"
# Each is served wrong, is noticed by every diff, by a batch last, and is right again behind the next one.
row 0 'true' jq '[.differences[1:][] | .wrong_rows > 0 and .wrong_share_max > 0 and .off_share > 0
    and .noticed_after_hours.verify == 0 and .noticed_after_hours.kappa == 0
    and .noticed_after_hours.batch != null and .noticed_after_hours.batch <= 5
    and .stays_wrong_hours_max < 5] | all' "$work/one.json"
row 0 '["late","values.late"]' jq -c '.differences[1] | [.value, .plan_diff]' "$work/one.json"
row 0 '["flights","dedupe"]' jq -c '.differences[2] | [.value, .plan_diff]' "$work/one.json"
cp "$work/one.json" "$work/said"
page_facts "$work/drift"
jq -e --slurpfile run "$work/drift/run.json" 'def near: map(. * 10000 | round);
    [.differences[] | [.name, .plan_diff, .first_wrong_hour, (.wrong_share_by_hour | near)] +
        [.noticed_after_hours | .batch, .verify, .kappa]] as $said | $run[0] | .pass and
    ([.tables[0].rows[] | [.[0].name, .[7], (.[1].bars | near)] + .[3:6]] ==
     [$said[] | [.[0], (if .[1] == "" then "–" else .[1] end), .[3]] + .[4:]])' "$work/one.json" >/dev/null
fact 'the page has the figures of the JSON, and bars for every hour' $?
[ "$(grep -o '<rect ' "$work/drift/report.html" | wc -l)" = 45 ]
fact 'of each difference a bar an hour' $?
row 0 'Kappa has one layer' run --only threshold
row 0 'source.fields' run --only null-as-zero --hours 2 --batch-hours 2
row 0 'source.fields' grep -o '<td>source.fields[^<]*' "$work/drift/report.html"
row 2 'no difference "nothing"' run --only threshold,nothing

verdict
