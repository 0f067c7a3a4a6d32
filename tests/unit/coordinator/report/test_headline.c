#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/human.h"
#include "coordinator/answer/verdict.h"
#include "coordinator/report/headline.h"
#include "coordinator/report/reasons.h"

static struct plan_gate gates[2] = {
    {.text = "ttft.p99 < 800ms", .subject = GATE_METRIC, .metric = METRIC_TTFT, .op = OP_LT, .value = 800e6},
    {.text = "errors.rate < 1%", .subject = GATE_ERROR_RATE},
};
static struct plan plan;
static struct run_data run;
static struct point p[9];
static struct gate_outcome o[18];
static struct analysis a;

/* Nine valid points of a sweep 1 … 256; every gate passes at the 7th. */
static void begin(size_t n_gates)
{
    plan = (struct plan){.gates = gates, .n_gates = n_gates, .sweep = true, .require = REQUIRE_ANY};
    run = (struct run_data){.plan = &plan, .ended_wall_ns = 1};
    memset(p, 0, sizeof p);
    memset(o, 0, sizeof o);
    a = (struct analysis){.run = &run, .points = p, .n_points = 9, .gates = o, .n_gates = 9 * n_gates};
    for (uint32_t i = 0; i < 9; i++) {
        p[i].stage = i;
        p[i].requested.concurrency = 1u << i;
        p[i].ledger.due = 100;
        for (size_t g = 0; g < n_gates; g++)
            o[i * n_gates + g] =
                (struct gate_outcome){.gate = &gates[g], .point = i, .value = 0.0327, .lo = NAN, .hi = NAN};
    }
    a.answer.has_slo = n_gates > 0;
    a.answer.slo_point = 6;
}

static void says(const char *word, const char *why)
{
    struct headline h;
    headline_make(&a, &h);
    assert_string_equal(h.word, word);
    assert_string_equal(h.why, why);
}

/* Where one load is enough: which one, and why there is none. */
static void test_one_load(void **state)
{
    (void)state;
    begin(1); /* the load that keeps them carries no answer, as embeddings have no tokens */
    a.answer.has_slo = false;
    for (int i = 0; i < 9; i++)
        o[i].result = i == 2 ? GATE_PASS : GATE_FAIL;
    says("PASS", "the gate is kept at load 4");
    p[2].steady = STEADY_NO;
    says("PASS", "the gate is kept at load 4, whose window drifted");
    begin(1); /* a load that breaks the gate in one of its runs, though it keeps it in another */
    a.measured_status = 99;
    a.answer.has_slo = false;
    for (int i = 0; i < 9; i++)
        p[i].requested.concurrency = 4, o[i].result = i == 7 ? GATE_FAIL : GATE_PASS, o[i].value = i;
    says("FAIL", "gate broken: ttft.p99 < 800ms: it is 7 ms at load 4");
    begin(1); /* all loads break it: the one that is nearest to the limit, which for throughput is not the first */
    a.measured_status = 99;
    a.answer.has_slo = false;
    static struct plan_gate much = {.text = "throughput > 500", .subject = GATE_THROUGHPUT, .op = OP_GT, .value = 500};
    plan.gates = &much;
    for (int i = 0; i < 9; i++)
        o[i].gate = &much, o[i].result = GATE_FAIL, o[i].value = i == 5 ? 346 : 86;
    says("FAIL", "gate broken: throughput > 500: it is 346 token/s at load 32");
    begin(1); /* a value that is not known is the farthest */
    a.measured_status = 99;
    a.answer.has_slo = false;
    for (int i = 0; i < 9; i++)
        o[i].result = GATE_FAIL, o[i].value = i ? 900.0 + i : (double)NAN;
    says("FAIL", "gate broken: ttft.p99 < 800ms: it is 901 ms at load 2");
    begin(1);
    plan.require = REQUIRE_ALL;
    says("PASS", "the gate is kept in every stage");
    p[2].steady = STEADY_NO;
    says("PASS", "the gate is kept in every stage; the window drifted in 1 of 9 stages");
    begin(1); /* the gate passes at one run of the load, and the search asks for more */
    a.measured_status = 99;
    plan.search.goal = SEARCH_SLO;
    says("UNDECIDED", "the search was not finished");
    a.answer.search.over = true;
    says("UNDECIDED", "the search found no load that keeps every gate clear of chance");
    a.answer.search.found = true;
    says("UNDECIDED", "no confirming run showed clear of chance that the load which the search found keeps every gate");
}

