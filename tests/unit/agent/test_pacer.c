#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/pacer.h"
#include "common/clock.h"

#define T0 (1000 * NS_PER_S)

static struct shard shard_of(struct plan_stage stage)
{
    struct plan p = {.drain_ns = NS_PER_S};
    struct shard s;
    struct err e = {0};
    if (shard_whole(&p, &stage, 7, &s, &e)) fail_msg("%s", e.text);
    return s;
}

static struct pacer pacer_of(const struct shard *s, uint32_t cap)
{
    struct pacer p;
    struct err e = {0};
    if (pacer_init(&p, s, cap, T0, &e)) fail_msg("%s", e.text);
    return p;
}

static uint64_t tell_all(struct pacer *p, int64_t now)
{
    uint64_t n = 0;
    for (int64_t due; pacer_due(p, now, &due); n++)
        assert_true(due <= now);
    return n;
}

/* Slots are never exceeded, a freed slot is due the moment it became free, and nothing is due when none is free. */
static void test_closed_refills_at_once(void **state)
{
    (void)state;
    struct shard s = shard_of((struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 5, .duration_ns = 10 * NS_PER_S});
    struct pacer p = pacer_of(&s, 1);
    struct pacer_item item;
    uint64_t started = 0;
    assert_int_equal(pacer_next(&p), T0);
    assert_false(pacer_take(&p, T0 - 1, &item));
    for (int i = 0; i < 5; i++) {
        assert_true(pacer_take(&p, T0, &item));
        assert_int_equal(item.number, started++);
        assert_int_equal(tell_all(&p, T0), 1);
    }
    assert_false(pacer_take(&p, T0 + NS_PER_S, &item));
    assert_true(pacer_next(&p) == PACER_NEVER);
    for (int64_t t = T0 + NS_PER_MS; t < T0 + NS_PER_S; t += 7 * NS_PER_MS) {
        pacer_freed(&p, t, 0);
        assert_true(pacer_next(&p) == t);
        assert_true(pacer_take(&p, t + 100, &item));
        assert_true(item.due == t && item.free == t);
        assert_int_equal(item.number, started++);
        assert_false(pacer_take(&p, t + 100, &item));
        assert_int_equal(p.in_flight, 5);
        tell_all(&p, t + 100);
    }
    assert_int_equal(p.due, started);
    assert_int_equal(pacer_waiting(&p), 0);
    pacer_clear(&p);
    shard_clear(&s);
}

static void test_closed_think_time_and_order(void **state)
{
    (void)state;
    struct shard s = shard_of((struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 3, .duration_ns = 10 * NS_PER_S});
    struct pacer p = pacer_of(&s, 1);
    struct pacer_item item;
    for (int i = 0; i < 3; i++)
        assert_true(pacer_take(&p, T0, &item));
    pacer_freed(&p, T0 + 10, 500);
    pacer_freed(&p, T0 + 20, 0);
    pacer_freed(&p, T0 + 30, 100);
    const int64_t want[] = {T0 + 20, T0 + 130, T0 + 510};
    for (int i = 0; i < 3; i++) {
        assert_true(pacer_next(&p) == want[i]);
        assert_false(pacer_take(&p, want[i] - 1, &item));
        assert_true(pacer_take(&p, want[i], &item));
        assert_true(item.due == want[i]);
    }
    pacer_clear(&p);
    shard_clear(&s);
}

static void test_closed_ends_by_time_and_by_count(void **state)
{
    (void)state;
    struct pacer_item item;
    struct shard s = shard_of((struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 1, .duration_ns = NS_PER_S});
    struct pacer p = pacer_of(&s, 1);
    assert_true(pacer_take(&p, T0, &item));
    pacer_freed(&p, T0 + NS_PER_S - 1, 0);
    assert_true(pacer_take(&p, T0 + NS_PER_S + 5, &item)); /* due before the end, looked at late: still due */
    pacer_freed(&p, T0 + NS_PER_S, 0);
    assert_false(pacer_take(&p, T0 + NS_PER_S, &item));
    assert_true(pacer_next(&p) == PACER_NEVER);
    pacer_clear(&p);
    shard_clear(&s);

    s = shard_of((struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 4, .requests = 10});
    p = pacer_of(&s, 1);
    int n = 0;
    for (int64_t t = T0; n < 100 && pacer_take(&p, t, &item); n++, t += 10)
        pacer_freed(&p, t, 0);
    assert_int_equal(n, 10);
    assert_true(pacer_exhausted(&p));
    assert_true(pacer_next(&p) == PACER_NEVER);
    pacer_clear(&p);
    shard_clear(&s);
}

/* Slots of all workers together fill evenly over the ramp. */
static void test_ramp(void **state)
{
    (void)state;
    struct shard whole = shard_of((struct plan_stage){
        .kind = LOAD_CLOSED, .concurrency = 100, .ramp_ns = NS_PER_S, .duration_ns = 10 * NS_PER_S});
    struct shard part[3];
    struct err e = {0};
    assert_int_equal(shard_split(&whole, (uint32_t[]){1, 1, 1}, 3, 0, part, &e), 0);
    uint32_t at_ms[1000] = {0}, started = 0;
    for (int i = 0; i < 3; i++) {
        struct pacer p = pacer_of(&part[i], 1);
        struct pacer_item item;
        for (int ms = 0; ms < 1000; ms++)
            while (pacer_take(&p, T0 + ms * NS_PER_MS, &item)) {
                at_ms[ms]++;
                started++;
            }
        pacer_clear(&p);
    }
    assert_int_equal(started, 100);
    for (int ms = 0; ms < 1000; ms++)
        assert_int_equal(at_ms[ms], ms % 10 == 0);
    for (int i = 0; i < 3; i++)
        shard_clear(&part[i]);
    shard_clear(&whole);
}

