# tests/cmd/kit.sh - what the scripts with a view share: a scratch folder, a Redis in it, rows.
#
# Sourced from tests/cmd/test_*.sh. A row: status | words that must be said (a pattern) | command.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 3
command -v redis-server redis-cli >/dev/null || { echo "skip: there is no redis-server"; exit 0; }
lk=$PWD/lk
work=$(mktemp -d) || exit 3
redis-server --port 0 --unixsocket "$work/redis" --save '' --appendonly no --dir "$work" >"$work/redis.log" &
redis=$!
trap 'kill $redis; wait; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -S "$work/redis" ] && break; sleep 0.05; done
passed=0 failed=0

row() { # STATUS PATTERN COMMAND...
    local status=$1 pattern=$2 said got
    shift 2
    said=$("$@" 2>&1 </dev/null)
    got=$?
    # shellcheck disable=SC2053 # a pattern is meant
    if [ $got = "$status" ] && [[ $said == *$pattern* ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'row: %s\n  expected exit %s and "%s"\n  got exit %s and:\n%s\n' "$*" "$status" "$pattern" $got "$said"
    fi
}
