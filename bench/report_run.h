/* bench/report_run.h - a run.json as it is begun, filled in and written, by all who measure.
 *
 * The shape stands in report.h. Objects are jansson's; one thread. */
#ifndef LK_BENCH_REPORT_RUN_H
#define LK_BENCH_REPORT_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

/* What every page begins with. Texts are borrowed until report_begin returns. */
struct report_facts {
    const char *title, *workload, *command;
    int64_t began_wall_ns;
    double duration_s; /* the time axis; 0: to the last sample */
};

/* Title, machine and so on, with empty lists of pipelines, metrics, checks and findings; "pass" is true. */
json_t *report_begin(const struct report_facts *facts);
/* Another row of a list ("checks", "tables" ...), which is made where it is missing; row is taken. */
void report_add(json_t *run, const char *list, json_t *row);
/* A check; one that fails makes the run fail. */
void report_check(json_t *run, bool pass, const char *name, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A sentence of the page's last lines. */
void report_say(json_t *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A table, to which rows (arrays of cells) are added: its "rows", borrowed. columns as in report.h, with '|'
 * between them; note may be NULL. */
json_t *report_table(json_t *run, const char *id, const char *title, const char *note,
                     const char *columns);

/* Processor, cores, memory, kernel; owned. */
json_t *report_machine(void);
/* "2001-01-01T00:00:00Z" */
void report_time(int64_t wall_ns, char out[40]);
int report_write_json(const char *directory, const char *name, const json_t *json, struct err *err);
/* run.json, samples.jsonl, report.html; the directory is made. */
int report_write(const char *directory, const json_t *run, struct bytes samples, struct err *err);

#endif
