#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/compare.h"
#include "tests/unit/simload.h"

#define S INT64_C(1000000000)
static const uint32_t LOADS[] = {4, 16, 48, 96};
#define N_LOADS (sizeof LOADS / sizeof *LOADS)
#define REPEATS_MOST 5

static int tries(void)
{
    return trials(100, 100, 3);
}

static const struct simload SERVER = {
    .server = {.slots = 64, .prefill_rate = 20000, .step_base = 10000000, .step_per_seq = 100000},
    .output_mean = 48,
    .prompt = 128,
    .noise = 0.01};

struct side {
    struct stage_data stage[N_LOADS * REPEATS_MOST];
    struct point point[N_LOADS * REPEATS_MOST];
    size_t n;
};

static void run(struct side *s, const struct simload *l, uint32_t repeats, uint64_t seed)
{
    struct plan plan = {
        .seed = seed, .verdict_lateness_ns = 1000000, .verdict_lag_ns = 1000000, .verdict_achieved = 0.02};
    s->n = 0;
    for (uint32_t r = 0; r < repeats; r++)
        for (size_t i = 0; i < N_LOADS; i++) {
            struct plan_stage stage = {
                .kind = LOAD_CLOSED, .concurrency = LOADS[i], .duration_ns = 20 * S, .warmup_ns = 4 * S};
            simload_run(l, &stage, rng_mix(seed, r, i, 7), &s->stage[s->n]);
            point_compute(&s->stage[s->n], &plan, &s->point[s->n]);
            s->n++;
        }
}

static void side_clear(struct side *s)
{
    for (size_t i = 0; i < s->n; i++)
        stage_data_clear(&s->stage[i]);
}

static int count[4];

static void pairs(const char *what, double slow, uint32_t repeats, uint64_t from, int n, int *ret_fails)
{
    static struct side a, b;
    struct simload other = SERVER;
    double covered = 0, change = 0;
    other.slow = slow;
    memset(count, 0, sizeof count);
    *ret_fails = 0;
    for (int i = 0; i < n; i++) {
        struct comparison c;
        run(&a, &SERVER, repeats, from + 2 * (uint64_t)i);
        run(&b, &other, repeats, from + 2 * (uint64_t)i + 1);
        assert_int_equal(compare_runs(a.point, a.n, b.point, b.n, (uint64_t)i, &c, NULL), 0);
        assert_true(c.n_loads >= 3 && c.repeated == (repeats > 1));
        count[c.say]++;
        *ret_fails += compare_fails(&c, 0.03);
        covered += c.overall[FIGURE_TPOT_P50].lo <= slow - 1 && slow - 1 <= c.overall[FIGURE_TPOT_P50].hi;
        change += c.overall[FIGURE_OUTPUT].rel / n;
        compare_clear(&c);
        side_clear(&a);
        side_clear(&b);
    }
    printf("%s: of %d pairs %d no difference, %d better, %d worse; %d fail worse:3%%; TPOT's interval covers the truth "
           "in %.0f; mean change of throughput %+.1f %%\n",
           what, n, count[0], count[1], count[2], *ret_fails, covered, 100 * change);
    assert_true(repeats < 2 || n < 40 || covered >= 0.88 * n);
}

static void test_same_system(void **state)
{
    (void)state;
    int fails;
    pairs("same system, 3 repeats", 1, 3, 1000, tries(), &fails);
    assert_true(count[COMPARE_SAME] >= tries() * 95 / 100);
    assert_int_equal(fails, 0);
    pairs("same system, 1 run", 1, 1, 1000, tries(), &fails);
    assert_true(count[COMPARE_SAME] >= tries() * 95 / 100);
}

/* Is it luck? Other seeds, only in full: 600 pairs of one system; at most 5 % of them may be called different. */
static void test_many_seeds(void **state)
{
    (void)state;
    int fails, same = 0, n = 0;
    if (!trials_full()) skip();
    for (uint64_t k = 1; k <= 6; k++, n += 100) {
        pairs("same system, 3 repeats, other seeds", 1, 3, 100000 * k, 100, &fails);
        same += count[COMPARE_SAME];
        assert_int_equal(fails, 0);
    }
    printf("same system, 3 repeats: %d of %d pairs called different\n", n - same, n);
    assert_true(n - same <= n * 5 / 100);
}

