#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "coordinator/answer/steady.h"

#define SECONDS 40

struct shape {
    double level, noise, drift; /* drift: relative over the window */
    double ttft_drift, grow;    /* grow: requests in flight gained per second */
    bool open;
};

static void series_make(struct stage_data *s, struct series_row *rows, const struct shape *k, struct rng *r)
{
    *s = (struct stage_data){.series = rows, .n_series = SECONDS};
    s->plan.kind = k->open ? LOAD_OPEN : LOAD_CLOSED;
    for (int i = 0; i < SECONDS; i++) {
        double at = (double)i / SECONDS - 0.5;
        rows[i] = (struct series_row){.agent = -1,
                                      .t_s = i,
                                      .span_s = 1,
                                      .due = 50,
                                      .ttft_p50_ms = 200 * (1 + k->ttft_drift * at) * (1 + k->noise * rng_normal(r)),
                                      .tokens = k->level * (1 + k->drift * at) * (1 + k->noise * rng_normal(r)),
                                      .in_flight = 100 + k->grow * i};
    }
}

static int count_not_steady(const struct shape *k, int trials, int *covered)
{
    struct series_row rows[SECONDS];
    struct stage_data s;
    struct steadiness st;
    struct rng r;
    int n = 0, c = 0;
    rng_seed(&r, 3);
    for (int t = 0; t < trials; t++) {
        series_make(&s, rows, k, &r);
        steady_compute(&s, 0, SECONDS, 0, &st);
        assert_int_not_equal(st.steady, STEADY_UNKNOWN);
        n += st.steady == STEADY_NO;
        double mean = 0;
        for (int i = 0; i < SECONDS; i++)
            mean += rows[i].tokens / SECONDS;
        c += fabs(mean - k->level) <= st.half_width * mean;
    }
    if (covered) *covered = c;
    return n;
}

static void test_steady_is_called_steady(void **state)
{
    (void)state;
    int covered;
    assert_true(count_not_steady(&(struct shape){.level = 1000, .noise = 0.05}, 1000, &covered) <= 60);
    assert_in_range(covered, 920, 980);
    assert_true(count_not_steady(&(struct shape){.level = 1000, .noise = 0.3}, 1000, NULL) <= 60);
    /* a drift too small to matter, however clear */
    assert_int_equal(count_not_steady(&(struct shape){.level = 1000, .noise = 0.001, .drift = 0.04}, 100, NULL), 0);
}

/* A recording whose rate rises: its figures rise with it, and a server that keeps up is not called unsteady. One that
 * does not has more and more in flight. */
static void test_recording(void **state)
{
    (void)state;
    struct series_row rows[SECONDS];
    struct stage_data s = {.series = rows, .n_series = SECONDS, .plan = {.kind = LOAD_OPEN}};
    struct steadiness st;
    struct rng r;
    rng_seed(&r, 3);
    for (int outran = 0; outran < 2; outran++) {
        double open = 0;
        for (int i = 0; i < SECONDS; i++) {
            double due = i < SECONDS - 5 ? round(20 + i * 2 + rng_normal(&r)) : 0; /* then the last answers come */
            double done = outran ? fmin(40, due + open) : due;
            open = outran ? fmax(0, open + due - done) : 0;
            rows[i] = (struct series_row){.agent = -1,
                                          .t_s = i,
                                          .span_s = 1,
                                          .due = due,
                                          .done = done,
                                          .ttft_p50_ms = 200,
                                          .tokens = 10 * done,
                                          .in_flight = due * 2 + open};
        }
        s.plan.arrivals = ARRIVALS_RECORDED;
        steady_compute(&s, 0, SECONDS, 0, &st);
        assert_int_equal(st.steady, outran ? STEADY_NO : STEADY_UNKNOWN);
        assert_int_equal(st.backlog, outran);
        assert_true(isnan(st.half_width));  /* one rate gave none of it */
        s.plan.arrivals = ARRIVALS_POISSON; /* there such a rise is no chance */
        steady_compute(&s, 0, SECONDS - 5, 0, &st);
        assert_int_equal(st.steady, STEADY_NO);
    }
}

/* However many seconds a window has from five on, all of them are looked at: nine are those of the usual stage of 10 s.
 */
static void test_every_length(void **state)
{
    (void)state;
    struct series_row rows[SECONDS];
    struct stage_data s;
    struct steadiness st;
    struct rng r;
    rng_seed(&r, 5);
    for (uint32_t n = 4; n <= 24; n++) {
        series_make(&s, rows, &(struct shape){.level = 1000, .noise = 0.01}, &r);
        s.n_series = n + 1;
        rows[n].span_s = 0.01; /* until the last agent reported */
        rows[n].tokens = 5;
        steady_compute(&s, 0, n, 0, &st);
        assert_int_equal(st.steady == STEADY_UNKNOWN, n < STEADY_BATCHES_MIN);
        if (n >= STEADY_BATCHES_MIN) assert_true(st.batches >= STEADY_BATCHES_MIN && st.half_width > 0);
        for (uint32_t i = 0; i < n; i++)
            rows[i].tokens = 1000 * (i + 1.0) / n;
        steady_compute(&s, 0, n, 0, &st);
        if (n >= STEADY_BATCHES_MIN) assert_int_equal(st.steady, STEADY_NO);
    }
}

