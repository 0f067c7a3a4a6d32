#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "tests/unit/agent/recorder_world.h"

/* One sample of this value, or none (-1). */
static void must_hold(enum metric m, int64_t value)
{
    const struct hist *h = rec.snap->hist[m];
    if (h->count != (value < 0 ? 0 : 1)) fail_msg("%s: %llu samples", METRICS[m].name, (unsigned long long)h->count);
    if (value >= 0 && (h->min != value || h->max != value))
        fail_msg("%s: %lld, expected %lld", METRICS[m].name, (long long)h->min, (long long)value);
}

static void test_ok_request(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1100 * MS, 1102 * MS);
    s.t.free = 1101 * MS;
    s.t.dns_ns = 1 * MS;
    s.t.tcp_ns = 2 * MS;
    s.t.tls_ns = 4 * MS;
    s.asked_tokens = 9;
    s.prompt_tokens = 5;
    s.prompt_repeated = 4;
    feed(THOUGHT, 1150 * MS);
    feed(TOKEN, 1160 * MS);
    feed(TOKEN TOKEN, 1190 * MS);
    usage(7, 9, 3, 1195 * MS);
    feed(DONE, 1200 * MS);
    uint64_t bytes = s.bytes;
    end(END_COMPLETE, 200, 1201 * MS, COUNTER_OK);
    must_hold(METRIC_TTFT, 48 * MS);
    must_hold(METRIC_TTFT_DUE, 50 * MS);
    must_hold(METRIC_TTFC, 58 * MS);
    must_hold(METRIC_E2E, 88 * MS);
    must_hold(METRIC_E2E_DUE, 90 * MS);
    must_hold(METRIC_TPOT, 5 * MS);         /* 40 ms / 8 */
    must_hold(METRIC_TPOT_SUFFIX, 7142857); /* 50 ms to the end marker / 7: four events of 9 tokens hold 2 each */
    must_hold(METRIC_NORMALIZED, 9777778);
    must_hold(METRIC_TOKENS_PER_EVENT, 2250000);
    must_hold(METRIC_INPUT_TOKENS, 7000);
    must_hold(METRIC_OUTPUT_TOKENS, 9000);
    must_hold(METRIC_USER_SPEED, 200000000);
    must_hold(METRIC_DNS, 1 * MS);
    must_hold(METRIC_TCP, 2 * MS);
    must_hold(METRIC_TLS, 4 * MS);
    must_hold(METRIC_CONNECT, 7 * MS);
    must_hold(METRIC_LATENESS, 2 * MS);
    must_hold(METRIC_DISPATCH, 1 * MS);
    must_hold(METRIC_LAG, -1);
    must_hold(METRIC_FAIL_TIME, -1);
    assert_int_equal(snap->hist[METRIC_ITL]->count, 3);
    assert_int_equal(snap->hist[METRIC_ITL]->sum_lo, 40 * MS);
    assert_int_equal(snap->hist[METRIC_CHUNK_GAP]->count, 3);
    assert_int_equal(snap->hist[METRIC_CHUNK_GAP]->max, 30 * MS);
    static const struct {
        enum counter c;
        uint64_t n;
    } expect[] = {
        {COUNTER_DUE, 1},
        {COUNTER_SENT, 1},
        {COUNTER_OK, 1},
        {COUNTER_WIN_DUE, 1},
        {COUNTER_WIN_OK, 1},
        {COUNTER_WIN_GOOD, 1},
        {COUNTER_WIN_DONE, 1},
        {COUNTER_WIN_EVENTS, 4},
        {COUNTER_WIN_TOKENS_MICRO, 9000000},
        {COUNTER_WIN_INPUT_TOKENS, 7},
        {COUNTER_EVENTS, 4},
        {COUNTER_TOKENS, 9},
        {COUNTER_TOKENS_SEEN, 9},
        {COUNTER_CACHED_TOKENS, 3},
        {COUNTER_REPEATED_TOKENS, 4},
        {COUNTER_SENT_INPUT_TOKENS, 5},
        {COUNTER_USAGE_INPUT_TOKENS, 7},
        {COUNTER_USAGE_REQUESTS, 1},
        {COUNTER_FINISH_NONE, 1},
        {COUNTER_WIN_ASKED_OUT, 9},
        {COUNTER_WIN_ASKED_IN, 5},
    };
    uint64_t sum = 0, all = 0;
    for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
        if (counted(expect[i].c) != expect[i].n) fail_msg("%s", COUNTERS[expect[i].c].name);
        sum += expect[i].n;
    }
    assert_int_equal(counted(COUNTER_BYTES_IN), bytes);
    for (int c = 0; c < COUNTER_N; c++)
        all += counted((enum counter)c);
    assert_int_equal(all, sum + bytes); /* and no other */
    assert_int_equal(snap->series_due, 1);
    assert_int_equal(snap->series_done, 1);
    assert_int_equal(snap->series_failed, 0);
}