static void test_slowdown(void **state)
{
    (void)state;
    int fails;
    pairs("5 % slower, 3 repeats", 1.05, 3, 1000, tries(), &fails);
    assert_true(count[COMPARE_WORSE] >= tries() * 95 / 100);
    assert_true(fails >= tries() * 95 / 100);
    pairs("5 % faster, 3 repeats", 1 / 1.05, 3, 1000, tries() / 2, &fails);
    assert_true(count[COMPARE_BETTER] >= tries() / 2 * 94 / 100);
    assert_int_equal(fails, 0);
}

static struct point scripted(uint32_t concurrency, double rate, double ttft)
{
    struct point p = {.requested = {.kind = LOAD_CLOSED, .concurrency = concurrency},
                      .concurrency = concurrency,
                      .output_tokens_per_s = rate,
                      .output_lo = rate * 0.99,
                      .output_hi = rate * 1.01,
                      .requests_per_s = rate / 100,
                      .goodput_per_s = rate / 100,
                      .window_ok = 1000};
    for (int m = 0; m < METRIC_N; m++)
        stat_compute(NULL, (enum metric)m, &p.metric[m]);
    struct metric_stat *s = &p.metric[METRIC_TTFT];
    s->q[0] = ttft;
    s->q_lo[0] = ttft * 0.98;
    s->q_hi[0] = ttft * 1.02;
    return p;
}

static void tokens_hide(struct side *s)
{
    for (size_t i = 0; i < s->n; i++)
        s->point[i].output_tokens_per_s = 0, s->point[i].output_lo = s->point[i].output_hi = NAN;
}

/* Answers without output tokens, as embeddings are, are compared by their time. */
static void test_tokenless(void **state)
{
    (void)state;
    static struct side a, b;
    struct simload slow = SERVER;
    struct comparison c;
    struct err e;
    slow.slow = 1.3;
    run(&a, &SERVER, 1, 1);
    run(&b, &slow, 1, 2);
    tokens_hide(&a);
    tokens_hide(&b);
    assert_int_equal(compare_runs(a.point, a.n, b.point, b.n, 1, &c, &e), 0);
    assert_int_equal(c.n_loads, N_LOADS);
    assert_int_equal(c.left_out_a + c.left_out_b, 0);
    assert_int_equal(c.overall[FIGURE_OUTPUT].say, COMPARE_UNKNOWN);
    assert_int_equal(c.overall[FIGURE_E2E_P50].say, COMPARE_WORSE);
    assert_int_equal(c.overall[FIGURE_REQUESTS].say, COMPARE_WORSE);
    assert_int_equal(c.say, COMPARE_WORSE);
    compare_clear(&c);
    side_clear(&a);
    side_clear(&b);
}

/* Three repeats that agree to a part in ten thousand make a change of 0.3 % stand out of their noise; the machine's
 * next hour may differ by more. */
static void test_small_change(void **state)
{
    (void)state;
    static const struct {
        double ttft;
        enum compare_say say;
    } CASES[] = {{100.3e6, COMPARE_SAME}, {99.7e6, COMPARE_SAME}, {103e6, COMPARE_WORSE}, {97e6, COMPARE_BETTER}};
    for (size_t k = 0; k < sizeof CASES / sizeof *CASES; k++) {
        struct point a[6], b[6];
        struct comparison c;
        for (uint32_t i = 0; i < 6; i++) {
            a[i] = scripted(i < 3 ? 4 : 8, 1000, 100e6 * (1 + 1e-4 * (i % 3)));
            b[i] = scripted(i < 3 ? 4 : 8, 1000, CASES[k].ttft * (1 + 1e-4 * (i % 3)));
        }
        assert_int_equal(compare_runs(a, 6, b, 6, 1, &c, NULL), 0);
        assert_true(c.overall[FIGURE_TTFT_P50].lo > 0 || c.overall[FIGURE_TTFT_P50].hi < 0);
        assert_int_equal(c.overall[FIGURE_TTFT_P50].say, CASES[k].say);
        assert_int_equal(c.say, CASES[k].say);
        compare_clear(&c);
    }
}

