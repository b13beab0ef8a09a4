/* common/run/pipeline.h - what a pipeline is to the bench: its processes, and how it heals.
 *
 * Filled once by lambda and once by kappa; bench walks the list and never asks which is which.
 * Commands are the same verbs that a user types, with {plan}, {healed} (the plan that takes late
 * events), {log}, {topic}, {view}, {archive}, {batch_every}, {commit} and {span} filled in by the
 * bench. */
#ifndef LK_RUN_PIPELINE_H
#define LK_RUN_PIPELINE_H

#include "common/store/registry.h"

struct pipeline_process {
    const char *name;    /* as the report calls it */
    const char *command; /* without "lk" */
    bool victim;         /* a run with faults kills one of these with SIGKILL and starts it again */
};

struct pipeline {
    const char *name;
    enum arch arch;
    const struct pipeline_process
        *processes; /* started together, run until the end; ends with name NULL */
    /* Once the events are out: each run to its end, in order; then the view must equal truth. */
    const struct pipeline_process *healing; /* ends with name NULL */
    const char *healing_story;              /* "a batch over the archive, as every ... before" */
};

extern const struct pipeline pipeline_lambda; /* lambda/pipeline.c */
extern const struct pipeline pipeline_kappa;  /* kappa/pipeline.c */

#endif
