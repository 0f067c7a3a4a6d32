#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/answer_world.h"

#define S INT64_C(1000000000)

static struct point *runs(struct world *w, double first, double second)
{
    memset(w, 0, sizeof *w);
    for (uint32_t i = 0; i < 2; i++) {
        struct point *p = add(w, 4, 1);
        p->stage = 0;
        p->repeat = i;
        p->output_tokens_per_s = i ? second : first;
        p->output_lo = p->output_tokens_per_s * 0.97;
        p->output_hi = p->output_tokens_per_s * 1.03;
    }
    return w->p;
}

static struct point *again(struct world *w, uint32_t load, double noise)
{
    struct point *p = add(w, load, noise);
    p->output_lo = p->output_tokens_per_s * 0.97;
    p->output_hi = p->output_tokens_per_s * 1.03;
    return p;
}

/* Where the requests were others the server need not be. */
static void test_unlike_runs(void **state)
{
    (void)state;
    static struct world w;
    struct point *p = runs(&w, 900, 300);
    p[0].metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 100, .mean = 200, .mean_lo = 195, .mean_hi = 205};
    p[1].metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 100, .mean = 20, .mean_lo = 19, .mean_hi = 21};
    finish_capacity(&w, 1000);
    says(
        &w,
        "(stages 1.1 and 1.2). Their answers had 200, then 20 tokens on average, so no figure of this load is given. ");
    p[1].metric[METRIC_OUTPUT_TOKENS] = p[0].metric[METRIC_OUTPUT_TOKENS];
    p[0].metric[METRIC_INPUT_TOKENS] = (struct metric_stat){.count = 100, .mean = 500, .mean_lo = 490, .mean_hi = 510};
    p[1].metric[METRIC_INPUT_TOKENS] =
        (struct metric_stat){.count = 100, .mean = 4000, .mean_lo = 3900, .mean_hi = 4100};
    finish_capacity(&w, 1000);
    says(&w, "Their prompts had 500, then 4,000 tokens on average, so no figure of this load is given. ");
    p[1].metric[METRIC_INPUT_TOKENS].mean_lo = 505; /* by chance */
    finish_capacity(&w, 1000);
    says(&w, "The server or the way to it changed in between");
}

/* Runs of one load that disagree have no mean. */
static void test_runs_apart(void **state)
{
    (void)state;
    static struct world w;
    (void)runs(&w, 900, 300);
    finish_capacity(&w, 1000);
    says(&w, "Runs of load 4 are apart: 900, then 300 output token/s (stages 1.1 and 1.2). The server or the way to it "
             "changed in between, so no figure of this load is given. ");
    says(&w, "Suspect: runs of one load are apart.");
    says(&w, "kept at 1 load whose runs are apart. ");
    silent(&w, "At 4 concurrent requests: ");
    assert_int_equal(w.a.worst_verdict, VERDICT_SUSPECT);
    assert_false(w.a.has_most || w.a.has_slo || w.a.has_plateau);
    finish_capacity(&w, 1);
    says(&w, "is shown to keep ttft.p99 < 800ms and errors.rate < 1%: 1 fails. ");
    (void)runs(&w, 900, 740); /* as runs differ */
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
    assert_int_equal(w.a.worst_verdict, VERDICT_VALID);
    struct point *p = runs(&w, 300, 900); /* too short to tell */
    p[0].output_lo = 0, p[0].output_hi = 1000;
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
    p = runs(&w, 300, 700); /* windows too short for an interval: of 16 requests half may be chance, … */
    p[0].output_lo = p[0].output_hi = p[1].output_lo = p[1].output_hi = NAN;
    p[0].window_ok = p[1].window_ok = 16;
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
    p[0].window_ok = 0;
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
    p[0].window_ok = p[1].window_ok = 100; /* … of 100 a fifth */
    finish_capacity(&w, 1000);
    says(&w, "300, then 700 output token/s");
    verdict_add(&p[0].verdict, VERDICT_SUSPECT, "x"); /* the agents may have */
    finish_capacity(&w, 1000);
    says(&w, "Something changed in between, so");
    silent(&w, "Suspect: runs");
    p[1].verdict.status = VERDICT_INVALID; /* it is in no mean */
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
}

