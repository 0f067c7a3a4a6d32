/* Histogram with HdrHistogram's bucket layout (Gil Tene; https://hdrhistogram.org): lowest 1,000, highest 3.6e12 (1 us … 1 h in
 * ns), 3 significant digits, 23,552 buckets. Exact count, sum, min and max beside it. Merging is addition, without loss.
 *
 * A recorder's histogram (`hist_new_dense`) holds all buckets and never allocates again; one that only receives merges
 * (`hist_new`) grows over the range in use, so that thousands fit in memory. Values below the lowest fall into the first
 * bucket, values above the highest into the last; min, max and sum keep the true value.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define HIST_LOWEST INT64_C(1000)
#define HIST_HIGHEST INT64_C(3600000000000)
#define HIST_BUCKETS 23552u

struct hist {
    uint64_t count;
    int64_t min, max; /* meaningless when count is 0 */
    /* 128-bit sum: 2^64 samples of an hour do not overflow it */
    uint64_t sum_lo, sum_hi;
    uint32_t lo, n;   /* counts[i] is bucket lo + i; i < n */
    uint32_t used_lo, used_hi; /* range of buckets that may be non-zero: [used_lo, used_hi), empty when equal */
    uint64_t *counts;
};

struct hist *hist_new(void);       /* empty, no buckets yet; NULL without memory */
struct hist *hist_new_dense(void); /* all buckets allocated */
void hist_destroy(struct hist **h);
void hist_reset(struct hist *h); /* empties, keeps memory */

/* Bucket of a value, and the least and greatest value of a bucket. Values are clamped to [0, HIST_HIGHEST]. */
uint32_t hist_index(int64_t value);
int64_t hist_bucket_low(uint32_t index);
int64_t hist_bucket_high(uint32_t index); /* inclusive */

/* Records `n` samples of a value. On a dense histogram: no allocation, a few ns. On a growing one it may allocate; returns -1 without memory. */
int hist_record(struct hist *h, int64_t value, uint64_t n);

int hist_merge(struct hist *to, const struct hist *from); /* -1 without memory */
struct hist *hist_copy(const struct hist *h);
bool hist_equal(const struct hist *a, const struct hist *b); /* bucket by bucket, and count, sum, min, max */

/* Value at rank ceil(q·count) (1-based, at least 1), q in [0, 1]: the greatest value of its bucket, but never above max nor below min.
 * 0 when empty. */
int64_t hist_quantile(const struct hist *h, double q);
int64_t hist_at_rank(const struct hist *h, uint64_t rank); /* 1 … count */
uint64_t hist_count_at_most(const struct hist *h, int64_t value); /* samples in buckets up to and including value's */
double hist_mean(const struct hist *h); /* exact: sum / count; 0 when empty */
double hist_sum(const struct hist *h);

/* The wire form: bounded, self-contained, hostile-safe to decode. Version byte, count, sum, min, max, used range, zig-zag varints of the counts with runs of
 * zeros as negative numbers. Decoding validates everything (range, overflow, sum of counts == count, min/max inside their
 * buckets, no trailing bytes) before it changes `to`, and *adds* to it. */
int hist_encode(const struct hist *h, struct buf *out);
int hist_decode_add(struct hist *to, const void *bytes, size_t n, struct err *e);
