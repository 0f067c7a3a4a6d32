#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/sse.h"

static struct carry_pool pool;
static struct sse sse;
static struct carry carry;
static char noise[SSE_NOISE_MAX]; /* of the last text … */
static size_t noise_len;          /* … so much */

static void begin(void)
{
    carry_clear(&carry); /* what the last text left */
    carry_init(&carry, &pool);
    sse_init(&sse, &carry);
}

/* All events as "name|data;" each, "!" when the stream is bad, "?" and the event that is left at the end. */
static void put_event(char *out, size_t *n, const struct sse_event *e)
{
    *n += (size_t)snprintf(out + *n, 4096 - *n, "%.*s|%.*s;", (int)e->name_len, e->name, (int)e->len, e->data);
}

static void run_part(const char *p, size_t n, char *out, size_t *out_n)
{
    const char *end = p + n;
    struct sse_event e;
    int r;
    while ((r = sse_next(&sse, &p, end, &e)) == 1)
        put_event(out, out_n, &e);
    if (r < 0 && (*out_n == 0 || out[*out_n - 1] != '!')) out[(*out_n)++] = '!';
    if (r == 0) assert_ptr_equal(p, end);
}

static void run_end(char *out, size_t *out_n)
{
    struct sse_event e;
    if (sse_last(&sse, &e) == 1) {
        out[(*out_n)++] = '?';
        put_event(out, out_n, &e);
    }
    out[*out_n] = '\0';
    noise_len = sse.noise_len;
    memcpy(noise, carry_bytes(&sse.noise_text), noise_len);
    sse_clear(&sse);
    carry_clear(&carry);
    assert_int_equal(carry_pool_out(&pool), 0);
}

static void check(const char *text, size_t n, const char *expect)
{
    char out[4200];
    for (size_t at = 0; at <= n; at++) {
        size_t out_n = 0;
        begin();
        run_part(text, at, out, &out_n);
        run_part(text + at, n - at, out, &out_n);
        run_end(out, &out_n);
        if (strcmp(out, expect) != 0) fail_msg("%s split at %zu: got %s, expected %s", text, at, out, expect);
    }
    size_t out_n = 0;
    begin();
    for (size_t at = 0; at < n; at++)
        run_part(text + at, 1, out, &out_n);
    run_end(out, &out_n);
    assert_string_equal(out, expect);
}
#define CHECK_NOISE(text, expect, lines) (check(text, sizeof(text) - 1, expect), assert_int_equal(sse.noise, lines))
#define CHECK(text, expect) check(text, sizeof(text) - 1, expect)

static void test_events(void **state)
{
    (void)state;
    CHECK("", "");
    CHECK("data: a\n\n", "|a;");
    CHECK("data:a\n\n", "|a;");
    CHECK("data:  a\n\n", "| a;"); /* one space goes */
    CHECK("data\n\n", "");         /* empty data: no event */
    CHECK("data:\n\n", "");
    CHECK("data: a\n\ndata:\n\ndata\n\ndata: b\n\n", "|a;|b;");
    CHECK("event: done\ndata:\n\ndata: a\n\n", "done|;|a;"); /* but the name says something */
    CHECK("data: a\n\ndata: b\n\n", "|a;|b;");
    CHECK("data: a\ndata: b\ndata:c\n\n", "|a\nb\nc;");
    CHECK("data\ndata\n\n", "|\n;");
    CHECK("data:\ndata: x\ndata:\n\n", "|\nx\n;");
    CHECK("event: tick\ndata: a\n\ndata: b\n\n", "tick|a;|b;"); /* a name lasts for one event */
    CHECK("data: a\nevent:tick\n\n", "tick|a;");
    CHECK("event: x\nevent: y\ndata: a\n\n", "y|a;");
    CHECK("event: x\n\ndata: a\n\n", "|a;"); /* without data there is no event */
    CHECK("id: 7\nretry: 10\nfoo: bar\ndata: a\n\n", "|a;");
    CHECK("error: {\"code\":500}\n\ndata: a\n\n", "error|{\"code\":500};|a;");
    CHECK("data: a: b:\n\n", "|a: b:;");
    CHECK("\n\n\ndata: a\n\n\n\n", "|a;");
    CHECK("data: \xe4\xbd\xa0\n\n", "|\xe4\xbd\xa0;");
}

static void test_line_ends(void **state)
{
    (void)state;
    CHECK("data: a\r\rdata: b\r\r", "|a;|b;");
    CHECK("data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;");
    CHECK("data: a\r\n\ndata: b\n\r\ndata: c\r\n\r", "|a;|b;|c;");
    CHECK("data: a\rdata: b\ndata: c\r\n\n", "|a\nb\nc;");
    CHECK("data: a\n\r\n\rdata: b\n\r", "|a;|b;");
}

static void test_comments(void **state)
{
    (void)state;
    CHECK(":\n\n: ping\n\ndata: a\n: in between\ndata: b\n:\n\n:end", "|a\nb;");
    CHECK("::::\ndata: a\n\n", "|a;");
    /* of any length, and nothing of it is kept */
    static char text[300000];
    memset(text, ':', sizeof text);
    memcpy(text, "data: a\n", 8);
    memcpy(text + sizeof text - 9, "\ndata: b\n", 9);
    for (size_t step = 1; step < sizeof text; step = step * 30 + 1) {
        char out[4200];
        size_t n = 0;
        begin();
        for (size_t at = 0; at < sizeof text; at += step) {
            run_part(text + at, sizeof text - at < step ? sizeof text - at : step, out, &n);
            assert_true(carry.cap <= CARRY_SMALL);
        }
        run_end(out, &n);
        assert_string_equal(out, "?|a\nb;");
    }
}

