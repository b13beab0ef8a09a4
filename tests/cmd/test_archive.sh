#!/bin/bash
# What stands beside the log: lambda verify and lambda generations, whole and damaged.
. "$(dirname "$0")/kit.sh"

flip() { # FILE: one byte in its middle becomes another
    local at=$(($(stat -c %s "$1") / 2))
    local byte
    byte=$(od -An -tu1 -j $at -N1 "$1")
    printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek=$at conv=notrunc 2>/dev/null
}

log=(--log "embedded:$work/log" --topic flights)
archive=(--archive "$work/archive")
verify=(lambda verify "${archive[@]}" --topic flights)
view=(--plan "$flights" --view "redis+unix:$work/redis")
generations=(lambda generations "${view[@]}" "${archive[@]}")

row 3 'archive' "$lk" "${verify[@]}"
row 2 'needs --archive' "$lk" lambda verify
row 0 '20000 events' "$lk" gen flights "${log[@]}" --events 20000 --partitions 2
row 0 'archived 20000 events' "$lk" lambda archive "${log[@]}" "${archive[@]}" --until-end
row 0 '20000 whole events*0 segments are damaged*0 generations in 0 files' "$lk" lambda verify "${archive[@]}"
row 0 '"events":20000,*"damaged":0,*"generations":0,*"generation_files_damaged":0}' "$lk" "${verify[@]}" --json
row 3 'no generations of view flight_delays*; make one: lk lambda batch' "$lk" "${generations[@]}"

row 0 'published' "$lk" lambda batch "${view[@]}" "${archive[@]}"
row 0 'generation 1 * serves: 2 of 2 partitions' "$lk" "${generations[@]}"
row 0 'behind 20000' "$lk" gen flights "${log[@]}" --events 30000 --resume
row 0 'archived 10000 events' "$lk" lambda archive "${log[@]}" "${archive[@]}" --until-end
row 0 'published' "$lk" lambda batch "${view[@]}" "${archive[@]}"
row 0 'generation 2 * 30000 offsets* serves: 2 of 2*generation 1 * 20000 offsets* serves: 0 of 2' "$lk" "${generations[@]}"
row 0 'nothing new: generation 2 serves' "$lk" lambda batch "${view[@]}" "${archive[@]}" --keep 1
row 0 '"generation":"","nothing_new":true,"published":2}' "$lk" lambda batch "${view[@]}" "${archive[@]}" --json
row 0 'generation 2 * serves: 2 of 2*generation 1 * serves: 0 of 2' "$lk" "${generations[@]}"
row 0 '"number":2,*"serves":2,"rolled_back":false,*"partitions":2,' "$lk" "${generations[@]}" --json
row 0 '2 generations in 4 files*0 files are damaged' "$lk" "${verify[@]}"
row 0 'serves: unknown' "$lk" "${generations[@]}" --view "redis+unix:$work/nobody"

# A damaged file is named, and what to do about it.
second=$("$lk" "${generations[@]}" --json | grep -o '"number":2,"id":"[0-9a-f]*' | sed 's/.*"//')
file=$work/archive/flights/generations/flight_delays/$second.p1
flip "$file"
row 4 "damaged: *$(basename "$file")*1 files of generations are damaged; the next lk lambda batch*0 segments are damaged" "$lk" "${verify[@]}"
row 0 'refused: a batch up to the same offset' "$lk" lambda batch "${view[@]}" "${archive[@]}" # made anew, for a reload
segment=$(ls "$work"/archive/flights/0/*.zst | head -1)
flip "$segment"
row 4 "damaged: *$(basename "$segment")*remove the damaged segments" "$lk" "${verify[@]}"
rm "$segment"
row 4 "damaged: *$(basename "$segment")" "$lk" "${verify[@]}"
row 0 'archived' "$lk" lambda archive "${log[@]}" "${archive[@]}" --until-end
row 4 '30000 whole events*0 segments are damaged*1 files are damaged' "$lk" "${verify[@]}"
rm "${file%.p1}.json"
row 0 '30000 whole events*0 segments are damaged*0 files are damaged' "$lk" "${verify[@]}"

verdict
