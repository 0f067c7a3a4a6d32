/* HTTP/2 of the simulator: a client that is gone while answers are written to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "tests/sim/h2.h"

static struct sim_options options;
static struct sim_server server;

static void open_server(const char *option)
{
    char name[] = "sim", ttft[] = "--ttft=1ms", tpot[] = "--tpot=1ms", more[32];
    char *argv[] = {name, ttft, tpot, more, NULL};
    struct err e = {0};
    (void)snprintf(more, sizeof more, "%s", option);
    assert_int_equal(sim_options_parse(4, argv, &options, &e), 0);
    server = (struct sim_server){.o = &options, .epoll = epoll_create1(EPOLL_CLOEXEC), .signal.fd = -1, .spare = -1};
    server.out = server.null_answer = server.cipher = (struct buf)BUF_INIT(SIM_OUT_MAX);
}

static void close_server(void)
{
    while (server.open)
        sim_conn_close(&server, server.open, "shutdown");
    sim_conn_sweep(&server);
    sim_timers_clear(&server.timers);
    buf_clear(&server.out);
    close(server.epoll);
}

static ssize_t body(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                    nghttp2_data_source *source, void *user)
{
    static const char ASK[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"stream\":true}";
    (void)session, (void)id, (void)source, (void)user;
    assert_true(n >= sizeof ASK - 1);
    memcpy(to, ASK, sizeof ASK - 1);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return sizeof ASK - 1;
}

#define FIELD(name, value)                                                                                             \
    {                                                                                                                  \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value), 0                    \
    }

/* A connection on which a client has asked n times. */
static struct sim_conn *ask(int fd, int n)
{
    const nghttp2_nv head[] = {FIELD(":method", "POST"), FIELD(":scheme", "http"), FIELD(":authority", "sim"),
                               FIELD(":path", "/v1/chat/completions")};
    const nghttp2_data_provider data = {.read_callback = body};
    nghttp2_session_callbacks *calls;
    nghttp2_session *client;
    const uint8_t *bytes;
    ssize_t len;
    struct sim_conn *c = calloc(1, sizeof *c);
    assert_non_null(c);
    assert_int_equal(sim_conn_open(&server, c, fd), 0);
    assert_int_equal(sim_h2_open(&server, c), 0);
    assert_int_equal(nghttp2_session_callbacks_new(&calls), 0);
    assert_int_equal(nghttp2_session_client_new(&client, calls, NULL), 0);
    assert_int_equal(nghttp2_submit_settings(client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
    for (int i = 0; i < n; i++)
        assert_true(nghttp2_submit_request(client, NULL, head, sizeof head / sizeof *head, &data, NULL) > 0);
    while ((len = nghttp2_session_mem_send(client, &bytes)) > 0)
        assert_int_equal(sim_h2_feed(c->h2, bytes, (size_t)len, clock_mono_ns()), 0);
    nghttp2_session_del(client);
    nghttp2_session_callbacks_del(calls);
    assert_int_equal(server.streams, n);
    return c;
}

/* The write of a token, or of an answer's end, finds the socket broken: the connection and all its streams are closed
 * inside it. */
static void test_client_is_gone(void **state)
{
    static const char *const OPTIONS[] = {"--http2", "--fault-truncate", "--fault-stream-error", "--fault-reset",
                                          "--early-role"};
    (void)state;
    for (size_t i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
        int ends[2];
        open_server(OPTIONS[i]);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        const struct sim_conn *c = ask(ends[0], 3);
        struct sim_conn *s = server.open;
        assert_ptr_equal(s->carrier, c);
        close(ends[1]);
        for (int k = 0; k < 100 && !s->dead; k++)
            if (!sim_stream_due(&server, s)) break;
        assert_true(s->dead);
        assert_true(c->dead || i > 0);
        if (c->dead) assert_int_equal(server.streams, 0);
        close_server();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_client_is_gone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
