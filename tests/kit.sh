# tests/kit.sh - what the scripts of all folders share: a scratch folder, rows, notes, commands in the background, servers.
#
# Sourced from tests/<folder>/test_*.sh, or from the folder's own kit.sh. A row is a command, the exit status
# and words (a pattern) that must stand on stderr; where the status is 0, 1 or 4, what was asked for is on
# stdout, and the words may stand there, too. No row may print the password of our servers: row looks for it each
# time. Rows run in $work; the script itself runs in the root of the tree.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 3
lk=$PWD/lk
bugs=$PWD/build/bugs/lk # as $lk, with bugs to plant
flights=$PWD/workloads/plans/flights.json
work=$(mktemp -d) || exit 3
export TMPDIR=$work # what a program under test leaves behind goes with the rest
secret=open-sesame-41
passed=0 failed=0
started=() # processes that we started

# What a test mounts or stops must not stay behind.
finish() {
    local pid
    for pid in "${started[@]}"; do kill -CONT "$pid" 2>/dev/null; kill "$pid" 2>/dev/null; done
    wait
    if mountpoint -q "$work/small" 2>/dev/null; then umount "$work/small"; fi
    rm -rf "$work"
}
trap finish EXIT

note() { # WHAT CONDITION-STATUS [DETAIL]: one more fact that holds or does not
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'row: %s\n  does not hold: %s\n' "$1" "${3:-}"
    fi
}

row() { # STATUS PATTERN COMMAND...
    local status=$1 pattern=$2 said got
    shift 2
    said=$(cd "$work" && "$@" 2>&1 >"$work/stdout" </dev/null)
    got=$?
    [[ $got == [014] ]] && said+=$'\n'$(head -c 100000 "$work/stdout")
    # shellcheck disable=SC2053 # a pattern is meant
    if [ $got = "$status" ] && [[ $said == *$pattern* ]] && [[ $said != *"$secret"* ]] &&
        ! grep -qF "$secret" "$work/stdout"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'row: %s\n  expected exit %s and "%s"\n  got exit %s and:\n%s\n' "$*" "$status" "$pattern" $got "$said"
    fi
}

aloud() { "$@" >&2; } # COMMAND...: for a row about what a refused one has on stdout

# A background command whose end is awaited by `ended`: its words go to $work/NAME.said.
begin() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >"$work/$name.said" 2>&1 </dev/null &
    begun=$!
    started+=("$begun")
}

# The end of a begun command, as a row; where it does not end in a while, it is killed.
ended() { # NAME PID STATUS PATTERN
    local got said left=400
    while kill -0 "$2" 2>/dev/null && [ $((left -= 1)) -gt 0 ]; do sleep 0.1; done
    [ $left -gt 0 ] || kill -9 "$2"
    wait "$2" 2>/dev/null
    got=$?
    said=$(cat "$work/$1.said")
    # shellcheck disable=SC2053
    [ $got = "$3" ] && [[ $said == *$4* ]]
    note "$1 ends with $3 and \"$4\"" $? "exit $got: $said"
}

until_true() { # TENTHS COMMAND...: waits until the command succeeds
    local left=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ $((left -= 1)) -gt 0 ] || return 1
        sleep 0.1
    done
}

# A Redis of our own on a socket: $work/NAME, spoken to with `store NAME COMMAND`.
redis() { # NAME FLAGS...
    local name=$1
    shift
    mkdir -p "$work/$name.files"
    redis-server --port 0 --unixsocket "$work/$name" --save '' --dir "$work/$name.files" "$@" \
        >>"$work/$name.log" 2>&1 &
    redis_pid=$!
    started+=("$redis_pid")
    until_true 100 store "$name" ping || echo "redis $name does not come up: $(tail -3 "$work/$name.log")"
}
store() { # NAME COMMAND...
    redis-cli -s "$work/$1" "${@:2}"
}

needs() { # PROGRAM...: without them the script is left out
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "skip: there is no $program"; exit 0; }
    done
}

# The rest plants bugs: where the program for it is not built, the script ends here, and says so.
needs_bugs() {
    [ -x "$bugs" ] || { echo 'skip: build/bugs/lk is not built (make test builds it)'; verdict; }
}

verdict() { # the sum, which tests/run reads, and the exit status
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
