/* Hit rates side by side, in numbers and in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "coordinator/answer/cache_hits.h"
#include "coordinator/answer/reuse.h"

#define REPEAT "Prompts repeat 63.5 % of their input tokens (what one prefix cache without a limit could answer); "

static void test_words(void **state)
{
    (void)state;
    static const struct {
        struct cache_hits h;
        const char *words;
    } ROWS[] = {
        {{NAN, 0.5, 0.5, true, false}, ""},
        {{0, NAN, NAN, true, false}, ""},
        {{0.635, 0.612, 0.64, true, false},
         REPEAT "the server's usage says 61.2 % came from its cache, its metrics page 64 %. "},
        {{0.635, 0.612, NAN, true, false}, REPEAT "the server's usage says 61.2 % came from its cache. "},
        {{0.635, NAN, 0.64, true, false},
         REPEAT "the server's metrics page says 64 % came from its cache, its usage names none. "},
        {{0.635, NAN, NAN, true, false}, REPEAT "the server reports no cached tokens. "},
        {{0.635, 0.3, 0.9, true, false},
         REPEAT
         "the server's usage says 30 % came from its cache, its metrics page 90 %. That is less than half of it: "
         "the cache is off, or too small for these prompts, or each of several servers has its own. "},
        {{0.635, NAN, 0, true, false},
         REPEAT
         "the server's metrics page says 0 % came from its cache, its usage names none. That is less than half of "
         "it: the cache is off, or too small for these prompts, or each of several servers has its own. "},
        {{0.635, NAN, 0.8, true, false},
         REPEAT
         "the server's metrics page says 80 % came from its cache, its usage names none. That is more: prompts of "
         "an earlier run were still in it, or others ask the server too. "},
        {{0.635, NAN, 0.8, false, false},
         REPEAT "the server's metrics page says 80 % came from its cache, its usage names none. "},
        {{0.187, 0.472, NAN, false, true},
         "Prompts repeat at least 18.7 % of their input tokens (what one prefix cache without a limit could answer); "
         "the server's usage says 47.2 % came from its cache. "},
    };
    char words[CACHE_HITS_WORDS];
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        assert_string_equal(cache_hits_words(&ROWS[i].h, words), ROWS[i].words);
}

/* Stages count by their tokens; a stage of an earlier build is not known, and a plan that repeats nothing has no
 * possible rate. */
static void test_numbers(void **state)
{
    (void)state;
    static struct stage_data data[3];
    static struct point p[3];
    struct plan_workload load = {.prefix_tokens = 8, .prefix_groups = 1};
    struct plan plan = {.workloads = &load, .n_workloads = 1};
    struct cache_hits h;
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t *c = data[i].counters;
        p[i].data = &data[i];
        c[COUNTER_SENT_INPUT_TOKENS] = 1000 + 2000 * i;
        c[COUNTER_REPEATED_TOKENS] = 800;
        c[COUNTER_USAGE_INPUT_TOKENS] = 1200 + 2000 * i;
        c[COUNTER_CACHED_TOKENS] = 440;
        p[i].server = (struct point_server){.any = true, .window = {.prefix_queries = 1000 + 1000 * i}};
        p[i].server.window.prefix_hit_rate = 0.3 + 0.3 * i;
    }
    data[2].uncounted[COUNTER_REPEATED_TOKENS] = true;
    cache_hits_compute(&plan, p, 3, &h);
    assert_true(fabs(h.possible - 1600.0 / 4000) < 1e-9);
    assert_true(fabs(h.usage - 880.0 / 4400) < 1e-9);
    assert_true(fabs(h.page - (0.3 * 1000 + 0.6 * 2000) / 3000) < 1e-9);
    assert_true(h.exact);
    p[1].server.any = false;
    data[0].counters[COUNTER_CACHED_TOKENS] = data[1].counters[COUNTER_CACHED_TOKENS] = 0;
    cache_hits_compute(&plan, p, 3, &h);
    assert_true(isnan(h.usage) && fabs(h.page - 0.3) < 1e-9);
    load.prefix_tokens = 0;
    cache_hits_compute(&plan, p, 3, &h);
    assert_true(isnan(h.possible));
    cache_hits_compute(NULL, p, 3, &h);
    assert_true(isnan(h.possible) && isnan(h.page));
}

/* What repeats by the plan's will. */
static void test_planned(void **state)
{
    (void)state;
    assert_false(reuse_planned(&(struct plan_workload){.source = SOURCE_SYNTHETIC}));
    assert_true(reuse_planned(&(struct plan_workload){.prefix_tokens = 1}));
    assert_true(reuse_planned(&(struct plan_workload){.sessions.on = true}));
    assert_false(reuse_planned(&(struct plan_workload){.source = SOURCE_DATASET}));
    assert_false(reuse_planned(&(struct plan_workload){.source = SOURCE_TRACE, .data.trace = TRACE_AZURE}));
    assert_true(reuse_planned(&(struct plan_workload){.source = SOURCE_TRACE, .data.trace = TRACE_MOONCAKE}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_planned)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