/* The verdict goes by medians. A tail that is far worse is told beside it. */
static void test_tail(void **state)
{
    (void)state;
    for (int worse = 0; worse < 2; worse++) {
        struct point a[2] = {scripted(4, 500, 100), scripted(8, 900, 110)}, b[2] = {a[0], a[1]};
        struct comparison c;
        char words[COMPARE_BESIDE_WORDS];
        for (int i = 0; i < 2; i++)
            for (int s = 0; s < 2; s++) {
                struct metric_stat *t = &(s ? b : a)[i].metric[METRIC_TTFT];
                t->q[3] = s ? (worse ? 900 : 315) : 300;
                t->q_lo[3] = t->q[3] * 0.95, t->q_hi[3] = t->q[3] * 1.05;
            }
        assert_int_equal(compare_runs(a, 2, b, 2, 1, &c, NULL), 0);
        assert_int_equal(c.say, COMPARE_SAME);
        assert_string_equal(compare_beside_words(&c, words), worse ? "ttft.p99 +200 %" : "");
        compare_no_verdict(&c);
        assert_string_equal(compare_beside_words(&c, words), "");
        compare_clear(&c);
    }
}

/* A rate that one run kept up with, and the other did not: its latencies are of the stage's length, and what it gives
 * is less. */
static void test_overrun(void **state)
{
    (void)state;
    static const struct {
        double a, b;
        bool over_a, over_b;
        enum compare_say say;
    } CASES[] = {{2000, 1400, false, true, COMPARE_WORSE}, {1400, 2000, true, false, COMPARE_BETTER},
                 {2000, 1400, true, true, COMPARE_WORSE},  {1400, 2000, true, true, COMPARE_BETTER},
                 {2000, 1980, false, true, COMPARE_SAME},  /* chance */
                 {2000, 2200, false, true, COMPARE_SAME},  /* more arrivals, of which it gave as much */
                 {2000, 1400, true, false, COMPARE_SAME}}; /* fewer arrivals, all of them answered */
    for (size_t k = 0; k < sizeof CASES / sizeof *CASES; k++) {
        struct point a[2], b[2];
        struct comparison c;
        char words[COMPARE_OVERRUN_WORDS];
        for (int i = 0; i < 2; i++) {
            a[i] = scripted(4, i ? CASES[k].a : 500, 100), b[i] = scripted(4, i ? CASES[k].b : 500, 100);
            for (int s = 0; s < 2; s++) {
                struct point *p = s ? &b[i] : &a[i];
                p->requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 5 + 15 * i, .rate_to = 5 + 15 * i};
                p->overrun = i && (s ? CASES[k].over_b : CASES[k].over_a);
                p->steady = p->overrun ? STEADY_NO : STEADY_YES;
            }
        }
        assert_int_equal(compare_runs(a, 2, b, 2, 1, &c, NULL), 0);
        assert_int_equal(c.n_loads, 1);
        assert_int_equal(c.missing, 1);
        if (c.say != CASES[k].say) fail_msg("%zu: %s", k, compare_say_name(c.say));
        assert_int_equal(compare_fails(&c, 0.1), CASES[k].say == COMPARE_WORSE);
        compare_overrun_words(&c.overrun, "A", "B", words);
        if (k == 0) assert_string_equal(words, "output token/s -30 % at load 20/s, which B did not keep up with");
        if (CASES[k].say == COMPARE_SAME) assert_string_equal(words, "");
        compare_no_verdict(&c);
        assert_string_equal(compare_overrun_words(&c.overrun, "A", "B", words), "");
        compare_clear(&c);
    }
}

/* Of an open loop that came due so often. */
static struct point open_point(enum arrivals_kind arrivals, uint64_t due, double window_s)
{
    double rate = (double)due / window_s;
    struct point p = scripted(0, 8 * rate, 20e6);
    p.requested =
        (struct plan_stage){.kind = LOAD_OPEN, .arrivals = arrivals, .burstiness = 0.5, .rate_from = 10, .rate_to = 10};
    p.output_lo = p.output_hi = NAN; /* of a short window */
    p.window_s = window_s;
    p.window_due = p.window_ok = p.window_done = p.window_good = due;
    p.requests_per_s = p.goodput_per_s = p.arrivals_per_s = rate;
    p.concurrency = 1;
    return p;
}

