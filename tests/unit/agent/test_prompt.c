#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/prompt.h"

static void test_form(void **state)
{
    (void)state;
    for (uint32_t tokens = 1; tokens < 40; tokens++) {
        char *text = malloc(PROMPT_CHARS(tokens)); /* no byte more: a sanitizer sees the rest */
        assert_non_null(text);
        prompt_write(text, tokens, tokens / 3, 1, 2);
        for (size_t i = 0; i < PROMPT_CHARS(tokens); i++) {
            char c = text[i];
            if (i + 1 == PROMPT_CHARS(tokens))
                assert_int_equal(c, '.');
            else if (i % 4 == 3)
                assert_int_equal(c, ' ');
            else
                assert_in_range(c, 'a', 'z');
        }
        free(text);
    }
}

static void test_prefix(void **state)
{
    (void)state;
    char a[400], b[400];
    prompt_write(a, 100, 64, 9, 1);
    prompt_write(b, 100, 64, 9, 2);
    assert_memory_equal(a, b, PROMPT_CHARS(64));
    assert_memory_not_equal(a + PROMPT_CHARS(64), b + PROMPT_CHARS(64), PROMPT_CHARS(8));
    prompt_write(b, 100, 64, 10, 1);
    assert_memory_not_equal(a, b, PROMPT_CHARS(8));
    assert_memory_equal(a + PROMPT_CHARS(64), b + PROMPT_CHARS(64), PROMPT_CHARS(36));
    prompt_write(a, 100, 1000, 9, 1); /* a prefix is no longer than the prompt */
    prompt_write(b, 100, 100, 9, 2);
    assert_memory_equal(a, b, 400);
}

static struct plan_workload loads[2];
static struct plan_model models[2] = {{"base", 3}, {"lora", 1}};

static struct plan make_plan(uint32_t prefix_tokens, uint32_t groups)
{
    loads[0] = (struct plan_workload){.name = "a", .weight = 3, .input_tokens = {.a = 64}, .output_tokens = {.a = 10}};
    loads[1] = (struct plan_workload){.name = "b", .weight = 1, .input_tokens = {.a = 128}, .output_tokens = {.a = 20}};
    for (int i = 0; i < 2; i++) {
        loads[i].prefix_tokens = prefix_tokens;
        loads[i].prefix_groups = groups;
    }
    return (struct plan){
        .seed = 5, .target = {.models = models, .n_models = 2, .body = "{}"}, .workloads = loads, .n_workloads = 2};
}

#define N 20000
static char first[N][33];

static int by_text(const void *a, const void *b)
{
    return memcmp(a, b, 33);
}

/* How many of N requests, over two parts and two stages, begin with the same eight words as another. */
static uint32_t same_beginnings(const struct plan *p)
{
    for (uint32_t which = 0; which < 4; which++) {
        struct workload *w = workload_new(p, 100 + which / 2, which % 2, NULL);
        assert_non_null(w);
        for (uint32_t i = 0; i < N / 4; i++) {
            struct dialect_request spec;
            uint32_t input;
            assert_int_equal(workload_next(w, i, &spec, &input), 0);
            memcpy(first[which * (N / 4) + i], spec.messages[0].text, 32);
        }
        workload_destroy(&w);
        assert_null(w);
    }
    qsort(first, N, sizeof first[0], by_text);
    uint32_t same = 0;
    for (uint32_t i = 1; i < N; i++)
        same += memcmp(first[i], first[i - 1], 32) == 0;
    return same;
}

static void test_every_prompt_is_new(void **state)
{
    (void)state;
    struct plan p = make_plan(0, 0);
    assert_int_equal(same_beginnings(&p), 0);
}

static void test_shared_prefixes(void **state)
{
    (void)state;
    struct plan p = make_plan(16, 8);
    assert_int_equal(same_beginnings(&p),
                     N - 2 * 8); /* eight groups of each workload, the same in all stages and parts */
}

static void test_repeatable_and_weighted(void **state)
{
    (void)state;
    struct plan p = make_plan(0, 0);
    struct workload *a = workload_new(&p, 1, 2, NULL), *b = workload_new(&p, 1, 2, NULL);
    struct workload *other = workload_new(&p, 1, 3, NULL);
    uint32_t first_load = 0, base = 0, alike = 0;
    for (uint64_t i = 0; i < 4000; i++) {
        struct dialect_request x, y;
        uint32_t in_x, in_y;
        assert_int_equal(workload_next(a, i * 1000003, &x, &in_x), 0);
        assert_int_equal(workload_next(b, i * 1000003, &y, &in_y), 0);
        assert_int_equal(in_x, in_y);
        assert_int_equal(x.output_tokens, y.output_tokens);
        assert_string_equal(x.model, y.model);
        assert_string_equal(x.body, "{}");
        assert_int_equal(x.n_messages, 1);
        assert_string_equal(x.messages[0].role, "user");
        assert_int_equal(x.messages[0].len, PROMPT_CHARS(in_x));
        assert_memory_equal(x.messages[0].text, y.messages[0].text, x.messages[0].len);
        assert_true((in_x == 64 && x.output_tokens == 10) || (in_x == 128 && x.output_tokens == 20));
        assert_int_equal(workload_next(other, i * 1000003, &y, &in_y), 0);
        alike += in_x == in_y;
        first_load += in_x == 64;
        base += strcmp(x.model, "base") == 0;
    }
    assert_in_range(first_load, 2850, 3150); /* three in four, ± 5 sd */
    assert_in_range(base, 2850, 3150);
    assert_in_range(alike, 2300, 2700); /* another part draws its own: 9/16 + 1/16 */
    workload_destroy(&a);
    workload_destroy(&b);
    workload_destroy(&other);
}

static void test_lengths_are_bounded(void **state)
{
    (void)state;
    struct plan p = make_plan(0, 0);
    p.target.n_models = 0;
    p.n_workloads = 1;
    loads[0].input_tokens = (struct dist){.kind = DIST_NORMAL, .a = 3, .b = 10}; /* often below nought */
    loads[0].output_tokens = (struct dist){.a = 1e30};
    struct workload *w = workload_new(&p, 1, 2, NULL);
    struct dialect_request spec;
    uint32_t input;
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(workload_next(w, i, &spec, &input), 0);
        assert_in_range(input, 1, 100);
        assert_int_equal(spec.output_tokens, PROMPT_TOKENS_MAX);
        assert_null(spec.model);
    }
    loads[0].input_tokens = (struct dist){.a = 1e30};
    assert_int_equal(workload_next(w, 1, &spec, &input), 0);
    assert_int_equal(spec.messages[0].len, PROMPT_CHARS(PROMPT_TOKENS_MAX));
    workload_destroy(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_prefix),
        cmocka_unit_test(test_every_prompt_is_new),
        cmocka_unit_test(test_shared_prefixes),
        cmocka_unit_test(test_repeatable_and_weighted),
        cmocka_unit_test(test_lengths_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
