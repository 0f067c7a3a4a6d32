#include "coordinator/run_event.h"

#include <string.h>

enum { CONTINUES = false, FINISHED = true };

const struct run_event_row RUN_EVENTS[RUN_EVENT_N] = {
#define X(id, name, level, status, end, meaning) {name, meaning, LOG_##level, status, end},
#include "coordinator/run_event.def"
#undef X
};

enum run_event_kind run_event_find(const char *name)
{
    for (int i = 0; i < RUN_EVENT_N; i++)
        if (strcmp(RUN_EVENTS[i].name, name) == 0) return (enum run_event_kind)i;
    return RUN_EVENT_N;
}
