#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/corpus.h"
#include "common/shard.h"

enum { MANY = 20000 };
struct arrival {
    int64_t ns;
    uint64_t k;
};

static struct shard open_shard(enum arrivals_kind kind, double from, double to, int64_t duration_ns, uint64_t seed)
{
    struct plan p = {0};
    struct plan_stage stage = {.kind = LOAD_OPEN,
                               .rate_from = from,
                               .rate_to = to,
                               .arrivals = kind,
                               .burstiness = 0.5,
                               .duration_ns = duration_ns};
    struct shard s;
    struct err e = {0};
    if (shard_whole(&p, &stage, seed, &s, &e)) fail_msg("%s", e.text);
    return s;
}

static struct shard counted_shard(enum arrivals_kind kind, uint64_t n, uint64_t seed)
{
    struct shard s = open_shard(kind, 2, 2, NS_PER_S, seed);
    s.duration_ns = 0;
    s.requests_all = n;
    return s;
}

static size_t take(const struct shard *s, struct arrival *out, size_t room)
{
    struct arrivals a;
    arrivals_init(&a, s);
    size_t n = 0;
    while (n < room && arrivals_next(&a, &out[n].ns, &out[n].k)) {
        if (n) assert_true(out[n].ns >= out[n - 1].ns && out[n].k > out[n - 1].k);
        n++;
    }
    int64_t ns;
    uint64_t k;
    if (n < room) assert_int_equal(arrivals_next(&a, &ns, &k), 0); /* an end is an end */
    return n;
}

static struct arrival A[MANY], B[MANY];

static void test_constant_does_not_drift(void **state)
{
    (void)state;
    struct shard s = open_shard(ARRIVALS_CONSTANT, 300, 300, 60 * NS_PER_S, 1);
    assert_int_equal(take(&s, A, MANY), 18000);
    for (uint64_t k = 0; k < 18000; k++) {
        assert_int_equal(A[k].k, k);
        int64_t exact = (int64_t)(k * UINT64_C(1000000000) / 300), off = A[k].ns - exact;
        assert_in_range(off, 0, 1);
    }
    s.requests_all = 100;
    assert_int_equal(take(&s, A, MANY), 100);
    s.duration_ns = 0;
    s.requests_all = MANY + 5;
    assert_int_equal(take(&s, A, MANY), MANY);
    shard_clear(&s);
}

static void test_same_seed_same_schedule(void **state)
{
    (void)state;
    for (int kind = ARRIVALS_POISSON; kind <= ARRIVALS_GAMMA; kind++) {
        struct shard s = open_shard((enum arrivals_kind)kind, 200, 200, 30 * NS_PER_S, 5),
                     other = open_shard((enum arrivals_kind)kind, 200, 200, 30 * NS_PER_S, 6);
        size_t n = take(&s, A, MANY);
        assert_int_equal(take(&s, B, MANY), n);
        assert_memory_equal(A, B, n * sizeof *A);
        assert_true(take(&other, B, MANY) != n || memcmp(A, B, n * sizeof *A) != 0);
        shard_clear(&s);
        shard_clear(&other);
    }
}

static int ascending(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance of the gaps from the exponential, gaps in units of their mean. */
static double distance(const struct arrival *a, size_t n, double rate)
{
    static double gap[MANY];
    for (size_t i = 0; i < n; i++)
        gap[i] = (double)(a[i].ns - (i ? a[i - 1].ns : 0)) * 1e-9 * rate;
    qsort(gap, n, sizeof *gap, ascending);
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double f = 1 - exp(-gap[i]), lo = fabs(f - (double)i / (double)n), hi = fabs(f - (double)(i + 1) / (double)n);
        if (lo > worst) worst = lo;
        if (hi > worst) worst = hi;
    }
    return worst;
}

static void test_poisson_is_exponential(void **state)
{
    (void)state;
    struct shard s = open_shard(ARRIVALS_POISSON, 250, 250, 60 * NS_PER_S, 11);
    size_t n = take(&s, A, MANY);
    assert_true(fabs((double)n - 15000) < 4 * sqrt(15000));
    assert_true(distance(A, n, 250) < 1.63 / sqrt((double)n)); /* 1 % level, fixed seed */
    shard_clear(&s);
    /* the test can fail: even and bursty gaps are far from it */
    s = open_shard(ARRIVALS_CONSTANT, 250, 250, 60 * NS_PER_S, 11);
    n = take(&s, A, MANY);
    assert_true(distance(A, n, 250) > 10 * 1.63 / sqrt((double)n));
    shard_clear(&s);
}

