#include "coordinator/answer/stat.h"

#include <math.h>

#include "coordinator/answer/numeric.h"

const double POINT_QS[POINT_Q] = {0.50, 0.90, 0.95, 0.99, 0.999};

/* From the middles of the buckets: exact to 0.1 %, which is enough for the width of an interval. */
static double hist_sd(const struct hist *h)
{
    double m = hist_mean(h), s = 0;
    for (uint32_t i = h->used_lo; i < h->used_hi; i++) {
        uint64_t c = i >= h->lo && i - h->lo < h->n ? h->counts[i - h->lo] : 0;
        if (!c) continue;
        double mid = 0.5 * ((double)hist_bucket_low(i) + (double)hist_bucket_high(i));
        s += (double)c * (mid - m) * (mid - m);
    }
    return h->count > 1 ? sqrt(s / (double)(h->count - 1)) : (double)NAN;
}

/* The smallest value that a sample at this rank can have had: its bucket's lower edge. */
static double rank_low(const struct hist *h, uint64_t rank)
{
    int64_t low = hist_bucket_low(hist_index(hist_at_rank(h, rank)));
    return (double)(low < h->min ? h->min : low);
}

bool stat_independent(enum metric m)
{
    return m != METRIC_ITL && m != METRIC_CHUNK_GAP && m != METRIC_LAG;
}

void stat_compute(const struct hist *h, enum metric m, struct metric_stat *ret)
{
    *ret = (struct metric_stat){.mean = NAN, .min = NAN, .max = NAN, .mean_lo = NAN, .mean_hi = NAN};
    for (int i = 0; i < POINT_Q; i++)
        ret->q[i] = ret->q_lo[i] = ret->q_hi[i] = NAN;
    if (!h || h->count == 0) return;
    double scale = METRICS[m].scale;
    ret->count = h->count;
    ret->mean = hist_mean(h) / scale;
    ret->min = (double)h->min / scale;
    ret->max = (double)h->max / scale;
    if (stat_independent(m) && h->count > 1) {
        double n = (double)h->count, half = t_quantile(0.975, n - 1) * hist_sd(h) / sqrt(n) / scale;
        ret->mean_lo = fmax(0, ret->mean - half); /* no metric is below 0 */
        ret->mean_hi = ret->mean + half;
    }
    for (int i = 0; i < POINT_Q; i++) {
        if (h->count < samples_needed(POINT_QS[i])) continue;
        ret->q[i] = (double)hist_quantile(h, POINT_QS[i]) / scale;
        if (!stat_independent(m)) continue;
        uint64_t lo, hi;
        rank_interval(h->count, POINT_QS[i], 0.05, &lo, &hi);
        if (!lo || !hi) continue;
        ret->q_lo[i] = rank_low(h, lo) / scale;
        ret->q_hi[i] = (double)hist_at_rank(h, hi) / scale;
    }
}
