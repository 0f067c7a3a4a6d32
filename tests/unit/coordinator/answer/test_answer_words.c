#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/old_build.h"
#include "tests/unit/answer_world.h"

/* Users who went away are counted, and latencies are not of them. */
static void test_cancelled(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    w.plan.slo_request_ns[SLO_TTFT] = 1;
    for (uint32_t load = 1; load <= 4; load *= 2) {
        struct point *p = add(&w, load, 1);
        p->ledger.ok = p->window_ok = p->window_good = 600;
        p->window_due = 1000;
        p->window_cancelled = 400;
        p->cancelled_early = 300;
    }
    finish(&w, 1000);
    says(&w,
         "1,200 of 3,000 requests were cancelled by load.cancel, 900 of them before a first token; latencies are of "
         "those that ended before. ");
    silent(&w, "failed");
    silent(&w, "well");
    assert_true(w.a.has_goodput && w.a.goodput_attainment > 0.999); /* they had kept all limits until then */
    for (size_t i = 0; i < w.n; i++)
        w.p[i].cancelled_over = 50;
    finish(&w, 1000);
    assert_true(w.a.has_goodput && fabs(w.a.goodput_attainment - 600.0 / 650) < 1e-9);
    for (size_t i = 0; i < w.n; i++)
        w.p[i].cancelled_over = 300; /* 600 of 900: fewer than goodput asks for */
    finish(&w, 1000);
    assert_false(w.a.has_goodput);
    w.plan.target.whole = true;
    finish(&w, 1000);
    says(&w, "1,200 of 3,000 requests were cancelled by load.cancel; latencies");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].window_cancelled = 9; /* not worth telling */
    finish(&w, 1000);
    silent(&w, "cancelled");
}

/* What an earlier build did not count is unknown: it is named. */
static void test_earlier_build(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    for (uint32_t load = 1; load <= 4; load *= 2)
        add(&w, load, 1)->data = &data;
    finish(&w, 1000);
    silent(&w, "earlier build");
    data.uncounted[COUNTER_AT_ONCE] = true;
    finish(&w, 1000);
    says(&w, "An earlier build measured this, which did not count at_once: nothing is said of what these would show. ");
    data.uncounted[COUNTER_BLURRED_FIRST] = data.uncounted[COUNTER_FIRST_ALONE] = data.uncounted[COUNTER_OTHER_MODEL] =
        true;
    char words[OLD_BUILD_WORDS];
    assert_string_equal(
        old_build_words(w.p, w.n, words),
        "An earlier build measured this, which did not count other_model, at_once, first_alone and 1 more (first "
        "tokens are taken to be late as often as any): nothing is said of what these would show. ");
}

