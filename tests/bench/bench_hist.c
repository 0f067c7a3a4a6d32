/* What the histogram and the snapshot cost: record, encode, decode and merge, in ns, beside bytes. Prints one line a
 * figure. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/hist.h"
#include "common/rng.h"

enum { VALUES = 1 << 16, ROUNDS = 200, TURNS = 2000 };

static void record(const int64_t *v)
{
    struct hist *h = hist_new_dense();
    if (!h) abort();
    int64_t best = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t t = clock_mono_ns();
        for (int i = 0; i < VALUES; i++)
            (void)hist_record(h, v[i], 1);
        t = clock_mono_ns() - t;
        best = t < best ? t : best;
    }
    printf("record                    %8.2f ns\n", (double)best / VALUES);
    hist_destroy(&h);
}

static void codec(const int64_t *v, int samples)
{
    struct hist *h = hist_new_dense(), *sum = hist_new();
    struct buf b = BUF_INIT(1 << 20);
    struct err e;
    if (!h || !sum) abort();
    for (int i = 0; i < samples; i++)
        (void)hist_record(h, v[i], 1);
    int64_t encode = INT64_MAX, decode = INT64_MAX, quantile = INT64_MAX;
    for (int i = 0; i < TURNS; i++) {
        buf_reset(&b);
        int64_t t = clock_mono_ns();
        if (hist_encode(h, &b)) abort();
        int64_t t1 = clock_mono_ns();
        if (hist_decode_add(sum, b.data, b.len, &e)) abort();
        int64_t t2 = clock_mono_ns();
        if (hist_quantile(sum, 0.99) <= 0) abort();
        int64_t t3 = clock_mono_ns();
        encode = t1 - t < encode ? t1 - t : encode;
        decode = t2 - t1 < decode ? t2 - t1 : decode;
        quantile = t3 - t2 < quantile ? t3 - t2 : quantile;
    }
    printf("%6d samples: %6zu bytes, encode %6.1f us, decode and merge %6.1f us, p99 %6.1f us\n", samples, b.len,
           (double)encode / 1e3, (double)decode / 1e3, (double)quantile / 1e3);
    buf_clear(&b);
    hist_destroy(&h);
    hist_destroy(&sum);
}

int main(void)
{
    static int64_t v[VALUES];
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < VALUES; i++)
        v[i] = (int64_t)exp(log(20e6) + 0.5 * rng_normal(&r));
    record(v);
    codec(v, 100);
    codec(v, 1000);
    codec(v, 20000);
    codec(v, VALUES);
    return 0;
}
