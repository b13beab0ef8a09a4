/* cmd/cmd.h - the verbs of lk, one function each, called by lk.c alone.
 *
 * A verb gets parsed settings, writes data to stdout and talk to stderr, and returns an exit status
 * (>= 0) or a negative code with err filled, which lk.c prints as "lk: TEXT" and turns into a status.
 * One file a verb or a family of verbs; lk.c holds the table that --help prints. settings_words are
 * what follows the verb's name; where one function serves a family (gen, dlq, bench), the second
 * word of the name comes first in them: "ads". */
#ifndef LK_CMD_CMD_H
#define LK_CMD_CMD_H

#include "common/base/settings.h"

extern const struct setting SETTINGS[]; /* settings_table.c */

/* Put what concerns Kafka's client (-X, --kafka-config, --log-debug) into the environment, where it
 * is read when a log is opened, by child processes too. */
int kafka_flags(const struct settings *settings, struct err *err);

typedef int cmd_function(const struct settings *settings, struct err *err);

cmd_function cmd_doctor;
cmd_function cmd_gen;   /* gen ads|flights|replay */
cmd_function cmd_topic; /* topic create|show|trim|delete */
cmd_function cmd_scan;
cmd_function cmd_plan_explain, cmd_plan_check, cmd_plan_diff;
cmd_function cmd_lambda_archive, cmd_lambda_batch, cmd_lambda_generations, cmd_lambda_retire,
    cmd_lambda_rollback, cmd_lambda_speed, cmd_lambda_verify;
cmd_function cmd_kappa_run, cmd_kappa_deploy, cmd_kappa_diff, cmd_kappa_promote, cmd_kappa_canary,
    cmd_kappa_rollback, cmd_kappa_retire, cmd_kappa_status;
cmd_function cmd_query, cmd_verify;
cmd_function cmd_compare, cmd_runbooks, cmd_evolve, cmd_drift, cmd_report;
cmd_function cmd_dlq;   /* dlq list|show|export */
cmd_function cmd_bench; /* bench scan|drain|batch|gen */

#endif
