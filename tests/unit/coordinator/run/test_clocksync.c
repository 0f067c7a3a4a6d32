#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/rng.h"
#include "coordinator/run/clocksync.h"

/* The true offset lies within the bound whatever the delays of the two ways are; a symmetric way gives it exactly. */
static void test_bound(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 1);
    for (int k = 0; k < 2000; k++) {
        struct clocksync c = {0};
        int64_t offset = (int64_t)rng_below(&r, 2000000000) - 1000000000, now = 5000000000, least = INT64_MAX;
        clocksync_begin(&c);
        while (c.left) {
            uint32_t seq;
            int64_t t1, there = 1 + (int64_t)rng_below(&r, 3000000), stay = (int64_t)rng_below(&r, 1000),
                        back = 1 + (int64_t)rng_below(&r, 3000000);
            if (k % 2) back = there;
            clocksync_ask(&c, now, &seq, &t1);
            int64_t t2 = now + there + offset, t3 = t2 + stay, t4 = now + there + stay + back;
            enum clocksync_result got = clocksync_echo(&c, seq, t1, t2, t3, t4);
            assert_int_equal(got, c.left ? CLOCKSYNC_MORE : CLOCKSYNC_DONE);
            assert_int_equal(clocksync_echo(&c, seq, t1, t2, t3, t4), CLOCKSYNC_IGNORED); /* a replay */
            if (there + back < least) least = there + back;
            now = t4 + 1000;
        }
        assert_true(c.known);
        assert_int_equal(c.delay_ns, least);
        assert_true(llabs(c.offset_ns - offset) <= c.bound_ns);
        assert_true(c.bound_ns <= least / 2 + 1);
        if (k % 2) assert_int_equal(c.offset_ns, offset);
    }
}

static void test_impossible(void **state)
{
    (void)state;
    static const int64_t BAD[][3] = {
        /* t2, t3, t4 of an exchange with t1 = 100 */
        {110, 109, 130},      {110, 150, 130}, {110, 111, 99}, {-1, 1, 130}, {INT64_MIN, INT64_MAX, 130},
        {110, INT64_MAX, 130}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct clocksync c = {0};
        uint32_t seq;
        int64_t t1;
        clocksync_begin(&c);
        clocksync_ask(&c, 100, &seq, &t1);
        assert_int_equal(clocksync_echo(&c, seq, t1, BAD[i][0], BAD[i][1], BAD[i][2]), CLOCKSYNC_IGNORED);
        assert_int_equal(clocksync_echo(&c, seq, t1 + 1, 110, 111, 130), CLOCKSYNC_IGNORED);
        assert_int_equal(clocksync_echo(&c, seq + 1, t1, 110, 111, 130), CLOCKSYNC_IGNORED);
        assert_int_equal(c.left, CLOCKSYNC_EXCHANGES);
        assert_int_equal(clocksync_echo(&c, seq, t1, 110, 111, 130), CLOCKSYNC_MORE);
    }
}

/* What is known stays while a new series is under way. */
static void test_again(void **state)
{
    struct clocksync c = {.known = true, .offset_ns = 7, .bound_ns = 3};
    (void)state;
    clocksync_begin(&c);
    assert_true(c.known);
    assert_int_equal(c.offset_ns, 7);
}

/* An hour of two clocks that drift apart and are slewed about, over a path whose ways there and back are unlike: the
 * bound holds at every moment, and stays far below what the drift alone would have made of it. */
static void test_drift(void **state)
{
    struct clocksync c = {0};
    struct rng r;
    uint32_t seq;
    int64_t t1, now = 1000 * NS_PER_S, late = 0;
    double offset = 3e15, ppm = 0;
    (void)state;
    rng_seed(&r, 42);
    clocksync_begin(&c);
    for (int64_t second = 0; second < 3600; second++) {
        if (second % 60 == 0) ppm = (rng_double(&r) - 0.5) * 2 * CLOCKSYNC_DRIFT_PPM;
        if (second % 4 == 0) clocksync_track(&c);
        while (c.left) {
            int64_t there = (int64_t)(1e6 * rng_exp(&r)), back = (int64_t)(20e6 * rng_exp(&r));
            clocksync_ask(&c, now, &seq, &t1);
            if (rng_below(&r, 20) == 0) break; /* lost; the next second asks again */
            int64_t t2 = now + there + (int64_t)offset;
            (void)clocksync_echo(&c, seq, t1, t2, t2 + 1000, now + there + 1000 + back);
            now += there + 1000 + back;
        }
        int64_t error = c.offset_ns - (int64_t)offset, bound = clocksync_bound(&c, now);
        assert_true(!c.known || (error <= bound && -error <= bound));
        if (second > 60 && bound > late) late = bound;
        offset += ppm * 1000;
        now += NS_PER_S;
    }
    assert_true(c.known);
    assert_int_equal(c.jumps, 0);
    assert_true(late < 60 * NS_PER_MS); /* 500 ppm of an hour are 1,800 */
}

/* A machine that was suspended: its clock is elsewhere, which two bounds that exclude each other tell. */
static void test_jump(void **state)
{
    struct clocksync c = {0};
    uint32_t seq;
    int64_t t1;
    (void)state;
    for (int64_t k = 0; k < 3; k++) {
        int64_t now = (k + 1) * NS_PER_S, offset = k == 2 ? 7 * NS_PER_S : 5 * NS_PER_S;
        clocksync_track(&c);
        clocksync_ask(&c, now, &seq, &t1);
        assert_int_equal(clocksync_echo(&c, seq, t1, now + offset + 500, now + offset + 600, now + 1100),
                         CLOCKSYNC_DONE);
        assert_int_equal(c.jumps, k == 2);
        assert_int_equal(c.offset_ns, offset);
        assert_true(clocksync_settled(&c, now, NS_PER_S));
        assert_false(clocksync_settled(&c, now + 2 * NS_PER_S, NS_PER_S));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bound), cmocka_unit_test(test_impossible),
                                       cmocka_unit_test(test_again), cmocka_unit_test(test_drift),
                                       cmocka_unit_test(test_jump)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
