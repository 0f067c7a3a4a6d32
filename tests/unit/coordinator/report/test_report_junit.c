#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/report/report_parts.h"

static struct plan_gate gates[3] = {
    {.text = "ttft.p99 < 800ms"}, {.text = "errors.rate < 1%"}, {.text = "itl.max < 1s & <more>"}};
static struct plan plan = {.name = "a \"b\" <c>\x01", .gates = gates, .n_gates = 3};

static void make(struct buf *out, struct gate_outcome *o)
{
    struct run_data run = {.plan = &plan};
    struct point p[2] = {{.requested = {.kind = LOAD_CLOSED, .concurrency = 8}, .window_s = 30},
                         {.stage = 1, .requested = {.kind = LOAD_CLOSED, .concurrency = 16}, .window_s = 30}};
    for (int m = 0; m < METRIC_N; m++) /* else that would be why a gate is not decided */
        p[0].metric[m].count = p[1].metric[m].count = 1;
    verdict_add(&p[1].verdict, VERDICT_INVALID, "late & <slow>");
    struct analysis in = {.run = &run, .points = p, .n_points = 2, .gates = o, .n_gates = 6};
    buf_reset(out);
    assert_int_equal(report_junit(&in, out, NULL), 0);
}

static void has(const struct buf *b, const char *text)
{
    if (!strstr(buf_str(b), text)) fail_msg("no %s in\n%s", text, buf_str(b));
}

static void test_all_three_results(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 20);
    struct gate_outcome o[6];
    for (uint32_t i = 0; i < 6; i++)
        o[i] = (struct gate_outcome){
            .gate = &gates[i % 3], .point = i / 3, .value = NAN, .lo = NAN, .hi = NAN, .needs = NAN, .needs_s = NAN};
    o[0] = (struct gate_outcome){.gate = &gates[0], .value = 912.5, .lo = 900, .hi = 930, .result = GATE_FAIL};
    o[1].result = GATE_INCONCLUSIVE;
    make(&out, o);
    has(&out, "<testsuites name=\"plateau a &quot;b&quot; &lt;c&gt; \" tests=\"5\" failures=\"2\" errors=\"1\" "
              "skipped=\"0\">");
    has(&out, "<testsuite name=\"gates\" tests=\"3\" failures=\"1\" errors=\"1\" skipped=\"0\">");
    has(&out, "name=\"ttft.p99 &lt; 800ms\">\n      <failure message=\"limit broken at load 8: 912 ms (95 %: 900 ms to "
              "930 ms)\"/>");
    has(&out, "<error message=\"not decided at load 8, and slo.inconclusive is fail: inconclusive\"/>");
    has(&out, "<testcase classname=\"slo.run\" name=\"itl.max &lt; 1s &amp; &lt;more&gt;\"/>");
    has(&out, "<testcase classname=\"measurement\" name=\"stage 1.1, load 8\" time=\"30.000\">\n    </testcase>");
    has(&out, "<failure message=\"invalid: late &amp; &lt;slow&gt;\"/>");
    plan.on_inconclusive = INCONCLUSIVE_PASS;
    make(&out, o);
    has(&out, "tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"1\">");
    has(&out, "<skipped message=\"not decided at load 8: inconclusive\"/>");
    buf_clear(&out);
}

/* XML 1.0 has no form for most control characters, surrogates, U+FFFE, U+FFFF and bytes that are no UTF-8: a file with
 * one of them is read by nobody. */
static void test_well_formed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *xml;
    } CASES[] = {{"a\xef\xbf\xbe"
                  "b",
                  "a\xef\xbf\xbd"
                  "b"},
                 {"a\xef\xbf\xbf", "a\xef\xbf\xbd"},
                 {"\xf0\x9f\x98\x80 \xc3\xa9 \xef\xbf\xbd", "\xf0\x9f\x98\x80 \xc3\xa9 \xef\xbf\xbd"},
                 {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd"},
                 {"\x01\x1f\x7f\t\r\n", "     &#10;"},
                 {"'\"<&>", "'&quot;&lt;&amp;&gt;"}};
    struct buf out = BUF_INIT(1 << 20);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char want[100];
        struct plan named = {.name = CASES[i].name};
        struct run_data run = {.plan = &named, .run_id = "r"};
        struct analysis in = {.run = &run};
        buf_reset(&out);
        assert_int_equal(report_junit(&in, &out, NULL), 0);
        (void)snprintf(want, sizeof want, "<testsuites name=\"plateau %s\" tests", CASES[i].xml);
        has(&out, want);
    }
    buf_clear(&out);
}

