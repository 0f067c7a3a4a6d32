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

/* Runs of one load that disagree are not averaged without a word. */
static void test_runs_apart(void **state)
{
    (void)state;
    static struct world w;
    (void)runs(&w, 900, 300);
    finish_capacity(&w, 1000);
    says(&w, "Look twice: runs of load 4 are apart: 300 and 900 output token/s (stages 1.2 and 1.1). What is given for "
             "this load is their mean or their median. ");
    (void)runs(&w, 900, 1000); /* as runs differ */
    finish_capacity(&w, 1000);
    silent(&w, "Look twice");
    struct point *p = runs(&w, 300, 900); /* too short to tell */
    p[0].output_lo = 0, p[0].output_hi = 1000;
    finish_capacity(&w, 1000);
    silent(&w, "Look twice");
    p = runs(&w, 300, 550);
    p[0].output_lo = p[0].output_hi = NAN;
    finish_capacity(&w, 1000);
    silent(&w, "Look twice");
    p[1].output_tokens_per_s = 700;
    finish_capacity(&w, 1000);
    says(&w, "300 and 700 output token/s");
    p[1].verdict.status = VERDICT_INVALID; /* it is in no mean */
    finish_capacity(&w, 1000);
    silent(&w, "Look twice");
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
    }
    add(&w, 4, 1);
    add(&w, 4, 2.5);
    finish_capacity(&w, 1000);
    says(&w,
         "Look twice: runs of load 9/s are apart: 100 and 2,000 ms e2e p50 (stages 4 and 3). What is given for this "
         "load is their mean or their median; of 1 other load the same holds. ");
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
    says(&w, "(stages 1.1 and 1.2; the run was interrupted and resumed between them). ");
    w.run.n_events = 0;
    finish_capacity(&w, 1000);
    silent(&w, "interrupted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs_apart), cmocka_unit_test(test_times_apart),
                                       cmocka_unit_test(test_interrupted), cmocka_unit_test(test_lengths_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