static void test_gamma_has_mean_and_burstiness(void **state)
{
    (void)state;
    struct shard s = open_shard(ARRIVALS_GAMMA, 250, 250, 60 * NS_PER_S, 13);
    size_t n = take(&s, A, MANY);
    double sum = 0, squares = 0;
    for (size_t i = 1; i < n; i++) {
        double g = (double)(A[i].ns - A[i - 1].ns) * 1e-9;
        sum += g;
        squares += g * g;
    }
    double mean = sum / (double)(n - 1), cv2 = squares / (double)(n - 1) / (mean * mean) - 1;
    assert_true(fabs(mean * 250 - 1) < 0.04);
    assert_true(fabs(cv2 - 2) < 0.2); /* 1 / shape */
    shard_clear(&s);
}

/* Arrivals up to t are the integral of the rate, up and down, for every process. */
static void test_ramp(void **state)
{
    (void)state;
    static const double FROM[] = {10, 500, 0, 500}, TO[] = {500, 10, 500, 0};
    for (int kind = ARRIVALS_CONSTANT; kind <= ARRIVALS_GAMMA; kind++)
        for (int i = 0; i < 4; i++) {
            struct shard s = open_shard((enum arrivals_kind)kind, FROM[i], TO[i], 40 * NS_PER_S, 17);
            size_t n = take(&s, A, MANY), at = 0;
            double all = (FROM[i] + TO[i]) / 2 * 40, slack = kind == ARRIVALS_CONSTANT  ? 1.001
                                                             : kind == ARRIVALS_POISSON ? 4 * sqrt(all)
                                                                                        : 6 * sqrt(all);
            for (double t = 1; t <= 40; t++) {
                while (at < n && (double)A[at].ns < t * 1e9)
                    at++;
                double want = FROM[i] * t + (TO[i] - FROM[i]) * t * t / 80;
                assert_true(fabs((double)at - want) <= slack);
            }
            shard_clear(&s);
        }
}

/* Whatever way a schedule is split over agents and workers, together they send the same arrivals at the same times. */
static void test_union_of_parts(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 19);
    for (int t = 0; t < 30; t++) {
        struct shard whole = open_shard((enum arrivals_kind)(t % 3), 20, t % 2 ? 20 : 400, 10 * NS_PER_S, (uint64_t)t),
                     agent[64], worker[4];
        if (t % 5 == 4) whole.requests_all = 77;
        uint32_t n = 1 + (uint32_t)rng_below(&r, 64), w[64];
        for (uint32_t i = 0; i < n; i++)
            w[i] = 1 + (uint32_t)rng_below(&r, t % 2 ? 5 : 100000);
        size_t all = take(&whole, A, MANY), seen = 0;
        memset(B, 0, sizeof B);
        if (shard_split(&whole, w, n, 0, agent, NULL)) fail();
        for (uint32_t i = 0; i < n; i++) {
            if (shard_split(&agent[i], w, 4 < n ? 4 : n, 0, worker, NULL)) fail();
            for (uint32_t j = 0; j < (4 < n ? 4 : n); j++) {
                struct arrivals a;
                struct arrival got;
                arrivals_init(&a, &worker[j]);
                while (arrivals_next(&a, &got.ns, &got.k)) {
                    assert_true(got.k < all);
                    assert_int_equal(B[got.k].k, 0); /* nobody else sends it */
                    assert_int_equal(got.ns, A[got.k].ns);
                    B[got.k].k = 1;
                    seen++;
                }
                shard_clear(&worker[j]);
            }
            shard_clear(&agent[i]);
        }
        assert_int_equal(seen, all);
        shard_clear(&whole);
    }
}

static void test_peak(void **state)
{
    (void)state;
    struct shard s = open_shard(ARRIVALS_CONSTANT, 300, 300, 60 * NS_PER_S, 1);
    assert_int_equal(arrivals_peak(&s, 50 * NS_PER_MS, 1000), 15);
    assert_int_equal(arrivals_peak(&s, 50 * NS_PER_MS, 8), 8);
    assert_int_equal(arrivals_peak(&s, 120 * NS_PER_S, UINT32_MAX), 18000);
    s.n_turns = 0;
    assert_int_equal(arrivals_peak(&s, NS_PER_S, 8), 0);
    shard_clear(&s);

    s = open_shard(ARRIVALS_GAMMA, 100, 400, 10 * NS_PER_S, 5);
    size_t n = take(&s, A, MANY), most = 0;
    for (size_t i = 0, from = 0; i < n; i++) {
        while (A[i].ns - A[from].ns >= 20 * NS_PER_MS)
            from++;
        if (i - from + 1 > most) most = i - from + 1;
    }
    assert_int_equal(arrivals_peak(&s, 20 * NS_PER_MS, UINT32_MAX), most);
    shard_clear(&s);
}

