#!/bin/bash
# A Redis that is away, locked, a replica, evicting, or no Redis at all: every verb says so, writes
# nothing, and with the fault gone finishes with a view that equals its contract.
# Faults in the middle of a run are in test_lost.sh.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli perl

plan=(--plan "$flights")
log=(--log "embedded:$work/log" --topic flights)
"$lk" gen flights "${log[@]}" --events 20000 --partitions 2 2>/dev/null
to() { printf '%s\n' "redis+unix:$work/$1"; }
equal() { # NAME [--from lambda]: the view there equals its contract and has read all
    row 0 '"equal":true*"balanced":true,"behind":0' "$lk" verify "${plan[@]}" "${log[@]}" --view "$(to "$1")" --from "${2:-kappa}" --json
}
empty() { # NAME: nothing of ours was written there
    local keys
    keys=$(store "$1" --scan --pattern 'lk:*')
    [ -z "$keys" ]
    note "nothing was written into $1" $? "$keys"
}
# Every verb that talks to Redis says the same.
each_verb() { # STATUS PATTERN [VARIABLE=VALUE]
    local view
    view=(--view "$uri")
    row "$1" "$2" env "${@:3}" "$lk" kappa run "${plan[@]}" "${log[@]}" "${view[@]}" --until-end
    row "$1" "$2" env "${@:3}" "$lk" kappa deploy "${plan[@]}" "${log[@]}" "${view[@]}"
    row "$1" "$2" env "${@:3}" "$lk" kappa diff "${plan[@]}" "${view[@]}"
    row "$1" "$2" env "${@:3}" "$lk" kappa promote "${plan[@]}" "${view[@]}"
    row "$1" "$2" env "${@:3}" "$lk" kappa status "${plan[@]}" "${view[@]}"
    row "$1" "$2" env "${@:3}" "$lk" lambda speed "${plan[@]}" "${log[@]}" "${view[@]}" --until-end
    row "$1" "$2" env "${@:3}" "$lk" lambda batch "${plan[@]}" --archive "$work/archive" "${view[@]}"
    row "$1" "$2" env "${@:3}" "$lk" query "${plan[@]}" "${view[@]}" --from lambda
    row "$1" "$2" env "${@:3}" "$lk" verify "${plan[@]}" "${log[@]}" "${view[@]}" --from kappa
    row "$1" "$2" env "${@:3}" "$lk" dlq list "${plan[@]}" "${view[@]}" --from kappa
    row 3 '' env "${@:3}" "$lk" doctor "${view[@]}"
}
"$lk" lambda archive "${log[@]}" --archive "$work/archive" --until-end >/dev/null

# Addresses.
row 2 'view: expected redis://*:PASSWORD@*HOST:PORT' "$lk" query "${plan[@]}" --from kappa --view redis://somewhere
row 2 'view: expected redis://*or redis+unix:PATH' "$lk" query "${plan[@]}" --from kappa --view "postgres://:$secret@host"
row 2 'found redis://host:port' "$lk" query "${plan[@]}" --from kappa --view "redis://:$secret@host:port"

# Nobody there; somebody else there.
uri=$(to none)
each_verb 3 "no Redis at $work/none (No such file or directory); start one: redis-server --unixsocket $work/none"
perl -MIO::Socket::INET -e '
    $| = 1;
    my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
    print $s->sockport, "\n";
    while (my $c = $s->accept) { print $c "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"; close $c }' >"$work/port" &
started+=($!)
until_true 50 test -s "$work/port"
uri=redis://127.0.0.1:$(cat "$work/port")
each_verb 3 "${uri#redis://} answers, but not as Redis does"

# A password: wanted, wrong, right; and never shown, by any row.
export REDISCLI_AUTH=$secret
redis locked --requirepass "$secret"
uri=$(to locked)
each_verb 3 'wants a password; set LK_REDIS_PASSWORD'
each_verb 3 'refuses the password; put the right one into LK_REDIS_PASSWORD' LK_REDIS_PASSWORD=wrong
empty locked
export LK_REDIS_PASSWORD=$secret
row 0 '20000 events' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$uri" --until-end
equal locked
row 0 'ok     view' "$lk" doctor --view "$uri"
row 0 '' "$lk" kappa status "${plan[@]}" --view "$uri"
unset LK_REDIS_PASSWORD
row 3 'no Redis at 127.0.0.1:1 (' "$lk" kappa status "${plan[@]}" --view "redis://:$secret@127.0.0.1:1"
store locked shutdown nosave
unset REDISCLI_AUTH

# A replica, and a server that may forget.
redis other
redis replica --replicaof 127.0.0.1 1
uri=$(to replica)
each_verb 3 'is a replica: a view needs the master; give its address by --view'
store replica shutdown nosave
store other config set maxmemory-policy allkeys-lru >/dev/null
uri=$(to other)
each_verb 3 "may evict keys (maxmemory-policy allkeys-lru)*redis-cli -s $work/other CONFIG SET maxmemory-policy noeviction"
empty other
store other config set maxmemory-policy noeviction >/dev/null
row 0 '20000 events' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$uri" --until-end
equal other

# Too small for a batch: nothing of it is published, and with more memory it is.
redis tight
store tight config set maxmemory "$(($(store tight info memory | sed -nE 's/^used_memory:([0-9]+).*/\1/p') + 100000))" >/dev/null
uri=$(to tight)
row 3 'Redis is full (OOM*memory*' "$lk" lambda batch "${plan[@]}" --archive "$work/archive" --view "$uri"
store tight config set maxmemory 1 >/dev/null
row 3 'Redis is full (OOM*CONFIG SET maxmemory' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$uri" --until-end --patience 300ms
store tight config set maxmemory 0 >/dev/null
row 0 'published' "$lk" lambda batch "${plan[@]}" --archive "$work/archive" --view "$uri"
equal tight lambda
row 0 '20000 events' "$lk" kappa run "${plan[@]}" "${log[@]}" --view "$uri" --until-end
equal tight

verdict
