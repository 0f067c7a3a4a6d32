#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/stream/stream.h"
#include "tests/unit/capture.h"
#include "common/rng.h"

#define AT 1000
#define GAPS_MAX 4096u

/* Everything a stream says of itself. */
struct seen {
    struct timeline t;
    uint32_t events, window_events, usage_in, usage_out, usage_cached, n_gaps;
    bool usage, finish, end, error, malformed;
    enum counter outcome;
    uint64_t bytes;
    struct gap gap[GAPS_MAX];
};

static struct gap_pool *pool;
static struct stream s; /* large: it carries a buffer */

static void finish(struct seen *ret, enum transport_end end, int status)
{
    memset(ret, 0, sizeof *ret);
    ret->outcome = stream_outcome(&s, end, status);
    ret->t = s.t;
    ret->events = s.events;
    ret->window_events = s.window_events;
    ret->usage_in = s.usage_in;
    ret->usage_out = s.usage_out;
    ret->usage_cached = s.usage_cached;
    ret->usage = s.usage;
    ret->finish = s.finish;
    ret->end = s.end;
    ret->error = s.error;
    ret->malformed = s.malformed;
    ret->bytes = s.bytes;
    struct gap_iter it;
    gaps_begin(&it, &s.gaps);
    while (ret->n_gaps < GAPS_MAX && gaps_next(&it, &ret->gap[ret->n_gaps]))
        ret->n_gaps++;
    stream_clear(&s);
}

static void begin(enum plan_api api)
{
    stream_begin(&s, dialect_for(api), pool, 0, INT64_MAX);
}

static void feed(const char *text, int64_t at)
{
    (void)stream_feed(&s, text, strlen(text), at);
}

static enum counter outcome_of(const char *body, enum transport_end end, int status)
{
    static struct seen seen;
    begin(API_OPENAI_CHAT);
    feed(body, AT);
    finish(&seen, end, status);
    return seen.outcome;
}

struct expect {
    const char *name;
    enum plan_api api;
    enum counter outcome;
    uint32_t events;
    bool usage;
    uint32_t in, out, cached;
    bool finish;
};

#define CHAT API_OPENAI_CHAT
#define COMPLETIONS API_OPENAI_COMPLETIONS
static const struct expect captures[] = {
    {"vllm-chat-stream", CHAT, COUNTER_OK, 24, false, 0, 0, 0, true},
    {"vllm-chat-stream", API_DATABRICKS, COUNTER_OK, 24, false, 0, 0, 0, true},
    {"vllm-chat-stream-usage", CHAT, COUNTER_OK, 24, true, 29, 24, 0, true},
    {"vllm-chat-stream-continuous-usage", CHAT, COUNTER_OK, 8, true, 29, 8, 0, true},
    {"vllm-chat-stream-ignore-eos-min", CHAT, COUNTER_OK, 16, false, 0, 0, 0, true},
    {"vllm-completions-stream", COMPLETIONS, COUNTER_OK, 16, true, 3, 16, 0, true},
    {"vllm-chat-nonstream", CHAT, COUNTER_FAILED_MALFORMED, 0, false, 0, 0, 0, false},
    {"vllm-tokenize", CHAT, COUNTER_FAILED_MALFORMED, 0, false, 0, 0, 0, false},
    {"vllm-err-badjson", CHAT, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"vllm-err-model404", CHAT, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"vllm-err-ctx", CHAT, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"vllm-responses-stream", CHAT, COUNTER_FAILED_TRUNCATED, 0, false, 0, 0, 0, false},
    {"vllm-anthropic-stream", CHAT, COUNTER_FAILED_TRUNCATED, 0, false, 0, 0, 0, false},
    /* 24 tokens in 23 events: two make up one character */
    {"llamacpp-chat-stream", CHAT, COUNTER_OK, 23, false, 0, 0, 0, true},
    {"llamacpp-chat-stream-usage", CHAT, COUNTER_OK, 23, true, 25, 24, 24, true},
    {"llamacpp-completions-stream", COMPLETIONS, COUNTER_OK, 16, true, 2, 16, 0, true},
    {"llamacpp-native-completion-stream", COMPLETIONS, COUNTER_FAILED_TRUNCATED, 0, false, 0, 0, 0, false},
    {"llamacpp-anthropic-stream", CHAT, COUNTER_FAILED_TRUNCATED, 0, false, 0, 0, 0, false},
    {"llamacpp-responses-stream", CHAT, COUNTER_FAILED_TRUNCATED, 0, false, 0, 0, 0, false},
    {"llamacpp-keepalive-ping", CHAT, COUNTER_OK, 3, false, 0, 0, 0, true},
    {"llamacpp-err-404", CHAT, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"llamacpp-err-badjson", CHAT, COUNTER_FAILED_HTTP_5XX, 0, false, 0, 0, 0, false},
    {"lcppy-chat-stream", CHAT, COUNTER_OK, 24, false, 0, 0, 0, true},
    /* 200, and then nothing at all */
    {"lcppy-err-ctx-stream", CHAT, COUNTER_FAILED_EMPTY, 0, false, 0, 0, 0, false},
    /* cut off by another request: [DONE] without a finish reason */
    {"lcppy-interrupted-stream", CHAT, COUNTER_OK, 16, false, 0, 0, 0, false},
    {"llmdsim-chat-stream-usage", CHAT, COUNTER_OK, 12, true, 8, 12, 0, true},
    {"vllm-responses-stream", API_OPENAI_RESPONSES, COUNTER_OK, 3, true, 11, 6, 0, true},
    {"ollama-responses-stream", API_OPENAI_RESPONSES, COUNTER_OK, 3, true, 27, 3, 0, true},
    {"llamacpp-responses-stream", API_OPENAI_RESPONSES, COUNTER_OK, 6, true, 19, 6, 13, true},
    {"llamacpp-b11549-responses-stream-reasoning", API_OPENAI_RESPONSES, COUNTER_OK, 3, true, 31, 4, 1, true},
    {"vllm-anthropic-stream", API_ANTHROPIC, COUNTER_OK, 6, true, 11, 6, 0, true},
    {"llamacpp-anthropic-stream", API_ANTHROPIC, COUNTER_OK, 6, true, 19, 6, 18, true},
    {"ollama-messages-stream", API_ANTHROPIC, COUNTER_OK, 3, true, 27, 3, 0, true}, /* its message_start guesses 5 */
    {"ollama-chat-ndjson", API_OLLAMA, COUNTER_OK, 6, true, 27, 6, 0, true},
    {"ollama-runner-killed-ndjson", API_OLLAMA, COUNTER_FAILED_STREAM_ERROR, 27, false, 0, 0, 0, false},
    {"llamacpp-native-completion-stream", API_LLAMACPP, COUNTER_OK, 8, true, 2, 8, 1, true},
    {"triton-generate-stream", API_TRITON, COUNTER_OK, 4, false, 0, 0, 0, false}, /* the body's end is its marker */
    {"triton-err-first", API_TRITON, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"triton-queue-full", API_TRITON, COUNTER_FAILED_HTTP_5XX, 0, false, 0, 0, 0, false},
    {"ollama-v1-chat-stream-usage", CHAT, COUNTER_OK, 3, true, 27, 3, 0, true},
    {"ollama-v1-chat-stream-thinking", CHAT, COUNTER_OK, 2, true, 87, 4, 0, true},
    {"ollama-v1-completions-stream-usage", COMPLETIONS, COUNTER_OK, 3, true, 3, 3, 0, true}, /* zeros, then the truth */
    {"llamacpp-b11549-chat-stream-reasoning", CHAT, COUNTER_OK, 5, true, 46, 6, 0, true},
    {"llmdsim-fail-1", CHAT, COUNTER_FAILED_HTTP_429, 0, false, 0, 0, 0, false},
};
#define CAPTURES (sizeof captures / sizeof *captures)

