#!/bin/bash
# The life of versions as a user types it, over a Redis of its own: deploy, promote, rollback, retire, each
# killed with SIGKILL at its fault points and done again.
. "$(dirname "$0")/kit.sh"

log=(--log "embedded:$work/log" --topic flights)
view=(--view "redis+unix:$work/redis")
plan=$flights
sed 's/30m/45m/' $plan >"$work/second.json"
one=(--plan $plan "${view[@]}")
two=(--plan "$work/second.json" "${view[@]}")
struck() { LK_FAULT=$1 timeout 20 "${@:2}"; } # FAULT COMMAND...

row 0 '20000 events' "$lk" gen flights "${log[@]}" --events 20000 --partitions 2
row 0 '20000 events' "$lk" kappa run "${one[@]}" "${log[@]}" --until-end
row 2 'nothing to go back to' "$lk" kappa rollback "${one[@]}"
row 2 'version 1 of view flight_delays is live' "$lk" kappa retire "${one[@]}" --version 1
row 2 'has no version 5' "$lk" kappa retire "${one[@]}" --version 5
row 2 'needs --version' "$lk" kappa retire "${one[@]}"
row 0 '20000 events' "$lk" kappa deploy "${two[@]}" "${log[@]}"

# Canary: a share of the keys; who reads is told which version answered.
row 2 'needs --share' "$lk" kappa canary "${two[@]}"
row 2 '--share: found 101' "$lk" kappa canary "${two[@]}" --share 101
row 0 'version 2 answers for 50 % of the keys' "$lk" kappa canary "${two[@]}" --share 50
row 0 'version 2  live: no  canary: 50 %' "$lk" kappa status "${one[@]}"
row 0 'kappa version 1*version 2 answers for 50 % of the keys: ask with --key' "$lk" query "${one[@]}" --from kappa
said=$(for key in ATL ORD DFW LAX DEN SFO JFK BOS; do "$lk" query "${one[@]}" --from kappa --key $key 2>&1 >/dev/null; done)
row 0 'kappa version 1*version 2 answers for 50 % of the keys: not for this one' echo "$said"
row 0 'kappa version 2' echo "$said"
row 2 'answers for 50 % of the keys*--share 0' "$lk" kappa retire "${one[@]}" --version 2
row 0 '"share":0}' "$lk" kappa canary "${two[@]}" --share 0 --json

# A version that begins behind the beginning, at a rate, serves the windows that it can know all of; what
# two plans make of the log up to the same positions needs no version.
sed 's/30m/50m/' $plan >"$work/later.json"
later=(--plan "$work/later.json" "${view[@]}")
row 2 'lk: --from: found "noon", expected a log time' "$lk" kappa deploy "${later[@]}" "${log[@]}" --from noon
row 0 '16000 events' "$lk" kappa deploy "${later[@]}" "${log[@]}" --from 0=3000,1=1000 --rate 40000
row 0 'keeps its beginning*--from end is not asked' "$lk" kappa deploy "${later[@]}" "${log[@]}" --from end
row 0 'begins: 3000 1000, windows from 9783' "$lk" kappa status "${one[@]}"
row 0 '"from":\[3000,1000\],"floor":9783' "$lk" kappa status "${one[@]}" --json
row 0 '4000 skipped*equal: yes' "$lk" verify "${later[@]}" "${log[@]}" --from kappa
row 0 'compared with version 3*late in one only' "$lk" kappa diff "${later[@]}"
row 2 'begins at offset 3000 of partition 0' "$lk" kappa diff "${later[@]}" "${log[@]}" --at 0=2999,1=3000
row 0 'compared with version 3*late in one only' "$lk" kappa diff "${later[@]}" "${log[@]}" --at end
row 2 'needs --log' "$lk" kappa diff "${later[@]}" --at end
sed 's/30m/50m/; s/15\]/16]/' $plan >"$work/both.json"
row 0 '"target":0*"not_final":0*{"late in one only":*,"changed rule":' \
    "$lk" kappa diff --plan "$work/both.json" "${view[@]}" "${log[@]}" --at end --json
row 0 'version 3 is retired' "$lk" kappa retire "${later[@]}" --version 3

# Promote: differing rows are to be meant; a kill before the flip leaves the old one live.
row 1 'rows in final windows differ*lk kappa diff*--accept-diff' "$lk" kappa promote "${two[@]}"
row 137 '' struck promote:1:kill "$lk" kappa promote "${two[@]}" --accept-diff
row 0 'version 1  live: yes' "$lk" kappa status "${one[@]}"
row 0 'version 2 is live' "$lk" kappa promote "${two[@]}" --accept-diff
row 0 '"equal":true' "$lk" verify "${two[@]}" "${log[@]}" --from kappa --json

