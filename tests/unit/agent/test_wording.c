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
    wording_begin(&w, false);
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
    wording_begin(&w, false);
    assert_true(wording_wants(&w, &a, FAILURE_HTTP_4XX)); /* of each stage */
}

/* What headers say of limits stands before the words of a failure by status, of its own request only. */
static void test_limits(void **state)
{
    (void)state;
    static struct failure_sample s;
    static const char *const HEADERS[][2] = {{"Date", "now"},
                                             {"Retry-After", "2"},
                                             {"X-RateLimit-Remaining-Requests", "0"},
                                             {"x-envoy-ratelimited", "true of sk-very-secret"}};
    wording_begin(&w, false);
    for (int k = 0; k < 4; k++)
        wording_header(&w, &b, HEADERS[k][0], strlen(HEADERS[k][0]), HEADERS[k][1], strlen(HEADERS[k][1]));
    wording_hear(&w, &a, "slow", 4);
    s = (struct failure_sample){.label = FAILURE_HTTP_429, .status = 429};
    wording_take(&w, &a, KEY, 1, NULL, &s);
    assert_string_equal(s.text, "slow");
    static const char *const GRPC[][2] = {{"grpc-status", "14"}, {"grpc-message", "upstream is gone"}};
    for (int k = 0; k < 2; k++)
        wording_header(&w, &a, GRPC[k][0], strlen(GRPC[k][0]), GRPC[k][1], strlen(GRPC[k][1]));
    s = (struct failure_sample){.label = FAILURE_STREAM_ERROR, .status = 200};
    wording_take(&w, &a, KEY, 1, NULL, &s);
    assert_string_equal(s.text, "[grpc-status: 14, grpc-message: upstream is gone]");
    for (int k = 0; k < 4; k++)
        wording_header(&w, &b, HEADERS[k][0], strlen(HEADERS[k][0]), HEADERS[k][1], strlen(HEADERS[k][1]));
    wording_hear(&w, &b, "down", 4);
    s = (struct failure_sample){.label = FAILURE_HTTP_5XX, .status = 503};
    wording_take(&w, &b, KEY, 1, NULL, &s);
    assert_string_equal(s.text,
                        "[Retry-After: 2, X-RateLimit-Remaining-Requests: 0, x-envoy-ratelimited: true of ***] down");
    wording_header(&w, &b, "Location", 8, "https://other.test/v1", 21); /* where a redirect leads */
    s = (struct failure_sample){.label = FAILURE_HTTP_3XX, .status = 308};
    wording_take(&w, &b, KEY, 1, NULL, &s);
    assert_string_equal(s.text, "[Location: https://other.test/v1]");
    char far[240] = "https://other.test/";
    memset(far + strlen(far), 'a', 160);
    wording_header(&w, &b, "Location", 8, far, strlen(far));
    s = (struct failure_sample){.label = FAILURE_HTTP_3XX, .status = 307};
    wording_take(&w, &b, KEY, 1, NULL, &s);
    assert_non_null(strstr(s.text, far)); /* not cut: it is where to go */
    /* what tells of an error, of any failure, and before the rest */
    static const char *const ERRORS[][2] = {{"retry-after", "7"},
                                            {"x-error-code", "0"},
                                            {"x-stream-error", "engine sk-very-secret\x1b died"},
                                            {"grpc-status", "0"},
                                            {"X-Amzn-ErrorType", "ModelError"}};
    static const struct {
        enum failure label;
        uint32_t status;
        const char *text;
    } failed[] = {
        {FAILURE_TRUNCATED, 200, "[x-stream-error: engine *** died, X-Amzn-ErrorType: ModelError] cut: a"},
        {FAILURE_HTTP_5XX, 500, "[x-stream-error: engine *** died, X-Amzn-ErrorType: ModelError, retry-after: 7] a"},
    };
    for (size_t i = 0; i < 2; i++) {
        for (int k = 0; k < 5; k++)
            wording_header(&w, &b, ERRORS[k][0], strlen(ERRORS[k][0]), ERRORS[k][1], strlen(ERRORS[k][1]));
        wording_hear(&w, &b, "a", 1);
        s = (struct failure_sample){.label = failed[i].label, .status = failed[i].status};
        wording_take(&w, &b, KEY, 1, i ? NULL : "cut", &s);
        assert_string_equal(s.text, failed[i].text);
    }
    wording_header(&w, &b, "retry-after", 11, "7", 1);
    s = (struct failure_sample){.label = FAILURE_STREAM_ERROR, .status = 200};
    wording_take(&w, &b, KEY, 1, NULL, &s);
    assert_string_equal(s.text, "");
}