static void test_capacity(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 20);
    struct plan p = {.capacity = {.text = ">= 5000 token/s", .op = OP_GE, .value = 5000}};
    struct run_data run = {.plan = &p, .run_id = "r"};
    struct analysis in = {.run = &run, .answer = {.capacity = GATE_FAIL, .capacity_value = 4510}};
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<testsuite name=\"gates\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">");
    has(&out, "classname=\"slo.capacity\" name=\"&gt;= 5000 token/s\">\n      <failure message=\"not kept: it is 4,510 "
              "token/s\"/>");
    in.answer.capacity = GATE_PASS;
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<testsuite name=\"gates\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">");
    buf_clear(&out);
}

/* A page has the same characters, but its line ends stay: its text stands in an element, not in an attribute. */
static void test_markup_of_a_page(void **state)
{
    (void)state;
    static const char text[] = "a\n<b> & \"c\"\x1b[2J\xff \xc3\xa9";
    struct buf out = BUF_INIT(1 << 10);
    report_put_markup(&out, text, sizeof text - 1, false);
    assert_string_equal(buf_str(&out), "a\n&lt;b&gt; &amp; &quot;c&quot; [2J\xef\xbf\xbd \xc3\xa9");
    buf_reset(&out);
    report_put_markup(&out, text, 3, true);
    assert_string_equal(buf_str(&out), "a&#10;&lt;");
    buf_clear(&out);
}

/* A stage that the plan asks for and that has no point is an error of the run, with its reason; where a broken gate
 * ended the run on purpose, it was skipped. */
static void test_missing(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 20);
    struct plan_stage asked[3] = {{.kind = LOAD_CLOSED, .concurrency = 1},
                                  {.kind = LOAD_OPEN, .rate_from = 2, .rate_to = 2},
                                  {.kind = LOAD_CLOSED, .concurrency = 4}};
    struct plan plan_3 = {.name = "p", .stages = asked, .n_stages = 3, .repeats = 2};
    struct run_event event = {.kind = RUN_EVENT_ERROR, .text = "the server is \"gone\""};
    struct run_data run = {.plan = &plan_3, .run_id = "r", .events = &event, .n_events = 1};
    struct point p[3] = {{.requested = asked[0]},
                         {.repeat = 1, .requested = asked[0]},
                         {.stage = 2, .repeat = 1, .requested = asked[2]}};
    struct analysis in = {.run = &run, .points = p, .n_points = 3, .measured_status = 3};
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<testsuites name=\"plateau p\" tests=\"6\" failures=\"0\" errors=\"3\" skipped=\"0\">");
    has(&out, "<testsuite name=\"measurements\" tests=\"6\" failures=\"0\" errors=\"3\" skipped=\"0\">");
    has(&out, "name=\"stage 2.1, load 2/s\">\n      <error message=\"not run: the server is &quot;gone&quot;\"/>");
    has(&out, "name=\"stage 2.2, load 2/s\">\n      <error message=\"not run: ");
    has(&out, "name=\"stage 3.1, load 4\">\n      <error message=\"not run: ");
    run.n_events = 0; /* as of a folder that was copied while it ran */
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<error message=\"not run: the run has not ended: it is under way, or its coordinator was killed\"/>");
    run.ended_wall_ns = 1;
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<error message=\"not run: the run ended before this stage, and its file does not say why\"/>");
    in.measured_status = 130;
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<error message=\"not run: ended by Ctrl-C before the plan was done\"/>");
    event = (struct run_event){.kind = RUN_EVENT_GATE_FAILED, .text = "ttft.p99 < 1s"};
    run.n_events = 1;
    in.measured_status = 99;
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "tests=\"7\" failures=\"0\" errors=\"1\" skipped=\"3\">"); /* no gate here says what the status 99 does */
    has(&out, "name=\"stage 3.1, load 4\">\n      <skipped message=\"not run: slo.abort_on_fail ended the run\"/>");
    plan_3.search.goal = SEARCH_SLO; /* which asks for as many as it needs */
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "tests=\"4\" failures=\"0\" errors=\"1\" skipped=\"0\">");
    buf_clear(&out);
}