/* Failures are in the answer, with their share and label, and "valid" does not stand alone beside them. */
static void test_failures(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint32_t load = 1; load <= 4; load *= 2) {
        struct point *p = add(&w, load, 1);
        p->ledger.ok = 600;
        p->ledger.failed[COUNTER_FAILED_HTTP_4XX - COUNTER_FAILED_FIRST] = 390;
        p->ledger.failed[COUNTER_FAILED_RESET - COUNTER_FAILED_FIRST] = 10;
    }
    finish(&w, 1000); /* a server that was not ready yet when the load began */
    says(&w, "1,200 of 3,000 requests failed (40 %), none of those due after the warm-up, 1,170 of them by http_4xx: ");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].window_failed = 390;
    finish(&w, 1000);
    assert_true(w.a.requests == 3000 && w.a.failed == 1200 && w.a.failed_by == COUNTER_FAILED_HTTP_4XX);
    says(&w, "1,200 of 3,000 requests failed (40 %), 1,170 of them by http_4xx: status 4xx other than 429. ");
    says(&w, "Valid: the agents were never the limit, but 40 % of the requests were not "
             "answered "
             "well.");
    for (size_t i = 0; i < w.n; i++) {
        memset(w.p[i].ledger.failed, 0, sizeof w.p[i].ledger.failed);
        w.p[i].window_failed = 0;
        w.p[i].window_cut = w.p[i].window_unanswered = 150;
        w.p[i].window_ok = 500; /* of the stage's 600: the rest were due before the window */
        w.p[i].oldest_cut_s = 59.8;
    }
    finish(&w, 1000);
    says(&w, "450 of 1,950 requests due in the window got no answer (23.1 %): the drain's end cut them off, the oldest "
             "after 59.8 s. ");
    silent(&w, "failed");
    silent(&w, "errors.rate counts");
    says(&w, "but 23.1 % of the requests");
    w.p[0].window_unanswered = 50; /* 100 that might have ended well were cut off all the same */
    w.p[1].window_unanswered = 0, w.p[1].oldest_cut_s = 71.2;
    finish(&w, 1000);
    says(&w, "450 of 1,950 requests due in the window got no answer (23.1 %): the drain's end cut them off, the oldest "
             "after 71.2 s. errors.rate counts 200 of them: those older than the slowest answer of their stage. ");
    says(&w, "but 23.1 % of the requests");
    w.p[0].window_unanswered = w.p[1].window_unanswered = 150, w.p[1].oldest_cut_s = 59.8;
    w.p[1].window_hung = 140, w.p[1].slowest_s = 0.0812;
    finish(&w, 1000);
    says(&w, "cut them off, the oldest after 59.8 s, where no answer took longer than 0.0812 s. ");
    w.p[1].window_hung = 0;
    w.p[1].earlier_cut = 4, w.p[1].concurrency = 11.8;
    finish(&w, 1000);
    says(&w, "450 of 1,950 requests due in the window or before it got no answer (23.1 %): the end of the window or of "
             "the drain cut them off, the "
             "oldest after 59.8 s. Sent before the window began, and without an answer in all of it: 4 of 12 requests "
             "in flight. ");
    w.p[1].earlier_cut = 0;
    w.p[0].metric[METRIC_CUT_TTFT].count = 3; /* tokens had come of some */
    finish(&w, 1000);
    says(&w, "450 of 1,950 requests due in the window got no whole answer (23.1 %)");
    w.p[0].metric[METRIC_CUT_TTFT].count = 0;
    static struct stage_data data;
    memset(&data, 0, sizeof data);
    data.counters[COUNTER_DUE] = 1000, data.counters[COUNTER_SENT] = 800, data.counters[COUNTER_ABORTED] = 200;
    w.p[0].data = &data;
    finish(&w, 1000);
    says(&w, "got no answer (23.1 %): they waited for a free slot and were never sent, the oldest for 59.8 s. ");
    data.counters[COUNTER_ABORTED] = 210;
    finish(&w, 1000);
    says(&w,
         "got no answer (23.1 %): they were never sent, or the drain's end cut them off, the oldest after 59.8 s. ");
    w.p[0].data = NULL;
    for (size_t i = 0; i < w.n; i++) { /* 300 failed, most of them in the warm-up: shares are of the windows alone */
        w.p[i].ledger.failed[COUNTER_FAILED_RESET - COUNTER_FAILED_FIRST] = 100;
        w.p[i].window_failed = 50;
    }
    finish(&w, 1000);
    assert_true(w.a.requests == 2100 && w.a.window_requests == 2100 && w.a.bad == 600 && w.a.bad_of == 2100);
    says(&w, "300 of 2,100 requests failed (14.3 %)");
    says(&w, "450 of 2,100 requests due in the window got no answer (21.4 %)");
    says(&w, "but 28.6 % of the requests");
    silent(&w, "rested");
    data.counters[COUNTER_WIN_INFLIGHT_NS] = 6000000000;
    data.counters[COUNTER_WIN_REST_NS] = 2000000000;
    w.p[0].data = &data;
    finish(&w, 1000);
    says(&w, "After failures slots rested for 25 % of their time: fewer requests were in flight than asked for. ");
}