static enum transport_end capture_end(const struct capture *c)
{
    return c->complete ? END_COMPLETE : END_CUT;
}

static void whole(const struct expect *x, const struct capture *c, struct seen *ret)
{
    begin(x->api);
    uint32_t events = stream_feed(&s, c->body, c->n, AT);
    assert_int_equal(events, s.events);
    finish(ret, capture_end(c), c->status);
}

static void test_captures(void **state)
{
    (void)state;
    static struct seen seen;
    for (size_t i = 0; i < CAPTURES; i++) {
        const struct expect *x = &captures[i];
        struct capture c;
        capture_load(&c, x->name);
        whole(x, &c, &seen);
        if (seen.outcome != x->outcome) fail_msg("%s: %s", x->name, COUNTERS[seen.outcome].name);
        if (seen.events != x->events) fail_msg("%s: %u token events", x->name, seen.events);
        assert_int_equal(seen.window_events, x->events);
        if (seen.usage_in != x->in || seen.usage_out != x->out || seen.usage_cached != x->cached)
            fail_msg("%s: usage %u %u %u", x->name, seen.usage_in, seen.usage_out, seen.usage_cached);
        assert_int_equal(seen.usage, x->usage);
        assert_int_equal(seen.finish, x->finish);
        assert_int_equal(seen.n_gaps, x->events > 0 ? x->events - 1 : 0);
        assert_int_equal(seen.t.done, x->outcome == COUNTER_OK ? AT : 0);
        capture_clear(&c);
    }
}

static void must_equal(const struct seen *a, const struct seen *b, const char *name, size_t at)
{
    if (memcmp(a, b, sizeof *a) != 0)
        fail_msg("%s: split at %zu: %s, %u events", name, at, COUNTERS[b->outcome].name, b->events);
}

static void test_every_split(void **state)
{
    (void)state;
    static struct seen one, two;
    for (size_t i = 0; i < CAPTURES; i++) {
        const struct expect *x = &captures[i];
        struct capture c;
        capture_load(&c, x->name);
        whole(x, &c, &one);
        for (size_t at = 0; at <= c.n; at++) {
            begin(x->api);
            (void)stream_feed(&s, c.body, at, AT);
            (void)stream_feed(&s, c.body + at, c.n - at, AT);
            finish(&two, capture_end(&c), c.status);
            must_equal(&one, &two, x->name, at);
        }
        begin(x->api);
        for (size_t at = 0; at < c.n; at++)
            (void)stream_feed(&s, c.body + at, 1, AT);
        finish(&two, capture_end(&c), c.status);
        must_equal(&one, &two, x->name, 1);
        capture_clear(&c);
    }
}

