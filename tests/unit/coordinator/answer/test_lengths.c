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

/* What came is of requests that ended ok, and so is what was asked for. */
static void test_lengths_of_mix(void **state)
{
    (void)state;
    static struct world w;
    struct plan_workload load = {.weight = 1};
    load.output_tokens = (struct dist){.kind = DIST_FIXED, .a = 20};
    load.input_tokens = (struct dist){.kind = DIST_FIXED, .a = 100};
    memset(&w, 0, sizeof w);
    for (uint32_t n = 1; n <= 4; n *= 2) {
        struct point *p = add(&w, n, 1);
        p->metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 20};
        p->metric[METRIC_INPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 100};
    }
    struct plan_workload mix[2] = {load, load}; /* the long prompts of a mix failed: what came is of the short ones */
    static struct stage_data data;
    memset(&data, 0, sizeof data);
    mix[1].input_tokens.a = 1000;
    w.plan.workloads = mix;
    w.plan.n_workloads = 2;
    assert_int_equal(groups_reserve(&data.groups, 2, 1), 0);
    groups_find(&data.groups, GROUP_WORKLOAD, 0)->counters[GROUP_COUNT_WIN_OK] = 30;
    for (size_t i = 0; i < w.n; i++)
        w.p[i].data = &data;
    finish(&w, 1000);
    silent(&w, "Prompts had");
    assert_true(fabs(w.a.length.input.asked - 100) < 1e-9);
    groups_find(&data.groups, GROUP_WORKLOAD, 1)->counters[GROUP_COUNT_WIN_OK] = 10; /* they came, and had 100 tokens */
    finish(&w, 1000);
    says(&w, "Prompts had 100 tokens on average, 325 asked for. ");
    mix[0].name = "short", mix[1].name = "long";
    struct mix_group *longer = groups_find(&data.groups, GROUP_WORKLOAD, 1);
    longer->counters[GROUP_COUNT_WIN_OK] = 1; /* of each load, and there are three */
    longer->counters[GROUP_COUNT_WIN_FAILED] = 9;
    w.p[0].ledger.failed[0] = 27;
    finish_capacity(&w, 1000);
    says(&w, "27 of 30 requests of workload long failed: the figures are nearly without it. ");
    longer->counters[GROUP_COUNT_WIN_OK] = 0;
    finish_capacity(&w, 1000);
    says(&w, "All of 27 requests of workload long failed: the figures are without it. ");
    silent(&w, "workload short");
    longer->counters[GROUP_COUNT_WIN_CLOSED] = 1;
    finish_capacity(&w, 1000);
    says(&w, "All of 30 requests of workload long failed or got no whole answer: the figures are without it. ");
    w.p[0].ledger.failed[0] = 0; /* none fails, and they hang */
    longer->counters[GROUP_COUNT_WIN_FAILED] = 0;
    finish_capacity(&w, 1000);
    says(&w, "All of 3 requests of workload long got no whole answer: the figures are without it. ");
    longer->counters[GROUP_COUNT_WIN_CLOSED] = 0;
    finish_capacity(&w, 1000);
    says(&w, "No request of workload long ended ok in a window: the figures are without it. ");
    data.groups.n = 1; /* nothing came of it, and no agent told of it */
    finish_capacity(&w, 1000);
    says(&w, "No request of workload long ended ok in a window: the figures are without it. ");
    data.groups.n = 2;
    silent(&w, "workload short");
    longer->counters[GROUP_COUNT_WIN_OK] = 2;
    finish_capacity(&w, 1000);
    silent(&w, "workload long");
    groups_clear(&data.groups);
}

