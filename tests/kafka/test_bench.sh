#!/bin/bash
# lk bench ysb and fresh, and lk compare evolve, on a real broker: they run, print their ratios, leave no topic behind, and have no figure
# for a wrong answer. What the figures are depends on the machine: none is looked at.
. "$(dirname "$0")/kit.sh"
needs jq redis-server
broker_start

row 0 'all answers are right' "$lk" bench ysb --log "$log" --events 200000 --partitions 3 --rounds 1
row 0 '' "$lk" bench ysb --log "$log" --events 100000 --rounds 2 --workers 2 --json
jq -e '.bench == "ysb" and (.rounds | length) == 2 and .kappa.rate_ratio > 0 and .archive.cpu_ratio > 0' \
    "$work/stdout" >/dev/null
note 'ysb --json holds each round and the ratios' $? "$(cat "$work/stdout")"
row 1 'rows: no figure' env LK_BUG=clean-all "$bugs" bench ysb --log "$log" --events 600000 --rounds 1

row 0 '' "$lk" bench fresh --log "$log" --rate 2000 --seconds 1 --json
jq -e '.bench == "fresh" and .visible.count == 2000 and .echo.count == 2000 and .visible.p50 > 0 and .p99_ratio > 0' \
    "$work/stdout" >/dev/null
note 'fresh --json measures each event once, and the echo too' $? "$(cat "$work/stdout")"
row 1 'rows: no figure' env LK_BUG=clean-all "$bugs" bench fresh --log "$log" --rate 2000 --seconds 1

row 0 '"lost":0,"doubled":0,"regressed":0' "$lk" bench anomalies --log "$log" --handover offset --versions --reads 3000 --flips 6 --json

# A rule changes under load, and every answer is by the old one or the new one.
row 0 '"neither":0,"refused":0' "$lk" compare evolve --log "$log" --arch kappa --count 5000 --rate 500 --seconds 1 --out "$work/evolve" --json
jq -e '.kappa | .changed_s > 0 and .old_answers > 0 and .new_answers > 0 and .read_events >= 5000' "$work/stdout" >/dev/null &&
    grep -q '"kind":"freshness"' "$work/evolve/samples.jsonl" && [ -s "$work/evolve/report.html" ]
note 'evolve on Kafka measures the change and ends in its page' $? "$(cat "$work/stdout")"

"$lk" gen ads --events 10 --rate max --log embedded:"$work/log" --topic ads 2>/dev/null
row 2 'expected kafka:HOST:PORT' "$lk" bench raw --log embedded:"$work/log" --topic ads
row 2 'needs --log' "$lk" bench ysb
left=$(broker tool topics --bootstrap-server "$brokers" --list 2>/dev/null | grep -cE '^(ysb|fresh|echo|lk-bench|lk-evolve)-')
note 'no topic of theirs is left' "$([ "$left" = 0 ]; echo $?)" "$left topics"
verdict