/* A reason that no table has may be a failure: it is told, not only counted. */
static void test_other_ends(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->data = &data;
    p->ledger.ok = data.counters[COUNTER_OK] = data.counters[COUNTER_FINISH_STOP] = 100;
    finish_capacity(&w, 1000);
    silent(&w, "finish reason");
    data.counters[COUNTER_FINISH_STOP] = 60;
    data.counters[COUNTER_FINISH_OTHER] = 40;
    finish_capacity(&w, 1000);
    says(&w, "40 of 100 answers ended with a finish reason that plateau does not know. ");
    memcpy(data.remarks.of[REMARK_OTHER_STATUS].text, "status 404, \"no\", and status 400, \"too long\"", 44);
    p->ledger.failed[FAILURE_HTTP_4XX] = 10;
    finish_capacity(&w, 1000);
    says(&w, "all by http_4xx: status 4xx other than 429. One label had two causes: status 404, \"no\", and status "
             "400, \"too long\". ");
    data.counters[COUNTER_STATUS_404] = 10;
    finish_capacity(&w, 1000);
    silent(&w, "By status");
    data.counters[COUNTER_STATUS_404] = 4;
    data.counters[COUNTER_STATUS_400] = 3;
    data.counters[COUNTER_STATUS_401] = data.counters[COUNTER_STATUS_402] = data.counters[COUNTER_STATUS_403] = 2;
    data.counters[COUNTER_STATUS_405] = data.counters[COUNTER_STATUS_OTHER_4XX] = 1;
    finish_capacity(&w, 1000);
    says(&w, "other than 429. By status: 4 × 404, 3 × 400, 2 × 401, 2 × 402, 2 × 403, 2 × others. One label");
    p->ledger.failed[FAILURE_HTTP_4XX] = 0;
    memcpy(data.remarks.of[REMARK_FINISH_OTHER].text, "moderated", 10);
    finish_capacity(&w, 1000);
    says(&w, "40 of 100 answers ended with a finish reason that plateau does not know: \"moderated\". ");
}

/* Tokens that nobody sees: times to the first token are good, and users have waited for nothing. */
static void test_unseen(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    static struct stage_data data;
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->data = &data;
    p->ledger.ok = data.counters[COUNTER_OK] = 80;
    data.counters[COUNTER_NO_TEXT] = 2;
    finish_capacity(&w, 1000);
    silent(&w, "visible");
    data.counters[COUNTER_NO_TEXT] = 60; /* streamed or not */
    finish_capacity(&w, 1000);
    says(&w, "60 of 80 answers had no visible text, only reasoning or tool calls. ");
    silent(&w, "cache");
    data.counters[COUNTER_FROM_CACHE] = 40;
    finish_capacity(&w, 1000);
    says(&w, "40 of 80 answers came from a cache before the server, as their headers say");
}

/* What a slot waits for after the last token costs throughput, and no latency shows it. */
static void test_after(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    struct point *p = add(&w, 4, 1);
    p->metric[METRIC_E2E].mean = 44;
    p->metric[METRIC_HELD].mean = 444;
    p->metric[METRIC_TAIL].mean = 400;
    p->metric[METRIC_E2E].count = p->metric[METRIC_HELD].count = p->metric[METRIC_TAIL].count = 50;
    finish_capacity(&w, 1000);
    says(
        &w,
        "After the last token a slot stays taken for 400 ms on average, 90.1 % of its time, until the response ends. ");
    p->metric[METRIC_HELD].mean = 55;
    finish_capacity(&w, 1000);
    says(&w,
         "After the last token a slot stays taken for 11 ms on average, 20 % of its time; the response stays open for "
         "400 ms. ");
    p->metric[METRIC_HELD].mean = 46; /* as usual: the end marker comes with the last token */
    finish_capacity(&w, 1000);
    silent(&w, "last token");
}

