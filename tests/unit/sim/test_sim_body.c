#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/body.h"

static int scan(const char *text, struct sim_body *b)
{
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1); /* flush: a sanitizer sees a read past it */
    assert_non_null(copy);
    memcpy(copy, text, n);
    struct err e;
    int got = sim_body_scan(copy, n, b, &e);
    free(copy);
    return got;
}

static void reads_a_chat_request(void **state)
{
    (void)state;
    struct sim_body b;
    assert_int_equal(scan("{\"model\":\"m\", \"messages\":[{\"role\":\"system\",\"content\":\"12345678\"},"
                          "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"1\\n\\u00e945678\"}]}],"
                          "\"max_completion_tokens\":17,\"stream\":true,"
                          "\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":false},"
                          "\"metadata\":{\"stream\":false,\"prompt\":\"not this one\",\"n\":[1,-2.5e3,null]}}",
                          &b),
                     0);
    assert_true(b.has_messages && b.stream && b.include_usage);
    assert_false(b.has_prompt || b.continuous_usage);
    assert_int_equal(b.max_tokens, 17);
    assert_string_equal(b.model, "m");
    assert_int_equal(b.prompt_chars, 8 + 8);
    assert_int_equal(sim_body_prompt_tokens(&b, 1, 0), 4);
}

static void reads_a_completions_request(void **state)
{
    (void)state;
    struct sim_body b;
    assert_int_equal(scan("{\"prompt\":\"123456789\"}", &b), 0);
    assert_true(b.has_prompt && !b.stream && !b.has_max_tokens);
    assert_int_equal(sim_body_prompt_tokens(&b, 1, 0), 3); /* rounded up */
    assert_int_equal(scan("{\"prompt\":[1,2,3,4,5],\"max_tokens\":2}", &b), 0);
    assert_int_equal(sim_body_prompt_tokens(&b, 1, 0), 5); /* token ids */
    assert_int_equal(scan("{\"prompt\":\"\"}", &b), 0);
    assert_int_equal(sim_body_prompt_tokens(&b, 1, 0), 1); /* at least one */
}

static void takes_no_odd_number_of_tokens(void **state)
{
    (void)state;
    struct sim_body b;
    const char *const ODD[] = {"{\"max_tokens\":-5}", "{\"max_tokens\":1.5}", "{\"max_tokens\":0}"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(scan(ODD[i], &b), 0);
        assert_true(b.has_max_tokens && b.max_tokens == 0); /* the route answers 400 */
    }
    assert_int_equal(scan("{\"max_tokens\":99999999999999999999999}", &b), 0);
    assert_true(b.max_tokens > 1000000000);
}

static void refuses_what_is_no_json(void **state)
{
    (void)state;
    struct sim_body b;
    const char *const BAD[] = {
        "",      "{",    "[1]",        "{\"a\":}",  "{\"a\" 1}",    "{\"a\":1,}",     "{\"a\":1}x",
        "{a:1}", "{\"a", "{\"a\":tru", "{\"a\":[1", "{\"a\":\"b\\", "{\"a\":\"\\u12", "{\"a\":\"\n\"}"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(scan(BAD[i], &b), -1);
}

static void refuses_every_cut(void **state)
{
    (void)state;
    static const char WHOLE[] =
        "{\"model\":\"m\",\"messages\":[{\"content\":\"a\\u0041\\\"\"}],\"stream\":true,\"max_tokens\":12}";
    struct sim_body b;
    char cut[sizeof WHOLE];
    assert_int_equal(scan(WHOLE, &b), 0);
    for (size_t n = 0; n < sizeof WHOLE - 1; n++) {
        memcpy(cut, WHOLE, n);
        cut[n] = 0;
        assert_int_equal(scan(cut, &b), -1);
    }
}

static void bounds_nesting(void **state)
{
    (void)state;
    struct sim_body b;
    char deep[2048] = "{\"a\":";
    size_t n = strlen(deep);
    memset(deep + n, '[', 500);
    memset(deep + n + 500, ']', 500);
    deep[n + 1000] = '}';
    assert_int_equal(scan(deep, &b), -1);
}

static void keeps_only_a_model_name_that_is_safe_to_repeat(void **state)
{
    (void)state;
    struct sim_body b;
    assert_int_equal(scan("{\"model\":\"a\\\"b\"}", &b), 0);
    assert_string_equal(b.model, "");
    char text[300] = "{\"model\":\"";
    memset(text + strlen(text), 'x', 200);
    memcpy(text + strlen(text), "\"}", 3);
    assert_int_equal(scan(text, &b), 0);
    assert_int_equal(strlen(b.model), sizeof b.model - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_chat_request),
        cmocka_unit_test(reads_a_completions_request),
        cmocka_unit_test(takes_no_odd_number_of_tokens),
        cmocka_unit_test(refuses_what_is_no_json),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(bounds_nesting),
        cmocka_unit_test(keeps_only_a_model_name_that_is_safe_to_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
