# tests/kafka/kit.sh - what the scripts of this folder share: one real broker of their own.
#
# Sourced from tests/kafka/test_*.sh, on top of tests/kit.sh (rows, notes, servers, $lk,
# $work). Where there is no broker to be had (no java, no Maven, no network for the jars) the script
# is left out and says why; tests/run counts it.
#
#   broker_start      sets $brokers (127.0.0.1:PORT) and $log (kafka:127.0.0.1:PORT)
#   broker VERB ...   tools/kafka for it: broker kill, broker start, broker tool topics ...
. "$(dirname "${BASH_SOURCE[0]}")/../kit.sh"
unset LK_KAFKA_DIR "${!LK_KAFKA_@}" # no setting of the caller's reaches our clients

tools=$PWD/tools
broker() { LK_KAFKA_DIR=$work/kafka "$tools/kafka" "$@"; }

broker_start() {
    local said
    said=$(broker jars 2>&1) || { echo "skip: $(tail -n 1 <<<"$said")"; exit 0; }
    log=$(broker start) || { echo 'no broker starts (see above)'; exit 1; }
    brokers=${log#kafka:}
}

# The broker outlives an interrupt of ours unless we end it.
trap 'broker remove 2>/dev/null; finish' EXIT
trap 'exit 130' INT TERM
