/* How long the slots of a closed loop rest after requests that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent/engine_world.h"

/* A server that refuses at once is not asked again as fast as it refuses: each slot rests 10 ms, then twice as long
 * each time, up to a second. */
static void test_refused_at_once(void **state)
{
    (void)state;
    struct world w = world_make((const char *[]){"--require-key", "s3cret", NULL}, "",
                                "stages: [{concurrency: 2, duration: 2s, warmup: 0s}]", 1);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_FAILED_HTTP_4XX], r.all->counters[COUNTER_DUE]);
    assert_in_range(r.all->counters[COUNTER_DUE], 4,
                    2 * 9); /* at 0, 10, 30, 70 … 1,270 ms, and one more round before the first doubling */
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

/* Half of the requests fail: workers of one slot each rest after their failures, and hardly longer for those that come
 * one after another, since a worker hears of the others' answers. */
static void test_half_refused(void **state)
{
    (void)state;
    struct world w = world_make(
        (const char *[]){"--fault-status", "503", "--fault-rate", "0.5", "--ttft", "1ms", "--tpot", "0ms", NULL}, "",
        "stages: [{concurrency: 8, duration: 2s, warmup: 0s}]", 8);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    uint64_t failed = r.all->counters[COUNTER_FAILED_HTTP_5XX], rest = r.all->counters[COUNTER_WIN_REST_NS];
    assert_balanced(r.all);
    assert_in_range(failed, 20, 1000000);
    if (rest < failed * 4 * NS_PER_MS || rest > failed * 15 * NS_PER_MS)
        fail_msg("%lu ns of rest after %lu failures", rest, failed);
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_half_refused),
    };
    int failed = cmocka_run_group_tests_name("HTTP/1.1", tests, NULL, NULL);
    http2 = true;
    return failed + cmocka_run_group_tests_name("HTTP/2", tests, NULL, NULL);
}
