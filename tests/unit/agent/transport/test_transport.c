/* HTTP/1.1 in the clear and over TLS, against a server that says exactly what a case wants: what a request
 * ends under is the same with each. HTTP/2: test_http2.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/engine.h"
#include "agent/stage.h"
#include "agent/transport/kinds.h"
#include "common/clock.h"
#include "tests/unit/tls_server.h"

#define EVENTS "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"
#define HALF "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
#define STREAM "Content-Type: text/event-stream\r\n"

enum how { KEEP, CLOSE, RESET };
struct script {
    const char *name, *response; /* NULL: nothing is said */
    enum how then;
    enum counter label;
    bool early;  /* the answer comes before the request was read */
    bool pieces; /* each byte in a send of its own */
    bool idle;   /* what is left idle is closed in the end */
    bool moment; /* the connection ends a moment after the answer, which did not say so */
    bool first;  /* the answer goes with the last bytes of the handshake */
    bool held;   /* the response stays open after its end marker */
    bool second; /* only the connection's second request is treated like this; the first is answered well */
    unsigned input;
};

#define GOOD "HTTP/1.1 200 OK\r\n" STREAM "Content-Length: 61\r\n\r\n" EVENTS
static const struct script SCRIPTS[] = {
    {"length", GOOD, KEEP, COUNTER_OK, .pieces = false},
    {"held open after the end marker", "HTTP/1.1 200 OK\r\n" STREAM "Content-Length: 62\r\n\r\n" EVENTS, KEEP,
     COUNTER_OK, .held = true},
    {"length in pieces", GOOD, KEEP, COUNTER_OK, .pieces = true},
    {"idle for long", GOOD, KEEP, COUNTER_OK, .idle = true},
    {"closed after it", GOOD, CLOSE, COUNTER_OK, .pieces = false},
    {"closed a moment after it", GOOD, CLOSE, COUNTER_OK, .moment = true},
    {"chunks", "HTTP/1.1 200 OK\r\n" STREAM "Transfer-Encoding: chunked\r\n\r\n3d\r\n" EVENTS "\r\n0\r\n\r\n", KEEP,
     COUNTER_OK, .pieces = true},
    {"chunks, trailer",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3d;x=y\r\n" EVENTS "\r\n0\r\nA: b\r\n\r\n", KEEP, COUNTER_OK,
     .pieces = false},
    {"until the end", "HTTP/1.1 200 OK\r\n" STREAM "\r\n" EVENTS, CLOSE, COUNTER_OK, .pieces = false},
    {"HTTP/1.0", "HTTP/1.0 200 OK\r\n" STREAM "\r\n" EVENTS, CLOSE, COUNTER_OK, .pieces = true},
    {"interim", "HTTP/1.1 100 Continue\r\n\r\n" GOOD, KEEP, COUNTER_OK, .pieces = false},
    {"a long body is taken", GOOD, KEEP, COUNTER_OK, .input = 300000},
    {"refused before it was read", "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", KEEP,
     COUNTER_FAILED_HTTP_4XX, .early = true, .input = 300000},
    {"answered before it was asked",
     "HTTP/1.1 200 OK\r\n" STREAM "Connection: close\r\nContent-Length: 61\r\n\r\n" EVENTS, KEEP, COUNTER_OK,
     .first = true},
    {"a chunk size of 16 digits",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000000000003d\r\n" EVENTS "\r\n0000000000000000\r\n\r\n",
     KEEP, COUNTER_OK, .pieces = false},
    {"a gzip that nobody asked for",
     "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", KEEP,
     COUNTER_FAILED_MALFORMED, .pieces = false},
    {"two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     CLOSE, COUNTER_FAILED_MALFORMED, .pieces = false},
    {"429 with a body", "HTTP/1.1 429 Slow Down\r\nContent-Length: 5\r\n\r\nhello", KEEP, COUNTER_FAILED_HTTP_429,
     .pieces = true},
    {"no body at all", "HTTP/1.1 204 No Content\r\n\r\n", KEEP, COUNTER_FAILED_EMPTY, .pieces = false},
    {"length not reached", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" HALF, CLOSE, COUNTER_FAILED_TRUNCATED,
     .pieces = false},
    {"last chunk missing", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2f\r\n" HALF "\r\n", CLOSE,
     COUNTER_FAILED_TRUNCATED, .pieces = false},
    {"reset in the body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" HALF, RESET, COUNTER_FAILED_RESET,
     .pieces = false},
    {"half a head", "HTTP/1.1 200 OK\r\nContent-", CLOSE, COUNTER_FAILED_TRUNCATED, .pieces = false},
    {"nothing, closed", NULL, CLOSE, COUNTER_FAILED_RESET, .pieces = false},
    {"nothing, reset", NULL, RESET, COUNTER_FAILED_RESET, .pieces = false},
    {"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", CLOSE, COUNTER_FAILED_MALFORMED, .pieces = false},
    {"broken chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2f\r\n" HALF "xyz\r\n", KEEP,
     COUNTER_FAILED_MALFORMED, .pieces = false},
    {"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: strange\r\n\r\n" EVENTS, CLOSE, COUNTER_FAILED_MALFORMED,
     .pieces = false},
    {"second request unanswered", NULL, CLOSE, COUNTER_FAILED_RESET, .second = true},
};

struct server {
    int fd;
    unsigned port;
    const struct script *script;
    SSL_CTX *tls; /* NULL: in the clear */
    atomic_uint requests, guests;
    pthread_t thread;
};
struct guest {
    struct server *s;
    int fd;
    SSL *tls;
};

static ssize_t hear(const struct guest *g, char *to, size_t n)
{
    return g->tls ? SSL_read(g->tls, to, (int)n) : recv(g->fd, to, n, 0);
}

/* Reads one request; false when there is none. */
static bool read_request(const struct guest *g)
{
    static const char LENGTH[] = "Content-Length: ";
    char head[4096], rest[65536];
    size_t n = 0;
    const char *end = NULL;
    while (!end) {
        ssize_t got = hear(g, head + n, sizeof head - 1 - n);
        if (got <= 0) return false;
        n += (size_t)got;
        head[n] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    const char *length = strstr(head, LENGTH);
    size_t body = length ? strtoul(length + sizeof LENGTH - 1, NULL, 10) : 0, have = n - (size_t)(end + 4 - head);
    while (have < body) {
        ssize_t got = hear(g, rest, sizeof rest);
        if (got <= 0) return false;
        have += (size_t)got;
    }
    return have == body;
}

/* `last`: the connection's end follows at once and goes with the last bytes. A client that sees them apart may have
 * sent its next request in between. */
static void say(const struct guest *g, const char *text, bool pieces, bool last)
{
    size_t n = strlen(text);
    if (last && g->tls) setsockopt(g->fd, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
    for (size_t at = 0, step; at < n; at += step) {
        step = pieces ? 1 : n;
        ssize_t sent = g->tls ? SSL_write(g->tls, text + at, (int)step)
                              : send(g->fd, text + at, step, MSG_NOSIGNAL | (last && at + step == n ? MSG_MORE : 0));
        if (sent != (ssize_t)step) return;
        if (pieces && at % 16 == 0) poll(NULL, 0, 1);
    }
}

/* What the handshake says last goes with what is said next: TLS 1.2, where the server has the last word. */
static void hold_back(const SSL *tls, int where, int rc)
{
    (void)rc;
    if ((where & SSL_CB_LOOP) && SSL_get_state(tls) == TLS_ST_SR_FINISHED)
        setsockopt(SSL_get_fd(tls), IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
}

static void begin_tls(struct guest *g)
{
    g->tls = SSL_new(g->s->tls);
    SSL_set_fd(g->tls, g->fd);
    if (!g->s->script->first) return;
    SSL_set_max_proto_version(g->tls, TLS1_2_VERSION);
    SSL_set_options(g->tls, SSL_OP_NO_TICKET);
    SSL_set_info_callback(g->tls, hold_back);
}

static void *serve_guest(void *arg)
{
    struct guest g = *(struct guest *)arg;
    const struct script *s = g.s->script;
    free(arg);
    char byte;
    if (g.s->tls) begin_tls(&g);
    for (int i = 0; !g.tls || SSL_accept(g.tls) == 1; i++) {
        if (s->first && i == 0) {
            say(&g, s->response, false, false);
            setsockopt(g.fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
        }
        if (s->early ? hear(&g, &byte, 1) != 1 : !read_request(&g)) break;
        atomic_fetch_add(&g.s->requests, 1);
        if (s->first) continue;
        if (s->second && i == 0) {
            say(&g, GOOD, false, false);
            continue;
        }
        if (s->response) say(&g, s->response, s->pieces, s->then == CLOSE && !s->moment);
        if (s->moment) poll(NULL, 0, 1);
        if (s->then == KEEP && !s->early) continue;
        if (s->early) poll(NULL, 0, 100); /* a close with bytes unread takes the answer back */
        if (s->then == RESET) {
            poll(NULL, 0, 30); /* a reset takes what was not read with it */
            setsockopt(g.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        }
        break;
    }
    SSL_free(g.tls);
    close(g.fd);
    atomic_fetch_sub(&g.s->guests, 1);
    return NULL;
}

static void *accept_guests(void *arg)
{
    struct server *s = arg;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0;) {
        pthread_t t;
        struct guest *g = malloc(sizeof *g);
        *g = (struct guest){.s = s, .fd = fd};
        atomic_fetch_add(&s->guests, 1);
        if (pthread_create(&t, NULL, serve_guest, g) != 0) abort();
        pthread_detach(t);
    }
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, accept_guests, s), 0);
}

enum { REQUESTS = 8 };

/* The slot was free soon after the end marker; the response was given up after a second, and that is its tail. */
static void assert_tails(const struct snapshot *all)
{
    assert_int_equal(all->hist[METRIC_HELD]->count, REQUESTS);
    assert_int_equal(all->hist[METRIC_TAIL]->count, REQUESTS);
    assert_in_range(hist_mean(all->hist[METRIC_HELD]), 5 * NS_PER_MS, 500 * NS_PER_MS);
    assert_in_range(hist_mean(all->hist[METRIC_TAIL]), 900 * NS_PER_MS, 2 * NS_PER_S);
}

/* Of two connections the end may come after that of the last request; one that is given up was not ended by the server.
 */
static void assert_ended(const struct script *s, uint64_t ended)
{
    if (s->label != COUNTER_OK || s->first) return;
    if (s->then == KEEP ? ended > 0 : ended < REQUESTS - 2 || ended > REQUESTS)
        fail_msg("%s: the server ended %llu connections", s->name, (unsigned long long)ended);
}

/* One round. With `again` it is no failure that not all ended ok: false then. */
static bool run(struct server *server, bool again)
{
    const struct script *s = server->script;
    char yaml[1024];
    struct err e = {0};
    struct shard shard;
    struct engine_event ev = {0};
    struct engine_options o = {.workers = 1};
    struct snapshot *all = snapshot_new(false);
    int n = snprintf(yaml, sizeof yaml,
                     "plan: 1\ntarget: {url: \"%s://127.0.0.1:%u/v1/chat/completions\", model: m, timeouts: {total: "
                     "20s}, tls: {verify: false}}\n"
                     "workload: {name: t, synthetic: {input_tokens: %u, output_tokens: 1}}\nload: {stages: "
                     "[{concurrency: 2, requests: %d}]}\n",
                     server->tls ? "https" : "http", server->port, s->input ? s->input : 8, REQUESTS);
    struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
    struct engine *g = engine_new(&o, &e);
    assert_non_null(p);
    assert_non_null(g);
    atomic_store(&server->requests, 0);
    assert_int_equal(engine_plan(g, p, &e), 0);
    assert_int_equal(shard_whole(p, &p->stages[0], 1, &shard, &e), 0);
    assert_int_equal(engine_arm(g, &shard, &e), 0);
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    while (ev.kind != ENGINE_DONE) {
        if (!engine_next(g, &ev)) {
            assert_true(poll(&pfd, 1, 60000) > 0);
            continue;
        }
        if (ev.kind == ENGINE_READY) assert_int_equal(engine_go(g, clock_mono_ns(), &e), 0);
        if (ev.kind != ENGINE_SNAPSHOT) continue;
        snapshot_extend(all, ev.snapshot);
        engine_recycle(g, &ev.snapshot);
    }
    const uint64_t *c = all->counters;
    uint64_t ok = s->label == COUNTER_OK ? REQUESTS : s->second ? c[COUNTER_OK] : 0;
    if (c[COUNTER_OK] != ok || c[s->label] != REQUESTS - (s->second ? ok : 0))
        for (int k = 0; k < COUNTER_N; k++)
            if (c[k])
                print_message("%s%s: %s = %llu\n", s->name, server->tls ? ", TLS" : "", COUNTERS[k].name,
                              (unsigned long long)c[k]);
    again = again && c[COUNTER_OK] < REQUESTS;
    if (again) goto out;
    assert_int_equal(c[COUNTER_OK], ok);
    assert_int_equal(c[s->label], REQUESTS - (s->second ? ok : 0));
    if (s->second) assert_in_range(ok, REQUESTS / 2, REQUESTS - 1);
    for (int i = 0; s->first && i < 500 && atomic_load(&server->requests) < REQUESTS; i++)
        poll(NULL, 0, 10);                                      /* the server reads it when it was answered */
    assert_int_equal(atomic_load(&server->requests), REQUESTS); /* nothing is sent twice */
    if (s->held) assert_tails(all);
    /* on a busy machine the last piece may come so late that its slot took another connection meanwhile */
    const struct hist *tail = all->hist[METRIC_TAIL];
    bool prompt = tail && tail->count > 0 && tail->max < TAIL_GRACE_NS;
    if (s->then == KEEP && s->label == COUNTER_OK && !s->first && !s->held && prompt && c[COUNTER_CONNECTIONS] != 2)
        fail_msg("%s: %llu connections", s->name, (unsigned long long)c[COUNTER_CONNECTIONS]);
    assert_ended(s, c[COUNTER_CONNECTIONS_ENDED]);
    for (int i = 0; s->idle && atomic_load(&server->guests) > 0; i++) {
        assert_true(i < 300);
        poll(NULL, 0, 100);
    }
out:
    shard_clear(&shard);
    engine_destroy(&g);
    plan_destroy(&p);
    snapshot_destroy(&all);
    return !again;
}

static void test_labels(void **state)
{
    (void)state;
    SSL_CTX *tls = tls_server_new();
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes into closed sockets */
    for (size_t i = 0; i < 2 * sizeof SCRIPTS / sizeof *SCRIPTS; i++) {
        struct server s = {.script = &SCRIPTS[i / 2], .tls = i % 2 ? tls : NULL};
        server_start(&s);
        for (int left = s.script->moment ? 4 : 0; !run(&s, left > 0); left--) {
        } /* on a busy machine a moment may be long */
        shutdown(s.fd, SHUT_RDWR);
        pthread_join(s.thread, NULL);
        close(s.fd);
        for (int k = 0; atomic_load(&s.guests) > 0; k++) { /* they see their connections closed */
            assert_true(k < 1000);
            poll(NULL, 0, 10);
        }
    }
    SSL_CTX_free(tls);
}

static int choose_h2(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in, unsigned n,
                     void *arg)
{
    (void)ssl, (void)in, (void)n, (void)arg;
    *ret = (const unsigned char *)"h2";
    *ret_n = 2;
    return SSL_TLSEXT_ERR_OK;
}

/* A plan whose files cannot be read is refused as often as it is armed: its requests hold a secret and never go in the
 * clear. */
static void test_refused_again(void **state)
{
    (void)state;
    char yaml[512];
    struct err e = {0};
    struct shard shard;
    struct engine_options o = {.workers = 1};
    struct server s = {.script = &SCRIPTS[0]};
    server_start(&s);
    int n = snprintf(yaml, sizeof yaml,
                     "plan: 1\ntarget: {url: \"https://127.0.0.1:%u/v1/chat/completions\", model: m, tls: {ca_file: "
                     "/absent/ca.pem}}\n"
                     "load: {stages: [{concurrency: 1, requests: 1}]}\n",
                     s.port);
    struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
    struct engine *g = engine_new(&o, &e);
    assert_non_null(p);
    assert_non_null(g);
    assert_int_equal(engine_plan(g, p, &e), 0);
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    for (int i = 0; i < 2; i++) {
        struct engine_event ev = {0};
        assert_int_equal(shard_whole(p, &p->stages[0], 1, &shard, &e), 0);
        assert_int_equal(engine_arm(g, &shard, &e), 0);
        while (!engine_next(g, &ev))
            assert_true(poll(&pfd, 1, 10000) > 0);
        assert_int_equal(ev.kind, ENGINE_READY);
        if (!strstr(ev.err.text, "/absent/ca.pem")) fail_msg("time %d: \"%s\"", i + 1, ev.err.text);
        shard_clear(&shard);
    }
    engine_destroy(&g);
    plan_destroy(&p);
    shutdown(s.fd, SHUT_RDWR);
    pthread_join(s.thread, NULL);
    close(s.fd);
    while (atomic_load(&s.guests) > 0)
        poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&s.requests), 0);
}

/* A server that wants a certificate says so, in TLS 1.3 only after the client's handshake: before READY all the same.
 */
static void test_certificate_wanted(void **state)
{
    (void)state;
    static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const HTTP[] = {"1.1", "2"};
    for (int i = 0; i < 4; i++) {
        char yaml[512];
        struct err e = {0};
        struct shard shard;
        struct engine_event ev = {0};
        struct engine_options o = {.workers = 1};
        SSL_CTX *tls = tls_server_new();
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_set_min_proto_version(tls, VERSIONS[i % 2]);
        SSL_CTX_set_max_proto_version(tls, VERSIONS[i % 2]);
        if (i > 1) SSL_CTX_set_alpn_select_cb(tls, choose_h2, NULL);
        struct server s = {.script = &SCRIPTS[0], .tls = tls};
        server_start(&s);
        int n = snprintf(
            yaml, sizeof yaml,
            "plan: 1\ntarget: {url: \"https://127.0.0.1:%u/v1/chat/completions\", model: m, http: \"%s\", tls: "
            "{verify: false}}\nload: {stages: [{concurrency: 1, requests: 1}]}\n",
            s.port, HTTP[i / 2]);
        struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
        struct engine *g = engine_new(&o, &e);
        assert_non_null(p);
        assert_non_null(g);
        assert_int_equal(engine_plan(g, p, &e), 0);
        assert_int_equal(shard_whole(p, &p->stages[0], 1, &shard, &e), 0);
        assert_int_equal(engine_arm(g, &shard, &e), 0);
        struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
        while (!engine_next(g, &ev))
            assert_true(poll(&pfd, 1, 10000) > 0);
        assert_int_equal(ev.kind, ENGINE_READY);
        const char *why = i % 2 ? "certificate required" : "handshake failure";
        assert_int_equal(ev.err.code, ERR_TARGET);
        if (!strstr(ev.err.text, why)) fail_msg("case %d: \"%s\" does not say \"%s\"", i, ev.err.text, why);
        if (!strstr(ev.err.text, "target.tls.cert_file"))
            fail_msg("case %d: \"%s\" does not say what to do", i, ev.err.text);
        shard_clear(&shard);
        engine_destroy(&g);
        plan_destroy(&p);
        shutdown(s.fd, SHUT_RDWR);
        pthread_join(s.thread, NULL);
        close(s.fd);
        while (atomic_load(&s.guests) > 0)
            poll(NULL, 0, 10);
        SSL_CTX_free(tls);
    }
}

/* ---- a request as it is written ---- */

enum { HEARD_MAX = 12 << 20, HEARD_AT_ONCE = 3001 };
struct listener {
    int fd;
    SSL_CTX *tls;
    size_t body;       /* bytes of it that come */
    char *heard;       /* the request, NUL-terminated */
    const char *rest;  /* its body */
    int64_t upload_ns; /* until it was sent */
};

/* Reads a request slowly enough for the socket to fill, and answers nothing. */
static void *hear_slowly(void *arg)
{
    struct listener *l = arg;
    int fd = accept(l->fd, NULL, NULL);
    SSL *ssl = l->tls ? SSL_new(l->tls) : NULL;
    if (ssl) {
        SSL_set_fd(ssl, fd);
        SSL_set_accept_state(ssl);
    }
    for (size_t n = 0; n + HEARD_AT_ONCE < HEARD_MAX;) {
        ssize_t got = ssl ? SSL_read(ssl, l->heard + n, HEARD_AT_ONCE) : recv(fd, l->heard + n, HEARD_AT_ONCE, 0);
        if (got <= 0) break;
        n += (size_t)got;
        l->heard[n] = '\0';
        const char *end = l->rest ? NULL : strstr(l->heard, "\r\n\r\n");
        if (end) l->rest = end + 4;
        if (l->rest && n - (size_t)(l->rest - l->heard) >= l->body) break;
    }
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void on_writing(struct transfer *x)
{
    (void)x;
}
static void on_end(struct transfer *x, enum transport_end how, int64_t arrival)
{
    (void)x, (void)how, (void)arrival;
}

/* One request to the URL, whose port is not where it goes. */
static void send_one(const char *url, const struct payload *body, struct listener *l)
{
    static const struct transport_calls CALLS = {.writing = on_writing, .end = on_end};
    char yaml[512];
    struct err e = {0};
    struct guard guard = {0};
    struct resolver resolver = {0};
    struct target *target = NULL;
    struct transport t;
    struct transfer x;
    pthread_t thread;
    int small = 4096;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    *l = (struct listener){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                           .tls = strncmp(url, "https", 5) == 0 ? tls_server_new() : NULL,
                           .body = payload_size(body),
                           .heard = malloc(HEARD_MAX)};
    assert_non_null(l->heard);
    assert_int_equal(setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(bind(l->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(l->fd, 1), 0);
    assert_int_equal(getsockname(l->fd, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(pthread_create(&thread, NULL, hear_slowly, l), 0);
    int n = snprintf(yaml, sizeof yaml,
                     "plan: 1\ntarget: {model: sim, url: \"%s\"%s}\nload: {stages: [{concurrency: 1, requests: 1}]}\n",
                     url, l->tls ? ", tls: {verify: false}" : "");
    struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
    if (!p || target_new(&p->target, &guard, &resolver, &target, &e)) fail_msg("%s", e.text);
    memcpy(target->address[0].sa, &a, sizeof a);
    struct transport_options o = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    kinds_choose(target, &o.kind, &o.other);
    assert_int_equal(transport_init(&t, target, &CALLS, &o, &e), 0);
    transfer_init(&x, &t, NULL, 0);
    transport_start(&t, &x, body);
    int64_t begun = clock_mono_ns();
    for (struct epoll_event ev; x.open;) {
        assert_int_equal(epoll_wait(o.epoll, &ev, 1, 10000), 1);
        transport_ready(&t, ev.data.u64, ev.events, clock_mono_ns());
    }
    pthread_join(thread, NULL);
    assert_int_equal(t.sockets, 0);
    l->upload_ns = x.written - begun;
    transfer_clear(&x);
    transport_clear(&t);
    target_destroy(&target);
    resolver_clear(&resolver);
    plan_destroy(&p);
    SSL_CTX_free(l->tls);
    close(l->fd);
    close(o.epoll);
}

static void expect_head(const char *url, const char *line)
{
    uint8_t text[] = "{}";
    const struct payload body = {.text = {.data = text, .len = 2}};
    struct listener l;
    char host[128];
    send_one(url, &body, &l);
    snprintf(host, sizeof host, "\r\nHost: %s\r\n", line);
    if (!strstr(l.heard, host)) fail_msg("%s: not \"Host: %s\" in\n%s", url, line, l.heard);
    free(l.heard);
}

/* A body that no socket takes at once, most of it words, arrives as it is. */
static void test_long_body(void **state)
{
    (void)state;
    static const char *const URLS[] = {"http://127.0.0.1:80/v1", "https://127.0.0.1:443/v1"};
    const struct words words[] = {{.seed = 1, .n = 1000001}, {.seed = 2, .n = 70003, .stop = true, .even = true}};
    struct payload body = PAYLOAD_INIT(1 << 20);
    struct payload_rest rest;
    struct listener l;
    (void)buf_puts(&body.text, "{\"a\":\"");
    payload_put_words(&body, words, 2);
    (void)buf_puts(&body.text, "\",\"b\":\"");
    for (int i = 0; i < 30000; i++)
        (void)buf_puts(&body.text, "text ");
    payload_put_words(&body, words, 1);
    (void)buf_puts(&body.text, "\"}");
    size_t n = payload_size(&body);
    char *text = malloc(n);
    assert_non_null(text);
    payload_begin(&rest, &body);
    assert_int_equal(payload_read(&rest, text, n), n);
    for (size_t i = 0; i < sizeof URLS / sizeof *URLS; i++) {
        char length[64];
        send_one(URLS[i], &body, &l);
        assert_non_null(l.rest);
        snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n", n);
        assert_non_null(strstr(l.heard, length));
        assert_memory_equal(l.rest, text, n);
        assert_in_range(l.upload_ns, 1, 100 * NS_PER_S); /* not in the first wake */
        free(l.heard);
    }
    free(text);
    payload_clear(&body);
}

/* A port is named unless it is the scheme's own. */
static void test_host(void **state)
{
    (void)state;
    expect_head("http://127.0.0.1:80/v1/chat/completions", "127.0.0.1");
    expect_head("http://127.0.0.1:443/v1/chat/completions", "127.0.0.1:443");
    expect_head("https://127.0.0.1:443/v1/chat/completions", "127.0.0.1");
    expect_head("https://127.0.0.1:80/v1/chat/completions", "127.0.0.1:80");
    expect_head("https://127.0.0.1/v1/chat/completions", "127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_labels), cmocka_unit_test(test_refused_again),
                                       cmocka_unit_test(test_certificate_wanted), cmocka_unit_test(test_host),
                                       cmocka_unit_test(test_long_body)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