static void test_drift_is_seen(void **state)
{
    (void)state;
    assert_true(count_not_steady(&(struct shape){.level = 1000, .noise = 0.05, .drift = 0.2}, 200, NULL) >= 190);
    assert_true(count_not_steady(&(struct shape){.level = 1000, .noise = 0.05, .drift = -0.2}, 200, NULL) >= 190);
    assert_true(count_not_steady(&(struct shape){.level = 1000, .noise = 0.05, .ttft_drift = 0.3}, 200, NULL) >= 190);
    /* open loop at 50 arrivals a second: a backlog of 5 a second is no steady state, in closed loop the field means
     * nothing */
    assert_int_equal(
        count_not_steady(&(struct shape){.level = 1000, .noise = 0.01, .grow = 5, .open = true}, 100, NULL), 100);
    assert_true(count_not_steady(&(struct shape){.level = 1000, .noise = 0.01, .grow = 0.2, .open = true}, 100, NULL) <=
                5);
}

static void test_too_short(void **state)
{
    (void)state;
    struct series_row rows[SECONDS];
    struct stage_data s;
    struct steadiness st;
    struct rng r;
    rng_seed(&r, 1);
    series_make(&s, rows, &(struct shape){.level = 10}, &r);
    steady_compute(&s, 0, 4, 0, &st);
    assert_int_equal(st.steady, STEADY_UNKNOWN);
    assert_true(isnan(st.drift) && isnan(st.half_width));
    steady_compute(&s, 0, 5, 0, &st);
    assert_int_equal(st.steady, STEADY_YES);
    /* rows of single agents, rows outside and rows without tokens are no evidence */
    for (int i = 0; i < SECONDS; i++)
        rows[i].agent = 0;
    steady_compute(&s, 0, SECONDS, 0, &st);
    assert_int_equal(st.steady, STEADY_UNKNOWN);
    s.n_series = 0;
    steady_compute(&s, 0, SECONDS, 0, &st);
    assert_int_equal(st.steady, STEADY_UNKNOWN);
}

struct ramp {
    double from, to, seconds;
    double answer_s, slower; /* the time of an answer at the beginning, and how many times that at the end */
    double most;             /* requests/s that the server ends at most */
};

/* A server as a fluid: what has come by t - (the time of an answer) has ended at t, but for its limit. */
static bool ramp_outruns(const struct ramp *k)
{
    static struct series_row rows[200];
    struct stage_data s = {.series = rows, .n_series = (size_t)k->seconds};
    struct steadiness st;
    double done = 0, came = 0, open = 0;
    s.plan = (struct plan_stage){
        .kind = LOAD_OPEN, .rate_from = k->from, .rate_to = k->to, .duration_ns = (int64_t)(k->seconds * 1e9)};
    for (size_t i = 0; i < s.n_series; i++) {
        rows[i] = (struct series_row){.agent = -1, .t_s = (double)i, .span_s = 1, .ttft_p50_ms = 50 + 50 * (double)i};
        for (int m = 1; m <= 100; m++) {
            double t = (double)i + m / 100.0, part = t / k->seconds,
                   ended = t - k->answer_s * (1 + (k->slower - 1) * part), slope = (k->to - k->from) / k->seconds;
            double by_now = k->from * t + slope * t * t / 2,
                   can = ended > 0 ? k->from * ended + slope * ended * ended / 2 : 0,
                   end = fmin(fmax(can - done, 0), k->most / 100);
            rows[i].due += by_now - came;
            rows[i].done += end;
            came = by_now;
            done += end;
            open = came - done;
            rows[i].in_flight += open / 100;
        }
        rows[i].tokens = 40 * rows[i].done;
    }
    steady_compute(&s, 0, k->seconds, 0, &st);
    assert_int_equal(st.steady, st.backlog ? STEADY_NO : STEADY_UNKNOWN);
    assert_true(isnan(st.drift) && isnan(st.half_width)); /* its throughput is of no one load */
    return st.backlog;
}

/* In a ramp more and more is in flight, and comes, since the load grows. It outran the server when more is open at its
 * end than the rate there brings in the time that answers took before. */
