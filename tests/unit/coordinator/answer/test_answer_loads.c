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

/* A load that a search asked for twice: what one run of it gave does not deny the other. */
static void test_load_twice(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 8, 1);
    w.plan.search.goal = SEARCH_PLATEAU;
    w.run.plan = &w.plan;
    w.p[w.n++] = w.p[1]; /* load 2 again */
    w.p[w.n - 1].window_ok = 0;
    w.a.search = (struct search_outcome){.nothing_load = 2, .loads = 4, .runs = (uint32_t)w.n};
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "Of 2 runs that asked for 2 concurrent requests, 1 had no request due in the window that ended ok.");
    silent(&w, "At 2 concurrent requests no request");
    w.p[w.n] = w.p[1]; /* and a third time, when the run was interrupted: the search was not told of it */
    answer_words(&w.plan, w.p, w.n + 1, &w.a);
    says(&w, "Of 2 runs that asked for 2 concurrent requests, 1 had no request due in the window that ended ok.");
    w.p[1].window_ok = 0;
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "At 2 concurrent requests no request due in the window ended ok.");
}

/* The search went down from its first load, or nowhere: that says nothing of the loads above it. */
static void test_search_at_from(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 8, 1);
    finish_capacity(&w, 0);
    w.plan.search = (struct plan_search){.goal = SEARCH_SLO, .from = 8, .to = 64};
    w.a.search = (struct search_outcome){
        .over = true, .failed_load = 8, .nothing_load = NAN, .low_load = NAN, .loads = 1, .runs = 2};
    w.a.has_slo = false;
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w,
         "they are broken at 8 concurrent requests, where the search began, so that no higher load was tried. A lower "
         "load.search.from may find one that keeps them. ");
    w.plan.search.from = w.a.search.failed_load = 1; /* there is no lower one */
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "they are broken at 1 concurrent request, where the search began, so that no higher load was tried. ");
    silent(&w, "lower load.search.from");
    w.a.search.failed_load = 4;
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "they are broken at 4 concurrent requests. ");
}

/* A search judges a load by all its runs, and figures are of runs that agree. */
static void test_found_and_apart(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 8, 1);
    finish_capacity(&w, 0);
    w.plan.search = (struct plan_search){.goal = SEARCH_SLO, .from = 1, .to = 64};
    w.a.search = (struct search_outcome){.over = true,
                                         .found = true,
                                         .confirmed = true,
                                         .load = 8,
                                         .failed_load = 9,
                                         .nothing_load = NAN,
                                         .low_load = NAN};
    w.a.has_slo = false;
    w.a.loads_apart = 1;
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "The search found 8 concurrent requests: the runs of that load together keep the limits, and are apart");
    silent(&w, "No load tried");
    w.a.loads_apart = 0;
    answer_words(&w.plan, w.p, w.n, &w.a);
    says(&w, "keep the limits, and none of them has a valid and steady window. ");
}

/* The share of the whole run that failed is not that of the load which the answer names. */
static void test_failed_at_the_slo(void **state)
{
    (void)state;
    static struct world w;
    sweep(&w, 8, 1);
    for (size_t i = 0; i < w.n; i++) {
        w.p[i].window_failed = w.p[i].requested.concurrency == 8 ? 111 : 1;
        w.p[i].ledger.ok = 1000;
        w.p[i].ledger.failed[COUNTER_FAILED_RESET - COUNTER_FAILED_FIRST] = w.p[i].window_failed;
    }
    finish_capacity(&w, 8);
    says(&w, " at 8 concurrent requests, where 9.99 % of the requests were not answered well");
    for (size_t i = 0; i < w.n; i++)
        if (w.p[i].requested.concurrency == 8)
            w.p[i].window_failed = w.p[i].ledger.failed[COUNTER_FAILED_RESET - COUNTER_FAILED_FIRST] = 1;
    finish_capacity(&w, 8);
    silent(&w, "where ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_load_twice), cmocka_unit_test(test_search_at_from),
                                       cmocka_unit_test(test_found_and_apart),
                                       cmocka_unit_test(test_failed_at_the_slo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
