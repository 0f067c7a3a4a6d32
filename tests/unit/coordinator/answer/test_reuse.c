/* More from the server's cache than prompts repeat. */
#include <string.h>

#include "coordinator/answer/reuse.h"
#include "tests/unit/verdict_world.h"

static const char *doubt(const struct world *w)
{
    static char words[REUSE_WORDS];
    return reuse_doubt(w->c, w->hist[METRIC_INPUT_TOKENS], &w->plan, words);
}

/* The prefix cache answers only what prompts share, or what was asked before. */
static void test_cache(void **state)
{
    (void)state;
    struct world w;
    struct plan_workload chat = {.prefix_tokens = 0};
    memset(&w, 0, sizeof w);
    w.plan.workloads = &chat;
    w.plan.n_workloads = 1;
    w.c[COUNTER_USAGE_REQUESTS] = 1000;
    w.hist[METRIC_INPUT_TOKENS] = hist_new();
    hist_record(w.hist[METRIC_INPUT_TOKENS], 256000, 1000); /* 256 tokens each */
    w.c[COUNTER_CACHED_TOKENS] = 32000;                     /* what the chat template makes alike */
    assert_null(doubt(&w));
    w.c[COUNTER_CACHED_TOKENS] = 32000 + 12800;
    w.c[COUNTER_CACHED_AGAIN] = 12800;
    assert_null(doubt(&w));
    w.c[COUNTER_CACHED_TOKENS] = 230400;
    w.c[COUNTER_CACHED_AGAIN] = 230400 - 32000;
    chat.prefix_tokens = 128; /* the plan wants it */
    assert_null(doubt(&w));
    chat.prefix_tokens = 0;
    assert_non_null(doubt(&w));
    assert_string_equal(doubt(&w), "the server answered 90 % of the input tokens from its prefix cache; prompts of "
                                   "an earlier run with the same seed? use --seed");
    chat.source = SOURCE_DATASET; /* its records are the same with every seed */
    assert_string_equal(doubt(&w), "the server answered 90 % of the input tokens from its prefix cache; are the "
                                   "data set's records sent more than once, or do they begin alike?");
    chat.sessions.on = true; /* a turn begins with all that was said before */
    assert_null(doubt(&w));
    static const struct {
        enum trace_format trace;
        bool doubted;
    } TRACES[] = {{TRACE_MOONCAKE, false}, /* blocks are shared as they were then */
                  {TRACE_WEKA, false},
                  {TRACE_AZURE, true},
                  {TRACE_BURSTGPT, true}};
    for (size_t i = 0; i < sizeof TRACES / sizeof TRACES[0]; i++) {
        chat = (struct plan_workload){.source = SOURCE_TRACE, .data.trace = TRACES[i].trace};
        assert_int_equal(doubt(&w) != NULL, TRACES[i].doubted);
    }
    world_clear(&w);
}

/* What prompts repeat by the plan is what a cache should answer; more than that is of an earlier run. */
static void test_cache_of_prefixes(void **state)
{
    (void)state;
    struct world w;
    struct plan_workload chat = {.prefix_tokens = 128, .prefix_groups = 1};
    memset(&w, 0, sizeof w);
    w.plan.workloads = &chat;
    w.plan.n_workloads = 1;
    w.c[COUNTER_OK] = w.c[COUNTER_USAGE_REQUESTS] = 1000;
    w.c[COUNTER_SENT_INPUT_TOKENS] = 1000000; /* by the plan; usage counts the template too */
    w.c[COUNTER_USAGE_INPUT_TOKENS] = 1030000;
    w.c[COUNTER_REPEATED_TOKENS] = 500000;
    w.c[COUNTER_CACHED_TOKENS] = 515000 + 30000 + 51000; /* the same part, templates, and almost 5 % */
    w.c[COUNTER_CACHED_AGAIN] = 515000 + 51000;
    assert_null(doubt(&w));
    w.c[COUNTER_CACHED_TOKENS] = 927000;
    w.c[COUNTER_CACHED_AGAIN] = 897000;
    assert_non_null(doubt(&w));
    assert_string_equal(doubt(&w), "the server answered 90 % of the input tokens from its prefix cache, and prompts "
                                   "repeat 50 %; prompts of an earlier run with the same seed? use --seed");
    w.c[COUNTER_SENT_INPUT_TOKENS] = 0; /* an earlier build did not count it */
    assert_null(doubt(&w));
    w.c[COUNTER_SENT_INPUT_TOKENS] = 1000000;
    chat.prefix_groups = 1000000; /* which of them each request draws is chance */
    chat.prefix_tokens = 16384;
    assert_null(doubt(&w));
    chat = (struct plan_workload){.source = SOURCE_TRACE, .data.trace = TRACE_BAILIAN};
    assert_non_null(doubt(&w));
    assert_non_null(strstr(doubt(&w), "; it still knew those of an earlier run? restart it, or empty its cache"));
    w.c[COUNTER_WIN_GUESSED_IN] = 1; /* possible is not exact */
    assert_null(doubt(&w));
    w.c[COUNTER_WIN_GUESSED_IN] = 0;
    chat.data.trace = TRACE_WEKA; /* trees may begin alike … */
    assert_null(doubt(&w));
    chat.data.marker = true; /* … unless each begins with words of its own */
    assert_non_null(doubt(&w));
    world_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache), cmocka_unit_test(test_cache_of_prefixes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
