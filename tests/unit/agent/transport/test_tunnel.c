/* CONNECT: what is sent, which answers open the tunnel, and that no byte of the server's is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/tunnel.h"

#define SERVER "the server speaks first" /* as HTTP/2 servers may */

static char login_name[] = "Proxy-Authorization", login_value[] = "Basic bWU6UGE1NQ==";

struct talk {
    struct target target;
    struct plan_target plan;
    struct tunnel *u;
    int ours, proxy;
};

static void begin(struct talk *k, const char *url, bool login)
{
    int pair[2];
    struct err e = {0};
    memset(k, 0, sizeof *k);
    k->plan.url = url;
    k->target.plan = &k->plan;
    assert_int_equal(url_parse(url, &k->target.url, &e), 0);
    if (login) k->target.proxy_auth = (struct target_header){.name = login_name, .value = login_value, .secret = true};
    (void)snprintf(k->target.address[0].text, sizeof k->target.address[0].text, "proxy 10.0.0.1:3128");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    k->ours = pair[0];
    k->proxy = pair[1];
    k->u = tunnel_new(&k->target, 0);
    assert_non_null(k->u);
}

static void end(struct talk *k)
{
    tunnel_destroy(&k->u);
    close(k->ours);
    close(k->proxy);
}

static void expect_asked(struct talk *k, const char *expected)
{
    char got[1024];
    uint32_t events;
    assert_int_equal(tunnel_advance(k->u, k->ours, &events), 0);
    assert_int_equal(events, EPOLLIN);
    ssize_t n = recv(k->proxy, got, sizeof got - 1, MSG_DONTWAIT);
    assert_true(n > 0);
    got[n] = '\0';
    assert_string_equal(got, expected);
}

static void what_is_sent(void **state)
{
    struct talk k;
    (void)state;
    begin(&k, "https://gw.example.com/v1/chat/completions?a=b", false);
    expect_asked(&k, "CONNECT gw.example.com:443 HTTP/1.1\r\nHost: gw.example.com:443\r\nUser-Agent: "
                     "plateau/" PLATEAU_VERSION "\r\n\r\n");
    end(&k);
    begin(&k, "http://[::1]:8000/", true);
    expect_asked(&k, "CONNECT [::1]:8000 HTTP/1.1\r\nHost: [::1]:8000\r\nUser-Agent: plateau/" PLATEAU_VERSION
                     "\r\nProxy-Authorization: Basic bWU6UGE1NQ==\r\n\r\n");
    end(&k);
}

struct row {
    const char *answer;
    bool closed;     /* after it */
    const char *why; /* NULL: the tunnel is open */
    bool may_pass;
};
#define ASKED "proxy 10.0.0.1:3128, asked for a way to h:443, "
static const struct row ROWS[] = {
    {"HTTP/1.1 200 Connection established\r\n\r\n", false, NULL, false},
    {"HTTP/1.0 200 OK\r\nVia: x\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n", false, NULL, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", false, NULL, false},
    {"HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 5\r\n\r\nlogin", false,
     ASKED "answers with status 407 (proxy-authenticate: Negotiate): login. Is target.proxy_auth there, and right?",
     false},
    {"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", false, ASKED "answers with status 403", false},
    {"HTTP/1.1 502 Bad\r\nX-Squid-Error: ERR_DNS_FAIL 0\r\nContent-Length: 66\r\n\r\n<html><head><TITLE>ERROR: no "
     "such host\n</TITLE></head><body>bla bla",
     false, ASKED "answers with status 502 (x-squid-error: ERR_DNS_FAIL 0): ERROR: no such host", true},
    {"HTTP/1.1 503 Busy\r\n\r\nnot now", true, ASKED "answers with status 503: not now", true},
    {"HTTP/1.1 302 Go\r\nLocation: http://login/\r\nContent-Length: 0\r\n\r\n", false, ASKED "answers with status 302",
     true},
    {"HTTP/1.1 500 X\r\nContent-Length: 43\r\n\r\nyou sent Basic bWU6UGE1NQ== and I do not...", false,
     ASKED "answers with status 500: you sent Basic *** and I do not...", true},
    {"", true, ASKED "closes the connection without an answer", true},
    {"HTTP/1.1 200 OK\r\nVia", true, ASKED "closes the connection without an answer", true},
    {"SSH-2.0-OpenSSH_9.2\r\n", false, ASKED "gives no answer that a proxy gives (no HTTP/1)", true},
    {"\x15\x03\x01\x00\x02\x02\x16", false, ASKED "gives no answer that a proxy gives (no HTTP/1)", true},
};

/* Whole, and each byte in a send of its own. */
static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof ROWS / sizeof *ROWS; i++) {
        const struct row *r = &ROWS[i / 2];
        struct talk k;
        uint32_t events;
        char rest[64] = "";
        int rc = 0;
        begin(&k, "https://h/", true);
        assert_int_equal(tunnel_advance(k.u, k.ours, &events), 0);
        char all[1024];
        size_t n = strlen(r->answer), step = i % 2 ? 1 : n + sizeof SERVER - 1;
        memcpy(all, r->answer, n);
        if (!r->why) memcpy(all + n, SERVER, sizeof SERVER - 1);
        n += r->why ? 0 : sizeof SERVER - 1;
        for (size_t at = 0; at < n && rc == 0; at += step) {
            size_t part = n - at < step ? n - at : step;
            assert_int_equal(send(k.proxy, all + at, part, 0), (ssize_t)part);
            rc = tunnel_advance(k.u, k.ours, &events);
            if (rc > 0 && at + part < n)
                assert_int_equal(send(k.proxy, all + at + part, n - at - part, 0), n - at - part);
        }
        if (r->closed && rc == 0) {
            shutdown(k.proxy, SHUT_RDWR);
            rc = tunnel_advance(k.u, k.ours, &events);
        }
        if (rc != (r->why ? -1 : 1)) fail_msg("row %zu, step %zu: %d, %s", i / 2, step, rc, tunnel_why(k.u));
        if (r->why && step > 1) assert_string_equal(tunnel_why(k.u), r->why); /* in pieces the words may be fewer */
        if (r->why) assert_int_equal(tunnel_may_pass(k.u), r->may_pass);
        if (r->why) assert_null(strstr(tunnel_why(k.u), "bWU6UGE1NQ=="));
        if (!r->why) assert_int_equal(recv(k.ours, rest, sizeof rest, MSG_DONTWAIT), sizeof SERVER - 1);
        if (!r->why) assert_memory_equal(rest, SERVER, sizeof SERVER - 1);
        end(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_sent), cmocka_unit_test(answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
