#!/bin/bash
# The scanner under libFuzzer for LK_FUZZ_SECONDS (10): no crash, no difference from jansson.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v clang >/dev/null || { echo 'skip: no clang, which brings libFuzzer'; exit 0; }
unset MAKEFLAGS # of the make that runs the tests: its job server is not ours
exec make -s fuzz FUZZ_SECONDS="${LK_FUZZ_SECONDS:-10}"