/* The server's own words about the first failure of the commonest label. */
static void test_failure_words(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    data.failures = (struct failure_samples){
        .n = 1, .row = {{.label = FAILURE_HTTP_5XX, .status = 503, .text = "the model is loading"}}};
    struct point *p = add(&w, 4, 1);
    p->ledger.ok = 10;
    p->ledger.failed[COUNTER_FAILED_HTTP_5XX - COUNTER_FAILED_FIRST] = p->window_failed = 90;
    p->data = &data;
    finish_capacity(&w, 1000);
    says(&w, "90 of 100 requests failed (90 %), all by http_5xx: ");
    says(&w, "The first: status 503, \"the model is loading\"");
    memset(data.failures.row[0].text, 'x', 300);
    finish_capacity(&w, 1000);
    says(&w, "xxx…\""); /* cut, and seen to be */
    data.failures.row[0] = (struct failure_sample){.label = FAILURE_HTTP_5XX, .status = 200};
    finish_capacity(&w, 1000);
    silent(&w, "The first"); /* a timeout after a good status: there is nothing to say */
}

/* A figure of a handful of requests says of how many it is. */
static void test_few(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    struct point *p = add(&w, 4, 900);
    finish_capacity(&w, 1000);
    silent(&w, "of only");
    p->window_ok = 1;
    finish_capacity(&w, 1000);
    says(&w, " at 4 concurrent requests, of only 1 request");
    p->window_ok = 9;
    finish(&w, 0); /* a load that keeps no limit: what was measured */
    says(&w, "At 4 concurrent requests: ");
    says(&w, "), of only 9 requests. ");
}

/* Answers without output tokens, as embeddings are, have a rate and a time. */
static void test_no_tokens(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint32_t load = 2; load <= 4; load *= 2) {
        struct point *p = add(&w, load, 1);
        p->output_tokens_per_s = 0, p->output_lo = p->output_hi = NAN;
        p->requests_per_s = 40 * load;
        p->ledger.ok = 1000;
        p->metric[METRIC_E2E].q[0] = 22, p->metric[METRIC_E2E].q[3] = 35;
    }
    finish_capacity(&w, 0);
    says(&w, "At 4 concurrent requests: 160 requests/s, e2e p50 22 ms and p99 35 ms.");
    silent(&w, "No figure is given");
    struct plan_workload load = {.weight = 1, .input_tokens = {.kind = DIST_FIXED, .a = 512}};
    w.plan.workloads = &load;
    w.plan.n_workloads = 1;
    w.p[0].metric[METRIC_INPUT_TOKENS] = w.p[1].metric[METRIC_INPUT_TOKENS] =
        (struct metric_stat){.count = 1000, .mean = 128};
    finish_capacity(&w, 0);
    says(&w, "Prompts had 128 tokens on average, 512 asked for."); /* the server reads the beginning only */
    w.plan.n_workloads = 0;
    w.p[0].metric[METRIC_E2E].q[3] = w.p[1].metric[METRIC_E2E].q[3] = NAN; /* too few for a p99 */
    finish_capacity(&w, 0);
    says(&w, "At 4 concurrent requests: 160 requests/s, e2e p50 22 ms.");
    verdict_add(&w.p[0].verdict, VERDICT_INVALID, "x");
    verdict_add(&w.p[1].verdict, VERDICT_INVALID, "x");
    finish_capacity(&w, 0);
    says(&w, "No figure is given");
}

/* Which way a point drifted that is left out for it. */
static void test_drift(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    struct point *p = add(&w, 4, 1);
    p->steady = STEADY_NO;
    p->drift = -2.0 / 3; /* of the mean: from 133 % of it to 67 % */
    finish_capacity(&w, 1000);
    says(&w, "No figure is given: the one point is not steady. At 4 concurrent requests output token/s fell by "
             "50 % over the window.");
    p->drift = 0.4;
    finish_capacity(&w, 1000);
    says(&w, "rose by 50 % over the window.");
    p->drift = 0.01; /* requests in flight grew, or the wait for a first token */
    finish_capacity(&w, 1000);
    silent(&w, "over the window");
    p->drift = 2.5;
    finish_capacity(&w, 1000);
    says(&w, "rose from next to nothing over the window.");
}