/* Lengths that were not got are said from a tenth on; a chat template's tokens are no fault. */
static void test_lengths(void **state)
{
    (void)state;
    static struct world w;
    struct plan_workload load = {.weight = 1};
    load.output_tokens = (struct dist){.kind = DIST_FIXED, .a = 20};
    load.input_tokens = (struct dist){.kind = DIST_FIXED, .a = 100};
    memset(&w, 0, sizeof w);
    w.plan.workloads = &load;
    w.plan.n_workloads = 1;
    for (uint32_t n = 1; n <= 4; n *= 2) {
        struct point *p = add(&w, n, 1);
        p->metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 5};
        p->metric[METRIC_INPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 130};
    }
    finish(&w, 1000);
    says(&w, "Answers had 5 tokens on average, 20 asked for. ");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].metric[METRIC_INPUT_TOKENS].mean = 80;
    finish(&w, 1000); /* a template only adds */
    says(&w, "Prompts had 80 tokens on average, 100 asked for. ");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].metric[METRIC_INPUT_TOKENS].mean = 130;
    finish(&w, 1000);
    assert_true(fabs(w.a.length.input.asked - 100) < 1e-9);
    load.prefix_tokens = 40; /* what prompts share is a part of them */
    finish(&w, 1000);
    assert_true(fabs(w.a.length.input.asked - 100) < 1e-9);
    w.plan.target.body = "{\"max_tokens\":5}"; /* what was asked for in truth, and came */
    finish(&w, 1000);
    silent(&w, "Answers had");
    w.plan.target.body = "{\"options\":{\"num_predict\":40}}";
    finish(&w, 1000);
    says(&w, "Answers had 5 tokens on average, 40 asked for in target.body. ");
    w.plan.target.body = "{\"max_tokens\":null}";
    finish_capacity(&w, 1000);
    says(&w, "Answers had 5 tokens on average, 20 in the plan, whose requests carry another limit or none. ");
    w.plan.target.body = NULL;
    silent(&w, "Prompts had");
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].metric[METRIC_OUTPUT_TOKENS].mean = 19;
        w.p[i].metric[METRIC_INPUT_TOKENS].mean = 250;
    }
    finish(&w, 1000);
    silent(&w, "Answers had");
    says(&w, "Prompts had 250 tokens on average, 100 asked for. ");
    load.image_count = 1;
    finish(&w, 1000);
    says(&w, "Prompts had 250 tokens on average, 100 of text asked for: usage counts pictures and sounds too. ");
    load.image_count = 0;
    w.plan.target.body = "{\"n\":2}"; /* two answers to each request */
    for (size_t i = 0; i < w.n; i++)
        w.p[i].metric[METRIC_OUTPUT_TOKENS].mean = 40;
    finish(&w, 1000);
    silent(&w, "Answers had");
    w.plan.target.body = NULL;
    static struct stage_data data;
    memset(&data, 0, sizeof data);
    data.counters[COUNTER_TOKENS] = 60;
    data.counters[COUNTER_EVENTS] = 200;
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].metric[METRIC_OUTPUT_TOKENS].mean = 6;
        w.p[i].data = &data;
    }
    finish_capacity(&w, 1000);
    says(&w, "Answers had 6 tokens by usage and 20 events with text on average, 20 tokens asked for. ");
}

/* Lengths that stand in a file, or that a conversation came to, are known request by request. */
static void test_lengths_of_file(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    struct plan_workload day = {.weight = 1, .source = SOURCE_TRACE, .data.trace = TRACE_AZURE};
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    w.plan.workloads = &day;
    w.plan.n_workloads = 1;
    data.counters[COUNTER_WIN_ASKED_OUT] = 800;
    data.counters[COUNTER_WIN_ASKED_IN] = 3000;
    for (uint32_t n = 1; n <= 4; n *= 2) {
        struct point *p = add(&w, n, 1);
        p->metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 16};
        p->metric[METRIC_INPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 50};
        p->data = &data;
    }
    finish(&w, 1000);
    says(&w, "Answers had 16 tokens on average, 80 asked for. Prompts had 50 tokens on average, 300 asked for. ");
    day.sessions.on = true; /* what was said before is a part of the prompt, and templates add to each message */
    finish(&w, 1000);
    says(&w, "Prompts had 50 tokens on average, 300 were sent: the server leaves a part of them out. ");
    data.counters[COUNTER_WIN_ASKED_IN] = 400;
    finish(&w, 1000);
    says(&w, "Answers had 16");
    silent(&w, "Prompts had");
    day = (struct plan_workload){.weight = 1, .source = SOURCE_DATASET};
    data.counters[COUNTER_WIN_GUESSED_IN] = 1; /* a text's tokens are guessed */
    data.counters[COUNTER_WIN_ASKED_IN] = 900;
    finish(&w, 1000);
    silent(&w, "Prompts had");
    data.counters[COUNTER_WIN_ASKED_IN] = 1100;
    finish(&w, 1000);
    says(&w, "Prompts had 50 tokens on average, 110 were sent: ");
    data.counters[COUNTER_WIN_GUESSED_IN] = 0; /* or the file says them, or the tokenizer */
    data.counters[COUNTER_WIN_ASKED_IN] = 900;
    finish(&w, 1000);
    silent(&w, "were sent");
    says(&w, "Prompts had 50 tokens on average, 90 by the data set. ");
    data.counters[COUNTER_WIN_ASKED_IN] = 100;
    w.plan.target.tokenizer.file = "t.json";
    finish(&w, 1000);
    says(&w, "Prompts had 50 tokens on average, 10 by target.tokenizer, without tools and what a chat template adds. ");
    memset(data.counters, 0, sizeof data.counters); /* a run of an older version */
    finish(&w, 1000);
    silent(&w, "tokens on average");
}

