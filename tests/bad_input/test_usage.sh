#!/bin/bash
# Mistakes in flags, plans and files, at least one for each verb: found before anything is done.
# tests/cmd/test_gen.sh and test_lk.sh have more rows of lk gen and lk doctor.
. "$(dirname "$0")/../kit.sh"

log=(--log "embedded:$work/log" --topic t)
nowhere=(--view "redis+unix:$work/nowhere")
plan=(--plan "$flights")
"$lk" gen ads "${log[@]}" --events 1000 --rate max --partitions 2 2>/dev/null

# Flags: a name nearly right, one that is not there, one missing, a stray word.
row 2 'did you mean --topic' "$lk" gen ads --topik x
row 2 'did you mean --until-end' "$lk" kappa run --until-ende
row 2 'lk kappa deploy has no flag --elephant; see: lk kappa deploy --help' "$lk" kappa deploy --elephant
row 2 'lk gen replay needs --topic; see: lk gen replay --help' "$lk" gen replay --log embedded:x
row 2 'lk kappa run needs --plan' "$lk" kappa run
row 2 'lk kappa deploy needs --plan' "$lk" kappa deploy
row 2 'lk kappa diff needs --plan' "$lk" kappa diff
row 2 'lk kappa promote needs --plan' "$lk" kappa promote
row 2 'lk kappa status needs --plan' "$lk" kappa status
row 2 'lk lambda archive needs --archive' "$lk" lambda archive "${log[@]}"
row 2 'lk lambda batch needs --archive' "$lk" lambda batch "${plan[@]}"
row 2 'lk lambda speed needs --log' "$lk" lambda speed "${plan[@]}"
row 2 'lk query needs --from' "$lk" query "${plan[@]}"
row 2 'lk verify needs --topic' "$lk" verify "${plan[@]}" --from kappa --log embedded:x
row 2 'lk dlq list needs --plan' "$lk" dlq list
row 2 'lk dlq show needs --plan' "$lk" dlq show
row 2 'lk dlq export needs --plan' "$lk" dlq export
row 2 'there is no verb "dlq purge"; lk dlq has' "$lk" dlq purge
row 2 'there is no verb "kapa"; see: lk --help' "$lk" kapa run
row 2 'takes flags alone, found "plan.json"; see: lk kappa run --help' "$lk" kappa run plan.json
row 2 'takes flags alone, found "twice"' "$lk" gen ads twice
row 2 'there is no verb "bench everything"; lk bench has' "$lk" bench everything
row 2 'plays no hand-over: add --versions' "$lk" bench anomalies --handover none
row 2 'has no flag --fast' "$lk" bench gen --fast

# Values out of range or of another shape, from a flag, a variable and a file.
row 2 '--commit: found 0ms, expected 1ms to 60000ms' "$lk" kappa run --commit 0ms
row 2 '--commit: found "100", expected a duration such as 250ms' "$lk" kappa run --commit 100
row 2 '--delay-mean: found "-5s", expected a duration' "$lk" gen ads --delay-mean -5s
row 2 '--span: found "soon", expected a duration' "$lk" lambda speed --span soon
row 2 '--roll: found 1ms, expected 10ms to' "$lk" lambda archive --roll 1ms
row 2 'reads no log: leave out --log' "$lk" lambda archive --compact --archive x --log embedded:x
row 2 '--memory: found 1KiB, expected 1048576 bytes to' "$lk" lambda batch --memory 1KiB
row 2 '--memory: found "much", expected a size such as' "$lk" lambda batch --memory much
row 2 '--keep: found 0, expected 1 to 1000' "$lk" lambda batch --keep 0
row 2 '--workers: found 65, expected 1 to 64' "$lk" kappa run --workers 65
row 2 '--events: found "1e6", expected a whole number' "$lk" gen ads --events 1e6
row 2 '--late-share: found 1.5, expected 0 to 1' "$lk" gen flights --late-share 1.5
row 2 '--from: found "spark", expected kappa|lambda' "$lk" query --from spark
row 2 '--format: found "xml", expected table|json|csv' "$lk" query --format xml
row 2 '--window: found "noon", expected a whole number' "$lk" query --window noon
row 2 '--version: found -1, expected 0 to' "$lk" verify --version -1
row 2 '--wait: found "long", expected a duration' "$lk" kappa promote --wait long
row 2 '--partitions: names none' "$lk" kappa run "${plan[@]}" "${log[@]}" --partitions ''
row 2 '--partitions: found "0;1", expected such as 0,1' "$lk" lambda speed "${plan[@]}" "${log[@]}" --partitions '0;1'
row 2 'environment LK_*, commit: found "soon"' env LK_COMMIT=soon "$lk" kappa run
printf 'topik = x\n' >"$work/settings"
row 2 'settings:1: there is no setting called "topik"' "$lk" gen ads --config settings
row 2 'settings file nowhere: No such file' "$lk" doctor --config nowhere

