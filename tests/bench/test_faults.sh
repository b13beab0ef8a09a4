#!/bin/bash
# Faults as a user asks for them: every built-in schedule that an embedded log allows and a file of one's own, each
# on a short run that must end exact; mistakes; and wrong data, which no fault excuses.
#
# Runs go side by side: nothing here looks at how long anything takes. A failure is repeated by the command
# that is printed with it.
. "$(dirname "$0")/../kit.sh"
needs redis-server redis-cli jq

run() { # NAME FAULTS [FLAGS...]: begins a comparison; its words go to $work/NAME.said
    local name=$1 faults=$2
    shift 2
    begin "$name" "$lk" compare ads --count 45000 --rate 5000 --batch-every 2s --seed 7 --faults "$faults" \
        --out "$work/$name" "$@"
    pids[$name]=$begun
}
declare -A pids=()

holds() { # NAME FACT JQ: on run.json
    jq -e "$3" "$work/$1/run.json" >/dev/null 2>&1
    note "$1: $2" $? "lk compare ads --count 45000 --rate 5000 --batch-every 2s --seed 7, see $1: $(
        jq -c '.faults, .history, [.checks[] | select(.pass | not)]' "$work/$1/run.json" 2>&1 | cut -c1-3000)"
}

# Everything that the built-in ones do not do, at once: exact and seeded events, always, cut connections, orderly
# ends, the generator too, and a command.
cat >"$work/mine.json" <<J
[{"at": 9000, "do": "disconnect", "to": "*.redis", "for": "300ms"},
 {"at": 12000, "do": "kill", "to": "generator", "for": "700ms"},
 {"at": "40%..45%", "do": "restart", "to": ["kappa.*", "lambda.*"], "for": "500ms"},
 {"at": 27000, "do": "command", "to": "kappa.run", "command": "touch '$work/struck'; sleep 0.5"},
 {"at": 29000, "do": "kill", "to": ["lambda.archive", "lambda.batch"]},
 {"at": 31000, "do": "kill", "to": "*.redis", "appendfsync": "always"}]
J

# Somebody writes into the store behind the worker's back: it says 4.
cat >"$work/harm" <<'S'
for p in /proc/[0-9]*; do
    [ "$(readlink "$p/cwd")" = "$1" ] || continue
    port=$(tr '\0' ' ' <"$p/cmdline" | sed -n 's/.*:\([0-9][0-9]*\).*/\1/p')
    for key in $(redis-cli -p "$port" --scan --pattern '*pos*'); do
        redis-cli -p "$port" hset "$key" next 1
    done
done
S
echo '[{"at": "30%", "do": "command", "to": "kappa.run", "command": "sh '"$work/harm $work/harmed/work/kappa/redis"'"}]' >"$work/harm.json"

run redis kills,redis-restart
run pause pause
run disk disk-full
run mine "$work/mine.json"
run harmed "$work/harm.json"
run none none

ended redis "${pids[redis]}" 0 'passed; report: '
holds redis 'both Redis and a worker of each were killed' \
    '[.history[] | select(.fate | contains("SIGKILL")) | .name] | sort == ["redis", "redis", "run", "speed"]'
holds redis 'every fault has its time and its recovery' \
    '(.faults | length) == 3 and all(.faults[]; .until_s >= .t_s and (.recovery_ms | length) > 0 and all(.recovery_ms[]; . >= 0))'
ended pause "${pids[pause]}" 0 'passed; report: '
holds pause 'all that was stopped went on, and none was started anew' \
    '(.faults | length) == 3 and all(.faults[]; .until_s - .t_s >= 1.5) and ([.history[] | select(.name == "run")] | length) == 1'
ended disk "${pids[disk]}" 0 'passed; report: '
holds disk 'who found no room said so, ended with 3 and was started again' \
    '([.faults[].gave_up] | add) > 0 and any(.history[]; .fate | test("^exit 3: .*(cannot write|MISCONF)"))'
holds disk 'the archive was among them' 'any(.history[]; .name == "archive" and (.fate | startswith("exit 3: ")))'
ended mine "${pids[mine]}" 0 'passed; report: '
holds mine 'all six faults struck, in the order of their events' \
    '[.faults[].what] == ["cut off", "kill", "restart", "command", "kill", "kill"] and ([.faults[].event] | . == sort)'
holds mine 'the generator was killed and went on behind what it had said' \
    '[.history[] | select(.name == "generator") | .fate] == ["killed by us (SIGKILL)", "ran to its end"]'
holds mine 'an orderly end is one' 'any(.history[]; .name == "run" and .fate == "stopped by us")'
[ -e "$work/struck" ]
note 'the command ran' $?
grep -q '<section id="faults">' "$work/mine/report.html" && grep -q 'touch &#39;' "$work/mine/report.html"
note 'the report shows faults and command' $?
ended harmed "${pids[harmed]}" 1 'kappa: run ended by itself: exit 4: '
ended none "${pids[none]}" 0 'passed; report: '
holds none 'nothing was struck' '.faults == [] and ([.history[] | select(.fate | contains("SIGKILL"))] | length) == 0'
! grep -q '<section id="faults">' "$work/none/report.html"
note 'a report without faults has no such part' $?

# Mistakes are found before anything is started.
row 0 'redis-restart: SIGKILL of both Redis' "$lk" compare ads --faults list
row 2 'an embedded log has no broker; that takes --log kafka:HOST:PORT' "$lk" compare ads --faults broker-restart
row 2 '"kils" is no built-in schedule (none, kills, handover-kills, redis-restart, broker-restart, pause, disk-full) and no file' \
    "$lk" compare ads --faults kils
echo '[{"at": 45000, "do": "kill", "to": "kappa.run"}]' >"$work/late.json"
row 2 'late.json: $\[0\].at: found 45000, expected a number below 45000' "$lk" compare ads --count 45000 --faults late.json
echo '[{"at": "x", "do": "kill", "to": "kapa.run", "fro": 1}]' >"$work/bad.json"
row 2 'bad.json: $\[0\].at: found "x"*$\[0\].to: found "kapa.run", expected lambda.archive*$\[0\].fro: found 1*3 mistakes' \
    "$lk" compare ads --faults bad.json
row 2 '"nowhere.json" is no built-in' "$lk" compare ads --faults kills,nowhere.json
row 2 '--log: found "embedded:x", expected kafka:' "$lk" compare ads --log embedded:x
row 2 '--keep-topic is for --log kafka:' "$lk" compare ads --keep-topic

# A fault that meets nobody is no fault, and the run says so.
echo '[{"at": 10, "do": "kill", "to": "kappa.promote"}]' >"$work/nobody.json"
row 1 '' "$lk" compare ads --count 10000 --rate 5000 --batch-every 2s --faults nobody.json --out nobody
holds nobody 'nobody was there to be struck' \
    'any(.checks[]; .name == "every fault struck somebody" and (.pass | not))'

verdict
