#include "coordinator/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"
#include "coordinator/numeric.h"

#define REPLICATES 400
#define REPLICATES_LEAST 60
#define WORK 40000000 /* cells touched at most: a wide run gets fewer replicates */

/* Seconds as sparse rows over the buckets that are in use: cell k of second i lies at start[i] <= k < start[i + 1]. */
struct table {
    size_t seconds;
    size_t *start;
    uint32_t *bucket; /* less `first` */
    double *count;
    uint32_t first, width;
};

static const struct hist *block_hist(const struct block *b, enum metric m)
{
    const struct hist *h = m == METRIC_ITL ? b->itl : m == METRIC_CHUNK_GAP ? b->chunk_gap : m == METRIC_TTFT ? b->ttft : NULL;
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
    if (!t->start || !t->bucket || !t->count) return -1;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const struct hist *h = block_hist(b[i], m);
        if (!h) return -1;
        if (i == 0 || b[i]->t_s > b[i - 1]->t_s) t->start[t->seconds++] = k;
        for (uint32_t c = h->used_lo; c < h->used_hi; c++) {
            if (!h->counts[c - h->lo]) continue;
            t->bucket[k] = c - t->first;
            t->count[k++] = (double)h->counts[c - h->lo];
        }
    }
    t->start[t->seconds] = k;
    return 0;
}

static double middle(const struct table *t, uint32_t cell)
{
    return 0.5 * ((double)hist_bucket_low(t->first + cell) + (double)hist_bucket_high(t->first + cell));
}

/* One replicate: mean and quantiles of the drawn seconds. */
static void replicate(const struct table *t, size_t run, struct rng *r, double *sums, double *ret_mean, double *ret_q)
{
    memset(sums, 0, t->width * sizeof *sums);
    double total = 0, weighted = 0, below = 0;
    for (size_t drawn = 0; drawn < t->seconds;) {
        size_t at = (size_t)rng_below(r, t->seconds);
        for (size_t j = 0; j < run && drawn < t->seconds; j++, drawn++) {
            size_t i = (at + j) % t->seconds; /* circular: every second is drawn equally often */
            for (size_t k = t->start[i]; k < t->start[i + 1]; k++) sums[t->bucket[k]] += t->count[k];
        }
    }
    for (uint32_t c = 0; c < t->width; c++) {
        total += sums[c];
        weighted += sums[c] * middle(t, c);
    }
    *ret_mean = weighted / total;
    int q = 0;
    for (uint32_t c = 0; c < t->width && q < POINT_Q; c++) {
        below += sums[c];
        while (q < POINT_Q && below >= POINT_QS[q] * total) ret_q[q++] = middle(t, c);
    }
    while (q < POINT_Q) ret_q[q++] = (double)hist_bucket_high(t->first + t->width - 1);
}

/* The replicates' own quantiles, pushed outwards: few independent runs of seconds know less than a normal law would say. */
static void interval(double *v, size_t n, double centre, double widen, double *ret_lo, double *ret_hi)
{
    double lo = quantile_of(v, n, 0.025), hi = quantile_of(v, n, 0.975);
    *ret_lo = fmax(0, centre - fmax(0, centre - lo) * widen);
    *ret_hi = centre + fmax(0, hi - centre) * widen;
}

static void intervals(const struct table *t, enum metric m, uint64_t seed, struct stat *io)
{
    size_t run = (size_t)ceil(1.5 * cbrt((double)t->seconds)), cells = t->start[t->seconds] + t->width;
    size_t n = cells * REPLICATES <= WORK ? REPLICATES : WORK / cells < REPLICATES_LEAST ? REPLICATES_LEAST : WORK / cells;
    double *sums = calloc(t->width, sizeof *sums), *values = calloc((1 + POINT_Q) * n, sizeof *values);
    double scale = METRICS[m].scale, runs = (double)t->seconds / (double)run;
    double widen = t_quantile(0.975, fmax(runs - 1, 1)) / norm_quantile(0.975);
    struct rng r;
    rng_seed(&r, seed);
    for (size_t i = 0; sums && values && i < n; i++) {
        double mean, q[POINT_Q];
        replicate(t, run, &r, sums, &mean, q);
        values[i] = mean / scale;
        for (int k = 0; k < POINT_Q; k++) values[(size_t)(k + 1) * n + i] = q[k] / scale;
    }
    if (sums && values) {
        interval(values, n, io->mean, widen, &io->mean_lo, &io->mean_hi);
        for (int k = 0; k < POINT_Q; k++)
            if (!isnan(io->q[k])) interval(values + (size_t)(k + 1) * n, n, io->q[k], widen, &io->q_lo[k], &io->q_hi[k]);
    }
    free(sums);
    free(values);
}

void resample_stat(const struct stage_data *s, enum metric m, uint64_t seed, struct stat *io)
{
    const struct block **b = calloc(s->n_blocks ? s->n_blocks : 1, sizeof(struct block *));
    struct table t = {0};
    size_t n = 0;
    if (!b || io->count == 0) {
        free(b);
        return;
    }
    for (size_t i = 0; i < s->n_blocks; i++)
        if (block_hist(&s->blocks[i], m)) b[n++] = &s->blocks[i];
    if (n > 1) qsort(b, n, sizeof *b, by_time);
    if (n >= RESAMPLE_LEAST && table_make(&t, b, n, m) == 0 && t.seconds >= RESAMPLE_LEAST) intervals(&t, m, seed, io);
    table_free(&t);
    free(b);
}