static void test_ramp(void **state)
{
    (void)state;
    static const struct ramp KEEPS[] = {{1, 30, 8, 0.45, 1, 1e9},  {0, 300, 8, 0.45, 1.8, 1e9},
                                        {1, 30, 80, 0.45, 3, 1e9}, {2, 25, 60, 10, 1, 1e9},
                                        {1, 30, 3, 0.45, 1, 1e9},  {1, 30, 8, 7, 1, 1e9},
                                        {30, 1, 8, 0.45, 1, 1e9},  {300, 100, 60, 2, 1, 1e9},
                                        {1, 30, 80, 0.45, 1, 29.5}},
                             OUTRUNS[] = {{1, 30, 8, 0.45, 1, 15},  {1, 30, 8, 0.45, 1, 5},   {1, 30, 8, 0.45, 1, 1},
                                          {1, 30, 80, 0.45, 1, 22}, {20, 60, 60, 0.45, 1, 5}, {20, 60, 60, 0.45, 1, 1},
                                          {2, 25, 60, 5, 1, 10},    {60, 40, 60, 1, 1, 20}};
    for (size_t i = 0; i < sizeof KEEPS / sizeof *KEEPS; i++)
        if (ramp_outruns(&KEEPS[i])) fail_msg("ramp %zu is kept up with", i);
    for (size_t i = 0; i < sizeof OUTRUNS / sizeof *OUTRUNS; i++)
        if (!ramp_outruns(&OUTRUNS[i])) fail_msg("ramp %zu outruns the server", i);
}

/* 28 requests wait for each full second, when all are answered at once: 560 token/s. Five such seconds lie in 4.5 s. */
static void test_lumps(void **state)
{
    (void)state;
    struct stage_data s = {.plan = {.kind = LOAD_CLOSED, .concurrency = 28}};
    struct hist *held = hist_new(), *tokens = hist_new();
    assert_true(held && tokens);
    assert_true(isnan(steady_by_law(&s, 28)));
    s.hist[METRIC_E2E] = held;
    s.hist[METRIC_OUTPUT_TOKENS] = tokens;
    hist_record(held, 1000000000, 140);
    hist_record(tokens, (int64_t)(20 * METRICS[METRIC_OUTPUT_TOKENS].scale), 140);
    double law = steady_by_law(&s, 28), seen = 5 * 560 / 4.5, lo = NAN, hi = NAN;
    assert_true(fabs(law - 560) < 1);
    assert_true(steady_in_lumps(seen, law, 140));
    steady_interval(seen, NAN, law, 140, &lo, &hi);
    assert_true(fabs(lo - law) < 1e-9 && fabs(hi - (2 * seen - law)) < 1e-9);
    steady_interval(500, 0.2, law, 140, &lo, &hi); /* the wider one counts */
    assert_true(fabs(lo - 400) < 1e-9 && fabs(hi - 600) < 1e-9);
    steady_interval(570, 0.1, law, 140, &lo, &hi); /* which chance makes */
    assert_true(fabs(lo - 513) < 1e-9 && fabs(hi - 627) < 1e-9);
    assert_false(steady_in_lumps(seen, law, 20)); /* so few differ by more */
    assert_false(steady_in_lumps(seen, NAN, 140) || steady_in_lumps(NAN, law, 140));
    s.counters[COUNTER_WIN_FAILED] = 1; /* was in flight, too, for a time that is not counted here */
    assert_true(isnan(steady_by_law(&s, 28)));
    hist_destroy(&held);
    hist_destroy(&tokens);
}

struct queue {
    double rate, seconds;
    int slots;
    double answer_s, cold_s; /* requests of the first second take so much longer */
    enum arrivals_kind arrivals;
    double jitter; /* of an answer's time */
    bool whole;    /* no first tokens */
};

/* First come, first served. */
static bool queue_grows(const struct queue *k, uint64_t seed)
{
    static struct series_row rows[60];
    struct stage_data s = {.series = rows, .n_series = 60};
    struct steadiness st;
    struct rng r;
    double at = 0, slot[400] = {0}, wait[60] = {0}, first[60] = {0};
    rng_seed(&r, seed);
    s.plan = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = k->rate, .rate_to = k->rate, .arrivals = k->arrivals};
    for (int i = 0; i < 60; i++)
        rows[i] = (struct series_row){.agent = -1, .t_s = i, .span_s = 1, .ttft_p50_ms = NAN};
    for (uint32_t n = 0; at < k->seconds; n++) {
        int free_at = 0;
        for (int i = 1; i < k->slots; i++)
            free_at = slot[i] < slot[free_at] ? i : free_at;
        double takes = k->answer_s * (1 + k->jitter * (2 * rng_double(&r) - 1)) + (at < 1 ? k->cold_s : 0);
        double begin = fmax(at, slot[free_at]), end = slot[free_at] = begin + takes;
        rows[(int)at].due++;
        rows[(int)fmin(59, end)].done++;
        rows[(int)fmin(59, end)].tokens += 10;
        first[(int)fmin(59, end)]++;
        wait[(int)fmin(59, end)] += begin + takes / 2 - at;
        for (int i = (int)at; i < 60 && i < end; i++)
            rows[i].in_flight += fmin(end, i + 1) - fmax(at, i);
        at += k->arrivals == ARRIVALS_POISSON ? rng_exp(&r) / k->rate : 1 / k->rate;
    }
    for (int i = 0; i < 60 && !k->whole; i++)
        if (first[i] > 0) rows[i].ttft_p50_ms = 1e3 * wait[i] / first[i];
    steady_compute(&s, 0, k->seconds, 0, &st);
    assert_int_equal(st.steady, st.backlog ? STEADY_NO : STEADY_UNKNOWN);
    return st.backlog;
}

