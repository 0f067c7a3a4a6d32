#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/status.h"

static void ask(unsigned port, const char *request, char *ret, size_t room)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    size_t n = 0;
    for (ssize_t got; n + 1 < room && (got = read(fd, ret + n, room - 1 - n)) > 0;)
        n += (size_t)got;
    ret[n] = 0;
    close(fd);
}

static void test_pages(void **state)
{
    (void)state;
    struct err e = {0};
    char page[4096];
    struct status *s = status_open("127.0.0.1:0", &e);
    assert_non_null(s);
    unsigned port = status_port(s);
#define GET(path) ask(port, "GET " path " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", page, sizeof page)
    GET("/healthz");
    assert_non_null(strstr(page, " 200 "));
    GET("/readyz");
    assert_non_null(strstr(page, " 503 "));
    assert_non_null(strstr(page, "starting"));
    status_ready(s, true, "in run 7");
    status_publish(s, "plateau_in_flight 7\n");
    GET("/readyz");
    assert_non_null(strstr(page, " 200 "));
    assert_non_null(strstr(page, "in run 7"));
    GET("/metrics");
    assert_non_null(strstr(page, "plateau_in_flight 7\n"));
    GET("/etc/passwd");
    assert_non_null(strstr(page, " 404 "));
    ask(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", page, sizeof page);
    assert_non_null(strstr(page, " 405 "));

    char taken[32];
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", port);
    assert_null(status_open(taken, &e));
    assert_non_null(strstr(e.text, "cannot listen on 127.0.0.1"));
    status_close(&s);
    assert_null(s);
    static const char *const BAD[] = {
        "", "9100", "localhost:9100", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:x", "1.2.3:4", "*", "*:", "**:9100"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (status_open(BAD[i], &e)) fail_msg("\"%s\" was taken for an address", BAD[i]);
    static const char *const ANY[] = {"*:0", "[::]:0", "0.0.0.0:0"}; /* IPv4 is taken by each of them */
    for (size_t i = 0; i < sizeof ANY / sizeof *ANY; i++) {
        assert_non_null(s = status_open(ANY[i], &e));
        port = status_port(s);
        GET("/healthz");
        assert_non_null(strstr(page, " 200 "));
        status_close(&s);
    }
    status_ready(NULL, true, "");
    status_publish(NULL, "");
}

/* A coordinator of a thousand agents holds more descriptors than select(2) can watch. */
static void test_many_descriptors(void **state)
{
    (void)state;
    enum { MANY = FD_SETSIZE + 100 };
    static int held[MANY];
    struct rlimit r;
    struct err e = {0};
    char page[4096];
    if (getrlimit(RLIMIT_NOFILE, &r) || r.rlim_max < MANY + 100) skip();
    r.rlim_cur = r.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &r), 0);
    for (size_t i = 0; i < MANY; i++)
        assert_true((held[i] = dup(STDOUT_FILENO)) >= 0);
    struct status *s = status_open("127.0.0.1:0", &e);
    if (!s) fail_msg("%s", e.text);
    ask(status_port(s), "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", page, sizeof page);
    assert_non_null(strstr(page, " 200 "));
    status_close(&s);
    for (size_t i = 0; i < MANY; i++)
        close(held[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages), cmocka_unit_test(test_many_descriptors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
