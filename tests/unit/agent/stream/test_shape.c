#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/capture.h"
#include "tests/unit/stream_said.h"

static struct gap_pool *pool;
static struct stream s;

/* In two reads, parted there. Returns how many events were judged by their shape. */
static uint32_t run_cut(const struct dialect *d, const char *text, size_t n, size_t cut, bool full_only,
                        struct said *ret)
{
    stream_begin(&s, d, pool, 0, INT64_MAX);
    s.full_only = full_only;
    (void)stream_feed(&s, text, cut, 1);
    (void)stream_feed(&s, text + cut, n - cut, 1);
    stream_said(&s, END_COMPLETE, 200, ret);
    return s.shaped;
}

static uint32_t run(const struct dialect *d, const char *text, size_t n, bool full_only, struct said *ret)
{
    return run_cut(d, text, n, n, full_only, ret);
}

/* Once alone, and twice with what all streams share: the second has learnt from the first. */
static uint32_t same_api(enum plan_api api, const char *text, size_t n)
{
    static struct shapes shapes;
    struct said fast, full;
    struct dialect sharing = *dialect_for(api);
    uint32_t shaped = run(dialect_for(api), text, n, false, &fast);
    assert_int_equal(run(dialect_for(api), text, n, true, &full), 0);
    if (memcmp(&fast, &full, sizeof fast) != 0) fail_msg("differs: %s", text);
    (void)run_cut(dialect_for(api), text, n, n / 2, false, &fast);
    (void)run_cut(dialect_for(api), text, n, n / 2, true, &full);
    if (memcmp(&fast, &full, sizeof fast) != 0) fail_msg("differs in two reads: %s", text);
    (void)run(dialect_for(api), text, n, true, &full);
    shapes = (struct shapes){0};
    sharing.shapes = &shapes;
    for (int i = 0; i < 2; i++) {
        (void)run(&sharing, text, n, false, &fast);
        if (memcmp(&fast, &full, sizeof fast) != 0) fail_msg("differs when shared: %s", text);
    }
    return shaped;
}

static uint32_t same(const char *text, size_t n)
{
    return same_api(API_OPENAI_CHAT, text, n);
}

/* Real streams: all token events but the first, and the one with the finish reason, go the short way. */
static void test_captures(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t shaped;
        enum plan_api api;
    } rows[] = {
        {"vllm-chat-stream", 22, API_OPENAI_CHAT},
        {"vllm-chat-stream-usage", 22, API_OPENAI_CHAT},
        {"vllm-completions-stream", 14, API_OPENAI_CHAT},
        {"llamacpp-chat-stream-usage", 22, API_OPENAI_CHAT},
        {"llamacpp-completions-stream", 15, API_OPENAI_CHAT},
        {"lcppy-chat-stream", 23, API_OPENAI_CHAT},
        {"llmdsim-chat-stream-usage", 11, API_OPENAI_CHAT},
        {"vllm-chat-stream-continuous-usage", 6, API_OPENAI_CHAT},
        {"llamacpp-responses-stream", 5, API_OPENAI_RESPONSES},
        {"vllm-anthropic-stream", 5, API_ANTHROPIC},
        {"llamacpp-native-completion-stream", 6, API_LLAMACPP}, /* the numbers of tokens differ at the second */
        {"ollama-runner-killed-ndjson", 25, API_OLLAMA},        /* the time */
        {"triton-generate-stream", 2, API_TRITON},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct capture c;
        capture_load(&c, rows[i].name);
        uint32_t shaped = same_api(rows[i].api, c.body, c.n);
        if (shaped != rows[i].shaped) fail_msg("%s: %u", rows[i].name, shaped);
        capture_clear(&c);
    }
}

/* Streams that differ in their ids, times and words: from the third on no event of them is scanned, the first, the
 * last, usage and the end included. */
