#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/rng.h"
#include "coordinator/answer/steady_pass.h"

enum { SECONDS = 120, AGENTS = 2 };

struct world {
    double level[SECONDS]; /* ms a token; 0: nothing ended */
    double noise;
    uint32_t per_s; /* requests of each agent */
};

static void make(const struct world *w, size_t seconds, struct stage_data *ret)
{
    struct rng r;
    rng_seed(&r, 5);
    *ret = (struct stage_data){.plan = {.kind = LOAD_CLOSED, .concurrency = 8}};
    ret->blocks = calloc(seconds * AGENTS, sizeof *ret->blocks);
    ret->series = calloc(seconds * (AGENTS + 1), sizeof *ret->series);
    assert_true(ret->blocks && ret->series);
    for (size_t t = 0; t < seconds; t++) {
        ret->series[ret->n_series++] =
            (struct series_row){.agent = -1, .t_s = (double)t, .span_s = 1, .due = w->per_s * AGENTS};
        for (int a = 0; a < AGENTS; a++) {
            struct block *b = &ret->blocks[ret->n_blocks++];
            *b = (struct block){.agent = (uint32_t)a, .t_s = (double)t, .span_s = 1};
            ret->series[ret->n_series++] =
                (struct series_row){.agent = a, .t_s = (double)t, .span_s = 1, .due = w->per_s};
            if (!(w->level[t] > 0)) continue;
            b->tpot = hist_new();
            assert_non_null(b->tpot);
            for (uint32_t k = 0; k < w->per_s; k++)
                assert_int_equal(
                    hist_record(b->tpot, (int64_t)(w->level[t] * 1e6 * (1 + w->noise * rng_normal(&r))), 1), 0);
        }
    }
    for (size_t i = 0; i < ret->n_blocks && !ret->hist[METRIC_TPOT_SUFFIX]; i++)
        if (ret->blocks[i].tpot) ret->hist[METRIC_TPOT_SUFFIX] = hist_copy(ret->blocks[i].tpot);
}

static const struct plan NO_CURVE = {.curve = {.kind = CURVE_NONE}};

/* Ten seconds of ramp, then level: found as soon as it is long enough, and not before; the ramp is left out. */
static void test_found_in_time(void **state)
{
    (void)state;
    struct world w = {.noise = 0.02, .per_s = 20};
    for (size_t t = 0; t < SECONDS; t++)
        w.level[t] = t < 10 ? 40 - 2 * (double)t : 20;
    size_t first = 0;
    for (size_t until = 4; until <= SECONDS && !first; until++) {
        struct stage_data s;
        struct steady_pass p;
        make(&w, until, &s);
        s.plan.steady_ns = 40 * NS_PER_S;
        steady_pass_of(&s, &NO_CURVE, &p);
        assert_true(p.any && !p.no_memory);
        if (p.at.status == SUPER_PASS_WINDOWABLE) {
            first = until;
            assert_int_equal(p.at.verdict, SUPER_PASS_STEADY);
            assert_true(p.begin_s >= 8 && p.end_s - p.begin_s >= 40 && p.end_s <= (double)until);
            assert_true(p.answers >= 40 * 20 * AGENTS);
        }
        stage_data_clear(&s);
    }
    assert_true(first >= 50 && first <= 60);
}

/* A level that keeps rising is never called steady, and says so. */
static void test_drift(void **state)
{
    (void)state;
    struct world w = {.noise = 0.02, .per_s = 20};
    struct stage_data s;
    struct steady_pass p;
    for (size_t t = 0; t < SECONDS; t++)
        w.level[t] = 20 * (1 + 0.01 * (double)t);
    make(&w, SECONDS, &s);
    steady_pass_find(&s, 0, 0, 60, &p);
    assert_int_equal(p.at.status, SUPER_PASS_TOO_SHORT);
    assert_int_equal(p.at.verdict, SUPER_PASS_DRIFTING_UP);
    assert_true(p.begin_s != p.begin_s); /* NaN: there is no window */
    stage_data_clear(&s);
}

/* A pass over the data set is a super-pass: 200 requests at 40 a second are five seconds. The warm-up is left out, and
 * seconds without an answer end none. */
static void test_passes(void **state)
{
    (void)state;
    struct world w = {.noise = 0.02, .per_s = 20};
    struct stage_data s;
    struct steady_pass p;
    for (size_t t = 3; t < 63; t++)
        w.level[t] = 20;
    make(&w, 63, &s);
    steady_pass_find(&s, 3, 200, 30, &p);
    assert_int_equal(p.n, 12);
    assert_int_equal(p.at.status, SUPER_PASS_WINDOWABLE);
    assert_true(p.begin_s > 2.9 && p.begin_s < 3.1 && p.size == 200);
    assert_int_equal(p.at.end - p.at.begin, 12);
    /* too few answers make no p90: the pass goes on until there are enough */
    steady_pass_find(&s, 3, 10, 30, &p);
    assert_int_equal(p.n, 60); /* 40 answers a second are enough */
    stage_data_clear(&s);
}

/* Nothing asks for it: nothing is looked for. */
static void test_not_asked(void **state)
{
    (void)state;
    struct world w = {.noise = 0, .per_s = 20};
    struct stage_data s;
    struct steady_pass p;
    w.level[0] = 20;
    make(&w, 10, &s);
    steady_pass_of(&s, &NO_CURVE, &p);
    assert_false(p.any);
    struct plan curve = {.curve = {.kind = CURVE_MLPERF, .scale = 0.01}};
    steady_pass_of(&s, &curve, &p);
    assert_true(p.any && p.at.status == SUPER_PASS_TOO_FEW);
    stage_data_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_found_in_time), cmocka_unit_test(test_drift),
                                       cmocka_unit_test(test_passes), cmocka_unit_test(test_not_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
