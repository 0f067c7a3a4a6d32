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

#define MS INT64_C(1000000)

static struct stage_data data;
static struct hist *hist[METRIC_N];
static struct block blocks[40];

/* 500 answers of 100 gaps of 20 ms, and so many of another length, spread over the seconds of the window or all in one.
 */
static struct point *stage(struct world *w, uint64_t gaps, int64_t length, bool together)
{
    memset(w, 0, sizeof *w);
    for (int i = 0; i < 40; i++)
        hist_destroy(&blocks[i].chunk_gap);
    hist_destroy(&hist[METRIC_CHUNK_GAP]);
    struct point *p = add(w, 16, 1);
    hist[METRIC_CHUNK_GAP] = hist_new();
    assert_int_equal(hist_record(hist[METRIC_CHUNK_GAP], 20 * MS, 50000), 0);
    assert_int_equal(hist_record(hist[METRIC_CHUNK_GAP], length, gaps), 0);
    for (int i = 0; i < 40; i++) {
        uint64_t here = together ? (i == 7 ? gaps : 0) : gaps / 40 + ((uint64_t)i < gaps % 40);
        blocks[i] = (struct block){.t_s = i, .span_s = 1, .chunk_gap = hist_new()};
        assert_int_equal(hist_record(blocks[i].chunk_gap, length, here), 0);
    }
    data = (struct stage_data){.blocks = blocks, .n_blocks = 40};
    p->data = &data;
    p->hist = hist;
    p->window_ok = 500;
    stat_compute(hist[METRIC_CHUNK_GAP], METRIC_CHUNK_GAP, &p->metric[METRIC_CHUNK_GAP]);
    return p;
}

static void test_in_a_share_of_answers(void **state)
{
    (void)state;
    static struct world w;
    (void)stage(&w, 25, 1600 * MS, false);
    finish(&w, 1000);
    says(&w, "Answers stopped in the middle: in stage 1 (load 16) 25 gaps of 1 s and more in 500 answers, the longest "
             "1.6 s, "
             "where half of all gaps are below 20 ms; the p99 of 20 ms does not show them. ");
    assert_false(w.a.stalls.at_once);
    (void)stage(&w, 4, 1600 * MS, false); /* fewer than one in a hundred answers, and not at once */
    finish(&w, 1000);
    silent(&w, "stopped");
    (void)stage(&w, 25, 900 * MS, false); /* nobody minds */
    finish(&w, 1000);
    silent(&w, "stopped");
    (void)stage(&w, 5000, 1200 * MS, false); /* which p99 shows */
    finish(&w, 1000);
    says(&w, "5,000 gaps of 1 s and more in 500 answers, the longest 1.2 s, where half of all gaps are below 20 ms. ");
}

/* A slow server is not one that stops. */
static void test_against_the_usual(void **state)
{
    (void)state;
    static struct world w;
    (void)stage(&w, 60000, 1500 * MS, false); /* more than half of all */
    finish(&w, 1000);
    silent(&w, "stopped");
}

static void test_at_once(void **state)
{
    (void)state;
    static struct world w;
    struct point *p = stage(&w, 8, 2000 * MS, true); /* half of the 16 streams */
    p->window_ok = 5000;
    finish(&w, 1000);
    says(&w,
         "8 gaps of 1 s and more in 5,000 answers, the longest 2 s, where half of all gaps are below 20 ms; half of "
         "the streams and more stopped at once; the p99 of 20 ms does not show them. ");
    p->still = true; /* the verdict says it */
    answered(&w, w.o, 2);
    silent(&w, "stopped");
    p->still = false;
    p->metric[METRIC_LAG].max = 1500; /* the agent stood still itself */
    answered(&w, w.o, 2);
    silent(&w, "stopped");
    p->metric[METRIC_LAG].max = NAN;
    answered(&w, w.o, 2);
    says(&w, "stopped");
    p = stage(&w, 7, 2000 * MS, true);
    p->window_ok = 5000;
    finish(&w, 1000);
    silent(&w, "stopped");
    p = stage(&w, 2, 2000 * MS, true);
    p->concurrency = 1;
    p->window_ok = 50;
    finish(&w, 1000);
    silent(&w, "stopped");
}

/* What had piled up comes in one read, which is not a proxy's doing; a buffer's gaps are no stalls. */
static void test_or_a_buffer(void **state)
{
    (void)state;
    static struct world w;
    struct point *p = stage(&w, 25, 1600 * MS, false);
    p->metric[METRIC_TPOT].count = 500;
    p->metric[METRIC_TPOT].q[0] = 20;
    data.counters[COUNTER_EVENTS] = 10000;
    data.counters[COUNTER_GATHERED] = 1900; /* of 25 times 80 */
    finish(&w, 1000);
    says(&w, "Answers stopped in the middle: ");
    silent(&w, "proxy");
    data.counters[COUNTER_GATHERED] = 2100;
    finish_capacity(&w, 1000);
    says(&w, "now and then held tokens back");
    silent(&w, "stopped");
    silent(&w, "proxy");
    data.counters[COUNTER_GATHERED] = 3400;
    finish_capacity(&w, 1000);
    says(&w, "a proxy buffers the stream");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_a_share_of_answers),
                                       cmocka_unit_test(test_against_the_usual), cmocka_unit_test(test_at_once),
                                       cmocka_unit_test(test_or_a_buffer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