# Rollback: the same flip back, and forward again.
row 137 '' struck promote:1:kill "$lk" kappa rollback "${one[@]}"
row 0 'version 2  live: yes' "$lk" kappa status "${one[@]}"
row 0 'version 1 is live again' "$lk" kappa rollback "${one[@]}"
row 0 '"equal":true' "$lk" verify "${one[@]}" "${log[@]}" --from kappa --json
row 0 '{"view":"flight_delays","live":2}' "$lk" kappa rollback "${one[@]}" --json

# Retire: a worker at work is told; killed at any step, the next call finishes; the live one stays as it is.
timeout 60 "$lk" kappa run "${one[@]}" "${log[@]}" >"$work/worker" 2>&1 &
worker=$!
sleep 0.5
row 137 '' struck 'retire mark:1:kill' "$lk" kappa retire "${two[@]}" --version 1
row 0 'version 1  live: no  canary: 0 %  running' "$lk" kappa status "${two[@]}"
row 137 '' struck 'retire pos:2:kill' "$lk" kappa retire "${two[@]}" --version 1
row 3 'version 1 of view flight_delays is retired' "$lk" query "${two[@]}" --from kappa --version 1
row 3 'retired' "$lk" kappa rollback "${two[@]}"
row 137 '' struck 'retire cells:1:kill' "$lk" kappa retire "${two[@]}" --version 1
row 0 'version 1 is retired, ' "$lk" kappa retire "${two[@]}" --version 1
row 0 ', 0 keys unlinked now' "$lk" kappa retire "${two[@]}" --version 1
wait $worker
row 0 '3' echo $?
row 0 'version 1 of view flight_delays is retired' cat "$work/worker"
row 0 '2' store redis eval "return #redis.call('keys', 'lk:*k1*')" 0
row 0 'version 1  live: no  canary: 0 %  retired' "$lk" kappa status "${two[@]}"
row 0 '"equal":true' "$lk" verify "${two[@]}" "${log[@]}" --from kappa --json
row 0 ' events' "$lk" kappa deploy "${one[@]}" "${log[@]}"
row 0 'version 4  live: no  canary: 0 %  running' "$lk" kappa status "${two[@]}"

# Replay past retention: the topic has lost its beginning, the archive has it; and from the files alone.
row 0 ' events' "$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end
row 0 '' "$lk" topic trim "${log[@]}" --before 0:6000
row 4 'which a new version needs*chain:' "$lk" kappa deploy --plan <(sed 's/30m/59m/' $plan) "${view[@]}" "${log[@]}"
sed 's/30m/60m/' $plan >"$work/third.json"
third=(--plan "$work/third.json" "${view[@]}")
chain=(--log "chain:$work/archive+embedded:$work/log" --topic flights)
row 0 '20000 events' "$lk" kappa deploy "${third[@]}" "${chain[@]}"
row 0 '"equal":true' "$lk" verify "${third[@]}" "${chain[@]}" --from kappa --json
sed 's/30m/70m/' $plan >"$work/from.json"
from=(--plan "$work/from.json" "${view[@]}")
row 2 'source.max_ahead*chain:' "$lk" kappa deploy "${from[@]}" "${log[@]}" --from 0=7000,1=1000
row 0 ' events' "$lk" kappa deploy "${from[@]}" "${chain[@]}" --from 0=7000,1=1000
row 0 '8000 skipped*equal: yes' "$lk" verify "${from[@]}" "${chain[@]}" --from kappa
sed 's/30m/80m/; s/"source": {/"source": {"max_ahead": "1d",/' $plan >"$work/ahead.json"
ahead=(--plan "$work/ahead.json" "${view[@]}")
row 0 ' events' "$lk" kappa deploy "${ahead[@]}" "${log[@]}" --from 2001-01-01T00:00:00Z # what retention has left
row 0 'equal: yes' "$lk" verify "${ahead[@]}" "${chain[@]}" --from kappa
"$lk" kappa status "${two[@]}" >"$work/status"
row 0 '7' wc -l "$work/status" # the deploy that was refused has made no version
sed 's/30m/90m/' $plan >"$work/end.json"
row 0 '' "$lk" kappa deploy --plan "$work/end.json" "${view[@]}" "${chain[@]}" --from end
row 0 'in no row*is live' "$lk" kappa promote --plan "$work/end.json" "${view[@]}" # nothing to compare: said
sed 's/"30m"/"unlimited"/; s/flight_delays/files/' $plan >"$work/files.json"
files=(--plan "$work/files.json" "${view[@]}")
row 0 '20000 events' "$lk" kappa run "${files[@]}" --log "archive:$work/archive" --topic flights --until-end
row 0 '20000 events' "$lk" lambda batch "${files[@]}" --archive "$work/archive"
"$lk" query "${files[@]}" --from kappa --format json >"$work/kappa.rows" 2>/dev/null
"$lk" query "${files[@]}" --from lambda --format json >"$work/lambda.rows" 2>/dev/null
row 0 '' test -s "$work/kappa.rows"
row 0 '' cmp "$work/kappa.rows" "$work/lambda.rows"

verdict
