#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/hist.h"
#include "common/rng.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

static int64_t sample(struct rng *r)
{
    return (int64_t)exp(log(20e6) + 0.5 * rng_normal(r));
}

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(hist_index(0), 0);
    assert_int_equal(hist_index(-5), 0);
    assert_int_equal(hist_index(INT64_MIN), 0);
    assert_int_equal(hist_index(511), 0);
    assert_int_equal(hist_index(512), 1);
    assert_int_equal(hist_index((INT64_C(1) << 20) - 1), 2047);
    assert_int_equal(hist_index(INT64_C(1) << 20), 2048);
    assert_int_equal(hist_index((INT64_C(1) << 41) - 1), 23551);
    assert_int_equal(hist_index(HIST_HIGHEST), 24204);
    assert_int_equal(hist_index(INT64_MAX), 24204);
    assert_true(hist_index(HIST_HIGHEST) < HIST_BUCKETS);
    /* buckets are neighbours: no gap, no overlap, and each value error is within 3 digits */
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        int64_t low = hist_bucket_low(i), high = hist_bucket_high(i);
        assert_true(low <= high);
        if (i) assert_int_equal(low, hist_bucket_high(i - 1) + 1);
        if (high <= HIST_HIGHEST) {
            assert_int_equal(hist_index(low), i);
            assert_int_equal(hist_index(high), i);
        }
        if (low >= 1 << 20) assert_true((double)(high - low) <= 1e-3 * (double)low);
    }
}

static void test_exact_beside(void **state)
{
    (void)state;
    struct hist *dense = hist_new_dense(), *lean = hist_new();
    struct rng r;
    rng_seed(&r, 1);
    wide sum = 0;
    int64_t min = INT64_MAX, max = INT64_MIN;
    uint64_t count = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t v = i == 7 ? -12345 : i == 8 ? INT64_MAX : i == 9 ? INT64_MIN : sample(&r);
        uint64_t n = i == 9 ? 3 : rng_below(&r, 4);
        assert_int_equal(hist_record(dense, v, n), 0);
        assert_int_equal(hist_record(lean, v, n), 0);
        if (n == 0) continue;
        sum += (wide)v * (wide)n;
        count += n;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    assert_true(hist_equal(dense, lean));
    assert_int_equal(dense->count, count);
    assert_true(dense->min == min && dense->max == max);
    assert_true((wide)((uwide)dense->sum_hi << 64 | dense->sum_lo) == sum);
    assert_true(fabs(hist_mean(dense) - (double)sum / (double)count) <= 1e-12 * fabs(hist_mean(dense)));
    hist_reset(dense);
    assert_int_equal(dense->count, 0);
    assert_true(hist_mean(dense) == 0 && hist_quantile(dense, 0.5) == 0);
    for (uint32_t i = 0; i < HIST_BUCKETS; i++)
        assert_int_equal(dense->counts[i], 0);
    hist_destroy(&dense);
    hist_destroy(&lean);
    assert_null(lean);
    hist_destroy(&lean);
}

static int ascending(const void *a, const void *b)
{
    int64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct hist *dense[2] = {hist_new_dense(), hist_new_dense()}, *lean[2] = {hist_new(), hist_new()};
    struct rng r;
    uint32_t values[300];
    rng_seed(&r, 2);
    assert_int_equal(hist_record_both(dense[1], lean[1], values, 0), 0);
    assert_true(lean[1]->count == 0 && lean[1]->used_lo == lean[1]->used_hi);
    for (int round = 0; round < 200; round++) {
        size_t n = 1 + rng_below(&r, 300);
        for (size_t i = 0; i < n; i++) {
            values[i] = (uint32_t)rng_below(&r, UINT64_C(1) << (1 + rng_below(&r, 32)));
            if (rng_below(&r, 50) == 0) values[i] = rng_below(&r, 2) ? UINT32_MAX : 0;
            assert_int_equal(hist_record(dense[0], values[i], 1), 0);
            assert_int_equal(hist_record(lean[0], values[i], 1), 0);
        }
        assert_int_equal(hist_record_both(dense[1], lean[1], values, n), 0);
        assert_true(hist_equal(dense[0], dense[1]) && hist_equal(lean[0], lean[1]));
        assert_true(dense[0]->used_lo == dense[1]->used_lo && dense[0]->used_hi == dense[1]->used_hi);
        if (round % 20 == 0) hist_reset(dense[0]), hist_reset(dense[1]);
    }
    for (int i = 0; i < 2; i++) {
        hist_destroy(&dense[i]);
        hist_destroy(&lean[i]);
    }
}

