#!/bin/bash
# lk gen's manners: what it says and its exit status.
. "$(dirname "$0")/../kit.sh"
gen() { row "$1" "$2" "$lk" gen "${@:3}"; } # STATUS PATTERN FLAGS...

to=(--log "embedded:$work/log" --topic)
ten=(--events 10 --rate max)
printf 'at,k\n1000,x\nsoon,y\n' >"$work/bad.csv"
printf 'at,k\n1000,x\n2000,y\n' >"$work/good.csv"

gen 2 'lk gen ads needs --log' ads --topic t
gen 2 'lk gen ads needs --topic' ads --log "embedded:$work/log"
gen 2 'not a log: "kinesis:x"' ads --log kinesis:x --topic t
gen 3 'cannot make the log directory' ads --log embedded:/proc/none --topic t
gen 2 '--partitions: found "0", expected 1 to 1024' ads "${to[@]}" t --partitions 0
gen 2 '--rate: found "1o", expected a number above 0, or max' ads "${to[@]}" t --rate 1o
gen 2 '--speed: found "-1"' flights "${to[@]}" t --speed -1
gen 2 'no flag --rate' flights "${to[@]}" t --rate max
gen 2 'takes flags alone, found "more"' ads more "${to[@]}" t
gen 2 '(--late-max)' ads "${to[@]}" t --late-share 0.1
gen 2 'expected 0 to 1' ads "${to[@]}" t --late-share 1.5
gen 3 'cannot make the directory' ads "${to[@]}" t --tables /proc/none/x
gen 0 'topic ads: 10 events' ads "${to[@]}" ads "${ten[@]}" --partitions 3 --tables "$work/tables"
gen 2 'already holds 10 events; add --resume' ads "${to[@]}" ads "${ten[@]}"
gen 2 'has 3 partitions, not 4' ads "${to[@]}" ads "${ten[@]}" --resume --partitions 4
gen 4 'cannot resume' ads "${to[@]}" ads "${ten[@]}" --resume --seed 2
gen 4 'cannot resume' ads "${to[@]}" ads --events 9 --rate max --resume
gen 0 'behind 10 that were there' ads "${to[@]}" ads --events 20 --rate max --resume
gen 0 '"events":10,"resumed":20' ads "${to[@]}" ads --events 30 --rate max --resume --json
gen 2 '(--time-field)' replay "${to[@]}" r --file "$work/good.csv"
gen 2 'has no column "when"; it has: at, k' replay "${to[@]}" r --file "$work/good.csv" --time-field when
gen 2 "bad.csv:3: the row has a time that cannot be read" replay "${to[@]}" r --file "$work/bad.csv" --time-field at --time-format ms
gen 2 'cannot open' replay "${to[@]}" r --file "$work/none" --time-field at
gen 0 'topic good: 2 events' replay "${to[@]}" good --file "$work/good.csv" --time-field at --time-format ms --key-field k
gen 0 'sent late by p99' replay "${to[@]}" paced --file "$work/good.csv" --time-field at --time-format ms --speed 100
gen 0 'topic flights: 5 events' flights "${to[@]}" flights --events 5
[ "$(ls "$work/tables")" = $'ads.json\ncampaigns.jsonl' ]
note 'the tables are the plan and its look-up table' $?

verdict
