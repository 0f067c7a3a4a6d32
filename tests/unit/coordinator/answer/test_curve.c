#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/curve.h"

static struct plan *curve_of(const char *keys)
{
    struct buf text = BUF_INIT(4096);
    struct err e;
    (void)buf_printf(&text, "plan: 1\ntarget: {url: \"http://h:1\", model: m}\nload: {%s}\n", keys);
    struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    buf_clear(&text);
    return p;
}

static void collect(void *arg, const char *sentence)
{
    (void)buf_printf(arg, "%s\n", sentence);
}

static bool deviates(const struct plan *p, const struct point *points, size_t n, const char *words)
{
    struct buf out = BUF_INIT(8192);
    curve_deviations(p, points, n, collect, &out);
    bool there = strstr(buf_str(&out), words) != NULL;
    buf_clear(&out);
    return there;
}

static void test_regions(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"ultra low", "low", "low", "medium", "medium", "high", "high", "offline"};
    static const char *const KEYS[] = {"low_latency",     "low_concurrency",  "low_concurrency",  "med_concurrency",
                                       "med_concurrency", "high_concurrency", "high_concurrency", "high_concurrency"};
    struct plan *p = curve_of("curve: mlperf-endpoints, max_concurrency: 256, samples: 300");
    assert_int_equal(p->n_stages, 8);
    for (size_t i = 0; i < 8; i++) {
        assert_string_equal(curve_region(p, &p->stages[i]), NAMES[i]);
        assert_string_equal(curve_region_key(p, &p->stages[i]), KEYS[i]);
        assert_int_equal(curve_is_offline(p, &p->stages[i]), i == 7);
    }
    plan_destroy(&p);
    p = curve_of("curve: mlperf-endpoints, max_concurrency: 256");
    assert_true(curve_is_offline(p, &p->stages[6]) && !curve_is_offline(p, &p->stages[5]));
    plan_destroy(&p);
    p = curve_of("concurrency: [1, 2], duration: 5s");
    assert_null(curve_region(p, &p->stages[0]));
    assert_false(deviates(p, NULL, 0,
                          ""
                          "the"));
    plan_destroy(&p);
}

static void test_deviations(void **state)
{
    (void)state;
    struct plan *p =
        curve_of("curve: mlperf-endpoints, max_concurrency: 256, samples: 300, passes: 4, scale: 0.5, points: 6");
    assert_true(deviates(p, NULL, 0, "windows are 0.5 times as long"));
    assert_true(deviates(p, NULL, 0, "6 points, the rules ask for 8"));
    assert_true(deviates(p, NULL, 0, "4 passes over the data set"));
    plan_destroy(&p);
    p = curve_of("curve: mlperf-endpoints, max_concurrency: 256, samples: 300, passes: 5");
    assert_false(deviates(p, NULL, 0, "times as long"));
    assert_false(deviates(p, NULL, 0, "5 passes"));
    assert_false(deviates(p, NULL, 0, "points, the rules"));
    /* what only the run shows: a window that passes ended too early */
    struct point point = {.requested = p->stages[0], .window_s = 599};
    assert_true(deviates(p, &point, 1, "the window at 1 is 599 s long, the rules ask for 600 s"));
    point.window_s = 600;
    assert_false(deviates(p, &point, 1, "the window at"));
    point.requested = p->stages[7]; /* Offline has no least time */
    point.window_s = 3;
    assert_false(deviates(p, &point, 1, "the window at"));
    plan_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_regions), cmocka_unit_test(test_deviations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
