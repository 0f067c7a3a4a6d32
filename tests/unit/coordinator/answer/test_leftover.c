#include "coordinator/answer/leftover.h"
#include "coordinator/answer/search.h"
#include "tests/unit/point_world.h"

#define S INT64_C(1000000000)
#define ROWS 60

/* A stage of 60 s with 10 answers a second, whose drain ended with `open` requests open; and the next one, of which the
 * first came after `came` seconds, if at all. */
struct world {
    struct plan plan;
    struct stage_data s[2];
    struct agent_data a[2];
    struct series_row row[ROWS];
    struct point p[2];
};

static void setup(struct world *w, uint64_t open, int came)
{
    *w = (struct world){.plan = plan_of()};
    for (int i = 0; i < 2; i++) {
        stage_make(&w->s[i], &w->a[i]);
        w->s[i].n_agents = 0;
        w->s[i].stage = (uint32_t)i;
        w->s[i].hist[METRIC_TTFT] = hist_new();
        hist_record(w->s[i].hist[METRIC_TTFT], S / 5, 500);
    }
    w->s[0].counters[COUNTER_ABORTED] = open;
    w->s[0].counters[COUNTER_DUE] = w->s[0].counters[COUNTER_SENT] = 600 + open;
    w->s[1].series = w->row;
    w->s[1].n_series = ROWS;
    for (int i = 0; i < ROWS; i++)
        w->row[i] = (struct series_row){.agent = -1,
                                        .t_s = i,
                                        .span_s = 1,
                                        .tokens = i < came ? 0 : 1280,
                                        .done = i < came ? 0 : 10,
                                        .in_flight = 32,
                                        .ttft_p50_ms = 200};
}

static void nothing_came(struct world *w)
{
    struct stage_data *s = &w->s[1];
    for (int m = 0; m < METRIC_N; m++)
        hist_destroy(&s->hist[m]);
    memset(s->counters, 0, sizeof s->counters);
    s->counters[COUNTER_MEASURED_NS] = 50 * (uint64_t)S;
    s->counters[COUNTER_DUE] = s->counters[COUNTER_SENT] = s->counters[COUNTER_ABORTED] = 32;
    s->counters[COUNTER_WIN_INFLIGHT_NS] = 50 * (uint64_t)S * 32;
}

static void judged(struct world *w)
{
    struct leftover l = {0};
    for (int i = 0; i < 2; i++) {
        point_compute(&w->s[i], &w->plan, &w->p[i]);
        leftover_tell(&l, &w->plan, &w->p[i]);
    }
}

static void done(struct world *w)
{
    stage_done(&w->s[0]);
    stage_done(&w->s[1]);
}

#define LEFT "1,600 requests that the drain of stage 1 (load 32) left open: make load.drain or load.cooldown longer"

static void test_nothing_came(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1600, ROWS); /* 160 s of work */
    nothing_came(&w);
    judged(&w);
    assert_true(has_reason(&w.p[1], "not one byte of an answer came within 60 s, and 32 requests were still open when "
                                    "the drain ended. The server may still have been at work on " LEFT));
    assert_false(has_reason(&w.p[1], "hang"));
    assert_true(w.p[1].leftover);
    done(&w);
    setup(&w, 16, ROWS); /* 2 s of it are no reason for a silence of 60 */
    nothing_came(&w);
    judged(&w);
    assert_true(has_reason(&w.p[1], "seems to hang: in stage 1 before it (load 32) answers took 3.2 s (p50)"));
    assert_false(w.p[1].leftover);
    w.s[1].counters[COUNTER_WIN_INFLIGHT_NS] *= 50; /* nor is it known to hang where far more were in flight */
    judged(&w);
    assert_false(has_reason(&w.p[1], "seems to hang"));
    assert_true(has_reason(&w.p[1], "The server hangs, or answers take longer than the stage"));
    done(&w);
    setup(&w, 1600, ROWS);
    nothing_came(&w);
    w.plan.cooldown_ns = 300 * S;
    judged(&w);
    assert_true(has_reason(&w.p[1], "seems to hang"));
    done(&w);
}

/* Answers that are too few for a median have a time all the same. */
static void test_few_answers(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 16, ROWS);
    hist_reset(w.s[0].hist[METRIC_E2E]);
    hist_record(w.s[0].hist[METRIC_E2E], S, 3);
    nothing_came(&w);
    judged(&w);
    assert_true(has_reason(&w.p[1], "seems to hang: in stage 1 before it (load 32) answers took 1 s"));
    assert_false(has_reason(&w.p[1], "n/a"));
    done(&w);
}

static void test_slower(void **state)
{
    (void)state;
    struct world w;
    setup(&w, 1600, 20); /* the window begins at second 10 */
    judged(&w);
    assert_true(has_reason(&w.p[1], "the server may still have been at work on " LEFT));
    assert_false(has_reason(&w.p[1], "stood still"));
    assert_true(w.p[1].leftover);
    assert_int_equal(w.p[1].verdict.status, VERDICT_SUSPECT);
    done(&w);
    setup(&w, 0, 20); /* nothing was left: it is the server's own */
    judged(&w);
    assert_true(has_reason(&w.p[1], STILL_WORDS));
    assert_false(w.p[1].leftover);
    done(&w);
    setup(&w, 1600, 5); /* over before the window */
    judged(&w);
    assert_int_equal(w.p[1].verdict.n_reasons, 0);
    done(&w);
    setup(&w, 1600, 0); /* it was soon given up */
    judged(&w);
    assert_int_equal(w.p[1].verdict.n_reasons, 0);
    done(&w);
}

/* As many in flight, and less came of them. */
static void test_less(void **state)
{
    (void)state;
    struct world w;
    struct leftover l = {0};
    setup(&w, 1600, 0);
    point_compute(&w.s[0], &w.plan, &w.p[0]);
    w.p[0].output_lo = 1250;
    w.s[1].counters[COUNTER_WIN_TOKENS_MICRO] /= 2;
    point_compute(&w.s[1], &w.plan, &w.p[1]);
    w.p[1].output_hi = 700;
    leftover_tell(&l, &w.plan, &w.p[0]);
    leftover_tell(&l, &w.plan, &w.p[1]);
    assert_true(has_reason(&w.p[1], LEFT));
    done(&w);
}

/* A search asks again, and does not take the lower load for one that fails. */
static void test_search(void **state)
{
    (void)state;
    struct world w;
    struct err e;
    struct plan_stage load = {.kind = LOAD_CLOSED, .duration_ns = 60 * S, .warmup_ns = 10 * S}, asked;
    setup(&w, 1600, ROWS);
    nothing_came(&w);
    judged(&w);
    w.plan.stages = &load;
    w.plan.n_stages = 1;
    w.plan.search = (struct plan_search){.goal = SEARCH_SLO, .from = 32, .to = 64};
    struct search *s = search_new(&w.plan, &e);
    assert_non_null(s);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(search_tell(s, &w.p[1]), 0);
        assert_true(search_next(s, &asked));
        assert_int_equal(asked.concurrency, 32);
    }
    assert_int_equal(search_tell(s, &w.p[1]), 0);
    assert_false(search_next(s, &asked)); /* then it counts */
    search_destroy(&s);
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_came), cmocka_unit_test(test_few_answers),
                                       cmocka_unit_test(test_slower), cmocka_unit_test(test_less),
                                       cmocka_unit_test(test_search)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
