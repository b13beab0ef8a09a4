#!/bin/bash
# tools/kafka as developers and tests meet it: what it says, its exit status, what is left behind.
. "$(dirname "$0")/kit.sh"
tool=$PWD/tools/kafka

here() { # DIR VERB...: for another directory
    LK_KAFKA_DIR=$work/$1 "$tool" "${@:2}"
}
topics() { broker tool topics --bootstrap-server "$brokers" "$@"; }

# Before anything exists.
row 2 'tools/kafka start' "$tool"
row 2 'no verb "stat"*tools/kafka start' "$tool" stat
row 0 'tools/kafka start' "$tool" --help
row 2 'found "--prot 29092"*tools/kafka start' here nothing start --prot 29092
row 3 'not running; nothing in ' here nothing status
row 0 'not running' here nothing stop
row 0 '' here nothing remove
row 3 'no tool "nope"; there are: configs ' here nothing tool nope

# A machine without java is told which package it is.
mkdir "$work/bin"
for program in bash dirname realpath sed sha256sum cut; do ln -s "$(command -v $program)" "$work/bin"; done
row 3 'java is missing; run: apt-get install ' env PATH="$work/bin" "$tool" jars

# Two starts at once make one broker, and both say where it is.
broker start >"$work/second" 2>&1 &
second=$!
broker_start
wait $second
[ "$(cat "$work/second")" = "$log" ]
note 'two starts at once make one broker' $? "$log and $(cat "$work/second")"
row 0 "running: $log, pid " broker status
row 0 "$log" broker start
row 3 "it runs on port ${brokers#*:}" broker start --port 29999
row 3 "port ${brokers#*:} of 127.0.0.1 is in use" here other start --port "${brokers#*:}"
row 3 'is no number from' here other start --port 80
row 3 'not running' here other status

# What was written survives a crash and an orderly end; the address stays.
row 0 'Created topic before' topics --create --topic before --partitions 3
row 0 '' broker kill
row 3 'not running; data in ' broker status
row 0 "$log" broker start
row 0 'before' topics --list
row 0 '' broker stop
row 0 'not running' broker stop

# A pid that now belongs to somebody else is not ours.
sleep 600 &
started+=($!)
echo $! >"$work/kafka/pid"
row 3 'not running; data in ' broker status
row 0 'not running' broker kill
kill -0 "${started[-1]}"
note 'a process with the pid of a dead broker is left alone' $?
row 0 '' broker remove
[ ! -e "$work/kafka" ]
note 'remove leaves nothing' $?

# A full disk is called one; with room again the same command starts.
small=$work/small
mkdir "$small"
if mount -t tmpfs -o size=300k tmpfs "$small" 2>/dev/null; then
    head -c 250k /dev/zero >"$small/fill"
    row 3 'the disk under * is full' here small/kafka start
    rm "$small/fill"
    mount -o remount,size=60m "$small"
    row 0 'kafka:127.0.0.1:' here small/kafka start
    row 0 '' here small/kafka remove
fi
verdict
