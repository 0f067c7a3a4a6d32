#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/ui.h"

#define LOCAL "Host: localhost\r\n"
#define CLOSE "Connection: close\r\n\r\n"
#define PATIENCE_NS (60 * NS_PER_S)

static atomic_uint stops;
static void on_stop(void *arg)
{
    assert_non_null(arg);
    stops++;
}

static struct ui *open_ui(const char *address)
{
    static char arg;
    struct err e = {0};
    struct buf page = BUF_INIT(100), policy = BUF_INIT(100);
    struct ui *u = ui_open(address, on_stop, &arg, &e);
    assert_non_null(u);
    assert_int_equal(buf_puts(&page, "<p>the page</p>"), 0);
    assert_int_equal(buf_puts(&policy, "default-src 'none'"), 0);
    ui_page(u, &page, &policy);
    buf_clear(&page);
    buf_clear(&policy);
    return u;
}

static unsigned port_of(const struct ui *u)
{
    const char *colon = strrchr(ui_url(u), ':');
    return (unsigned)strtoul(colon + 1, NULL, 10);
}

static int dial(const struct ui *u, const char *request)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(u)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

/* Reads until `until` is in the text, or to the end of the connection; NULL: to the end. */
static void read_until(int fd, const char *until, char *ret, size_t room)
{
    size_t n = strlen(ret);
    for (ssize_t got; n + 1 < room && (!until || !strstr(ret, until)); n += (size_t)got) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        assert_true(poll(&p, 1, (int)(PATIENCE_NS / NS_PER_MS)) == 1);
        if ((got = read(fd, ret + n, room - 1 - n)) <= 0) break;
        ret[n + (size_t)got] = 0;
    }
    if (until && !strstr(ret, until)) fail_msg("no \"%s\" in \"%s\"", until, ret);
}

static void expect(const struct ui *u, const char *request, const char *status)
{
    char text[4096] = "";
    int fd = dial(u, request);
    read_until(fd, NULL, text, sizeof text);
    close(fd);
    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strncmp(text + 9, status, 3) != 0)
        fail_msg("%s\nwas answered with %.300s, expected %s", request, text, status);
}

static void put(struct ui *u, enum ui_kind kind, const char *json)
{
    struct buf b = BUF_INIT(1000);
    assert_int_equal(buf_puts(&b, json), 0);
    ui_put(u, kind, &b);
    buf_clear(&b);
}

static void wait_viewers(struct ui *u, unsigned n)
{
    for (int64_t until = clock_mono_ns() + PATIENCE_NS; ui_viewers(u) != n; usleep(10000))
        if (clock_mono_ns() > until) fail_msg("%u viewers, expected %u", ui_viewers(u), n);
}

/* Who is answered, and who is not: names, origins, methods, the token. */
static void test_doors(void **state)
{
    (void)state;
    char right[300];
    struct ui *u = open_ui("127.0.0.1:0");
    assert_null(strstr(ui_url(u), "token"));
    expect(u, "GET / HTTP/1.1\r\n" LOCAL CLOSE, "200");
    expect(u, "GET / HTTP/1.1\r\nHost: 127.0.0.1:1\r\n" CLOSE, "200"); /* another port: through a tunnel */
    expect(u, "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n" CLOSE, "200");
    expect(u, "HEAD / HTTP/1.1\r\n" LOCAL CLOSE, "200");
    static const char *const FOREIGN[] = {
        "evil.example",          "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]", "",
        "localhost@evil.example"};
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++) {
        (void)snprintf(right, sizeof right, "GET / HTTP/1.1\r\nHost: %s\r\n" CLOSE, FOREIGN[i]);
        expect(u, right, "403");
    }
    expect(u, "GET /events HTTP/1.1\r\n" LOCAL "Origin: http://evil.example\r\n" CLOSE, "403");
    expect(u, "GET /events HTTP/1.1\r\n" LOCAL "Origin: null\r\n" CLOSE, "403");
    expect(u, "GET /stop HTTP/1.1\r\n" LOCAL CLOSE, "405");
    expect(u, "POST / HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n" CLOSE, "405");
    expect(u, "GET /etc/passwd HTTP/1.1\r\n" LOCAL CLOSE, "404");
    stops = 0;
    expect(u, "POST /stop HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n" CLOSE, "403");
    expect(u, "POST /stop HTTP/1.1\r\n" LOCAL "X-Plateau-Token: 0\r\nContent-Length: 3\r\n" CLOSE "abc", "403");
    (void)snprintf(right, sizeof right, "POST /stop?token=%s HTTP/1.1\r\n" LOCAL "Content-Length: 0\r\n" CLOSE,
                   ui_token(u));
    expect(u, right, "403"); /* a form of another site can make an address, and no header */
    (void)snprintf(right, sizeof right,
                   "POST /stop HTTP/1.1\r\n" LOCAL
                   "Origin: http://evil.example\r\nX-Plateau-Token: %s\r\nContent-Length: 0\r\n" CLOSE,
                   ui_token(u));
    expect(u, right, "403");
    assert_int_equal(stops, 0);
    (void)snprintf(right, sizeof right,
                   "POST /stop HTTP/1.1\r\n" LOCAL
                   "Origin: http://localhost\r\nX-Plateau-Token: %s\r\nContent-Length: 0\r\n" CLOSE,
                   ui_token(u));
    expect(u, right, "202");
    assert_int_equal(stops, 1);
    ui_close(&u);
    assert_null(u);
    ui_close(&u);
}

