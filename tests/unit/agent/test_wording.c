/* The server's own words about the first failure of each label: whose they are, which line, what is cut out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/wording.h"

static struct wording w;
static int a, b; /* two requests */
static const struct wording_secret KEY[] = {{"sk-very-secret", 14}};

static const char *taken(const void *who, enum failure label, const char *why)
{
    static struct failure_sample s;
    s = (struct failure_sample){.label = label};
    wording_take(&w, who, KEY, 1, why, &s);
    return s.text;
}

static void test_body(void **state)
{
    (void)state;
    wording_begin(&w);
    assert_true(wording_wants(&w, &a, FAILURE_HTTP_4XX));
    wording_hear(&w, &a, "{\"error\": \"no such", 18);
    wording_hear(&w, &b, "of another", 10); /* one at a time */
    wording_hear(&w, &a, " key: sk-very-secret\"}", 22);
    assert_string_equal(taken(&b, FAILURE_HTTP_4XX, NULL), "");
    assert_true(wording_wants(&w, &a, FAILURE_HTTP_4XX)); /* there is one, without words */
    assert_false(wording_wants(&w, &b, FAILURE_HTTP_4XX));
    assert_string_equal(taken(&a, FAILURE_HTTP_4XX, "not this"), "{\"error\": \"no such key: ***\"}");
    assert_false(wording_wants(&w, &a, FAILURE_HTTP_4XX));
    assert_true(wording_wants(&w, &a, FAILURE_RESET));
    assert_string_equal(taken(&a, FAILURE_RESET, "broken pipe"), "broken pipe");
    wording_begin(&w);
    assert_true(wording_wants(&w, &a, FAILURE_HTTP_4XX)); /* of each stage */
}

static void test_line(void **state)
{
    static const char *const READS[] = {
        "data: {\"choices\":[]}\n\ndata: {\"error\":{\"message\":\"out of memory\"}}\n\ndata: [DONE]\n\n",
        "data: x\n\nevent: error\ndata: {\"error\":{\"message\":\"out of memory\"}}\n\n",
        "data:{\"error\":{\"message\":\"out of memory\"}}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof READS / sizeof *READS; i++) {
        wording_begin(&w);
        wording_hear(&w, &a, "before", 6);
        wording_hear_stream(&w, &a, READS[i], strlen(READS[i]));
        assert_string_equal(taken(&a, FAILURE_STREAM_ERROR, NULL), "{\"error\":{\"message\":\"out of memory\"}}");
    }
}

/* A secret that is cut by the end of the buffer is not shown by half. */
static void test_cut(void **state)
{
    char body[sizeof w.bytes + 100];
    (void)state;
    for (size_t at = 0; at <= 20; at++) {
        memset(body, ' ', sizeof body);
        memcpy(body, "Sorry", 5);
        memcpy(body + sizeof w.bytes - at, KEY[0].text, KEY[0].n);
        wording_begin(&w);
        wording_hear(&w, &a, body, sizeof body);
        const char *text = taken(&a, FAILURE_HTTP_5XX, NULL);
        assert_null(strstr(text, "sk-"));
        assert_int_equal(strncmp(text, "Sorry", 5), 0);
    }
}

/* A secret that a read or a break has cut in two is a secret still. */
static void test_half_a_secret(void **state)
{
    (void)state;
    wording_begin(&w);
    wording_hear(&w, &a, "the key sk-very-s", 17);
    assert_string_equal(taken(&a, FAILURE_RESET, NULL), "the key");
    wording_begin(&w);
    wording_hear_stream(&w, &a, "-secret is invalid, error", 25);
    assert_string_equal(taken(&a, FAILURE_STREAM_ERROR, NULL), "******* is invalid, error");
    wording_begin(&w);
    wording_hear(&w, &a, "tasks", 5); /* fewer than 4 characters are any word's */
    assert_string_equal(taken(&a, FAILURE_HTTP_5XX, NULL), "tasks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_a_secret), cmocka_unit_test(test_body),
                                       cmocka_unit_test(test_line), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
