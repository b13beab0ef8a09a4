/* bench/strike.h - one fault being done: to whom, and how it begins, lasts and ends. Inside faults.c and strike.c. */
#ifndef LK_BENCH_STRIKE_H
#define LK_BENCH_STRIKE_H

#include "bench/run.h"

enum { STRIKE_NAME_BYTES = 80 };

/* "kappa.run", "generator" */
void strike_name_of(const struct process *process, char out[STRIKE_NAME_BYTES]);
/* Every process of the run, n = 0, 1 ...; NULL ends it. side: whose, -1 of none alone. */
struct process *strike_process_at(struct run *run, int n, int *side);

int strike_begin(struct run *run, struct strike *strike, struct err *err);
/* 1 when the fault has done its work, 0 while it lasts. */
int strike_goes_on(struct run *run, struct strike *strike, struct err *err);
void strike_finish(struct run *run, struct strike *strike);
bool strike_is_under_way(const struct strike *strike);
/* Is a strike of this kind at work on the process? */
bool strike_holds(const struct run *run, enum fault_kind kind, const struct process *process);
/* tools/kafka VERB, its words in the work folder. */
int strike_use_tool(struct run *run, const char *verb, struct err *err);

#endif