# Plans: each mistake with its path, what was found and what was expected.
plan_row() { # STATUS PATTERN JSON
    printf '%s' "$3" >"$work/plan.json"
    row "$1" "$2" "$lk" plan check plan.json
}
good='"source":{"time":{"field":"at","format":"ms"},"fields":{"n":"int"}},"key":[],"window":{"tumbling":"1h"},"values":{"count":"count"}'
plan_row 0 'plan.json: ok' "{\"view\":\"v\",\"allowed_lateness\":\"1m\",$good}"
plan_row 2 'found broken JSON in line 1' '{"view": '
plan_row 2 'expected one JSON object' '[]'
plan_row 2 'allowed_latenes' "{\"view\":\"v\",\"allowed_latenes\":\"1m\",$good}"
plan_row 2 'allowed_lateness: found "soon", expected a duration' "{\"view\":\"v\",\"allowed_lateness\":\"soon\",$good}"
plan_row 2 '$.view: found "9 lives"' "{\"view\":\"9 lives\",$good}"
plan_row 2 '2 mistakes' "{\"view\":\"9\",\"keep\":\"x\",$good}"
plan_row 2 '$.key\[0\]: found "orign", expected a declared field; did you mean "origin"?' "$(sed 's/\["origin"\]/["orign"]/' "$flights")"
sketch() { printf '{"view":"v",%s' "${good%"\"values\""*}\"values\":{\"users\":$1}}"; } # A plan with this value alone.
plan_row 0 'plan.json: ok' "$(sketch '{"distinct":"n","precision":12}')"
plan_row 2 '$.values.users.precision: found 13, expected a whole number from 6 to 12' "$(sketch '{"distinct":"n","precision":13}')"
plan_row 2 '$.values.users.precision: found a precision, expected it with "distinct" only' "$(sketch '{"sum":"n","precision":10}')"
plan_row 2 '$.values.users.distinct: found "n" of type double, expected a field of an exact type' \
    "$(sketch '{"distinct":"n"}' | sed 's/"int"/"double"/')"
plan_row 2 'campaigns.jsonl' "$(cat workloads/plans/ads.json)"
row 2 'cannot read the plan nowhere.json: No such file' "$lk" plan check nowhere.json
row 2 'expected two plans; run: lk plan diff OLD.json NEW.json' "$lk" plan diff "$flights"
row 2 'cannot read the plan nowhere.json: No such file' "$lk" plan diff "$flights" nowhere.json
row 0 'The plans say the same' "$lk" plan diff "$flights" "$flights"
row 2 'cannot read the plan .: Is a directory' "$lk" plan explain .
row 2 'expected one plan; run: lk plan explain PLAN.json' "$lk" plan explain a b
printf '{}' >"$work/plan.json"
printf 'at,n\n1000,1\n' >"$work/good.csv"
row 2 '$.view: ' "$lk" kappa run --plan plan.json "${log[@]}" "${nowhere[@]}"
row 2 '$.view: ' "$lk" lambda batch --plan plan.json --archive x "${nowhere[@]}"
row 2 '$.view: ' "$lk" query --plan plan.json --from kappa "${nowhere[@]}"
row 2 '$.view: ' "$lk" compare --plan plan.json --events good.csv --time-field at --time-format ms --out out

