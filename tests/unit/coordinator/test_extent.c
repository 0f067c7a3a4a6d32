#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "coordinator/extent.h"
#include "coordinator/watch.h"

static bool says(const char *words, const char *timeouts, const char *load)
{
    struct buf text = BUF_INIT(4096), out = BUF_INIT(4096);
    struct err e;
    (void)buf_printf(&text, "plan: 1\ntarget: {url: http://127.0.0.1:1/v1/chat/completions, model: m%s}\nload: {%s}\n",
                     timeouts, load);
    struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    extent_words(p, "# ", &out);
    bool there = strstr(buf_str(&out), words) != NULL;
    plan_destroy(&p);
    buf_clear(&text);
    buf_clear(&out);
    return there;
}

static bool notes(const char *timeouts, const char *load)
{
    return says("# note: target.timeouts.first_token", timeouts, load);
}

/* A timeout that no request lives to see is named before the run. */
static void test_unreachable(void **state)
{
    (void)state;
    static const char CUT[] = "a request that is never answered is cut off when the drain ends, and counts as an error";
    assert_false(notes("", "concurrency: [1], duration: 30s, drain: 30s"));    /* 60 s by default, in 30 + 30: … */
    assert_true(says(CUT, "", "concurrency: [1], duration: 30s, drain: 30s")); /* … what becomes of it is said */
    assert_false(says(CUT, "", "concurrency: [1], duration: 31s, drain: 30s"));
    assert_true(notes(", timeouts: {first_token: 61s}", "concurrency: [1], duration: 30s, drain: 30s"));
    assert_false(notes(", timeouts: {first_token: 20s}", "concurrency: [1], duration: 10s, drain: 30s"));
    assert_true(notes(", timeouts: {first_token: 2m}",
                      "stages: [{concurrency: 1, duration: 30s}, {rate: 2/s, duration: 60s}]"));
    assert_false(notes(", timeouts: {first_token: 2m}", "stages: [{concurrency: 1, requests: 30}]"));
}

/* A search runs an undecided load again, for 1, 2 and 4 windows. */
static void test_search(void **state)
{
    (void)state;
    static const char *const LOADS[] = {"maximize: output_tokens_per_second, within: slo", "plateau: {from: 1, to: 8}"};
    for (size_t i = 0; i < 2; i++) {
        struct buf text = BUF_INIT(4096), out = BUF_INIT(4096);
        struct err e = {0};
        (void)buf_printf(&text,
                         "plan: 1\ntarget: {url: http://127.0.0.1:1/v1/chat/completions, model: m}\n"
                         "load: {search: {%s}, duration: 12s, warmup: 2s}\nslo: {run: [ttft.p50 < 1s]}\n",
                         LOADS[i]);
        struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
        if (!p) fail_msg("%s", e.text);
        extent_words(p, "", &out);
        assert_non_null(strstr(buf_str(&out), "length: a search; a run of a load takes at most 12s, and "));
        assert_int_equal(strstr(buf_str(&out), "is run up to 4 times, 88s in all, and") != NULL, i == 0);
        plan_destroy(&p);
        buf_clear(&text);
        buf_clear(&out);
    }
}

