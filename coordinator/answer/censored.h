/* Latencies of a sample in which some requests were cut off, by the drain's end or load.cancel: of these it is known
 * only that they are slower than their age. Percentiles of the answers alone are those of the faster ones. Pure.
 *
 * The estimate is that of Kaplan & Meier (J. Amer. Stat. Assoc. 53, 1958, p. 457) on the buckets of histograms:
 * S(t) = product over the buckets up to t of 1 - d/n, with d latencies in the bucket and n latencies and ages not below
 * it; an age comes after the latencies of its bucket. It assumes that when a request is cut off has nothing to do
 * with how slow it would have been, as where users leave after a time of their own. The bounds assume nothing: `lo`
 * takes each one as ended at its age, `hi` as never ended. */
#pragma once
#include "coordinator/answer/point.h"

#define CENSORED_TELL 0.01 /* of the sample, from which on it is told */

struct censored {
    double share;                                /* of the sample: requests that were cut off */
    double q[POINT_Q], lo[POINT_Q], hi[POINT_Q]; /* in the metric's unit. q: NaN where the estimate lies above all that
                                                    was seen: at least lo. All NaN: the sample is too small. hi:
                                                    INFINITY where too many were cut off */
};
/* False: no request of the metric was cut off, or there is no memory. */
bool censored_read(const struct point *p, enum metric m, struct censored *ret);

/* The sentence of the answer, of the point with the largest share: the percentile that moves most. "": there is nothing
 * to tell. Returns ret. */
#define CENSORED_WORDS 500
const char *censored_words(const struct point *points, size_t n, char ret[static CENSORED_WORDS]);