/* A rate that the server kept up with is that of its arrivals, and another seed has others. */
static void test_arrivals(void **state)
{
    (void)state;
    static const enum figure RATES[] = {FIGURE_OUTPUT, FIGURE_REQUESTS, FIGURE_GOODPUT};
    struct comparison c;
    for (int kind = ARRIVALS_POISSON; kind <= ARRIVALS_GAMMA; kind++) {
        struct point a = open_point((enum arrivals_kind)kind, 50, 5), b = open_point((enum arrivals_kind)kind, 41, 5);
        assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
        for (int f = 0; f < 3; f++)
            assert_int_equal(c.overall[RATES[f]].say, COMPARE_SAME);
        double sd = sqrt((1 / 50.0 + 1 / 41.0) / (kind == ARRIVALS_POISSON ? 1 : 0.5)), z = 1.96;
        assert_true(c.overall[FIGURE_OUTPUT].lo < expm1(log(41.0 / 50) - 0.9 * z * sd));
        assert_true(c.overall[FIGURE_OUTPUT].hi > expm1(log(41.0 / 50) + 0.9 * z * sd));
        assert_true(c.say == COMPARE_SAME && !compare_fails(&c, 0.03) && c.fed);
        compare_clear(&c);
        b = open_point((enum arrivals_kind)kind, 10, 5); /* however far apart: it answered all that came */
        assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
        assert_true(c.say == COMPARE_SAME && !compare_fails(&c, 0.03));
        assert_int_equal(c.loads[0].change[FIGURE_OUTPUT].say, COMPARE_SAME);
        compare_clear(&c);
    }
    struct point a = open_point(ARRIVALS_POISSON, 5000, 500), b = a;
    b.output_tokens_per_s = 60; /* of 80: it did not keep up */
    b.requests_per_s = 7.5;
    b.window_done = 3750;
    b.outrun = true;
    assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
    assert_true(c.say == COMPARE_WORSE && compare_fails(&c, 0.03) && !c.fed);
    compare_clear(&c);
    struct point two_a[2] = {a, scripted(4, 1000, 20e6)}, two_b[2] = {a, scripted(4, 700, 20e6)};
    two_b[0].output_tokens_per_s *= 1.02; /* the load that tells decides */
    assert_int_equal(compare_runs(two_a, 2, two_b, 2, 1, &c, NULL), 0);
    assert_true(c.overall[FIGURE_OUTPUT].say == COMPARE_WORSE && fabs(c.overall[FIGURE_OUTPUT].rel + 0.3) < 1e-9);
    assert_true(c.say == COMPARE_WORSE && !c.fed);
    compare_clear(&c);
    a = open_point(ARRIVALS_CONSTANT, 5000, 500); /* these are no chance: a part of an answer at each end */
    b = a;
    b.output_tokens_per_s = 60;
    assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
    assert_int_equal(c.say, COMPARE_WORSE);
    compare_clear(&c);
}

/* A window of few answers ends in the middle of some; and few answers show no median's spread. */
static void test_few(void **state)
{
    (void)state;
    struct comparison c;
    struct point a = scripted(1, 100, 20e6), b = scripted(1, 80, 20e6);
    a.output_lo = a.output_hi = b.output_lo = b.output_hi = NAN;
    a.window_done = a.window_ok = 5, b.window_done = b.window_ok = 4;
    assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
    assert_int_equal(c.overall[FIGURE_OUTPUT].say, COMPARE_SAME);
    assert_int_equal(c.overall[FIGURE_TTFT_P50].say, COMPARE_SAME);
    compare_clear(&c);
    a = scripted(64, 1000, 20e6), b = scripted(64, 900, 20e6); /* of many slots each */
    a.window_done = b.window_done = 128;
    assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
    assert_int_equal(c.overall[FIGURE_OUTPUT].say, COMPARE_SAME);
    a.window_done = b.window_done = 6400;
    compare_clear(&c);
    assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
    assert_int_equal(c.overall[FIGURE_OUTPUT].say, COMPARE_WORSE);
    compare_clear(&c);
    a = scripted(1, 100, 20e6), b = scripted(1, 100, 40e6);
    struct metric_stat *s = &b.metric[METRIC_TTFT];
    s->q_lo[0] = s->q_hi[0] = NAN; /* twice as long, of three answers */
    assert_int_equal(compare_runs(&a, 1, &b, 1, 1, &c, NULL), 0);
    const struct change *t = &c.loads[0].change[FIGURE_TTFT_P50];
    assert_true(t->say == COMPARE_UNKNOWN && fabs(t->rel - 1) < 1e-9 && isnan(t->lo) && isnan(t->hi));
    assert_int_equal(c.overall[FIGURE_TTFT_P50].say, COMPARE_UNKNOWN);
    assert_int_equal(c.say, COMPARE_SAME);
    compare_clear(&c);
}

