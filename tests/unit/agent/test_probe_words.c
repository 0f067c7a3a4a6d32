/* What is said of an answer, and where else a wrong path is looked for; the whole of it is scenario/probe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/probe_words.h"
#include "common/clock.h"

static struct plan_model MODEL = {"m", 1};
static struct plan_target T;

static struct probe_seen seen(const char *url, long status, enum counter outcome, const char *words)
{
    T = (struct plan_target){.url = url, .api = API_OPENAI_CHAT, .models = &MODEL, .n_models = 1};
    struct probe_seen s = {.target = &T, .http = "HTTP/2", .status = status, .outcome = outcome, .headers_ns = -1};
    (void)snprintf(s.words, sizeof s.words, "%s", words);
    return s;
}

static enum probe_verdict judged(long status, enum counter outcome, const char *words, const char *says)
{
    struct err e = {0};
    struct probe_seen s = seen("http://h/v1", status, outcome, words);
    enum probe_verdict v = probe_words_judge(&s, &e);
    if (!strstr(e.text, says)) fail_msg("\"%s\" does not say \"%s\"", e.text, says);
    return v;
}

static void test_judge(void **state)
{
    (void)state;
    assert_int_equal(judged(200, COUNTER_OK, "", ""), PROBE_GOOD);
    for (long status = 300; status < 600; status++) {
        enum counter c = status < 400    ? COUNTER_FAILED_HTTP_3XX
                         : status == 429 ? COUNTER_FAILED_HTTP_429
                         : status < 500  ? COUNTER_FAILED_HTTP_4XX
                                         : COUNTER_FAILED_HTTP_5XX;
        bool never = status == 501 || status == 505 || status == 511 || status == 526;
        bool passes = status == 408 || status == 409 || status == 425 || status == 429 || (status >= 500 && !never);
        assert_int_equal(judged(status, c, "no", "the target answers with status"), passes ? PROBE_DOUBT : PROBE_WRONG);
    }
    assert_int_equal(judged(500, COUNTER_FAILED_HTTP_5XX, "Model x not found", "target.model"), PROBE_WRONG);
    assert_int_equal(judged(200, COUNTER_FAILED_STREAM_ERROR, "the model y does not exist", "target.model"),
                     PROBE_WRONG);
    assert_int_equal(judged(200, COUNTER_FAILED_STREAM_ERROR, "the engine died", "the engine died"), PROBE_DOUBT);
    /* whole, in place of a stream: as the same status would be */
    static const struct {
        const char *words;
        enum probe_verdict verdict;
    } whole[] = {
        {"{\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", PROBE_DOUBT},
        {"{\"choices\":[],\"error\":{\"code\":502,\"message\":\"Upstream idle timeout exceeded\"}}", PROBE_DOUBT},
        {"{\"error\":{\"message\":\"Rate limit reached\"}}", PROBE_DOUBT},
        {"{\"error\":{\"message\":\"Invalid API key, try again\"}}", PROBE_WRONG},
        {"{\"error\":{\"message\":\"max_tokens must be positive\"}}", PROBE_WRONG},
    };
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        struct err e = {0};
        struct probe_seen s = seen("http://h/v1", 200, COUNTER_FAILED_STREAM_ERROR, whole[i].words);
        s.plain = true;
        if (probe_words_judge(&s, &e) != whole[i].verdict) fail_msg("%s", e.text);
    }
    assert_int_equal(judged(200, COUNTER_FAILED_MALFORMED, "<!doctype html>", "no stream of openai-chat"), PROBE_WRONG);
    assert_int_equal(judged(200, COUNTER_FAILED_EMPTY, "", "is empty"), PROBE_DOUBT);
    assert_int_equal(judged(0, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN, "", "has not answered for"), PROBE_DOUBT);
}

/* Of several models one is asked for: the answer says nothing of the others. */
static void test_models(void **state)
{
    (void)state;
    struct plan_model two[] = {{"a", 1}, {"b", 1}};
    struct buf out = BUF_INIT(4000);
    struct probe_seen s = seen("http://h/v1", 200, COUNTER_OK, "");
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "api openai-chat, model m\n"));
    T.models = two, T.n_models = 2;
    buf_reset(&out);
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "model a, the first of 2; the others were not asked for\n"));
    buf_clear(&out);
}

/* How long was waited, for what, and that it was the server who gave up. */
static void test_silence(void **state)
{
    (void)state;
    struct err e = {0};
    struct probe_seen s = seen("http://h/v1", 0, COUNTER_FAILED_TIMEOUT_FIRST_TOKEN, "");
    s.end_ns = 500 * NS_PER_MS;
    T.timeout_first_token_ns = 500 * NS_PER_MS;
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text, "has not answered for 0.5 s (target.timeouts.first_token): is it busy"));
    s.status = 200;
    T.timeout_first_token_ns = NS_PER_S; /* another limit ended it */
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text, "sends no token for 0.5 s: is it busy"));
    s = seen("https://h/v1", 0, COUNTER_FAILED_RESET, "");
    s.tls = "TLSv1.3";
    s.end_ns = 25 * NS_PER_S;
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text, "closes the connection without an answer after 25 s: does it, or something"));
}

