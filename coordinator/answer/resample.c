#include "coordinator/answer/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "coordinator/answer/numeric.h"

#define REPLICATES 400
#define REPLICATES_LEAST 60
#define EDGE 0.25     /* a block that begins before the cut by less than this (s) still counts as after it */
#define WORK 40000000 /* cells touched at most: a wide run gets fewer replicates */

/* Seconds as sparse rows over the buckets that are in use: cell k of second i lies at start[i] <= k < start[i + 1]. */
struct table {
    size_t seconds;
    size_t *start;
    uint32_t *bucket;               /* less `first` */
    double *count, *sum, *weighted; /* of a second: samples, and their sum of values */
    double *middle;                 /* of a bucket */
    uint32_t first, width;
};

static const struct hist *block_hist(const struct block *b, enum metric m)
{
    const struct hist *h = m == METRIC_ITL         ? b->itl
                           : m == METRIC_CHUNK_GAP ? b->chunk_gap
                           : m == METRIC_TTFT      ? b->ttft
                                                   : NULL;
    return h && h->count ? h : NULL;
}

static int by_time(const void *a, const void *b)
{
    const struct block *x = *(const struct block *const *)a, *y = *(const struct block *const *)b;
    return (x->t_s > y->t_s) - (x->t_s < y->t_s);
}

static void table_free(struct table *t)
{
    free(t->start);
    free(t->bucket);
    free(t->count);
    free(t->sum);
    free(t->middle);
}

/* Sorted blocks of n histograms that have samples; -1 without memory. */
static int table_make(struct table *t, const struct block **b, size_t n, enum metric m)
{
    size_t cells = 0;
    uint32_t last = 0;
    t->first = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct hist *h = block_hist(b[i], m);
        if (!h) return -1;
        cells += h->used_hi - h->used_lo;
        if (h->used_lo < t->first) t->first = h->used_lo;
        if (h->used_hi > last) last = h->used_hi;
    }
    t->width = last - t->first;
    t->start = calloc(n + 1, sizeof *t->start);
    t->bucket = calloc(cells + 1, sizeof *t->bucket);
    t->count = calloc(cells + 1, sizeof *t->count);
    t->sum = calloc(2 * n + 1, sizeof *t->sum);
    t->middle = calloc(t->width + 1, sizeof *t->middle);
    if (!t->start || !t->bucket || !t->count || !t->sum || !t->middle) return -1;
    t->weighted = t->sum + n;
    for (uint32_t c = 0; c < t->width; c++)
        t->middle[c] = 0.5 * ((double)hist_bucket_low(t->first + c) + (double)hist_bucket_high(t->first + c));
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const struct hist *h = block_hist(b[i], m);
        if (!h) return -1;
        if (i == 0 || b[i]->t_s > b[i - 1]->t_s) t->start[t->seconds++] = k;
        for (uint32_t c = h->used_lo; c < h->used_hi; c++) {
            if (!h->counts[c - h->lo]) continue;
            double x = (double)h->counts[c - h->lo];
            t->bucket[k] = c - t->first;
            t->count[k++] = x;
            t->sum[t->seconds - 1] += x;
            t->weighted[t->seconds - 1] += x * t->middle[c - t->first];
        }
    }
    t->start[t->seconds] = k;
    return 0;
}

/* One replicate: mean and quantiles (ascending) of the drawn seconds. */
static void replicate(const struct table *t, size_t run, struct rng *r, double *sums, const double *qs, int n_q,
                      double *ret_mean, double *ret_q)
{
    memset(sums, 0, t->width * sizeof *sums);
    double total = 0, weighted = 0, below = 0;
    for (size_t drawn = 0; drawn < t->seconds;) {
        size_t at = (size_t)rng_below(r, t->seconds);
        for (size_t j = 0; j < run && drawn < t->seconds; j++, drawn++) {
            size_t i = (at + j) % t->seconds; /* circular: every second is drawn equally often */
            for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
                sums[t->bucket[k]] += t->count[k];
            total += t->sum[i];
            weighted += t->weighted[i];
        }
    }
    *ret_mean = weighted / total;
    int q = 0;
    for (uint32_t c = 0; c < t->width && q < n_q; c++) {
        below += sums[c];
        while (q < n_q && below >= qs[q] * total)
            ret_q[q++] = t->middle[c];
    }
    while (q < n_q)
        ret_q[q++] = (double)hist_bucket_high(t->first + t->width - 1);
}

