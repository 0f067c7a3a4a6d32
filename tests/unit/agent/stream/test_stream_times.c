/* Captured streams read by read, at the moments of the capture: what a timeline says is when the bytes of its event
 * came. The expected moments were computed from the captures by other code than ours. Every capture is in a table of
 * tests. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/stream/stream.h"
#include "agent/transport/http1.h"
#include "tests/unit/agent/stream/seen.h"
#include "tests/unit/capture.h"

#define RESPONSES API_OPENAI_RESPONSES

static const struct expect {
    const char *name;
    enum plan_api api;
    uint32_t events;
    int64_t first_byte, first_token, last_token, done; /* µs after the request; done 0: no end marker came */
} EXPECT[] = {
    {"lcppy-chat-stream", CHAT, 24, 234607, 235021, 3859601, 3863188},
    {"lcppy-interrupted-stream", CHAT, 16, 25159, 26268, 934534, 935031},
    {"llamacpp-anthropic-stream", API_ANTHROPIC, 6, 21706, 21706, 93093, 93093},
    {"llamacpp-b11549-chat-stream-reasoning", CHAT, 5, 1719568, 1873199, 3655960, 3656150},
    {"llamacpp-b11549-responses-stream-reasoning", RESPONSES, 3, 1484163, 1637685, 1940793, 1940793},
    {"llamacpp-chat-stream-usage", CHAT, 23, 7003, 7003, 110686, 111027},
    {"llamacpp-chat-stream", CHAT, 23, 61943, 61943, 225923, 225923}, /* two events a read */
    {"llamacpp-completions-stream", COMPLETIONS, 16, 9199, 9199, 74286, 74286},
    {"llamacpp-keepalive-ping", CHAT, 3, 30629, 6043621, 6043621, 6043621}, /* comments for six seconds */
    {"llamacpp-native-completion-stream", API_LLAMACPP, 8, 6107, 6107, 97134, 97134},
    {"llamacpp-responses-stream", RESPONSES, 6, 100519, 100519, 115739, 115894},
    {"llmdsim-chat-stream-usage", CHAT, 12, 51660, 51660, 168329, 168600},
    {"ollama-chat-ndjson", API_OLLAMA, 6, 7203378, 7203378, 8102957, 8102957},
    {"ollama-messages-stream", API_ANTHROPIC, 3, 139827, 139923, 395935, 396281},
    {"ollama-responses-stream", RESPONSES, 3, 229435, 229435, 489893, 490764},
    {"ollama-runner-killed-ndjson", API_OLLAMA, 27, 5180919, 5180919, 8932004, 0},
    {"ollama-v1-chat-stream-thinking", CHAT, 2, 1809130, 1809130, 1905626, 1906635},
    {"ollama-v1-chat-stream-usage", CHAT, 3, 99323, 99323, 238357, 238430},
    {"ollama-v1-completions-stream-usage", COMPLETIONS, 3, 123306, 123306, 295622, 296895},
    {"triton-generate-stream", API_TRITON, 4, 126514, 126514, 304778, 0}, /* its end is the body's */
    {"vllm-anthropic-stream", API_ANTHROPIC, 6, 40884, 90773, 90773, 90773},
    {"vllm-chat-stream-continuous-usage", CHAT, 8, 16771, 16879, 69593, 69677},
    {"vllm-chat-stream-ignore-eos-min", CHAT, 16, 14171, 14340, 115160, 115510},
    {"vllm-chat-stream-usage", CHAT, 24, 24563, 24563, 203734, 203828},
    {"vllm-chat-stream", CHAT, 24, 148540, 148767, 332800, 332892},
    {"vllm-completions-stream", COMPLETIONS, 16, 24470, 24470, 139678, 139886},
    {"vllm-responses-stream", RESPONSES, 3, 20813, 115581, 138641, 255759},
};
#define N_EXPECT (sizeof EXPECT / sizeof *EXPECT)

/* Gives the raw response to the stream as it came, and what it made of it. */
static void replay(const struct expect *x, struct seen *ret)
{
    char path[512];
    size_t n, len;
    double at;
    struct http1 h;
    (void)snprintf(path, sizeof path, TEST_DATA "/streams/%s.txt", x->name);
    char *file = capture_read_file(path, &n);
    const char *bytes = strstr(file, "### RESPONSE\n"), *end = file + n;
    assert_non_null(bytes);
    bytes += strlen("### RESPONSE\n");
    (void)snprintf(path, sizeof path, TEST_DATA "/streams/%s.times", x->name);
    FILE *times = fopen(path, "r");
    assert_non_null(times);
    http1_begin(&h);
    begin(x->api);
    while (fscanf(times, "%lf %zu", &at, &len) == 2) {
        const char *piece, *until = bytes + len;
        size_t piece_n;
        assert_true(until <= end);
        while (http1_next(&h, &bytes, until, &piece, &piece_n) == HTTP1_BODY)
            (void)stream_feed(&s, piece, piece_n, (int64_t)(at * 1e6 + 0.5));
        bytes = until;
    }
    assert_ptr_equal(bytes, end);
    finish(ret, http1_closed(&h) == HTTP1_DONE ? END_COMPLETE : END_CUT, h.status);
    (void)fclose(times);
    free(file);
}

static void test_moments(void **state)
{
    (void)state;
    static struct seen seen;
    for (size_t i = 0; i < N_EXPECT; i++) {
        const struct expect *x = &EXPECT[i];
        replay(x, &seen);
        const struct timeline *t = &seen.t;
        int64_t sum = 0;
        for (uint32_t k = 0; k < seen.n_gaps; k++)
            sum += seen.gap[k].ns;
        if (seen.events != x->events || seen.n_gaps != x->events - 1 || sum != x->last_token - x->first_token)
            fail_msg("%s: %u events, their gaps are %lld µs", x->name, seen.events, (long long)sum);
        if (t->first_byte != x->first_byte || t->first_token != x->first_token || t->last_token != x->last_token)
            fail_msg("%s: %lld, %lld, %lld", x->name, (long long)t->first_byte, (long long)t->first_token,
                     (long long)t->last_token);
        if (t->done != x->done && !(x->done == 0 && seen.outcome == COUNTER_OK))
            fail_msg("%s: done %lld", x->name, (long long)t->done);
    }
}

/* No capture lies there unread: each is named in a test beside this one. */
static void test_all_are_read(void **state)
{
    (void)state;
    static const char *const TESTS[] = {"test_stream.c", "test_stream_ends.c", "test_stream_times.c"};
    static char text[sizeof TESTS / sizeof *TESTS << 17];
    size_t n = 0, captures = 0;
    for (size_t i = 0; i < sizeof TESTS / sizeof *TESTS; i++) {
        char path[512];
        size_t got;
        (void)snprintf(path, sizeof path, SOURCE_ROOT "/tests/unit/agent/stream/%s", TESTS[i]);
        char *file = capture_read_file(path, &got);
        assert_true(n + got < sizeof text);
        memcpy(text + n, file, got + 1);
        n += got;
        free(file);
    }
    DIR *d = opendir(TEST_DATA "/streams");
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        const char *dot = strrchr(e->d_name, '.');
        char name[300];
        if (!dot || (strcmp(dot, ".txt") != 0 && strcmp(dot, ".times") != 0)) continue;
        (void)snprintf(name, sizeof name, "\"%.*s\"", (int)(dot - e->d_name), e->d_name);
        if (!strstr(text, name)) fail_msg("no test names the capture %s", name);
        captures += strcmp(dot, ".txt") == 0;
    }
    (void)closedir(d);
    assert_true(captures >= 44);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_moments), cmocka_unit_test(test_all_are_read)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
