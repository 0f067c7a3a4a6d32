/* A gate at a point: a value against a limit, with what the sample can carry. Pure. */
#pragma once
#include "coordinator/answer/point.h"

enum gate_result { GATE_PASS, GATE_FAIL, GATE_INCONCLUSIVE };
struct gate_outcome {
    const struct plan_gate *gate;
    uint32_t point;       /* index of the point it was read at */
    double value, lo, hi; /* in the unit the gate was written in; NaN when unknown */
    const char *bound;    /* of the value: "at least ", "over "; NULL: none */
    uint64_t failed; /* failed requests that count as beyond the limit, and unanswered ones of which no more is known */
    enum gate_result result;
    double needs,
        had;    /* inconclusive: samples that would decide it about, and those it had; NaN when that is not known */
    bool gone;  /* inconclusive: the limit is kept, and the value lies among requests that a server that was gone failed
                 */
    bool grows; /* inconclusive: the limit is kept, at a rate that outran the server: a longer stage might break it */
    bool hung;  /* inconclusive: the limit is kept by the requests, and not by the users of a closed loop, of whom some
                 * hang
                 */
    bool together;     /* pass: this run alone does not show it; all runs of the load do, by which a search decides */
    bool no_memory;    /* what it says lacks something for want of memory alone: nothing to report */
    const char *never; /* inconclusive: why the plan can give no sample for it (gate_plan.h); NULL when it can */
    double needs_s;    /* the same as the length of a window at this load; NaN when that is not known */
};
/* Passes (fails) when the whole 95 % interval lies on the good (bad) side; inconclusive between, or where the sample
 * cannot carry it, or where the rate outran the server and its wait would grow with the stage. Values that are exact
 * counts of what happened (min, max, a rate without interval) are compared as they are. */
void gate_check(const struct plan_gate *gate, const struct point *p, struct gate_outcome *ret);
/* Of a stage that still runs: would more of it leave the result as it is? A rate of requests has no interval: it grows
 * until the window is several answers long, and varies by chance. */
bool gate_is_clear(const struct gate_outcome *o, const struct point *p);
/* Failed requests of the window that count as beyond this limit, by the rule of point.h, and as they do those that were
 * never answered where the age at which they were cut off tells nothing of it (tpot, user_speed, latencies by turn). 0
 * where the gate is of no latency of answers. */
uint64_t gate_failed_over(const struct plan_gate *gate, const struct point *p);
/* Are more users of a closed loop without an answer (users.h) than the limit allows? Among its requests
 * they are the fewer the longer the stage is. For limits on a share of the requests: errors.rate, upper percentiles. */
bool gate_users_hung(const struct plan_gate *gate, const struct point *p);
const char *gate_result_name(enum gate_result r);
/* "3.27 % (95 %: 2.1 % to 4.8 %)", and for an inconclusive gate what would decide it: in the gate's own unit. p: the
 * point it was read at. Returns buf. */
const char *gate_words(const struct gate_outcome *o, const struct point *p, char *buf, size_t n);
/* Its value; where the sample is too small for one and breaks the limit all the same, the bound by which it does: "at
 * least 812 ms"; else "". buf: HUMAN_MAX + 24. */
const char *gate_reading_words(const struct gate_outcome *o, char *buf, size_t n);
/* The unit of a gate's value, lo and hi: "ms", "fraction", "token/s". */
const char *gate_unit(const struct plan_gate *gate);
/* One value in the gate's own unit: "812 ms", "3.27 %", "5,000 token/s". buf: HUMAN_MAX + 16. */
const char *gate_value_words(const struct plan_gate *gate, double v, char *buf, size_t n);
/* All gates of one point together: one that fails fails the point; else one inconclusive gate leaves it so. */
enum gate_result gates_at_point(uint32_t point, const struct gate_outcome *gates, size_t n);
