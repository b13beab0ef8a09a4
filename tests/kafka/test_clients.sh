#!/bin/bash
# Other clients agree with lk: kcat with what it writes, redis-cli with what it counts, Kafka's own
# tools with how far it is. And lk topic and lk dlq export on a real broker.
. "$(dirname "$0")/kit.sh"
needs kcat jq redis-server redis-cli
broker_start
redis view
at=(--log "$log" --topic)
view=(--plan "$work/tables/ads.json" --view "redis+unix:$work/view")
same() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ]
    note "$1" $? "$(diff <(echo "$2") <(echo "$3") | head -6)"
}
read_all() { kcat -C -b "$brokers" -t "$1" -o beginning -e -q -f "$2" 2>/dev/null; } # TOPIC FORMAT

# ---- records: keys, values and partitions are those of any client ----
jq -cn 'range(300) | {at: (1000 + .), key: "k\(. % 37)é", n: .}' >"$work/events.jsonl"
row 0 'topic ours: 300 events' "$lk" gen replay "${at[@]}" ours --file events.jsonl --time-field at --time-format ms --key-field key --partitions 3
jq -r '"\(.key)\t\(tojson)"' "$work/events.jsonl" >"$work/keyed"
"$lk" topic create "${at[@]}" theirs --partitions 3 2>/dev/null
kcat -P -b "$brokers" -t theirs -K $'\t' -X partitioner=murmur2_random <"$work/keyed" 2>/dev/null
same 'a key goes to the partition where any client puts it, its value as it is' \
    "$(read_all theirs '%p %k %s\n' | sort)" "$(read_all ours '%p %k %s\n' | sort)"
same 'each has its due time' 300 "$(read_all ours '%h\n' | grep -cE '^lk-due=[0-9]{19}$')"

# ---- topics ----
row 0 'topic made: 3 partitions' "$lk" topic create "${at[@]}" made --partitions 3 --replication 1 --retention 7d
row 0 '' "$lk" topic create "${at[@]}" made --partitions 3
row 2 'has 3 partitions, not 4' "$lk" topic create "${at[@]}" made
row 2 'replication' "$lk" topic create "${at[@]}" other --replication 3
row 2 '--retention: found "soon"' "$lk" topic create "${at[@]}" other --retention soon
same 'retention arrives' 604800000 "$(broker tool configs --bootstrap-server "$brokers" --entity-type topics \
    --entity-name made --describe 2>/dev/null | grep -oE '^ *retention.ms=[0-9]+' | cut -d= -f2)"
row 0 'partition 1: first 40 (was 0), end' "$lk" topic trim "${at[@]}" ours --before 1:40
same 'trimmed for other clients, too' 40 "$(kcat -C -b "$brokers" -t ours -p 1 -o beginning -e -q -c 1 -f '%o' 2>/dev/null)"
row 2 'expected an offset from 40 to ' "$lk" topic trim "${at[@]}" ours --before 1:100000
broker tool topics --bootstrap-server "$brokers" --create --topic narrow --config max.message.bytes=100 >/dev/null 2>&1
row 2 'raise message.max.bytes here (-X) and max.message.bytes of the topic' "$lk" gen ads "${at[@]}" narrow --partitions 1 --events 9 --rate max
row 0 'topic theirs: deleted' "$lk" topic delete "${at[@]}" theirs
row 3 'has no topic "theirs"' "$lk" topic show "${at[@]}" theirs

# ---- positions and counters ----
row 0 '2000 events' "$lk" gen ads "${at[@]}" ads --events 2000 --seed 5 --rate max --malformed-share 0.02 --partitions 2 --tables tables
row 0 '2000 events' "$lk" kappa run "${at[@]}" ads "${view[@]}" --until-end
row 0 '500 events' "$lk" gen ads "${at[@]}" ads --events 2500 --seed 5 --rate max --malformed-share 0.02 --resume
group=lk.ad_views.k1
shown=$("$lk" topic show "${at[@]}" ads --group $group --json | jq -c '[.partition, .committed, .end, .lag]')
tools=$(broker tool consumer-groups --bootstrap-server "$brokers" --describe --group $group 2>/dev/null |
    awk '$2 == "ads" { print "[" $3 "," $4 "," $5 "," $6 "]" }' | sort)