/* A test that passes while most requests failed says so: with no gate on errors the run's status is 0. */
static void test_failed_requests(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 20);
    struct plan p = {.name = "p"};
    struct stage_data stage[2] = {
        {.failures = {.n = 1, .row = {{.label = FAILURE_HTTP_5XX, .status = 503, .text = "no <room>"}}}}};
    struct run_data run = {.plan = &p, .run_id = "r", .stages = stage, .n_stages = 2};
    struct point points[2] = {{.requested = {.kind = LOAD_CLOSED, .concurrency = 8},
                               .window_ok = 97,
                               .window_cut = 3,
                               .window_unanswered = 1},
                              {.stage = 1, .requested = {.kind = LOAD_CLOSED, .concurrency = 16}}};
    struct analysis in = {.run = &run, .points = points, .n_points = 2};
    points[0].ledger.ok = 40;
    points[0].ledger.failed[FAILURE_HTTP_5XX] = 50;
    points[0].ledger.failed[FAILURE_RESET] = 10;
    verdict_add(&points[1].verdict, VERDICT_SUSPECT, "read late");
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<testsuites name=\"plateau p\" tests=\"2\" failures=\"0\" errors=\"0\" skipped=\"0\">");
    has(&out,
        "<system-out>60 of 100 requests failed (60 %), 50 of them by http_5xx: status 5xx, or any other status that "
        "is not 2xx. The first: status 503. The server's words: no &lt;room&gt;\n3 of 100 requests due in the window "
        "got no "
        "answer (3 %).</system-out>\n    </testcase>");
    has(&out, "<system-out>Suspect: read late</system-out>");
    buf_clear(&out);
}

/* No file of a run that failed is all green. */
static void test_red(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 20);
    struct plan p = {.name = "p"};
    struct stage_data stage = {.degraded = true};
    struct run_event events[2] = {{.kind = RUN_EVENT_ERROR, .text = "no room"}, {.kind = RUN_EVENT_AGENT_JOINED}};
    struct run_data run = {.plan = &p, .run_id = "r", .stages = &stage, .n_stages = 1};
    struct point point = {.requested = {.kind = LOAD_CLOSED, .concurrency = 8}};
    struct analysis in = {.run = &run, .points = &point, .n_points = 1, .measured_status = 4};
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<testsuite name=\"measurements\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">");
    has(&out, "<error message=\"the result misses an agent, or a part of its time\"/>");
    stage = (struct stage_data){.aborted = true};
    in.measured_status = 130;
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">");
    has(&out, "<error message=\"the stage was cut short\"/>");
    verdict_add(&point.verdict, VERDICT_INVALID, "nothing was measured: the stage was cut short");
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0); /* which is no word on the server */
    has(&out, "tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">");
    has(&out, "<error message=\"nothing was measured: the stage was cut short\"/>");
    stage.counters[COUNTER_FAILED_FIRST] = stage.counters[COUNTER_WIN_FAILED] = 3; /* these are */
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">");
    point.verdict = (struct verdict){0};
    stage.aborted = false; /* between two stages, of which a search needs no other */
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "tests=\"2\" failures=\"0\" errors=\"1\" skipped=\"0\">");
    has(&out, "name=\"the whole run\">\n      <error message=\"INVALID: ended by Ctrl-C before the plan was done\"/>");
    in.measured_status = 0;
    run.events = events;
    run.n_events = 1;
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "<error message=\"DONE: ");
    has(&out, "the run ended with an error: no room\"/>");
    run.n_events = 2; /* and was resumed */
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">");
    (void)snprintf(in.answer.text, sizeof in.answer.text, "It was interrupted & resumed.");
    buf_reset(&out);
    assert_int_equal(report_junit(&in, &out, NULL), 0);
    has(&out, "    <system-out>It was interrupted &amp; resumed.</system-out>\n  </testsuite>\n</testsuites>");
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_three_results),
                                       cmocka_unit_test(test_well_formed),
                                       cmocka_unit_test(test_capacity),
                                       cmocka_unit_test(test_missing),
                                       cmocka_unit_test(test_markup_of_a_page),
                                       cmocka_unit_test(test_failed_requests),
                                       cmocka_unit_test(test_red)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
