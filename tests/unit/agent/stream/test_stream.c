#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/stream/stream.h"
#include "common/rng.h"
#include "tests/unit/agent/stream/seen.h"
#include "tests/unit/capture.h"

struct expect {
    const char *name;
    enum plan_api api;
    enum counter outcome;
    uint32_t events;
    bool usage;
    uint32_t in, out, cached;
    bool finish;
};

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
    {"ollama-messages-stream", API_ANTHROPIC, COUNTER_OK, 3, true, 27, 3, 0, true},   /* its message_start guesses 5 */
    {"ollama17-messages-stream", API_ANTHROPIC, COUNTER_OK, 3, true, 24, 3, 0, true}, /* it guesses 25 */
    {"ollama-chat-ndjson", API_OLLAMA, COUNTER_OK, 6, true, 27, 6, 0, true},
    {"ollama-runner-killed-ndjson", API_OLLAMA, COUNTER_FAILED_STREAM_ERROR, 27, false, 0, 0, 0, false},
    {"llamacpp-native-completion-stream", API_LLAMACPP, COUNTER_OK, 8, true, 2, 8, 1, true},
    {"triton-generate-stream", API_TRITON, COUNTER_OK, 4, false, 0, 0, 0, false}, /* the body's end is its marker */
    {"triton-err-first", API_TRITON, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"triton-err-badjson", API_TRITON, COUNTER_FAILED_HTTP_5XX, 0, false, 0, 0, 0, false},
    {"triton-queue-full", API_TRITON, COUNTER_FAILED_HTTP_5XX, 0, false, 0, 0, 0, false},
    {"ollama-v1-err-model404", CHAT, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"ollama-v1-chat-stream-usage", CHAT, COUNTER_OK, 3, true, 27, 3, 0, true},
    {"ollama-v1-chat-stream-thinking", CHAT, COUNTER_OK, 2, true, 87, 4, 0, true},
    {"ollama-v1-completions-stream-usage", COMPLETIONS, COUNTER_OK, 3, true, 3, 3, 0, true}, /* zeros, then the truth */
    {"llamacpp-b11549-chat-stream-reasoning", CHAT, COUNTER_OK, 5, true, 46, 6, 0, true},
    {"llamacpp-b11549-err-ctx-stream", CHAT, COUNTER_FAILED_HTTP_4XX, 0, false, 0, 0, 0, false},
    {"llamacpp-b11549-chat-stream-n2", CHAT, COUNTER_OK, 8, true, 26, 4, 21, true}, /* a usage of each answer */
    /* no [DONE]: target.end: auto or finish measures it */
    {"transformers-chat-stream", CHAT, COUNTER_FAILED_TRUNCATED, 6, true, 18, 6, 0, true},
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

/* Keep-alives without text are no tokens; white space is one. */
static void test_blank_events(void **state)
{
    (void)state;
    static struct seen seen;
    begin(CHAT);
    for (int i = 0; i < 3000; i++)
        feed(TOKEN(""), 10 + i);
    feed(TOKEN(" ") TOKEN("\\n") DONE, 5000);
    assert_int_equal(s.unknown, 0);
    assert_int_equal(s.t.first_event, 10);
    assert_int_equal(s.t.first_token, 5000);
    finish(&seen, END_COMPLETE, 200);
    assert_int_equal(seen.events, 2);
    assert_int_equal(seen.outcome, COUNTER_OK);
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

/* A limit that hidden reasoning used up is told with its tokens, of every API and of whole answers too. */
static void test_used_up(void **state)
{
    (void)state;
    static const struct {
        enum plan_api api;
        bool whole;
        const char *body, *why;
    } rows[] = {
        {API_OPENAI_CHAT, false,
         "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"finish_reason\":\"length\"}]}\n\n"
         "data: {\"choices\":[],\"usage\":{\"completion_tokens\":16,\"completion_tokens_details\":"
         "{\"reasoning_tokens\":16}}}\n\n" DONE,
         "16 output tokens, 16 of them as reasoning, and none came"},
        {API_OPENAI_CHAT, false,
         "data: "
         "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"completion_tokens\":16}}\n\n" DONE,
         "16 output tokens, 0 of them as reasoning, and none came"},
        {API_OPENAI_CHAT, false,
         "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"completion_tokens\":16}}\n\n",
         "16 output tokens, 0 of them as reasoning, and none came"}, /* a server that sends no marker */
        {API_OPENAI_CHAT, false, "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n" DONE,
         "a limit of output tokens was reached, and none of them came"},
        {API_OPENAI_CHAT, true,
         "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"length\"}],\"usage\":{\"completion_"
         "tokens\":16,"
         "\"completion_tokens_details\":{\"reasoning_tokens\":16}}}",
         "16 output tokens, 16 of them as reasoning, and none came"},
        {API_GEMINI, false,
         "data: {\"candidates\":[{\"content\":{\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\"}],"
         "\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":16,\"totalTokenCount\":25}}\n\n",
         "16 output tokens, 16 of them as reasoning, and none came"},
        {API_GEMINI, true,
         "{\"candidates\":[{\"content\":{\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\"}],"
         "\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":16,\"totalTokenCount\":25}}",
         "16 output tokens, 16 of them as reasoning, and none came"},
        {API_ANTHROPIC, false,
         "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n"
         "data: "
         "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{\"output_tokens\":16}}\n\n"
         "data: {\"type\":\"message_stop\"}\n\n",
         "16 output tokens, 0 of them as reasoning, and none came"},
        {API_OPENAI_RESPONSES, false,
         "data: {\"type\":\"response.incomplete\",\"response\":{\"status\":\"incomplete\",\"incomplete_details\":"
         "{\"reason\":\"max_output_tokens\"},\"usage\":{\"input_tokens\":9,\"output_tokens\":16,"
         "\"output_tokens_details\":{\"reasoning_tokens\":16}}}}\n\n",
         "16 output tokens, 16 of them as reasoning, and none came"},
        {API_OPENAI_RESPONSES, true,
         "{\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[],\"usage\":"
         "{\"input_tokens\":9,\"output_tokens\":16,\"output_tokens_details\":{\"reasoning_tokens\":16}}}",
         "16 output tokens, 16 of them as reasoning, and none came"},
        {API_OLLAMA, false,
         "{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"length\",\"eval_"
         "count\":16}\n",
         "16 output tokens, 0 of them as reasoning, and none came"},
        {API_COHERE, false,
         "data: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"MAX_TOKENS\",\"usage\":{\"tokens\":"
         "{\"input_tokens\":9,\"output_tokens\":16}}}}\n\n",
         "16 output tokens, 0 of them as reasoning, and none came"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin_as(rows[i].api, rows[i].whole, END_AUTO);
        s.asked_tokens = 16;
        (void)stream_feed(&s, rows[i].body, strlen(rows[i].body), AT);
        enum counter outcome = stream_outcome(&s, END_COMPLETE, 200);
        if (outcome == COUNTER_OK || !s.why || !strstr(s.why, rows[i].why))
            fail_msg("row %zu: %s, %s", i, COUNTERS[outcome].name, s.why ? s.why : "no reason");
        stream_clear(&s);
    }
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
        {"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" DONE,
         "a finish reason, and no token before it", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}"},
        {"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\n" DONE,
         "a content filter ended it before its first token",
         "{\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}"},
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
    assert_int_equal(carry_pool_out(&pool->carries), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_guard_page),
        cmocka_unit_test(test_timeline),
        cmocka_unit_test(test_running_usage),
        cmocka_unit_test(test_blank_events),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_used_up),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_failed_tokens_and_release),
        cmocka_unit_test(test_long_event),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