same "Kafka's own tool shows the lag of a worker as lk topic show does" "$tools" "$shown"
same 'it lags by what came since' 500 "$(jq -s 'map(.[3]) | add' <<<"$shown")"
row 0 '500 events' "$lk" kappa run "${at[@]}" ads "${view[@]}" --until-end
counted=0
for key in $(store view --raw keys 'lk:{ad_views.k1:*}:k:17*'); do
    for cell in $(store view --raw hvals "$key"); do
        [[ $cell =~ ^[0-9]+$ ]] && counted=$((counted + cell)) || note 'a counter is a plain number' 1 "$cell"
    done
done
jq -r .ad_id "$work/tables/campaigns.jsonl" | sort >"$work/known"
"$lk" dlq list "${view[@]}" --from kappa --json | jq -r '"\(.partition):\(.offset)"' | sort >"$work/bad"
views=$(read_all ads '%p:%o %s\n' | sort -k 1,1 | join -v 1 - "$work/bad" | cut -d' ' -f2- |
    jq -r 'select(.event_type == "view") | .ad_id' | sort | join - "$work/known" | wc -l)
same 'the counters in Redis add up to the views that kcat and jq see in the topic' "$views" "$counted"

# ---- bad events ----
dlq=("$lk" dlq export "${at[@]}" ads "${view[@]}" --from kappa)
bad=$(wc -l <"$work/bad")
exported() { read_all ads.dlq '%k\n' | sort | uniq -c | awk '{print $1}' | sort | uniq -c | tr -s ' '; }
LK_FAULT='export appended:5:kill' "${dlq[@]}" >"$work/killed" 2>&1 &
wait $! 2>/dev/null
same 'an export killed in the middle leaves nothing' '' "$(exported)"

# An export that stopped in the middle wakes up when another has done it all.
LK_FAULT='export appended:3:stop' "${dlq[@]}" >"$work/stopped.said" 2>&1 &
stopped=$!
started+=($stopped)
until_true 100 grep -q 'lk: fault' "$work/stopped.said"
row 0 "$bad of them appended now" "${dlq[@]}"
kill -CONT $stopped
ended stopped $stopped 4 'taken over the transactional id lk.dlq.ads'
row 0 ', 0 of them appended now' "${dlq[@]}"
same 'each bad event is there once' " $bad 1" "$(exported)"
same 'its headers say whence it comes and why' "$("$lk" dlq list "${view[@]}" --from kappa --json |
    jq -r '"\(.partition):\(.offset) \(.reason),lk-topic=ads,lk-partition=\(.partition),lk-offset=\(.offset)"' | sort)" \
    "$(read_all ads.dlq '%k %h\n' | sed -E 's/lk-due=[0-9]{19},lk-reason=//' | sort)"
while read -r key value; do
    [ "$(kcat -C -b "$brokers" -t ads -p "${key%:*}" -o "${key#*:}" -c 1 -e -q 2>/dev/null)" = "$value" ]
    note "bad event $key has the bytes of the source" $? "$value"
done < <(read_all ads.dlq '%k %s\n' | head -2)

# What retention has taken from the topic is left out, the rest is not.
"$lk" topic delete "${at[@]}" ads.dlq 2>/dev/null
row 0 'partition 0: first' "$lk" topic trim "${at[@]}" ads --before "0:$(($(grep '^0:' "$work/bad" | cut -d: -f2 | sort -n | sed -n 2p) + 1))"
row 0 "2 of them are gone from topic ads*$((bad - 2)) of them appended now" "${dlq[@]}"

# ---- doctor ----
doctor=(bash -c '"$@" >&2' - "$lk" doctor --view "redis+unix:$work/view" --log)
row 0 "$log: 1 broker*Kafka 4 or newer" "${doctor[@]}" "$log"
row 0 'librdkafka ' "${doctor[@]}" "$log"
row 3 'no property "sasl.pasword"' env LK_KAFKA_SASL_PASWORD=$secret "${doctor[@]}" "$log"
row 3 'no broker answers*fix: is a broker running there' "${doctor[@]}" kafka:127.0.0.1:1

# ---- slips ----
row 0 'group nobody has noted nothing of topic ads' "$lk" topic show "${at[@]}" ads --group nobody
row 2 '-X or LK_KAFKA_FOO: librdkafka*no property "foo"' "$lk" topic show "${at[@]}" ads -X foo=1
verdict
