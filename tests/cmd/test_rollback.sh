#!/bin/bash
# lk lambda rollback: the generation before serves again, cut off anywhere, refused where it would lie.
. "$(dirname "$0")/kit.sh"

log=(--log "embedded:$work/log" --topic flights)
archive=(--archive "$work/archive")
view=(--plan "$flights" --view "redis+unix:$work/redis")
verify=(verify "${view[@]}" --from lambda "${log[@]}")
rollback=(lambda rollback "${view[@]}" "${archive[@]}")
generations=(lambda generations "${view[@]}" "${archive[@]}")

fold() { # EVENTS: so many in all, folded by the speed layer
    "$lk" gen flights "${log[@]}" --events "$1" --partitions 3 --resume &&
        "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end --span 1ms
}
batch() {
    "$lk" lambda archive "${log[@]}" "${archive[@]}" --until-end && "$lk" lambda batch "${view[@]}" "${archive[@]}" "$@"
}
cells() { store redis --raw keys '*:g*' | sed 's/.*:g\([0-9a-f]\{32\}\).*/\1/' | sort -u | wc -l; }
answer() { "$lk" query "${view[@]}" --from lambda --format json 2>/dev/null | sha1sum; }

id_of() { "$lk" "${generations[@]}" --json 2>/dev/null | grep -o "\"number\":$1,\"id\":\"[0-9a-f]*" | sed 's/.*"//'; }

row 2 'needs --archive' "$lk" lambda rollback "${view[@]}"
row 3 'cannot open the archive' "$lk" "${rollback[@]}"
row 0 '' fold 9000
row 3 'no generations of view flight_delays' "$lk" "${rollback[@]}" --topic flights
mkdir -p "$work/archive/flights/generations/flight_delays"
row 2 'no batch has published' "$lk" "${rollback[@]}"
row 0 'published' batch
row 0 '' fold 14000
before=$(answer)
row 0 'published' batch
row 0 'generation 2 * serves: 3 of 3 partitions*generation 1 * serves: 0 of 3' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"

# Killed between the note and the first EXEC: the generation serves on and is noted, and nothing is built upon it.
row 137 'fault: lambda rollback noted: kill' env LK_FAULT='lambda rollback noted:1:kill' "$lk" "${rollback[@]}"
row 0 'generation 2 * serves: 3 of 3 partitions, rolled back*generation 1' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"

# Killed before and behind its second EXEC, then run again.
row 137 'fault: lambda rollback: kill' env LK_FAULT='lambda rollback:2:kill' "$lk" "${rollback[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 'generation 2 * serves: 2 of 3 partitions, rolled back*generation 1 * serves: 1 of 3' "$lk" "${generations[@]}"
row 137 'fault: lambda rollback landed: kill' env LK_FAULT='lambda rollback landed:1:kill' "$lk" "${rollback[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"
row 3 'run it again, it finishes' env LK_FAULT='lambda rollback landed:1:error' "$lk" "${rollback[@]}"
row 2 'generation 2 of view flight_delays is rolled back already' "$lk" "${rollback[@]}"
row 0 'generation 2 * serves: 0 of 3 partitions, rolled back*generation 1 * serves: 3 of 3' "$lk" "${generations[@]}"
row 0 "$before" answer
row 0 'equal: yes' "$lk" "${verify[@]}"

# Everything goes on: the speed layer, the next batch, its sweep; the way forward again is a reload that names it.
row 0 '' fold 16000
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 'generation 2 was rolled back; to publish it *refused: a batch up to the same offset' batch --reload
row 0 'published' batch --reload --base "$(id_of 2)"
row 0 'generation 2 * serves: 3 of 3 partitions' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 '"withdrawn":2,*"state":"rolled back","number":1,' "$lk" "${rollback[@]}" --json
row 0 'published' batch
row 0 'generation 3 * serves: 3 of 3 partitions
generation 2 * serves: 0 of 3 partitions' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 2 cells

# Each of those that were rolled back is said to be, and none comes back with a Redis that has forgotten them.
row 0 'generation 3 is rolled back' "$lk" "${rollback[@]}"
row 0 '' fold 17000
row 0 'published' batch --keep 9
row 0 'generation 4 is rolled back' "$lk" "${rollback[@]}"
row 0 'generation 4 * 0 of 3 partitions, rolled back*generation 3 * 0 of 3 partitions, rolled back*generation 2 * serves: 3 of 3' \
    "$lk" "${generations[@]}"
redis-cli -s "$work/redis" flushall >/dev/null
row 0 'generation 4 was rolled back*generation 3 was rolled back*published' batch --reload --keep 9
row 0 'generation 2 * serves: 3 of 3 partitions' "$lk" "${generations[@]}"
row 0 '' fold 17000
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 'published' batch --kind full --keep 9
row 0 'generation 5 * serves: 3 of 3 partitions' "$lk" "${generations[@]}"
row 0 'nothing new: generation 5 serves' batch --keep 9
row 0 5 eval 'ls "$work"/archive/flights/generations/flight_delays/*.json | wc -l'

# An archive that was lost takes its generations along; what Redis names stays named: the next is number 6. Its
# own rollback notes nothing in another's folder.
rm -rf "$work/archive"
row 0 '' fold 18000
row 0 'published' batch
row 0 'generation 6 * serves: 3 of 3 partitions' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"

# A batch that went ahead of the speed layer leaves nothing to go back to.
row 0 'behind 18000' "$lk" gen flights "${log[@]}" --events 20000 --resume
row 0 'published' batch
row 2 'nothing else answers for what lies between' "$lk" "${rollback[@]}"
row 0 '' fold 20000
row 2 'nothing would answer for what lies between' "$lk" "${rollback[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"

# The first one of all: the speed layer alone serves again.
store redis flushall >/dev/null
rm -rf "$work/log" "$work/archive"
row 0 '' fold 9000
before=$(answer)
row 0 'published' batch
row 0 'no generation is left' "$lk" "${rollback[@]}"
row 0 "$before" answer
row 0 'equal: yes' "$lk" "${verify[@]}"

# Where no speed layer ever ran nothing else has what the generation has.
store redis flushall >/dev/null
rm -rf "$work/archive/flights/generations"
row 0 'published' batch
row 2 'no speed layer has run over view flight_delays*archive more and run: lk lambda batch' "$lk" "${rollback[@]}"

# What a rollback leaves beside the files is what keeps a reload from bringing it back.
store redis flushall >/dev/null
row 0 '' fold 9000
row 0 'published' batch --reload
row 0 'no generation is left' "$lk" "${rollback[@]}"
store redis flushall >/dev/null
row 3 'no generation of this plan that was not rolled back' batch --reload
needs_bugs
row 0 'published' env LK_BUG=rollback-forgotten "$bugs" lambda batch "${view[@]}" "${archive[@]}" --reload

verdict