static void test_mark(void **state)
{
    (void)state;
    CHECK("\xef\xbb\xbf"
          "data: a\n\n",
          "|a;");
    CHECK("\xef\xbb\xbf", "");
    CHECK("\xef\xbb", "");
    CHECK("\xef\xbb"
          "data: a\n\n",
          "!");
    CHECK_NOISE("data: a\n\n\xef\xbb\xbf"
                "data: b\n\n",
                "|a;", 1); /* only at the start */
}

static void test_noise(void **state)
{
    (void)state;
    CHECK_NOISE("<html>\n\n", "", 1);
    CHECK_NOISE("data: a\n\nwhat is this\ndata: b\n\n", "|a;|b;", 1);
    CHECK_NOISE(" data: a\n\n", "", 1);
    CHECK_NOISE("dat\nfoo: bar\nretry\ndata: a\n\n", "|a;", 0); /* names of fields that nobody knows */
    CHECK_NOISE("data: a\n\n\x80: x\n", "|a;", 1);
    CHECK("data: a\n\n\0\n\n", "|a;!"); /* no text */
    /* a brace begins no field: the name of the field was forgotten */
    CHECK("data: a\n\n{\"error\": 1}\n\n", "|a;|{\"error\": 1};");
    CHECK("data: a\n{b}\ndata: c\n{d}\n\n", "|a\n{b}\nc\n{d};");
    check("data: a\0b\n\n", 11, "|a;"); /* NUL is a byte like others; printing stops at it */
}

/* The first of these lines are kept for a person to read, however they are split (check reads them a byte at a time
 * last), and no more than there is room for. */
static void test_noise_text(void **state)
{
    (void)state;
    static const char PAGE[] = "<html>\r\n<title>502 Bad Gateway</title>\r\n</html>";
    static const char WORDS[] = "<html> <title>502 Bad Gateway</title> </html>";
    CHECK_NOISE("data: a\n\n<html>\r\n<title>502 Bad Gateway</title>\r\n</html>", "|a;", 3);
    assert_int_equal(noise_len, sizeof WORDS - 1);
    assert_memory_equal(noise, WORDS, sizeof WORDS - 1);
    char many[20 * sizeof PAGE];
    size_t n = 0;
    for (int i = 0; i < 20; i++, many[n++] = '\n')
        memcpy(many + n, PAGE, sizeof PAGE - 1), n += sizeof PAGE - 1;
    check(many, n, "");
    assert_int_equal(sse.noise, 60);
    assert_int_equal(noise_len, SSE_NOISE_MAX);
    assert_memory_equal(noise, WORDS, sizeof WORDS - 1);
}

static void test_last(void **state)
{
    (void)state;
    CHECK("data: a", "?|a;");
    CHECK("data: a\n", "?|a;");
    CHECK("event: e\ndata: a\ndata: b", "?e|a\nb;");
    CHECK("data: a\n\ndata", "|a;");
    CHECK("event: e\n", "");
    CHECK("data: a\n\n", "|a;");
    CHECK("data: a\nnoise", "?|a;");
}

static void test_slices(void **state)
{
    (void)state;
    static const char text[] = "data: whole\n\nevent: n\ndata: second\n\n";
    const char *p = text;
    struct sse_event e;
    begin();
    assert_int_equal(sse_next(&sse, &p, text + sizeof text - 1, &e), 1);
    assert_ptr_equal(e.data, text + 6); /* nothing was copied */
    assert_ptr_equal(p, text + 13);
    assert_true(sse_at_start(&sse));
    assert_int_equal(sse_next(&sse, &p, text + sizeof text - 1, &e), 1);
    assert_ptr_equal(e.data, strstr(text, "second"));
    assert_int_equal(sse_next(&sse, &p, text + sizeof text - 1, &e), 0);
    carry_clear(&carry);
}

/* One line, and many lines of one event: both are bounded, and a bad stream stays bad. */
static void test_bounds(void **state)
{
    (void)state;
    static char line[1000];
    memset(line, 'a', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int many = 0; many < 2; many++) {
        struct sse_event e;
        uint32_t taken = 0;
        int r = 0;
        begin();
        while (r == 0 && taken < 2 * CARRY_MAX) {
            const char *p = "data:";
            if (many || taken == 0) r = sse_next(&sse, &p, p + 5, &e);
            p = line;
            size_t n = many ? sizeof line : sizeof line - 1;
            if (r == 0) r = sse_next(&sse, &p, p + n, &e);
            taken += (uint32_t)n;
        }
        assert_int_equal(r, -1);
        assert_in_range(taken, CARRY_MAX - sizeof line, CARRY_MAX + 2 * sizeof line);
        const char *p = "\n\n";
        assert_int_equal(sse_next(&sse, &p, p + 2, &e), -1);
        assert_int_equal(carry_pool_out(&pool), 0); /* memory of its own */
        carry_clear(&carry);
        assert_int_equal(carry_pool_out(&pool), 0);
    }
    static char name[3 * SSE_NAME_MAX] = "event:";
    memset(name + 6, 'n', sizeof name - 6);
    char out[4200];
    size_t n = 0;
    begin();
    run_part(name, sizeof name, out, &n);
    run_part("\ndata:x\n\n", 9, out, &n);
    run_end(out, &n);
    assert_int_equal(strlen(out), SSE_NAME_MAX + 3);
}

static int setup(void **state)
{
    (void)state;
    return carry_pool_init(&pool, 1, NULL);
}

static int teardown(void **state)
{
    (void)state;
    carry_pool_clear(&pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events), cmocka_unit_test(test_line_ends), cmocka_unit_test(test_comments),
        cmocka_unit_test(test_mark),   cmocka_unit_test(test_noise),     cmocka_unit_test(test_noise_text),
        cmocka_unit_test(test_last),   cmocka_unit_test(test_slices),    cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
