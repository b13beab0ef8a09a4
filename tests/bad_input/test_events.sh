#!/bin/bash
# Bad events: each is counted once and listed with its reason, by both architectures, also after
# restarts and batches, and costs nothing but itself. Then mistakes in asking for a view.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli
redis store

cat >"$work/plan.json" <<'PLAN'
{"view": "bad", "source": {"time": {"field": "at", "format": "ms"}, "fields": {"n": "int", "who": "string"}, "max_ahead": "1d"},
 "key": ["who"], "window": {"tumbling": "1h"}, "allowed_lateness": "unlimited", "values": {"events": "count", "sum": {"sum": "n"}}}
PLAN
now=$(date +%s)000
for i in $(seq 1000); do
    case $i in
    100 | 200 | 300) echo "{\"at\":$now,\"who\":\"a\"}" ;;                # a field is missing
    400 | 500) echo "{\"at\":$now,\"who\":\"a\",\"n\":\"many\"}" ;;       # of another type
    600) echo "{\"at\":$now,\"who\":\"a\",\"n\":99999999999999999999}" ;; # out of range
    700) echo '{"at":9223372036854775807,"who":"a","n":1}' ;;             # absurd times
    701) echo "{\"at\":${now/#1/2},\"who\":\"a\",\"n\":1}" ;;
    *) echo "{\"at\":$now,\"who\":\"w$((i % 7))\",\"n\":$i}" ;;
    esac
done >"$work/events.jsonl"
log=(--log "embedded:$work/log" --topic t)
view=(--plan "$work/plan.json" --view "redis+unix:$work/store")
row 0 '1000 events' "$lk" gen replay "${log[@]}" --file events.jsonl --time-field at --time-format ms --partitions 2 --malformed-share 0.01 --seed 5

# How many of each reason are listed; broken JSON came from --malformed-share, and hides some.
listed() { # ARCH
    "$lk" dlq list "${view[@]}" --from "$1" --json 2>/dev/null |
        sed -E 's/.*"reason":"((\\.|[^"\\])*)".*/\1/' | sort | uniq -c | sed -E 's/^ +//; s/\\//g'
}
expect() { # ARCH WHEN
    local got total
    got=$(listed "$1")
    [ "$got" = "$wanted" ]
    note "$1 lists each bad event once, with its reason, $2" $? "$got"
    total=$("$lk" dlq list "${view[@]}" --from "$1" --json 2>/dev/null | wc -l)
    row 0 "$total bad events" "$lk" dlq list "${view[@]}" --from "$1"
    row 0 '"equal":true*"balanced":true,"behind":0' "$lk" verify "${view[@]}" "${log[@]}" --from "$1" --json
}
row 0 '1000 events*[1-9]* of them are bad and in no row' "$lk" kappa run "${view[@]}" "${log[@]}" --until-end
wanted=$(listed kappa)
for reason in '3 missing field "n"' '3 wrong type or range in field "n"' '2 event time too far ahead of log time' '[0-9]+ not valid JSON'; do
    grep -qE "^$reason" <<<"$wanted"
    note "listed: $reason" $? "$wanted"
done
expect kappa 'after one run'
row 0 '0 events' "$lk" kappa run "${view[@]}" "${log[@]}" --until-end
expect kappa 'after another'
bad=$("$lk" dlq list "${view[@]}" --from kappa --json 2>/dev/null | wc -l)
row 0 "1000 events*: $bad of them are bad and in no row" "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
expect lambda 'from its spans'
row 0 'archived 1000' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end
row 0 "$bad events are bad and in no row*published" aloud "$lk" lambda batch "${view[@]}" --archive "$work/archive"
expect lambda 'from its batch'
row 0 'nothing new' "$lk" lambda batch "${view[@]}" --archive "$work/archive"
expect lambda 'after a second one'

