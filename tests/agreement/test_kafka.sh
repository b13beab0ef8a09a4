#!/bin/bash
# Random cases of the agreement test with their logs on a real broker, and its scenes.
#   test_kafka.sh [FLAGS of whole-agreement]; LK_AGREEMENT_KAFKA_CASES says how many cases [30]
# A case takes some seconds, nearly all of it waiting for answers: so several are played at once.
. "$(dirname "$0")/../kafka/kit.sh"
program=build/bugs/tests/whole-agreement
[ -x $program ] || { echo "there is no $program; run: make tests"; exit 3; }
broker_start
$program --broker "$log" --cases "${LK_AGREEMENT_KAFKA_CASES:-30}" --jobs 6 "$@"