/* Line ends of the other two kinds, and their splits, change nothing. */
static void test_line_ends(void **state)
{
    (void)state;
    static struct seen one, two;
    static const char *const ends[] = {"\r", "\r\n"};
    struct capture c;
    capture_load(&c, "llamacpp-chat-stream-usage");
    whole(&captures[14], &c, &one);
    for (size_t e = 0; e < 2; e++) {
        char *text = malloc(2 * c.n);
        size_t n = 0;
        for (size_t i = 0; i < c.n; i++) {
            if (c.body[i] != '\n') {
                text[n++] = c.body[i];
                continue;
            }
            memcpy(text + n, ends[e], strlen(ends[e]));
            n += strlen(ends[e]);
        }
        for (size_t at = 0; at <= n; at++) {
            begin(CHAT);
            (void)stream_feed(&s, text, at, AT);
            (void)stream_feed(&s, text + at, n - at, AT);
            finish(&two, END_COMPLETE, 200);
            two.bytes = one.bytes;
            must_equal(&one, &two, ends[e], at);
        }
        free(text);
    }
    capture_clear(&c);
}

/* Bytes flush against an unreadable page: nothing reads past its end. */
static void test_guard_page(void **state)
{
    (void)state;
    static struct seen one, two;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 8 * page;
    char *map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map + room, page, PROT_NONE), 0);
    for (size_t i = 0; i < CAPTURES; i++) {
        const struct expect *x = &captures[i];
        struct capture c;
        capture_load(&c, x->name);
        assert_true(c.n <= room);
        whole(x, &c, &one);
        size_t step = c.n > 2000 ? 7 : 1;
        for (size_t at = 0; at <= c.n; at += step) {
            begin(x->api);
            memcpy(map + room - at, c.body, at);
            (void)stream_feed(&s, map + room - at, at, AT);
            memcpy(map + room - (c.n - at), c.body + at, c.n - at);
            (void)stream_feed(&s, map + room - (c.n - at), c.n - at, AT);
            finish(&two, capture_end(&c), c.status);
            must_equal(&one, &two, x->name, at);
        }
        capture_clear(&c);
    }
    assert_int_equal(munmap(map, room + page), 0);
}

#define ROLE                                                                                                           \
    "data: "                                                                                                           \
    "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
#define TOKEN(t) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t "\"},\"finish_reason\":null}]}\n\n"
#define THOUGHT(t)                                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"" t "\"},\"finish_reason\":null}]}\n\n"
#define COUNTED(t, n)                                                                                                  \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t                                                     \
    "\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":" n "}}\n\n"
#define DONE "data: [DONE]\n\n"

static void test_timeline(void **state)
{
    (void)state;
    static struct seen seen;
    stream_begin(&s, dialect_for(CHAT), pool, 40, 60);
    feed(": hello\n\n", 10);
    feed(ROLE, 20);
    feed(THOUGHT("hm"), 30);
    feed(THOUGHT("so"), 40);
    feed(TOKEN("a") TOKEN("b"), 50);
    feed(TOKEN("c"), 60);
    feed(TOKEN(""), 70);
    feed(DONE, 80);
    feed(TOKEN("late"), 90);
    assert_int_equal(s.last_read, 90);
    finish(&seen, END_COMPLETE, 200);
    assert_int_equal(seen.outcome, COUNTER_OK);
    assert_int_equal(seen.t.first_byte, 10);
    assert_int_equal(seen.t.first_event, 20);
    assert_int_equal(seen.t.first_token, 30);
    assert_int_equal(seen.t.first_content, 50);
    assert_int_equal(seen.t.last_token, 60);
    assert_int_equal(seen.t.done, 80);
    assert_int_equal(seen.events, 5);
    assert_int_equal(seen.window_events, 3); /* 40, 50, 50; 60 is outside */
    const int64_t gaps[] = {10, 10, 0, 10};
    assert_int_equal(seen.n_gaps, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(seen.gap[i].ns, gaps[i]);
        assert_int_equal(seen.gap[i].tokens, 1);
    }
}