/* Off loopback nothing is shown without the token of the address that is logged. */
static void test_token(void **state)
{
    (void)state;
    char request[300];
    struct ui *u = open_ui("*:0");
    assert_non_null(strstr(ui_url(u), "?token="));
    assert_null(strchr(ui_url(u), '*')); /* the name of this machine */
    ui_close(&u);
    u = open_ui("0.0.0.0:0");
    assert_non_null(strstr(ui_url(u), "?token="));
    assert_non_null(strstr(ui_url(u), ui_token(u)));
    expect(u, "GET / HTTP/1.1\r\n" LOCAL CLOSE, "403");
    expect(u, "GET /?token= HTTP/1.1\r\n" LOCAL CLOSE, "403");
    expect(u, "GET /events?token=00000000000000000000000000000000 HTTP/1.1\r\n" LOCAL CLOSE, "403");
    (void)snprintf(request, sizeof request, "GET /?token=%s HTTP/1.1\r\nHost: any.example\r\n" CLOSE, ui_token(u));
    expect(u, request, "200");
    ui_close(&u);
}

/* A viewer gets the latest of each kind, then what is new, and the end. */
static void test_stream(void **state)
{
    (void)state;
    char text[8192] = "";
    struct ui *u = open_ui("127.0.0.1:0");
    put(u, UI_NOW, "{\"n\":0}");
    put(u, UI_NOW, "{\"n\":1}");
    put(u, UI_REPORT, "{\"r\":1}");
    int fd = dial(u, "GET /events HTTP/1.1\r\n" LOCAL "\r\n");
    read_until(fd, "event: report\ndata: {\"r\":1}\n\n", text, sizeof text);
    read_until(fd, "event: now\ndata: {\"n\":1}\n\n", text, sizeof text);
    assert_non_null(strstr(text, "text/event-stream"));
    assert_non_null(strstr(text, "no-store"));
    assert_non_null(strstr(text, "default-src 'none'; frame-ancestors 'none'"));
    assert_null(strstr(text, "\"n\":0"));
    assert_int_equal(ui_viewers(u), 1);
    put(u, UI_NOW, "{\"n\":2}");
    read_until(fd, "{\"n\":2}", text, sizeof text);
    put(u, UI_OVER, "{\"status\":0}");
    ui_end(u);
    read_until(fd, "event: over\ndata: {\"status\":0}\n\n", text, sizeof text);
    read_until(fd, NULL, text, sizeof text);
    close(fd);
    ui_wait(u, PATIENCE_NS);
    assert_int_equal(ui_viewers(u), 0);
    ui_close(&u);
}

/* More than may watch are refused, and there is room again when one leaves. */
static void test_bound(void **state)
{
    (void)state;
    int fd[UI_VIEWERS];
    struct ui *u = open_ui("127.0.0.1:0");
    put(u, UI_NOW, "{\"n\":0}");
    for (int i = 0; i < UI_VIEWERS; i++) {
        char text[4096] = "";
        fd[i] = dial(u, "GET /events HTTP/1.1\r\n" LOCAL "\r\n");
        read_until(fd[i], "{\"n\":0}", text, sizeof text);
    }
    expect(u, "GET /events HTTP/1.1\r\n" LOCAL CLOSE, "503");
    expect(u, "GET / HTTP/1.1\r\n" LOCAL CLOSE, "200");
    close(fd[0]);
    for (int i = 0; i < 2; i++) /* the first write to a closed connection is accepted, the next is not */
        put(u, UI_NOW, "{\"n\":1}"), usleep(100000);
    wait_viewers(u, UI_VIEWERS - 1);
    for (int i = 1; i < UI_VIEWERS; i++)
        close(fd[i]);
    ui_close(&u); /* with streams that are open */
}

/* One that does not read: it gets none of what it is too slow for, others are served meanwhile, and it is dropped. */
static void test_slow_reader(void **state)
{
    (void)state;
    enum { BIG = 4 << 20, EVENTS = 50 };
    char text[4096] = "";
    struct buf big = BUF_INIT(BIG + 1);
    struct ui *u = open_ui("127.0.0.1:0");
    put(u, UI_NOW, "{\"n\":0}");
    int slow = dial(u, "GET /events HTTP/1.1\r\n" LOCAL "\r\n");
    read_until(slow, "{\"n\":0}", text, sizeof text);
    for (int i = 0; i < BIG; i++)
        (void)buf_putc(&big, 'x');
    ui_put(u, UI_REPORT, &big); /* more than the kernel holds for a connection */
    text[0] = 0;
    int fast = dial(u, "GET /events HTTP/1.1\r\n" LOCAL "\r\n");
    for (size_t n = 0; n < BIG;) { /* the big one is read and forgotten */
        char part[65536];
        ssize_t got = read(fast, part, sizeof part);
        assert_true(got > 0);
        n += (size_t)got;
    }
    for (int i = 1; i <= EVENTS; i++) {
        char now[40];
        (void)snprintf(now, sizeof now, "{\"n\":%d}", i);
        put(u, UI_NOW, now);
    }
    (void)snprintf(text, sizeof text, "%s", "");
    read_until(fast, "{\"n\":50}", text, sizeof text);
    close(fast);
    wait_viewers(u, 0); /* the slow one too, though it never closed */
    close(slow);
    buf_clear(&big);
    ui_close(&u);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    struct err e = {0};
    static const char *const BAD[] = {"", "8080", "localhost:8080", "127.0.0.1:", "127.0.0.1:70000", "1.2.3:4"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        assert_null(ui_open(BAD[i], on_stop, NULL, &e));
        assert_non_null(strstr(e.text, "--ui: expected ADDR:PORT"));
    }
    struct ui *u = open_ui("127.0.0.1:0");
    char taken[40];
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", port_of(u));
    assert_null(ui_open(taken, on_stop, NULL, &e));
    assert_non_null(strstr(e.text, "cannot listen on 127.0.0.1"));
    ui_close(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_doors),       cmocka_unit_test(test_token),
                                       cmocka_unit_test(test_stream),      cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_bad_addresses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