/* A data set that is passed again and again: a cache may answer what comes again. */
static void test_again(void **state)
{
    (void)state;
    static struct world w;
    static struct plan_workload set = {.source = SOURCE_DATASET};
    memset(&w, 0, sizeof w);
    for (uint32_t load = 1; load <= 4; load *= 2)
        add(&w, load, 1)->ledger.ok = 56;
    w.plan.workloads = &set, w.plan.n_workloads = 1;
    set.data.found.records = 100;
    finish(&w, 1000);
    silent(&w, "a cache may answer");
    set.data.found.records = 40;
    finish(&w, 1000);
    says(&w, "Each of the 40 records of the data set was asked for 4.2 times on average: where a prompt comes again, a "
             "cache may answer. ");
}

/* Where users go away, answers that ended are short ones, and had what was asked for. */
static void test_lengths_of_ended(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    struct plan_workload load = {.weight = 1};
    load.output_tokens = (struct dist){.kind = DIST_EXPONENTIAL, .a = 60};
    load.input_tokens = (struct dist){.kind = DIST_FIXED, .a = 100};
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    w.plan.workloads = &load;
    w.plan.n_workloads = 1;
    data.counters[COUNTER_WIN_ASKED_OUT] = 220, data.counters[COUNTER_WIN_ASKED_IN] = 500;
    for (uint32_t n = 1; n <= 4; n *= 2) {
        struct point *p = add(&w, n, 1);
        p->metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 22};
        p->metric[METRIC_INPUT_TOKENS] = (struct metric_stat){.count = 10, .mean = 50};
        p->data = &data;
    }
    finish(&w, 1000);
    says(&w, "Answers had 22 tokens on average, 60 asked for. Prompts had 50 tokens on average, 100 asked for. ");
    for (size_t i = 0; i < w.n; i++) /* the long ones are refused */
        w.p[i].window_failed = 300;
    finish(&w, 1000);
    says(&w,
         "Requests that ended well had asked for 22 output tokens on average, all of them for 60: figures are those "
         "of the shorter ones. Requests that ended well had asked for 50 input tokens on average, all of them for "
         "100: ");
    silent(&w, "Answers had");
    silent(&w, "Prompts had");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].window_failed = 0;
    w.plan.cancel_fraction = 1;
    finish(&w, 1000);
    says(&w, "had asked for 22 output tokens on average, all of them for 60: ");
    silent(&w, "Answers had");
    data.counters[COUNTER_WIN_ASKED_OUT] = 400; /* they were cut short all the same */
    finish(&w, 1000);
    says(&w, "Answers had 22 tokens on average, 40 asked for. ");
    memset(data.counters, 0, sizeof data.counters); /* a run of an older version */
    finish(&w, 1000);
    says(&w, "Answers had 22 tokens on average, 60 asked for. ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lengths), cmocka_unit_test(test_again),
                                       cmocka_unit_test(test_lengths_of_mix), cmocka_unit_test(test_lengths_of_file),
                                       cmocka_unit_test(test_lengths_of_ended)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