static void test_running_usage(void **state)
{
    (void)state;
    static struct seen seen;
    begin(CHAT);
    feed(COUNTED("a", "2"), 10);
    feed(COUNTED("b", "5"), 20);  /* three tokens */
    feed(COUNTED("", "6"), 25);   /* one that shows nothing yet … */
    feed(COUNTED("c", "8"), 30);  /* … comes with the next two */
    feed(COUNTED("d", "8"), 40);  /* the server counts none: one */
    feed(TOKEN("e"), 50);         /* not said: one */
    feed(COUNTED("f", "11"), 60); /* not known since when: one */
    feed(COUNTED("g", "4000000000"), 70);
    feed(DONE, 80);
    finish(&seen, END_COMPLETE, 200);
    const uint32_t tokens[] = {3, 3, 1, 1, 1, 1};
    assert_int_equal(seen.n_gaps, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(seen.gap[i].tokens, tokens[i]);
}

static void test_outcomes(void **state)
{
    (void)state;
    /* ok, whatever comes after the end marker, and however the transport ends then */
    assert_int_equal(outcome_of(TOKEN("a") DONE, END_COMPLETE, 200), COUNTER_OK);
    assert_int_equal(outcome_of(TOKEN("a") DONE, END_COMPLETE, 201), COUNTER_OK);
    assert_int_equal(outcome_of(TOKEN("a") DONE "<html>\n\n", END_RESET, 200), COUNTER_OK);
    assert_int_equal(outcome_of(TOKEN("a") "data: [DONE]\n", END_COMPLETE, 200), COUNTER_OK);
    assert_int_equal(outcome_of(TOKEN("a") "data: [DONE]", END_COMPLETE, 200), COUNTER_OK);
    assert_int_equal(outcome_of(TOKEN("a") "data:[DONE]\r\n\r\n", END_COMPLETE, 200), COUNTER_OK);
    assert_int_equal(outcome_of("\xef\xbb\xbf" TOKEN("a") DONE, END_COMPLETE, 200), COUNTER_OK);
    /* the transport's word */
    assert_int_equal(outcome_of("", END_DNS, 0), COUNTER_FAILED_DNS);
    assert_int_equal(outcome_of("", END_CONNECT, 0), COUNTER_FAILED_CONNECT);
    assert_int_equal(outcome_of("", END_TLS, 0), COUNTER_FAILED_TLS);
    assert_int_equal(outcome_of("", END_TIMEOUT_CONNECT, 0), COUNTER_FAILED_TIMEOUT_CONNECT);
    assert_int_equal(outcome_of("", END_TIMEOUT_FIRST_TOKEN, 200), COUNTER_FAILED_TIMEOUT_FIRST_TOKEN);
    assert_int_equal(outcome_of(TOKEN("a"), END_TIMEOUT_IDLE, 200), COUNTER_FAILED_TIMEOUT_IDLE);
    assert_int_equal(outcome_of(TOKEN("a"), END_TIMEOUT_TOTAL, 200), COUNTER_FAILED_TIMEOUT_TOTAL);
    assert_int_equal(outcome_of(TOKEN("a"), END_RESET, 200), COUNTER_FAILED_RESET);
    assert_int_equal(outcome_of("", END_CUT, 0), COUNTER_FAILED_RESET);
    assert_int_equal(outcome_of("", END_MALFORMED, 0), COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of("", END_REFUSED, 0), COUNTER_FAILED_REFUSED);
    assert_int_equal(outcome_of(TOKEN("a"), END_CANCELLED, 200), COUNTER_CANCELLED);
    assert_int_equal(outcome_of(TOKEN("a"), END_ABORTED, 200), COUNTER_ABORTED);
    assert_int_equal(outcome_of("{\"error\":1}", END_ABORTED, 500), COUNTER_ABORTED);
    /* a status stands before what the body says */
    assert_int_equal(outcome_of(TOKEN("a") DONE, END_COMPLETE, 404), COUNTER_FAILED_HTTP_4XX);
    assert_int_equal(outcome_of("{\"error\":1}", END_COMPLETE, 429), COUNTER_FAILED_HTTP_429);
    assert_int_equal(outcome_of("<html>", END_RESET, 503), COUNTER_FAILED_HTTP_5XX);
    assert_int_equal(outcome_of("", END_COMPLETE, 302), COUNTER_FAILED_HTTP_3XX);
    /* errors inside a 200 */
    assert_int_equal(outcome_of(TOKEN("a") "data: {\"error\":{\"message\":\"x\"}}\n\n" DONE, END_COMPLETE, 200),
                     COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of("data: {\"error\":{\"message\":\"x\"}}", END_COMPLETE, 200),
                     COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of("event: error\ndata: sorry\n\n", END_COMPLETE, 200), COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of("error: {\"code\":500}\n\n", END_COMPLETE, 200), COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of("data: {\"object\":\"error\",\"message\":\"x\"}\n\n" DONE, END_COMPLETE, 200),
                     COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of("{\"error_code\":\"BAD\",\"message\":\"x\"}", END_COMPLETE, 200),
                     COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of("\n {\n \"error\": {\"message\": \"x\"}\n}\n", END_COMPLETE, 200),
                     COUNTER_FAILED_STREAM_ERROR);
    assert_int_equal(outcome_of(TOKEN("a") "data: {\"error\":{}}\n\n", END_RESET, 200), COUNTER_FAILED_STREAM_ERROR);
    /* no stream of this API */
    assert_int_equal(outcome_of("<html><body>hello</body></html>\n", END_COMPLETE, 200), COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of("<html><body>hello</body></html>", END_COMPLETE, 200), COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of("{\"choices\":[{\"message\":{\"content\":\"x\"}}]}", END_COMPLETE, 200),
                     COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of("[1, 2]", END_COMPLETE, 200), COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of("{\"error\": ", END_COMPLETE, 200), COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of(TOKEN("a") "data: {\"choices\":[}\n\n" DONE, END_COMPLETE, 200),
                     COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of(TOKEN("a") "data: [1]\n\n" DONE, END_COMPLETE, 200), COUNTER_FAILED_MALFORMED);
    assert_int_equal(outcome_of(TOKEN("a") "\x01\x80garbage\n" DONE, END_COMPLETE, 200), COUNTER_FAILED_MALFORMED);
    /* no end, no token */
    assert_int_equal(outcome_of(TOKEN("a"), END_COMPLETE, 200), COUNTER_FAILED_TRUNCATED);
    assert_int_equal(outcome_of(TOKEN("a") "data: {\"choices\":[{\"de", END_COMPLETE, 200), COUNTER_FAILED_TRUNCATED);
    assert_int_equal(outcome_of(TOKEN("a") "da", END_COMPLETE, 200), COUNTER_FAILED_TRUNCATED);
    assert_int_equal(outcome_of(TOKEN("a") "data: [DO", END_CUT, 200), COUNTER_FAILED_TRUNCATED);
    assert_int_equal(outcome_of(": ping\n\nretry: 1\n\n", END_COMPLETE, 200), COUNTER_FAILED_TRUNCATED);
    assert_int_equal(outcome_of("", END_COMPLETE, 200), COUNTER_FAILED_EMPTY);
    assert_int_equal(outcome_of("", END_COMPLETE, 204), COUNTER_FAILED_EMPTY);
    assert_int_equal(outcome_of("", END_COMPLETE, 205), COUNTER_FAILED_EMPTY);
    assert_int_equal(outcome_of("", END_CUT, 200), COUNTER_FAILED_TRUNCATED);
    assert_int_equal(outcome_of(ROLE DONE, END_COMPLETE, 200), COUNTER_FAILED_EMPTY);
    assert_int_equal(outcome_of(DONE, END_CUT, 200), COUNTER_FAILED_EMPTY);
}

/* A failure has its reason, and the event that is to blame. */
static void test_why(void **state)
{
    static const struct {
        const char *body, *why, *said;
    } rows[] = {
        {TOKEN("a") "data: {\"x\":NaN}\n\n" DONE, "an event with NaN in it, which is no JSON", "{\"x\":NaN}"},
        {TOKEN("a") "data: {\"x\":[-Infinity]}\n\n", "an event with Infinity in it, which is no JSON",
         "{\"x\":[-Infinity]}"},
        {TOKEN("a") "data: \"NaN\"\n\n", "an event that is no JSON object", "\"NaN\""},
        {TOKEN("a") "data: {\"choices\":[}\n\n" TOKEN("b"), "an event that begins as JSON does and breaks its rules",
         "{\"choices\":[}"},
        {TOKEN("error") "data: {\"detail\":\"sorry\"}\n\n" TOKEN("c"), NULL, "{\"detail\":\"sorry\"}"},
        {TOKEN("a") "event: error\ndata: no memory\n\n" DONE, NULL, "no memory"},
        {TOKEN("a") "data: {\"error\":1}", NULL, "{\"error\":1}"},
        {"data: {\"type\":\"content_block_delta\"}\n\n", "events came, but none that target.api knows: is it right?",
         ""},
        {TOKEN("a"), "neither a finish reason nor the end marker", ""},
        {TOKEN("a") "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
         "a finish reason and no end marker: target.end: finish is for servers that send none", ""},
        {": ping\n\n", "no event: comments or blank lines only", ""},
        {"data: {\"choices\":[", "half an event: the body ended in the middle of it", ""},
        {"", "no body", ""},
        {DONE, "an end marker, and no token before it", ""},
        {"ok: true\nversion: 1\n", NULL, ""}, /* malformed, by its bytes */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].body);
        for (size_t at = 0; at <= n; at++) {
            begin(API_OPENAI_CHAT);
            pool->said_n = 0;
            (void)stream_feed(&s, rows[i].body, at, AT);
            (void)stream_feed(&s, rows[i].body + at, n - at, AT);
            assert_int_not_equal(stream_outcome(&s, END_COMPLETE, 200), COUNTER_OK);
            if (rows[i].why)
                assert_string_equal(s.why, rows[i].why);
            else
                assert_null(s.why);
            assert_int_equal(pool->said_n, strlen(rows[i].said));
            assert_memory_equal(pool->said, rows[i].said, pool->said_n);
            stream_clear(&s);
        }
    }
}

