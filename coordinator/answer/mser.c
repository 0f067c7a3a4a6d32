#include "coordinator/answer/mser.h"

#include <math.h>

#define BATCH 5

static double batch_mean(const double *x, size_t b)
{
    double s = 0;
    for (size_t i = 0; i < BATCH; i++)
        s += x[b * BATCH + i];
    return s / BATCH;
}

size_t mser5_cut(const double *x, size_t n)
{
    size_t batches = n / BATCH, best = 0;
    double sum = 0, square = 0, least = INFINITY;
    if (n < MSER5_LEAST) return 0;
    double about = batch_mean(x, batches - 1); /* sums about a value near the mean keep their digits */
    /* from the end, so that each step adds one batch to the sums */
    for (size_t b = batches; b-- > 0;) {
        double m = batch_mean(x, b) - about, left = (double)(batches - b);
        sum += m;
        square += m * m;
        if (left < 5 && b > 0) continue; /* MSER-5's own rule: never cut into the last five batches */
        double error = (square - sum * sum / left) / (left * left);
        if (error <= least) {
            least = error;
            best = b;
        }
    }
    return best > batches / 2 ? n : best * BATCH;
}