static void test_every_status(void **state)
{
    (void)state;
    begin(0);
    says("DONE", "every stage was measured; the plan sets no gates");
    a.answer.bad = a.answer.failed = 36;
    a.answer.bad_of = 900;
    says("DONE", "every stage was measured; the plan sets no gates; 4 % of the requests failed");
    a.answer.unanswered = 30;
    says("DONE", "every stage was measured; the plan sets no gates; 4 % of the requests were not answered well");
    begin(2);
    says("PASS", "all gates are kept at load 64");
    verdict_add(&p[0].verdict, VERDICT_SUSPECT, "x");
    says("PASS", "all gates are kept at load 64; suspect: 1 of 9 points");
    a.answer.twice.apart.low = &p[3]; /* no stage alone is to blame */
    says("PASS", "all gates are kept at load 64; suspect: 1 of 9 points; look twice: runs of load 8 are apart");
    begin(2);
    struct run_event end[2] = {{.kind = RUN_EVENT_ERROR, .text = "the file was removed"},
                               {.kind = RUN_EVENT_AGENT_LOST}};
    run.events = end;
    run.n_events = 2;
    says("PASS", "all gates are kept at load 64; but the run ended with an error: the file was removed");
    end[1].kind = RUN_EVENT_AGENT_JOINED; /* the run was resumed after it */
    says("PASS", "all gates are kept at load 64");
    begin(2);
    a.measured_status = 99;
    a.answer.has_slo = false;
    for (int i = 0; i < 9; i++)
        o[2 * i + 1].result = GATE_FAIL;
    says("FAIL", "gate broken: errors.rate < 1%: it is 3.27 % at load 1");
    for (int i = 0; i < 9; i++)
        o[2 * i + 1].result = GATE_INCONCLUSIVE;
    says("UNDECIDED", "the sample is too small to decide errors.rate < 1%: it is 3.27 % at load 1");
    for (int i = 0; i < 9; i++)
        o[2 * i + 1].result = GATE_PASS, o[2 * i].result = GATE_INCONCLUSIVE, o[2 * i].value = NAN;
    says("UNDECIDED", "there is no sample to decide ttft.p99 < 800ms at load 1");
    for (int i = 0; i < 9; i++)
        o[2 * i].never = "answers come whole";
    says("UNDECIDED", "no sample can ever decide ttft.p99 < 800ms at load 1: answers come whole");
    for (int i = 0; i < 9; i++)
        o[2 * i + 1].result = GATE_INCONCLUSIVE; /* more samples would decide this one, and not the run */
    says("UNDECIDED", "no sample can ever decide ttft.p99 < 800ms at load 1: answers come whole");
    begin(1);
    a.measured_status = 99;
    for (int i = 0; i < 9; i++)
        o[i].result = GATE_INCONCLUSIVE, o[i].grows = true, o[i].value = 320;
    says("UNDECIDED", "the rate outran the server, which leaves undecided: ttft.p99 < 800ms: it is 320 ms at load 64");
    for (int i = 0; i < 9; i++)
        o[i].grows = false, o[i].gone = true;
    says("UNDECIDED", "the server was gone, which leaves undecided: ttft.p99 < 800ms: it is 320 ms at load 64");
    begin(1); /* the load at which a longer stage decides soonest */
    p[4].metric[METRIC_TTFT].count = 99;
    a.measured_status = 99;
    a.answer.has_slo = false;
    for (int i = 0; i < 9; i++)
        o[i].result = GATE_INCONCLUSIVE, o[i].value = 320, o[i].needs_s = i == 4 ? 18 : 300;
    says("UNDECIDED", "the sample is too small to decide ttft.p99 < 800ms: it is 320 ms at load 16");
    begin(1);
    a.measured_status = 3;
    verdict_add(&p[3].verdict, VERDICT_INVALID, "lag p99 is 4 ms");
    says("INVALID", "1 of 9 points cannot be trusted: lag p99 is 4 ms");
    verdict_add(&p[4].verdict, VERDICT_INVALID, "lag p99 is 5 ms");
    says("INVALID", "2 of 9 points cannot be trusted; at load 8: lag p99 is 4 ms"); /* one cause */
    verdict_add(&p[5].verdict, VERDICT_INVALID, "7 records dropped, must be 0");
    says("INVALID",
         "3 of 9 points cannot be trusted: loads 8, 16; at 8: lag p99 is 4 ms; 1 other reason stands with the points");
    verdict_add(&p[5].verdict, VERDICT_INVALID, "lag p99 is 6 ms");
    says("INVALID",
         "3 of 9 points cannot be trusted; at load 8: lag p99 is 4 ms; 1 other reason stands with the points");
    verdict_add(&p[5].verdict, VERDICT_INVALID, "5 arrivals came due in the window, the plan wanted 20");
    says("INVALID",
         "3 of 9 points cannot be trusted; at load 8: lag p99 is 4 ms; 2 other reasons stand with the points");
    begin(0);
    a.measured_status = 3;
    a.answer.bad = a.answer.bad_of = a.answer.failed = 9;
    verdict_add(&p[3].verdict, VERDICT_INVALID, "all failed: is it right?");
    says("INVALID", "1 of 9 points cannot be trusted: all failed: is it right? 100 % of the requests failed");
    begin(1);
    a.measured_status = 3;
    a.n_points = 0;
    struct run_event e = {.kind = RUN_EVENT_ERROR, .text = "nobody came"};
    run.events = &e;
    run.n_events = 1;
    says("INVALID", "no stage was finished: nobody came");
    memset(e.text, 'x', sizeof e.text - 1);
    struct headline h;
    headline_make(&a, &h);
    assert_string_equal(human_stop(h.why), ""); /* cut, and seen to be */
    begin(1);                                   /* what makes a point suspect is not why it is invalid */
    a.measured_status = 3;
    verdict_add(&p[3].verdict, VERDICT_SUSPECT, "Little's law is off");
    verdict_add(&p[3].verdict, VERDICT_INVALID, "7 records dropped, must be 0");
    says("INVALID", "1 of 9 points cannot be trusted: 7 records dropped, must be 0");
    begin(1);
    a.measured_status = 130;
    says("INVALID", "ended by Ctrl-C before the plan was done");
    a.measured_status = 4;
    struct run_agent lost = {.name = "pod-1", .lost = true};
    run.agents = &lost;
    run.n_agents = 1;
    says("INVALID", "agents were lost: pod-1");
    lost.lost = false; /* it is alive, and ended its part itself */
    struct run_event guard = {.kind = RUN_EVENT_AGENT_FAILED,
                              .text = "agent pod-1: 32 requests/s, at most 5 (--max-requests-per-s)"};
    run.events = &guard;
    run.n_events = 1;
    says("INVALID", "a part of a stage ended before its time: agent pod-1: 32 requests/s, at most 5 "
                    "(--max-requests-per-s)");
}

