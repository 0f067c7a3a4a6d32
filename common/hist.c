#include "common/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

enum { GROW = 128 }; /* buckets: a growing histogram takes whole kilobytes */

struct hist *hist_new(void)
{
    return calloc(1, sizeof(struct hist));
}

struct hist *hist_new_dense(void)
{
    struct hist *h = hist_new();
    if (!h) return NULL;
    h->counts = calloc(HIST_BUCKETS, sizeof *h->counts);
    if (!h->counts) {
        free(h);
        return NULL;
    }
    h->n = HIST_BUCKETS;
    return h;
}

void hist_destroy(struct hist **h)
{
    if (!*h) return;
    free((*h)->counts);
    free(*h);
    *h = NULL;
}

void hist_reset(struct hist *h)
{
    if (h->used_hi > h->used_lo)
        memset(h->counts + (h->used_lo - h->lo), 0, (h->used_hi - h->used_lo) * sizeof *h->counts);
    *h = (struct hist){.lo = h->lo, .n = h->n, .counts = h->counts};
}

int64_t hist_bucket_low(uint32_t index)
{
    if (index >= HIST_BUCKETS) index = HIST_BUCKETS - 1;
    uint32_t b = index < 2048 ? 0 : (index >> 10) - 1;
    return (int64_t)(index - (b << 10)) << (b + 9);
}

int64_t hist_bucket_high(uint32_t index)
{
    if (index >= HIST_BUCKETS) index = HIST_BUCKETS - 1;
    uint32_t b = index < 2048 ? 0 : (index >> 10) - 1;
    return hist_bucket_low(index) + (INT64_C(1) << (b + 9)) - 1;
}

int hist_reserve(struct hist *h, uint32_t lo, uint32_t hi)
{
    if (h->n && lo >= h->lo && hi <= h->lo + h->n) return 0;
    if (h->n) {
        lo = lo < h->lo ? lo : h->lo;
        hi = hi > h->lo + h->n ? hi : h->lo + h->n;
    }
    lo -= lo % GROW;
    hi = (hi + GROW - 1) / GROW * GROW;
    uint64_t *counts = calloc(hi - lo, sizeof *counts);
    if (!counts) return -1;
    if (h->n) memcpy(counts + (h->lo - lo), h->counts, h->n * sizeof *counts);
    free(h->counts);
    h->counts = counts;
    h->lo = lo;
    h->n = hi - lo;
    return 0;
}

int hist_record_slow(struct hist *h, int64_t value, uint64_t n)
{
    if (n == 0) return 0;
    uint32_t i = hist_index(value);
    if (hist_reserve(h, i, i + 1)) return -1;
    return hist_record(h, value, n);
}

void hist_widen(struct hist *h, int64_t value)
{
    uint32_t bucket = hist_index(value);
    bool first = h->count == 0;
    if (first || value < h->min) h->min = value;
    if (first || value > h->max) h->max = value;
    if (first || bucket < h->used_lo) h->used_lo = bucket;
    if (first || bucket >= h->used_hi) h->used_hi = bucket + 1;
}

void hist_add_totals(struct hist *to, const struct hist *from)
{
    bool first = to->count == 0;
    if (first || from->min < to->min) to->min = from->min;
    if (first || from->max > to->max) to->max = from->max;
    if (first || from->used_lo < to->used_lo) to->used_lo = from->used_lo;
    if (first || from->used_hi > to->used_hi) to->used_hi = from->used_hi;
    uint64_t low = from->sum_lo;
    to->sum_lo += low;
    to->sum_hi += from->sum_hi + (to->sum_lo < low);
    to->count += from->count;
}

/* Everything about at least one value but the counts. */
static struct hist totals_of(const uint32_t *values, size_t n)
{
    uint32_t min = values[0], max = values[0];
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
        min = values[i] < min ? values[i] : min;
        max = values[i] > max ? values[i] : max;
    }
    return (struct hist){
        .count = n, .min = min, .max = max, .sum_lo = sum, .used_lo = hist_index(min), .used_hi = hist_index(max) + 1};
}

int hist_record_both(struct hist *a, struct hist *b, const uint32_t *values, size_t n)
{
    if (n == 0) return 0;
    struct hist added = totals_of(values, n);
    if (hist_reserve(a, added.used_lo, added.used_hi) || hist_reserve(b, added.used_lo, added.used_hi)) return -1;
    uint64_t *in_a = a->counts, *in_b = b->counts;
    uint32_t lo_a = a->lo, lo_b = b->lo;
    for (size_t i = 0; i < n; i++) {
        uint32_t bucket = hist_index(values[i]);
        in_a[bucket - lo_a]++;
        in_b[bucket - lo_b]++;
    }
    hist_add_totals(a, &added);
    hist_add_totals(b, &added);
    return 0;
}

