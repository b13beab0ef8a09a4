#!/bin/bash
# docker-compose.yml for real: the images are built and run, containers are killed, a cell is spoilt.
#
# The official images, or, where this machine cannot pull, images under their names made by a folder of stand-ins
# beside the repository (its `up` also starts dockerd, which stays running, as do the images). Containers,
# volumes and networks are of a project of this test's own and are removed, also after an interrupt; the
# image lk:test stays, as build/ does.
set -u
cd "$(dirname "$0")/../.." || exit 3
standins=$PWD/../shared/standins
work=$(mktemp -d) || exit 3
passed=0 failed=0
unset "${!LK_@}"
export COMPOSE_PROJECT_NAME=lk-test-$$ COMPOSE_FILE=$PWD/docker-compose.yml COMPOSE_HTTP_TIMEOUT=180 LK_IMAGE=lk:test
export DOCKER_BUILDKIT=0 # Debian's docker has no other builder
export LK_OUT=$work/out COMPOSE_PROFILES=core
up=

down() { docker-compose --profile core --profile scale down -v -t 3 --remove-orphans >"$work/down.log" 2>&1; }
finish() {
    local left
    left=$(jobs -p)
    # shellcheck disable=SC2086 # several words
    [ -z "$left" ] || { kill $left && wait; } 2>/dev/null # it would go on creating what down removes
    [ -z "$up" ] || down || { echo "cannot clean up project $COMPOSE_PROJECT_NAME:"; cat "$work/down.log"; }
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

skip() { echo "skip: $*"; exit 0; }
fact() { # WHAT CONDITION-STATUS [FILE to show]
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
        printf '%4d s  %s\n' $SECONDS "$1"
    else
        failed=$((failed + 1))
        printf '%4d s  does not hold: %s\n' $SECONDS "$1"
        [ $# -lt 3 ] || tail -n 60 "$3"
    fi
}
# In the background, so that an interrupt need not wait for its end.
quietly() { # LOG COMMAND...
    local log=$1
    shift
    "$@" >"$log" 2>&1 </dev/null &
    wait $!
}
free_port() { # FROM
    local port=$1
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

# --- what it takes

prepare() {
    [ "$(id -u)" = 0 ] || skip 'compose needs root, to talk to dockerd and to kill containers from outside'
    if [ -x "$standins/up" ]; then
        # What is copied into an image keeps its modes: a read-only folder would make a Kafka that cannot start.
        cp -r "$standins" "$work/standins" && chmod -R u+w "$work/standins"
        quietly "$work/up.log" "$work/standins/up" || skip "images cannot be made here: $(tail -n 1 "$work/up.log")"
        grep 'starting dockerd' "$work/up.log"
    fi
    command -v docker-compose >/dev/null || skip 'there is no docker-compose'
    docker info >/dev/null 2>&1 || skip 'no dockerd answers'
}

# --- steps

# The report of a profile, run to its end; its words in $work/NAME.log.
report() { # NAME SERVICE
    up=yes
    quietly "$work/$1.log" docker-compose run --rm "$2"
}
said() { grep -qF -- "$2" "$work/$1.log"; }                     # NAME WORDS
container() { docker-compose ps -q "$1" 2>/dev/null | head -n 1; } # SERVICE
# SIGKILL from outside, as the kernel's memory killer would: docker kill counts as a wish to stop.
slay() { kill -9 "$(docker inspect -f '{{.State.Pid}}' "$(container "$1")")"; }
restarts() { docker inspect -f '{{.RestartCount}}' "$(container "$1")"; }
folded() { # events that kappa has committed
    local next
    next=$(docker exec "$(container kappa)" lk kappa status --json 2>/dev/null | sed -n 's/.*"next":\[\(.*\)\].*/\1/p')
    echo $((${next//,/+}))
}
until_folded() { # EVENTS
    local left=300 now=
    until now=$(folded) && [ "$now" -ge "$1" ]; do
        [ $((left -= 1)) -gt 0 ] || return 1
        sleep 0.5
    done
}

accepted() {
    local profile
    for profile in core scale; do
        COMPOSE_PROFILES=$profile quietly "$work/config.log" docker-compose config -q
        fact "docker-compose accepts profile $profile" $? "$work/config.log"
        docker compose version >/dev/null 2>&1 || continue
        COMPOSE_PROFILES=$profile quietly "$work/config.log" docker compose config -q
        fact "Compose v2 accepts profile $profile" $? "$work/config.log"
    done
    docker-compose config | grep -E '^ +- .*:[0-9]+/?(tcp)?$' >"$work/ports"
    [ -s "$work/ports" ] && ! grep -v '127\.0\.0\.1:' "$work/ports"
    fact 'every port is published on 127.0.0.1 alone' $?
}

ends_well() { # NAME STATUS
    fact "$1: the report ends in 0" "$2" "$work/$1.log"
    said "$1" 'lambda: the last read equals truth (32850 rows, 0 differ)' &&
        said "$1" 'kappa: the last read equals truth (32850 rows, 0 differ)'
    fact "$1: both pipelines are exact" $? "$work/$1.log"
    [ -s "$LK_OUT/report.html" ] && grep -q '"pass": true' "$LK_OUT/result.json"
    fact "$1: report.html and result.json are left behind" $?
    rm -rf "$LK_OUT"
}

core() {
    LK_SPEED=60480 report core report
    local status=$?
    said core 'freshness p50'
    fact 'core: the table is printed' $? "$work/core.log"
    ends_well core $status
    # A user who wants the files to be their own.
    mkdir -p "$LK_OUT" && chown 1000:1000 "$LK_OUT"
    LK_REPORT_USER=1000:1000 report again report
    status=$?
    [ "$(stat -c %u "$LK_OUT/report.html")" = 1000 ]
    fact 'again: the files are of the user that LK_REPORT_USER names' $?
    ends_well again $status
    # The check can fail: a row of kappa's is taken away.
    local redis key field
    redis=$(container redis)
    key=$(docker exec "$redis" redis-cli --scan --pattern 'lk:{*.k1:*}:k:*' | grep -v ':bad$' | sort | head -n 1)
    field=$(docker exec "$redis" redis-cli hkeys "$key" | head -n 1)
    [ "$(docker exec "$redis" redis-cli hdel "$key" "$field")" = 1 ]
    fact 'a cell of kappa is taken away' $?
    report spoilt report
    [ $? = 1 ] && said spoilt 'FAILED  kappa: every whole read equals its contract' &&
        said spoilt 'ok      lambda: every whole read equals its contract'
    fact 'a report on a spoilt view ends in 1 and names it' $? "$work/spoilt.log"
    down
}

killed() {
    up=yes
    LK_SPEED=30240 quietly "$work/up.log" docker-compose up -d
    fact 'up -d starts profile core' $? "$work/up.log"
    until_folded 30000 && slay generator && until_folded 60000 && slay kappa && until_folded 90000 && slay kafka && [ "$(folded)" -lt 228738 ]
    fact 'generator, kappa and kafka are killed in the middle' $? "$work/up.log"
    quietly "$work/status" docker wait "$(container report)"
    docker-compose logs --no-color report >"$work/killed.log" 2>&1
    [ "$(restarts generator)" -ge 1 ] && [ "$(restarts kappa)" -ge 1 ] && [ "$(restarts kafka)" -ge 1 ]
    fact 'all three were restarted' $?
    ends_well killed "$(cat "$work/status")"
    down
}

scaled() {
    COMPOSE_PROFILES=scale LK_SPEED=60480 LK_SCALE=2 report scale report-scale
    ends_well scale $?
    COMPOSE_PROFILES=scale docker-compose ps >"$work/ps.log" 2>&1
    [ "$(grep -c 'kappa-group.* Up ' "$work/ps.log")" = 2 ]
    fact 'scale: two workers of kappa are up' $? "$work/ps.log"
}

prepare
KAFKA_PORT=$(free_port 29092) REDIS_PORT=$(free_port 26379)
export KAFKA_PORT REDIS_PORT
accepted
up=yes
quietly "$work/build.log" docker-compose build setup
fact 'the image is built' $? "$work/build.log"
[ "$(docker inspect -f '{{.Config.User}}' $LK_IMAGE)" = lk ]
fact 'its user is not root' $?
core
killed
COMPOSE_PROFILES=scale scaled
echo "$passed passed, $failed failed"
[ $failed = 0 ]
