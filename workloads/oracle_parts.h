/* workloads/oracle_parts.h - what the files of the oracle share, and nobody else includes.
 *
 * The oracle reads the plan's JSON by itself: struct rulebook is its own, and knows nothing of
 * struct plan. Everything is one thread's. */
#ifndef LK_WORKLOADS_ORACLE_PARTS_H
#define LK_WORKLOADS_ORACLE_PARTS_H

#include <jansson.h>

#include "common/base/map.h"
#include "workloads/oracle.h"

/* --- oracle_json.c: JSON whose numbers keep their text --------------------------------------- */

/* jansson rounds what it reads to int64 and double. So each number in the text is replaced by its
 * ordinal before jansson sees it, and its text is kept in numbers: an integer node k of root stands
 * for numbers[k]. Open value; numbers borrow from the text that was parsed. */
struct exact {
    json_t *root; /* NULL: none */
    struct buf text;
    struct bytes *numbers;
    size_t count, capacity;
};

/* false: not one JSON text (RFC 8259) with an object or an array on top. Releases the one before.
 */
bool exact_parse(struct exact *exact, struct bytes text);
struct bytes exact_number(const struct exact *exact, const json_t *number);
void exact_release(struct exact *exact);
bool number_valid(struct bytes text); /* the number of RFC 8259, all of text */

/* --- oracle_scalar.c: one field's value --------------------------------------------------------
 */

enum kind { KIND_TIME, KIND_INT, KIND_DECIMAL, KIND_DOUBLE, KIND_STRING, KIND_BOOL };

struct scalar {
    bool present;
    int64_t whole;     /* time in ms, int, decimal * 10^scale, bool */
    double real;       /* double */
    struct bytes text; /* string; borrowed */
};

struct fact { /* one field of the plan */
    const char *name;
    enum kind kind;
    int scale;
    char *paths[10][9]; /* the ways to it, each a list of member names that ends with NULL */
    int path_count;
    bool optional;
    struct scalar fallback; /* present: the plan's default */
    int64_t step;           /* of a speed layer that cuts off to multiples of it; 0: it does not */
    const char *time_format;
};

/* The value of a JSON node as the fact's kind; NULL and null are absent. false: mistyped. */
bool scalar_read(const struct fact *fact, const struct exact *exact, const json_t *node,
                 struct scalar *out);
/* The field of an event: paths in turn, default, optional. false: the event is bad. */
bool scalar_find(const struct fact *fact, const struct exact *exact, struct scalar *out);
/* As JSON: "ORD", 7, 1.50, true, null. */
void scalar_json(const struct fact *fact, const struct scalar *scalar, struct buf *out);
int scalar_compare(const struct fact *fact, const struct scalar *a, const struct scalar *b);

/* --- oracle_plan.c: the plan's JSON as the oracle reads it
 * ---------------------------------------- */

enum { FACTS_MAX = 80, VALUES_MAX = 32, KEYS_MAX = 8 };
#define UNLIMITED INT64_MAX

struct rulebook {
    struct arena arena;
    struct exact json;
    struct fact facts[FACTS_MAX]; /* 0 the event time, then source.fields, then the taken ones */
    int scanned, count;
    int64_t out_of_order_ms, lateness_ms, keep_ms, max_ahead_ms;
    int64_t shift_ms;    /* of a speed layer whose event times are off */
    const json_t *where; /* NULL: everything */
    int on;              /* fact that the look-up matches; -1: none */
    bool keep_missing;
    struct map table; /* JSON of the `on` cell -> struct scalar[count - scanned] */
    int dedupe_by;    /* fact; -1: no dedupe */
    int64_t horizon_ms;
    int key[KEYS_MAX];
    int keys;
    int64_t size_ms, hop_ms; /* 0: one window for all time */
    struct {
        const char *name;
        enum { VALUE_COUNT, VALUE_SUM, VALUE_MIN, VALUE_MAX, VALUE_AVG, VALUE_DISTINCT } kind;
        int fact; /* -1: count */
        const json_t *where;
        bool left_out; /* by the speed layer */
        int precision; /* of a distinct */
    } values[VALUES_MAX];
    int value_count;
};