static void test_a_new_connection_is_no_fault_of_the_agent(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1100 * MS, 1140 * MS);
    s.t.handed = 1101 * MS;
    s.t.upload_ns = 8 * MS;
    feed(TOKEN, 1160 * MS);
    feed(DONE, 1200 * MS);
    end(END_COMPLETE, 200, 1201 * MS, COUNTER_OK);
    must_hold(METRIC_TTFT, 20 * MS);
    must_hold(METRIC_TTFT_DUE, 60 * MS);
    must_hold(METRIC_LATENESS, 40 * MS);
    must_hold(METRIC_DISPATCH, 1 * MS);
    assert_int_equal(counted(COUNTER_WIN_UPLOAD_NS), 8 * MS);
    assert_int_equal(counted(COUNTER_WIN_UNASKED_OUT), 1); /* it asks for no length */
}

/* A first sign at once, and the text after a long time. */
static void test_first_alone(void **state)
{
    (void)state;
    static const struct {
        int64_t first_ms, gap_ms;
        int events;
        uint64_t alone;
    } rows[] = {{800, 10, 20, 1}, {200, 10, 20, 1}, {180, 10, 20, 1}, {45, 10, 20, 0},
                {10, 10, 20, 0},  {800, 10, 7, 0},  {0, 0, 20, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        feed(TOKEN, 1010 * MS);
        for (int k = 1; k < rows[i].events; k++)
            feed(TOKEN, (1010 + rows[i].first_ms + (k - 1) * rows[i].gap_ms) * MS);
        feed(DONE, 2900 * MS);
        end(END_COMPLETE, 200, 2900 * MS, COUNTER_OK);
        if (counted(COUNTER_FIRST_ALONE) != rows[i].alone) fail_msg("row %zu", i);
    }
}

/* e2e = ttft + tpot × (n − 1), for all sorts of streams. */
static void test_identity(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    for (int i = 0; i < 500; i++) {
        fresh(NULL);
        int64_t at = 1000 * MS + (int64_t)rng_below(&r, 900 * (uint64_t)MS);
        begin(at, at);
        uint32_t events = 1 + (uint32_t)rng_below(&r, 50), n = events;
        for (uint32_t k = 0; k < events; k++) {
            at += (int64_t)rng_below(&r, 50 * (uint64_t)MS);
            feed(TOKEN, at);
        }
        if (i % 2) usage(3, n = events + (uint32_t)rng_below(&r, 20), 0, at);
        feed(DONE, at);
        end(END_COMPLETE, 200, at, COUNTER_OK);
        const struct hist *ttft = snap->hist[METRIC_TTFT], *tpot = snap->hist[METRIC_TPOT],
                          *e2e = snap->hist[METRIC_E2E];
        bool paced = n >= 2 && events >= 2;
        assert_int_equal(tpot->count, paced);
        int64_t sum = ttft->min + (paced ? tpot->min * (int64_t)(n - 1) : 0);
        int64_t off = e2e->min - sum;
        assert_true(2 * (off < 0 ? -off : off) <= (int64_t)(n - 1)); /* tpot is whole ns */
        assert_int_equal(snap->hist[METRIC_ITL]->sum_lo, e2e->min - ttft->min);
        assert_int_equal(snap->hist[METRIC_ITL]->count, events - 1);
    }
}

static void test_running_usage_splits_gaps(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":1}}\n\n", 1100 * MS);
    feed("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":5}}\n\n", 1140 * MS);
    feed(DONE, 1140 * MS);
    end(END_COMPLETE, 200, 1140 * MS, COUNTER_OK);
    must_hold(METRIC_CHUNK_GAP, 40 * MS);
    assert_int_equal(snap->hist[METRIC_ITL]->count, 4);
    assert_int_equal(snap->hist[METRIC_ITL]->min, 10 * MS);
    assert_int_equal(snap->hist[METRIC_ITL]->max, 10 * MS);
    must_hold(METRIC_TPOT, 10 * MS);
}

