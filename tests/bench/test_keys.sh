#!/bin/bash
# More cells than memory, in small: every row is right, and a worker that forgets to read again what it let go
# is found out.
set -u
cd "$(dirname "$0")/../.."
command -v redis-server >/dev/null || { echo "skip: there is no redis-server"; exit 0; }
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
export TMPDIR=$work
passed=0 failed=0

fact() { # NAME STATUS-OF-THE-CHECK
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'not so: %s\n' "$1"
        cat "$work/said"
    fi
}

keys() { # LK FLAGS...
    timeout 120 "$1" bench keys --memory 1MiB "${@:2}" >"$work/said" 2>&1 </dev/null
}

keys ./lk --keys 20000 --windows 2
fact 'every row of 20,000 keys in 2 windows is right, of a version, of its next one and of a batch' $?
LK_BUG=new-window keys build/bugs/lk --keys 20000 --windows 2
[ $? = 1 ] && grep -q 'is not its count: no figure' "$work/said"
fact 'cells that left memory and are not read again are seen' $?

echo "$passed passed, $failed failed"
[ $failed = 0 ]