static void test_shared(void **state)
{
    (void)state;
    static struct shapes shapes;
    struct dialect sharing = *dialect_for(API_OPENAI_CHAT);
    shapes = (struct shapes){0};
    sharing.shapes = &shapes;
    for (int i = 0; i < 5; i++) {
        char text[2048];
        struct said fast, full;
#define CHUNK(rest) "data: {\"id\":\"chat-%d\",\"created\":%d,\"choices\":[" rest "}\n\n"
        int n =
            snprintf(text, sizeof text,
                     CHUNK("{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]")
                         CHUNK("{\"delta\":{\"content\":\"a%d\"}}]") CHUNK("{\"delta\":{\"content\":\"b\"}}]")
                             CHUNK("{\"delta\":{\"content\":\"c\"},\"finish_reason\":\"stop\"}]")
                                 CHUNK("],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":3}") "data: [DONE]\n\n",
                     i * 77, i, i * 77, i, i, i * 77, i, i * 77, i, i * 77, i, i + 5);
        assert_in_range(n, 1, sizeof text - 1);
        uint32_t shaped = run(&sharing, text, (size_t)n, false, &fast);
        if (i >= 2) assert_int_equal(shaped, 3);
        if (i >= 2) assert_false(s.sse.sent); /* the parser has seen none of it */
        assert_int_equal(run(&sharing, text, (size_t)n, true, &full), 0);
        assert_memory_equal(&fast, &full, sizeof fast);
        assert_int_equal(fast.in, i + 5);
        assert_int_equal(fast.finish_by, FINISH_STOP);
        assert_int_equal(fast.outcome, COUNTER_OK);
    }
}

#define BEFORE "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
#define BEHIND "\"},\"finish_reason\":null}]}\n\n"
#define TOKEN(text) BEFORE text BEHIND

/* Any byte of a later event changed, removed or put in twice: never another answer than the full scanner's. */
static void test_every_change(void **state)
{
    (void)state;
    static const char first[] = TOKEN("one"), second[] = TOKEN("t\\nw\\u006fo"),
                      rest[] = TOKEN("three") "data: [DONE]\n\n";
    static const char bytes[] = "\"\\ \n\r{}[],:0ax\x01\x7f\x80";
    char text[1024];
    const size_t n1 = sizeof first - 1, n2 = sizeof second - 1, n3 = sizeof rest - 1;
    memcpy(text, first, n1);
    memcpy(text + n1, second, n2);
    memcpy(text + n1 + n2, rest, n3 + 1);
    assert_int_equal(same(text, n1 + n2 + n3), 2);
    for (size_t at = 0; at < n2; at++) {
        for (size_t b = 0; b < sizeof bytes; b++) { /* NUL too */
            text[n1 + at] = bytes[b];
            (void)same(text, n1 + n2 + n3);
        }
        text[n1 + at] = second[at];
        memcpy(text + n1 + at, second + at + 1, n2 - at - 1);
        memcpy(text + n1 + n2 - 1, rest, n3 + 1);
        (void)same(text, n1 + n2 + n3 - 1);
        memcpy(text + n1 + at, second + at, n2 - at);
        text[n1 + at] = second[at];
        memcpy(text + n1 + at + 1, second + at, n2 - at);
        memcpy(text + n1 + n2 + 1, rest, n3 + 1);
        (void)same(text, n1 + n2 + n3 + 1);
        memcpy(text + n1, second, n2);
        memcpy(text + n1 + n2, rest, n3 + 1);
    }
}

/* An event that came in two pieces has its shape, wherever it was cut, and teaches that of events which are laid out as
 * most are. */
static void test_pieces(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        TOKEN("one") TOKEN("t\\nw\\u006fo") TOKEN("three") "data: [DONE]\n\n",
        "data:{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{\"completion_tokens\":1}}\r\n\r\n"
        "data:{\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":{\"completion_tokens\":2}}\r\n\r\n"
        "data:{\"choices\":[{\"delta\":{\"content\":\"c\"}}],\"usage\":{\"completion_tokens\":12}}\r\n\r\n"};
    const struct dialect *d = dialect_for(API_OPENAI_CHAT);
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        const char *text = TEXTS[i];
        size_t n = strlen(text), first = (size_t)(strstr(text + 1, "data:") - text);
        for (size_t cut = 3; cut < n; cut++) {
            struct said fast, full;
            uint32_t shaped = run_cut(d, text, n, cut, false, &fast);
            assert_int_equal(run_cut(d, text, n, cut, true, &full), 0);
            if (memcmp(&fast, &full, sizeof fast) != 0) fail_msg("differs, cut at %zu: %s", cut, text);
            bool late_lf = text[cut] == '\n' && memcmp(text + cut - 3, "\r\n\r", 3) == 0;
            bool other = i == 1 && cut < first;   /* what the first one teaches is laid out otherwise */
            uint32_t want = 2u - late_lf - other; /* a late LF is the parser's */
            if (shaped != want) fail_msg("%u, cut at %zu: %s", shaped, cut, text);
        }
    }
}

