#!/bin/bash
# lk's manners: which exit status, what is said where. A row: status | words that must be said | command.
. "$(dirname "$0")/../kit.sh"

row 2 'usage: lk VERB' "$lk"
row 0 'usage: lk VERB' "$lk" --help
row 0 'lk 0.' "$lk" --version
row 0 '| `--view` | `LK_VIEW` |' "$lk" --settings
row 2 'no verb "deploy"' "$lk" deploy
row 2 'lk gen needs one word more' "$lk" gen
row 2 'there is no verb "gen elephants"; lk gen has' "$lk" gen elephants
row 0 'lk gen replay' "$lk" gen --help
row 0 '--topic' "$lk" gen ads --help
row 0 'what is installed' "$lk" doctor --help
row 2 'has no flag --topic' "$lk" doctor --topic x
row 2 'did you mean --view' "$lk" doctor --veiw x
row 0 '--kafka-config' "$lk" gen ads --help
row 2 'has no flag --kafka-config' "$lk" scan --kafka-config x # it meets no Kafka
row 3 'fix: start one: redis-server --port 1' aloud "$lk" doctor --view redis://127.0.0.1:1
row 3 'fix: sudo install -d' aloud "$lk" doctor --archive /proc/1/nowhere/x
row 3 '"ok":false' aloud "$lk" doctor --json --view redis://127.0.0.1:1
row 3 'there is no file none.jsonl' "$lk" scan a none.jsonl
row 2 'holds no run' "$lk" report "$work"
row 2 'expected: lk report DIR' "$lk" report
row 2 'LK_FAULT=x: expected point:nth' env LK_FAULT=x "$lk" doctor
row 3 'cannot write the output' bash -c "'$lk' --help >/dev/full"

row 130 'interrupted' timeout --preserve-status -s INT 1 "$lk" bench scan # a loop of its own, without processes

# Talk goes to stderr, so that data can be piped.
row 0 '' bash -c "[ -z \"\$('$lk' nonsense 2>/dev/null)\" ]"

# The page of settings is the table of settings (else: make docs).
row 0 '' diff <("$lk" --settings) <(grep '^|' docs/settings.md)

verdict