/* How long it takes and how many requests it sends, of each kind of load. */
static void test_kinds(void **state)
{
    (void)state;
    static const char *const CASES[][2] = {
        {"concurrency: [1, 4], requests: 100",
         "# length: 2 stages, as long as their requests take, and at most 1m more"},
        {"stages: [{concurrency: 1, requests: 9}, {concurrency: 1, duration: 30s}]",
         "# length: 2 stages, some end by their number of requests alone; the others 31s"},
        {"concurrency: 4, duration: 30s", "# requests: as many as are answered in that time (closed loop)"},
        {"search: plateau, duration: 30s", "# requests: as many as are answered in that time (closed loop)"},
        {"search: plateau, duration: 30s", ", and after each run at most 30s more"},
        {"search: plateau, requests: 200", "# requests: at most 200 requests a run\n"},
        {"search: {plateau: {over: rate, from: 1, to: 8}}, duration: 30s",
         "# requests: in each run its rate times its length"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (!says(CASES[i][1], "", CASES[i][0])) fail_msg("%s: not \"%s\"", CASES[i][0], CASES[i][1]);
}

/* What slo.abort_on_fail cannot do is said; with one load it can. */
static void test_no_abort(void **state)
{
    (void)state;
    static const struct {
        const char *load, *slo;
        bool noted;
    } CASES[] = {{"concurrency: [1, 2], duration: 30s", "", true},
                 {"concurrency: [1, 2], duration: 30s", ", require: all", false},
                 {"concurrency: [1], duration: 30s", "", false},
                 {"concurrency: 1, duration: 30s", "", false},
                 {"search: {plateau: {from: 1, to: 8}}, duration: 30s", "", true},
                 {"stages: [{concurrency: 1, duration: 30s}, {concurrency: 2, duration: 30s}]", "", false}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf text = BUF_INIT(4096), out = BUF_INIT(4096);
        struct err e = {0};
        (void)buf_printf(&text,
                         "plan: 1\ntarget: {url: http://127.0.0.1:1/v1/chat/completions, model: m}\nload: {%s}\n"
                         "slo: {run: [ttft.p50 < 1s], abort_on_fail: 3s%s}\n",
                         CASES[i].load, CASES[i].slo);
        struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
        if (!p) fail_msg("%s: %s", CASES[i].load, e.text);
        extent_words(p, "# ", &out);
        bool noted = strstr(buf_str(&out), "# note: slo.abort_on_fail does nothing here: ") != NULL;
        if (noted != CASES[i].noted) fail_msg("%s: %s", CASES[i].load, buf_str(&out));
        assert_int_equal(watch_may_abort(p), !noted);
        plan_destroy(&p);
        buf_clear(&text);
        buf_clear(&out);
    }
}

/* Of a short window warmup: auto cuts nothing, which is told before it is measured. */
static void test_warmup_auto(void **state)
{
    (void)state;
    static const char NOTE[] = "# note: warmup: auto looks for a start-up in windows of 30 s or more";
    assert_true(says(NOTE, "", "concurrency: 6, duration: 12s, warmup: auto"));
    assert_true(
        says("of the 10.8 s after the first 1.2 s it cuts nothing", "", "concurrency: 6, duration: 12s, warmup: auto"));
    assert_true(says(NOTE, "", "stages: [{concurrency: 1, duration: 60s}, {rate: 2, duration: 33s, warmup: auto}]"));
    assert_false(says(NOTE, "", "concurrency: 6, duration: 34s, warmup: auto"));
    assert_false(says(NOTE, "", "concurrency: 6, duration: 12s, warmup: 2s"));
    assert_false(says(NOTE, "", "concurrency: 6, requests: 100, warmup: auto"));
    assert_false(says(NOTE, "", "stages: [{rate: {from: 1, to: 9}, duration: 12s, warmup: auto}]"));
}

/* A curve's points, regions and hours, and what of the rules it leaves, are said before anything runs. */
static void test_curve(void **state)
{
    (void)state;
    static const char *const SAYS[] = {("# curve: MLPerf Endpoints; regions low 2 to 5, medium 6 to 17, high 18 to 64; "
                                        "at most 2.73 hours without drains\n"),
                                       "#   ultra low       1, window 10m\n",
                                       "#   high           64, window 20m, elected as Offline\n",
                                       "# not to the rules: without a data set"};
    static const char PLAN[] = "plan: 1\ntarget: {url: \"http://127.0.0.1:1\", model: m}\n"
                               "load: {curve: mlperf-endpoints, max_concurrency: 64}\n";
    struct buf out = BUF_INIT(8192);
    struct err e;
    struct plan *p = plan_load("p", PLAN, strlen(PLAN), NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    extent_words(p, "# ", &out);
    for (size_t i = 0; i < sizeof SAYS / sizeof *SAYS; i++)
        if (!strstr(buf_str(&out), SAYS[i])) fail_msg("no \"%s\" in\n%s", SAYS[i], buf_str(&out));
    assert_null(strstr(buf_str(&out), "times as long"));
    plan_destroy(&p);
    buf_clear(&out);
}

static int64_t left(const char *load, uint64_t ended, int64_t ended_s, int64_t elapsed_s)
{
    struct buf text = BUF_INIT(4096);
    struct err e;
    (void)buf_printf(&text, "plan: 1\ntarget: {url: http://127.0.0.1:1/v1/chat/completions, model: m}\nload: {%s}\n",
                     load);
    struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    int64_t s = extent_left_ns(p, ended, ended_s * NS_PER_S, elapsed_s * NS_PER_S) / NS_PER_S;
    plan_destroy(&p);
    buf_clear(&text);
    return s;
}

/* Loads, and the pauses between them: three of 30 s with two of 5 s. */
static void test_left(void **state)
{
    (void)state;
    const char *three = "concurrency: [1, 2, 4], duration: 30s, cooldown: 5s";
    assert_int_equal(left(three, 0, 0, 0), 100);
    assert_int_equal(left(three, 0, 0, -3), 100); /* before its start */
    assert_int_equal(left(three, 0, 0, 10), 90);
    assert_int_equal(left(three, 1, 30, 0), 65);
    assert_int_equal(left(three, 2, 60, 30), 0);
    assert_int_equal(left(three, 3, 90, 0), 0);
    assert_int_equal(left("stages: [{concurrency: 1, requests: 30}, {concurrency: 1, duration: 30s}]", 0, 0, 0),
                     0); /* by count */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_left),       cmocka_unit_test(test_unreachable),
                                       cmocka_unit_test(test_no_abort),   cmocka_unit_test(test_search),
                                       cmocka_unit_test(test_kinds),      cmocka_unit_test(test_curve),
                                       cmocka_unit_test(test_warmup_auto)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
