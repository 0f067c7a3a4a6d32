#include "coordinator/answer/users.h"

#include <math.h>

void users_compute(const struct stage_data *s, const struct plan *plan, uint64_t unanswered, double slowest_s,
                   struct users *ret)
{
    *ret = (struct users){0};
    double slots = s->plan.concurrency, window = (double)s->counters[COUNTER_MEASURED_NS];
    if (s->plan.kind != LOAD_CLOSED || plan_has_trees(plan) || s->aborted || !(window > 0)) return;
    if (s->uncounted[COUNTER_WIN_UNSERVED_NS]) return;
    const struct hist *age = s->hist[METRIC_FAIL_AGE];
    int64_t old = (int64_t)fmax(window / 2, slowest_s * 1e9); /* fmax passes over NaN */
    uint64_t failed = age ? age->count - hist_count_at_most(age, old) : 0;
    ret->n = s->plan.concurrency;
    ret->unserved = (double)s->counters[COUNTER_WIN_UNSERVED_NS] / window;
    ret->hung = (uint32_t)fmin(slots, (double)(unanswered + failed));
}