/* What was heard before the event by which a stream failed is no error. */
static void test_event(void **state)
{
    static const char ERROR[] = "{\"error\":{\"message\":\"out of memory\"}}";
    (void)state;
    wording_begin(&w, false);
    wording_hear(&w, &a, "before", 6);
    wording_hear_event(&w, &a, ERROR, sizeof ERROR - 1);
    assert_string_equal(taken(&a, FAILURE_STREAM_ERROR, NULL), ERROR);
}

#define JOB                                                                                                            \
    "the server only took the request (status 202), as a job to be asked for later, and plateau wants the answer on "  \
    "the same connection"

/* `malformed` alone is no reason: the agent says what came instead, then shows what can be read of it. */
static void test_odd(void **state)
{
    static const struct {
        enum failure label;
        uint32_t status;
        const char *heard;
        size_t n;
        const char *why, *text;
    } rows[] = {
        {FAILURE_MALFORMED, 200, "<!DOCTYPE html><p>Sign in", 25, NULL,
         "an HTML page: is target.url that of the API?: <!DOCTYPE html><p>Sign in"},
        {FAILURE_MALFORMED, 200, "\x1f\x8b\x08\x00\x01\x80\x90\xff", 8, NULL,
         "a body compressed with gzip, which nobody asked for"},
        {FAILURE_MALFORMED, 200, "\x1f\x8b\x08\x00\x01\x80\x90\xff", 8, "the body has a Content-Encoding",
         "the body has a Content-Encoding"},
        {FAILURE_MALFORMED, 200, "{\"a\":NaN}", 9, "an event with NaN in it", "an event with NaN in it: {\"a\":NaN}"},
        {FAILURE_MALFORMED, 200, NULL, 0, "a second Transfer-Encoding", "a second Transfer-Encoding"},
        {FAILURE_MALFORMED, 0, "\x15\x03\x01\x00\x02\x02\x46", 7, "no HTTP/1 answer",
         "TLS is spoken there, and the URL says http: write https:// into target.url"},
        {FAILURE_MALFORMED, 0, "SSH-2.0-x\r\n", 11, "no HTTP/1 answer",
         "an SSH server: is the port of target.url right?: SSH-2.0-x"},
        {FAILURE_MALFORMED, 0, NULL, 0, "no HTTP/2 is spoken there", "no HTTP/2 is spoken there"},
        {FAILURE_EMPTY, 204, NULL, 0, "no body", "no body"},
        {FAILURE_MALFORMED, 202, "{\"job\":7}", 9, NULL, JOB ": {\"job\":7}"},
        {FAILURE_EMPTY, 202, NULL, 0, "no body", JOB},
        {FAILURE_TRUNCATED, 202, NULL, 0, "no end marker", "no end marker"},
        {FAILURE_TRUNCATED, 200, ": ping\n\n", 8, "no event", "no event: : ping"},
        {FAILURE_TRUNCATED, 200, "\n\n", 2, "no event", "no event"},
        {FAILURE_TRUNCATED, 200, NULL, 0, NULL, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct failure_sample s = {.label = rows[i].label, .status = rows[i].status};
        wording_begin(&w, false);
        if (rows[i].heard) wording_hear(&w, &a, rows[i].heard, rows[i].n);
        wording_take(&w, &a, KEY, 1, rows[i].why, &s);
        assert_string_equal(s.text, rows[i].text);
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
        wording_begin(&w, false);
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
    wording_begin(&w, false);
    wording_hear(&w, &a, "the key sk-very-s", 17);
    assert_string_equal(taken(&a, FAILURE_RESET, NULL), "the key");
    wording_begin(&w, false);
    wording_hear_event(&w, &a, "-secret is invalid, error", 25);
    assert_string_equal(taken(&a, FAILURE_STREAM_ERROR, NULL), "******* is invalid, error");
    wording_begin(&w, false);
    wording_hear(&w, &a, "tasks", 5); /* fewer than 4 characters are any word's */
    assert_string_equal(taken(&a, FAILURE_HTTP_5XX, NULL), "tasks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_a_secret), cmocka_unit_test(test_body),
                                       cmocka_unit_test(test_limits),        cmocka_unit_test(test_event),
                                       cmocka_unit_test(test_odd),           cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
