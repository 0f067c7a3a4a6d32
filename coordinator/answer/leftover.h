/* What the stages before one explain of it: a drain that ended with requests open, on which the server may still be at
 * work, and answers before a silence. Pure: points in their order. */
#pragma once
#include "coordinator/answer/point.h"

/* What is known of the stages before. All zero: there are none. */
struct leftover {
    bool any;                /* one was answered */
    uint32_t stage;          /* the last such, … */
    struct plan_stage load;  /* … its load, … */
    double answer_s, wait_s; /* … an answer's time, and a first token's; … */
    double rate, in_flight;  /* … answers a second, and requests in flight */
    double output_lo;        /* output token/s at least; NaN: not known */
    double open;             /* requests that its drain left open, and those since */
    double most;             /* those of the drain that left most: its stage and load */
    uint32_t most_stage;
    struct plan_stage most_load;
    int64_t ended_wall_ns; /* at the earliest; 0: not known */
};

/* Judges the point by the stages before it, and then is what is known before the next one. */
void leftover_tell(struct leftover *io, const struct plan *plan, struct point *p);
