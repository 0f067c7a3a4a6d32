#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/failure_sample.h"
#include "common/text.h"

static struct failure_sample sample(enum failure label, int64_t at, const char *text)
{
    struct failure_sample s = {.label = label, .status = 503, .at_ns = at, .address = "10.0.0.1:8000"};
    (void)snprintf(s.text, sizeof s.text, "%s", text);
    return s;
}

static void test_first_of_each(void **state)
{
    (void)state;
    struct failure_samples f = {0}, g = {0};
    struct failure_sample s = sample(FAILURE_RESET, 50, "");
    assert_true(failure_samples_put(&f, &s));
    s = sample(FAILURE_RESET, 40, "");
    assert_true(failure_samples_put(&f, &s)); /* earlier */
    s = sample(FAILURE_RESET, 90, "connection reset by peer");
    assert_true(failure_samples_put(&f, &s)); /* later, but it has words */
    s = sample(FAILURE_RESET, 10, "");
    assert_false(failure_samples_put(&f, &s));
    s = sample(FAILURE_DNS, 70, "");
    assert_true(failure_samples_put(&f, &s));
    assert_int_equal(f.n, 2);
    assert_int_equal(f.row[0].label, FAILURE_DNS);
    s = sample(FAILURE_RESET, 20, "broken pipe");
    (void)failure_samples_put(&g, &s);
    failure_samples_add(&g, &f);
    failure_samples_add(&f, &g);
    assert_memory_equal(&f, &g, sizeof f.n);
    assert_string_equal(failure_samples_find(&f, FAILURE_RESET)->text, "broken pipe");
    assert_string_equal(failure_samples_find(&g, FAILURE_RESET)->text, "broken pipe");
    assert_null(failure_samples_find(&f, FAILURE_EMPTY));
    for (int i = 0; i < FAILURE_N; i++) {
        s = sample((enum failure)(FAILURE_N - 1 - i), 5, "w");
        (void)failure_samples_put(&f, &s);
    }
    assert_int_equal(f.n, FAILURE_N);
    for (uint32_t i = 0; i < f.n; i++)
        assert_int_equal(f.row[i].label, i);
}

static void hidden(const char *bytes, const char *secret, const char *want)
{
    char b[200];
    size_t n = (size_t)snprintf(b, sizeof b, "%s", bytes);
    n = failure_hide(b, n, secret, strlen(secret));
    b[n] = 0;
    assert_string_equal(b, want);
}

static void test_hide(void **state)
{
    (void)state;
    hidden("Incorrect key provided: sk-12345.", "sk-12345", "Incorrect key provided: ***.");
    hidden("sk-12345sk-12345", "sk-12345", "******");
    hidden("sk-1234", "sk-12345", "sk-1234");
    hidden("{\"key\":\"sk\\/a+b\\/c\"}", "sk/a+b/c", "{\"key\":\"***\"}");
    hidden("?key=sk%2Fa%2bb%2fc&x", "sk/a+b/c", "?key=***&x");
    hidden("sk\\u002fa\\u002Bb/c, sk%2Fa+b\\/c", "sk/a+b/c", "***, ***");
    hidden("sk%2", "sk/a", "sk%2");
    hidden("an ant", "an", "an ant"); /* no secret is that short */
    hidden("", "sk-12345", "");
}

static void words(const char *bytes, size_t n, const char *want)
{
    char w[640];
    failure_words(w, sizeof w, bytes, n);
    assert_string_equal(w, want);
}

