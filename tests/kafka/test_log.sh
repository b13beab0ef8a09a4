#!/bin/bash
# The Kafka filling of log.h, held against a real broker: the Criterion program of this folder's *.c.
. "$(dirname "$0")/kit.sh"
broker_start
LK_TEST_KAFKA=$log build/release/tests/whole-kafka
