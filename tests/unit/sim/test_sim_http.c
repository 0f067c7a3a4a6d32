#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/http.h"

static const char POST[] = "POST /v1/chat/completions?x=1 HTTP/1.1\r\nHost: a\r\nAUTHORIZATION:  Bearer k \r\n"
                           "Content-Length: 5\r\nConnection: close\r\n\r\nhello";

/* The bytes in an allocation of exactly their size, so that a sanitizer sees a read past them. */
static long parse(const char *p, size_t n, struct sim_request *r)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, p, n);
    long got = sim_http_parse(copy, n, r);
    free(copy);
    return got;
}

static long parse_text(const char *text)
{
    struct sim_request r;
    return parse(text, strlen(text), &r);
}

static void reads_a_request(void **state)
{
    (void)state;
    struct sim_request r;
    assert_int_equal(sim_http_parse(POST, sizeof POST - 1, &r), sizeof POST - 1);
    assert_true(sim_slice_is(r.method, "POST"));
    assert_true(sim_slice_is(r.path, "/v1/chat/completions"));
    assert_true(sim_slice_is(r.authorization, "Bearer k"));
    assert_true(sim_slice_is(r.body, "hello"));
    assert_false(r.keep_alive);
}

static void is_incomplete_at_every_split(void **state)
{
    (void)state;
    struct sim_request r;
    for (size_t n = 0; n < sizeof POST - 1; n++)
        assert_int_equal(parse(POST, n, &r), 0);
}

static void takes_one_of_several(void **state)
{
    (void)state;
    static const char TWO[] = "GET /health HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\n\n";
    struct sim_request r;
    long first = parse(TWO, sizeof TWO - 1, &r);
    assert_int_equal(first, 24);
    assert_int_equal(sim_http_parse(TWO + first, sizeof TWO - 1 - (size_t)first, &r), sizeof TWO - 1 - (size_t)first);
    assert_true(sim_slice_is(r.path, "/metrics"));
    assert_true(r.keep_alive);
}

static void says_when_the_client_waits_for_continue(void **state)
{
    (void)state;
    static const char HEAD[] = "POST /v1/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    struct sim_request r;
    assert_int_equal(parse(HEAD, sizeof HEAD - 1, &r), 0);
    assert_true(r.wants_continue);
    assert_int_equal(parse(HEAD, sizeof HEAD - 3, &r), 0);
    assert_false(r.wants_continue); /* its head is not whole yet */
}

static void refuses_what_it_does_not_take(void **state)
{
    (void)state;
    assert_int_equal(parse_text("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), -411);
    assert_int_equal(parse_text("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), -400);
    assert_int_equal(parse_text("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), -400);
    assert_int_equal(parse_text("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"), -413);
    assert_int_equal(parse_text("GET / HTTP/1.0\r\n\r\n"), -505);
    assert_int_equal(parse_text("GET /\r\n\r\n"), -400);
    assert_int_equal(parse_text("\x16\x03\x01\r\n\r\n"), -400); /* TLS */
    assert_int_equal(parse_text("GET / HTTP/1.1\r\nno colon\r\n\r\n"), -400);
    assert_int_equal(parse_text("GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n"), -400);
}

static void bounds_the_head(void **state)
{
    (void)state;
    size_t n = SIM_HEAD_MAX + 100;
    char *p = malloc(n);
    assert_non_null(p);
    memset(p, 'a', n);
    memcpy(p, "GET / HTTP/1.1\r\nX: ", 19);
    struct sim_request r;
    assert_int_equal(sim_http_parse(p, SIM_HEAD_MAX, &r), 0);
    assert_int_equal(sim_http_parse(p, n, &r), -431);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_request),
        cmocka_unit_test(is_incomplete_at_every_split),
        cmocka_unit_test(takes_one_of_several),
        cmocka_unit_test(says_when_the_client_waits_for_continue),
        cmocka_unit_test(refuses_what_it_does_not_take),
        cmocka_unit_test(bounds_the_head),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
