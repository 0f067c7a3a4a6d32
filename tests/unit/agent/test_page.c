/* The agent's status page: what makes it ready, and that its counters continue over stages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/page.h"
#include "common/clock.h"

static bool drop(void *arg, const struct wire_msg *m)
{
    (void)arg, (void)m;
    return true;
}

static void get(const struct page *p, const char *path, char *ret, size_t room)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)status_port(p->status)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char ask[100];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    int len = snprintf(ask, sizeof ask, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    assert_int_equal(write(fd, ask, (size_t)len), len);
    size_t n = 0;
    for (ssize_t got; n + 1 < room && (got = read(fd, ret + n, room - 1 - n)) > 0;)
        n += (size_t)got;
    ret[n] = 0;
    close(fd);
}

static void feed_stage(struct page *p, uint64_t ok)
{
    struct snapshot *s = snapshot_new(false);
    s->counters[COUNTER_OK] = ok;
    s->in_flight = 3;
    struct engine_event ev = {.kind = ENGINE_SNAPSHOT, .snapshot = s};
    page_event(p, &ev);
    ev = (struct engine_event){.kind = ENGINE_DONE};
    page_event(p, &ev);
    snapshot_destroy(&s);
}

static void test_page(void **state)
{
    (void)state;
    static char text[PROM_PAGE_MAX];
    struct err e = {0};
    struct page p;
    struct session_options so = {.hello = {.type = WIRE_HELLO}};
    struct session_io io = {.send = drop};
    struct session *s = session_new(&so, &io, 0);
    assert_int_equal(page_open(&p, "127.0.0.1:0", false, &e), 0);

    page_tick(&p, s, "agent-1", 2, NS_PER_S);
    get(&p, "/readyz", text, sizeof text);
    assert_non_null(strstr(text, " 503 "));
    assert_non_null(strstr(text, "no coordinator is heard"));
    p.stands_by = true;
    page_tick(&p, s, "agent-1", 2, NS_PER_S + 1); /* once a second only */
    get(&p, "/readyz", text, sizeof text);
    assert_non_null(strstr(text, " 503 "));
    page_tick(&p, s, "agent-1", 2, 2 * NS_PER_S);
    get(&p, "/readyz", text, sizeof text);
    assert_non_null(strstr(text, " 200 "));

    feed_stage(&p, 7);
    feed_stage(&p, 4);
    page_tick(&p, s, "agent-1", 2, 3 * NS_PER_S);
    get(&p, "/metrics", text, sizeof text);
    assert_non_null(strstr(text, "\nplateau_requests_total{outcome=\"ok\"} 11\n"));
    assert_non_null(strstr(text, "\nplateau_requests_in_flight 0\n"));
    assert_non_null(strstr(text, "\nplateau_stages_total 2\n"));
    assert_non_null(strstr(text, "\nplateau_agent_info{name=\"agent-1\"} 1\n"));
    assert_non_null(strstr(text, "\nplateau_connected 0\n"));
    page_close(&p);

    assert_int_equal(page_open(&p, NULL, false, &e), 0); /* no page: nothing to do */
    page_tick(&p, s, "agent-1", 2, 4 * NS_PER_S);
    page_close(&p);
    session_destroy(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