static void test_matching(void **state)
{
    (void)state;
    struct point a[4] = {scripted(1, 100, 50), scripted(2, 190, 52), scripted(4, 350, 55), scripted(8, 600, 60)};
    struct point b[4] = {scripted(4, 350, 55), scripted(1, 100, 50), scripted(16, 900, 90), scripted(8, 600, 60)};
    struct comparison c;
    b[3].verdict.status = VERDICT_INVALID;
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_int_equal(c.n_loads, 2);
    assert_int_equal(c.loads[0].requested.concurrency, 1);
    assert_int_equal(c.loads[1].requested.concurrency, 4);
    assert_int_equal(c.only_a, 2); /* 2, and 8 whose other half is invalid */
    assert_int_equal(c.only_b, 1);
    assert_int_equal(c.left_out_b, 1);
    assert_int_equal(c.say, COMPARE_SAME);
    assert_true(fabs(c.overall[FIGURE_OUTPUT].rel) < 1e-9);
    assert_int_equal(c.overall[FIGURE_TPOT_P50].say, COMPARE_UNKNOWN);
    assert_true(isnan(c.overall[FIGURE_TPOT_P50].rel));
    compare_clear(&c);
    for (int i = 0; i < 4; i++) /* of those that are compared: what differs may be what the doubt is about */
        verdict_add(&a[i].verdict, VERDICT_SUSPECT, "lag %d", i);
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_true(c.doubts_a.n == 2 && c.doubts_b.n == 0 && !c.doubts_b.first);
    assert_string_equal(c.doubts_a.first, "lag 0");
    compare_clear(&c);
    char words[COMPARE_FAILURES_WORDS];
    uint64_t *by = b[0].ledger.failed;
    b[0].window_failed = 1; /* far below what is called a rise, and in words all the same */
    by[FAILURE_HTTP_429] = 1;
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_false(c.errors_rose);
    assert_true(c.failures_a.ended > 0 && c.failures_a.failed == 0);
    assert_string_equal(compare_failures_words(&(struct compare_failures){1, 200, "http_429"}, words),
                        "1 of 200 requests (0.5 %), most by http_429");
    assert_string_equal(compare_failures_words(&(struct compare_failures){0, 200, NULL}, words), "0 of 200 requests");
    assert_int_equal(c.failures_b.failed, 1);
    assert_string_equal(c.failures_b.by, "http_429");
    b[0].window_unanswered = 2;
    compare_clear(&c);
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_string_equal(c.failures_b.by, "no answer");
    b[0].window_unanswered = 0;
    compare_clear(&c);
    for (int i = 0; i < 4; i++)
        b[i].window_failed = 50; /* errors count whatever the latencies say */
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_true(c.errors_rose && compare_fails(&c, 0.5));
    assert_int_equal(c.say, COMPARE_WORSE);
    compare_clear(&c);
    b[0].window_failed = b[1].window_failed = b[3].window_failed = 0;
    b[2].window_failed = 500; /* at a load that the first run did not try */
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_false(c.errors_rose || compare_fails(&c, 0));
    assert_int_equal(c.say, COMPARE_SAME);
    assert_int_equal(c.failures_b.failed, 0);
    compare_clear(&c);
    b[3].window_failed = 100; /* a point that is left out since all of it failed was tried in both */
    assert_int_equal(compare_runs(a, 4, b, 4, 1, &c, NULL), 0);
    assert_int_equal(c.say, COMPARE_WORSE);
    compare_clear(&c);
    assert_int_equal(compare_runs(a, 1, b + 2, 1, 1, &c, NULL), 0);
    assert_int_equal(c.say, COMPARE_UNKNOWN); /* no load in common */
    assert_false(compare_fails(&c, 0));
    compare_clear(&c);
}

