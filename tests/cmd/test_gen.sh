#!/bin/bash
# lk gen's manners: what it says and its exit status. A row: status | words that must be said | flags.
set -u
cd "$(dirname "$0")/../.."
lk=$PWD/lk
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

row() { # STATUS WORDS FLAGS...
    local status=$1 words=$2 said got
    shift 2
    said=$("$lk" gen "$@" 2>&1 </dev/null)
    got=$?
    if [ $got = "$status" ] && [[ $said == *"$words"* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'row: %s\n  expected exit %s and "%s"\n  got exit %s and:\n%s\n' "$*" "$status" "$words" $got "$said"
    fi
}

to=(--log "embedded:$work/log" --topic)
ten=(--events 10 --rate max)
printf 'at,k\n1000,x\nsoon,y\n' >"$work/bad.csv"
printf 'at,k\n1000,x\n2000,y\n' >"$work/good.csv"

row 2 'lk gen ads needs --log' ads --topic t
row 2 'lk gen ads needs --topic' ads --log "embedded:$work/log"
row 2 'not a log: "kinesis:x"' ads --log kinesis:x --topic t
row 3 'cannot make the log directory' ads --log embedded:/proc/none --topic t
row 2 '--partitions: found "0", expected 1 to 1024' ads "${to[@]}" t --partitions 0
row 2 '--rate: found "1o", expected a number above 0, or max' ads "${to[@]}" t --rate 1o
row 2 '--speed: found "-1"' flights "${to[@]}" t --speed -1
row 2 'no flag --rate' flights "${to[@]}" t --rate max
row 2 'takes flags alone, found "more"' ads more "${to[@]}" t
row 2 '(--late-max)' ads "${to[@]}" t --late-share 0.1
row 2 'expected 0 to 1' ads "${to[@]}" t --late-share 1.5
row 3 'cannot make the directory' ads "${to[@]}" t --tables /proc/none/x
row 0 'topic ads: 10 events' ads "${to[@]}" ads "${ten[@]}" --partitions 3 --tables "$work/tables"
row 2 'already holds 10 events; add --resume' ads "${to[@]}" ads "${ten[@]}"
row 2 'has 3 partitions, not 4' ads "${to[@]}" ads "${ten[@]}" --resume --partitions 4
row 4 'cannot resume' ads "${to[@]}" ads "${ten[@]}" --resume --seed 2
row 4 'cannot resume' ads "${to[@]}" ads --events 9 --rate max --resume
row 0 'behind 10 that were there' ads "${to[@]}" ads --events 20 --rate max --resume
row 0 '"events":10,"resumed":20' ads "${to[@]}" ads --events 30 --rate max --resume --json
row 2 '(--time-field)' replay "${to[@]}" r --file "$work/good.csv"
row 2 'has no column "when"; it has: at, k' replay "${to[@]}" r --file "$work/good.csv" --time-field when
row 2 "bad.csv:3: the row has a time that cannot be read" replay "${to[@]}" r --file "$work/bad.csv" --time-field at --time-format ms
row 2 'cannot open' replay "${to[@]}" r --file "$work/none" --time-field at
row 0 'topic good: 2 events' replay "${to[@]}" good --file "$work/good.csv" --time-field at --time-format ms --key-field k
row 0 'sent late by p99' replay "${to[@]}" paced --file "$work/good.csv" --time-field at --time-format ms --speed 100
row 0 'topic flights: 5 events' flights "${to[@]}" flights --events 5
[ "$(ls "$work/tables")" = $'ads.json\ncampaigns.jsonl' ] && passed=$((passed + 1)) || failed=$((failed + 1))

echo "$passed passed, $failed failed"
[ $failed = 0 ]
