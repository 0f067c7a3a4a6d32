/* Bytes as a histogram: read or refused, nothing changed when refused; what is read is a whole histogram and writes the
 * same bytes. */
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
static void must(int true_)
{
    if (!true_) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct hist *h = hist_new(), *twice = hist_new();
    struct hist_sparse list = {0};
    must(h && twice);
    int refused = hist_decode_add(h, bytes, n, NULL);
    must(hist_sparse_decode(&list, bytes, n, NULL) == refused);
    must(hist_add_sparse(twice, &list) == 0 && hist_equal(twice, h));
    must(hist_sparse_quantile(&list, 0.5) == hist_quantile(h, 0.5));
    hist_sparse_clear(&list);
    hist_reset(twice);
    if (refused)
        must(h->count == 0 && h->counts == NULL);
    else {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < h->n; i++)
            sum += h->counts[i];
        must(sum == h->count);
        must(hist_quantile(h, 0.5) <= h->max && hist_quantile(h, 0) >= h->min);
        struct buf b = BUF_INIT(HIST_BUCKETS * 10);
        must(hist_encode(h, &b) == 0);
        must(b.len == n && memcmp(b.data, bytes, n) == 0); /* one way to write it */
        buf_clear(&b);
        must(hist_merge(twice, h) == 0 && hist_equal(twice, h));
        int rc = hist_decode_add(twice, bytes, n, NULL);
        must(rc ? h->count > UINT64_MAX / 2 : twice->count == 2 * h->count);
    }
    hist_destroy(&h);
    hist_destroy(&twice);
    return 0;
}
