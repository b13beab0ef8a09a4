#!/bin/bash
# lk gen on Kafka: killed at any moment, it goes on behind what the topic holds; nothing is lost or
# there twice. SEED=N repeats a run.
. "$(dirname "$0")/kit.sh"
needs kcat jq
broker_start
seed=${SEED:-$(date +%s)}
RANDOM=$seed
again="SEED=$seed tests/kafka/test_gen.sh"

events=30000
gen=("$lk" gen ads --log "$log" --events $events --seed "$seed" --resume --json)

# Once more to the end; then the topic holds the stream: lk's own audit, and another client's count of other lines.
holds_all() { # TOPIC
    local said lines
    "${gen[@]}" --topic "$1" --rate max >"$work/gen.said" 2>&1
    said=$("${gen[@]}" --topic "$1" --rate max 2>"$work/gen.said" | jq -c '[.events, .resumed]')
    note "$1: gen --resume finds all of the stream and adds nothing" "$([ "$said" = "[0,$events]" ]; echo $?)" "$said $(cat "$work/gen.said"); $again"
    kcat -C -b "$brokers" -t "$1" -o beginning -e -q >"$work/read" 2>/dev/null
    lines="$(wc -l <"$work/read") $(sort -u "$work/read" | wc -l)"
    note "$1: kcat reads each event once" "$([ "$lines" = "$events $events" ]; echo $?)" "lines, different ones: $lines; $again"
}

# SIGKILL from outside, at any moment of a paced run. The next one starts at once.
killed_at_moments() {
    local i pid
    for i in 1 2 3 4; do
        "${gen[@]}" --topic moments --rate 15000 >"$work/gen.said" 2>&1 &
        pid=$!
        sleep "1.$(printf '%03d' $((RANDOM % 900)))"
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
    done
}

# Between the producer's queue and its acknowledgement, at full speed.
killed_at_points() {
    local point
    for point in 'append sent' 'append answered' 'append sent'; do
        LK_FAULT="$point:$((1 + RANDOM % 2)):kill" "${gen[@]}" --topic points --rate max >"$work/gen.said" 2>&1 &
        wait $! 2>/dev/null
        grep -q 'lk: fault' "$work/gen.said"
        note "a kill at \"$point\"" $? "$(cat "$work/gen.said"); $again"
    done
}

killed_at_moments
holds_all moments
killed_at_points
holds_all points

# The broker dies in the middle and comes back: the generator waits, and goes on; so does a reader, which says so.
begin outage "${gen[@]}" --topic outage --rate 10000
outage=$begun
sleep 0.7
begin reader "$lk" lambda archive --log "$log" --topic outage --archive "$work/archive"
sleep 0.8
broker kill
broker start >/dev/null
ended outage "$outage" 0 "topic outage: $events events"
until_true 100 grep -q "$log: a broker answers again" "$work/reader.said"
note 'a reader says that the broker is back' $? "$(cat "$work/reader.said"); $again"
kill -INT "$begun"
ended reader "$begun" 130 'no broker answers; reading topic outage waits for one'
holds_all outage

# Asked to stop while the broker is away, it does not wait for it.
begin away "${gen[@]}" --topic away --rate 1000
until_true 100 grep -q 'a second' "$work/away.said"
broker kill
sleep 1
kill -INT "$begun"
ended away "$begun" 130 '--resume'
broker start >/dev/null

row 2 "already holds $events events; add --resume" "$lk" gen ads --log "$log" --topic points --events $events --rate max
row 4 'cannot resume' "$lk" gen ads --log "$log" --topic points --events $events --seed $((seed + 1)) --rate max --resume
row 2 'has 4 partitions, not 3' "$lk" gen ads --log "$log" --topic points --resume --partitions 3
verdict