/* The time per token after the first event ends with the end marker, and running usage tells what that event held. */
static void test_suffix(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed("data: {\"choices\":[{\"delta\":{\"content\":\"a b c\"}}],\"usage\":{\"completion_tokens\":3}}\n\n",
         1100 * MS);
    feed("data: {\"choices\":[{\"delta\":{\"content\":\"d\"}}],\"usage\":{\"completion_tokens\":5}}\n\n", 1140 * MS);
    feed(DONE, 1150 * MS);
    end(END_COMPLETE, 200, 1160 * MS, COUNTER_OK);
    must_hold(METRIC_TPOT, 10 * MS);
    must_hold(METRIC_TPOT_SUFFIX, 25 * MS);
    /* without running usage and with a token in each event both count the same tokens */
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    for (int i = 0; i < 11; i++)
        feed(TOKEN, (1100 + 10 * i) * MS);
    usage(3, 11, 0, 1200 * MS);
    feed(DONE, 1210 * MS);
    end(END_COMPLETE, 200, 1210 * MS, COUNTER_OK);
    must_hold(METRIC_TPOT, 10 * MS);
    must_hold(METRIC_TPOT_SUFFIX, 11 * MS);
    /* all in one event: nothing is behind it */
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed(TOKEN, 1100 * MS);
    usage(3, 11, 0, 1200 * MS);
    feed(DONE, 1210 * MS);
    end(END_COMPLETE, 200, 1210 * MS, COUNTER_OK);
    must_hold(METRIC_TPOT_SUFFIX, -1);
}

/* Reasoning that usage counts and no event shows: throughput has it, the time per token has not. */
static void test_hidden_reasoning(void **state)
{
    (void)state;
    /* in the details, or, as SGLang, Moonshot and DeepSeek write it, beside the other numbers */
    static const char *const PLACES[] = {
        "\"prompt_tokens_details\":{\"cached_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":200}",
        "\"input_tokens_details\":{\"cached_tokens\":3},\"output_tokens_details\":{\"reasoning_tokens\":200}",
        "\"cached_tokens\":3,\"reasoning_tokens\":200", "\"prompt_cache_hit_tokens\":3,\"reasoning_tokens\":200"};
    for (size_t k = 0; k < sizeof PLACES / sizeof *PLACES; k++) {
        char text[300];
        fresh(NULL);
        begin(1000 * MS, 1000 * MS);
        s.asked_tokens = 256;
        for (int i = 0; i < 20; i++)
            feed(VISIBLE, (1400 + 20 * i) * MS);
        (void)snprintf(text, sizeof text,
                       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":220,%s}}\n\n",
                       PLACES[k]);
        feed(text, 1780 * MS);
        feed(DONE, 1780 * MS);
        end(END_COMPLETE, 200, 1780 * MS, COUNTER_OK);
        must_hold(METRIC_TPOT, 20 * MS);
        must_hold(METRIC_USER_SPEED, 50000000);
        must_hold(METRIC_OUTPUT_TOKENS, 220000);
        assert_int_equal(counted(COUNTER_TOKENS), 220);
        assert_int_equal(counted(COUNTER_TOKENS_SEEN), 20);
        assert_int_equal(counted(COUNTER_CACHED_TOKENS), 3);
        assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), 220000000);
        assert_int_equal(counted(COUNTER_USAGE_DOUBTED), 0);
    }
}

/* Reasoning that is streamed and that usage does not count: both have it. */
static void test_uncounted_reasoning(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    for (int i = 0; i < 120; i++)
        feed(i < 100 ? THOUGHT : VISIBLE, (1100 + i) * MS);
    usage(12, 20, 0, 1219 * MS);
    feed(DONE, 1219 * MS);
    end(END_COMPLETE, 200, 1219 * MS, COUNTER_OK);
    must_hold(METRIC_TPOT, 1 * MS);
    assert_int_equal(counted(COUNTER_TOKENS), 120);
    assert_int_equal(counted(COUNTER_TOKENS_SEEN), 120);
    /* little of it, and usage that counts every event: nothing is added */
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    for (int i = 0; i < 16; i++)
        feed(i < 1 ? THOUGHT : VISIBLE, (1100 + i) * MS);
    usage(12, 16, 0, 1115 * MS);
    feed(DONE, 1115 * MS);
    end(END_COMPLETE, 200, 1115 * MS, COUNTER_OK);
    assert_int_equal(counted(COUNTER_TOKENS), 16);
    /* an answer of reasoning alone is counted as usage says */
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed(THOUGHT THOUGHT THOUGHT, 1100 * MS);
    usage(12, 4, 0, 1200 * MS);
    feed(DONE, 1200 * MS);
    end(END_COMPLETE, 200, 1200 * MS, COUNTER_OK);
    assert_int_equal(counted(COUNTER_TOKENS), 4);
}

