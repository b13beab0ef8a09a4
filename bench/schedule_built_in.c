/* bench/schedule_built_in.c - the schedules that lk brings along, in the format of the files. */
#include <string.h>

#include "bench/schedule.h"

static const struct {
    const char *name, *story, *text;
} BUILT_IN[] = {
    {"kills", "SIGKILL of a worker of each pipeline, started again at once",
     "[{\"at\": \"25%..60%\", \"do\": \"kill\", \"to\": \"lambda.speed\"},\n"
     " {\"at\": \"25%..60%\", \"do\": \"kill\", \"to\": \"kappa.run\"}]\n"},
    {"handover-kills",
     "with --handover all: SIGKILL of all four speed layers; then of each batch midway, started "
     "again "
     "after 3 s",
     "[{\"at\": \"20%..25%\", \"do\": \"kill\", \"to\": \"*.speed\"},\n"
     " {\"at\": \"40%\", \"do\": \"kill\", \"to\": \"offset.batch\", \"while\": \"busy\", \"for\": "
     "\"3s\"},\n"
     " {\"at\": \"40%\", \"do\": \"kill\", \"to\": \"event-time.batch\", \"while\": \"busy\", "
     "\"for\": "
     "\"3s\"},\n"
     " {\"at\": \"40%\", \"do\": \"kill\", \"to\": \"two-slot.batch\", \"while\": \"busy\", "
     "\"for\": "
     "\"3s\"},\n"
     " {\"at\": \"40%\", \"do\": \"kill\", \"to\": \"naive.batch\", \"while\": \"busy\", \"for\": "
     "\"3s\"}]\n"},
    {"redis-restart", "SIGKILL of both Redis, back after a second with their append-only files",
     "[{\"at\": \"25%..60%\", \"do\": \"kill\", \"to\": \"*.redis\", \"for\": \"1s\"}]\n"},
    {"broker-restart", "SIGKILL of the Kafka broker, started again after a second",
     "[{\"at\": \"25%..45%\", \"do\": \"kill\", \"to\": \"broker\", \"for\": \"1s\"}]\n"},
    {"pause", "SIGSTOP and SIGCONT: first the workers, then both Redis, then the generator",
     "[{\"at\": \"15%..20%\", \"do\": \"stop\", \"to\": [\"lambda.archive\", \"lambda.speed\", "
     "\"kappa.run\"], \"for\": "
     "\"1500ms\"},\n"
     " {\"at\": \"35%..40%\", \"do\": \"stop\", \"to\": \"*.redis\", \"for\": \"1500ms\"},\n"
     " {\"at\": \"55%..60%\", \"do\": \"stop\", \"to\": \"generator\", \"for\": \"1500ms\"}]\n"},
    {"disk-full", "no room for what the archive, batch and both append-only files write",
     "[{\"at\": \"15%..25%\", \"do\": \"full\", \"to\": [\"lambda.archive\", \"lambda.batch\"], "
     "\"for\": \"2s\"},\n"
     " {\"at\": \"45%..55%\", \"do\": \"full\", \"to\": \"*.redis\", \"for\": \"2s\"}]\n"},
};
enum { BUILT_INS = sizeof BUILT_IN / sizeof *BUILT_IN };

const char *schedule_built_in(const char *name)
{
    for (int i = 0; i < BUILT_INS; i++)
        if (strcmp(BUILT_IN[i].name, name) == 0)
            return BUILT_IN[i].text;
    return NULL;
}

void schedule_built_in_names(struct buf *out)
{
    for (int i = 0; i < BUILT_INS; i++)
        buf_printf(out, "%s%s", i ? ", " : "", BUILT_IN[i].name);
}

void schedule_print_built_in(FILE *out)
{
    for (int i = 0; i < BUILT_INS; i++)
        fprintf(out, "%s%s: %s\n%s", i ? "\n" : "", BUILT_IN[i].name, BUILT_IN[i].story,
                BUILT_IN[i].text);
}
