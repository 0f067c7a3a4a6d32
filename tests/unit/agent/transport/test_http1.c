/* Each response gives the same whole, cut in two at every byte, and byte by byte; flush against a page that must not be
 * read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <unistd.h>

#include "agent/transport/http1.h"

struct got {
    struct http1 h;
    enum http1_result last;
    size_t n, left; /* bytes of the body; bytes after the response */
    char body[4096];
};

/* The piece lies at the end of a page; the next one cannot be read. */
static const char *at_page_end(const char *p, size_t n)
{
    static char *guarded;
    static size_t room;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (!guarded) {
        room = 32 * page;
        guarded = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(guarded != MAP_FAILED);
        assert_int_equal(mprotect(guarded + room, page, PROT_NONE), 0);
    }
    assert_true(n <= room);
    return memcpy(guarded + room - n, p, n);
}

static char heard[200];
static void hear(void *arg, const char *name, size_t name_n, const char *value, size_t value_n)
{
    (void)arg;
    size_t at = strlen(heard);
    (void)snprintf(heard + at, sizeof heard - at, "%.*s=%.*s;", (int)name_n, name, (int)value_n, value);
}

static void feed(struct got *g, const char *p, size_t n)
{
    const char *at = at_page_end(p, n), *end = at + n, *piece;
    size_t len;
    while ((piece = http1_chunk(&g->h, &at, end, &len)) != NULL ||
           (g->last = http1_next(&g->h, &at, end, &piece, &len)) == HTTP1_BODY) {
        assert_true(piece >= end - n && piece + len <= end && len > 0);
        assert_true(g->n + len < sizeof g->body);
        memcpy(g->body + g->n, piece, len);
        g->n += len;
    }
    if (g->last == HTTP1_MORE) assert_ptr_equal(at, end);
    g->left = (size_t)(end - at);
}

/* "200 keep done body|2 after" and so on. */
static void say(struct got *g, size_t untold, char *ret, size_t n)
{
    static const char *const WORD[] = {"bad", "cut", "?", "done"};
    g->body[g->n] = '\0';
    if (g->last == HTTP1_BAD) {
        snprintf(ret, n, "bad");
        return;
    }
    bool by_close = g->last == HTTP1_MORE && http1_closed(&g->h) == HTTP1_DONE;
    snprintf(ret, n, "%d %s %s %s|%zu", g->h.status, http1_keep_alive(&g->h) ? "keep" : "close",
             by_close ? "closed" : WORD[g->last + 1], g->body, g->left + untold);
}

static void check_n(const char *text, size_t n, const char *expect)
{
    char said[8192];
    struct got g;
    for (size_t cut = 0; cut <= n; cut++) {
        memset(&g, 0xa5, sizeof g);
        http1_begin(&g.h);
        g.n = 0;
        feed(&g, text, cut);
        size_t untold = g.last == HTTP1_MORE ? 0 : n - cut;
        if (g.last == HTTP1_MORE) feed(&g, text + cut, n - cut);
        say(&g, untold, said, sizeof said);
        if (strcmp(said, expect) != 0) fail_msg("%.200s cut at %zu: got %s, expected %s", text, cut, said, expect);
    }
    http1_begin(&g.h);
    g.n = 0;
    size_t at = 0;
    do
        feed(&g, text + at, at < n);
    while (at++ < n && g.last == HTTP1_MORE);
    say(&g, at < n ? n - at : 0, said, sizeof said);
    if (strcmp(said, expect) != 0) fail_msg("%.200s byte by byte: got %s, expected %s", text, said, expect);
}

static void check(const char *text, const char *expect)
{
    check_n(text, strlen(text), expect);
}