/* How an answer ended, and what is advised where it gave no end marker. */
static void test_ends(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = BUF_INIT(2000);
    struct probe_seen s = seen("http://h/v1", 200, COUNTER_FAILED_TRUNCATED, "");
    s.complete = true;
    s.events = 4;
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text,
                           "target.end: close measures such a server, but an answer that breaks off then counts as "
                           "a whole one"));
    s.finish = true;
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text, "target.end: finish measures such a server"));
    s = seen("http://h/v1", 200, COUNTER_OK, "");
    s.end = s.complete = true;
    probe_words_lines(&s, &b);
    assert_non_null(strstr(buf_str(&b), "; ended by its end marker"));
    s.ended_by = STREAM_END_BODY;
    buf_reset(&b);
    probe_words_lines(&s, &b);
    assert_non_null(strstr(buf_str(&b), "; ended with its body"));
    s.whole = true; /* JSON has neither */
    s.ended_by = STREAM_END_MARKER;
    buf_reset(&b);
    probe_words_lines(&s, &b);
    assert_non_null(strstr(buf_str(&b), "; one answer, not streamed"));
    assert_null(strstr(buf_str(&b), "marker"));
    buf_clear(&b);
    s = seen("http://h/v1", 200, COUNTER_FAILED_EMPTY, "a content filter ended it before its first token: {}");
    s.end = s.finish = true;
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text, "holds no token: a content filter ended it before its first token: {}"));
    s = seen("http://h/v1", 200, COUNTER_FAILED_EMPTY,
             "a limit of output tokens was reached before any text: usage counts 16 output tokens, 16 of them as "
             "reasoning, and none came: {}");
    s.end = s.finish = true;
    assert_int_equal(probe_words_judge(&s, &e), PROBE_DOUBT);
    assert_non_null(strstr(e.text, "the probe, which asks for few output tokens, got no text: a limit of output tokens "
                                   "was reached before any text: usage counts 16 output tokens"));
    assert_null(strstr(e.text, "does the model stop at once"));
}

static void header(struct probe_seen *s, const char *name, const char *value)
{
    probe_words_header(s, name, strlen(name), value, strlen(value));
}

static void test_headers(void **state)
{
    struct probe_seen s = seen("http://h/v1/chat/completions", 429, COUNTER_FAILED_HTTP_429, "slow down");
    struct buf out = BUF_INIT(8192);
    (void)state;
    header(&s, "Content-Type", "application/json");
    header(&s, "server", "gw\x01");
    header(&s, "anthropic-ratelimit-requests-remaining", "3");
    header(&s, "set-cookie", "never shown");
    for (int i = 0; i < 100; i++)
        header(&s, "x-envoy-upstream-service-time", "1"); /* as many as fit */
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "status 429, application/json, Server: gw"));
    assert_non_null(strstr(buf_str(&out), "limits: anthropic-ratelimit-requests-remaining: 3, x-envoy"));
    assert_null(strstr(buf_str(&out), "never shown"));
    assert_null(strchr(buf_str(&out), '\x01'));
    assert_non_null(strstr(buf_str(&out), "the server says: slow down"));
    buf_reset(&out);
    s = seen("http://h/v1/chat/completions", 200, COUNTER_FAILED_MALFORMED, "an event whose JSON is cut off: {");
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "\nwhat came: an event")); /* not the server's words */
    buf_clear(&out);
}

/* What the answer says of its tokens and its model. */
static void test_tokens(void **state)
{
    (void)state;
    static struct plan_model m = {.name = "org/m-8b"};
    struct buf out = BUF_INIT(8192);
    struct probe_seen s = seen("http://h/v1/chat/completions", 200, COUNTER_OK, "");
    T.models = &m;
    T.n_models = 1;
    (void)snprintf(s.model, sizeof s.model, "m-8b-2024-08-06");
    s.usage = true;
    s.tokens_out = 7;
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "; usage: 0 in, 7 out\n"));
    assert_null(strstr(buf_str(&out), "answered by"));
    buf_reset(&out);
    (void)snprintf(s.model, sizeof s.model, "other");
    s.doubted = true;
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "; a usage that cannot be right"));
    assert_null(strstr(buf_str(&out), "7 out"));
    assert_non_null(strstr(buf_str(&out), "asked for the model org/m-8b, answered by other\n"));
    buf_reset(&out);
    s.usage = s.doubted = false;
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "; no usage: each event counts as one token\n"));
    buf_reset(&out);
    s.whole = true;
    probe_words_lines(&s, &out);
    assert_non_null(strstr(buf_str(&out), "; no usage: how many tokens it has is not known\n"));
    buf_clear(&out);
}

static void first_places(const char *url, const char *one, const char *two)
{
    struct probe_place place[PROBE_WORDS_PLACES];
    T = (struct plan_target){.url = url, .api = API_OPENAI_CHAT};
    uint32_t n = probe_words_places(&T, place);
    assert_in_range(n, 2, PROBE_WORDS_PLACES);
    assert_string_equal(place[0].url, one);
    assert_string_equal(place[1].url, two);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            assert_true(strcmp(place[i].url, place[k].url) != 0 || place[i].api != place[k].api);
}

static void test_places(void **state)
{
    (void)state;
    first_places("http://h:1/v1", "http://h:1/v1/chat/completions", "http://h:1/v1/completions");
    first_places("http://h/llm/v1/", "http://h/llm/v1/chat/completions", "http://h/v1/chat/completions");
    first_places("http://h/chat/completions", "http://h/v1/chat/completions", "http://h/v1/completions");
    first_places("https://h/v1/completions?x=1", "https://h/v1/chat/completions", "https://h/v1/completions");
    struct probe_seen s = seen("http://h/v1", 404, COUNTER_FAILED_HTTP_4XX, "model m does not exist");
    assert_false(probe_words_try_others(&s));
    s = seen("http://h/v1", 404, COUNTER_FAILED_HTTP_4XX, "no");
    assert_true(probe_words_try_others(&s));
    s = seen("http://h/v1", 401, COUNTER_FAILED_HTTP_4XX, "no");
    assert_false(probe_words_try_others(&s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_judge),   cmocka_unit_test(test_models),
                                       cmocka_unit_test(test_silence), cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_headers), cmocka_unit_test(test_tokens),
                                       cmocka_unit_test(test_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
