#include "coordinator/answer/analysis.h"
#include "tests/unit/point_world.h"

/* 16 requests of a stage of 4 s, of which none was answered. */
static void silent_make(struct stage_data *s)
{
    *s = (struct stage_data){.stage = 4,
                             .plan = {.kind = LOAD_CLOSED, .concurrency = 16, .duration_ns = INT64_C(4000000000)}};
    s->counters[COUNTER_MEASURED_NS] = UINT64_C(4000000000);
    s->counters[COUNTER_DUE] = s->counters[COUNTER_SENT] = s->counters[COUNTER_ABORTED] = 16;
    s->counters[COUNTER_WIN_INFLIGHT_NS] = UINT64_C(4000000000) * 16;
}

static void expect(const struct stage_data *before, const struct stage_data *s, bool whole, const char *text,
                   const char * not )
{
    struct plan plan = plan_of();
    struct point p[2];
    plan.target.whole = whole;
    point_compute(before, &plan, &p[0]);
    point_compute(s, &plan, &p[1]);
    analysis_explain(&plan, p, 2);
    assert_int_equal(p[1].verdict.status, VERDICT_INVALID);
    if (!strstr(p[1].verdict.reason[0], text)) fail_msg("\"%s\" is not in: %s", text, p[1].verdict.reason[0]);
    if (strstr(p[1].verdict.reason[0], not )) fail_msg("\"%s\" is in: %s", not, p[1].verdict.reason[0]);
}

static void test_silence(void **state)
{
    (void)state;
    struct stage_data before, s;
    struct agent_data a;
    stage_make(&before, &a); /* answers took 3.2 s */
    before.counters[COUNTER_ABORTED] = 0;
    before.counters[COUNTER_DUE] = before.counters[COUNTER_SENT] = before.counters[COUNTER_OK];
    silent_make(&s);
    expect(&before, &s, false,
           "not one byte of an answer came within 4 s, and 16 requests were still open when the drain ended. The "
           "server hangs, or answers take longer than the stage: then make load.duration at least 12 s",
           "seems to hang");
    hist_reset(before.hist[METRIC_E2E]);
    hist_record(before.hist[METRIC_E2E], INT64_C(200000000), 500);
    expect(&before, &s, false,
           "not one byte of an answer came within 4 s, and 16 requests were still open when the drain ended. The "
           "server seems to hang: in stage 4 before it (load 32) answers took 0.2 s (p50)",
           "load.duration");
    s.plan.kind = LOAD_OPEN, s.plan.rate_from = s.plan.rate_to = 4, s.counters[COUNTER_WIN_DUE] = 16;
    s.hist[METRIC_CUT_AGE] = hist_new();
    hist_record(s.hist[METRIC_CUT_AGE], INT64_C(6000000000), 16);
    expect(&before, &s, false, "not one byte of an answer came within 6 s", "load.duration");
    s.counters[COUNTER_BYTES_IN] = 160; /* comments that keep the connection */
    expect(&before, &s, false, "not one token came within 6 s", "load.duration");
    expect(&before, &s, true, "answers take longer than the stage. None ended within its window", "hang");
    s.counters[COUNTER_EVENTS] = 16;
    expect(&before, &s, false, "answers take longer than the stage. None ended within its window", "hang");
    stage_done(&before);
    stage_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_silence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