/* speed: as lambda's speed layer has it. */
int rulebook_open(struct rulebook *book, struct bytes plan_json, const char *directory, bool speed,
                  struct err *err);
void rulebook_release(struct rulebook *book);
int rulebook_find(const struct rulebook *book, const char *name); /* -1: no such field */

/* --- oracle_speed.c: what lambda's speed layer does otherwise -----------------------------------
 */

bool rulebook_has_speed(const struct rulebook *book);
void rulebook_lay_speed(struct rulebook *book);                  /* before it is read */
int rulebook_amend(struct rulebook *book, struct err *err);      /* behind it */
void row_amend(const struct rulebook *book, struct scalar *row); /* an event's fields */

/* --- oracle_table.c, oracle_where.c ------------------------------------------------------------
 */

/* Read the plan's table into book->table. */
int table_load(struct rulebook *book, const char *path, struct err *err);
/* Fill row[scanned ..]; false: no match, and the plan drops the event. */
bool table_join(const struct rulebook *book, struct scalar *row);
/* Does a row (one scalar a fact) satisfy a condition? NULL is satisfied by everything. */
bool where_holds(const struct rulebook *book, const json_t *where, const struct scalar *row);
/* ERR_USAGE for a condition that cannot be read. */
int where_check(const struct rulebook *book, const json_t *where, struct err *err);

/* --- oracle_event.c: what is kept of an event ---------------------------------------------------
 */

enum fate { FATE_GOOD, FATE_BAD, FATE_FILTERED };

struct happening {
    int64_t offset, time_ms, due_ns;
    uint32_t key, id; /* numbers of interned texts: of the oracle, of the partition */
    uint32_t adds;    /* bit v: value v takes it */
    enum fate fate;
};

/* One partition's events, in order of offset. */
struct shard {
    struct happening *events;
    int64_t *amounts; /* value_count an event: int, scaled decimal, the bits of a double, or, of a
                         distinct, the number of the value */
    size_t count, capacity;
    int64_t next; /* read up to here */
    struct map ids;
};

struct oracle {
    struct rulebook book;
    struct log *log;
    char *topic;
    int partitions;
    struct shard *shards;
    struct map *keys, own_keys;     /* JSON array -> its number */
    struct map *values, own_values; /* a text, or an integer's 8 bytes -> its number */
    /* the same events by the rules of lambda's speed layer; NULL: the same rules */
    struct oracle *speed;
    struct exact event;
    struct buf text;
    int64_t *history;                             /* by partition; NULL: up to the boundary */
    bool bug_late, bug_floor, bug_avg, bug_speed; /* planted */
};

/* Keep a record of the log in shard. */
void event_keep(struct oracle *oracle, struct shard *shard, const struct log_batch *batch, int i);

/* --- oracle_tally.c: what the values of one (window, key) have met
 * -------------------------------- */

/* Numbers of values; some may stand twice until they are asked for. */
struct members {
    uint32_t *numbers;
    size_t count, capacity;
};
struct tally {
    int128 sum;
    int64_t count;
    int64_t least, greatest; /* as amounts */
    struct members members;  /* of a distinct */
};

void tally_add(const struct rulebook *book, struct tally *tallies, const struct happening *event,
               const int64_t *amounts);
/* Append "flights":12,"mean_delay":3.5 - crude is the planted bug "avg". Releases the tallies' members. */
void tally_finish(const struct rulebook *book, struct tally *tallies, const struct map *values,
                  bool crude, struct buf *out);
void tally_release(const struct rulebook *book, struct tally *tallies);
/* The double nearest to numerator / denominator (> 0), ties to even. */
double quotient(int128 numerator, int128 denominator);

/* --- oracle_distinct.c: how many different values, by a sketch of them --------------------------
 */

void members_add(struct members *members, uint32_t number);
/* values: a map's entries are the values, by their numbers. */
int64_t members_estimate(struct members *members, const struct map *values, int precision);
void members_release(struct members *members);

#endif
