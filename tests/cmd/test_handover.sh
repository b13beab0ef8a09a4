#!/bin/bash
# The hand-over modes on one history: what each loses and counts twice, and that offset does neither.
. "$(dirname "$0")/kit.sh"
plan=$flights
log=(--log "embedded:$work/log" --topic flights)
modes=(offset two-slot naive event-time)
for mode in "${modes[@]}"; do
    jq -c ".view = \"by_${mode//-/_}\"" "$plan" >"$work/$mode.json"
done
view() { echo --plan "$work/$1.json" --view "redis+unix:$work/redis"; }

append() { "$lk" gen flights "${log[@]}" --events "$1" --partitions 2 --malformed-share 0.001 --resume >/dev/null 2>&1; }
archive() { "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end >/dev/null 2>&1; }
each() { for mode in "${modes[@]}"; do "$@"; done; }
speed() { "$lk" lambda speed $(view "$mode") "${log[@]}" --handover "$mode" --until-end 2>/dev/null; }
batch() { "$lk" lambda batch $(view "$mode") --topic flights --archive "$work/archive" >/dev/null 2>&1; }
killed() { (LK_FAULT='generation load:1:kill' batch) 2>/dev/null; }
verify() { "$lk" verify $(view "$1") "${log[@]}" --from lambda; }
# Flights that the view counts.
counted() { "$lk" query $(view "$1") --from lambda --format json 2>/dev/null | jq -s 'map(.flights) | add // 0'; }
# The view is what its mode must say; apart: rows that differ from what offset would say there (a pattern).
judge() { # MODE APART
    row 0 'equal: yes' verify "$1"
    [ "$1" = offset ] || row 0 "hand-over $1: $2 of" verify "$1"
}
compare() { row 0 '' [ "$(counted "$1")" "$2" "$(counted "$3")" ]; }

# As long as batch and speed layer reach equally far, all say the same.
append 4000
archive
each speed
each batch
for mode in "${modes[@]}"; do judge "$mode" 0; done

# The archive is ahead of the speed layer when a batch begins, and the speed layer folds on: what lies between its
# last cut and the batch's end counts twice. By offset it jumps.
append 8000
archive
each batch
each speed
judge offset
judge two-slot '[1-9]*'
judge naive '[1-9]*'
judge event-time 0
compare two-slot -gt offset
compare two-slot -eq naive

# The speed layer is ahead of the archive when a batch begins: what lies between its end and the last cut is lost.
append 10000
archive
append 12000
each speed
each batch
judge offset
judge two-slot '[1-9]*'
judge naive '[1-9]*'
judge event-time '*'
compare two-slot -lt offset

# A batch has begun and does not land: naive has reset its view already, two-slot has not.
append 14000
archive
each speed
each batch
append 16000
each speed
archive
each killed
judge offset
judge two-slot 0
judge naive '[1-9]*'
judge event-time '[1-9]*' # and by event time what came too late for the last batch's windows waits for the next
compare naive -lt two-slot

# A batch that dies, or loses Redis, while it notes where the speed layer stands: the view is still its mode's.
(mode=naive LK_FAULT='batch begin:2:kill' batch) 2>/dev/null
judge naive '[1-9]*'
row 3 'fault: batch begin' env LK_FAULT='batch begin:2:error' "$lk" lambda batch $(view naive) --archive "$work/archive"
judge naive '[1-9]*'

# A worker or a batch that asks for another mode is told which one it is; one that does not ask goes by it.
row 2 'view by_naive is handed over by naive, not by offset: say --handover naive' \
    "$lk" lambda speed $(view naive) "${log[@]}" --handover offset --until-end
row 2 'handed over by two-slot, not by event-time' \
    "$lk" lambda batch $(view two-slot) --archive "$work/archive" --handover event-time
row 0 'published' "$lk" lambda batch $(view naive) --archive "$work/archive"
jq -c '.view = "whole" | .window = "none" | del(.allowed_lateness, .keep)' "$plan" >"$work/whole.json"
row 2 '--handover event-time wants a window; try: --handover offset' \
    "$lk" lambda speed $(view whole) "${log[@]}" --handover event-time --until-end

# An event is bad or it is not, whoever hands over.
bad=$("$lk" dlq list $(view offset) --from lambda --json | wc -l)
row 0 '[1-9]*' echo "$bad"
for mode in two-slot naive event-time; do
    row 0 "$bad bad events" "$lk" dlq list $(view "$mode") --from lambda
done

# A batch that goes on remembers the mode: after a FLUSHALL it makes the view again as it was.
append 17000
archive
"$lk" lambda batch $(view two-slot) --archive "$work/archive" --every 100ms >"$work/said" 2>&1 &
batches=$!
for _ in $(seq 400); do grep -q generation "$work/said" && break; sleep 0.05; done
store redis flushall >/dev/null
for _ in $(seq 200); do [ "$(store redis exists 'lk:{by_two_slot}:lambda')" = 1 ] && break; sleep 0.05; done
kill $batches
wait $batches
row 0 'two-slot' store redis hget 'lk:{by_two_slot}:lambda' handover.1

# FLUSHALL while a batch runs: the slot that it noted is no cut any more when it lands. The batch behind it has slot 0, so
# what it covers counts twice; but nothing is lost: no span is dropped because a stale slot lies amid it.
mode=two-slot
stopped() { grep -q '^State:.*T' "/proc/$struck/status"; }
append 18000
archive
speed
LK_FAULT='generation begin:1:stop' "$lk" lambda batch $(view $mode) --topic flights --archive "$work/archive" >/dev/null 2>&1 &
struck=$!
for _ in $(seq 400); do stopped && break; sleep 0.05; done
row 0 'T' cat "/proc/$struck/status"
store redis flushall >/dev/null
kill -CONT $struck
wait $struck
append 19000
archive
row 0 'published' "$lk" lambda batch $(view $mode) --topic flights --archive "$work/archive" --handover $mode
append 22000
each speed
append 23000
each speed
judge two-slot '[1-9]*'
compare two-slot -gt offset

verdict
