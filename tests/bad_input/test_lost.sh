#!/bin/bash
# Faults in the middle of a run: Redis full, killed, emptied, demoted or locked under workers that
# follow a topic. A generator appends for some seconds, each worker has a Redis of its own, all at
# once. Afterwards every view equals its contract: nothing is lost, nothing counted twice.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli

plan=(--plan "$flights")
log=(--log "embedded:$work/log" --topic flights)
to() { printf '%s\n' "redis+unix:$work/$1"; }
gen() { "$lk" gen flights "${log[@]}" --resume --partitions 2 "$@" >"$work/gen.said" 2>&1; }
gen --events 2000

worker() { # NAME VERB...: pid in workers[NAME]
    begin "$1" "$lk" "${@:2}" "${plan[@]}" "${log[@]}" --view "$(to "$1")"
    workers[$1]=$begun
}
declare -A workers servers from=([full]=kappa [killed]=kappa [killed2]=lambda [emptied]=kappa
    [emptied2]=lambda [demoted]=kappa [locked]=lambda [tight]=kappa [evicting]=kappa)
for name in "${!from[@]}"; do
    aof=no
    case $name in killed*) aof=yes ;; esac
    redis "$name" --appendonly $aof --appendfsync always
    servers[$name]=$redis_pid
    if [ $name = full ]; then worker full kappa run --patience 2s
    elif [ "${from[$name]}" = kappa ]; then worker "$name" kappa run; else worker "$name" lambda speed --span 500ms; fi
done
verify() { "$lk" verify "${plan[@]}" "${log[@]}" --view "$(to "$1")" --from "${from[$1]}" --json 2>&1; }
began() { verify "$1" | grep -q '"behind":0'; }
for name in "${!from[@]}"; do until_true 100 began "$name"; done

# From now on two of them are full: one for good, and one for a while. (A limit above what is in use
# would let now and then a commit through: Redis looks before a command, not at its size.)
for name in full tight; do store $name config set maxmemory 1 >/dev/null; done
# 18,000 events more, in about four seconds.
"$lk" gen flights "${log[@]}" --resume --events 20000 --speed 25000 >"$work/gen.said" 2>&1 &
generator=$!
started+=("$generator")
sleep 1
kill -9 "${servers[killed]}" "${servers[killed2]}"
wait "${servers[killed]}" "${servers[killed2]}" 2>/dev/null
store emptied flushall >/dev/null
store emptied2 flushall >/dev/null
sleep 0.5
store demoted replicaof 127.0.0.1 1 >/dev/null
store locked config set requirepass "$secret" >/dev/null
REDISCLI_AUTH=$secret store locked client kill type normal >/dev/null
store evicting config set maxmemory-policy allkeys-lru >/dev/null
store evicting client kill type normal >/dev/null
redis killed --appendonly yes --appendfsync always
redis killed2 --appendonly yes --appendfsync always
wait "$generator"
note 'the generator ends' $? "$(cat "$work/gen.said")"

# Refused: they say why and leave; with the fault gone the same command finishes.
ended demoted "${workers[demoted]}" 3 'is a replica now*redis-cli REPLICAOF NO ONE'
store demoted replicaof no one >/dev/null
ended locked "${workers[locked]}" 3 'wants a password; set LK_REDIS_PASSWORD'
REDISCLI_AUTH=$secret store locked config set requirepass '' >/dev/null
ended evicting "${workers[evicting]}" 3 'may evict keys*CONFIG SET maxmemory-policy noeviction'
store evicting config set maxmemory-policy noeviction >/dev/null
row 0 ' events' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$(to evicting)" --until-end
row 0 ' events' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$(to demoted)" --until-end
row 0 ' events' "$lk" lambda speed "${plan[@]}" "${log[@]}" --view "$(to locked)" --until-end

# Full: it waits, and goes on when there is room.
until_true 30 grep -q OOM <(store tight set x "$(head -c 100000 /dev/zero | tr '\0' x)" 2>&1)
note 'the tight Redis is full' $?
store tight config set maxmemory 0 >/dev/null

equal() { # NAME: settled, and equal
    settled() { verify "$1" | grep -q '"behind":0'; }
    until_true 100 settled "$1"
    local said
    said=$(verify "$1")
    [[ $said == *'"equal":true'*'"balanced":true,"behind":0'* ]]
    note "view $1 equals its contract" $? "$said"
}
for name in killed killed2 emptied emptied2 tight; do
    equal $name
    kill "${workers[$name]}"
    # It met its fault: connected again, or folded all of it once more.
    case $name in
    killed*) ended $name "${workers[$name]}" 130 ': 2[0-9][0-9][0-9][0-9] events*aborted, [1-9]* reconnects' ;;
    emptied*) ended $name "${workers[$name]}" 130 ': 2[0-9][0-9][0-9][0-9] events*, 0 reconnects' ;;
    *) ended $name "${workers[$name]}" 130 ': 20000 events*, [1-9]* aborted' ;;
    esac
done
equal demoted
equal evicting
equal locked
# Full for good: when its patience is over the worker gives up; nothing is lost.
ended full "${workers[full]}" 3 'Redis is full (OOM)*CONFIG SET maxmemory'
store full config set maxmemory 0 >/dev/null
row 0 ' events' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$(to full)" --until-end
equal full

verdict
