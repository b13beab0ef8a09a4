#!/bin/bash
# lk compare --attach without containers: workers of our own on an embedded log and one Redis, watched and judged.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli
plan=$PWD/workloads/plans/flights-48h.json
log=embedded:$work/log
redis store
view=redis+unix:$work/store
events=20000
# The first 20,000 flights: a few seconds at the speed of two weeks a minute.
gen=("$lk" gen flights --log "$log" --topic flights --resume --events $events)
attach=("$lk" compare flights --attach --log "$log" --topic flights --view "$view" --plan "$plan" --count $events
    --out "$work/out" --patience 60s)
soon=(--patience 2s) # where it is to give up

row 2 'needs --topic' "$lk" compare flights --attach --log "$log"
row 2 'needs --log' "$lk" compare flights --attach --topic flights
row 3 'there is no log at' "${attach[@]}" "${soon[@]}"
row 0 '' "${gen[@]}" --events 1
row 3 "lambda's view cannot be read after 2 s" "${attach[@]}" "${soon[@]}"

begin asked "${attach[@]}"
until_true 100 grep -q watching "$work/asked.said"
kill "$begun"
ended asked "$begun" 130 interrupted

worker() { begin "$1" "$lk" "${@:2}" --topic flights; }
kappa() { worker kappa kappa run --plan "$plan" --log "$log" --view "$view"; }
worker archive lambda archive --log "$log" --archive "$work/archive"
until_true 100 test -d "$work/archive/flights"
worker speed lambda speed --plan "$plan" --log "$log" --view "$view"
worker batch lambda batch --plan "$plan" --archive "$work/archive" --view "$view" --every 500ms
kappa
row 1 "holds 1 of $events events. Is the generator running" "${attach[@]}" "${soon[@]}"

# A worker is killed while it is watched.
begin generator "${gen[@]}" --speed 20160
begin watch "${attach[@]}"
watch=$begun
until_true 100 grep -q watching "$work/watch.said"
sleep 1
kill -9 "${started[-3]}" # kappa
kappa
ended watch "$watch" 0 'kappa: the last read equals truth'
result=$work/out/result.json
jq -e '.pass' "$result" >/dev/null
note 'result.json says passed' $?
jq -e '[.metrics[] | select(.name == "CPU per million events" or .name == "largest process") | .lambda, .kappa] ==
    [null, null, null, null]' "$result" >/dev/null
note 'what the processes use is unknown, not nothing' $? "$(jq -c .metrics "$result")"
jq -e '[.metrics[] | select(.name == "freshness p50").kappa] | all(. > 0)' "$result" >/dev/null
note 'freshness is measured' $?
[ -s "$work/out/report.html" ] && grep -q 'ran elsewhere' "$work/out/report.html"
note 'report.html says that the processes ran elsewhere' $?

# A run that is over is judged all the same; nothing became visible then.
row 0 'passed; report' "${attach[@]}"
jq -e '[.metrics[] | select(.name == "freshness p50").kappa] == [null]' "$result" >/dev/null
note 'who comes when all is over has no freshness' $?

# The check can fail.
cell=$(store store --scan --pattern 'lk:{flight_delays.k1:*}:k:*' | grep -v ':bad$' | sort | head -n 1)
field=$(store store hkeys "$cell" | head -n 1)
note 'a cell of kappa is taken away' "$((1 - $(store store hdel "$cell" "$field")))"
row 1 'did not pass' "${attach[@]}"
jq -e '[.checks[] | select(.pass | not).name] | index("kappa: every whole read equals its contract") != null' "$result" >/dev/null
note 'the spoilt view is named' $? "$(jq -c .checks "$result")"
verdict
