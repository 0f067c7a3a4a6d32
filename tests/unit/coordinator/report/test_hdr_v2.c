#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "common/rng.h"
#include "coordinator/report/hdr_v2.h"

static uint64_t big(const uint8_t *p, int n)
{
    uint64_t v = 0;
    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* Reads the public layout, written from its description and apart from the encoder: header, then counts into `counts`.
 */
static void decode(const struct buf *b, uint64_t counts[HIST_BUCKETS])
{
    assert_true(b->len >= 40);
    assert_int_equal(big(b->data, 4), 0x1c849313);
    assert_int_equal(big(b->data + 4, 4), b->len - 40);
    assert_int_equal(big(b->data + 8, 4), 0);
    assert_int_equal(big(b->data + 12, 4), 3);
    assert_int_equal(big(b->data + 16, 8), HIST_LOWEST);
    assert_int_equal(big(b->data + 24, 8), HIST_HIGHEST);
    assert_int_equal(big(b->data + 32, 8), 0x3ff0000000000000);
    size_t at = 40;
    uint32_t bucket = 0;
    while (at < b->len) {
        uint64_t v = 0;
        for (int shift = 0;; shift += 7) {
            uint8_t byte = b->data[at++];
            if (shift == 56) {
                v |= (uint64_t)byte << 56;
                break;
            }
            v |= (uint64_t)(byte & 0x7f) << shift;
            if (!(byte & 0x80)) break;
        }
        int64_t n = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
        if (n < 0) {
            bucket += (uint32_t)-n;
        } else {
            assert_true(bucket < HIST_BUCKETS);
            counts[bucket++] = (uint64_t)n;
        }
        assert_true(bucket <= HIST_BUCKETS);
    }
    assert_int_equal(at, b->len);
}

static void check(const struct hist *h)
{
    struct buf b = BUF_INIT(1 << 20);
    uint64_t *counts = calloc(HIST_BUCKETS, sizeof *counts);
    assert_int_equal(hdr_v2_encode(h, &b), 0);
    decode(&b, counts);
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        uint64_t want = i >= h->lo && i - h->lo < h->n ? h->counts[i - h->lo] : 0;
        assert_int_equal(counts[i], want);
    }
    free(counts);
    buf_clear(&b);
}

static void test_plain(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    struct rng r;
    check(h);
    assert_int_equal(hist_record(h, 0, 1), 0);
    check(h);
    assert_int_equal(hist_record(h, HIST_HIGHEST, 3), 0);
    check(h);
    assert_int_equal(hist_record(h, 5000000, UINT64_C(1) << 62), 0); /* the longest number: nine bytes */
    assert_int_equal(hist_record(h, 5100000, (UINT64_C(1) << 56) - 1), 0);
    check(h);
    rng_seed(&r, 1);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(hist_record(h, (int64_t)(rng_exp(&r) * 3e7), 1 + rng_below(&r, 300)), 0);
    check(h);
    hist_destroy(&h);
}

static void test_compressed(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    struct rng r;
    rng_seed(&r, 2);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hist_record(h, (int64_t)(rng_exp(&r) * 3e7), 1), 0);
    struct buf plain = BUF_INIT(1 << 20), packed = BUF_INIT(1 << 20);
    assert_int_equal(hdr_v2_encode(h, &plain), 0);
    assert_int_equal(hdr_v2_encode_compressed(h, &packed), 0);
    assert_int_equal(big(packed.data, 4), 0x1c849314);
    assert_int_equal(big(packed.data + 4, 4), packed.len - 8);
    uint8_t *back = malloc(plain.len + 1);
    uLongf n = plain.len + 1;
    assert_int_equal(uncompress(back, &n, packed.data + 8, packed.len - 8), Z_OK);
    assert_int_equal(n, plain.len);
    assert_memory_equal(back, plain.data, n);
    free(back);
    buf_clear(&plain);
    buf_clear(&packed);
    hist_destroy(&h);
}

/* RFC 4648, section 10. */
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plain), cmocka_unit_test(test_compressed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
