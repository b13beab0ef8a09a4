/* workloads/workload.h - the table of functions that every generator fills.
 *
 * Seeded and deterministic: (settings, seed, n) -> event n, on any machine. Opened once a run; one
 * thread. bench and `lk gen` walk the list of workloads and never ask which is which. */
#ifndef LK_WORKLOADS_WORKLOAD_H
#define LK_WORKLOADS_WORKLOAD_H

#include "common/base/bytes.h"
#include "common/base/err.h"

/* One event as the source has it. Bytes are borrowed until the next call. */
struct workload_event {
    struct bytes key, value; /* key.ptr NULL: none, partition by number */
    int64_t event_ms;        /* when it happened, as far as the generator knows */
    int64_t publish_us;      /* when it is to be published, us after the first event's (before the
                                speed factor); never falls */
    int64_t number; /* from 0, in the source's order; set by stream_next; a duplicate has its
                       original's, so both go to one partition */
};

/* What a workload may be told; members that it does not know stay 0 or NULL. */
struct workload_options {
    uint64_t seed;
    int64_t events;          /* how many of the source's; 0: all that it has (ads: 1,000,000) */
    double event_rate;       /* events a second of event time, for made-up ones (ads); 0: default */
    int64_t start_ms;        /* event time of the first, for made-up ones; 0: default */
    const char *file;        /* flights: another file; replay: the file */
    const char *time_field;  /* replay */
    const char *time_format; /* replay: as in a plan; NULL: guessed from the first row */
    const char *key_field;   /* replay: the record's key; NULL: none */
    const char *tables_dir;  /* where to write look-up tables; NULL: do not */
    bool skew;               /* ads: YSB's skew option */
};

struct workload {
    const char *name, *summary;
    const char *plan; /* file of its default plan in workloads/plans/, or NULL */
    int (*open)(const struct workload_options *options, void **state, struct err *err);
    /* 1 and *event, 0 at the end, or a code (bad input: file and line). */
    int (*next)(void *state, struct workload_event *event, struct err *err);
    void (*close)(void *state);
};

/* The text of a plan of workloads/plans/ ("ads.json"), which is part of the program; {NULL, 0} for
 * NULL and for a name that there is not. */
struct bytes workload_plan(const char *name);
/* Write a file (a look-up table, a plan) into dir, which is made if it is not there. */
int workload_write(const char *dir, const char *name, struct bytes content, struct err *err);

extern const struct workload workload_ads, workload_flights, workload_replay;
extern const struct workload *const WORKLOADS[]; /* ends with NULL */
const struct workload *workload_find(const char *name);

/* Disorder is a layer over any workload, decided by (seed, event number) alone. Its times are of
 * the stream (a speed factor shrinks them with all else). All zero: the workload as it is. */
struct disorder_options {
    uint64_t seed;
    double delay_mean_ms; /* exponential delay of every event, 0: none */
    double late_share;    /* share of events held back by uniform(0, late_max_ms] more */
    int64_t late_max_ms;
    double duplicate_share; /* share sent again, after uniform(0, duplicate_max_ms] */
    int64_t duplicate_max_ms;
    double malformed_share; /* share replaced by broken bytes (cut, bad escape, wrong type ...) */
    int64_t burst_every_ms; /* 0: none; else what is due in the first burst_ms of every such time */
    int64_t burst_ms;       /* is held and sent at once when they are over */
};

/* The stream that a generator publishes: workload, then disorder, in order of publish time.
 * Ends behind options->events events of the source (their duplicates still come). Memory: what is
 * being held back. Opaque; one thread. ERR_USAGE for a disorder that means nothing. */
struct stream;
int stream_open(const struct workload *workload, const struct workload_options *options,
                const struct disorder_options *disorder, struct stream **out, struct err *err);
int stream_next(struct stream *stream, struct workload_event *event, struct err *err); /* as next */
void stream_close(struct stream *stream);

#endif
