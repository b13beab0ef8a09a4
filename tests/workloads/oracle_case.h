/* tests/workloads/oracle_case.h - an oracle over a small log in a directory of its own.
 *
 * Plans and events are written with ' for ", so that rows stay readable. */
#ifndef LK_TESTS_WORKLOADS_ORACLE_CASE_H
#define LK_TESTS_WORKLOADS_ORACLE_CASE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "workloads/oracle.h"

struct oracle_case {
    char directory[64];
    struct log *log;
    struct oracle *oracle;
};

static inline char *quoted(const char *text)
{
    char *copy = mem_copy_string(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    return copy;
}

static inline void case_append(struct oracle_case *c, int partition, const char *value,
                               int64_t due_ns)
{
    struct err err = {0};
    char *json = quoted(value);
    struct log_record record = {.value = bytes_of(json), .due_ns = due_ns};
    cr_assert_geq(log_append(c->log, "t", partition, &record, 1, &err), 0, "%s", err.text);
    free(json);
}

static inline void case_log(struct oracle_case *c, int partitions)
{
    struct err err = {0};
    *c = (struct oracle_case){0};
    strcpy(c->directory, "/tmp/lk-oracle-XXXXXX");
    cr_assert_not_null(mkdtemp(c->directory));
    char uri[96];
    snprintf(uri, sizeof uri, "embedded:%s/log", c->directory);
    cr_assert_eq(log_open(uri, true, &c->log, &err), 0, "%s", err.text);
    cr_assert_eq(log_create_topic(c->log, "t", (struct log_shape){.partitions = partitions}, &err),
                 0, "%s", err.text);
}

static inline void case_ask(struct oracle_case *c, const char *plan)
{
    struct err err = {0};
    char *json = quoted(plan);
    int rc = oracle_open(bytes_of(json), c->directory, c->log, "t", &c->oracle, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    free(json);
}

static inline void case_close(struct oracle_case *c)
{
    oracle_close(c->oracle);
    log_close(c->log);
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", c->directory);
    cr_assert_eq(system(command), 0);
}

/* Rows as "window key values" with ' for ", joined by "; ". */
static inline char *rows_text(const struct answer *answer)
{
    struct buf out = {0};
    buf_add_text(&out, "");
    for (size_t i = 0; i < answer->count; i++) {
        const struct answer_row *row = &answer->rows[i];
        buf_printf(&out, "%s%lld %s %s", i ? "; " : "", (long long)row->window_ms, row->key.ptr,
                   row->values.ptr);
    }
    for (char *at = out.ptr; *at; at++)
        *at = *at == '"' ? '\'' : *at;
    return out.ptr;
}

static inline void expect_rows(const struct answer *answer, const char *expected, const char *what)
{
    char *found = rows_text(answer);
    cr_expect_str_eq(found, expected, "%s\n found    %s\n expected %s", what, found, expected);
    free(found);
}

static inline void expect_counters(const struct counters *c, const char *expected, const char *what)
{
    struct buf text = {0};
    counters_encode(c, &text);
    cr_expect_str_eq(text.ptr, expected, "%s: found %s, expected %s", what, text.ptr, expected);
    cr_expect(counters_balance(c), "%s", what);
    buf_release(&text);
}

static inline void expect_contract(struct oracle_case *c, int64_t next, int64_t boundary,
                                   const char *rows, const char *counters)
{
    struct err err = {0};
    struct answer answer;
    struct answer_part part = {.next = next, .boundary = boundary};
    char what[64];
    snprintf(what, sizeof what, "next %lld boundary %lld", (long long)next, (long long)boundary);
    cr_assert_eq(oracle_contract(c->oracle, &part, &answer, &err), 0, "%s", err.text);
    expect_rows(&answer, rows, what);
    if (counters)
        expect_counters(&answer.parts[0].counters, counters, what);
    answer_release(&answer);
}

static inline void expect_truth(struct oracle_case *c, int64_t due_ns, const char *rows)
{
    struct err err = {0};
    struct answer answer;
    cr_assert_eq(oracle_truth(c->oracle, due_ns, &answer, &err), 0, "%s", err.text);
    expect_rows(&answer, rows, "truth");
    answer_release(&answer);
}

#endif