/* Another model, another API, answers of another length: numbers side by side, and no verdict. */
static void test_question(void **state)
{
    (void)state;
    static const char *const PLAN = "plan: 1\ntarget: {url: http://127.0.0.1:1, model: m}\n"
                                    "load: {concurrency: [1, 2], duration: 30s}\n";
    static const char *const OTHER[] = {"target.model=n",
                                        "target.api=openai-completions",
                                        "workload.synthetic.shared_prefix.tokens=64",
                                        "target.stream=false",
                                        "load.cancel={fraction: 10%, after: 1s}",
                                        "workload={dataset: {file: a.jsonl, format: sharegpt}}"};
    static const char *const SAYS[] = {"the model was m, now n",
                                       "the API was openai-chat, now openai-completions",
                                       "prompts shared a prefix in the other only",
                                       "answers were streamed in the first only",
                                       "users waited, or went away (load.cancel), in another way",
                                       "prompts came from another source"};
    struct point p[2] = {scripted(1, 100, 50), scripted(2, 190, 52)}, q[2] = {p[0], p[1]};
    struct err e = {0};
    struct comparison c;
    struct plan *a = plan_load("a", PLAN, strlen(PLAN), NULL, 0, &e);
    if (!a) fail_msg("%s", e.text);
    for (int i = 0; i < 2; i++)
        p[i].metric[METRIC_OUTPUT_TOKENS] = q[i].metric[METRIC_OUTPUT_TOKENS] =
            (struct metric_stat){.count = 100, .mean = 128};
    for (size_t k = 0; k < sizeof OTHER / sizeof *OTHER; k++) {
        struct plan *b = plan_load("b", PLAN, strlen(PLAN), &OTHER[k], 1, &e);
        if (!b) fail_msg("%s", e.text);
        assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
        compare_question(&(struct compare_asked){NULL, a, p, 2}, &(struct compare_asked){NULL, b, q, 2}, &c);
        if (!strstr(c.question, SAYS[k])) fail_msg("%s", c.question);
        assert_int_equal(c.say, COMPARE_UNKNOWN);
        compare_clear(&c);
        plan_destroy(&b);
    }
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_question(&(struct compare_asked){NULL, a, p, 2}, &(struct compare_asked){NULL, a, q, 2}, &c);
    assert_string_equal(c.question, "");
    assert_int_equal(c.say, COMPARE_SAME);
    compare_clear(&c);
    static const char *const READ = "workload={trace: {file: a.jsonl, format: mooncake}}";
    static const char HASH[] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    struct plan *x = plan_load("a", PLAN, strlen(PLAN), &READ, 1, &e),
                *y = plan_load("a", PLAN, strlen(PLAN), &READ, 1, &e);
    if (!x || !y) fail_msg("%s", e.text);
    x->workloads[0].data.sha256 = y->workloads[0].data.sha256 = HASH;
    x->workloads[0].data.corpus = HASH;
    y->workloads[0].data.corpus = HASH + 1; /* as with another speed */
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_question(&(struct compare_asked){NULL, x, p, 2}, &(struct compare_asked){NULL, y, q, 2}, &c);
    assert_string_equal(c.question, "the same file was cut, timed or ordered in another way");
    compare_clear(&c);
    x->workloads[0].data.corpus = NULL; /* a file of one name that was made anew */
    y->workloads[0].data.sha256 = "0000000000000000000000000000000000000000000000000000000000000000";
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_question(&(struct compare_asked){NULL, x, p, 2}, &(struct compare_asked){NULL, y, q, 2}, &c);
    assert_string_equal(c.question, "prompts came from another source");
    compare_clear(&c);
    plan_destroy(&x);
    plan_destroy(&y);
    static struct stage_data data[2]; /* a gateway that falls back to another model */
    (void)snprintf(data[1].remarks.of[REMARK_OTHER_MODEL].text, REMARK_TEXT, "asked for m, answered by n");
    p[1].data = &data[0], q[1].data = &data[1];
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_question(&(struct compare_asked){NULL, a, p, 2}, &(struct compare_asked){NULL, a, q, 2}, &c);
    assert_string_equal(c.question, "a model of another name answered in the other only: asked for m, answered by n");
    assert_int_equal(c.say, COMPARE_UNKNOWN);
    compare_clear(&c);
    (void)snprintf(data[0].remarks.of[REMARK_OTHER_MODEL].text, REMARK_TEXT, "asked for m, answered by o");
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_question(&(struct compare_asked){NULL, a, p, 2}, &(struct compare_asked){NULL, a, q, 2}, &c);
    assert_string_equal(c.question, "models of other names answered: asked for m, answered by o, now asked for m, "
                                    "answered by n");
    compare_clear(&c);
    data[0] = data[1]; /* a name that the server always gives */
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_question(&(struct compare_asked){NULL, a, p, 2}, &(struct compare_asked){NULL, a, q, 2}, &c);
    assert_string_equal(c.question, "");
    compare_clear(&c);
    for (int i = 0; i < 2; i++) { /* four times shorter, and "better" for it */
        q[i].metric[METRIC_OUTPUT_TOKENS].mean = 32;
        for (int k = 0; k < POINT_Q; k++)
            q[i].metric[METRIC_TTFT].q[k] /= 4, q[i].metric[METRIC_TTFT].q_lo[k] /= 4,
                q[i].metric[METRIC_TTFT].q_hi[k] /= 4;
        q[i].window_failed = 100;
    }
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    assert_int_equal(c.overall[FIGURE_TTFT_P50].say, COMPARE_BETTER);
    compare_question(&(struct compare_asked){NULL, a, p, 2}, &(struct compare_asked){NULL, a, q, 2}, &c);
    assert_string_equal(c.question, "answers had 128 tokens on average, now 32");
    for (int f = 0; f < FIGURE_N; f++) { /* no row of a table says what the banner takes back */
        assert_int_equal(c.overall[f].say, COMPARE_UNKNOWN);
        for (size_t i = 0; i < c.n_loads; i++)
            assert_int_equal(c.loads[i].change[f].say, COMPARE_UNKNOWN);
    }
    assert_true(c.say == COMPARE_UNKNOWN && !compare_fails(&c, 0));
    compare_clear(&c);
    plan_destroy(&a);
}

