/* The table of a run's events (run_event.def) as an enum and as rows. */
#pragma once
#include <stdbool.h>

#include "common/log.h"

enum run_event_kind {
#define X(id, name, level, status, end, meaning) RUN_EVENT_##id,
#include "coordinator/run_event.def"
#undef X
    RUN_EVENT_N
};

struct run_event_row {
    const char *name, *meaning;
    enum log_level level;
    int status;    /* the exit status of a valid run in which it happened; 0 = it decides nothing */
    bool finished; /* the run ended on purpose: no stage is missing */
};
extern const struct run_event_row RUN_EVENTS[RUN_EVENT_N];

/* RUN_EVENT_N when there is none of that name: a file of another release may hold kinds of its own. */
enum run_event_kind run_event_find(const char *name);