static void test_unknown_events(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed(VISIBLE "data: {\"hello\":1}\n\nthis is no line\ndata: null\n\ndata:\n\n: comment\nid: 3\nfoo: bar\n" DONE,
         1100 * MS);
    end(END_COMPLETE, 200, 1200 * MS, COUNTER_OK);
    assert_int_equal(counted(COUNTER_UNKNOWN_EVENTS), 2);
}

static void test_one_token(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    s.asked_tokens = 2;
    s.prompt_tokens = 11;
    feed(THOUGHT DONE, 1010 * MS);
    end(END_COMPLETE, 200, 1010 * MS, COUNTER_OK);
    must_hold(METRIC_TPOT, -1);
    must_hold(METRIC_USER_SPEED, -1);
    must_hold(METRIC_TTFC, -1); /* nothing visible */
    must_hold(METRIC_CONNECT, -1);
    must_hold(METRIC_NORMALIZED, 10 * MS);
    must_hold(METRIC_INPUT_TOKENS, 11000); /* as asked for */
    assert_int_equal(counted(COUNTER_SHORT_REQUESTS), 1);
    assert_int_equal(counted(COUNTER_USAGE_REQUESTS), 0);
    assert_int_equal(counted(COUNTER_WIN_GOOD), 1);
    /* all tokens in one read: no speed */
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed(TOKEN TOKEN DONE, 1010 * MS);
    end(END_COMPLETE, 200, 1010 * MS, COUNTER_OK);
    must_hold(METRIC_TPOT, -1);
    must_hold(METRIC_USER_SPEED, -1);
    assert_int_equal(counted(COUNTER_AT_ONCE), 1);
}

/* Due before the window, after it, and over its edges. */
static void test_window(void **state)
{
    (void)state;
    fresh(NULL);
    begin(990 * MS, 990 * MS);
    feed(TOKEN, 999 * MS);
    feed(TOKEN, 1000 * MS);
    feed(TOKEN TOKEN, 1999 * MS);
    feed(TOKEN, 2000 * MS);
    usage(4, 10, 0, 2000 * MS);
    feed(DONE, 2000 * MS);
    end(END_COMPLETE, 200, 2001 * MS, COUNTER_OK);
    for (int m = 0; m < METRIC_N; m++)
        must_hold((enum metric)m, -1);
    assert_int_equal(counted(COUNTER_OK), 1);
    assert_int_equal(counted(COUNTER_TOKENS), 10);
    assert_int_equal(counted(COUNTER_EVENTS), 5);
    assert_int_equal(counted(COUNTER_WIN_EVENTS), 3);
    assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), 6000000); /* 3 × 10 / 5 */
    assert_int_equal(counted(COUNTER_WIN_INPUT_TOKENS), 0);       /* the first token came before */
    assert_int_equal(counted(COUNTER_WIN_EARLIER_NS), 1000 * MS); /* it was in flight in all of the window */
    assert_int_equal(counted(COUNTER_WIN_DUE), 0);
    assert_int_equal(counted(COUNTER_WIN_OK), 0);
    assert_int_equal(counted(COUNTER_WIN_DONE), 0);
    /* due in the last moment, answered after the window: latencies yes, throughput no */
    fresh(NULL);
    begin(2000 * MS - 1, 2000 * MS - 1);
    feed(TOKEN TOKEN DONE, 2500 * MS);
    end(END_COMPLETE, 200, 2500 * MS, COUNTER_OK);
    must_hold(METRIC_TTFT, 500 * MS + 1);
    assert_int_equal(counted(COUNTER_WIN_EARLIER_NS), 0);
    assert_int_equal(counted(COUNTER_WIN_OK), 1);
    assert_int_equal(counted(COUNTER_WIN_EVENTS), 0);
    assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), 0);
    assert_int_equal(counted(COUNTER_WIN_DONE), 0);
    fresh(NULL);
    begin(2000 * MS, 2000 * MS);
    end(END_CONNECT, 0, 2001 * MS, COUNTER_FAILED_CONNECT);
    assert_int_equal(counted(COUNTER_WIN_DUE), 0);
    assert_int_equal(counted(COUNTER_WIN_FAILED), 0);
    must_hold(METRIC_FAIL_TIME, 1 * MS);
    fresh(NULL); /* over before the window began */
    begin(980 * MS, 980 * MS);
    end(END_RESET, 0, 990 * MS, COUNTER_FAILED_RESET);
    assert_int_equal(counted(COUNTER_WIN_EARLIER_NS), 0);
}

