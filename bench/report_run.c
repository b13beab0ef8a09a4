/* bench/report_run.c - see report_run.h. */
#include "bench/report_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench/report.h"
#include "common/base/directory.h"

enum { PATH_BYTES = 4096 };

static void processor_model(char out[128])
{
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(out, 128, "unknown");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            const char *model = strchr(line, ':') + 2;
            snprintf(out, 128, "%.*s", (int)strcspn(model, "\n"), model);
            break;
        }
    if (file)
        fclose(file);
}

json_t *report_machine(void)
{
    struct utsname name;
    char model[128];
    processor_model(model);
    uname(&name);
    double memory_gb = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / 1e9;
    return json_pack("{s:s, s:I, s:f, s:s}", "processor", model, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory GB", memory_gb, "kernel",
                     name.release);
}

void report_time(int64_t wall_ns, char out[40])
{
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    if (strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        out[0] = 0;
}

json_t *report_begin(const struct report_facts *facts)
{
    static const char *const LISTS[] = {"pipelines", "metrics", "checks", "findings"};
    char started[40];
    report_time(facts->began_wall_ns, started);
    json_t *run = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "title", facts->title, "workload",
                            facts->workload, "command", facts->command, "started", started, "pass",
                            1, "machine", report_machine());
    if (facts->duration_s > 0)
        json_object_set_new(run, "duration_s", json_real(facts->duration_s));
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++)
        json_object_set_new(run, LISTS[i], json_array());
    return run;
}

void report_add(json_t *run, const char *list, json_t *row)
{
    if (!json_object_get(run, list))
        json_object_set_new(run, list, json_array());
    json_array_append_new(json_object_get(run, list), row);
}

void report_check(json_t *run, bool pass, const char *name, const char *format, ...)
{
    char detail[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    report_add(run, "checks",
               json_pack("{s:s, s:b, s:s}", "name", name, "pass", pass, "detail", detail));
    if (!pass)
        json_object_set_new(run, "pass", json_false());
}

void report_say(json_t *run, const char *format, ...)
{
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    report_add(run, "findings", json_string(text));
}

json_t *report_table(json_t *run, const char *id, const char *title, const char *note,
                     const char *columns)
{
    json_t *heads = json_array(), *rows = json_array();
    for (const char *at = columns; *at;) {
        size_t length = strcspn(at, "|");
        json_array_append_new(heads, json_stringn(at, length));
        at += length + (at[length] == '|');
    }
    json_t *table =
        json_pack("{s:s, s:s, s:o, s:o}", "id", id, "title", title, "columns", heads, "rows", rows);
    if (note)
        json_object_set_new(table, "note", json_string(note));
    report_add(run, "tables", table);
    return rows;
}

/* ---- files ---- */

static int write_file(const char *directory, const char *name, struct bytes text, struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (!file)
        return err_errno(err, ERR_ENV, "cannot write %s", path);
    bool good = fwrite(text.ptr, 1, text.len, file) == text.len;
    good = fclose(file) == 0 && good;
    return good ? 0 : err_errno(err, ERR_FULL, "cannot write %s", path);
}

int report_write_json(const char *directory, const char *name, const json_t *json, struct err *err)
{
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    int rc = write_file(directory, name, bytes_of(text), err);
    free(text);
    return rc;
}

int report_write(const char *directory, const json_t *run, struct bytes samples, struct err *err)
{
    if (directory_make(directory) < 0)
        return err_errno(err, ERR_ENV, "cannot make directory %s", directory);
    int rc = report_write_json(directory, "run.json", run, err);
    if (rc == 0)
        rc = write_file(directory, "samples.jsonl", samples, err);
    return rc ? rc : report_build(directory, err);
}