/* Conversations that end early leave out the turns with the longest prompts. */
static void test_broken(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    for (uint32_t n = 1; n <= 4; n *= 2)
        add(&w, n, 1)->data = &data;
    data.counters[COUNTER_SESSIONS_DONE] = 91;
    data.counters[COUNTER_SESSIONS_BROKEN] = 9;
    finish(&w, 1000);
    silent(&w, "broke off");
    data.counters[COUNTER_SESSIONS_DONE] = 90;
    data.counters[COUNTER_SESSIONS_BROKEN] = 10;
    finish_capacity(&w, 1000);
    says(&w, "30 of 300 conversations broke off before their last turn: the figures are without the turns that are "
             "missing. ");
}

/* What servers count and what came, one line each from its threshold on. */
static void test_counts(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->ledger.ok = 100;
    p->data = &data;
    p->metric[METRIC_TPOT].count = 100;
    data.counters[COUNTER_TOKENS] = 22000;
    data.counters[COUNTER_TOKENS_SEEN] = 20000;
    finish_capacity(&w, 1000);
    silent(&w, "Usage");
    silent(&w, "usage");
    silent(&w, "nothing that");
    data.counters[COUNTER_EVENTS] =
        30000; /* a tenth more of requests that were ok are not said, half as many again are */
    data.counters[COUNTER_FAILED_TOKENS] = 6000;
    finish_capacity(&w, 1000);
    silent(&w, "Usage");
    data.counters[COUNTER_EVENTS] = 39000;
    finish_capacity(&w, 1000);
    says(&w,
         "Usage counts 22,000 output tokens, though text came in 33,000 events: token/s and lengths follow usage. ");
    data.counters[COUNTER_EVENTS] = 5000; /* four tokens an event */
    data.counters[COUNTER_FAILED_TOKENS] = 0;
    finish_capacity(&w, 1000);
    says(&w,
         "Usage counts 20,000 output tokens, and text came in 5,000 events: token/s, lengths and TPOT follow usage. ");
    data.counters[COUNTER_UNKNOWN_EVENTS] = 40; /* or text that nobody has seen */
    finish_capacity(&w, 1000);
    says(&w, "TPOT follow usage; TPOT is too short, and TTFT may be too long, where the unknown events hold text. ");
    data.counters[COUNTER_EVENTS] = 0;
    data.counters[COUNTER_TOKENS_SEEN] = 2000;
    data.counters[COUNTER_USAGE_DOUBTED] = 1;
    data.counters[COUNTER_USAGE_DOUBTED_OUT] = UINT32_MAX;
    data.counters[COUNTER_UNKNOWN_EVENTS] = 40;
    finish_capacity(&w, 1000);
    says(&w,
         "Usage counts 22,000 output tokens, and 2,000 came in events: the others, such as hidden reasoning, are in "
         "token/s and in no gap between tokens. ");
    silent(&w, "The total of usage");
    data.counters[COUNTER_USAGE_BEYOND] = 4400;
    finish_capacity(&w, 1000);
    says(&w, "The total of usage has 4,400 tokens beyond its input and output tokens, such as hidden reasoning or a "
             "cached prompt: no figure holds them. ");
    says(&w, "The usage of 1 request cannot be right and was not taken: up to 4,294,967,295 output tokens for one "
             "answer, whose "
             "events are counted instead. ");
    verdict_add(&p->verdict, VERDICT_SUSPECT, "another reason"); /* does not say it */
    finish_capacity(&w, 1000);
    says(&w, "The usage of 1 request");
    verdict_add(&p->verdict, VERDICT_SUSPECT, "the server's usage cannot be right");
    finish_capacity(&w, 1000);
    silent(&w, "The usage of"); /* the verdict's reason says it */
    p->output_lo = -900;        /* an interval wider than its number, of a few answers */
    p->output_hi = 2 * p->output_tokens_per_s + 900;
    finish_capacity(&w, 1000);
    silent(&w, "-");
    says(&w, "(95 %: 0–");
    says(&w, "40 events are nothing that this API knows. ");
}

