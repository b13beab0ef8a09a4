#!/bin/bash
# lk bench batch-kinds on a small archive: figures of all three kinds, and none where an answer differs.
. "$(dirname "$0")/kit.sh"
small=(bench batch-kinds --events 150000 --rounds 2 --late-share 0.02 --bucket 10s)
said=$("$lk" "${small[@]}" --json 2>&1)
jq -e '[.kinds[].kind] == ["full", "incremental", "by-time"] and (.kinds[1].events_read < .kinds[0].events_read)
    and (.kinds[2].stale_buckets > 0) and ([.kinds[].rows] | unique | length == 1)' >/dev/null 2>&1 <<<"$said"
note 'three kinds, equal answers' $? "$said"
needs_bugs
said=$(LK_BUG=base-twice "$bugs" "${small[@]}" 2>&1)
[ $? = 1 ] && [[ $said == *'incremental differs from full: no figure'* ]]
note 'an incremental batch that counts an event twice has no figure' $? "$said"
said=$(LK_BUG=stale-unseen "$bugs" "${small[@]}" 2>&1)
[ $? = 1 ] && [[ $said == *'by-time differs from full: no figure'* ]]
note 'a by-time batch that does not see late events has no figure' $? "$said"
verdict
