/* Users of a closed loop: each slot is one, who makes the more requests the sooner they are answered. One that hangs is
 * a small share of the requests, and the smaller the longer the stage is. Pure. */
#pragma once
#include "coordinator/data.h"

struct users {
    uint32_t n;      /* 0: no closed loop, or it is not known what they had */
    double unserved; /* of these, mean: in requests that failed or had no whole answer */
    uint32_t hung;   /* of these: in requests that were never answered, and held their slots for good */
};
/* unanswered: requests that were never answered; slowest_s: the slowest answer, NaN without. One that failed hung where
 * it did so for half of the window. */
void users_compute(const struct stage_data *s, const struct plan *plan, uint64_t unanswered, double slowest_s,
                   struct users *ret);