/* Text that comes with an error or without an end is still counted, and no gap or buffer stays taken. */
static void begin_as(enum plan_api api, bool whole_answer, enum plan_end end)
{
    static struct dialect d;
    const struct plan_target t = {.api = api, .whole = whole_answer, .end = end};
    dialect_open(&t, &d);
    stream_begin(&s, &d, pool, 0, INT64_MAX);
}

/* target.stream: false. */
static void test_whole_answers(void **state)
{
    (void)state;
    static struct seen seen;
    static const struct {
        enum plan_api api;
        const char *body;
        enum counter outcome;
        uint32_t events, in, out;
    } rows[] = {
        {API_OPENAI_CHAT,
         "{\"choices\":[{\"message\":{\"content\":\"a "
         "b\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}",
         COUNTER_OK, 1, 7, 2},
        {API_OPENAI_CHAT, "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}",
         COUNTER_FAILED_EMPTY, 0, 0, 0},
        {API_OPENAI_CHAT, "{\"error\":{\"message\":\"x\"}}", COUNTER_FAILED_STREAM_ERROR, 0, 0, 0},
        {API_OPENAI_CHAT, "{\"hello\":1}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_CHAT, "{\"choices\":[", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_CHAT, TOKEN("a") DONE, COUNTER_FAILED_MALFORMED, 0, 0, 0}, /* a stream that nobody asked for */
        {API_OPENAI_CHAT, "<html>", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_RESPONSES,
         "{\"object\":\"response\",\"error\":null,\"status\":\"completed\",\"output\":[{\"type\":\"message\","
         "\"content\":[{\"text\":\"a\"}]}],"
         "\"usage\":{\"input_tokens\":3,\"output_tokens\":9}}",
         COUNTER_OK, 1, 3, 9},
        {API_ANTHROPIC,
         "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}],\"stop_reason\":\"end_turn\","
         "\"usage\":{\"input_tokens\":3,\"output_tokens\":9}}",
         COUNTER_OK, 1, 3, 9},
        {API_OLLAMA, "{\"message\":{\"content\":\"a\"},\"done\":true,\"prompt_eval_count\":3,\"eval_count\":9}\n",
         COUNTER_OK, 1, 3, 9},
        {API_TGI, "{\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":9}}",
         COUNTER_OK, 1, 0, 9},
        {API_TRITON, "{\"text_output\":\"a\"}", COUNTER_OK, 1, 0, 0},
        {API_OPENAI_EMBEDDINGS,
         "{\"object\":\"list\",\"data\":[{\"embedding\":[0.5,-1e-3],\"index\":0},{\"embedding\":[1]}],\"usage\":{"
         "\"prompt_tokens\":8,\"total_tokens\":8}}",
         COUNTER_OK, 0, 8, 0},
        {API_OPENAI_EMBEDDINGS, "{\"object\":\"list\",\"data\":[]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_OPENAI_EMBEDDINGS, "{\"error\":\"no\"}", COUNTER_FAILED_STREAM_ERROR, 0, 0, 0},
        {API_RERANK,
         "{\"id\":\"rerank-1\",\"usage\":{\"total_tokens\":8},\"results\":[{\"index\":1,\"document\":{\"text\":\"a\"},"
         "\"relevance_score\":0.5},{\"index\":0,\"relevance_score\":1e-3}]}",
         COUNTER_OK, 0, 8, 0},
        {API_RERANK,
         "{\"results\":[{\"index\":0,\"relevance_score\":1}],\"meta\":{\"billed_units\":{\"search_units\":1},"
         "\"tokens\":{"
         "\"input_tokens\":9}}}",
         COUNTER_OK, 0, 9, 0},
        {API_RERANK, "{\"results\":[]}", COUNTER_FAILED_MALFORMED, 0, 0, 0},
        {API_RERANK, "{\"message\":\"invalid api token\"}", COUNTER_FAILED_STREAM_ERROR, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = strlen(rows[i].body);
        for (size_t at = 0; at <= n; at++) {
            begin_as(rows[i].api, true, END_MARKER);
            (void)stream_feed(&s, rows[i].body, at, AT);
            (void)stream_feed(&s, rows[i].body + at, n - at, AT + 1);
            finish(&seen, END_COMPLETE, 200);
            if (seen.outcome != rows[i].outcome) fail_msg("%s: %s", rows[i].body, COUNTERS[seen.outcome].name);
            assert_int_equal(seen.events, rows[i].events);
            assert_int_equal(seen.usage_in, rows[i].in);
            assert_int_equal(seen.usage_out, rows[i].out);
            if (rows[i].outcome == COUNTER_OK) assert_int_equal(seen.t.done, at == n ? AT : AT + 1);
        }
    }
    begin_as(API_OPENAI_CHAT, true, END_MARKER); /* cut in the middle */
    feed("{\"choices\":[{\"mess", AT);
    finish(&seen, END_CUT, 200);
    assert_int_equal(seen.outcome, COUNTER_FAILED_TRUNCATED);
}

/* target.end: servers that end as they like. */
static void test_ends(void **state)
{
    (void)state;
    static struct seen seen;
    static const char last[] =
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"completion_tokens\":2}}\n\n";
    static const struct {
        enum plan_end end;
        bool finish;
        enum transport_end transport;
        enum counter outcome;
    } rows[] = {
        {END_MARKER, true, END_COMPLETE, COUNTER_FAILED_TRUNCATED},
        {END_FINISH, true, END_COMPLETE, COUNTER_OK},
        {END_FINISH, true, END_CUT, COUNTER_OK},
        {END_FINISH, false, END_COMPLETE, COUNTER_FAILED_TRUNCATED},
        {END_CLOSE, false, END_COMPLETE, COUNTER_OK},
        {END_CLOSE, true, END_COMPLETE, COUNTER_OK},
        {END_CLOSE, true, END_CUT, COUNTER_FAILED_TRUNCATED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_as(CHAT, false, rows[i].end);
        feed(TOKEN("a") TOKEN("b"), 10);
        if (rows[i].finish) feed(last, 20);
        finish(&seen, rows[i].transport, 200);
        if (seen.outcome != rows[i].outcome) fail_msg("row %zu: %s", i, COUNTERS[seen.outcome].name);
        assert_int_equal(seen.usage_out, rows[i].finish ? 2 : 0);
        if (seen.outcome == COUNTER_OK) assert_int_equal(seen.t.done, rows[i].finish ? 20 : 10);
    }
}

/* target.end: auto. One after the other on one server: what each ends with, and how it is judged. */
static void test_learnt_ends(void **state)
{
    (void)state;
    static struct seen seen;
    enum { MARKER = 'm', REASON = 'r', NOTHING = 'n', HELD = 'h', CUT = 'c' };
    static const struct {
        const char *ends, *outcomes; /* o: ok, t: truncated, i: idle */
    } rows[] = {
        {"mmm", "ooo"},       {"mrn", "ott"}, /* this server sends a marker: what lacks it is cut */
        {"rrrnr", "oooto"},                   /* no marker: the body's end, with a reason where all others had one */
        {"rmr", "oot"},                       /* a marker at last */
        {"nnnrn", "ooooo"},                   /* no reasons either */
        {"rnrrrn", "oooooo"}, {"ccc", "ttt"},
        {"hhhr", "oooo"}, /* the first one is waited for, the others end with their reason */
        {"mh", "oi"},
    };
    static struct dialect_ends ends;
    static struct dialect d;
    const struct plan_target t = {.api = CHAT, .end = END_AUTO};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ends = (struct dialect_ends){0};
        dialect_open(&t, &d);
        d.ends = &ends;
        for (size_t k = 0; rows[i].ends[k]; k++) {
            char how = rows[i].ends[k], want = rows[i].outcomes[k];
            stream_begin(&s, &d, pool, 0, INT64_MAX);
            feed(TOKEN("a"), 10);
            if (how != NOTHING && how != CUT) feed("data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n", 20);
            bool free_early = s.end;
            if (how == MARKER) feed(DONE, 30);
            finish(&seen, how == HELD ? END_TIMEOUT_IDLE : how == CUT ? END_CUT : END_COMPLETE, 200);
            enum counter expect = want == 'o'   ? COUNTER_OK
                                  : want == 't' ? COUNTER_FAILED_TRUNCATED
                                                : COUNTER_FAILED_TIMEOUT_IDLE;
            if (seen.outcome != expect) fail_msg("%s at %zu: %s", rows[i].ends, k, COUNTERS[seen.outcome].name);
            if (how == HELD && want == 'o') assert_int_equal(free_early, k > 0);
            if (want == 'o') assert_int_equal(seen.t.done, how == MARKER ? 30 : how == NOTHING ? 10 : 20);
        }
    }
    stream_begin(&s, &d, pool, 0, INT64_MAX);
    finish(&seen, END_COMPLETE, 200); /* no token: no end is learnt from it */
    assert_int_equal(seen.outcome, COUNTER_FAILED_EMPTY);
    begin_as(API_TRITON, false, END_AUTO);
    assert_false(s.dialect->ends_as_learnt); /* its end is the body's */
    finish(&seen, END_COMPLETE, 200);
}

/* Each vendor's words; of several the later row of the table counts. */
static void test_finish_reasons(void **state)
{
    (void)state;
    static struct seen seen;
    static const struct {
        enum plan_api api;
        const char *body;
        enum finish is;
    } rows[] = {
        {API_OPENAI_CHAT, TOKEN("a") DONE, FINISH_NONE},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"length\"}]}\n\n" DONE, FINISH_LENGTH},
        {API_OPENAI_CHAT,
         "data: {\"choices\":[{\"finish_reason\":\"content_filter\"},{\"finish_reason\":\"stop\"}]}\n\n" DONE,
         FINISH_FILTER},
        {API_OPENAI_CHAT,
         "data: {\"choices\":[{\"finish_reason\":\"tool_calls\"}]}\n\n"
         "data: {\"choices\":[{\"finish_reason\":\"stop\"}]}\n\n" DONE,
         FINISH_TOOLS},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"repetition\"}]}\n\n" DONE, FINISH_OTHER},
        {API_OPENAI_CHAT, "data: {\"choices\":[{\"finish_reason\":\"abort\"}]}\n\n" DONE, FINISH_FAILED},
        {API_OPENAI_RESPONSES,
         "event: response.created\ndata: {\"response\":{\"status\":\"in_progress\"}}\n\n"
         "event: response.completed\ndata: {\"response\":{\"status\":\"completed\",\"incomplete_details\":null}}\n\n",
         FINISH_STOP},
        {API_OPENAI_RESPONSES,
         "event: response.completed\ndata: {\"response\":{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":"
         "\"max_output_tokens\"}}}\n\n",
         FINISH_LENGTH},
        {API_OPENAI_RESPONSES,
         "event: response.incomplete\ndata: {\"response\":{\"incomplete_details\":{\"reason\":\"content_filter\"},"
         "\"status\":\"incomplete\"}}\n\n",
         FINISH_FILTER},
        {API_ANTHROPIC, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"}}\n\n",
         FINISH_LENGTH},
        {API_ANTHROPIC, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"}}\n\n",
         FINISH_TOOLS},
        {API_OLLAMA, "{\"done\":true,\"done_reason\":\"stop\"}\n", FINISH_STOP},
        {API_LLAMACPP, "data: {\"stop\":true,\"stop_type\":\"limit\"}\n\n", FINISH_LENGTH},
        {API_TGI, "data: {\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"eos_token\"}}\n\n", FINISH_STOP},
        {API_COHERE, "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"MAX_TOKENS\"}}\n\n",
         FINISH_LENGTH},
        {API_GEMINI, "data: {\"candidates\":[{\"finishReason\":\"SAFETY\"}]}\n\n", FINISH_FILTER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin(rows[i].api);
        feed(rows[i].body, 10);
        enum finish got = s.finish_by;
        finish(&seen, END_COMPLETE, 200);
        if (got != rows[i].is) fail_msg("%s: %s", rows[i].body, FINISH_NAMES[got]);
    }
}