/* A window of fewer batches than a line needs. A constant rate has no chance of its own: what piles up is a queue. */
static void test_short(void **state)
{
    (void)state;
    static const struct queue
        KEEPS[] =
            {{.rate = 8, .seconds = 4, .slots = 4, .answer_s = 0.2, .jitter = 0.5},
             {.rate = 16, .seconds = 4, .slots = 4, .answer_s = 0.2, .jitter = 0.2},
             {.rate = 19, .seconds = 4, .slots = 4, .answer_s = 0.2},
             {.rate = 19, .seconds = 4, .slots = 4, .answer_s = 0.2, .whole = true},
             {.rate = 50,
              .seconds = 4,
              .slots = 400,
              .answer_s = 1.5,
              .jitter = 0.9}, /* more and more in flight until the first answers end */
             {.rate = 50, .seconds = 4, .slots = 400, .answer_s = 1.5, .jitter = 0.9, .whole = true},
             {.rate = 50, .seconds = 4, .slots = 400, .answer_s = 3},
             {.rate = 50, .seconds = 4, .slots = 400, .answer_s = 3, .whole = true},
             {.rate = 2, .seconds = 4, .slots = 4, .answer_s = 0.8, .jitter = 0.9},
             {.rate = 10, .seconds = 4, .slots = 40, .answer_s = 0.2, .cold_s = 1},
             {.rate = 10, .seconds = 4, .slots = 40, .answer_s = 0.2, .cold_s = 1, .whole = true},
             {.rate = 12, .seconds = 4, .slots = 4, .answer_s = 0.2, .arrivals = ARRIVALS_POISSON, .jitter = 0.5},
             {.rate = 16, .seconds = 4, .slots = 4, .answer_s = 0.2, .arrivals = ARRIVALS_POISSON, .jitter = 0.5},
             {.rate = 16,
              .seconds = 4,
              .slots = 4,
              .answer_s = 0.2,
              .arrivals = ARRIVALS_POISSON,
              .jitter = 0.5,
              .whole = true},
             {.rate = 160, .seconds = 4, .slots = 40, .answer_s = 0.2, .arrivals = ARRIVALS_POISSON, .jitter = 0.9}},
        OUTRUNS[] = {
            {.rate = 24, .seconds = 4, .slots = 4, .answer_s = 0.2},
            {.rate = 24, .seconds = 4, .slots = 4, .answer_s = 0.2, .whole = true},
            {.rate = 24, .seconds = 3, .slots = 4, .answer_s = 0.2},
            {.rate = 30, .seconds = 4, .slots = 4, .answer_s = 0.2, .jitter = 0.5},
            {.rate = 240, .seconds = 4, .slots = 40, .answer_s = 0.2, .jitter = 0.5},
            {.rate = 24, .seconds = 4, .slots = 4, .answer_s = 0.2, .arrivals = ARRIVALS_RECORDED},
            {.rate = 300, .seconds = 4, .slots = 40, .answer_s = 0.2, .arrivals = ARRIVALS_POISSON, .jitter = 0.5}};
    for (size_t i = 0; i < sizeof KEEPS / sizeof *KEEPS; i++) {
        int n = 0;
        for (uint64_t seed = 1; seed <= 200; seed++)
            n += queue_grows(&KEEPS[i], seed);
        if (n > 2) fail_msg("stage %zu is kept up with, and %d of 200 are not", i, n);
    }
    for (size_t i = 0; i < sizeof OUTRUNS / sizeof *OUTRUNS; i++) {
        int n = 0;
        for (uint64_t seed = 1; seed <= 200; seed++)
            n += queue_grows(&OUTRUNS[i], seed);
        if (n < 180) fail_msg("stage %zu outruns the server, and only %d of 200 do", i, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_steady_is_called_steady),
                                       cmocka_unit_test(test_every_length),
                                       cmocka_unit_test(test_recording),
                                       cmocka_unit_test(test_drift_is_seen),
                                       cmocka_unit_test(test_too_short),
                                       cmocka_unit_test(test_ramp),
                                       cmocka_unit_test(test_lumps),
                                       cmocka_unit_test(test_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
