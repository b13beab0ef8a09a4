#!/bin/bash
# A full disk under the log, the archive, a generation, a report and Redis: what is said, and that
# with room again the same command finishes and nothing is missing.
#
# The disk is a tmpfs of our own where we may mount one; elsewhere a limit on the size of files
# (ulimit -f, with its signal ignored) stands in for it: the write fails as it does on a full disk.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli
redis store

# room KIB: so much more fits, about.
small=$work/small
mkdir "$small"
if mount -t tmpfs -o size=1m tmpfs "$small" 2>/dev/null; then
    room() { mount -o "remount,size=$(($(du -sk "$small" | cut -f1) + $1))k" "$small"; }
    on_disk() { "$@"; }
else
    room() { limit=$1; }
    on_disk() { "$BASH" -c 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"' limit "$limit" "$@"; }
fi
view=(--plan "$flights" --view "redis+unix:$work/store")

# The log. What was appended before the disk was full is whole; --resume goes on behind it.
log=(--log "embedded:$small/log" --topic flights)
room 3000
row 3 'after [1-9]* events (--resume goes on behind them): cannot append to the log*then run it again' on_disk "$lk" gen flights "${log[@]}" --events 60000 --partitions 2
row 0 ' events' on_disk "$lk" kappa run "${view[@]}" "${log[@]}" --until-end
row 0 '"equal":true*"balanced":true,"behind":0' on_disk "$lk" verify "${view[@]}" "${log[@]}" --from kappa --json
room 60000
row 0 'behind [1-9]* that were there' on_disk "$lk" gen flights "${log[@]}" --events 60000 --resume
row 0 ' events' "$lk" kappa run "${view[@]}" "${log[@]}" --until-end
row 0 '"equal":true*"balanced":true,"behind":0' "$lk" verify "${view[@]}" "${log[@]}" --from kappa --json
mv "$small/log" "$work/log"
log=(--log "embedded:$work/log" --topic flights)

# The archive: whole segments stay, the same command goes on behind them.
room 200
row 3 'cannot write *then run it again' on_disk "$lk" lambda archive "${log[@]}" --archive "$small/archive" --until-end
room 60000
row 0 'archived' on_disk "$lk" lambda archive "${log[@]}" --archive "$small/archive" --until-end

# A generation: the published one stays, and the next attempt makes it.
row 0 'published' on_disk "$lk" lambda batch "${view[@]}" --archive "$small/archive"
"$lk" gen flights "${log[@]}" --events 100000 --resume 2>/dev/null
row 0 'archived 40000' on_disk "$lk" lambda archive "${log[@]}" --archive "$small/archive" --until-end
room 30
row 3 'cannot write *then run it again' on_disk "$lk" lambda batch "${view[@]}" --archive "$small/archive"
row 0 '"equal":true*"balanced":true,"behind":40000' "$lk" verify "${view[@]}" "${log[@]}" --from lambda --json
room 60000
row 0 'published' on_disk "$lk" lambda batch "${view[@]}" --archive "$small/archive"
row 0 '"equal":true*"balanced":true,"behind":0' "$lk" verify "${view[@]}" "${log[@]}" --from lambda --json

# Redis cannot write its file any more: the worker says what Redis says.
if mountpoint -q "$small"; then
    mkdir "$small/redis"
    ln -s "$small/redis" "$work/filed.files"
    room 100
    redis filed --appendonly yes
    view=(--plan "$flights" --view "redis+unix:$work/filed")
    "$lk" kappa run "${view[@]}" "${log[@]}" --until-end 2>/dev/null # fills the disk
    row 3 'MISCONF*No space left on device' "$lk" lambda speed "${view[@]}" "${log[@]}" --until-end
    room 60000
    until_true 50 store filed set x 1
    row 0 ' events' "$lk" kappa run "${view[@]}" "${log[@]}" --until-end
    row 0 '"equal":true*"balanced":true,"behind":0' "$lk" verify "${view[@]}" "${log[@]}" --from kappa --json
    store filed shutdown nosave
fi

verdict