/* What a verdict stands on is named: a run that was ended, resumed or lost an agent, and what was measured in another
 * way. */
static void test_state(void **state)
{
    (void)state;
    static const char *const PLAN = "plan: 1\ntarget: {url: http://127.0.0.1:1, model: m}\n"
                                    "load: {concurrency: [1, 2], duration: 30s}\n";
    static const char *const SET[] = {"seed=7", "target.http=2", "slo.request.ttft=1s", "load.drain=5s",
                                      "load.retries.max=2"};
    static struct stage_data data[2];
    struct point p[2] = {scripted(1, 100, 50), scripted(2, 190, 52)}, q[2] = {p[0], p[1]};
    struct err e = {0};
    struct comparison c;
    struct plan *a = plan_load("a", PLAN, strlen(PLAN), NULL, 0, &e),
                *b = plan_load("b", PLAN, strlen(PLAN), SET, sizeof SET / sizeof *SET, &e);
    if (!a || !b) fail_msg("%s", e.text);
    struct run_agent agents[2] = {{.name = "n1", .version = "0.1.0"}, {.name = "n2", .version = "0.1.0", .lost = true}};
    struct run_event events[2] = {{.kind = RUN_EVENT_RESUMED}, {.kind = RUN_EVENT_STAGE_RETRY}};
    struct run_data
        first = {.run_id = "r1", .version = "0.1.0", .plan = a, .ended_wall_ns = 1, .agents = agents, .n_agents = 1},
        other = {.run_id = "r2", .version = "0.1.0", .plan = a, .ended_wall_ns = 1, .agents = agents, .n_agents = 1};
    struct compare_asked x = {&first, a, p, 2}, y = {&other, a, q, 2};
    for (int i = 0; i < 2; i++) {
        p[i].stage = q[i].stage = (uint32_t)i;
        p[i].window_s = 30;
        q[i].window_s = 30;
        q[i].data = &data[i];
        data[i].plan = q[i].requested;
        p[i].requested.warmup_ns = q[i].requested.warmup_ns = 5000000000;
    }
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_state(&x, &y, &c);
    assert_string_equal(c.state_a, "");
    assert_string_equal(c.state_b, "");
    assert_string_equal(c.measured, "");
    assert_int_equal(c.say, COMPARE_SAME);
    compare_clear(&c);
    other = (struct run_data){.run_id = "r2",
                              .version = "0.2.0",
                              .plan = b,
                              .signal = 2,
                              .agents = agents,
                              .n_agents = 2,
                              .events = events,
                              .n_events = 2};
    data[1].aborted = true;
    q[1].window_s = 4;
    q[1].requested.warmup_ns = 0;
    y.plan = b;
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_state(&x, &y, &c);
    assert_string_equal(c.state_a, "");
    assert_string_equal(
        c.state_b,
        "it was ended by Ctrl-C; it was interrupted and resumed; it lost 1 agent, n2; 1 stage run again; its "
        "stage 1.1 (load 2) was cut short");
    assert_string_equal(
        c.measured,
        "windows were of another length (at load 2 30 s, now 4 s); warm-ups were of another length (5 s, now 0 s); "
        "target.http was HTTP/1.1, now HTTP/2; load.retries differs, and latencies hold the waits of what was "
        "sent again; timeouts or load.drain differ, and with them which slow answers count; the seeds differ, "
        "and with them prompts and arrivals; slo.request differs, so goodput has no verdict; plateau was 0.1.0, "
        "now 0.2.0; 1 agent took part, now 2");
    assert_true(c.loads[0].cut_b == 0 && c.loads[1].cut_b == 1 && c.loads[1].cut_a == 0);
    assert_int_equal(c.overall[FIGURE_GOODPUT].say, COMPARE_UNKNOWN);
    assert_int_equal(c.say, COMPARE_SAME);
    compare_clear(&c);
    other = (struct run_data){.run_id = "r1", .version = "0.1.0", .plan = a};
    for (int i = 0; i < 2; i++)
        p[i].data = q[i].data;
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_state(&x, &y, &c);
    assert_true(c.one_run && c.say == COMPARE_UNKNOWN && !compare_fails(&c, 0));
    if (!strstr(c.state_b, "it has not ended: it still runs, or its coordinator was killed")) fail_msg("%s", c.state_b);
    compare_clear(&c);
    static struct stage_data later; /* a copy that went on by itself */
    later = data[1];
    later.started_wall_ns = 7;
    q[1].data = &later;
    assert_int_equal(compare_runs(p, 2, q, 2, 1, &c, NULL), 0);
    compare_state(&x, &y, &c);
    assert_true(!c.one_run && c.say == COMPARE_UNKNOWN);
    if (!strstr(c.measured,
                "the folders are copies of one run, of which one went on: 1 of the points are the same measurement"))
        fail_msg("%s", c.measured);
    compare_clear(&c);
    plan_destroy(&a);
    plan_destroy(&b);
}

