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

/* Requests without a limit of output tokens: answers are as long as the server likes. */
static void test_no_length_asked(void **state)
{
    (void)state;
    static struct world w;
    static struct stage_data data;
    memset(&w, 0, sizeof w);
    memset(&data, 0, sizeof data);
    struct point *p = add(&w, 4, 1);
    p->data = &data;
    p->metric[METRIC_OUTPUT_TOKENS] = (struct metric_stat){.count = 100, .mean = 16};
    w.plan.target.api = API_OPENAI_COMPLETIONS;
    data.counters[COUNTER_WIN_OK] = 100;
    data.counters[COUNTER_WIN_UNASKED_OUT] = 9;
    finish_capacity(&w, 1000);
    silent(&w, "no length");
    data.counters[COUNTER_WIN_UNASKED_OUT] = 90;
    finish_capacity(&w, 1000);
    says(&w, "90 of 100 requests asked for no length: answers had 16 tokens on average, and servers of "
             "openai-completions end them at 16 where no limit is sent. ");
    p->metric[METRIC_OUTPUT_TOKENS].mean = 300;
    finish_capacity(&w, 1000);
    says(&w, "asked for no length: answers had 300 tokens on average, as many as model and server like. ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_length_asked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
