#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/answer_say.h"
#include "tests/unit/answer_world.h"

#define S INT64_C(1000000000)

/* A recorded day that ends after ten minutes is not a day. */
static void test_short_trace(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    static struct series_row rows[3] = {{.agent = -1, .t_s = 0, .span_s = 1, .due = 5},
                                        {.agent = -1, .t_s = 11, .span_s = 1, .due = 5},
                                        {.agent = -1, .t_s = 12, .span_s = 1}};
    struct plan_workload day = {.weight = 1, .source = SOURCE_TRACE, .data = {.file = "day.csv", .speed = 2}};
    memset(&w, 0, sizeof w);
    w.plan.workloads = &day;
    w.plan.n_workloads = 1;
    day.data.found.records = 10;
    data = (struct stage_data){.series = rows, .n_series = 3};
    struct point *p = add(&w, 4, 1);
    p->data = &data;
    p->arrivals_per_s = 5;
    p->requested = (struct plan_stage){.kind = LOAD_OPEN,
                                       .arrivals = ARRIVALS_RECORDED,
                                       .rate_from = 5,
                                       .rate_to = 5,
                                       .requests = 10,
                                       .duration_ns = 60 * S};
    p->ledger.due = 10;
    finish(&w, 1000);
    says(&w,
         "In stage 1 the trace's last request was due after 12 s, and none in the rest of the 60 s of load.duration. ");
    p->requested.duration_ns = 13 * S; /* as good as all of it */
    finish(&w, 1000);
    silent(&w, "trace");
    p->requested.duration_ns = 60 * S;
    p->ledger.due = 9; /* something else ended it */
    finish(&w, 1000);
    silent(&w, "trace");
    p->ledger.due = 10;
    day.data.found.records = 100; /* the plan asks for ten of them */
    finish(&w, 1000);
    silent(&w, "trace");
    day.data.found.records = 10;
    p->requested.duration_ns = 0;
    day.data.from_ns = 30 * S, day.data.to_ns = 150 * S;
    finish(&w, 1000);
    says(&w, "due after 12 s, and none in the rest of the 60 s from trace.from to trace.to. ");
    day.data.to_ns = 0;
    finish(&w, 1000);
    silent(&w, "trace");
}

/* Several points are suspect: the reason is that of the figure, and the others are counted. */
static void test_suspects(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 64, 1);
    verdict_add(&w.p[1].verdict, VERDICT_SUSPECT, "a clock stepped");
    verdict_add(&w.p[4].verdict, VERDICT_SUSPECT, "requests waited");
    finish(&w, 1);
    says(&w, "Suspect, stage 5 (load 16): requests waited. So is 1 other point of those used.");
    w.plan.slo_request_ns[SLO_TTFT] = 1;
    finish(&w, 2); /* load 2 is the one within the gates */
    says(&w, "Suspect, stage 2 (load 2): a clock stepped. So is 1 other point of those used.");
    says(&w, "Goodput: at least "); /* the last load keeps the limits too */
    add(&w, 128, 1);
    finish(&w, 2);
    silent(&w, "Goodput: at least");
    w.a.text[0] = '\0';
    for (int i = 0; i < 4000; i++)
        answer_say(&w.a, "words%d ", i);
    assert_true(strlen(w.a.text) < sizeof w.a.text);
    assert_string_equal(w.a.text + strlen(w.a.text) - 3, "…"); /* cut, and seen to be */
}

/* Answers without output tokens keep gates, goodput and a capacity of requests, and are in doubt, as others. */
static void test_no_tokens(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint32_t load = 1; load <= 64; load *= 8) {
        struct point *p = add(&w, load, 1);
        p->output_tokens_per_s = 0, p->output_lo = p->output_hi = NAN;
        p->requests_per_s = load < 64 ? 40 * load : 330;
        p->ledger.ok = 1000;
    }
    w.plan.slo_request_ns[SLO_E2E] = 1;
    w.plan.capacity = (struct plan_capacity){.text = "> 300 requests/s", .value = 300, .requests = true, .op = OP_GT};
    finish_capacity(&w, 8);
    says(&w, "At 64 concurrent requests: 330 requests/s");
    says(&w, "Within ttft.p99 < 800ms and errors.rate < 1%: 320 requests/s at 8 concurrent requests. ");
    says(&w, "slo.capacity > 300 requests/s is kept: 320 requests/s. ");
    says(&w, "Goodput: at least 330 requests/s at 64 concurrent requests, 93 % of requests within their limits. ");
    says(&w, "Valid: the agents were never the limit.");
    silent(&w, "loop lag"); /* there is no token that one could have read late */
    assert_true(isnan(w.a.slo_tokens_per_s) && w.a.points_used == 3);
    w.plan.capacity = (struct plan_capacity){.text = "> 300 token/s", .value = 300, .op = OP_GT};
    finish_capacity(&w, 8);
    says(&w, "slo.capacity > 300 token/s is not decided; no output tokens of the answers are known. ");
    w.plan.capacity.text = NULL;
    finish_capacity(&w, 0);
    says(&w, "No load tried is shown to keep ttft.p99 < 800ms and errors.rate < 1%: 3 fail. ");
    verdict_add(&w.p[2].verdict, VERDICT_SUSPECT, "the stage was cut short");
    finish_capacity(&w, 8);
    says(&w, "Suspect, stage 3 (load 64): the stage was cut short.");
    w.p[2].steady = STEADY_NO;
    finish_capacity(&w, 8);
    says(&w, "At 8 concurrent requests: 320 requests/s");
    says(&w, "Valid: the agents were not the limit in the points used. 1 of 3 points left out (not steady).");
}

/* Limits that no load keeps are not passed over in silence. */
static void test_no_goodput(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 16, 1);
    for (size_t i = 0; i < w.n; i++)
        w.p[i].window_good = 800 - 100 * i;
    finish(&w, 1e9);
    silent(&w, "Goodput"); /* not asked for */
    w.plan.slo_request_ns[SLO_TTFT] = 1;
    finish(&w, 1e9);
    says(&w, "Goodput: no load keeps 90 % of requests within their limits; the most, 80 %, at 1 concurrent request. ");
    w.p[0].window_good = 950;
    finish(&w, 1e9);
    says(&w, "Goodput: 1.2 requests/s at 1 concurrent request, 95 % of requests within their limits. ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_short_trace), cmocka_unit_test(test_suspects),
                                       cmocka_unit_test(test_no_tokens), cmocka_unit_test(test_no_goodput)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