/* More requests in one run of a rate than in another bring more tokens. */
static void test_arrivals_apart(void **state)
{
    (void)state;
    static struct world w;
    struct point *p = runs(&w, 430, 250);
    for (int i = 0; i < 2; i++) {
        p[i].requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 5, .rate_to = 5};
        p[i].arrivals_per_s = i ? 3.08 : 4.62;
    }
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
    p[1].arrivals_per_s = 4.62;
    finish_capacity(&w, 1000);
    says(&w, "Runs of load 5/s are apart: 430, then 250 output token/s");
}

/* A curve of two states of a server has no plateau. What other loads gave, stands. */
static void test_curve_apart(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 256, 1);
    finish(&w, 1000);
    assert_true(w.a.has_plateau && w.a.plateau_reached);
    (void)again(&w, 128, 0.2);
    (void)again(&w, 256, 0.25);
    w.plan.slo_request_ns[SLO_TTFT] = 1;
    finish(&w, 1000);
    says(&w, "Runs of load 128 are apart: ");
    says(&w,
         "The server or the way to it changed in between, and between those of 1 other load, so no plateau, no knee "
         "and no figure of these loads is given. ");
    silent(&w, "Plateau");
    silent(&w, "Past ");
    assert_false(w.a.has_plateau);
    assert_true(isnan(w.a.latency_per_doubling) && isnan(w.a.at_knee.load) && isnan(w.a.cost_plateau));
    assert_true(fabs(w.a.most_load - 64) < 1e-9 && fabs(w.a.slo_load - 64) < 1e-9);
    /* of two loads there is no curve */
    memset(&w, 0, sizeof w);
    (void)again(&w, 4, 1);
    (void)again(&w, 8, 1);
    (void)again(&w, 8, 3);
    finish(&w, 1000);
    says(&w, "so no figure of this load is given. ");
    assert_true(fabs(w.a.most_load - 4) < 1e-9);
    finish(&w, 4); /* a load that has no figure breaks the gates all the same */
    says(&w, "Within ttft.p99 < 800ms and errors.rate < 1%: 463 output token/s");
    assert_true(w.a.slo_next_fails && !w.a.slo_open_end && w.a.slo_failed == 1);
    /* too little is no failure where a load that has no figure may carry more */
    w.plan.capacity = (struct plan_capacity){.text = "> 5000", .op = OP_GT, .value = 5000};
    finish_capacity(&w, 4);
    assert_int_equal(w.a.capacity, GATE_INCONCLUSIVE);
    assert_string_equal(w.a.capacity_open, "runs of one load are apart");
}

/* In an open loop throughput is the rate, and what differs is a time. */
static void test_times_apart(void **state)
{
    (void)state;
    static struct world w;
    struct point *p = runs(&w, 900, 900);
    for (int i = 0; i < 2; i++) {
        p[i].stage = 2 + (uint32_t)i;
        p[i].repeat = 0;
        p[i].requested = (struct plan_stage){.kind = LOAD_OPEN, .rate_from = 9, .rate_to = 9};
        p[i].arrivals_per_s = 9;
        struct metric_stat *s = &p[i].metric[METRIC_E2E];
        s->q[0] = i ? 100 : 2000, s->q_lo[0] = 0.9 * s->q[0], s->q_hi[0] = 1.1 * s->q[0];
        p[i].metric[METRIC_TTFT].q[0] = 50;
    }
    finish_capacity(&w, 1000);
    says(&w,
         "Runs of load 9/s are apart: 2,000, then 100 ms e2e p50 (stages 3 and 4). The server or the way to it changed "
         "in between, so no latency of this load is given. ");
    assert_true(w.a.has_slo && w.a.has_most && isnan(w.a.at_slo.ttft_p50));
    assert_int_equal(w.a.worst_verdict, VERDICT_SUSPECT);
    p[0].metric[METRIC_E2E].q[0] = 190,
    p[0].metric[METRIC_E2E].q_lo[0] = 180; /* near its limit a server's queue differs */
    finish_capacity(&w, 1000);
    silent(&w, "are apart");
    assert_true(!isnan(w.a.at_slo.ttft_p50));
}