static void test_ranks(void **state)
{
    (void)state;
    enum { N = 5000 };
    static int64_t v[N];
    struct hist *h = hist_new();
    struct rng r;
    rng_seed(&r, 2);
    for (int i = 0; i < N; i++) {
        v[i] = sample(&r);
        assert_int_equal(hist_record(h, v[i], 1), 0);
    }
    qsort(v, N, sizeof *v, ascending);
    for (uint64_t rank = 1; rank <= N; rank++) {
        int64_t got = hist_at_rank(h, rank), want = hist_bucket_high(hist_index(v[rank - 1]));
        assert_int_equal(got, rank == N || want > v[N - 1] ? v[N - 1] : want);
        assert_true(hist_count_at_most(h, v[rank - 1]) >= rank);
    }
    for (int permille = 1; permille <= 1000; permille++) /* ceil(q · N) in whole numbers */
        assert_int_equal(hist_quantile(h, permille / 1000.0), hist_at_rank(h, ((uint64_t)permille * N + 999) / 1000));
    assert_int_equal(hist_quantile(h, 0), hist_at_rank(h, 1));
    assert_int_equal(hist_quantile(h, 1), v[N - 1]);
    assert_int_equal(hist_quantile(h, NAN), hist_at_rank(h, 1));
    assert_int_equal(hist_count_at_most(h, -1), hist_count_at_most(h, 0));
    assert_int_equal(hist_count_at_most(h, INT64_MAX), N);
    hist_destroy(&h);

    /* one sample: every percentile is that very value, not its bucket's end */
    h = hist_new();
    assert_int_equal(hist_record(h, 1234567891, 1), 0);
    for (double q = 0; q <= 1; q += 0.125)
        assert_int_equal(hist_quantile(h, q), 1234567891);
    hist_destroy(&h);
}

static void test_merge_of_parts(void **state)
{
    (void)state;
    static const unsigned PARTS[] = {2, 3, 7};
    for (unsigned p = 0; p < 3; p++) {
        struct hist *one = hist_new_dense(), *part[7], *merged = hist_new(), *by_wire = hist_new(),
                    *by_list = hist_new();
        struct hist_sparse list = {0};
        for (unsigned i = 0; i < PARTS[p]; i++)
            part[i] = hist_new_dense();
        struct rng r;
        rng_seed(&r, p);
        for (int i = 0; i < 30000; i++) {
            int64_t v = sample(&r);
            (void)hist_record(one, v, 1);
            (void)hist_record(part[rng_below(&r, PARTS[p])], v, 1);
        }
        for (unsigned i = 0; i < PARTS[p]; i++) {
            struct buf b = BUF_INIT(1 << 20);
            assert_int_equal(hist_encode(part[i], &b), 0);
            assert_int_equal(hist_decode_add(by_wire, b.data, b.len, NULL), 0);
            assert_int_equal(hist_sparse_decode(&list, b.data, b.len, NULL), 0);
            assert_int_equal(hist_add_sparse(by_list, &list), 0);
            assert_int_equal(hist_merge(merged, part[i]), 0);
            buf_clear(&b);
            hist_destroy(&part[i]);
        }
        assert_true(hist_equal(one, merged));
        assert_true(hist_equal(one, by_wire));
        assert_true(hist_equal(one, by_list));
        assert_true(merged->n < HIST_BUCKETS / 2);
        hist_destroy(&one);
        hist_destroy(&merged);
        hist_destroy(&by_wire);
        hist_destroy(&by_list);
        hist_sparse_clear(&list);
    }
}

