/* Histogram with HdrHistogram's bucket layout (Gil Tene; https://hdrhistogram.org): lowest 1,000, highest 3.6e12 (1 us
 * … 1 h in ns), 3 significant digits, 24,576 buckets (23,552 would end at 2^41 ns, 36.6 minutes). Exact count, sum, min
 * and max beside it. Merging is addition, without loss.
 *
 * A recorder's histogram (`hist_new_dense`) holds all buckets and never allocates again; one that only receives merges
 * (`hist_new`) grows over the range in use, so that thousands fit in memory. Values below the lowest fall into the
 * first bucket, values above the highest into the last; min, max and sum keep the true value.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define HIST_LOWEST INT64_C(1000)
#define HIST_HIGHEST INT64_C(3600000000000)
#define HIST_BUCKETS 24576u

struct hist {
    uint64_t count;
    int64_t min, max; /* meaningless when count is 0 */
    /* 128-bit sum, two's complement: 2^64 samples of an hour do not overflow it */
    uint64_t sum_lo, sum_hi;
    uint32_t lo, n;            /* counts[i] is bucket lo + i; i < n */
    uint32_t used_lo, used_hi; /* range of buckets that may be non-zero: [used_lo, used_hi), empty when equal; numbers
                                  of buckets, not of counts[] */
    uint64_t *counts;
};

struct hist *hist_new(void);       /* empty, no buckets yet; NULL without memory */
struct hist *hist_new_dense(void); /* all buckets allocated */
void hist_destroy(struct hist **h);
void hist_reset(struct hist *h); /* empties, keeps memory */

/* Bucket of a value, and the lowest and highest value of a bucket. Values are clamped to [0, HIST_HIGHEST]. */
static inline uint32_t hist_index(int64_t value)
{
    int64_t up = value < HIST_HIGHEST ? value : HIST_HIGHEST;
    uint64_t v = (uint64_t)(up > 0 ? up : 0);
    /* 9 = floor(log2(lowest)), 2,048 sub-buckets of which the upper 1,024 are used above the first bucket */
    uint32_t b = 64u - (uint32_t)__builtin_clzll(v | UINT64_C(2047) << 9) - 20u;
    return (b << 10) + (uint32_t)(v >> (b + 9));
}
int64_t hist_bucket_low(uint32_t index);
int64_t hist_bucket_high(uint32_t index); /* inclusive */

int hist_record_slow(struct hist *h, int64_t value, uint64_t n); /* hist_record of a bucket that has no memory yet */

void hist_widen(struct hist *h, int64_t value); /* hist_record of a value outside [min, max], before it is counted */

/* The two steps of a merge, shared with the codec: memory for buckets [lo, hi) beside those it has (-1 without memory);
 * everything but the counts. */
int hist_reserve(struct hist *h, uint32_t lo, uint32_t hi);
void hist_add_totals(struct hist *to, const struct hist *from);

/* Records `n` samples of a value. On a dense histogram: no allocation, a few ns. On a growing one it may allocate;
 * returns -1 without memory. */
static inline int hist_record(struct hist *h, int64_t value, uint64_t n)
{
    uint32_t bucket = hist_index(value), i = bucket - h->lo;
    if (__builtin_expect(i >= h->n || n == 0, 0)) return hist_record_slow(h, value, n);
    h->counts[i] += n;
    __extension__ __int128 product = (__extension__(__int128) value) * (__extension__(__int128) n);
    uint64_t low = (uint64_t)product, sum = h->sum_lo + low;
    h->sum_hi += (uint64_t)(product >> 64) + (sum < low);
    h->sum_lo = sum;
    if (__builtin_expect(h->count == 0 || value < h->min || value > h->max, 0)) hist_widen(h, value);
    h->count += n;
    return 0;
}
/* One sample of each value in both histograms; -1 without memory. Totals and buckets are found once, so that many cost
 * less than by hist_record. */
int hist_record_both(struct hist *a, struct hist *b, const uint32_t *values, size_t n);

int hist_merge(struct hist *to, const struct hist *from); /* -1 without memory */
struct hist *hist_copy(const struct hist *h);
bool hist_equal(const struct hist *a, const struct hist *b); /* bucket by bucket, and count, sum, min, max */

/* Value at rank ceil(q·count) (1-based, at least 1), q in [0, 1]: the highest value of its bucket, but never above max
 * nor below min; the last rank is max itself. 0 when empty. */
int64_t hist_quantile(const struct hist *h, double q);
int64_t hist_at_rank(const struct hist *h, uint64_t rank);        /* 1 … count */
uint64_t hist_count_at_most(const struct hist *h, int64_t value); /* samples in buckets up to and including value's */
uint64_t hist_in_bucket(const struct hist *h, uint32_t index);    /* samples; h: NULL is empty */
double hist_mean(const struct hist *h);                           /* exact: sum / count; 0 when empty */
double hist_sum(const struct hist *h);

/* The wire form (hist_codec.c): bounded, self-contained, sparse; 1 KB at 1,000 samples. Decoding validates everything
 * (range, overflow, sum of counts == count, min and max inside the outermost buckets, no trailing bytes) before it
 * changes `to`, and *adds* to it. */
int hist_encode(const struct hist *h, struct buf *out);
ERR_CHECKED int hist_decode_add(struct hist *to, const void *bytes, size_t n, struct err *e);
/* The same in one walk, of bytes that were decoded before. Should they be malformed after all, -1, and `to` is spoiled
 * unless it was empty. */
ERR_CHECKED int hist_decode_add_known(struct hist *to, const void *bytes, size_t n, struct err *e);

/* A histogram as the list of those buckets that hold samples, ascending: for one that is decoded, added to others and
 * then forgotten. A zeroed one is empty. */
struct hist_sparse {
    struct hist whole; /* everything but the counts */
    struct hist_cell {
        uint64_t count;
        uint32_t bucket;
    } * cell;
    uint32_t n, room;
};
/* Overwrites `ret`, keeps its memory; as hist_decode_add otherwise. Empty after a failure. */
ERR_CHECKED int hist_sparse_decode(struct hist_sparse *ret, const void *bytes, size_t n, struct err *e);
int hist_add_sparse(struct hist *to, const struct hist_sparse *from); /* -1 without memory */
int64_t hist_sparse_quantile(const struct hist_sparse *h, double q);  /* as hist_quantile */
void hist_sparse_clear(struct hist_sparse *h);
