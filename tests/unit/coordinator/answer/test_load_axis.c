#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coordinator/answer/load_axis.h"

static void test_same(void **state)
{
    (void)state;
    struct plan_stage level = {.kind = LOAD_OPEN, .rate_from = 50, .rate_to = 50}, other = level;
    assert_true(load_same(&level, &other));
    other.duration_ns = 1, other.requests = 7, other.warmup_ns = 3; /* how long is no part of the load */
    assert_true(load_same(&level, &other));
    other.rate_from = 1; /* a ramp */
    assert_false(load_same(&level, &other));
    other = level, other.rate_to = 50.1;
    assert_false(load_same(&level, &other));
    other = level, other.arrivals = ARRIVALS_POISSON;
    assert_false(load_same(&level, &other));
    other = level, other.max_concurrency = 10;
    assert_false(load_same(&level, &other));
    level.arrivals = other.arrivals = ARRIVALS_GAMMA, other.max_concurrency = 0, other.burstiness = 0.5;
    assert_false(load_same(&level, &other));
    other.kind = LOAD_CLOSED, other.concurrency = 50;
    assert_false(load_same(&level, &other));
    level = other, level.rate_to = 3; /* nothing of an open loop counts in a closed one */
    assert_true(load_same(&level, &other));
    level.concurrency = 49;
    assert_false(load_same(&level, &other));
}

static void test_usable(void **state)
{
    (void)state;
    const struct point good = {.output_tokens_per_s = 100, .concurrency = 2, .steady = STEADY_UNKNOWN};
    struct point p = good;
    assert_true(load_usable(&p));
    p.verdict.status = VERDICT_SUSPECT;
    assert_true(load_usable(&p));
    p.verdict.status = VERDICT_INVALID;
    assert_false(load_usable(&p));
    p = good, p.steady = STEADY_NO;
    assert_false(load_usable(&p));
    p = good, p.output_tokens_per_s = 0;
    assert_false(load_usable(&p));
}

static void test_axis(void **state)
{
    (void)state;
    struct point p[2] = {{.requested = {.kind = LOAD_OPEN}, .arrivals_per_s = 60, .concurrency = 7},
                         {.requested = {.kind = LOAD_CLOSED}, .arrivals_per_s = 4, .concurrency = 16}};
    assert_int_equal(load_axis(p, 0), AXIS_IN_FLIGHT);
    assert_int_equal(load_axis(p, 1), AXIS_RATE);
    assert_int_equal(load_axis(p, 2), AXIS_IN_FLIGHT); /* one of each kind: what both have */
    assert_int_equal(load_axis(p + 1, 1), AXIS_IN_FLIGHT);
    assert_int_equal((int)load_on(&p[0], AXIS_IN_FLIGHT), 7);
    assert_int_equal((int)load_on(&p[0], AXIS_RATE), 60);
    assert_int_equal((int)load_on(&p[1], AXIS_IN_FLIGHT), 16);
    p[0].overrun = true, p[0].unsent_share = 0.25; /* 60/s were due, 45/s were sent */
    assert_int_equal((int)(load_on(&p[0], AXIS_RATE) + 0.5), 45);
}

/* A stage by count ends with its last answer: the mean over such a window is no load. */
static void test_by_count(void **state)
{
    (void)state;
    struct point p = {.requested = {.kind = LOAD_OPEN, .rate_from = 3, .rate_to = 3, .requests = 6},
                      .arrivals_per_s = 1.57,
                      .concurrency = 2.5};
    assert_int_equal((int)(100 * load_on(&p, AXIS_RATE) + 0.5), 157); /* ended by its duration */
    p.by_count = true;
    assert_int_equal((int)(100 * load_on(&p, AXIS_RATE) + 0.5), 300);
    assert_int_equal((int)(100 * load_on(&p, AXIS_IN_FLIGHT) + 0.5), 250); /* nobody asked for that */
    p.unsent_share = 0.5;
    assert_int_equal((int)(100 * load_on(&p, AXIS_RATE) + 0.5), 150);
    p = (struct point){
        .requested = {.kind = LOAD_CLOSED, .concurrency = 2, .requests = 3}, .concurrency = 1.48, .by_count = true};
    assert_int_equal((int)(100 * load_on(&p, AXIS_IN_FLIGHT) + 0.5), 200);
    p.requested.concurrency = 8; /* more slots than requests */
    assert_int_equal((int)(100 * load_on(&p, AXIS_IN_FLIGHT) + 0.5), 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_usable),
                                       cmocka_unit_test(test_axis), cmocka_unit_test(test_by_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
