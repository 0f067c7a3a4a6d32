/* One load on trial: the evidence of all its runs together, and what it shows. Pure.
 *
 * Percentile gates are decided by MLPerf's early stopping rule (Inference Rules, "Early Stopping"; a binomial test):
 * with t of n requests over the limit, `p99 < limit` passes when P(Bin(n, 0.01) <= t) <= 1 - c, fails when P(Bin(n,
 * 0.01) >= t) <= 1 - c, and else needs more time; c = 0.99. Which failed requests are over a limit, point.h says.
 * Shares of errors likewise. Gates on token gaps (not independent), rates and means go by the interval that the point
 * carries. */
#pragma once
#include "coordinator/answer/point.h"

#define TRIAL_CONFIDENCE 0.99
#define TRIAL_ROUNDS 4
#define TRIAL_GATES 64

/* low: only gates that ask for load (gate.h) are broken. */
enum trial_say { TRIAL_PASS, TRIAL_FAIL, TRIAL_LEANS_PASS, TRIAL_LEANS_FAIL, TRIAL_LOW, TRIAL_LEANS_LOW };

struct trial {
    double load;
    uint32_t rounds; /* runs that counted */
    uint32_t spoilt; /* runs that decide nothing: degraded, aborted, invalid */
    bool outrun;     /* the rate of the last run outran the server: no limit is kept for long */
    bool hung;       /* in the last run more users hung than a gate allows, though the requests may keep it */
    bool no_memory;  /* a gate lacks a figure for want of memory alone: what is said here decides nothing */
    struct {
        uint64_t bad, n;      /* of binomial gates */
        enum trial_say other; /* of the other gates: the result of the last run */
    } gate[TRIAL_GATES];
};

void trial_begin(struct trial *t, double load);
void trial_add(struct trial *t, const struct plan *plan, const struct point *p);
enum trial_say trial_say(const struct trial *t, const struct plan *plan);
/* How long the next run should be, in multiples of the first one's window: 1, 1, 2, 4. */
uint32_t trial_factor(const struct trial *t);
