#!/bin/bash
# Memory and disk stay bounded: a batch over far more than its memory, and a reader that stands still
# while a generator appends and old records are trimmed. Last, lk compare, which holds each of its
# processes to 200 MB, with the usual port of Redis taken.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli perl
peaks=() sums=()

# The most memory that a command took, in MB, in $peak; what it says in $work/NAME.said.
watch_peak() { # NAME COMMAND...
    local now
    peak=0
    begin "$@"
    while now=$(awk '/^VmHWM/ {print int($2 / 1024)}' "/proc/$begun/status" 2>/dev/null) && [ -n "$now" ]; do
        peak=$now
        sleep 0.01
    done
    wait "$begun"
}

# A batch whose events and cells are each more than ten times its memory, and one with room for all:
# equal, though the first has to spill.
log=(--log "embedded:$work/log" --topic flights)
"$lk" gen flights "${log[@]}" --events 160000 --partitions 2 2>/dev/null
"$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end >"$work/archive.said"
cat >"$work/plan.json" <<'PLAN'
{"view": "wide", "source": {"time": {"field": "departure", "format": "%Y-%m-%dT%H:%MZ"},
 "fields": {"delay": "int", "origin": "string", "destination": "string"}},
 "key": ["origin", "destination"], "window": {"tumbling": "1m"}, "values": {"flights": "count", "worst": {"max": "delay"}}}
PLAN
for memory in 1MiB 1GiB; do
    redis $memory
    view=(--plan "$work/plan.json" --view "redis+unix:$work/$memory")
    watch_peak batch-$memory "$lk" lambda batch "${view[@]}" --archive "$work/archive" --memory $memory
    note "a batch of $memory finishes" $? "$(cat "$work/batch-$memory.said")"
    peaks[${#peaks[@]}]=$peak
    sums[${#sums[@]}]=$("$lk" query "${view[@]}" --from lambda --format json 2>/dev/null | sha256sum)
    store $memory shutdown nosave
done
bytes=$(sed -nE 's/.*segments: ([0-9]+) bytes.*/\1/p' "$work/archive.said")
[ "$bytes" -gt $((10 << 20)) ]
note 'the events are ten times the memory' $? "$bytes bytes"
grep -qE '[1-9][0-9]* spilled runs' "$work/batch-1MiB.said" && grep -q ' 0 spilled runs' "$work/batch-1GiB.said"
note 'the small batch spills, the large one does not' $? "$(cat "$work"/batch-*.said)"
[ "${sums[0]}" = "${sums[1]}" ] && [ "${sums[0]}" != "$(sha256sum </dev/null)" ]
note 'both batches make the same view' $? "${sums[*]}"
[ "${peaks[0]}" -lt 60 ] && [ "${peaks[0]}" -lt "${peaks[1]}" ]
note 'the small batch stays below 60 MB and below the large one' $? "${peaks[*]} MB"

# lk compare with the usual port of Redis taken: it takes ports that are free, and holds each of its
# processes to 200 MB (as the demo does, whose whole run is a test of its own).
perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 6379); sleep 60' &
started+=($!)
begin compare "$lk" compare flights --count 3000 --speed 400000 --batch-every 500ms --out "$work/out"
compare=$begun

# Readers that stand still (SIGSTOP) while a generator appends for three seconds in thousands of small
# transactions. LMDB reuses the pages that each append leaves behind, unless a reader stands in a
# transaction: with one that does, the file is eight times as large. A minute would only show more of
# the same. The log without readers is the measure.
append() { # LOG
    "$lk" gen ads --log "embedded:$work/$1" --topic ads --events 60000 --rate 20000 --resume >"$work/$1.gen" 2>&1 &
}
size() { stat -c %s "$work/$1/data.mdb"; }
cat >"$work/ads.json" <<'PLAN'
{"view": "ads", "source": {"time": {"field": "event_time", "format": "ms"}, "fields": {"event_type": "string"}},
 "key": ["event_type"], "window": {"tumbling": "10s"}, "values": {"events": "count"}}
PLAN
redis still
view=(--plan "$work/ads.json" --view "redis+unix:$work/still")
log=(--log "embedded:$work/watched" --topic ads)
for name in alone watched; do
    "$lk" gen ads --log "embedded:$work/$name" --topic ads --events 1000 --rate max --partitions 2 2>/dev/null
done
begin kappa "$lk" kappa run "${view[@]}" "${log[@]}"
kappa=$begun
begin archiver "$lk" lambda archive "${log[@]}" --archive "$work/copy" --roll 100ms
archiver=$begun
append alone
generators=$!
append watched
generators+=" $!"
sleep 0.5
kill -STOP "$kappa" "$archiver"
# shellcheck disable=SC2086 # two words
wait $generators
sizes="$(size alone) bytes alone, $(size watched) with two readers that stood still"
[ "$(size watched)" -lt $(($(size alone) * 2)) ]
note 'the log does not grow for readers that stand still' $? "$sizes"
grep -q ' 59000 events' "$work/watched.gen"
note 'the generator did not wait for them' $? "$(cat "$work/watched.gen")"
kill -CONT "$kappa" "$archiver"
caught_up() { "$lk" verify "${view[@]}" "${log[@]}" --from kappa --json | grep -q '"equal":true.*"behind":0'; }
until_true 100 caught_up
note 'going on, the worker catches up and its view equals its contract' $?
kill "$kappa" "$archiver"
ended kappa "$kappa" 130 'kappa run: 60000 events'
ended archiver "$archiver" 130 'archived 60000 events'

ended compare "$compare" 0 'ok *every process stays below 200 MB*passed; report'
grep -q '"pass": *true' "$work/out/result.json"
note 'its result says so' $? "$(head -c 300 "$work/out/result.json")"

verdict