# Every event that is not bad is in the view.
good=$((1000 - bad))
counted=$("$lk" query "${view[@]}" --from kappa --json 2>/dev/null | awk -F'"events":' '{sum += $2} END {print sum}')
[ "$good" = "$counted" ]
note 'all the others are counted' $? "$good good ones, $counted counted"

# Asking for what is not there.
other=(--plan "$flights" --view "redis+unix:$work/store")
row 3 'kappa has no view flight_delays yet; make it: lk kappa run' "$lk" query "${other[@]}" --from kappa
row 3 'lambda has no view flight_delays yet' "$lk" verify "${other[@]}" "${log[@]}" --from lambda
row 2 'no version 3*lk kappa status' "$lk" query "${view[@]}" --from kappa --version 3
row 2 '--key: found*expected the key, or 1 value' "$lk" query "${view[@]}" --from kappa --key '["a","b"]'
row 2 '--key: found*expected' "$lk" query "${view[@]}" --from kappa --key '["a"'
row 2 'is not a bad event' "$lk" dlq show "${view[@]}" "${log[@]}" --from kappa --offset 0:0
row 2 'expected partition:offset' "$lk" dlq show "${view[@]}" "${log[@]}" --from kappa --offset first
row 3 'has no topic "tt"; it has' "$lk" dlq export "${view[@]}" --from kappa --log "embedded:$work/log" --topic tt
row 2 'topic t has partitions 0 to 1, not 7' "$lk" kappa run "${view[@]}" "${log[@]}" --partitions 7 --until-end
row 2 'topic t has partitions 0 to 1, not 7' "$lk" lambda speed "${view[@]}" "${log[@]}" --partitions 0,7 --until-end

# Another topic than the view was made from.
"$lk" gen ads --log "embedded:$work/log" --topic other --events 2000 --rate max --partitions 2 2>/dev/null
"$lk" gen ads --log "embedded:$work/log" --topic small --events 10 --rate max --partitions 2 2>/dev/null
"$lk" gen ads --log "embedded:$work/log" --topic wide --events 10 --rate max --partitions 3 2>/dev/null
row 4 'view bad is not what its contract says' "$lk" verify "${view[@]}" --from kappa --log "embedded:$work/log" --topic other
row 4 'the view claims 500: it was made of another log' "$lk" verify "${view[@]}" --from kappa --log "embedded:$work/log" --topic small
row 4 'topic wide has 3 partitions, view bad was made over 2' "$lk" verify "${view[@]}" --from kappa --log "embedded:$work/log" --topic wide
row 4 'Was the log deleted and made anew?' "$lk" kappa run "${view[@]}" --log "embedded:$work/log" --topic other --until-end
row 4 'Was the log deleted and made anew?' "$lk" lambda speed "${view[@]}" --log "embedded:$work/log" --topic small --until-end
row 2 'was made over 2 partitions and the topic has 3' "$lk" kappa run "${view[@]}" --log "embedded:$work/log" --topic wide --until-end
row 0 '"equal":true' "$lk" verify "${view[@]}" "${log[@]}" --from kappa --json

# Partitions without events, and a topic without any.
"$lk" gen ads --log "embedded:$work/log" --topic few --events 3 --rate max --partitions 5 2>/dev/null
printf 'at,n,who\n' >"$work/header.csv"
row 0 'topic none: 0 events' "$lk" gen replay --log "embedded:$work/log" --topic none --file header.csv --time-field at --time-format ms
for topic in few none; do
    sed "s/\"bad\"/\"$topic\"/" "$work/plan.json" >"$work/$topic.json"
    here=(--plan "$work/$topic.json" --view "redis+unix:$work/store")
    at=(--log "embedded:$work/log" --topic $topic)
    row 0 ' events' "$lk" kappa run "${here[@]}" "${at[@]}" --until-end
    row 0 ' events' "$lk" lambda speed "${here[@]}" "${at[@]}" --until-end
    row 0 'archived' "$lk" lambda archive "${at[@]}" --archive "$work/archive-$topic" --until-end
    row 0 '' "$lk" lambda batch "${here[@]}" --archive "$work/archive-$topic"
    row 0 '"equal":true*"behind":0' "$lk" verify "${here[@]}" "${at[@]}" --from kappa --json
    row 0 '"equal":true*"behind":0' "$lk" verify "${here[@]}" "${at[@]}" --from lambda --json
    row 0 '0 rows' "$lk" query "${here[@]}" --from kappa --window 0
