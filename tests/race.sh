#!/bin/bash
# Every verb that has threads, under ThreadSanitizer: make tsan. (Criterion aborts under it.)
#   tests/race.sh LK     LK: the program built with -fsanitize=thread
set -u
lk=$(realpath "$1")
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
export TSAN_OPTIONS='halt_on_error=1 exitcode=66'
passed=0 failed=0

clean() { # WORDS...: ends well, and no race was seen
    if "$lk" "$@" >said 2>&1 </dev/null; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'lk %s: exit %s\n' "$*" $?
        head -n 60 said
    fi
}

clean gen ads --events 20000 --seed 7 --rate max --log embedded:log --topic ads --partitions 4 --tables .
clean lambda archive --log embedded:log --topic ads --archive archive --until-end
clean kappa run --plan ads.json --log embedded:log --topic ads --view memory:race --workers 4 --until-end
clean lambda speed --plan ads.json --log embedded:log --topic ads --view memory:race --workers 4 --until-end
clean lambda batch --plan ads.json --archive archive --view memory:race --workers 4
clean lambda batch --plan ads.json --archive archive --view memory:race --workers 4 --memory 1MiB
clean compare ads --count 5000 --rate 1000 --batch-every 1s --out out

echo "$passed passed, $failed failed"
[ $failed = 0 ]
