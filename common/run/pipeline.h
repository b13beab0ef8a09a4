/* common/run/pipeline.h - what a pipeline is to the bench: its processes, and how it heals.
 *
 * Filled once by lambda and once by kappa; bench walks the list and never asks which is which.
 * Commands are the same verbs that a user types, with {plan}, {healed} (the plan that takes late
 * events), {log}, {topic}, {view}, {archive}, {batch_every}, {commit}, {span} and {handover}
 * filled in by the bench. */
#ifndef LK_RUN_PIPELINE_H
#define LK_RUN_PIPELINE_H

#include "common/store/registry.h"

enum process_kind {
    PROCESS_SERVICE, /* runs until the end of the run */
    PROCESS_STEP,    /* runs to its end, then the next one begins */
};

struct pipeline_process {
    const char *name;    /* as the report calls it; NULL ends a list */
    const char *command; /* without "lk" */
    enum process_kind kind;
};

struct pipeline {
    const char *name;
    enum arch arch;
    const struct pipeline_process *processes; /* started together, before the first event */
    const struct pipeline_process *healing;   /* done in order late in the run; may be empty */
    bool batches;              /* its answers are right up to the last batch's boundary */
    const char *healing_story; /* how this architecture heals, for the report */
};

extern const struct pipeline pipeline_lambda; /* lambda/pipeline.c */
extern const struct pipeline pipeline_kappa;  /* kappa/pipeline.c */

#endif