static void test_part_without_arrivals(void **state)
{
    (void)state;
    struct shard s = open_shard(ARRIVALS_POISSON, 20, 20, NS_PER_S, 1);
    s.n_turns = 0;
    assert_int_equal(take(&s, A, MANY), 0);
    shard_clear(&s);
}

/* A schedule by count is over when the arrival after the last would come. The parts of a stage agree about it. */
static void test_over(void **state)
{
    (void)state;
    struct shard s = counted_shard(ARRIVALS_CONSTANT, 6, 1), parts[3];
    struct arrivals a;
    struct err e = {0};
    int64_t ns;
    uint64_t k;
    arrivals_init(&a, &s);
    while (arrivals_next(&a, &ns, &k)) {
    }
    assert_int_equal(arrivals_over(&a), 3 * NS_PER_S);
    shard_clear(&s);
    for (int kind = ARRIVALS_POISSON; kind <= ARRIVALS_GAMMA; kind++) {
        double rate = 0;
        for (uint64_t seed = 1; seed <= 2000; seed++) {
            s = counted_shard((enum arrivals_kind)kind, 20, seed);
            arrivals_init(&a, &s);
            assert_int_equal(take(&s, A, MANY), 20);
            while (arrivals_next(&a, &ns, &k)) {
            }
            int64_t over = arrivals_over(&a);
            assert_true(over > A[19].ns && over == arrivals_over(&a));
            s.requests_all = 21;
            assert_int_equal(take(&s, A, MANY), 21);
            assert_int_equal(over, A[20].ns);
            rate += 20 / ((double)over / NS_PER_S) / 2000;
            s.requests_all = 20;
            if (shard_split(&s, (uint32_t[]){1, 2, 5}, 3, 0, parts, &e)) fail_msg("%s", e.text);
            for (int i = 0; i < 3; i++) {
                arrivals_init(&a, &parts[i]);
                while (arrivals_next(&a, &ns, &k)) {
                }
                assert_int_equal(arrivals_over(&a), over);
                shard_clear(&parts[i]);
            }
            shard_clear(&s);
        }
        assert_true(fabs(rate / 2 - 1) < (kind == ARRIVALS_POISSON ? 0.02 : 0.08)); /* nothing is read too fast */
    }
    s = open_shard(ARRIVALS_CONSTANT, 2, 2, 2 * NS_PER_S, 1); /* its time ends it, and its count never */
    s.requests_all = 6;
    arrivals_init(&a, &s);
    while (arrivals_next(&a, &ns, &k)) {
    }
    assert_int_equal(arrivals_over(&a), 2 * NS_PER_S);
    shard_clear(&s);
}

/* A recording is over at its next row, or a mean gap after its last. */
static void test_recording_over(void **state)
{
    (void)state;
    struct shard s = counted_shard(ARRIVALS_RECORDED, 4, 1);
    const int64_t rows[] = {0, 100, 500, 1500};
    struct err e = {0};
    char hash[CORPUS_HASH_HEX];
    FILE *f = tmpfile();
    struct corpus_writer *w = corpus_writer_new(f, &e);
    for (int i = 0; i < 4; i++)
        assert_int_equal(
            corpus_write(w, &(struct corpus_record){.at_ns = rows[i] * NS_PER_MS, .input_tokens = 1}, NULL, NULL, &e),
            0);
    assert_int_equal(corpus_finish(w, hash, &e), 0);
    corpus_writer_destroy(&w);
    struct corpus *c = corpus_open(fileno(f), &e);
    s.recorded = c;
    for (uint64_t n = 1; n <= 4; n++) {
        struct arrivals a;
        int64_t ns;
        uint64_t k;
        s.requests_all = n;
        arrivals_init(&a, &s);
        while (arrivals_next(&a, &ns, &k)) {
        }
        assert_int_equal(arrivals_over(&a), (n < 4 ? rows[n] : 2000) * NS_PER_MS);
    }
    shard_clear(&s);
    corpus_close(&c);
    (void)fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant_does_not_drift),
        cmocka_unit_test(test_same_seed_same_schedule),
        cmocka_unit_test(test_poisson_is_exponential),
        cmocka_unit_test(test_gamma_has_mean_and_burstiness),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_union_of_parts),
        cmocka_unit_test(test_peak),
        cmocka_unit_test(test_part_without_arrivals),
        cmocka_unit_test(test_over),
        cmocka_unit_test(test_recording_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
