# tests/bench/kit.sh - what the scripts of this folder share: one long run at a time, and facts about what it said.
#
# Sourced from tests/bench/test_*.sh, on top of tests/kit.sh.
. "$(dirname "${BASH_SOURCE[0]}")/../kit.sh"
needs redis-server jq

told() { timeout 120 "$@" >"$work/said" 2>&1 </dev/null; } # PROGRAM VERB...: what it says goes to $work/said
fact() { note "$1" "$2" "$(tail -n 30 "$work/said")"; }    # WHAT STATUS-OF-THE-CHECK, about the run before
# JQ: on the JSON in what was told, which begins at a line of its own
holds() { sed -n '/^[[{]/,$p' "$work/said" | jq -e "$1" >/dev/null; }

tags_match() { # FILE: what is opened is closed
    local tag
    for tag in section table thead tbody tr details pre dl script style svg; do
        [ "$(grep -oE "<$tag[ >]" "$1" | wc -l)" = "$(grep -o "</$tag>" "$1" | wc -l)" ] || return 1
    done
    [ "$(tail -c 15 "$1")" = '</body></html>' ]
}
names_stand() { # DIR: of what was measured or checked, in the page
    local name
    jq -r '(.metrics + .checks)[].name, (.tables // [])[].title' "$1/run.json" | sed "s/&/\&amp;/g; s/'/\&#39;/g" >"$work/names"
    [ -s "$work/names" ] || return 1
    while read -r name; do grep -qF -- "$name" "$1/report.html" || return 1; done <"$work/names"
}
# DIR: the report that a run ended in
page_facts() {
    tags_match "$1/report.html"
    fact 'the page is whole' $?
    ! grep -qE ' src=|<link|<img|<iframe|@import|fetch\(' "$1/report.html"
    fact 'the page asks for nothing' $?
    names_stand "$1"
    fact 'what was measured and checked stands in it' $?
    cp "$1/report.html" "$work/first.html" && "$lk" report "$1" 2>/dev/null && cmp -s "$work/first.html" "$1/report.html"
    fact 'lk report builds it again, byte for byte' $?
}
