#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "tests/sim/timer.h"

enum { N = 500 };

static void come_in_due_order_whatever_is_set_moved_or_cleared(void **state)
{
    (void)state;
    struct sim_timers h = {0};
    struct sim_timer t[N];
    struct rng r;
    rng_seed(&r, 11);
    assert_int_equal(sim_timers_reserve(&h, N), 0);
    for (int i = 0; i < N; i++)
        sim_timer_init(&t[i], i, &t[i]);
    for (int round = 0; round < 20000; round++) {
        struct sim_timer *x = &t[rng_below(&r, N)];
        if (rng_below(&r, 4) == 0)
            sim_timer_clear(&h, x);
        else
            sim_timer_set(&h, x, (int64_t)rng_below(&r, 1000));
        int64_t least = INT64_MAX;
        size_t set = 0;
        for (int i = 0; i < N; i++)
            if (t[i].at != SIM_TIMER_OFF) {
                set++;
                if (t[i].due < least) least = t[i].due;
            }
        assert_int_equal(h.n, set);
        assert_int_equal(sim_timers_next(&h), least);
    }
    int64_t before = -1;
    while (sim_timers_top(&h)) {
        assert_true(sim_timers_next(&h) >= before);
        before = sim_timers_next(&h);
        sim_timer_clear(&h, sim_timers_top(&h));
    }
    assert_int_equal(sim_timers_next(&h), INT64_MAX);
    sim_timers_clear(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(come_in_due_order_whatever_is_set_moved_or_cleared)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
