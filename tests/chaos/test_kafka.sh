#!/bin/bash
# A seeded sample of the chaos test on a real broker: 60 cases, one in which brokers die and one in
# which generators do among them. All of it: make chaos.
cd "$(dirname "$0")/../.." || exit 3
program=build/bugs/tests/whole-chaos
[ -x $program ] || { echo "there is no $program; run: make tests"; exit 3; }
exec $program --kafka --lanes 3 --sample 60 --seed "${LK_CHAOS_SEED:-1}"