static void test_copy_and_equal(void **state)
{
    (void)state;
    struct hist *h = hist_new(), *empty = hist_new_dense();
    for (int i = 1; i < 100; i++)
        (void)hist_record(h, i * 7777777, 2);
    struct hist *c = hist_copy(h);
    assert_true(hist_equal(h, c));
    assert_false(hist_equal(h, empty));
    c->counts[hist_index(50 * 7777777) - c->lo]--;
    c->counts[hist_index(51 * 7777777) - c->lo]++;
    assert_false(hist_equal(h, c));
    assert_int_equal(hist_merge(h, empty), 0);
    assert_int_equal(h->count, 198);
    assert_int_equal(hist_merge(h, h), 0);
    assert_int_equal(h->count, 396);
    assert_int_equal(hist_count_at_most(h, INT64_MAX), 396);
    hist_destroy(&h);
    hist_destroy(&c);
    hist_destroy(&empty);
}

static void round_trip(const struct hist *h)
{
    struct buf b = BUF_INIT(1 << 20);
    struct hist *back = hist_new();
    struct err e = {0};
    assert_int_equal(hist_encode(h, &b), 0);
    if (hist_decode_add(back, b.data, b.len, &e)) fail_msg("%s", e.text);
    assert_true(hist_equal(h, back));
    struct hist_sparse list = {0};
    for (int again = 0; again < 2; again++) /* the second one finds the first one's memory */
        if (hist_sparse_decode(&list, b.data, b.len, &e)) fail_msg("%s", e.text);
    for (uint32_t i = 1; i < list.n; i++)
        assert_true(list.cell[i - 1].bucket < list.cell[i].bucket);
    for (double q = 0; q <= 1; q += 0.0625)
        assert_int_equal(hist_sparse_quantile(&list, q), hist_quantile(h, q));
    hist_reset(back);
    assert_int_equal(hist_add_sparse(back, &list), 0);
    assert_true(hist_equal(h, back));
    hist_sparse_clear(&list);
    hist_destroy(&back);
    buf_clear(&b);
}

static void test_codec_round_trip(void **state)
{
    (void)state;
    struct hist *h = hist_new_dense();
    round_trip(h);
    static const int64_t EDGE[] = {0,    -1,           INT64_MIN,        INT64_MAX,       999,
                                   1000, HIST_HIGHEST, HIST_HIGHEST + 1, INT64_C(1) << 41};
    for (size_t i = 0; i < sizeof EDGE / sizeof *EDGE; i++) {
        hist_reset(h);
        (void)hist_record(h, EDGE[i], 1 + i);
        round_trip(h);
    }
    for (size_t i = 0; i < sizeof EDGE / sizeof *EDGE; i++) {
        (void)hist_record(h, EDGE[i], 1 + i);
        round_trip(h);
    }
    (void)hist_record(h, 5000, INT64_MAX);
    round_trip(h);
    struct rng r;
    for (uint64_t seed = 0; seed < 50; seed++) {
        hist_reset(h);
        rng_seed(&r, seed);
        for (uint64_t n = rng_below(&r, 3000) + 1; n; n--)
            (void)hist_record(h, (int64_t)rng_below(&r, UINT64_C(1) << (4 + rng_below(&r, 39))),
                              1 + rng_below(&r, 300));
        round_trip(h);
    }
    hist_destroy(&h);
}

static void test_codec_size(void **state)
{
    (void)state;
    struct hist *h = hist_new_dense();
    struct rng r;
    rng_seed(&r, 3);
    struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 1000; i++)
        (void)hist_record(h, sample(&r), 1);
    assert_int_equal(hist_encode(h, &b), 0);
    assert_in_range(b.len, 300, 1300);
    buf_clear(&b);
    hist_destroy(&h);
}