/* "62 % failed" does not stand beside a load at which none did. */
static void test_failed_at(void **state)
{
    (void)state;
    begin(2);
    for (int i = 0; i < 9; i++)
        p[i].ledger.ok = 100;
    p[7].ledger.failed[FAILURE_RESET] = p[8].ledger.failed[FAILURE_RESET] = 500;
    a.answer.bad = a.answer.failed = 1000;
    a.answer.bad_of = 1900;
    failed_at_compute(p, 9, FAILED_BAD, &a.answer.bad_at);
    says("PASS",
         "all gates are kept at load 64; no request failed there; 52.6 % of the whole run's requests failed, at "
         "loads 128, 256");
    p[6].ledger.failed[FAILURE_RESET] = 1;
    failed_at_compute(p, 9, FAILED_BAD, &a.answer.bad_at);
    says("PASS", "all gates are kept at load 64; 0.99 % of its requests failed; 52.6 % of the whole run's requests "
                 "failed, at loads 64, 128, 256");
    a.answer.unanswered = p[8].window_unanswered = p[8].window_cut = p[8].window_ok = 10;
    failed_at_compute(p, 9, FAILED_BAD, &a.answer.bad_at);
    says("PASS", "all gates are kept at load 64; all requests were answered well there; 52.6 % of the whole run's "
                 "requests were not answered well, at load 256");
    p[6].window_cut = p[6].window_ok = 300; /* younger than an answer there: cut off nonetheless */
    failed_at_compute(p, 9, FAILED_BAD, &a.answer.bad_at);
    says("PASS", "all gates are kept at load 64; 50 % of its requests were not answered well; 52.6 % of the whole "
                 "run's requests were not answered well, at loads 64, 256");
    p[6].window_cut = p[6].window_ok = p[8].window_cut = 0;
    a.answer.unanswered = p[8].window_unanswered = 0;
    a.measured_status = 99;
    for (int i = 0; i < 9; i++)
        o[2 * i + 1].result = GATE_FAIL;
    failed_at_compute(p, 9, FAILED_BAD, &a.answer.bad_at);
    says("FAIL",
         "gate broken: errors.rate < 1%: it is 3.27 % at load 64; 52.6 % of the whole run's requests failed, at "
         "loads 64, 128, 256");
}

