# tests/bench/kit.sh - what the scripts of this folder share: one long run at a time, and facts about what it said.
#
# Sourced from tests/bench/test_*.sh, on top of tests/kit.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../kit.sh"
needs redis-server jq

told() { timeout 120 "$@" >"$work/said" 2>&1 </dev/null; } # PROGRAM VERB...: what it says goes to $work/said
fact() { note "$1" "$2" "$(tail -n 30 "$work/said")"; }    # WHAT STATUS-OF-THE-CHECK, about the run before
# JQ: on the JSON in what was told, which begins at a line of its own
holds() { sed -n '/^[[{]/,$p' "$work/said" | jq -e "$1" >/dev/null; }
