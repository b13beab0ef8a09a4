#!/bin/bash
# lk lambda batch --kind: killed at every step the old generation serves on, the next batch needs no help, and
# nothing is left over; what is said of base and kind.
. "$(dirname "$0")/kit.sh"
log=(--log "embedded:$work/log" --topic ads)
plan=(--plan "$work/ads.json" --archive "$work/archive" --view "redis+unix:$work/redis")
verify=(--plan "$work/ads.json" --from lambda --view "redis+unix:$work/redis" "${log[@]}")
events=20000

grow() { # 2000 more events, archived
    events=$((events + 2000))
    "$lk" gen ads "${log[@]}" --events $events --rate max --event-rate 20 --partitions 2 --tables "$work" --resume \
        >"$work/gen" 2>&1 || cat "$work/gen"
    "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end >"$work/said" 2>&1 || cat "$work/said"
}

row 0 'events' "$lk" gen ads "${log[@]}" --events $events --rate max --event-rate 20 --partitions 2 --tables "$work"
row 0 '' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end
row 2 '--kind' "$lk" lambda batch "${plan[@]}" --kind sloppy
row 2 'no generation begins with 0123; `lk lambda generations` lists them' \
    "$lk" lambda batch "${plan[@]}" --kind incremental --base 0123
row 2 '--kind incremental or --kind by-time' "$lk" lambda batch "${plan[@]}" --base 0123
row 2 '--every without it' "$lk" lambda batch "${plan[@]}" --reload --every 1s
row 0 'this one is computed in full' "$lk" lambda batch "${plan[@]}" --kind by-time
row 0 'equal: yes' "$lk" verify "${verify[@]}"

# What a batch may be killed at: the points of the files, then those of the protocol.
for kind in incremental by-time; do
    for point in 'poll:2' 'generation times:1' 'generation times:2' 'generation temp:1' \
        'generation rename:2' 'generation manifest:1' 'generation load:1' 'publish:2' 'sweep:1'; do
        grow
        row 137 'fault:' env LK_FAULT="$point:kill" "$lk" lambda batch "${plan[@]}" --kind $kind
        row 0 'equal: yes' "$lk" verify "${verify[@]}" # whichever serves
        row 0 '' "$lk" lambda batch "${plan[@]}" --kind $kind
        row 0 'equal: yes*truth     0 of' "$lk" verify "${verify[@]}"
    done
    grow
    row 0 "\"kind\":\"$kind\",\"base\":\"????????" "$lk" lambda batch "${plan[@]}" --kind $kind --json
    row 0 " $kind upon " "$lk" lambda generations "${plan[@]}"
    row 0 "\"kind\":\"$kind\",\"base\":\"????????" "$lk" lambda generations "${plan[@]}" --json
done
row 0 '' "$lk" lambda verify --archive "$work/archive"

# Two generations of two partitions with their sidecars, manifests and notes of loads, and locks: nothing else.
left=$(find "$work/archive/ads/generations/ad_views" -type f -printf '%f\n' |
    sed -E 's/^[0-9a-f]{32}//; s/^\.p[0-9]+/.p/' | sort | uniq -c | tr -s ' ' | tr '\n' ';')
row 0 ' 2 .json; 2 .load; 1 .lock; 4 .p; 4 .p.times; 1 publish.lock;' echo "$left"

# A full batch over what another kind has published is computed, refused, and takes a place among those that stay.
row 0 'refused' "$lk" lambda batch "${plan[@]}" --keep 1
row 0 ' serves 2 of 2 partitions from the store; its files have gone' "$lk" lambda generations "${plan[@]}"
row 0 'equal: yes' "$lk" verify "${verify[@]}"

verdict