static void test_one_cause_once(void **state)
{
    (void)state;
    struct reason_group g[8];
    char where[120];
    begin(0);
    for (int i = 1; i < 9; i++)
        verdict_add(&p[i].verdict, VERDICT_SUSPECT, "%d.%d %% of the events were read late", i, i * i);
    verdict_add(&p[8].verdict, VERDICT_INVALID, "the agents had no CPU for 12 s");
    verdict_add(&p[2].verdict, VERDICT_SUSPECT, "Little's law is off by 3 %%");
    size_t n = reasons_group(&a, VERDICT_SUSPECT, g, 8);
    assert_int_equal(n, 3);
    assert_int_equal(g[0].status, VERDICT_INVALID);
    assert_string_equal(g[0].text, "the agents had no CPU for 12 s");
    assert_int_equal(g[1].status, VERDICT_SUSPECT); /* the late reads of an invalid point are not why it is invalid */
    assert_int_equal(g[1].n, 8);
    assert_string_equal(g[1].text, "1.1 % of the events were read late");
    assert_false(g[0].aside || g[1].aside || g[2].aside);
    p[2].verdict.status = VERDICT_VALID; /* what is in doubt there is no figure that anyone goes by */
    (void)reasons_group(&a, VERDICT_SUSPECT, g, 8);
    assert_true(!g[1].aside && g[2].aside);
    p[2].verdict.status = VERDICT_SUSPECT;
    reasons_where(&a, &g[1], where, sizeof where);
    assert_string_equal(where, "8 of 9 stages, first load 2");
    reasons_where(&a, &g[2], where, sizeof where);
    assert_string_equal(where, "load 4");
    assert_true(reasons_same("12 of 30, 4.5 ms", "1 of 3, 0.004 ms"));
    assert_false(reasons_same("12 of 30 reads", "12 of 30 writes"));
    assert_false(reasons_same("late", "later"));
}

/* Which stages the plan asks for and the run has not. */
static void test_missing(void **state)
{
    (void)state;
    static struct plan_stage asked[12];
    struct run_event event = {.kind = RUN_EVENT_ERROR, .text = "the server is gone"};
    begin(0);
    for (uint32_t i = 0; i < 12; i++)
        asked[i] = (struct plan_stage){.kind = LOAD_CLOSED, .concurrency = 1u << i};
    plan.stages = asked;
    plan.n_stages = 10;
    a.measured_status = 3;
    says("INVALID", "stages that the plan asks for are missing: stage 10 (load 512)");
    run.ended_wall_ns = 0; /* as of a run that is reported while it is under way */
    says("INVALID",
         "stages that the plan asks for are missing: stage 10 (load 512); the run has not ended: it is under way, or "
         "its coordinator was killed");
    run.ended_wall_ns = 1;
    run.events = &event;
    run.n_events = 1;
    a.n_points = 7;
    says("INVALID", "stages that the plan asks for are missing: stage 8 (load 128), stage 9 (load 256), stage 10 (load "
                    "512): the server is gone");
    plan.n_stages = 12;
    says("INVALID", "stages that the plan asks for are missing: stage 8 (load 128), stage 9 (load 256), stage 10 (load "
                    "512) and 2 more: the server is gone");
    run.n_events = 0;
    plan.n_stages = 8;
    verdict_add(&p[6].verdict, VERDICT_INVALID, "the agents were late");
    says("INVALID", "1 of 7 points cannot be trusted: the agents were late; stages that the plan asks for are "
                    "missing: stage 8 (load 128)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_load), cmocka_unit_test(test_every_status),
                                       cmocka_unit_test(test_failed_at), cmocka_unit_test(test_one_cause_once),
                                       cmocka_unit_test(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