/* No usage, usage that is none, strange events and another model: with the server's own words. */
static void test_remarks(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->ledger.ok = 100;
    p->data = &data;
    data.counters[COUNTER_OK] = 100;
    data.counters[COUNTER_USAGE_NONE] = 1;
    finish_capacity(&w, 1000);
    silent(&w, "without usage");
    silent(&w, "answered by");
    silent(&w, "The first");
    data.counters[COUNTER_USAGE_NONE] = 2;
    data.counters[COUNTER_UNKNOWN_EVENTS] = 3;
    data.counters[COUNTER_USAGE_DOUBTED] = 10;
    data.counters[COUNTER_USAGE_DOUBTED_ZERO] = 3;
    data.counters[COUNTER_USAGE_DOUBTED_FELL] = 1;
    data.counters[COUNTER_USAGE_DOUBTED_UNREAD] = 6;
    memcpy(data.remarks.of[REMARK_UNKNOWN_EVENT].text, "{\"ret\":-1}", 11);
    memcpy(data.remarks.of[REMARK_USAGE_UNREAD].text, "{\"usage\":-1}", 13);
    memcpy(data.remarks.of[REMARK_OTHER_MODEL].text, "asked for m, answered by n", 27);
    finish_capacity(&w, 1000);
    says(&w, "2 of 100 answers came without usage: each of their events is counted as one token, though it may hold "
             "several. ");
    says(&w, "3 events are nothing that this API knows. The first: \"{\"ret\":-1}\". ");
    says(&w, "The usage of 10 requests cannot be right and was not taken: no output token where the answer had some (3 "
             "requests), fewer output tokens at the end than before (1 request), a number that is none (6 requests). "
             "The first usage that cannot be read: \"{\"usage\":-1}\". ");
    says(&w, "A model of another name answered: asked for m, answered by n. ");
    data.counters[COUNTER_OTHER_MODEL] = 31;
    finish_capacity(&w, 1000);
    says(&w, "A model of another name answered 31 of 100 requests: asked for m, answered by n. ");
    silent(&w, "input tokens");
    data.counters[COUNTER_INPUT_ASKED] = 100;
    finish_capacity(&w, 1000);
    says(&w, "The input tokens of 100 of 100 answers are those that the plan asks for: usage gives none, or 0. ");
    w.plan.target.whole = true;
    finish_capacity(&w, 1000);
    says(&w, "2 of 100 answers came without usage: how many tokens they have is not known, and no figure of tokens "
             "holds them. ");
}

/* How answers ended, and what lay together in one read: one line each from its threshold on. */
static void test_ends(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->ledger.ok = 100;
    p->data = &data;
    p->metric[METRIC_TPOT].count = 100;
    p->metric[METRIC_TPOT].q[0] = 10;
    data.counters[COUNTER_OK] = data.counters[COUNTER_FINISH_STOP] = 100;
    data.counters[COUNTER_EVENTS] = 1000;
    data.counters[COUNTER_GATHERED] = 90;
    data.counters[COUNTER_SHORT_BY_LENGTH] = data.counters[COUNTER_FINISH_FILTER] = 1;
    finish_capacity(&w, 1000);
    silent(&w, "end marker");
    silent(&w, "limit of tokens");
    silent(&w, "content filter");
    silent(&w, "one read");
    data.counters[COUNTER_GATHERED] = 900;
    data.counters[COUNTER_SHORT_BY_LENGTH] = 40;
    data.counters[COUNTER_FINISH_FILTER] = 3;
    data.counters[COUNTER_ENDED_BY_BODY] = 100;
    finish_capacity(&w, 1000);
    says(&w, "100 of 100 answers ended without the end marker of their API, with their body (target.end: auto). ");
    says(&w, "40 of 100 answers reached a limit of tokens before the one that was asked for: ");
    says(&w, "3 of 100 answers were ended by a content filter. ");
    says(&w, "90 % of the token events came in one read with the one before: a proxy buffers the stream, ");
    data.counters[COUNTER_AT_ONCE] = 10;
    finish_capacity(&w, 1000);
    silent(&w, "all at once");
    data.counters[COUNTER_AT_ONCE] = 99; /* said once, and not as a part of the events too */
    finish_capacity(&w, 1000);
    says(&w, "99 of 100 answers came all at once: a proxy buffers the stream, a cache answers, or the server sends "
             "whole answers. Their "
             "TTFT is the time of the whole answer, and they have no TPOT and no ITL. ");
    silent(&w, "one read");
    data.counters[COUNTER_AT_ONCE] = 0;
    silent(&w, "when an answer begins");
    data.counters[COUNTER_FIRST_ALONE] = 11;
    finish_capacity(&w, 1000);
    data.counters[COUNTER_FIRST_ALONE_TTFT_NS] = 11 * 6000000;
    data.counters[COUNTER_FIRST_ALONE_GAP_NS] = 11 * UINT64_C(394000000);
    finish_capacity(&w, 1000);
    says(&w, "In 11 of 100 answers the first token event came alone, after 6 ms on average, and the second after 400 "
             "ms: TTFT tells when an answer begins, and not when its text comes. ");
    p->metric[METRIC_TPOT].q[0] = 0.4; /* so fast that an agent finds several at each wake */
    finish_capacity(&w, 1000);
    silent(&w, "one read");
}

