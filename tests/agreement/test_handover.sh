#!/bin/bash
# lambda handed over by event time, two slots and naively, each against its own oracle; 500 cases of each:
# LK_AGREEMENT_HANDOVER_CASES=500 tests/agreement/test_handover.sh
set -eu
cd "$(dirname "$0")/../.."
failed=0
for mode in two-slot naive event-time; do
    echo "hand-over $mode:"
    build/bugs/tests/whole-agreement --handover $mode --cases "${LK_AGREEMENT_HANDOVER_CASES:-80}" || failed=1
done
exit $failed
