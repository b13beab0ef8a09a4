#!/bin/bash
# More cells than memory, in small: every row is right, and a worker that forgets to read again what it let go
# is found out.
. "$(dirname "$0")/kit.sh"

keys() { told "$1" bench keys --memory 1MiB "${@:2}"; } # LK FLAGS...

keys "$lk" --keys 20000 --windows 2
fact 'every row of 20,000 keys in 2 windows is right, of a version, of its next one and of a batch' $?
needs_bugs
LK_BUG=new-window keys "$bugs" --keys 20000 --windows 2
[ $? = 1 ] && grep -q 'is not its count: no figure' "$work/said"
fact 'cells that left memory and are not read again are seen' $?

verdict