/* Latency is given where it means something: at the knee and at the limit, not at the top of a flat curve. */
static void test_latency_at(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].metric[METRIC_TTFT].q[0] = 50 + w.p[i].requested.concurrency;
        w.p[i].metric[METRIC_TTFT].q[3] = 2 * (50 + w.p[i].requested.concurrency);
    }
    finish(&w, 40);
    assert_true(fabs(w.a.at_knee.load - 64) < 1 && fabs(w.a.at_knee.ttft_p50 - 114) < 1e-9);
    assert_true(fabs(w.a.at_slo.load - 32) < 1 && fabs(w.a.at_slo.ttft_p99 - 164) < 1e-9);
}

/* duration: steady that came to its limit instead. */
static void test_no_steady_window(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 4, 1);
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].requested.steady_ns = 5 * (int64_t)1000000000;
        w.p[i].passes = (struct steady_pass){.any = true, .at = {.verdict = SUPER_PASS_STEADY}};
    }
    finish(&w, 1000);
    silent(&w, "steady window");
    w.p[1].passes.at.status = SUPER_PASS_TOO_SHORT;
    answered(&w, w.o, 2 * w.n);
    says(&w, "No steady window of 5 s was found in stage 2 (load 2): the figures are of all its measured time. ");
    w.p[2].passes.any = false;
    answered(&w, w.o, 2 * w.n);
    says(&w, "No steady window of 5 s was found in 2 stages, the first stage 2 (load 2): ");
}

/* A recording of which the stage's duration left a part out reads "x120" all the same. */
static void test_ended_by_time(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 4, 1);
    finish(&w, 1000);
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].requested.requests = 120;
        w.p[i].requested.duration_ns = 40 * (int64_t)1000000000;
        w.p[i].requested.warmup_ns = 10 * (int64_t)1000000000;
        w.p[i].ledger.due = i == 0 ? 120 : 16;
    }
    answered(&w, w.o, 2 * w.n);
    says(&w, "Stage 2 ended by its duration, after 16 of 120 requests, and so did 1 other stage. ");
    w.p[2].window_s = 12; /* something else ended it */
    answered(&w, w.o, 2 * w.n);
    says(&w, "Stage 2 ended by its duration, after 16 of 120 requests. ");
    w.p[1].requested.duration_ns = 0;
    answered(&w, w.o, 2 * w.n);
    silent(&w, "by its duration");
}

