#!/bin/bash
# Workers that share a topic by a consumer group, on a real broker, under load: 1, 2 and 4 of them, one
# killed, one added, one stopped for longer than the session and let go on, one killed and back under
# its instance's name, one ended in order. Kappa and lambda's speed layer do it side by side on 8
# partitions; at the end lk verify says that both views are exact. Prints how long each hand-over took.
. "$(dirname "$0")/kit.sh"
needs redis-server
broker_start
redis view
view=redis+unix:$work/view
common=(--plan "$work/ads.json" --log "$log" --topic ads --view "$view")
"$lk" gen ads --events 1 --log "$log" --topic tables --partitions 1 --tables "$work" >"$work/tables" 2>&1 ||
    { echo "lk gen: exit $?: $(cat "$work/tables")"; exit 1; }

declare -A pids
begin_both() { # NAME FLAG...: a member of each pipeline's group
    local name=$1
    shift
    begin "kappa.$name" "$lk" kappa run "${common[@]}" --group mine --session 6s --json "$@"
    pids[kappa.$name]=$begun
    begin "speed.$name" "$lk" lambda speed "${common[@]}" --group mine --session 6s --span 1s --json "$@"
    pids[speed.$name]=$begun
}
signal() { # NAME SIGNAL
    kill "-$2" "${pids[kappa.$1]}" "${pids[speed.$1]}"
    [ "$2" != KILL ] || wait "${pids[kappa.$1]}" "${pids[speed.$1]}" 2>/dev/null
}
# How often members were dealt a partition, all named together: in kappa's group, then in speed's. Not the
# smaller of both: one group may be ahead while the other has not noticed yet.
dealt() { # NAME...
    local who name n
    for who in kappa speed; do
        n=0
        for name in "$@"; do n=$((n + $(grep -c 'dealt, taken' "$work/$who.$name.said"))); done
        echo "$n"
    done
}
dealt_more() { # THAN NAME...: in either group; THAN is one number for both, or one for each
    local than now
    mapfile -t than <<<"$1"
    mapfile -t now < <(dealt "${@:2}")
    [ "${now[0]}" -gt "${than[0]}" ] && [ "${now[1]}" -gt "${than[1]:-${than[0]}}" ]
}
waits() { # WHAT THAN NAME...: they are dealt more than so much
    until_true 300 dealt_more "${@:2}"
    note "$1" $? "$(tail -n 5 "$work"/{kappa,speed}.*.said)"
}

begin gen "$lk" gen ads --events 160000 --seed 7 --rate 4000 --log "$log" --topic ads --partitions 8
gen=$begun
until_true 100 "$lk" topic show --log "$log" --topic ads
begin archive "$lk" lambda archive --log "$log" --topic ads --archive "$work/archive"
archive=$begun
begin_both one
waits 'one alone is dealt all' 7 one
begin_both two
waits 'a second one gets a share' 0 two
begin_both three
begin_both four --instance four
waits 'a third one gets a share' 0 three
waits 'a fourth one gets a share' 0 four
begin batch "$lk" lambda batch --plan "$work/ads.json" --topic ads --archive "$work/archive" --view "$view" --every 5s
batch=$begun

had=$(dealt two three four)
signal one KILL
waits 'what a killed one had goes to the others' "$had" two three four
begin_both five
waits 'one that is added gets a share' 0 five

had=$(dealt three four five)
signal two STOP
waits 'what a stopped one had goes to the others' "$had" three four five
had=$(dealt two)
signal two CONT
waits 'a stopped one that goes on is dealt a share again' "$had" two

signal four KILL
sleep 0.5
begin_both four.again --instance four
waits 'an instance that is back within the session gets a share' 0 four.again
had=$(dealt two five four.again)
signal three TERM
waits 'what an ended one had goes to the others' "$had" two five four.again
ended kappa.three "${pids[kappa.three]}" 130 hand_overs
ended speed.three "${pids[speed.three]}" 130 hand_overs

ended gen "$gen" 0 '160000 events'
all_read() { # ARCH
    "$lk" verify --plan "$work/ads.json" --from "$1" --log "$log" --topic ads --view "$view" 2>&1 |
        grep -q ' 0 events of the log not read yet'
}
until_true 300 all_read kappa
note 'kappa reads all' $?
until_true 300 all_read lambda
note 'lambda reads all' $?
kill "$archive" "$batch"
ended archive "$archive" 130 ''
ended batch "$batch" 130 ''
for who in two five four.again; do
    signal $who TERM
    ended kappa.$who "${pids[kappa.$who]}" 130 hand_overs
    ended speed.$who "${pids[speed.$who]}" 130 hand_overs
done
for arch in kappa lambda; do
    row 0 'contract  equal: yes' "$lk" verify --plan "$work/ads.json" --from $arch --log "$log" --topic ads --view "$view"
    note "$arch has folded every event" \
        "$(grep -q 'events    160000 read' "$work/stdout"; echo $?)" "$(cat "$work/stdout")"
done
for group in mine.ad_views.k1 mine.ad_views.l1; do
    broker tool consumer-groups --bootstrap-server "$brokers" --describe --group $group >"$work/lag" 2>&1
    note "the positions of $group are noted" \
        "$(awk '$2 == "ads" && $6 == 0 {n++} END {exit n != 8}' "$work/lag"; echo $?)" "$(cat "$work/lag")"
done
for who in kappa speed; do
    grep -h 'dealt, taken' "$work"/$who.*.said | sed 's/.* in \(.*\) ms/\1/' | sort -n |
        awk -v who=$who '{t[NR] = $1} END {printf "%s: %d hand-overs: median %s ms, longest %s ms\n",
                         who, NR, t[int((NR + 1) / 2)], t[NR]}'
done
verdict
