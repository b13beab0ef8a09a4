#!/bin/bash
# The main job on a real broker: both pipelines over Kafka, a worker of each killed, then the broker killed under
# them; both must end exact. The run's topic has a name of its own and goes with it.
. "$(dirname "$0")/kit.sh"
needs redis-server jq
broker_start
export LK_KAFKA_DIR=$work/kafka # where lk finds the broker that it may kill

topics() { broker tool topics --bootstrap-server "$brokers" --list | grep -v '^__'; }
flags=(ads --count 40000 --rate 5000 --batch-every 2s --seed 11 --log "$log")
holds() { # NAME FACT JQ: on run.json
    jq -e "$3" "$work/$1/run.json" >/dev/null 2>&1
    note "$1: $2" $? "lk compare ${flags[*]}: $(jq -c '.settings, .faults, .history' "$work/$1/run.json" 2>&1 | cut -c1-3000)"
}

row 0 'passed; report: ' "$lk" compare "${flags[@]}" --faults kills,broker-restart --out "$work/killed"
holds killed 'the log is named truly' \
    '.settings.log | test("^Kafka 4[.0-9]+ at 127.0.0.1:[0-9]+, topic lk-ads-11-[0-9]+, client librdkafka [0-9]")'
holds killed 'the broker was killed and came back, and both pipelines recovered' \
    '[.faults[] | select(.whom == "broker")] | length == 1 and (.[0].recovery_ms | .lambda >= 0 and .kappa >= 0)'
holds killed 'the broker is accounted for' '[.processes[] | select(.name == "broker")][0] | .cpu_s > 0 and .rss_max_mb > 50'
holds killed 'every event is there once' \
    '[.checks[] | select(.name == "the log holds each due event once, in order")][0].pass'
[ -z "$(topics)" ]
note 'the topic is deleted' $? "$(topics)"

# Where the broker is not known to tools/kafka, nothing is claimed of it and it cannot be struck; a command can.
export LK_KAFKA_DIR=$work/elsewhere
row 2 "the broker at $log is none that tools/kafka runs*give a command of yours" "$lk" compare "${flags[@]}" --faults broker-restart --out "$work/x"
echo '[{"at": "40%", "do": "command", "to": "broker", "command": "LK_KAFKA_DIR='"$work/kafka $tools/kafka stop; LK_KAFKA_DIR=$work/kafka $tools/kafka start"'"}]' \
    >"$work/mine.json"
row 0 'passed; report: ' "$lk" compare "${flags[@]}" --faults "$work/mine.json" --out "$work/commanded" --keep-topic
holds commanded 'what is not known is said' '.settings.log | test("^Kafka at .*size is not known, nor what the broker used$")'
holds commanded 'the command stands for the broker' '.faults[0] | .what == "command" and .whom == "broker"'
[[ $(topics) == lk-ads-11-* ]]
note 'the topic is kept where that was asked for' $? "$(topics)"
row 3 'kafka:127.0.0.1:1' "$lk" compare "${flags[@]:0:9}" --log kafka:127.0.0.1:1 --out "$work/x"
verdict
