#!/bin/bash
# lk topic on the embedded log; on Kafka: tests/kafka/test_clients.sh.
. "$(dirname "$0")/../kit.sh"
at=(--log "embedded:$work/log" --topic)

row 2 'lk topic needs one word more' "$lk" topic
row 2 'lk topic create needs --topic' "$lk" topic create --log "embedded:$work/log"
row 3 'log' "$lk" topic show "${at[@]}" t
row 0 'topic t: 3 partitions' "$lk" topic create "${at[@]}" t --partitions 3
row 0 'topic t: 3 partitions' "$lk" topic create "${at[@]}" t --partitions 3 --replication 3 --retention unlimited
row 2 'has 3 partitions, not 4' "$lk" topic create "${at[@]}" t
row 0 'topic four: 4 partitions' "$lk" topic create "${at[@]}" four
row 2 'expected 1 to 1024' "$lk" topic create "${at[@]}" t --partitions 0
row 2 'expected a duration such as 7d, or unlimited' "$lk" topic create "${at[@]}" t --retention -1
row 2 'cannot be a topic' "$lk" topic create "${at[@]}" 'a b'
row 3 'has no topic "none"; it has' "$lk" topic show "${at[@]}" none

row 0 '9000 events' "$lk" gen ads "${at[@]}" t --events 9000 --rate max
row 0 $'        0            0         3000\n        1            0         3000' "$lk" topic show "${at[@]}" t
row 0 '{"partition":2,"first":0,"end":3000}' "$lk" topic show "${at[@]}" t --json
row 2 'is not Kafka, which this needs' "$lk" topic show "${at[@]}" t --group g

# The embedded log keeps whole blocks: what is trimmed is at most what was asked for.
row 2 'one of them' "$lk" topic trim "${at[@]}" t
row 2 'one of them' "$lk" topic trim "${at[@]}" t --before 0:5 --keep 1h
row 2 'expected partition:offset' "$lk" topic trim "${at[@]}" t --before 5
row 2 'expected an offset from 0 to 3000' "$lk" topic trim "${at[@]}" t --before 0:3001
row 2 'has no partition 3' "$lk" topic trim "${at[@]}" t --before 3:1
row 0 'partition 2: first 0 (was 0), end 3000' "$lk" topic trim "${at[@]}" t --keep 1h
row 0 'partition 1: first 2' "$lk" topic trim "${at[@]}" t --before 1:2900
sleep 0.01
row 0 'partition 0: first 3000 (was 0), end 3000' "$lk" topic trim "${at[@]}" t --keep 0ms
row 2 'has lost the first' "$lk" gen ads "${at[@]}" t --events 9000 --rate max --resume
row 2 'cannot delete a topic; remove the directory' "$lk" topic delete "${at[@]}" t
verdict