#define OF(choice, text, usage)                                                                                        \
    "data: {\"choices\":[{\"index\":" choice ",\"delta\":{\"content\":\"" text "\"}}]" usage "}\n\n"

/* n > 1: one time to the first token, the tokens of all, and the gaps and the pace of each answer apart. */
static void test_choices(void **state)
{
    (void)state;
    static struct seen fast, full;
    static struct dialect d;
    const struct plan_target t = {.api = CHAT, .body = "{\"m\":{\"n\":9},\"n\":2}"};
    dialect_open(&t, &d);
    assert_int_equal(d.choices, 2);
    for (int scanned = 0; scanned < 2; scanned++) {
        stream_begin(&s, &d, pool, 0, INT64_MAX);
        s.full_only = scanned;
        for (int i = 0; i < 30; i++) { /* the second answer begins 400 later */
            feed(OF("0", "a", ",\"n\":1"), 1000000 + 100000 * i);
            feed(OF("1", "b", ",\"n\":2"), 1440000 + 100000 * i);
            assert_int_equal(s.t.last_token, 1440000 + 100000 * i);
        }
        feed("data: {\"choices\":[],\"usage\":{\"completion_tokens\":62}}\n\n" DONE, 9000000);
        struct stream_tokens n;
        s.asked_tokens = 60;
        stream_count(&s, &n);
        assert_int_equal(n.made, 62);
        assert_int_equal(stream_tpot(&s, 60), 100000);
        assert_int_equal(s.events, 60);
        assert_int_equal(s.t.first_token, 1000000);
        assert_int_equal(s.shaped > 0, !scanned);
        finish(scanned ? &full : &fast, END_COMPLETE, 200);
    }
    assert_memory_equal(&fast, &full, sizeof fast);
    assert_int_equal(full.n_gaps, 58);
    for (uint32_t i = 0; i < full.n_gaps; i++)
        assert_int_equal(full.gap[i].ns, 100000);
    /* running usage is each answer's own */
    stream_begin(&s, &d, pool, 0, INT64_MAX);
    feed(OF("0", "a", ",\"usage\":{\"completion_tokens\":1}") OF("1", "a", ",\"usage\":{\"completion_tokens\":1}"), 10);
    feed(OF("0", "a", ",\"usage\":{\"completion_tokens\":4}") OF("1", "a", ",\"usage\":{\"completion_tokens\":2}"), 40);
    feed(OF("77", "a", "") DONE, 50);
    finish(&full, END_COMPLETE, 200);
    assert_int_equal(full.n_gaps, 2);
    assert_int_equal(full.gap[0].tokens, 3);
    assert_int_equal(full.gap[1].tokens, 1);
    assert_int_equal(full.events, 5);
}

