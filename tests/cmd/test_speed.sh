#!/bin/bash
# A plan's "speed": what lambda's speed layer does otherwise is said, folded by, and healed by a batch;
# and a kill between the two halves of a commit counts twice or loses what the plan says it may.
. "$(dirname "$0")/kit.sh"
log=(--log "embedded:$work/log" --topic flights)

# plan NAME SPEED: the flights' plan under a view name of its own, with this "speed".
plan() {
    jq -c ".view = \"$1\" | .speed = $2" "$flights" >"$work/$1.json"
    view=(--plan "$work/$1.json" --view "redis+unix:$work/redis")
    lambda=("${view[@]}" --from lambda "${log[@]}")
}
flights() { "$lk" query "${view[@]}" --from "$1" --json 2>/dev/null | jq -s 'map(.flights) | add'; }

row 0 '20000 events' "$lk" gen flights "${log[@]}" --events 20000 --partitions 2

# Cheap rules are the speed layer's contract, above the boundary alone; kappa and the batch go by the plan.
plan rules '{"source":{"fields":{"delay":{"round":10}}},"where":["origin","!=","ORD"],"allowed_lateness":"0s","values":{"worst":null}}'
said='cheap: allowed_lateness 0s, source.fields {"delay":{"round":10}}, values.worst left out, where *'
row 0 'speed *cheap: allowed_lateness 0s, source.fields' "$lk" plan explain "$work/rules.json"
row 0 '20000 events' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
row 0 "speed     $said*equal: yes" "$lk" verify "${lambda[@]}"
row 0 '"equal":true,"verdict":"equal"*"speed_layer":"cheap: ' "$lk" verify "${lambda[@]}" --json
row 0 "; speed layer $said*" "$lk" query "${view[@]}" --from lambda --key ATL
row 0 '0 rows' "$lk" query "${view[@]}" --from lambda --key ORD
row 0 '20000 events' "$lk" kappa run "${view[@]}" "${log[@]}" --until-end
row 0 '"equal":true*"speed_layer":null' "$lk" verify "${view[@]}" --from kappa "${log[@]}" --json
row 0 'archived' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end
row 0 'published' "$lk" lambda batch "${view[@]}" --topic flights --archive "$work/archive"
row 0 'equal: yes*truth     0 of' "$lk" verify "${lambda[@]}"
row 0 'speed.where*keep: lambda' "$lk" plan diff "$flights" "$work/rules.json"

# Another look-up table: its bytes are part of the plan's hash, and its rows are the speed layer's alone.
jq -c '.view = "tabled" | .lookup = {table: "new.csv", on: "origin", take: ["state"]} | .key = ["state"]
    | .speed = {lookup: {table: "old.csv"}}' "$flights" >"$work/tabled.json"
view=(--plan "$work/tabled.json" --view "redis+unix:$work/redis")
printf 'origin,state\nORD,IL\nATL,GA\n' >"$work/new.csv"
row 2 'old.csv' "$lk" plan check "$work/tabled.json"
printf 'origin,state\nORD,WRONG\n' >"$work/old.csv"
first=$("$lk" plan explain "$work/tabled.json" | sed -n 's/^plan //p')
printf 'origin,state\nORD,ILL\n' >"$work/old.csv"
second=$("$lk" plan explain "$work/tabled.json" | sed -n 's/^plan //p')
row 0 other bash -c "[ $first != $second ] && echo other"
row 0 '20000 events' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
row 0 'equal: yes' "$lk" verify "${view[@]}" --from lambda "${log[@]}"
row 0 '"key":\["ILL"]' "$lk" query "${view[@]}" --from lambda --json
row 0 '0 rows' "$lk" query "${view[@]}" --from lambda --key GA
row 0 'published' "$lk" lambda batch "${view[@]}" --topic flights --archive "$work/archive"
row 0 'equal: yes*truth     0 of' "$lk" verify "${view[@]}" --from lambda "${log[@]}"
row 0 '0 rows' "$lk" query "${view[@]}" --from lambda --key ILL

# A kill with only the first half of a commit landed; then it is started again.
killed() { # VIEW SPEED
    plan "$1" "$2"
    row 137 '' env LK_FAULT='commit landed:3:kill' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end --commit 1ms
    row 0 'events' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
}
killed exact '{"delivery":"exactly-once"}'
exact=$(flights lambda)
row 0 'equal: yes' "$lk" verify "${lambda[@]}"
for delivery in at-least-once at-most-once; do
    plan "calm_${delivery//-/_}" "{\"delivery\":\"$delivery\"}"
    row 0 '20000 events' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end --commit 1ms
    row 0 'equal: yes' "$lk" verify "${lambda[@]}"
    row 0 "$exact" flights lambda
done
killed twice '{"delivery":"at-least-once"}'
row 0 'equal: NO, not exactly-once by the plan (*[1-9] rows differ' "$lk" verify "${lambda[@]}"
row 0 '"equal":false,"verdict":"not exactly-once by the plan"' "$lk" verify "${lambda[@]}" --json
row 0 twice bash -c "[ $(flights lambda) -gt $exact ] && echo twice"
killed lost '{"delivery":"at-most-once"}'
row 0 'equal: NO, not exactly-once by the plan (*[1-9] rows differ' "$lk" verify "${lambda[@]}"
row 0 lost bash -c "[ $(flights lambda) -lt $exact ] && echo lost"
row 0 'published' "$lk" lambda batch "${view[@]}" --topic flights --archive "$work/archive"
row 0 'equal: yes*truth     0 of' "$lk" verify "${lambda[@]}"

# State in memory: without a restart it is exact; behind one a late event is not known to be late.
own=(--log "embedded:$work/log" --topic own)
event() { printf '{"departure":"2001-01-%sZ","delay":5,"origin":"ORD","destination":"JFK"}\n' "$1" >>"$work/own.jsonl"; }
append() { # HOW MANY
    row 0 "$1 events" "$lk" gen replay --file "$work/own.jsonl" --time-field departure --time-format '%Y-%m-%dT%H:%MZ' \
        --speed max "${own[@]}" --partitions 1 --resume
}
fold() { # STATE PATTERN: what there is, then verify
    plan "$1" "{\"state\":\"$1\"}"
    row 0 'events' "$lk" lambda speed "${view[@]}" "${own[@]}" --until-end
    row 0 "$2" "$lk" verify "${view[@]}" --from lambda "${own[@]}"
}
event 01T10:00 && event 01T18:00 && append 2
fold durable 'equal: yes'
fold memory 'equal: yes'
event 01T10:30 && append 1
fold durable 'equal: yes'
row 0 2 flights lambda
fold memory 'equal: NO, not exactly-once by the plan (1 rows differ'
row 0 3 flights lambda

# What a faulty layer may do ends at its counters: events that nothing accounts for are wrong in any plan.
pos=$(store redis --scan --pattern 'lk:{memory*:pos' | head -1)
store redis hset "$pos" counters "1,2,3,4,5,6,7" >/dev/null
row 4 'DOES NOT BALANCE' "$lk" verify "${view[@]}" --from lambda "${own[@]}"

verdict
