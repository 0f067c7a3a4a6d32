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

/* The share of a whole run is not that of a load: where others have another, it is said which. */
static void test_failed_at(void **state)
{
    (void)state;
    static struct world w;
    memset(&w, 0, sizeof w);
    for (uint32_t load = 1; load <= 16; load *= 2) {
        struct point *p = add(&w, load, 1);
        p->ledger.ok = 100;
    }
    w.p[3].ledger.failed[FAILURE_RESET] = 100;
    w.p[4].ledger.failed[FAILURE_RESET] = 300;
    finish(&w, 1000);
    says(&w,
         "400 of 900 requests failed (44.4 %; at loads 8, 16), none of those due after the warm-up, all by reset: ");
    says(&w, ", but 44.4 % of the whole run's requests were not answered well.");
    assert_true(w.a.bad_at.loads == 5 && w.a.bad_at.with == 2 && fabs(w.a.bad_at.most - 0.75) < 1e-9);
    for (size_t i = 0; i < 3; i++)
        w.p[i].ledger.failed[FAILURE_RESET] = 2;
    finish(&w, 1000);
    says(&w, "406 of 906 requests failed (44.8 %; from 1.96 % at load 1 to 75 % at load 16), ");
    w.p[0].ledger.failed[FAILURE_RESET] = 0;
    finish(&w, 1000);
    says(&w, "(44.7 %; at loads 2, 4, 8 and 1 more)");
    for (size_t i = 0; i < w.n; i++)
        w.p[i].ledger.failed[FAILURE_RESET] = 0;
    w.p[4].window_cut = w.p[4].window_unanswered = 50;
    finish(&w, 1000);
    says(&w, "50 of 5,050 requests due in the window got no answer (0.99 %; at load 16): ");
    w.p[3].window_cut = 1000; /* none of them is older than the slowest answer there */
    finish(&w, 1000);
    says(&w, "1,050 of 6,050 requests due in the window got no answer (17.4 %; at loads 8, 16): ");
    says(&w, "errors.rate counts 50 of them: ");
    says(&w, ", but 17.4 % of the whole run's requests were not answered well.");
    assert_true(w.a.bad_at.with == 2 && fabs(w.a.bad_at.most - 0.5) < 1e-9);
    w.p[3].window_cut = w.p[4].window_cut = 0;
    w.p[3].requested = w.p[2].requested = w.p[4].requested; /* runs of one load: their share is that of all three */
    w.p[2].ledger.failed[FAILURE_RESET] = 100;
    w.p[4].window_unanswered = 0;
    finish(&w, 1000);
    says(&w, "100 of 600 requests failed (16.7 %; at load 16), ");
    assert_true(fabs(w.a.bad_at.most - 0.25) < 1e-9);
    w.n = 1;
    w.p[0].ledger.failed[FAILURE_RESET] = 1;
    finish_capacity(&w, 1000);
    says(&w, "1 of 101 requests failed (0.99 %), ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_failed_at)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
