/* common/store/handover.c - the names of the hand-over modes. */
#include "common/store/handover.h"

#include <string.h>

static const char *const NAMES[HANDOVERS] = {"offset", "event-time", "two-slot", "naive"};

const char *handover_name(enum handover handover)
{
    return NAMES[handover];
}

int handover_of(const char *name)
{
    int i = 0;
    while (i < HANDOVERS && strcmp(NAMES[i], name) != 0)
        i++;
    return i < HANDOVERS ? i : -1;
}