/* Each of these must be refused, and must leave what was there as it was. */
static void refuse(const void *bytes, size_t n, const char *why)
{
    struct hist *h = hist_new(), *was;
    struct hist_sparse list = {0};
    struct err e = {0}, e_list = {0};
    (void)hist_record(h, 5000000, 10);
    was = hist_copy(h);
    if (hist_decode_add(h, bytes, n, &e) == 0) fail_msg("accepted, but: %s", why);
    assert_int_equal(e.code, ERR_WIRE);
    if (!strstr(e.text, why)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, why);
    assert_int_not_equal(hist_sparse_decode(&list, bytes, n, &e_list), 0);
    if (!strstr(e.text, "overflow")) assert_string_equal(e_list.text, e.text); /* what overflows is the sum of both */
    assert_true(list.n == 0 && list.whole.count == 0);
    hist_sparse_clear(&list);
    assert_true(hist_equal(h, was));
    assert_int_equal(h->n, was->n);
    hist_reset(h); /* into an empty one: what was added before the mistake is gone again */
    assert_int_not_equal(hist_decode_add(h, bytes, n, NULL), 0);
    assert_true(h->count == 0 && h->used_lo == h->used_hi);
    for (uint32_t i = 0; i < h->n; i++)
        assert_true(h->counts[i] == 0);
    hist_destroy(&h);
    assert_non_null(h = hist_new());
    assert_int_not_equal(hist_decode_add(h, bytes, n, NULL), 0);
    assert_true(h->count == 0 && h->n == 0 && h->counts == NULL);
    hist_destroy(&h);
    hist_destroy(&was);
}

static void test_codec_hostile(void **state)
{
    (void)state;
    struct hist *h = hist_new();
    (void)hist_record(h, 100, 2);
    (void)hist_record(h, 600, 1);
    (void)hist_record(h, 5000, 1);
    struct buf b = BUF_INIT(1 << 10);
    assert_int_equal(hist_encode(h, &b), 0);
    /* version · count 4 · min 100 (2 bytes) · span 4900 (2 bytes) · sum 5800 (16) · bucket 0 · 2 · 1 · 7 zeros and 1 */
    assert_int_equal(b.len, 1 + 1 + 2 + 2 + 16 + 1 + 1 + 1 + 1);
    for (size_t cut = 0; cut < b.len; cut++)
        refuse(b.data, cut, "histogram");
    static const struct {
        size_t at;
        uint8_t byte;
        const char *why;
    } BAD[] = {
        {0, 2, "version 2"},         {0, 0, "version 0"},       {1, 5, "says 5"},
        {1, 3, "does not fit"},      {3, 0x08, "first bucket"}, {7, 0, "sum"},
        {21, 0x7f, "sum"},           {22, 1, "first bucket"},   {22, 0x7f, "first bucket"},
        {23, 4 + 4, "does not fit"}, {23, 0, "shortest form"},  {23, 1, "run of"},
        {24, 3 | 1 << 2, "run of"},  {25, 0x7f, "run of"},      {25, 7 << 2 | 3, "run of"},
        {25, 6 << 2 | 1, "cut off"}, {25, 2, "cut off"},        {24, 2 + 2, "does not fit"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        uint8_t bytes[64];
        memcpy(bytes, b.data, b.len);
        bytes[BAD[i].at] = BAD[i].byte;
        refuse(bytes, b.len, BAD[i].why);
    }
    /* an empty bucket hidden as a count of 0 after a run (found by fuzzing) */
    assert_int_equal(b.data[24], 2);
    b.data[24] = 1;
    b.data[25] = 0;
    refuse(b.data, b.len, "shortest form");
    b.data[24] = 2;
    b.data[25] = 6 << 2 | 3;
    assert_int_equal(buf_putc(&b, 0), 0);
    refuse(b.data, b.len, "after its end");
    refuse("\1\0\0", 3, "after its end");
    refuse("\1\200\0", 3, "count");                                     /* not the shortest form */
    refuse("\1\377\377\377\377\377\377\377\377\377\2", 11, "count");    /* 65 bits */
    refuse("\1\377\377\377\377\377\377\377\377\377\1", 11, "overflow"); /* 2^64 - 1 more */
    refuse("\1\1\376\377\377\377\377\377\377\377\377\1\1", 13, "max overflows");
    refuse("\1\1\1\1", 4, "sum"); /* min = -1, max = 0 … */
    buf_clear(&b);
    hist_destroy(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),           cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_exact_beside),     cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_merge_of_parts),   cmocka_unit_test(test_copy_and_equal),
        cmocka_unit_test(test_codec_round_trip), cmocka_unit_test(test_codec_size),
        cmocka_unit_test(test_codec_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
