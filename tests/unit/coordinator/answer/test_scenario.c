#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/answer_text.h"
#include "coordinator/answer/scenario.h"

#define AGENTX "{trace: {file: t.json, format: weka, max_idle: 10s, start: random, marker: true, barrier: true}}"

static struct plan *plan_of(const char *target, const char *workload, const char *load)
{
    struct buf text = BUF_INIT(4096);
    struct err e;
    (void)buf_printf(&text,
                     "plan: 1\ntarget: {url: \"http://h:1\", model: m%s}\nworkload: %s\nload: {concurrency: [8], %s}\n",
                     target, workload, load);
    struct plan *p = plan_load("p", buf_str(&text), text.len, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    buf_clear(&text);
    return p;
}

static void collect(void *arg, const char *sentence)
{
    (void)buf_printf(arg, "%s\n", sentence);
}

/* Exactly these sentences, one a line. */
static void deviates(const struct plan *p, const struct point *points, size_t n, const char *wanted)
{
    struct buf out = BUF_INIT(8192);
    scenario_deviations(p, points, n, collect, &out);
    assert_string_equal(buf_str(&out), wanted);
    buf_clear(&out);
}

#define KEEPS ", body: {ignore_eos: true}"

static void test_plan(void **state)
{
    (void)state;
    static const struct {
        const char *target, *workload, *load, *wanted;
    } CASES[] = {
        {KEEPS, AGENTX, "duration: 30m, warmup: 3m, scenario: agentx", ""},
        {"", "{synthetic: {}}", "duration: 5s", ""}, /* nobody asked */
        {KEEPS, "{synthetic: {}}", "duration: 20m, warmup: 10s, scenario: agentx",
         "the requests are not those of session trees alone (workload: {trace: {format: weka, …}})\n"},
        {", stream: false", AGENTX, "duration: 30m, warmup: 3m, scenario: agentx, retries: {max: 1}",
         "answers are not streamed (target.stream)\n"
         "answers may end before their recorded length (target.body: {ignore_eos: true})\n"
         "failed requests are sent again (load.retries)\n"},
        {", body: {ignore_eos: false}", "{trace: {file: t.json, format: tracelab, speed: 2, max_think: 1s}}",
         "duration: 16m, warmup: 2m, scenario: agentx, cancel: {fraction: 1%, after: 1s}",
         "the session trees are not those of kv-cache-tester (trace.format: weka)\n"
         "a cache may know a tree from the play before (trace.marker: true marks each play)\n"
         "lanes begin at the first request of their tree (trace.start: random)\n"
         "lanes do not go on from the warming of the cache together (trace.barrier: true)\n"
         "pauses are not cut at 10 s (trace.max_idle: 10s)\n"
         "trace.max_think cuts pauses once more\n"
         "recorded pauses pass 2 times as fast (trace.speed)\n"
         "answers may end before their recorded length (target.body: {ignore_eos: true})\n"
         "users go away before their answer has ended (load.cancel)\n"
         "the window is 840 s long, the rules ask for 900 s\n"},
        {KEEPS, AGENTX, "passes: 2, scenario: agentx",
         "a stage ends by a count; the rules want a time, in which lanes take tree after tree\n"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct plan *p = plan_of(CASES[i].target, CASES[i].workload, CASES[i].load);
        deviates(p, NULL, 0, CASES[i].wanted);
        plan_destroy(&p);
    }
}

static void test_run(void **state)
{
    (void)state;
    struct plan *p = plan_of(KEEPS, AGENTX, "duration: 20m, warmup: 2m, scenario: agentx");
    struct series_row rows[2] = {{.agent = -1, .t_s = 1150, .span_s = 1, .tokens = 9},
                                 {.agent = 0, .t_s = 1150, .span_s = 1, .tokens = 9}};
    struct stage_data data = {.series = rows, .n_series = 2};
    struct point point = {.requested = p->stages[0], .window_s = 1080, .data = &data};
    data.counters[COUNTER_OK] = 990;
    data.counters[COUNTER_FAILED_HTTP_4XX] = data.counters[COUNTER_STATUS_400] = 10;
    deviates(p, &point, 1, "");
    point.window_unanswered = 250;
    deviates(p, &point, 1, "at 8 lanes 20.8 % of the requests failed or were never answered: more than 10 %\n");
    point.window_unanswered = 0;
    deviates(p, &point, 0, "the run ended before all its stages were done\n");
    rows[0].t_s = 659;
    data.aborted = point.degraded = true;
    data.counters[COUNTER_STATUS_413] = 1;
    data.counters[COUNTER_FAILED_HTTP_5XX] = 190;
    data.counters[COUNTER_LANES_LATE] = 1;
    deviates(p, &point, 1,
             "at 8 lanes the stage was cut short\n"
             "at 8 lanes an agent was lost\n"
             "at 8 lanes 16.8 % of the requests failed: more than 10 %\n"
             "at 8 lanes no token came after 50 % of the window: the rules ask for life to its last twentieth\n"
             "at 8 lanes the cache of 1 lane was still being warmed when the window began\n");
    data.counters[COUNTER_STATUS_413] = 5;
    data.counters[COUNTER_FAILED_HTTP_5XX] = 0;
    data.counters[COUNTER_LANES_LATE] = 0;
    data.aborted = point.degraded = false;
    rows[0].t_s = 1150;
    deviates(p, &point, 1,
             "at 8 lanes 1.5 % of the requests were refused with status 400, 413 or 422, as prompts longer than the "
             "server's context are: more than 1 %\n");
    plan_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plan), cmocka_unit_test(test_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
