/* bench/report.h - a run's raw files -> one self-contained report.html.
 *
 * The page is a pure function of DIR/run.json and DIR/samples.jsonl: no clock, no randomness, no
 * network; built twice it is the same byte for byte. Times (`t_s`) are seconds since the run began.
 * A pipeline is named by its text in "pipelines" everywhere; the order there is the order of
 * columns.
 *
 * run.json (members marked ? may be missing; the page then has no such part):
 *   "title": text              "workload": text           "seed": number     "pass": bool
 *   "started": ISO text        "events": number           "partitions": number
 *   "pipelines": ["lambda", "kappa"]                       at most REPORT_PIPELINES_MAX
 *   "verdict"?: text           of a run that passed, in place of "Passed: the answers are right"
 *   "command"?: text           the command that makes this run again
 *   "duration_s"?: number      length of the time axis; else the last sample's time
 *   "plan"?: {...}             "plan_english"?: text, lines kept
 *   "machine"?, "settings"?: {name: text or number}        shown in the order they stand
 *   "metrics": [{"name", "unit", "kind": "structural" | "measured", "meaning", "headline"?: bool,
 *                "lambda": number | text | null, "kappa": ...}]    headline: shown on top as well
 *   "processes"?: [{"pipeline", "name", "cpu_s", "rss_max_mb", "read_mb", "written_mb"}]
 *   "happenings"?: [{"t_s", "until_s"?, "pipeline"?, "what"}]      bands in the charts
 *   "faults"?: [{"what", "whom", "event", "t_s", "until_s", "gave_up", "command"?,
 *                "recovery_ms": {PIPELINE: number | null}}]        bands, too; PIPELINE: those that it struck
 *   "checks": [{"name", "pass": bool, "detail"?}]
 *   "history"?: [{"pipeline"?, "name", "began_s", "ended_s"?, "fate"}]  every process ever started
 *                              a "pipeline" that is missing or "" means both
 *   "tables"?: [{"id", "title", "note"?, "columns": [text, ...], "rows": [[cell, ...], ...],
 *                "details"?: [{"summary", "text"}]}]        a column "#so" holds figures
 *       cell: number, text, null, or {"pipeline"?, "name"?, "pass"?: bool, "more"?: text, "code"?: text,
 *             "bars"?: [share 0 .. 1, ...]}; details: text as it is, folded away
 *   "reading"?: {word: meaning}      in place of the words that explain a comparison
 *   "findings"?: ["plain sentence", ...]                    the page's last lines
 *
 * samples.jsonl, one object a line, in any order; kinds and members that CHARTS (report_samples.c)
 * does not name are passed over:
 *   {"t_s": 1.234, "pipeline": "kappa", "kind": "freshness", "ms": 12.3}
 *                              of the oldest event that this read was the first to show
 *   {"t_s": 1.5, "pipeline": "kappa", "kind": "error", "rows_wrong": 3, "rows": 2951,
 *    "missing_share": 0.012, "exact": true}                 missing_share: of the events due by
 * then
 *   {"t_s": 2, "pipeline": "lambda", "kind": "cpu", "cores": 0.42}   since the sample before
 *   {"t_s": 2, "pipeline": "lambda", "kind": "rss", "mb": 61.5}      of all its processes
 *   {"t_s": 2, "pipeline": "kappa", "kind": "answer", "new": 1}      by the new rule; 0: by the old one
 *   {"t_s": 2, "pipeline": "kappa", "kind": "redis", "mb": 20.5}     and "private": of one process */
#ifndef LK_BENCH_REPORT_H
#define LK_BENCH_REPORT_H

#include "common/base/err.h"

enum { REPORT_PIPELINES_MAX = 4 };

/* Write directory/report.html (under a temporary name, then renamed). ERR_USAGE where the directory
 * holds no run, ERR_DATA for a file that is not as above, with the line. */
int report_build(const char *directory, struct err *err);

#endif