static void test_failed(void **state)
{
    (void)state;
    const int64_t slo[SLO_REQUEST_N] = {[SLO_TTFT] = INT64_MAX};
    fresh(slo);
    begin(1000 * MS, 1003 * MS);
    feed(TOKEN TOKEN, 1050 * MS);
    feed("data: {\"error\":{}}\n\n", 1060 * MS);
    end(END_COMPLETE, 200, 1063 * MS, COUNTER_FAILED_STREAM_ERROR);
    for (int m = 0; m < METRIC_N; m++)
        if (m != METRIC_FAIL_TIME && m != METRIC_FAIL_AGE && m != METRIC_FAIL_WAIT && m != METRIC_LATENESS &&
            m != METRIC_DISPATCH)
            must_hold((enum metric)m, -1);
    must_hold(METRIC_FAIL_TIME, 60 * MS);
    must_hold(METRIC_FAIL_AGE, 60 * MS);
    must_hold(METRIC_FAIL_WAIT, 47 * MS); /* its first token is known to have come */
    must_hold(METRIC_LATENESS, 3 * MS);
    assert_int_equal(counted(COUNTER_FAILED_STREAM_ERROR), 1);
    assert_int_equal(counted(COUNTER_WIN_FAILED), 1);
    assert_int_equal(counted(COUNTER_WIN_GOOD), 0);
    assert_int_equal(counted(COUNTER_FAILED_TOKENS), 2);
    assert_int_equal(counted(COUNTER_TOKENS), 0);
    assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), 2000000);
    assert_int_equal(snap->series_failed, 1);
}

/* How long a failed request is known to have waited. */
static void test_failed_late(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1003 * MS);
    end(END_TIMEOUT_FIRST_TOKEN, 0, 6003 * MS, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN);
    must_hold(METRIC_FAIL_AGE, 5000 * MS);
    must_hold(METRIC_FAIL_WAIT, 5000 * MS);
    fresh(NULL);
    begin(1000 * MS, 0); /* never sent: nobody could have had an answer since it was due */
    end(END_TIMEOUT_CONNECT, 0, 6000 * MS, COUNTER_FAILED_TIMEOUT_CONNECT);
    must_hold(METRIC_FAIL_AGE, 5000 * MS);
    must_hold(METRIC_FAIL_WAIT, 5000 * MS);
    must_hold(METRIC_FAIL_TIME, -1);
    fresh(NULL);
    begin(100 * MS, 100 * MS); /* became due before the window */
    end(END_TIMEOUT_FIRST_TOKEN, 0, 6000 * MS, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN);
    must_hold(METRIC_FAIL_AGE, -1);
    must_hold(METRIC_FAIL_TIME, 5900 * MS);
}

/* A request that the end of the drain cut off is known to be slower than its age. */
static void test_cut_off(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    end(END_ABORTED, 0, 61000 * MS, COUNTER_ABORTED);
    must_hold(METRIC_CUT_AGE, 60000 * MS);
    must_hold(METRIC_CUT_WAIT, 60000 * MS);
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed(TOKEN, 1100 * MS); /* its first token is known to have come */
    end(END_ABORTED, 200, 61000 * MS, COUNTER_ABORTED);
    must_hold(METRIC_CUT_TTFT, 100 * MS);
    must_hold(METRIC_CUT_AGE, 60000 * MS);
    must_hold(METRIC_CUT_WAIT, -1);
    fresh(NULL);
    begin(100 * MS, 100 * MS); /* became due before the window: its age at the window's end counts */
    end(END_ABORTED, 0, 61000 * MS, COUNTER_ABORTED);
    must_hold(METRIC_CUT_AGE, 1900 * MS);
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    end(END_CANCELLED, 0, 61000 * MS, COUNTER_CANCELLED); /* by the plan: so long it had waited too */
    must_hold(METRIC_CUT_AGE, 60000 * MS);
    must_hold(METRIC_CUT_WAIT, 60000 * MS);
    must_hold(METRIC_CANCEL_AGE, 60000 * MS);
    fresh(NULL);
    begin(1000 * MS, 0); /* waited for a slot, and was never sent: nobody has its answer either */
    end(END_ABORTED, 0, 5000 * MS, COUNTER_ABORTED);
    must_hold(METRIC_CUT_AGE, 4000 * MS);
    must_hold(METRIC_CUT_WAIT, 4000 * MS);
    must_hold(METRIC_CANCEL_AGE, -1);
    must_hold(METRIC_LATENESS, -1);
}

