/* cmd/drift.c - `lk compare drift`: one line differs between lambda's two layers. */
#include "bench/drift.h"

#include "cmd/cmd.h"

int cmd_drift(const struct settings *settings, struct err *err)
{
    const struct drift_options options = {
        .out = settings_text(settings, "out"),
        .only = settings_text(settings, "only"),
        .hours = (int)settings_int(settings, "hours"),
        .batch_hours = (int)settings_int(settings, "batch-hours"),
        .json = settings_bool(settings, "json"),
    };
    return drift_run(&options, stdout, err);
}