/* Late looks do not move the schedule: dues are T0 + k / rate whatever the caller does. */
static void test_open_does_not_drift(void **state)
{
    (void)state;
    struct shard s = shard_of((struct plan_stage){.kind = LOAD_OPEN,
                                                  .rate_from = 1000,
                                                  .rate_to = 1000,
                                                  .arrivals = ARRIVALS_CONSTANT,
                                                  .duration_ns = 3 * NS_PER_S});
    struct pacer p = pacer_of(&s, 100000);
    struct pacer_item item;
    int64_t last = 0;
    uint64_t n = 0, told = 0;
    for (int64_t now = T0; now < T0 + 4 * NS_PER_S; now += 37 * NS_PER_MS) {
        told += tell_all(&p, now);
        while (pacer_take(&p, now, &item)) {
            assert_true(item.due > last || n == 0);
            assert_true(item.free == item.due && item.due <= now && item.due >= T0 && item.due < T0 + 3 * NS_PER_S);
            if (n > 0) assert_true(item.due - last >= NS_PER_MS - 2 && item.due - last <= NS_PER_MS + 2);
            last = item.due;
            n++;
        }
        assert_int_equal(pacer_waiting(&p), 0);
    }
    assert_true(n >= 2999 && n <= 3000);
    assert_int_equal(told, n);
    assert_false(pacer_exhausted(&p)); /* its time has run out, not a count: the window lasts to the stage's end */
    pacer_clear(&p);
    shard_clear(&s);

    s = shard_of((struct plan_stage){
        .kind = LOAD_OPEN, .rate_from = 1000, .rate_to = 1000, .requests = 10, .duration_ns = 3 * NS_PER_S});
    p = pacer_of(&s, 100000);
    for (n = 0; n < 100 && pacer_take(&p, T0 + NS_PER_S, &item);)
        n++;
    assert_int_equal(n, 10);
    assert_true(pacer_exhausted(&p)); /* by its count, which ends the stage */
    pacer_clear(&p);
    shard_clear(&s);
}

/* With the cap reached arrivals wait, in order, and `free` is the moment the place became free. */
static void test_open_cap(void **state)
{
    (void)state;
    struct shard s = shard_of((struct plan_stage){.kind = LOAD_OPEN,
                                                  .rate_from = 1000,
                                                  .rate_to = 1000,
                                                  .arrivals = ARRIVALS_CONSTANT,
                                                  .max_concurrency = 3,
                                                  .duration_ns = NS_PER_S});
    struct pacer p = pacer_of(&s, 100000);
    struct pacer_item item;
    int64_t now = T0 + 10 * NS_PER_MS + 1, due[3];
    for (int i = 0; i < 3; i++) {
        assert_true(pacer_take(&p, now, &item));
        due[i] = item.due;
        assert_true(item.free == item.due);
    }
    assert_false(pacer_take(&p, now, &item));
    assert_true(pacer_next(&p) == PACER_NEVER);
    tell_all(&p, now);
    uint64_t waiting = pacer_waiting(&p);
    assert_true(waiting >= 7 && waiting <= 8);
    pacer_freed(&p, now + 100, 0);
    pacer_freed(&p, now + 200, 0);
    assert_true(pacer_next(&p) <= now);
    assert_true(pacer_take(&p, now + 300, &item));
    assert_true(item.due > due[2] && item.free == now + 100);
    assert_true(pacer_take(&p, now + 300, &item));
    assert_true(item.free == now + 200);
    assert_false(pacer_take(&p, now + 300, &item));
    assert_int_equal(p.capped, 2);
    assert_int_equal(p.in_flight, 3);
    /* the end: those that wait are abandoned, each once, and the sums agree */
    pacer_end(&p, now + 300);
    tell_all(&p, now + 300);
    uint64_t abandoned = 0;
    while (pacer_abandon(&p, now + 300, &item))
        abandoned++;
    assert_int_equal(abandoned, waiting - 2);
    assert_int_equal(pacer_waiting(&p), 0);
    assert_true(pacer_next(&p) == PACER_NEVER);
    pacer_clear(&p);
    shard_clear(&s);
}

static void test_stop_early(void **state)
{
    (void)state;
    struct pacer_item item;
    struct shard s = shard_of((struct plan_stage){.kind = LOAD_OPEN,
                                                  .rate_from = 100,
                                                  .rate_to = 100,
                                                  .arrivals = ARRIVALS_POISSON,
                                                  .duration_ns = 10 * NS_PER_S});
    struct pacer p = pacer_of(&s, 1000);
    pacer_end(&p, T0 + NS_PER_S);
    pacer_end(&p, T0 + 5 * NS_PER_S); /* an end does not move back */
    uint64_t n = 0;
    while (pacer_take(&p, T0 + 20 * NS_PER_S, &item)) {
        assert_true(item.due < T0 + NS_PER_S);
        n++;
    }
    assert_int_equal(tell_all(&p, T0 + 20 * NS_PER_S), n);
    assert_true(n > 50 && n < 170);
    pacer_clear(&p);
    shard_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_refills_at_once),
        cmocka_unit_test(test_closed_think_time_and_order),
        cmocka_unit_test(test_closed_ends_by_time_and_by_count),
        cmocka_unit_test(test_ramp),
        cmocka_unit_test(test_open_does_not_drift),
        cmocka_unit_test(test_open_cap),
        cmocka_unit_test(test_stop_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