/* Of those due before the window: what came within it, what failed in it and who left in the end are no such. */
static void test_hung_since_before(void **state)
{
    (void)state;
    const struct {
        int64_t sent, token, at, hung;
        enum transport_end by;
        enum counter outcome;
    } CASES[] = {{500, 2000, 2500, 1, END_COMPLETE, COUNTER_OK}, /* answered in the drain */
                 {500, 1999, 2500, 0, END_COMPLETE, COUNTER_OK}, /* it may stream for longer */
                 {500, 0, 2500, 1, END_TIMEOUT_FIRST_TOKEN, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN},
                 {500, 0, 1900, 0, END_TIMEOUT_FIRST_TOKEN, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN},
                 {1100, 0, 2500, 0, END_ABORTED, COUNTER_ABORTED}, /* sent in the window */
                 {500, 0, 2500, 0, END_CANCELLED, COUNTER_CANCELLED}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        fresh(NULL);
        begin(500 * MS, CASES[i].sent * MS);
        if (CASES[i].token) feed(TOKEN, CASES[i].token * MS), feed(DONE, CASES[i].at * MS);
        end(CASES[i].by, 200, CASES[i].at * MS, CASES[i].outcome);
        if (counted(COUNTER_WIN_EARLIER_HUNG) != (uint64_t)CASES[i].hung) fail_msg("case %zu", i);
        must_hold(METRIC_CUT_AGE, CASES[i].hung ? 1500 * MS : -1);
        must_hold(METRIC_CUT_WAIT, CASES[i].hung ? 1500 * MS : -1);
    }
}

/* A user who goes away after a second: what he had waited for longer than a limit has missed it. */
static void test_cancelled(void **state)
{
    (void)state;
    static const struct {
        int64_t ttft, tpot, e2e, first; /* limits; when the first token came, 0: never */
        bool over;
    } CASES[] = {
        {0, 0, 0, 0, false},
        {300 * MS, 0, 0, 0, true}, /* waited for its first token for too long */
        {300 * MS, 0, 0, 100 * MS, false},
        {300 * MS, 0, 0, 400 * MS, true},
        {1000 * MS, 0, 1000 * MS, 0, false}, /* a limit itself is within */
        {2000 * MS, 0, 999 * MS, 100 * MS, true},
        {2000 * MS, 1 * MS, 2000 * MS, 100 * MS, false}, /* the rest may have been quick */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const int64_t slo[SLO_REQUEST_N] = {
            [SLO_TTFT] = CASES[i].ttft, [SLO_TPOT] = CASES[i].tpot, [SLO_E2E] = CASES[i].e2e};
        fresh(slo);
        begin(1000 * MS, 1000 * MS);
        if (CASES[i].first) feed(TOKEN, 1000 * MS + CASES[i].first);
        end(END_CANCELLED, CASES[i].first ? 200 : 0, 2000 * MS, COUNTER_CANCELLED);
        must_hold(METRIC_CANCEL_AGE, 1000 * MS);
        must_hold(METRIC_CUT_TTFT, CASES[i].first ? CASES[i].first : -1);
        must_hold(METRIC_CUT_WAIT, CASES[i].first ? -1 : 1000 * MS);
        assert_int_equal(counted(COUNTER_WIN_CANCELLED_EARLY), !CASES[i].first);
        if (counted(COUNTER_WIN_CANCELLED_OVER) != CASES[i].over) fail_msg("case %zu", i);
    }
}