/* Throughput of two loads is not comparable where one of them got shorter answers. */
static void test_lengths_apart(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 8, 2);
    for (size_t i = 0; i < w.n; i++) {
        struct metric_stat *s = &w.p[i].metric[METRIC_OUTPUT_TOKENS];
        double mean = w.p[i].requested.concurrency == 8 ? 60 : 100;
        *s = (struct metric_stat){.count = 100, .mean = mean, .mean_lo = mean - 8, .mean_hi = mean + 8};
    }
    finish(&w, 1000);
    says(&w, "Look twice: answers had 60 tokens on average at load 8 and 100 at load 1: figures of these loads are of "
             "unlike answers. ");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].metric[METRIC_OUTPUT_TOKENS].mean_lo -= 10, w.p[i].metric[METRIC_OUTPUT_TOKENS].mean_hi += 10;
    finish(&w, 1000);
    silent(&w, "unlike"); /* by chance */
}

static void resumed(struct world *w, struct stage_data *data, struct run_event *e, size_t first_after)
{
    *e = (struct run_event){.kind = RUN_EVENT_RESUMED, .wall_ns = 1000 * S};
    w->run.events = e;
    w->run.n_events = 1;
    for (size_t i = 0; i < w->n; i++) {
        data[i] = (struct stage_data){.started_wall_ns =
                                          (i < first_after ? 100 + 40 * (int64_t)i : 1001 + 40 * (int64_t)i) * S};
        data[i].ended_wall_ns = data[i].started_wall_ns + 30 * S;
        w->p[i].data = &data[i];
    }
}

/* Figures before and after an interruption are of two times. */
static void test_interrupted(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data[POINTS_MAX];
    struct run_event e;
    sweep(&w, 64, 1);
    resumed(&w, data, &e, 3);
    w.p[3].output_tokens_per_s *= 0.4, w.p[3].output_lo *= 0.4, w.p[3].output_hi *= 0.4;
    finish(&w, 1000);
    says(&w, "% from load 4 to 8, with the run interrupted and resumed between them. ");
    says(&w, "The run was interrupted after stage 3 (load 4) and resumed after 15 min: the server may have been in "
             "another state before. ");
    assert_true(w.a.twice.interrupted.times == 1 && fabs(w.a.twice.interrupted.away_s - 911) < 1e-9);
    sweep(&w, 64, 1);
    resumed(&w, data, &e, 7); /* nothing was measured after it */
    finish(&w, 1000);
    silent(&w, "interrupted");
    resumed(&w, data, &e, 3);
    for (size_t i = 0; i < 3; i++)
        verdict_add(&w.p[i].verdict, VERDICT_INVALID, "x"); /* no figure is of before */
    finish(&w, 1000);
    silent(&w, "interrupted");
    (void)runs(&w, 300, 900);
    resumed(&w, data, &e, 1);
    finish_capacity(&w, 1000);
    says(&w, "(stages 1.1 and 1.2, with the run interrupted and resumed between them). ");
    w.run.n_events = 0;
    finish_capacity(&w, 1000);
    silent(&w, "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs_apart),     cmocka_unit_test(test_unlike_runs),
                                       cmocka_unit_test(test_times_apart),    cmocka_unit_test(test_curve_apart),
                                       cmocka_unit_test(test_arrivals_apart), cmocka_unit_test(test_interrupted),
                                       cmocka_unit_test(test_lengths_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