# Recorded files: the place of the fault and what to do. What stood above it is in the topic, and
# with the fault gone --resume goes on behind it.
replay=("$lk" gen replay --log "embedded:$work/log" --time-field at --time-format ms)
printf '{"at":1}\n{"a":2}\n{"at":3}\n' >"$work/missing.jsonl"
printf '{"at":1}\n{broken\n{"at":3}\n' >"$work/broken.jsonl"
printf 'at,n\n1,1\n2\n' >"$work/cells.csv"
printf 'at,at\n1,1\n' >"$work/twice.csv"
printf '{"at":1}\n' | gzip >"$work/events.gz"
for i in $(seq 20000); do echo "{\"at\":$i}"; done | zstd -q >"$work/whole.zst"
head -c 9000 "$work/whole.zst" >"$work/cut.zst"
{ head -c 100 "$work/whole.zst"; seq 5000; } >"$work/damaged.zst"
row 2 'missing.jsonl:2: the row has no time field: "at" is wanted, found {"a":2}' "${replay[@]}" --topic a --file missing.jsonl
sed -i 's/"a"/"at"/' "$work/missing.jsonl"
row 0 'topic a: ' "${replay[@]}" --topic a --file missing.jsonl --resume
row 2 'broken.jsonl:2: the row is not JSON' "${replay[@]}" --topic b --file broken.jsonl
row 2 'cells.csv:3: the row has 1 cells, the header 2' "${replay[@]}" --topic c --file cells.csv
row 2 'cells.csv has no column "when"; it has: at, n' "${replay[@]}" --topic c --file cells.csv --time-field when
row 2 'two columns are called "at"; rename one' "${replay[@]}" --topic c --file twice.csv
row 2 'cut.zst is cut short' "${replay[@]}" --topic d --file cut.zst
row 0 'topic d: ' "${replay[@]}" --topic d --file whole.zst --resume
row 2 'damaged.zst is ' "${replay[@]}" --topic e --file damaged.zst
row 2 'events.gz is gzip; pack it anew' "${replay[@]}" --topic e --file events.gz
row 2 'cannot open nowhere.csv: No such file' "${replay[@]}" --topic e --file nowhere.csv
row 3 'cannot read .: Is a directory' "${replay[@]}" --topic e --file .
row 2 '/dev/null is empty' "${replay[@]}" --topic e --file /dev/null
row 2 'time format "noon": expected ms, s, us, rfc3339 or a pattern' "${replay[@]}" --topic e --file whole.zst --time-format noon
row 4 'line 2: not valid JSON*1 of 3 lines of broken.jsonl are bad' "$lk" scan at broken.jsonl
row 2 '"a..b" is no field' "$lk" scan a..b broken.jsonl
row 2 'scan wants 1 to 64 fields' "$lk" scan

# Files that may not be read; root may read all, so that it is nobody who asks.
if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid 65534 --clear-groups); else as=(); fi
if "${as[@]}" test -x "$lk"; then
    chmod 755 "$work"
    mkdir -m 777 "$work/open"
    install -m 000 "$work/good.csv" "$work/locked.csv"
    install -m 000 "$flights" "$work/locked.json"
    mkdir -m 000 "$work/locked"
    row 3 'cannot open locked.csv: Permission denied' "${as[@]}" "$lk" gen replay --log "embedded:$work/open/log" --topic t --file locked.csv --time-field at
    row 2 'cannot read the plan locked.json: Permission denied' "${as[@]}" "$lk" plan check locked.json
    row 3 'Permission denied' "${as[@]}" "$lk" gen ads --log embedded:locked --topic t
    row 3 'Permission denied' "${as[@]}" "$lk" lambda archive --log embedded:locked --topic t --archive x
    row 3 'sudo install -d' "${as[@]}" "$BASH" -c "'$lk' doctor --archive locked >&2"
fi

