#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/rng.h"
#include "coordinator/answer/numeric.h"
#include "coordinator/answer/resample.h"
#include "tests/unit/trials.h"

#define AGENTS 2
#define SECONDS 60

/* Gaps as a server makes them: all streams of a second share its speed, and neighbouring seconds are alike (AR(1) of
 * the logarithm). */
static void stage_make(struct stage_data *s, struct rng *r, double shared, double memory)
{
    double level = shared * rng_normal(r);
    *s = (struct stage_data){.blocks = calloc(AGENTS * SECONDS, sizeof *s->blocks), .n_blocks = AGENTS * SECONDS};
    s->hist[METRIC_ITL] = hist_new();
    for (int t = 0; t < SECONDS; t++) {
        level = memory * level + sqrt(1 - memory * memory) * shared * rng_normal(r);
        for (int a = 0; a < AGENTS; a++) {
            struct block *b = &s->blocks[t * AGENTS + a];
            *b = (struct block){.agent = (uint32_t)a, .t_s = t, .span_s = 1, .itl = hist_new()};
            for (int i = 0; i < 40; i++)
                hist_record(b->itl, (int64_t)(20e6 * exp(level + 0.2 * rng_normal(r))), 1);
            hist_merge(s->hist[METRIC_ITL], b->itl);
        }
    }
}

static void cover(double shared, double memory, int trials, int *ret_mean, int *ret_p50, int *ret_p95)
{
    struct rng r;
    double sd = sqrt(shared * shared + 0.04), mean = 20 * exp(sd * sd / 2), p95 = 20 * exp(sd * norm_quantile(0.95));
    *ret_mean = *ret_p50 = *ret_p95 = 0;
    rng_seed(&r, 23);
    for (int i = 0; i < trials; i++) {
        struct stage_data s;
        struct metric_stat st;
        stage_make(&s, &r, shared, memory);
        stat_compute(s.hist[METRIC_ITL], METRIC_ITL, &st);
        assert_true(isnan(st.q_lo[0]));
        resample_stat(&s, METRIC_ITL, -INFINITY, (uint64_t)i, &st);
        *ret_mean += st.mean_lo <= mean && mean <= st.mean_hi;
        *ret_p50 += st.q_lo[0] <= 20 && 20 <= st.q_hi[0];
        *ret_p95 += st.q_lo[2] <= p95 && p95 <= st.q_hi[2];
        stage_data_clear(&s);
    }
    printf("shared %.2f memory %.1f: mean %d, p50 %d, p95 %d of %d\n", shared, memory, *ret_mean, *ret_p50, *ret_p95,
           trials);
}

static void test_coverage(void **state)
{
    (void)state;
    int mean, p50, p95, T = trials(250, 250, 20);
    cover(0.1, 0, T, &mean, &p50, &p95);
    assert_in_range(mean, T * 92 / 100, (T * 99 + 99) / 100);
    assert_in_range(p50, T * 92 / 100, (T * 99 + 99) / 100);
    assert_in_range(p95, T * 92 / 100, (T * 99 + 99) / 100);
    cover(0.1, 0.5, T, &mean, &p50, &p95); /* a slow second is seldom alone: blocks must be longer than one */
    assert_true(mean >= T * 90 / 100 && p50 >= T * 90 / 100 && p95 >= T * 90 / 100);
}

static void test_edges(void **state)
{
    (void)state;
    struct rng r;
    struct stage_data s;
    struct metric_stat a, b;
    rng_seed(&r, 2);
    stage_make(&s, &r, 0.1, 0);
    stat_compute(s.hist[METRIC_ITL], METRIC_ITL, &a);
    b = a;
    resample_stat(&s, METRIC_ITL, -INFINITY, 5, &a);
    resample_stat(&s, METRIC_ITL, -INFINITY, 5, &b);
    assert_true(fabs(a.q_lo[0] - b.q_lo[0]) < 1e-12 && fabs(a.q_hi[2] - b.q_hi[2]) < 1e-12); /* seeded */
    stat_compute(s.hist[METRIC_ITL], METRIC_ITL, &a);
    s.n_blocks = 7 * AGENTS; /* too few seconds */
    resample_stat(&s, METRIC_ITL, -INFINITY, 5, &a);
    assert_true(isnan(a.q_lo[0]) && isnan(a.mean_lo));
    s.n_blocks = AGENTS * SECONDS;
    resample_stat(&s, METRIC_CHUNK_GAP, -INFINITY, 5, &a); /* blocks without it */
    assert_true(isnan(a.q_lo[0]));
    stage_data_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_coverage), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
