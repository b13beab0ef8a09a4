#!/bin/bash
# lk verify, query, dlq over a small view in a Redis of its own.
. "$(dirname "$0")/kit.sh"
plan=$flights

log=(--log "embedded:$work/log" --topic flights)
view=(--plan "$plan" --view "redis+unix:$work/redis")
kappa=("${view[@]}" --from kappa)
lambda=("${view[@]}" --from lambda)

row 3 'kappa has no view flight_delays yet; make it: lk kappa run' "$lk" query "${kappa[@]}"
row 3 'lambda has no view flight_delays yet' "$lk" query "${lambda[@]}"
row 0 '20000 events' "$lk" gen flights "${log[@]}" --events 20000 --partitions 2 --malformed-share 0.001

# A look-up table that cannot be used is a mistake of the plan, and registers nothing.
jq -c '.view = "tabled" | .lookup = {table: "table.csv", on: "origin", take: ["state"]}' "$plan" >"$work/tabled.json"
echo 'airport,state' >"$work/table.csv"
tabled=(--plan "$work/tabled.json" --view "redis+unix:$work/redis")
row 2 'table.csv:1: the header lacks the column "origin"; correct' "$lk" plan check "$work/tabled.json"
row 2 '[{"path":"$.lookup.table","found":"*table.csv:1: the header lacks' aloud "$lk" plan check --json "$work/tabled.json"
row 2 'table.csv:1: the header lacks' "$lk" plan explain "$work/tabled.json"
row 2 'table.csv:1: the header lacks' "$lk" kappa run "${tabled[@]}" "${log[@]}" --until-end
row 2 'table.csv:1: the header lacks' "$lk" lambda speed "${tabled[@]}" "${log[@]}" --until-end
row 3 'kappa has no view tabled yet' "$lk" query "${tabled[@]}" --from kappa
row 3 'lambda has no view tabled yet' "$lk" query "${tabled[@]}" --from lambda
row 0 '20000 events' "$lk" kappa run "${view[@]}" "${log[@]}" --until-end

# verify: equal, tampered with, of a plan that nobody runs.
row 0 'contract  equal: yes*truth *0 events of the log not read yet' "$lk" verify "${kappa[@]}" "${log[@]}"
row 0 '"equal":true,*"differing":0*"balanced":true,"behind":0' "$lk" verify "${kappa[@]}" "${log[@]}" --json
cells=$(store redis --scan --pattern 'lk:*:k:978357600000' | head -1)
key=$(store redis hkeys "$cells" | head -1)
was=$(store redis hget "$cells" "$key")
store redis hset "$cells" "$key" 1,1,1,1,1 >/dev/null
name=${key:2:3}
row 4 "contract  {\"window\":978357600000,\"key\":\[\"$name\"]*found*$name*equal: NO (1 rows differ" \
    "$lk" verify "${kappa[@]}" "${log[@]}"
row 4 '"equal":false,*"differing":1' "$lk" verify "${kappa[@]}" "${log[@]}" --json
store redis hset "$cells" "$key" "$was" >/dev/null
row 0 'equal: yes' "$lk" verify "${kappa[@]}" "${log[@]}"
pos=$(store redis --scan --pattern 'lk:*:pos' | head -1)
counters=$(store redis hget "$pos" counters)
store redis hset "$pos" counters "1,${counters#*,}" >/dev/null
row 4 'DOES NOT BALANCE*wrong counters in 1 partitions' "$lk" verify "${kappa[@]}" "${log[@]}"
store redis hset "$pos" counters "$counters" >/dev/null
sed 's/30m/31m/' "$plan" >"$work/other.json"
row 2 'no version of view flight_delays was made of this plan' \
    "$lk" verify "${kappa[@]}" "${log[@]}" --plan "$work/other.json"
row 0 'version 1' "$lk" verify "${kappa[@]}" "${log[@]}" --plan "$work/other.json" --version 1
row 2 'has no version 7' "$lk" verify "${kappa[@]}" "${log[@]}" --version 7
row 2 'needs --log' "$lk" verify "${kappa[@]}"

# query: one key and window in three formats, and keys that are none.
one=(--key ORD --window 978357600000)
row 0 'window  starts * origin  flights *2001-01-01T14:00:00Z  ORD ' "$lk" query "${kappa[@]}" "${one[@]}"
row 0 '{"window":978357600000,"key":\["ORD"],"flights":' "$lk" query "${kappa[@]}" "${one[@]}" --format json
row 0 'window,starts,origin,flights,late,mean_delay,worst' "$lk" query "${kappa[@]}" "${one[@]}" --format csv
row 0 '"key":\["ORD"]' "$lk" query "${kappa[@]}" --key '[ "ORD" ]' --window 978357600000 --json
row 0 '0 rows' "$lk" query "${kappa[@]}" --key nowhere
row 2 'start every 3600000 ms, such as at 978357600000, not at 978357600001' "$lk" query "${kappa[@]}" --window 978357600001
row 2 'expected the key, or 1 value' "$lk" query "${kappa[@]}" --key '["ORD",1]'
row 2 'expected kappa|lambda' "$lk" query "${view[@]}" --from kapa

# dlq: what is listed can be shown and exported, and a second export adds nothing.
bad=$("$lk" dlq list "${kappa[@]}" --json | wc -l)
where=$("$lk" dlq list "${kappa[@]}" | tail -1 | awk '{print $1 ":" $2}')
row 0 "$bad bad events in view flight_delays" "$lk" dlq list "${kappa[@]}"
row 0 "partition ${where%:*}, offset ${where#*:}:" "$lk" dlq show "${kappa[@]}" "${log[@]}" --offset "$where"
row 2 'is not a bad event' "$lk" dlq show "${kappa[@]}" "${log[@]}" --offset 0:999999
row 2 'expected partition:offset' "$lk" dlq show "${kappa[@]}" "${log[@]}" --offset 17
row 0 "$bad bad events, $bad of them appended" "$lk" dlq export "${kappa[@]}" "${log[@]}"
row 0 "$bad bad events, 0 of them appended" "$lk" dlq export "${kappa[@]}" "${log[@]}"
row 0 '[1-9]*' echo "$bad"

# lambda: spans alone, then a batch under them; the bad events move into the generation.
row 0 '20000 events' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
row 0 'equal: yes' "$lk" verify "${lambda[@]}" "${log[@]}"
row 0 "$bad bad events" "$lk" dlq list "${lambda[@]}"
row 0 'archived' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end
row 0 'published' "$lk" lambda batch "${view[@]}" --topic flights --archive "$work/archive"
row 0 'equal: yes*truth     0 of' "$lk" verify "${lambda[@]}" "${log[@]}"
row 0 "$bad bad events" "$lk" dlq list "${lambda[@]}"

verdict
