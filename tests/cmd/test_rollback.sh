#!/bin/bash
# lk lambda rollback: the generation before serves again, cut off anywhere, refused where it would lie.
. "$(dirname "$0")/kit.sh"

log=(--log "embedded:$work/log" --topic flights)
archive=(--archive "$work/archive")
view=(--plan "$flights" --view "redis+unix:$work/redis")
verify=(verify "${view[@]}" --from lambda "${log[@]}")
rollback=(lambda rollback "${view[@]}")
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

row 3 'there is no view' "$lk" "${rollback[@]}"
row 0 '' fold 9000
row 2 'no batch has published' "$lk" "${rollback[@]}"
row 0 'published' batch
row 0 '' fold 14000
before=$(answer)
row 0 'published' batch
row 0 'generation 2 * serves: 3 of 3 partitions*generation 1 * serves: 0 of 3' "$lk" "${generations[@]}"
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

# Everything goes on: the speed layer, the next batch, its sweep; the way forward again is a reload.
row 0 '' fold 16000
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 'published' batch --reload
row 0 'generation 2 * serves: 3 of 3 partitions' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 '"withdrawn":2,*"state":"rolled back","number":1,' "$lk" "${rollback[@]}" --json
row 0 'published' batch
row 0 'generation 3 * serves: 3 of 3 partitions
generation 2 * serves: 0 of 3 partitions' "$lk" "${generations[@]}"
row 0 'equal: yes' "$lk" "${verify[@]}"
row 0 2 cells

# A batch that went ahead of the speed layer leaves nothing to go back to.
row 0 'behind 16000' "$lk" gen flights "${log[@]}" --events 20000 --resume
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

verdict