/* Requests that do not say how many tokens they carried weigh what the worker's ok requests did. */
static void test_ratio(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    feed(TOKEN TOKEN TOKEN TOKEN, 1100 * MS);
    usage(1, 10, 0, 1100 * MS);
    feed(DONE, 1100 * MS);
    end(END_COMPLETE, 200, 1100 * MS, COUNTER_OK);
    begin(1200 * MS, 1200 * MS);
    feed(TOKEN TOKEN, 1300 * MS);
    end(END_ABORTED, 200, 1400 * MS, COUNTER_ABORTED);
    assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), 10000000 + 5000000);
    assert_int_equal(counted(COUNTER_WIN_CLOSED), 1);
    assert_int_equal(counted(COUNTER_FAILED_TOKENS), 2);
    must_hold(METRIC_FAIL_TIME, -1);
    /* unless it said so itself */
    begin(1200 * MS, 1200 * MS);
    feed("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":3}}\n\n", 1300 * MS);
    end(END_CANCELLED, 200, 1400 * MS, COUNTER_CANCELLED);
    assert_int_equal(counted(COUNTER_WIN_TOKENS_MICRO), 18000000);
    assert_int_equal(counted(COUNTER_WIN_CLOSED), 2);
    /* never sent */
    begin(1200 * MS, 0);
    end(END_ABORTED, 0, 1400 * MS, COUNTER_ABORTED);
    assert_int_equal(counted(COUNTER_DUE), 4);
    assert_int_equal(counted(COUNTER_SENT), 3);
    assert_int_equal(counted(COUNTER_ABORTED), 2);
    assert_int_equal(snap->hist[METRIC_LATENESS]->count, 3);
}

static bool good(int64_t ttft, int64_t tpot, int64_t e2e)
{
    const int64_t slo[SLO_REQUEST_N] = {[SLO_TTFT] = ttft, [SLO_TPOT] = tpot, [SLO_E2E] = e2e};
    fresh(slo);
    begin(1000 * MS, 1001 * MS);
    feed(TOKEN, 1101 * MS);
    feed(TOKEN, 1121 * MS);
    feed(TOKEN DONE, 1141 * MS);
    end(END_COMPLETE, 200, 1141 * MS, COUNTER_OK);
    assert_int_equal(counted(COUNTER_WIN_OK), 1);
    return counted(COUNTER_WIN_GOOD) == 1;
}

static void test_slo(void **state)
{
    (void)state;
    assert_true(good(0, 0, 0));
    assert_true(good(100 * MS, 20 * MS, 140 * MS)); /* a limit itself is within */
    assert_false(good(100 * MS - 1, 20 * MS, 140 * MS));
    assert_false(good(100 * MS, 20 * MS - 1, 140 * MS));
    assert_false(good(100 * MS, 20 * MS, 140 * MS - 1));
    assert_true(good(0, 20 * MS, 0));
    assert_false(good(0, 0, 1));
}

/* Every label has its counter, and the ledger balances. */
static void test_ledger(void **state)
{
    (void)state;
    fresh(NULL);
    static const struct {
        enum transport_end how;
        int status;
    } ends[] = {
        {END_COMPLETE, 200},      {END_DNS, 0},
        {END_CONNECT, 0},         {END_TLS, 0},
        {END_TIMEOUT_CONNECT, 0}, {END_TIMEOUT_FIRST_TOKEN, 200},
        {END_TIMEOUT_IDLE, 200},  {END_TIMEOUT_TOTAL, 200},
        {END_RESET, 200},         {END_CUT, 200},
        {END_MALFORMED, 0},       {END_CANCELLED, 200},
        {END_ABORTED, 200},       {END_REFUSED, 0},
        {END_COMPLETE, 404},      {END_COMPLETE, 429},
        {END_COMPLETE, 500},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        begin(1500 * MS, 1500 * MS);
        enum counter outcome = stream_outcome(&s, ends[i].how, ends[i].status);
        uint64_t before = counted(outcome);
        recorder_end(&rec, &s, outcome, 1600 * MS);
        stream_clear(&s);
        assert_int_equal(counted(outcome), before + 1);
        assert_int_equal(counted(COUNTER_DUE), counted(COUNTER_OK) + counters_failed(rec.snap->counters) +
                                                   counted(COUNTER_CANCELLED) + counted(COUNTER_ABORTED));
        assert_int_equal(counted(COUNTER_WIN_DUE),
                         counted(COUNTER_WIN_OK) + counted(COUNTER_WIN_FAILED) + counted(COUNTER_WIN_CLOSED));
    }
}

