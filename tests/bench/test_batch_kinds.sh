#!/bin/bash
# lk bench batch-kinds on a small archive: figures of all three kinds, and none where an answer differs.
cd "$(dirname "$0")/../.." || exit 3
passed=0 failed=0
note() { # FACT STATUS SAID
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s:\n%s\n' "$1" "$3"
    fi
}
small=(bench batch-kinds --events 150000 --rounds 2 --late-share 0.02 --bucket 10s)
said=$(./lk "${small[@]}" --json 2>&1)
jq -e '[.kinds[].kind] == ["full", "incremental", "by-time"] and (.kinds[1].events_read < .kinds[0].events_read)
    and (.kinds[2].stale_buckets > 0) and ([.kinds[].rows] | unique | length == 1)' >/dev/null 2>&1 <<<"$said"
note 'three kinds, equal answers' $? "$said"
if [ -x build/bugs/lk ]; then
    said=$(LK_BUG=base-twice build/bugs/lk "${small[@]}" 2>&1)
    [ $? = 1 ] && [[ $said == *'incremental differs from full: no figure'* ]]
    note 'an incremental batch that counts an event twice has no figure' $? "$said"
    said=$(LK_BUG=stale-unseen build/bugs/lk "${small[@]}" 2>&1)
    [ $? = 1 ] && [[ $said == *'by-time differs from full: no figure'* ]]
    note 'a by-time batch that does not see late events has no figure' $? "$said"
fi
echo "$passed passed, $failed failed"
[ $failed = 0 ]
