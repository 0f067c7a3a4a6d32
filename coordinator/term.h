/* The run's progress for a person, as a sink (SINK_TERM): one line, renewed in place on a terminal, else printed as
 * each stage begins and every few seconds. Events are logged. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "coordinator/run/run.h"

struct term {
    FILE *out;
    bool tty, dirty; /* dirty: a line without its newline is on the screen */
    int64_t next_ns;
    uint32_t epoch;       /* of the stage that was shown last */
    const char *endpoint; /* where agents dial in, for those who start them; NULL = nobody need */
};
void term_init(struct term *t, FILE *out);
int term_line(const struct run_progress *p, uint64_t step, uint64_t steps, char *ret, size_t n);