static void test_words(void **state)
{
    (void)state;
    words("", 0, "");
    words(" \r\n ", 4, "");
    words("  {\"error\":\n\t\"model  not found\"}\n", 33, "{\"error\": \"model not found\"}");
    words("a\x1b[31mred\x07", 9, "a [31mred");
    words("a\xff\xfe\xe2\x82", 5, "a????");
    words("a\xc2\x85z", 4, "a??z"); /* a C1 control character */
    char many[2000], w[640];
    for (int width = 1; width <= 3; width += 2) {
        for (size_t i = 0; i < 500; i++)
            memcpy(many + i * (size_t)width, width == 1 ? "x" : "…", (size_t)width);
        failure_words(w, sizeof w, many, 500 * (size_t)width);
        size_t chars = 0;
        for (size_t at = 0; w[at]; chars++) {
            size_t len = text_char(w + at, strlen(w + at));
            assert_true(len > 0);
            at += len;
        }
        assert_in_range(chars, 200, FAILURE_WORDS);
        assert_string_equal(w + strlen(w) - 3, "…");
    }
    memset(many, 'y', FAILURE_WORDS);
    failure_words(w, sizeof w, many, FAILURE_WORDS);
    assert_int_equal(strlen(w), FAILURE_WORDS); /* all there is: no mark */
    assert_int_equal(w[FAILURE_WORDS - 1], 'y');
}

/* What the agent logs of a status, and what the coordinator logs of its first failure, is one sentence. */
static void hint_by_status(void **state)
{
    (void)state;
    struct failure_sample s = {.label = FAILURE_HTTP_4XX, .status = 401};
    char buf[FAILURE_HINT];
    assert_string_equal(failure_hint(&s, false, buf), failure_status_hint(401));
    assert_non_null(strstr(failure_status_hint(401), "target.auth"));
    assert_string_equal(failure_status_hint(307), FAILURES[FAILURE_HTTP_3XX].look);
    assert_string_equal(failure_status_hint(418), "");
    assert_non_null(strstr(failure_status_hint(407), "proxy")); /* no key of the server's would help */
    assert_non_null(strstr(failure_status_hint(502), "gateway"));
    assert_non_null(strstr(failure_status_hint(502), "no free connection")); /* as nginx at its limit, at once */
    assert_non_null(strstr(failure_status_hint(511), "login page"));
    static const uint32_t KNOWN[] = {304, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 413,
                                     414, 415, 421, 422, 424, 425, 426, 429, 431, 451, 499, 500, 501, 502,
                                     503, 504, 505, 507, 508, 511, 520, 521, 522, 523, 524, 525, 526, 529};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        const char *hint = failure_status_hint(KNOWN[i]);
        size_t n = strlen(hint);
        if (n < 10 || strncmp(hint, ". ", 2) != 0 || hint[n - 1] == '.') fail_msg("%u: \"%s\"", KNOWN[i], hint);
    }
    assert_non_null(strstr(failure_status_hint(431), "headers"));
    assert_string_equal(failure_status_hint(200), "");
    s.status = 418;
    assert_string_equal(failure_hint(&s, false, buf), FAILURES[FAILURE_HTTP_4XX].look);
    assert_string_equal(failure_hint(&s, true, buf), FAILURES[FAILURE_HTTP_4XX].look);
    s = (struct failure_sample){.label = FAILURE_HTTP_3XX, .status = 307};
    assert_string_equal(failure_hint(&s, false, buf), FAILURES[FAILURE_HTTP_3XX].look);
    const char *part = failure_hint(&s, true, buf); /* the address in the plan answers well below some load */
    assert_true(strstr(part, "redirected") && !strstr(part, "target.url"));
    s.status = 304;
    assert_string_equal(failure_hint(&s, true, buf), failure_status_hint(304));
}