static void test_failed_tokens_and_release(void **state)
{
    (void)state;
    static struct seen seen;
    for (int i = 0; i < 1000; i++) {
        begin(CHAT);
        for (int k = 0; k < 300; k++)
            feed(TOKEN("a"), AT + k);
        feed("data: {\"x\":\"", AT);
        for (int k = 0; k < 200; k++)
            feed("0123456789", AT);
        finish(&seen, END_RESET, 200);
        assert_int_equal(seen.events, 300);
    }
    assert_int_equal(pool->chunks.out, 0);
    assert_int_equal(pool->carries.out, 0);
    assert_int_equal(gap_pool_grown(pool), 0);
}

static void test_long_event(void **state)
{
    (void)state;
    static struct seen one, two;
    static char text[3 * CARRY_MAX];
    for (size_t len = CARRY_MAX - 3; len <= CARRY_MAX + 3; len++) { /* of the data line */
        memset(text, 'x', sizeof text);
        memcpy(text, "data: {\"choices\":[{\"delta\":{\"content\":\"", 39);
        memcpy(text + len - 5, "\"}}]}\n\n" DONE, 7 + sizeof DONE);
        size_t n = strlen(text);
        begin(CHAT);
        (void)stream_feed(&s, text, n, AT);
        finish(&one, END_COMPLETE, 200);
        begin(CHAT);
        (void)stream_feed(&s, text, 40000, AT);
        (void)stream_feed(&s, text + 40000, n - 40000, AT);
        finish(&two, END_COMPLETE, 200);
        assert_int_equal(one.outcome, len <= CARRY_MAX ? COUNTER_OK : COUNTER_FAILED_MALFORMED);
        must_equal(&one, &two, "long", len);
    }
}

static int setup(void **state)
{
    (void)state;
    pool = gap_pool_new(100000, 2, NULL);
    return pool ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    gap_pool_destroy(&pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),       cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_line_ends),      cmocka_unit_test(test_guard_page),
        cmocka_unit_test(test_timeline),       cmocka_unit_test(test_running_usage),
        cmocka_unit_test(test_outcomes),       cmocka_unit_test(test_why),
        cmocka_unit_test(test_whole_answers),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_learnt_ends),    cmocka_unit_test(test_choices),
        cmocka_unit_test(test_finish_reasons), cmocka_unit_test(test_failed_tokens_and_release),
        cmocka_unit_test(test_long_event),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