# Logs and archives that are not there, not ours, or not whole.
worker=("${plan[@]}" "${nowhere[@]}" --until-end)
row 3 'there is no log at nowhere; `lk gen` makes one' "$lk" kappa run "${worker[@]}" --log embedded:nowhere --topic t
row 3 'has no topic "tt"; it has ' "$lk" kappa run "${worker[@]}" --log "embedded:$work/log" --topic tt
row 3 'has no topic "tt"; it has ' "$lk" lambda speed "${worker[@]}" --log "embedded:$work/log" --topic tt
row 3 'has no topic "tt"; it has ' "$lk" lambda archive --log "embedded:$work/log" --topic tt --archive x --until-end
row 2 'not a log: "kinesis:x"; expected embedded:DIR, kafka:HOST:PORT, archive:DIR or chain:' "$lk" kappa run "${worker[@]}" --log kinesis:x --topic t
row 2 'cannot be a topic'\''s name' "$lk" gen ads --log "embedded:$work/log" --topic ../t
row 3 'is not a directory; a log needs one of its own' "$lk" gen ads --log embedded:plan.json --topic t
row 3 'holds something that is not a log' "$lk" gen ads --log "embedded:$work" --topic t
mkdir "$work/strange" "$work/empty"
echo nonsense >"$work/strange/data.mdb"
row 4 'data.mdb is not an LMDB file; use another directory' "$lk" gen ads --log embedded:strange --topic t
head -c 20000 "$work/log/data.mdb" >"$work/strange/data.mdb"
row 4 'cut short*remove that directory' "$lk" lambda archive --log embedded:strange --topic t --archive x --until-end
row 3 'cannot make the archive' "$lk" lambda archive "${log[@]}" --archive plan.json --until-end
row 2 'holds no run' "$lk" report empty
row 2 'nowhere holds no run' "$lk" report nowhere

# A generator holds its topic; a second one is told by whom, and may go on afterwards.
begin generator "$lk" gen ads --log "embedded:$work/log" --topic held --events 100000 --rate 5000
until_true 50 test -s "$work/log/held.producer"
row 3 "in use by pid $begun (it holds *held.producer): stop it first" "$lk" gen ads --log "embedded:$work/log" --topic held --resume --rate max --events 100000
row 0 'archived' "$lk" lambda archive "${log[@]}" --archive held --until-end
kill -9 "$begun"
wait "$begun" 2>/dev/null
row 0 'topic held: ' "$lk" gen ads --log "embedded:$work/log" --topic held --resume --rate max --events 100000

# lk compare: nothing starts before all is known to be there.
row 2 'of what? Try: lk compare flights' "$lk" compare
row 2 'no workload "trains"; flights, ads' "$lk" compare trains
row 2 'one workload: flights or ads' "$lk" compare flights ads
row 2 'lk compare ads has events of its own, so --events is not for it' "$lk" compare ads --events x --out out
row 2 'lk compare needs --time-field' "$lk" compare "${plan[@]}" --events x
row 2 '--speed: found "fast", expected a number above 0' "$lk" compare flights --speed fast
row 2 '--speed is for recorded events; ads come at their --rate' "$lk" compare ads --speed 3
row 2 'cannot open nowhere.csv: No such file' "$lk" compare "${plan[@]}" --events nowhere.csv --time-field at --out out
row 2 '--heal-lateness: found "soon", expected a duration such as 48h' "$lk" compare ads --count 10 --heal-lateness soon --out out
row 3 'cannot make directory /proc/none/work' "$lk" compare ads --count 10 --out /proc/none
row 3 'redis-server does not start (exit 127: not found in PATH*lk doctor' env PATH=/nonexistent "$lk" compare ads --count 10 --out out
command -v redis-server >/dev/null &&
    row 3 'archive ended *: exit 3*No space left*archive.out.err' env LK_FAULT='segment temp:1:error' "$lk" compare ads --count 2000 --rate 2000 --out out
row 3 'redis-server*apt-get install' env PATH=/nonexistent "$BASH" -c "'$lk' doctor >&2"

verdict