static void test_lengths(void **state)
{
    (void)state;
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 keep done hello|0");
    check("HTTP/1.1 200 OK\ncontent-LENGTH:5 \n\nhello", "200 keep done hello|0");
    check("HTTP/1.1 200\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloHT", "200 keep done hello|2");
    check("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", "503 keep done |0");
    check("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "200 close cut hello|0");
    check("HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n", "204 keep done |0");
    check("HTTP/1.1 304 Not Modified\r\n\r\n", "304 keep done |0");
    check("HTTP/1.1 200 OK\r\n\r\nall of it", "200 close closed all of it|0");
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "bad");
    check("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello", "bad");
    check("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "bad");
    check("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello", "bad");
    check("HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\nhello", "bad");
}

static void test_chunks(void **state)
{
    (void)state;
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    check(CHUNKED "3\r\nabc\r\n0A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n", "200 keep done abc0123456789|0");
    check(CHUNKED "3\nabc\n00\nTrailer: x\nOther: y\n\nX", "200 keep done abc|1");
    check(CHUNKED "3 \r\nabc\r\n0\r\n", "200 close cut abc|0");
    check(CHUNKED "3\r\nabcd\r\n0\r\n\r\n", "bad");
    check(CHUNKED "4\r\nab\r\n0\r\n\r\n", "bad");
    check(CHUNKED "x\r\nabc\r\n0\r\n\r\n", "bad");
    check(CHUNKED "\r\nabc\r\n0\r\n\r\n", "bad");
    check(CHUNKED "-3\r\nabc\r\n0\r\n\r\n", "bad");
    check(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", "bad");
    check(CHUNKED "1000000000000000\r\nabc", "bad");
    check(CHUNKED "fffffffffffffff\r\nabc", "200 close cut abc|0");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na", "200 keep done a|0");
    /* both frames: the coding counts, and the connection is not trusted any more */
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
          "200 close done a|0");
}

static void test_connection(void **state)
{
    (void)state;
    check("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "200 close done |0");
    check("HTTP/1.1 200 OK\r\nConnection: foo , CLOSE,bar\r\nContent-Length: 0\r\n\r\n", "200 close done |0");
    check("HTTP/1.1 200 OK\r\nConnection: closed\r\nContent-Length: 0\r\n\r\n", "200 keep done |0");
    check("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200 close done |0");
    check("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n", "200 keep done |0");
}

static void test_interim(void **state)
{
    (void)state;
    check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 "
          "OK\r\nContent-Length: 1\r\n\r\na",
          "200 keep done a|0");
    check("HTTP/1.1 101 Switching Protocols\r\n\r\n", "bad");
}

static void test_heads_that_are_none(void **state)
{
    (void)state;
    check("HTTP/2 200\r\n\r\n", "bad");
    check("HTTP/1.1 20\r\n\r\n", "bad");
    check("HTTP/1.1 2000 OK\r\n\r\n", "bad");
    check("HTTP/1.1 099 OK\r\n\r\n", "bad");
    check("HTTP/1.1  200 OK\r\n\r\n", "bad");
    check("SSH-2.0-OpenSSH", "bad"); /* without waiting for its line's end */
    check("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\n: no name\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\n folded\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n", "bad");
    check("HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\tContent-Length: 3\r\nContent-Length: 1\r\n\r\na", "200 keep done a|0");
    static const char NUL[] = "HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n";
    check_n(NUL, sizeof NUL - 1, "bad");
}

/* `name: aaa…` with n bytes after the colon, in a response with a body of one byte. */
static void check_long(const char *name, char fill, size_t n, const char *expect)
{
    static char text[2 * HTTP1_HEAD_MAX];
    size_t at = (size_t)snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n%s:", name);
    memset(text + at, fill, n);
    snprintf(text + at + n, sizeof text - at - n, "\r\n\r\na");
    if (n < 1000) {
        check(text, expect);
        return;
    }
    char said[8192];
    struct got g = {.n = 0}; /* too long to be cut at every byte */
    size_t all = strlen(text);
    http1_begin(&g.h);
    feed(&g, text, all / 2);
    if (g.last == HTTP1_MORE) feed(&g, text + all / 2, all - all / 2);
    say(&g, 0, said, sizeof said);
    assert_string_equal(said, expect);
}

static void test_bounds(void **state)
{
    (void)state;
    for (size_t n = HTTP1_LINE_MAX - 12; n < HTTP1_LINE_MAX + 4; n++)
        check_long("X", 'a', n, "200 keep done a|0");
    check_long("X", 'a', 60000, "200 keep done a|0");
    check_long("X", 'a', 65500, "bad");
    check_long("Connection", ',', HTTP1_LINE_MAX - 11, "200 keep done a|0");
    check_long("Connection", ',', HTTP1_LINE_MAX - 10, "200 close done a|0"); /* legal; its end may have said close */
    check_long("Connection", ',', 60000, "200 close done a|0");
    check_long("Transfer-Encoding", ',', HTTP1_LINE_MAX, "bad");
    /* interim responses without end */
    static const char INTERIM[] = "HTTP/1.1 102 Processing\r\n\r\n";
    struct got g = {.n = 0};
    http1_begin(&g.h);
    size_t sent = 0;
    for (; g.last == HTTP1_MORE && sent < 2 * HTTP1_HEAD_MAX; sent += sizeof INTERIM - 1)
        feed(&g, INTERIM, sizeof INTERIM - 1);
    assert_int_equal(g.last, HTTP1_BAD);
}

/* A trailer's lines are told as those of the head are; a line that is none is passed over. */
static void test_trailer_is_told(void **state)
{
    (void)state;
    static const char TEXT[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                               "grpc-status:  14 \r\nno colon\r\n: no name\r\ngrpc-message: gone\r\n\r\n";
    struct got g;
    for (size_t cut = 0; cut < sizeof TEXT; cut++) {
        memset(&g, 0, sizeof g);
        http1_begin(&g.h);
        g.h.header = hear;
        heard[0] = '\0';
        feed(&g, TEXT, cut);
        feed(&g, TEXT + cut, sizeof TEXT - 1 - cut);
        assert_int_equal(g.last, HTTP1_DONE);
        assert_string_equal(heard, "Transfer-Encoding=chunked;grpc-status=14;grpc-message=gone;");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_interim),
        cmocka_unit_test(test_heads_that_are_none),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_trailer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