done

# Versions: a changed plan is deployed, not run; promoted when it has caught up.
sed 's/"1h"/"2h"/' "$work/plan.json" >"$work/changed.json"
changed=(--plan "$work/changed.json" --view "redis+unix:$work/store")
row 2 'at version 1, made by another plan*lk kappa deploy --plan' "$lk" kappa run "${changed[@]}" "${log[@]}" --until-end
row 2 'this plan is no version of view bad yet: lk kappa deploy' "$lk" kappa promote "${changed[@]}" --wait 100ms
row 2 'this plan is no version of view bad yet: lk kappa deploy' "$lk" kappa diff "${changed[@]}" --wait 100ms
row 2 'give the changed one a view name of its own' "$lk" lambda batch "${changed[@]}" --archive "$work/archive"
row 2 'view name of its own' "$lk" lambda speed "${changed[@]}" "${log[@]}" --until-end
row 0 ' events' "$lk" kappa deploy "${changed[@]}" "${log[@]}" --partitions 0
row 1 'lags the live one by*lk kappa deploy --follow' "$lk" kappa promote "${changed[@]}" --wait 100ms
row 2 'no version of view bad was made of this plan' "$lk" verify --plan <(sed 's/"1h"/"3h"/' "$work/plan.json") --view "redis+unix:$work/store" "${log[@]}" --from kappa
row 0 ' events' "$lk" kappa deploy "${changed[@]}" "${log[@]}"
row 0 'version 2 is live' "$lk" kappa promote --accept-diff "${changed[@]}"
row 0 '"equal":true' "$lk" verify "${changed[@]}" "${log[@]}" --from kappa --json
row 0 'version 1 is live' "$lk" kappa promote --accept-diff "${view[@]}"
row 0 'made by another plan than the one given, which version 2 was made by: --version 2' "$lk" query "${changed[@]}" --from kappa
row 0 'made by another plan than the one given' "$lk" query "${changed[@]}" --from lambda
row 2 'was made of this plan*a view name of its own and run: lk lambda speed' "$lk" verify "${changed[@]}" "${log[@]}" --from lambda
row 2 'made by another plan; give the one that it was made by' "$lk" lambda rollback "${changed[@]}" --archive "$work/archive"

# Batches: archives that are not there, empty, of several topics, or shared.
row 3 'no Redis at' "$lk" lambda batch --plan "$work/plan.json" --view "redis+unix:$work/nobody" --archive "$work/archive"
row 3 'cannot open the archive*makes one' "$lk" lambda batch "${view[@]}" --archive "$work/nowhere"
mkdir "$work/empty"
row 3 'is empty; fill it with: lk lambda archive' "$lk" lambda batch "${view[@]}" --archive "$work/empty"
row 3 'has no topic "tt"; it has' "$lk" lambda batch "${view[@]}" --archive "$work/archive" --topic tt
row 3 'has no generation of this plan that was not rolled back; run: lk lambda batch without --reload' "$lk" lambda batch "${other[@]}" --archive "$work/archive" --reload
begin archiver "$lk" lambda archive "${log[@]}" --archive "$work/archive"
until_true 50 grep -rqs . "$work/archive" --include='*lock*'
sleep 0.3
row 3 "in use by pid $begun" "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end
kill -9 "$begun"
wait "$begun" 2>/dev/null
row 0 'archived 0 events' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end

verdict