/* The replicates' quantiles, pushed outwards: with few independent runs of seconds an interval must be wider than the
 * normal law's. */
static void interval(double *v, size_t n, double centre, double widen, double *ret_lo, double *ret_hi)
{
    double lo = quantile_of(v, n, 0.025), hi = quantile_of(v, n, 0.975);
    *ret_lo = fmax(0, centre - fmax(0, centre - lo) * widen);
    *ret_hi = centre + fmax(0, hi - centre) * widen;
}

/* -1: no memory. */
static int intervals(const struct table *t, enum metric m, uint64_t seed, const double *qs, int n_q,
                     struct metric_stat *io)
{
    size_t run = (size_t)ceil(1.5 * cbrt((double)t->seconds)), cells = t->start[t->seconds] + t->width;
    size_t n = cells * REPLICATES <= WORK        ? REPLICATES
               : WORK / cells < REPLICATES_LEAST ? REPLICATES_LEAST
                                                 : WORK / cells;
    double *sums = calloc(t->width, sizeof *sums), *values = calloc((1 + POINT_Q) * n, sizeof *values);
    double scale = METRICS[m].scale, runs = (double)t->seconds / (double)run;
    double widen = t_quantile(0.975, fmax(runs - 1, 1)) / norm_quantile(0.975);
    struct rng r;
    rng_seed(&r, seed);
    for (size_t i = 0; sums && values && i < n; i++) {
        double mean, q[POINT_Q];
        replicate(t, run, &r, sums, qs, n_q, &mean, q);
        values[i] = mean / scale;
        for (int k = 0; k < n_q; k++)
            values[(size_t)(k + 1) * n + i] = q[k] / scale;
    }
    if (sums && values) {
        interval(values, n, io->mean, widen, &io->mean_lo, &io->mean_hi);
        for (int k = 0; k < n_q; k++)
            if (!isnan(io->q[k]))
                interval(values + (size_t)(k + 1) * n, n, io->q[k], widen, &io->q_lo[k], &io->q_hi[k]);
    }
    int rc = sums && values ? 0 : -1;
    free(sums);
    free(values);
    return rc;
}

static bool taken(const struct block *b, enum metric m, double from_s)
{
    return block_hist(b, m) && b->t_s > from_s - EDGE;
}

static int resample(const struct stage_data *s, enum metric m, double from_s, uint64_t seed, const double *qs, int n_q,
                    struct metric_stat *io)
{
    const struct block **b = calloc(s->n_blocks ? s->n_blocks : 1, sizeof(struct block *));
    struct table t = {0};
    size_t n = 0;
    if (!b) return -1;
    if (io->count == 0) {
        free(b);
        return 0;
    }
    for (size_t i = 0; i < s->n_blocks; i++)
        if (taken(&s->blocks[i], m, from_s)) b[n++] = &s->blocks[i];
    if (n > 1) qsort(b, n, sizeof *b, by_time);
    int rc = n >= RESAMPLE_LEAST ? table_make(&t, b, n, m) : 0;
    if (rc == 0 && t.seconds >= RESAMPLE_LEAST) rc = intervals(&t, m, seed, qs, n_q, io);
    table_free(&t);
    free(b);
    return rc;
}

int resample_stat(const struct stage_data *s, enum metric m, double from_s, uint64_t seed, struct metric_stat *io)
{
    return resample(s, m, from_s, seed, POINT_QS, POINT_Q, io);
}

int resample_quantile(const struct stage_data *s, enum metric m, double from_s, uint64_t seed, double q, double value,
                      double *ret_lo, double *ret_hi)
{
    struct metric_stat st = {.count = 1, .mean = value, .q = {value}, .q_lo = {NAN}, .q_hi = {NAN}};
    int rc = resample(s, m, from_s, seed, &q, 1, &st);
    *ret_lo = st.q_lo[0];
    *ret_hi = st.q_hi[0];
    return rc;
}

int resample_hist(const struct stage_data *s, enum metric m, double from_s, struct hist **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < s->n_blocks; i++) {
        if (!taken(&s->blocks[i], m, from_s)) continue;
        if ((!*ret && !(*ret = hist_new())) || hist_merge(*ret, block_hist(&s->blocks[i], m))) {
            hist_destroy(ret);
            return -1;
        }
    }
    return 0;
}
