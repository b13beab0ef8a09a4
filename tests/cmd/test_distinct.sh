#!/bin/bash
# A sketch from plan to answer: both architectures and every kind of batch say what the oracle says, estimates
# are near the numbers counted, and two precisions differ by sketch error, which stops no promotion.
. "$(dirname "$0")/kit.sh"
log=(--log "embedded:$work/log" --topic flights)
view=(--view "redis+unix:$work/redis")
plan=$PWD/workloads/plans/destinations.json
sed 's/"precision": 8/"precision": 12/' "$plan" >"$work/finer.json"
sed 's/"precision": 8/"precision": 12/; s/30m/45m/' "$plan" >"$work/later.json"
sed 's/"destination", "p/"origin", "p/' "$plan" >"$work/other.json"
one=(--plan "$plan" "${view[@]}")
two=(--plan "$work/finer.json" "${view[@]}")

row 0 '256*registers, standard error 6.5 %' "$lk" plan explain "$plan"
row 0 'values.destinations.precision*8 -> 12*cannot be made finer' "$lk" plan diff "$plan" "$work/finer.json"
row 0 'derive: the registers of a sketch fold down' "$lk" plan diff "$work/finer.json" "$plan"

# Kappa; lambda by rows and by columns, in full and upon a base.
row 0 '20000 events' "$lk" gen flights "${log[@]}" --events 20000 --partitions 2
row 0 '20000 events' "$lk" kappa run "${one[@]}" "${log[@]}" --until-end
row 0 'equal: yes' "$lk" verify "${one[@]}" "${log[@]}" --from kappa
row 0 'archived' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --columnar "$plan" --until-end
row 0 '20000 events' "$lk" lambda batch "${one[@]}" --archive "$work/archive"
row 0 'equal: yes*truth     0 of' "$lk" verify "${one[@]}" "${log[@]}" --from lambda
row 0 '10000 events' "$lk" gen flights "${log[@]}" --events 30000 --partitions 2 --resume
row 0 '' "$lk" lambda speed "${one[@]}" "${log[@]}" --until-end
row 0 'equal: yes' "$lk" verify "${one[@]}" "${log[@]}" --from lambda
row 0 '' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --columnar "$plan" --until-end
row 0 'upon generation' "$lk" lambda batch "${one[@]}" --archive "$work/archive" --kind incremental
row 0 'equal: yes*truth     0 of' "$lk" verify "${one[@]}" "${log[@]}" --from lambda
row 0 '5000 events' "$lk" gen flights "${log[@]}" --events 35000 --partitions 2 --resume
row 0 '' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --columnar "$plan" --until-end
row 0 '"columnar_segments":6' "$lk" lambda batch "${one[@]}" --archive "$work/archive" --columnar --json
row 0 'equal: yes*truth     0 of' "$lk" verify "${one[@]}" "${log[@]}" --from lambda

# The true numbers: a view with a row for each pair. At most 1 in 50 estimates is further off than 3 standard errors.
jq '.view = "pairs" | .key = ["origin", "destination"] | .values = {"flights": "count"}' "$plan" >"$work/pairs.json"
pairs=(--plan "$work/pairs.json" "${view[@]}")
row 0 '35000 events' "$lk" kappa run "${pairs[@]}" "${log[@]}" --until-end
row 0 '15000 events' "$lk" kappa run "${one[@]}" "${log[@]}" --until-end
"$lk" query "${pairs[@]}" --from kappa --format json 2>/dev/null |
    jq -c '{window, key: .key[:1]}' | sort | uniq -c | jq -c -R 'ltrimstr(" ") | capture("(?<n>[0-9]+) (?<row>.*)") |
        {key: .row, value: (.n | tonumber)}' | jq -s from_entries >"$work/true"
"$lk" query "${one[@]}" --from kappa --format json 2>/dev/null |
    jq -c --slurpfile true "$work/true" '. as $row | ({window, key} | tojson) as $name | $true[0][$name] as $n |
        [(.destinations - $n | fabs) <= 3 * 0.065 * $n + 1, $n]' >"$work/near"
row 0 'true' jq -s 'length > 300 and (map(select(.[0] | not)) | length) * 50 <= length' "$work/near"
row 0 'true' jq -s 'map(.[1]) | max > 80' "$work/near"

# Another precision: what differs by sketch error alone is counted, said, and let through.
row 0 '35000 events' "$lk" kappa deploy "${two[@]}" "${log[@]}"
row 0 'cause of differences: sketch error (sketch error: ' "$lk" kappa diff "${two[@]}"
row 0 '"cause":"sketch error","causes":{"sketch error":' "$lk" kappa diff "${two[@]}" "${log[@]}" --at end --json
row 0 '{"sketch error":*,"late in one only":*}}' \
    "$lk" kappa diff --plan "$work/later.json" "${view[@]}" "${log[@]}" --at end --json
row 0 '"cause":"changed rule","causes":{"changed rule":' \
    "$lk" kappa diff --plan "$work/other.json" "${view[@]}" "${log[@]}" --at end --json
redis() { redis-cli -s "$work/redis" "$@"; }
cell=$(redis --scan --pattern 'lk:{destinations.k2:0}:k:978*' | sort | head -1)
key=$(redis hkeys "$cell" | head -1)
whole=$(redis hget "$cell" "$key")
redis hset "$cell" "$key" "$(printf 'A%.0s' {1..2000}),${whole##*,}" >"$work/said"
row 0 'unexplained: 1' "$lk" kappa diff "${two[@]}"
row 1 'no more than their sketches may (sketch error)*1 of * rows in final windows differ*unexplained' \
    "$lk" kappa promote "${two[@]}"
redis hset "$cell" "$key" "$whole" >"$work/said"
row 0 'no more than their sketches may*version 2 is live' "$lk" kappa promote "${two[@]}"
row 0 'equal: yes' "$lk" verify "${two[@]}" "${log[@]}" --from kappa

verdict