static void test_swap(void **state)
{
    (void)state;
    fresh(NULL);
    begin(1000 * MS, 1000 * MS);
    end(END_CONNECT, 0, 1001 * MS, COUNTER_FAILED_CONNECT);
    struct snapshot *second = snapshot_new(true);
    assert_non_null(second);
    assert_ptr_equal(recorder_swap(&rec, second), snap);
    begin(1000 * MS, 1000 * MS);
    end(END_CONNECT, 0, 1001 * MS, COUNTER_FAILED_CONNECT);
    assert_int_equal(snap->counters[COUNTER_FAILED_CONNECT], 1);
    assert_int_equal(second->counters[COUNTER_FAILED_CONNECT], 2); /* cumulative */
    assert_int_equal(snap->hist[METRIC_FAIL_TIME]->count, 1);
    assert_int_equal(second->hist[METRIC_FAIL_TIME]->count, 1); /* a delta */
    assert_int_equal(second->series_failed, 1);
    snapshot_destroy(&second);
}

/* A request that is of a workload and of a model is in one group of each kind, and the groups of a kind together are
 * the whole, count for count and bucket by bucket. One that has no place in the mix changes none of them. */
static void test_groups_are_the_whole(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 21);
    fresh(NULL);
    assert_int_equal(groups_reserve(&snap->groups, 3, 2), 0);
    for (int i = 0; i < 300; i++) {
        int64_t due = (500 + (int64_t)rng_below(&r, 1600)) * MS, at = due + (int64_t)rng_below(&r, 90) * MS;
        uint32_t events = (uint32_t)rng_below(&r, 6);
        begin(due, due);
        for (uint32_t k = 0; k < events; k++)
            feed(TOKEN, at += (int64_t)rng_below(&r, 200) * MS);
        if (rng_below(&r, 2)) usage(10 + events, 2 * events, events, at);
        recorder_of(&rec, (uint32_t)rng_below(&r, 3), (uint32_t)rng_below(&r, 2));
        if (rng_below(&r, 4) && events) {
            feed(DONE, at);
            end(END_COMPLETE, 200, at, COUNTER_OK);
        } else {
            end(END_TIMEOUT_TOTAL, 200, at, COUNTER_FAILED_TIMEOUT_TOTAL);
        }
    }
    for (int k = 0; k < GROUP_KIND_N; k++) {
        uint64_t sum[GROUP_COUNT_N] = {0};
        for (int m = 0; m < GROUP_METRIC_N; m++) {
            struct hist *together = hist_new();
            for (uint32_t i = 0; i < snap->groups.n; i++)
                if (snap->groups.row[i].kind == (enum group_kind)k)
                    assert_int_equal(hist_merge(together, snap->groups.row[i].hist[m]), 0);
            assert_true(together->count > 0);
            assert_true(hist_equal(together, snap->hist[GROUP_METRICS[m]]));
            hist_destroy(&together);
        }
        for (uint32_t i = 0; i < snap->groups.n; i++)
            for (int c = 0; c < GROUP_COUNT_N; c++)
                sum[c] += snap->groups.row[i].kind == (enum group_kind)k ? snap->groups.row[i].counters[c] : 0;
        for (int c = 0; c < GROUP_COUNT_N; c++)
            assert_int_equal(sum[c], snap->counters[GROUP_COUNTERS[c]]);
    }
    uint64_t failed = snap->groups.row[0].counters[GROUP_COUNT_WIN_FAILED];
    begin(1000 * MS, 0); /* never sent: nobody chose for it */
    end(END_ABORTED, 0, 1001 * MS, COUNTER_ABORTED);
    assert_int_equal(snap->groups.row[0].counters[GROUP_COUNT_WIN_FAILED], failed);
    assert_int_equal(snap->groups.row[0].counters[GROUP_COUNT_WIN_CLOSED], 0);
    groups_clear(&snap->groups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_connection_is_no_fault_of_the_agent),
        cmocka_unit_test(test_ok_request),
        cmocka_unit_test(test_first_alone),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_running_usage_splits_gaps),
        cmocka_unit_test(test_suffix),
        cmocka_unit_test(test_hidden_reasoning),
        cmocka_unit_test(test_uncounted_reasoning),
        cmocka_unit_test(test_unknown_events),
        cmocka_unit_test(test_one_token),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_failed_late),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_hung_since_before),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_slo),
        cmocka_unit_test(test_ledger),
        cmocka_unit_test(test_swap),
        cmocka_unit_test(test_groups_are_the_whole),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