static uint32_t shaped(const char *text)
{
    return same(text, strlen(text));
}

static void test_what_is_learnt(void **state)
{
    (void)state;
    assert_int_equal(shaped(TOKEN("a") TOKEN("b") TOKEN("c")), 2);
    assert_int_equal(shaped(TOKEN("") TOKEN("b") TOKEN("c")), 1); /* an empty one teaches nothing */
    assert_int_equal(shaped(TOKEN("a") TOKEN("") TOKEN("c")), 1);
    assert_int_equal(shaped(TOKEN("a") ": ping\n\n" TOKEN("b") "\n" TOKEN("c") TOKEN("d")),
                     1); /* what follows other lines is read in full */
    assert_int_equal(shaped("event: x\n" TOKEN("a") TOKEN("b") TOKEN("c")), 1);
    assert_int_equal(shaped("event: x\n" TOKEN("a") "event: x\n" TOKEN("b") "event: x\n" TOKEN("c")), 2);
    assert_int_equal(shaped("event:x\r\ndata:{\"choices\":[{\"text\":\"a\"}]}\r\n\r\nevent:x\r\ndata:{\"choices\":[{"
                            "\"text\":\"b\"}]}\r\n\r\n"),
                     1);
    assert_int_equal(shaped("event: error\n" TOKEN("a") "event: error\n" TOKEN("b")), 0);
    assert_int_equal(
        shaped("data:{\"choices\":[{\"text\":\"a\"}]}\r\n\r\ndata:{\"choices\":[{\"text\":\"b\"}]}\r\n\r\n"), 1);
    assert_int_equal(shaped("data: {\"choices\":[{\"text\":\"a\"},{\"text\":\"b\"}]}\n\ndata: "
                            "{\"choices\":[{\"text\":\"a\"},{\"text\":\"b\"}]}\n\n"),
                     1);
    assert_int_equal(
        shaped("data: {\"choices\":[\ndata: {\"text\":\"a\"}]}\n\ndata: {\"choices\":[\ndata: {\"text\":\"a\"}]}\n\n"),
        0);
    /* a finish reason or an error is not, even if it comes again */
#define MORE(rest) "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}" rest "}\n\n"
    assert_int_equal(shaped(MORE("}],\"usage\":{\"completion_tokens\":3}") MORE(
                         "}],\"usage\":{\"completion_tokens\":14}") MORE("}],\"usage\":{\"completion_tokens\":1.5}")),
                     1);
    assert_int_equal(shaped(MORE("}],\"usage\":{\"completion_tokens\":3,\"completion_tokens\":3}")
                                MORE("}],\"usage\":{\"completion_tokens\":3,\"completion_tokens\":3}")),
                     0);
    /* what is read over may differ, once it was seen to */
    assert_int_equal(shaped(MORE("}],\"n\":1") MORE("}],\"n\":2") MORE("}],\"n\":30") MORE("}],\"n\":\"x\"")), 1);
    assert_int_equal(shaped(MORE("}],\"at\":\"x\"") MORE("}],\"at\":\"y\"") MORE("}],\"at\":\"\\u00e9\"")), 1);
    assert_int_equal(shaped(MORE(",\"finish_reason\":\"stop\"}]") MORE(",\"finish_reason\":\"stop\"}]")), 0);
    assert_int_equal(shaped(MORE("}],\"error\":\"x\"") MORE("}],\"error\":\"x\"")), 0);
    /* another kind of text is another shape */
    assert_int_equal(shaped("data: {\"choices\":[{\"delta\":{\"reasoning\":\"a\"}}]}\n\ndata: "
                            "{\"choices\":[{\"delta\":{\"reasoning\":\"b\"}}]}\n\n" TOKEN("a") TOKEN("b")),
                     2);
    assert_int_equal(shaped(TOKEN("a") "data: [DONE]\n\n" TOKEN("b")), 0); /* nothing counts after the end */
}

static int setup(void **state)
{
    (void)state;
    pool = gap_pool_new(1000, 1, NULL);
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
        cmocka_unit_test(test_captures), cmocka_unit_test(test_shared),         cmocka_unit_test(test_every_change),
        cmocka_unit_test(test_pieces),   cmocka_unit_test(test_what_is_learnt),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
