#include <stdio.h>

#include "common/rng.h"
#include "coordinator/answer/startup.h"
#include "tests/unit/point_world.h"

#define ROWS 12

struct world {
    struct stage_data s;
    struct agent_data a;
    struct series_row rows[ROWS];
    struct point p;
};

static void answers_take(struct world *w, int ms)
{
    hist_reset(w->s.hist[METRIC_E2E]);
    assert_int_equal(hist_record(w->s.hist[METRIC_E2E], ms * INT64_C(1000000), 263), 0);
}

/* 12 s of a closed loop, of which the first 1.2 s are warm-up: 330 token/s. */
static void world_make(struct world *w, int e2e_ms)
{
    stage_make(&w->s, &w->a);
    w->s.plan = (struct plan_stage){.kind = LOAD_CLOSED,
                                    .concurrency = 6,
                                    .duration_ns = INT64_C(12000000000),
                                    .warmup_ns = INT64_C(1200000000),
                                    .warmup_auto = true};
    for (int i = 0; i < ROWS; i++)
        w->rows[i] = (struct series_row){.agent = -1, .t_s = i, .span_s = 1, .tokens = 330, .done = 30, .due = 30};
    w->s.series = w->rows;
    w->s.n_series = ROWS;
    w->p = (struct point){.steady = STEADY_YES};
    answers_take(w, e2e_ms);
}

static bool seen(struct world *w)
{
    struct plan plan = plan_of();
    double from = (double)w->s.plan.warmup_ns / 1e9;
    w->p.steady = STEADY_YES;
    w->p.verdict = (struct verdict){.status = VERDICT_VALID};
    assert_int_equal(startup_tell(&w->s, &plan, from, 12, &w->p.steady, &w->p.verdict), 0);
    assert_int_equal(w->p.steady == STEADY_NO, w->p.verdict.n_reasons == 1);
    return w->p.verdict.n_reasons == 1;
}

static void cold(struct world *w)
{
    static const double SLOW[] = {0, 65, 66, 174};
    for (int i = 0; i < 4; i++)
        w->rows[i].tokens = SLOW[i];
}

static void test_cold_server(void **state)
{
    (void)state;
    struct world w;
    world_make(&w, 249);
    assert_false(seen(&w));
    cold(&w);
    assert_true(seen(&w));
    assert_true(has_reason(&w.p, "the start-up is in the window: until second 4 throughput was 31.6 % of what it was "
                                 "later, and the window's mean is too low by 17.7 %. Make load.warmup at least 4 s, or "
                                 "its window 30 s, which warmup: auto needs to find it"));
    assert_int_equal(w.p.verdict.aspect[ASPECT_THROUGHPUT], VERDICT_SUSPECT);
    w.s.plan.warmup_auto = false;
    assert_true(seen(&w) && has_reason(&w.p, "Make load.warmup at least 4 s"));
    assert_false(has_reason(&w.p, "auto"));
    struct plan plan = plan_of();
    w.s.counters[COUNTER_MEASURED_NS] = UINT64_C(10800000000);
    point_compute(&w.s, &plan, &w.p);
    assert_true(w.p.steady == STEADY_NO && has_reason(&w.p, "the start-up is in the window"));
    w.s.plan.warmup_ns = INT64_C(4000000000);
    assert_false(seen(&w));
    stage_done(&w.s);
}

/* What builds up by itself is no start-up of the server. */
static void test_load_builds_up(void **state)
{
    (void)state;
    struct world w;
    world_make(&w, 2000); /* answers of 2 s: in the first 1 s nobody has a token */
    w.s.plan.warmup_ns = 0;
    w.rows[0].tokens = 0;
    w.rows[1].tokens = 165;
    assert_false(seen(&w));
    w.s.plan.kind = LOAD_OPEN;
    w.s.plan.rate_from = w.s.plan.rate_to = 30;
    assert_false(seen(&w));
    answers_take(&w, 249); /* answers take no such time */
    assert_true(seen(&w));
    w.rows[0].due = 0;
    w.rows[1].due = 15; /* but nothing was asked for */
    assert_false(seen(&w));
    w.rows[0].due = w.rows[1].due = 30;
    w.s.plan.rate_to = 60;
    assert_false(seen(&w));
    w.s.plan.rate_to = 30;
    w.s.plan.arrivals = ARRIVALS_RECORDED;
    assert_false(seen(&w));
    w.s.plan.arrivals = ARRIVALS_CONSTANT;
    w.s.plan.requests = 1000;
    assert_false(seen(&w));
    stage_done(&w.s);
}

/* Noise, independent or of answers in step, is none either. */
static void test_noise(void **state)
{
    (void)state;
    struct world w;
    struct rng r;
    int alarms = 0;
    rng_seed(&r, 7);
    world_make(&w, 100);
    w.s.plan.warmup_ns = 0;
    for (int trial = 0; trial < 2000; trial++) {
        for (int i = 0; i < ROWS; i++)
            w.rows[i].tokens = fmax(0, 330 * (1 + (trial % 2 ? 0.1 : 0.4) * rng_normal(&r)));
        alarms += seen(&w);
    }
    printf("%d of 2000 steady windows are said to have a start-up\n", alarms);
    assert_true(alarms <= 4);
    for (int phase = 0; phase < 4; phase++) {
        for (int i = 0; i < ROWS; i++)
            w.rows[i].tokens = (i + phase) % 4 ? 440 : 0;
        assert_false(seen(&w));
    }
    stage_done(&w.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cold_server), cmocka_unit_test(test_load_builds_up),
                                       cmocka_unit_test(test_noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
