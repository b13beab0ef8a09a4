#!/bin/bash
# lk lambda retire: a view's keys go back to Redis for good, cut off anywhere, and everyone is told.
. "$(dirname "$0")/kit.sh"

log=(--log "embedded:$work/log" --topic flights)
archive=(--archive "$work/archive")
view=(--plan "$flights" --view "redis+unix:$work/redis")
retire=(lambda retire "${view[@]}")

keys() { store redis --raw keys "$1" | grep -vc '^$'; }
fold() {
    "$lk" gen flights "${log[@]}" --events "$1" --partitions 3 --resume &&
        "$lk" lambda archive "${log[@]}" "${archive[@]}" --until-end
}
make_view() { # two generations and spans
    store redis flushall >/dev/null
    rm -rf "$work/archive/flights/generations"
    fold "$1" && "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end --span 1ms &&
        "$lk" lambda batch "${view[@]}" "${archive[@]}" &&
        fold "$2" && "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end --span 1ms &&
        "$lk" lambda batch "${view[@]}" "${archive[@]}"
}
tombstones() { [ "$(keys 'lk:{flight_delays.l1:*')" = 3 ] && [ "$(keys 'lk:{flight_delays.l1:*}:pos')" = 3 ]; }

row 3 'there is no view' "$lk" "${retire[@]}"
row 0 'published' make_view 9000 12000
files=$(ls "$work/archive/flights/generations/flight_delays" | wc -l)
row 0 'rm -r ARCHIVE/TOPIC/generations/flight_delays*view flight_delays of lambda is retired*keys unlinked now' "$lk" "${retire[@]}"
row 0 '' tombstones
row 0 "$files" eval 'ls "$work/archive/flights/generations/flight_delays" | wc -l'
row 0 '"unlinked":0}' "$lk" "${retire[@]}" --json
row 3 'view flight_delays of lambda was retired' "$lk" query "${view[@]}" --from lambda
row 2 'was retired, for good; give the plan a view name of its own' "$lk" lambda batch "${view[@]}" "${archive[@]}" --reload
row 2 'was retired, for good' "$lk" lambda batch "${view[@]}" "${archive[@]}" --every 1s
row 2 'was retired, for good' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
row 3 'was retired' "$lk" lambda rollback "${view[@]}" "${archive[@]}"
row 0 '' tombstones

# Struck at each step, beside a worker and a batch that are at work; run again it is done.
fed=12000
for point in 'retire mark:1' 'retire pos:2' 'retire cells:1' 'retire cells:5'; do
    fed=$((fed + 2000))
    row 0 'published' make_view $((fed - 1000)) $fed
    begin speed "$lk" lambda speed "${view[@]}" "${log[@]}" --span 1ms
    speed=$begun
    row 0 '' fold $((fed + 1000))
    begin batch env LK_FAULT='generation load:1:delay' "$lk" lambda batch "${view[@]}" "${archive[@]}"
    batch=$begun
    row 137 'fault: retire' env LK_FAULT="$point:kill" "$lk" "${retire[@]}"
    row 0 'is retired' "$lk" "${retire[@]}"
    ended speed "$speed" 3 'is retired'
    wait "$batch" # published before, or told: either way what it loaded is gone
    row 0 '' "$lk" "${retire[@]}"
    row 0 '' tombstones
    fed=$((fed + 1000))
done

verdict
