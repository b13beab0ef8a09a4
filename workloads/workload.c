/* workloads/workload.c - the list of workloads, and the files that go with one: its plan and
 * tables.
 *
 * The default plans are part of the program, so that it works from anywhere: the assembler copies
 * the bytes of workloads/plans/ (.incbin), which keeps the plans plain files and needs no tool. */
#include "workloads/workload.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/directory.h"

#define EMBED(symbol, path)                                                                        \
    __asm__(".section .rodata\n"                                                                   \
            ".global " #symbol "\n.global " #symbol "_end\n" #symbol ":\n.incbin \"" path          \
            "\"\n" #symbol "_end:\n.byte 0\n.previous\n")

EMBED(plan_ads, "workloads/plans/ads.json");
EMBED(plan_flights, "workloads/plans/flights.json");
EMBED(plan_flights_48h, "workloads/plans/flights-48h.json");
extern const char plan_ads[], plan_ads_end[], plan_flights[], plan_flights_end[],
    plan_flights_48h[], plan_flights_48h_end[];

static const struct {
    const char *name, *begin, *end;
} PLANS[] = {
    {"ads.json", plan_ads, plan_ads_end},
    {"flights.json", plan_flights, plan_flights_end},
    {"flights-48h.json", plan_flights_48h, plan_flights_48h_end},
};

const struct workload *const WORKLOADS[] = {&workload_ads, &workload_flights, &workload_replay,
                                            NULL};

const struct workload *workload_find(const char *name)
{
    for (int i = 0; WORKLOADS[i]; i++)
        if (strcmp(WORKLOADS[i]->name, name) == 0)
            return WORKLOADS[i];
    return NULL;
}

struct bytes workload_plan(const char *name)
{
    for (size_t i = 0; name && i < sizeof PLANS / sizeof *PLANS; i++)
        if (strcmp(PLANS[i].name, name) == 0)
            return (struct bytes){PLANS[i].begin, (size_t)(PLANS[i].end - PLANS[i].begin)};
    return (struct bytes){NULL, 0};
}

int workload_write(const char *dir, const char *name, struct bytes content, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", dir, name);
    int rc = 0;
    FILE *file = NULL;
    if (directory_make(dir) != 0)
        rc = err_errno(err, ERR_ENV, "cannot make the directory %s", dir);
    else
        file = fopen(path.ptr, "w");
    bool written = file && fwrite(content.ptr, 1, content.len, file) == content.len;
    if (rc == 0 && (!written || fflush(file) != 0))
        rc = err_errno(err, ERR_ENV, "cannot write %s", path.ptr);
    if (file)
        fclose(file);
    buf_release(&path);
    return rc;
}