int hist_merge(struct hist *to, const struct hist *from)
{
    if (from->count == 0) return 0;
    if (hist_reserve(to, from->used_lo, from->used_hi)) return -1;
    uint64_t *counts = to->counts + (from->used_lo - to->lo);
    const uint64_t *add = from->counts + (from->used_lo - from->lo);
    for (uint32_t i = 0; i < from->used_hi - from->used_lo; i++)
        counts[i] += add[i];
    hist_add_totals(to, from);
    return 0;
}

int hist_add_sparse(struct hist *to, const struct hist_sparse *from)
{
    if (from->whole.count == 0) return 0;
    if (hist_reserve(to, from->whole.used_lo, from->whole.used_hi)) return -1;
    for (uint32_t i = 0; i < from->n; i++)
        to->counts[from->cell[i].bucket - to->lo] += from->cell[i].count;
    hist_add_totals(to, &from->whole);
    return 0;
}

void hist_sparse_clear(struct hist_sparse *h)
{
    free(h->cell);
    *h = (struct hist_sparse){0};
}

struct hist *hist_copy(const struct hist *h)
{
    struct hist *copy = hist_new();
    if (copy && hist_merge(copy, h)) hist_destroy(&copy);
    return copy;
}

static uint64_t count_at(const struct hist *h, uint32_t bucket)
{
    uint32_t i = bucket - h->lo;
    return i < h->n ? h->counts[i] : 0;
}

bool hist_equal(const struct hist *a, const struct hist *b)
{
    if (a->count != b->count) return false;
    if (a->count == 0) return true;
    if (a->min != b->min || a->max != b->max || a->sum_lo != b->sum_lo || a->sum_hi != b->sum_hi) return false;
    uint32_t lo = a->used_lo < b->used_lo ? a->used_lo : b->used_lo,
             hi = a->used_hi > b->used_hi ? a->used_hi : b->used_hi;
    for (uint32_t i = lo; i < hi; i++)
        if (count_at(a, i) != count_at(b, i)) return false;
    return true;
}

static int64_t value_of(const struct hist *h, uint32_t bucket)
{
    int64_t v = hist_bucket_high(bucket);
    if (v > h->max) v = h->max;
    return v < h->min ? h->min : v;
}

int64_t hist_at_rank(const struct hist *h, uint64_t rank)
{
    if (h->count == 0) return 0;
    if (rank >= h->count) return h->max;
    if (rank == 0) rank = 1;
    uint64_t seen = 0;
    for (uint32_t i = h->used_lo; i < h->used_hi; i++) {
        seen += h->counts[i - h->lo];
        if (seen >= rank) return value_of(h, i);
    }
    return h->max;
}

static uint64_t rank_of(const struct hist *h, double q)
{
    /* 0.07 · 100 is 7.000000000000001 in binary: take off the rounding error before rounding up */
    double rank = ceil(q * (double)h->count * (1 - 0x1p-51));
    if (!(rank >= 1)) return 1;
    return rank >= (double)h->count ? h->count : (uint64_t)rank;
}

int64_t hist_quantile(const struct hist *h, double q)
{
    return hist_at_rank(h, rank_of(h, q));
}

int64_t hist_sparse_quantile(const struct hist_sparse *h, double q)
{
    uint64_t rank = rank_of(&h->whole, q), seen = 0;
    if (h->whole.count == 0) return 0;
    for (uint32_t i = 0; rank < h->whole.count && i < h->n; i++) {
        seen += h->cell[i].count;
        if (seen >= rank) return value_of(&h->whole, h->cell[i].bucket);
    }
    return h->whole.max;
}

uint64_t hist_in_bucket(const struct hist *h, uint32_t index)
{
    return h && index >= h->lo && index - h->lo < h->n ? h->counts[index - h->lo] : 0;
}

uint64_t hist_count_at_most(const struct hist *h, int64_t value)
{
    uint32_t end = hist_index(value) + 1;
    if (end > h->used_hi) end = h->used_hi;
    uint64_t n = 0;
    for (uint32_t i = h->used_lo; i < end; i++)
        n += h->counts[i - h->lo];
    return n;
}

double hist_sum(const struct hist *h)
{
    return (double)(wide)((uwide)h->sum_hi << 64 | h->sum_lo);
}
double hist_mean(const struct hist *h)
{
    return h->count ? hist_sum(h) / (double)h->count : 0;
}
