#include "coordinator/answer/early_stop.h"

#include <math.h>

#include "coordinator/answer/numeric.h"

/* The least share of samples beyond p is 1 - p; the incomplete beta function of the rules, I_p(n - t, t + 1), is this
 * binomial sum. It grows with t, so t is found by halving. */
uint64_t early_stop_above(uint64_t n, double p)
{
    uint64_t lo = 0, hi = n;
    if (n == 0 || !(p > 0 && p < 1)) return 0;
    while (lo < hi) {
        uint64_t t = hi - (hi - lo) / 2;
        if (binom_cdf(t, n, 1 - p) < 1 - EARLY_STOP_CONFIDENCE)
            lo = t;
        else
            hi = t - 1;
    }
    return lo;
}

double early_stop_bound(const struct hist *h, double p)
{
    uint64_t t = h ? early_stop_above(h->count, p) : 0;
    return t ? (double)hist_at_rank(h, h->count - t + 1) : (double)NAN;
}
