/* cmd/lambda_speed.c - `lk lambda speed`. */
#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "lambda/speed.h"

int cmd_lambda_speed(const struct settings *settings, struct err *err)
{
    return cmd_worker(settings, "lambda speed", settings_bool(settings, "until-end"),
                      lambda_speed_run, err);
}
