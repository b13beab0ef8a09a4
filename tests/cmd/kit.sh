# tests/cmd/kit.sh - what the scripts with a view share: a Redis of their own, at $work/redis.
#
# Sourced from tests/cmd/test_*.sh, on top of tests/kit.sh: `store redis COMMAND` speaks to it.
. "$(dirname "${BASH_SOURCE[0]}")/../kit.sh"
needs redis-server redis-cli jq
redis redis