static void test_plans(void **state)
{
    (void)state;
    static const char A[] = "plan: 1\ntarget: {url: http://127.0.0.1:1/v1/chat/completions, model: m}\nload: "
                            "{concurrency: [1, 2], duration: 30s}\n";
    static const char B[] = "plan: 1\nseed: 7\ntarget: {url: http://127.0.0.1:2/v1/chat/completions, model: m}\nload: "
                            "{concurrency: [1, 2], duration: 30s}\n";
    struct err e = {0};
    struct plan *a = plan_load("a", A, strlen(A), NULL, 0, &e), *b = plan_load("b", B, strlen(B), NULL, 0, &e);
    if (!a || !b) fail_msg("%s", e.text);
    struct buf out = BUF_INIT(65536);
    assert_int_equal(compare_plans(a, a, 10, &out, &e), 0);
    assert_string_equal(buf_str(&out), "");
    assert_int_equal(compare_plans(a, b, 10, &out, &e), 0);
    assert_non_null(strstr(buf_str(&out), "seed: "));
    assert_non_null(
        strstr(buf_str(&out), "target.url: \"http://127.0.0.1:1/v1/chat/completions\", now \"http://127.0.0.1:2/v1/"));
    buf_reset(&out);
    static const char LONG[] =
        "plan: 1\ntarget: {url: http://127.0.0.1:1/v1/chat/completions?deployment=%s, model: m}\n"
        "load: {concurrency: [1, 2], duration: 30s}\n";
    char text[2][256];
    struct plan *c[2];
    for (int i = 0; i < 2; i++) {
        int n = snprintf(text[i], sizeof text[i], LONG, i ? "canary" : "stable");
        if (!(c[i] = plan_load("c", text[i], (size_t)n, NULL, 0, &e))) fail_msg("%s", e.text);
    }
    assert_int_equal(compare_plans(c[0], c[1], 10, &out, &e), 0); /* where they differ is seen */
    assert_string_equal(buf_str(&out),
                        "target.url: ...\"ions?deployment=stable\", now ...\"ions?deployment=canary\"\n");
    plan_destroy(&c[0]);
    plan_destroy(&c[1]);
    buf_reset(&out);
    assert_int_equal(compare_plans(a, b, 1, &out, &e), 0);
    assert_non_null(strstr(buf_str(&out), "and 1 more"));
    buf_clear(&out);
    plan_destroy(&a);
    plan_destroy(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching), cmocka_unit_test(test_plans),        cmocka_unit_test(test_question),
        cmocka_unit_test(test_state),    cmocka_unit_test(test_same_system),  cmocka_unit_test(test_many_seeds),
        cmocka_unit_test(test_slowdown), cmocka_unit_test(test_small_change), cmocka_unit_test(test_tokenless),
        cmocka_unit_test(test_arrivals), cmocka_unit_test(test_overrun),      cmocka_unit_test(test_tail),
        cmocka_unit_test(test_few)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