/* After a server's own words there is one guess at most, where they point at something. */
static void hint_by_words(void **state)
{
    (void)state;
    static const struct {
        uint32_t status;
        const char *text, *says; /* "": no guess */
    } rows[] = {
        {400, "The lever is stuck", ""},
        {422, "The lever is stuck", ""},
        {400, "", "its own log says why"},
        {400, "{\"error\":{\"message\":\"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.\"}}",
         ". target.body: {max_completion_tokens: N}"},
        {400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
         ". The model takes fewer tokens"},
        {400, "<center>The plain HTTP request was sent to HTTPS port</center>", ". TLS is spoken there"},
        {400, "{\"error\":\"Model m not found\"}", ". Is target.model a name"},
        {400, "Unrecognized request argument supplied: ignore_eos", ". target.omit leaves a key out"},
        {422, "{\"detail\": [{\"type\":\"missing\",\"loc\": [\"body\", \"messages\", 0, \"content\"], \"msg\": \"Field",
         ". It is about messages.0.content of the body: "},
        {422, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"unexpected\"}]}", ". target.omit leaves a key out"},
        {422, "{\"detail\":[{\"loc\":[\"body\",\"mess…", ""},
        {422, "{\"detail\":[{\"loc\":[],\"msg\":\"no\"}]}", ""},
        {404, "The model `x` does not exist", ". Is target.model a name"},
        {404, "Not Found", ". Are the path of target.url"},
        {498, "{\"error\":{\"type\":\"capacity_exceeded\"}}", ". The server is overloaded"}, /* Groq */
        {498, "Invalid Token", "target.auth"},
        {429, "{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}",
         ". The server is overloaded"}, /* TGI */
        {429, "{\"error\":{\"type\":\"insufficient_quota\"}}", "its credit"},
        {429, "Rate limit reached: Limit 30, Used 30", ". The server limits requests"},
        {413, "Request too large on tokens per minute (TPM): Limit 6000", ". The server limits requests"}, /* Groq */
        {413, "Input validation error: must have less than 512 tokens", "input_tokens"},
        {503, "Too Many Requests", ". The server limits requests"},
        {403, "requires moderation and your input was flagged", ". A content filter"}, /* OpenRouter */
        {403, "max_tokens must be less than the context length of the model",
         ". The model takes fewer tokens"}, /* Together */
        {403, "Forbidden", "May this key"},
        {400, "{\"error\":{\"code\":\"content_filter\"}}", ". A content filter"},
        {408, "Model has timed out in processing the request", "took longer than it may"}, /* Bedrock */
        {200, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}",
         ". The server is overloaded"}, /* in a stream */
        {200, "{\"error\":\"CUDA error\",\"choices\":[{\"content_filter_results\":{}}]}", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char buf[FAILURE_HINT];
        enum failure label = rows[i].status == 200 ? FAILURE_STREAM_ERROR : FAILURE_HTTP_4XX;
        struct failure_sample s = {.label = label, .status = rows[i].status};
        (void)snprintf(s.text, sizeof s.text, "%s", rows[i].text);
        const char *hint = failure_hint(&s, false, buf);
        if (rows[i].says[0] ? !strstr(hint, rows[i].says) : hint[0] != '\0')
            fail_msg("%s: \"%s\" is not \"%s\"", rows[i].text, hint, rows[i].says);
    }
    struct failure_sample filtered = {.label = FAILURE_EMPTY, .status = 200};
    char buf[FAILURE_HINT], deep[640];
    (void)snprintf(filtered.text, sizeof filtered.text, "a content filter ended it before its first token: {}");
    assert_string_equal(failure_hint(&filtered, false, buf), ""); /* the reason is known: nothing is left to guess */
    (void)snprintf(filtered.text, sizeof filtered.text,
                   "a limit of output tokens was reached, and none of them came: {}");
    assert_string_equal(failure_hint(&filtered, false, buf),
                        ". Hidden reasoning counts too: ask for more output_tokens");
    (void)snprintf(filtered.text, sizeof filtered.text, "an end marker, and no token before it: {}");
    assert_string_equal(failure_hint(&filtered, false, buf), FAILURES[FAILURE_EMPTY].look);
    struct failure_sample s = {.status = 422}; /* a place that is longer than there is room */
    size_t n = (size_t)snprintf(deep, sizeof deep, "{\"detail\":[{\"loc\":[\"body\"");
    while (n < 600)
        n += (size_t)snprintf(deep + n, sizeof deep - n, ",\"deeper\"");
    (void)snprintf(deep + n, sizeof deep - n, "]}]}");
    memcpy(s.text, deep, sizeof deep);
    assert_string_equal(failure_hint(&s, false, buf), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hint_by_status), cmocka_unit_test(hint_by_words),
                                       cmocka_unit_test(test_first_of_each), cmocka_unit_test(test_hide),
                                       cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