/* A gate on the answer itself: CI sees a regression of what the endpoint carries. */
static void test_capacity(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum gate_op op;
        double value;
        double slo_up_to;
        enum gate_result result;
    } CASES[] = {{">= 2000 token/s", OP_GE, 2000, 40, GATE_PASS},          /* 2,811 at 32 */
                 {">= 3000 token/s", OP_GE, 3000, 40, GATE_FAIL},          /* 64 fails the gates */
                 {">= 2810 token/s", OP_GE, 2810, 40, GATE_INCONCLUSIVE},  /* within the interval */
                 {">= 9000 token/s", OP_GE, 9000, 1e9, GATE_INCONCLUSIVE}, /* the highest load tried still passes */
                 {">= 1 token/s", OP_GE, 1, 0, GATE_FAIL}};                /* no load keeps the gates */
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        static struct world w;
        sweep(&w, 256, 1);
        w.plan.capacity = (struct plan_capacity){CASES[i].text, CASES[i].op, CASES[i].value, false};
        w.gates[0] = w.gates[1] = (struct plan_gate){0};
        finish_capacity(&w, CASES[i].slo_up_to);
        if (w.a.capacity != CASES[i].result) fail_msg("%s: %d, %s", CASES[i].text, (int)w.a.capacity, w.a.text);
        says(&w, CASES[i].text);
        assert_true(!w.a.capacity_open == (w.a.capacity != GATE_INCONCLUSIVE)); /* why not */
        if (CASES[i].value > 8999 && CASES[i].slo_up_to > 8999) says(&w, "; the highest load tried keeps the gates. ");
    }
    static struct world w; /* load 1 had too few samples for its gate: it carries 120, and changes nothing of 3,000 */
    for (size_t open = 0; open < 2; open++) {
        sweep(&w, 256, 1);
        w.plan.capacity = (struct plan_capacity){">= 3000 token/s", OP_GE, 3000, false};
        finish_capacity(&w, 40);
        w.o[open ? 2 * 7 : 0].result = GATE_INCONCLUSIVE;
        w.o[2 * 7 + 1].result = GATE_PASS;
        answered(&w, w.o, 2 * w.n);
        assert_int_equal(w.a.slo_undecided, 1);
        assert_int_equal(w.a.capacity, open ? GATE_INCONCLUSIVE : GATE_FAIL);
        if (open) says(&w, "; whether a load with more throughput keeps the gates is not decided. ");
    }
}

/* Records that are in no request: how many, which part, and where the first is. */
static void test_left_out(void **state)
{
    (void)state;
    static struct world w;
    struct plan_workload mix[2] = {{.weight = 1, .source = SOURCE_DATASET, .data = {.file = "x/chats.jsonl"}},
                                   {.weight = 1, .source = SOURCE_TRACE, .data = {.file = "day.csv"}}};
    memset(&w, 0, sizeof w);
    w.plan.workloads = mix;
    w.plan.n_workloads = 2;
    (void)add(&w, 4, 1);
    mix[0].data.found = (struct plan_found){.records = 1000};
    finish_capacity(&w, 1000);
    silent(&w, "left out");
    mix[0].data.found = (struct plan_found){990, 10, 0, 0, "line 7: it is not JSON"};
    finish_capacity(&w, 1000);
    says(&w, "10 of 1,000 records (1 %) of chats.jsonl are broken and left out, the first: line 7: it is not JSON. ");
    mix[0].data.found.empty = 1000;
    finish_capacity(&w, 1000);
    says(&w, "line 7: it is not JSON; 1,000 of 2,000 records (50 %) of chats.jsonl without an answer or a prompt left "
             "out. ");
    mix[1].data.found = (struct plan_found){.records = 99, .empty = 1, .outside = 900};
    finish_capacity(&w, 1000);
    says(&w, "left out; 1 workload more lost some too. ");
    mix[0].data.found = (struct plan_found){0};
    finish_capacity(&w, 1000);
    says(&w, "1 of 1,000 rows (0.1 %) of day.csv without an answer or a prompt left out. ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_other_ends),    cmocka_unit_test(test_unseen),
                                       cmocka_unit_test(test_failures),      cmocka_unit_test(test_cancelled),
                                       cmocka_unit_test(test_earlier_build), cmocka_unit_test(test_after),
                                       cmocka_unit_test(test_failure_words), cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_drift),         cmocka_unit_test(test_few),
                                       cmocka_unit_test(test_no_tokens),     cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_ends),          cmocka_unit_test(test_latency_at),
                                       cmocka_unit_test(test_capacity),      cmocka_unit_test(test_remarks),
                                       cmocka_unit_test(test_ended_by_time), cmocka_unit_test(test_no_steady_window),
                                       cmocka_unit_test(test_left_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
