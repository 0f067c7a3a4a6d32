/* The run's progress for a person, as a sink (SINK_TERM). On a terminal: one line that is renewed in place and never
 * wraps, whatever the width; else a line as each stage begins and every few seconds. Finished stages, one line each,
 * and events stand above it. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "coordinator/answer/point.h"
#include "coordinator/run/run.h"

enum { TERM_CURVE = 48 }; /* stages of the small curve; of more the latest */

struct term {
    FILE *out;
    bool tty, dirty;            /* dirty: a line without its newline is on the screen */
    bool ended;                 /* a stage has ended and is not shown yet */
    struct point_agents agents; /* of that stage, as far as they are judged */
    int64_t next_ns;
    uint32_t epoch, hinted;   /* of the stage that was shown last; of the one in which agents_hint was logged */
    const struct plan *plan;  /* borrowed */
    double curve[TERM_CURVE]; /* output token/s of the stages that have ended; NaN: invalid */
    size_t n_curve;
    const char *endpoint;    /* where agents dial in, for a user who starts them; NULL = not needed */
    const char *agents_hint; /* said in its place, and when one is lost; NULL = none */
};
void term_init(struct term *t, FILE *out);
/* At most `width` columns: what matters less is left out first. steps 0: not known beforehand. */
void term_line(const struct run_progress *p, uint64_t step, uint64_t steps, unsigned width, char *ret, size_t n);
/* A stage that has ended, in at most `width` columns: "load 8: 1,234 token/s  0/240 failed  ttft p50 62 ms  p99 n/a".
 */
void term_stage_line(const struct stage_data *s, const struct point *p, unsigned width, char *ret, size_t n);
/* The same stages as a curve in characters, a column each: bars from the smallest to the largest, a dot where a value
 * is NaN. Empty for fewer than two. */
void term_curve(const double *v, size_t n, char *ret, size_t size);
