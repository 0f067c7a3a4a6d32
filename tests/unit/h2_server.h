/* An HTTP/2 server for tests, by nghttp2, over TLS or in the clear: it does to each request what a script says. */
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/tls_server.h"

#define H2_EVENTS "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n"
#define H2_HALF "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"

#define LATE_MS 1500

/* What follows a body. */
enum h2_then {
    H2_END,        /* END_STREAM */
    H2_TRAILER,    /* … on a trailer */
    H2_RST,        /* RST_STREAM with `code` instead */
    H2_END_RST,    /* both */
    H2_HANG,       /* nothing */
    H2_CLOSE,      /* the connection is closed, in TLS with close_notify */
    H2_CLOSE_BARE, /* … without one */
    H2_BREAK,      /* … reset */
};

struct h2_script {
    const char *name;
    const char *status; /* NULL: no head */
    const char *body;
    enum h2_then then;
    uint32_t code;
    uint32_t wait;         /* answers begin when so many requests are open */
    bool early;            /* the answer comes before the request's body was read; it is read no more */
    uint32_t goaway_after; /* GOAWAY when so many requests have come; those above are not looked at */
    uint32_t goaway_code;
    bool goaway_late;    /* … LATE_MS after the answer of that request */
    bool goaway_first;   /* … on the first connection only */
    bool goaway_twice;   /* … first with the highest number there is, when all open ones are answered with the last */
    bool goaway_at_once; /* with SETTINGS, on each connection */
    uint32_t max_streams;   /* MAX_CONCURRENT_STREAMS; 0: not sent */
    unsigned no_streams_ms; /* … and 0 for so long before */
    uint32_t lower_after;   /* it becomes 1 when so many requests have come on a connection */
    bool waves;             /* INITIAL_WINDOW_SIZE is 0 for a while, and changes with each request */
    unsigned late_settings_ms;
    size_t head_bytes; /* of a header besides: above 16 KB it needs CONTINUATION */
    unsigned heads;    /* so many of those; 0: one */
    bool interim, ping, encoded;
    bool fair;       /* notes `least` */
    const char *raw; /* instead of HTTP/2 */
};

struct h2_server {
    int fd;
    unsigned port;
    const struct h2_script *script;
    SSL_CTX *tls; /* NULL: in the clear */
    atomic_uint requests, guests, connections, streams_max;
    atomic_uint carriers;       /* connections with a request */
    atomic_uint stalled;        /* answers that a window of the client held back */
    atomic_uint updates, pongs; /* WINDOW_UPDATE of a connection, acknowledged PINGs */
    atomic_size_t least;        /* of a request's body was there when another one was whole, which came with it */
    pthread_t thread;
};

struct h2_guest {
    struct h2_server *s;
    int fd;
    SSL *tls;
    nghttp2_session *session;
    uint32_t number, requests, open; /* number: of the connection, from 1 */
    int32_t waiting[256];
    const char *left[1024]; /* of each stream's body */
    size_t got[1024];       /* … and of each request's */
    uint32_t n_waiting;
    bool over;
};

static inline ssize_t h2_hear(struct h2_guest *g, void *to, size_t n)
{
    return g->tls ? SSL_read(g->tls, to, (int)n) : recv(g->fd, to, n, 0);
}

static inline void h2_say(struct h2_guest *g, const void *bytes, size_t n)
{
    if (g->tls)
        (void)SSL_write(g->tls, bytes, (int)n);
    else
        (void)!send(g->fd, bytes, n, MSG_NOSIGNAL);
}

static inline void h2_flush(struct h2_guest *g)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(g->session, &bytes)) > 0)
        h2_say(g, bytes, (size_t)n);
}

static inline ssize_t h2_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                              nghttp2_data_source *source, void *user)
{
    const struct h2_guest *g = user;
    const struct h2_script *s = g->s->script;
    const char **at = (const char **)nghttp2_session_get_stream_user_data(session, id);
    size_t left = strnlen(*at, n + 1);
    (void)source;
    if (n > left) n = left;
    memcpy(to, *at, n);
    *at += n;
    if (**at) return (ssize_t)n;
    if (s->then == H2_END || s->then == H2_END_RST) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s->then == H2_TRAILER) {
        nghttp2_nv trailer = {(uint8_t *)(uintptr_t) "x-end", (uint8_t *)(uintptr_t) "1", 5, 1, 0};
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return n || (*flags & NGHTTP2_DATA_FLAG_EOF) ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
}

static inline nghttp2_nv h2_field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

static inline void h2_answer(struct h2_guest *g, int32_t id)
{
    const struct h2_script *s = g->s->script;
    nghttp2_nv head[40];
    char *long_value = calloc(1, s->head_bytes + 1);
    const char **at = &g->left[(size_t)id / 2 % 1024];
    nghttp2_data_provider body = {.read_callback = h2_body};
    size_t n = 0;
    memset(long_value, 'x', s->head_bytes);
    *at = s->body ? s->body : "";
    nghttp2_session_set_stream_user_data(g->session, id, at);
    if (s->interim) {
        head[0] = h2_field(":status", "103");
        nghttp2_submit_headers(g->session, 0, id, NULL, head, 1, NULL);
    }
    if (s->status) {
        head[n++] = h2_field(":status", s->status);
        head[n++] = h2_field("content-type", "text/event-stream");
        if (s->encoded) head[n++] = h2_field("content-encoding", "gzip");
        for (unsigned i = 0; s->head_bytes && i < (s->heads ? s->heads : 1); i++)
            head[n++] = h2_field("x-long", long_value);
        nghttp2_submit_response(g->session, id, head, n, &body);
    }
    h2_flush(g);
    if (s->status && **at) atomic_fetch_add(&g->s->stalled, 1);
    if (s->then == H2_RST || s->then == H2_END_RST) nghttp2_submit_rst_stream(g->session, 0, id, s->code);
    h2_flush(g);
    free(long_value);
    if (s->then >= H2_CLOSE) g->over = true;
}

static inline void h2_set(struct h2_guest *g, int32_t id, uint32_t value)
{
    nghttp2_settings_entry e = {id, value};
    nghttp2_submit_settings(g->session, 0, &e, 1);
    h2_flush(g);
}

static inline void h2_request(struct h2_guest *g, int32_t id)
{
    const struct h2_script *s = g->s->script;
    atomic_fetch_add(&g->s->requests, 1);
    if (g->requests++ == 0) atomic_fetch_add(&g->s->carriers, 1);
    g->waiting[g->n_waiting++] = id;
    bool last = s->goaway_after && g->requests == s->goaway_after && (g->number == 1 || !s->goaway_first);
    if (s->lower_after && g->requests == s->lower_after) h2_set(g, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    if (s->waves) h2_set(g, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, g->requests % 2 ? 1000 : 1 << 20);
    if (last && !s->goaway_late) {
        if (s->goaway_twice)
            nghttp2_submit_shutdown_notice(g->session);
        else
            nghttp2_submit_goaway(g->session, 0, id, s->goaway_code, NULL, 0);
        h2_flush(g);
    }
    if (g->n_waiting < s->wait) return;
    for (uint32_t i = 0; i < g->n_waiting; i++)
        h2_answer(g, g->waiting[i]);
    g->n_waiting = 0;
    if (last && s->goaway_late) {
        poll(NULL, 0, LATE_MS);
        nghttp2_submit_goaway(g->session, 0, id, s->goaway_code, NULL, 0);
        h2_flush(g);
    }
}

/* A request is whole: how far are those that came with it? */
static inline void h2_compare(struct h2_guest *g, int32_t id)
{
    size_t least = g->got[(size_t)id / 2 % 1024];
    for (int32_t i = 1; i < 2 * (int32_t)g->s->script->wait; i += 2)
        if (g->got[i / 2] < least) least = g->got[i / 2];
    if (least < atomic_load(&g->s->least)) atomic_store(&g->s->least, least);
}

static inline int h2_on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n,
                             void *user)
{
    struct h2_guest *g = user;
    (void)session, (void)flags, (void)bytes;
    g->got[(size_t)id / 2 % 1024] += n;
    return 0;
}

static inline int h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct h2_guest *g = user;
    (void)session;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK)) atomic_fetch_add(&g->s->pongs, 1);
    if (frame->hd.type == NGHTTP2_WINDOW_UPDATE && frame->hd.stream_id == 0) atomic_fetch_add(&g->s->updates, 1);
    if (ends && frame->hd.type == NGHTTP2_DATA && g->s->script->fair &&
        frame->hd.stream_id < 2 * (int32_t)g->s->script->wait)
        h2_compare(g, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        if (++g->open > atomic_load(&g->s->streams_max)) atomic_store(&g->s->streams_max, g->open);
        if (g->s->script->early) h2_request(g, frame->hd.stream_id);
    }
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && ends && !g->s->script->early)
        h2_request(g, frame->hd.stream_id);
    return 0;
}

static inline int h2_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct h2_guest *g = user;
    (void)session, (void)id, (void)code;
    g->open--;
    return 0;
}

static inline void h2_settle(struct h2_guest *g)
{
    const struct h2_script *s = g->s->script;
    nghttp2_settings_entry e[2] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, s->early ? 1000 : s->waves ? 0 : 1 << 20}};
    size_t n = 1;
    if (s->no_streams_ms) {
        h2_set(g, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
        poll(NULL, 0, (int)s->no_streams_ms);
        h2_set(g, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->max_streams ? s->max_streams : 100);
    }
    if (s->max_streams) e[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, s->max_streams};
    if (s->late_settings_ms) poll(NULL, 0, (int)s->late_settings_ms);
    nghttp2_submit_settings(g->session, 0, e, n);
    if (s->ping) nghttp2_submit_ping(g->session, 0, NULL);
    if (s->goaway_at_once) nghttp2_submit_goaway(g->session, 0, 0, 0, NULL, 0);
    h2_flush(g);
    if (s->waves) { /* requests wait for it with their bodies */
        poll(NULL, 0, 100);
        h2_set(g, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20);
    }
}

static inline void h2_leave(struct h2_guest *g)
{
    enum h2_then then = g->s->script->then;
    if (then == H2_BREAK) {
        poll(NULL, 0, 30); /* a reset takes what was not read with it */
        setsockopt(g->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    } else if (g->tls && then == H2_CLOSE) {
        SSL_shutdown(g->tls); /* close_notify */
    }
}

/* The second GOAWAY: all that was seen is answered. */
static inline void h2_part(struct h2_guest *g)
{
    const struct h2_script *s = g->s->script;
    if (!s->goaway_twice || g->open > 0 || g->requests < s->goaway_after) return;
    nghttp2_submit_goaway(g->session, 0, nghttp2_session_get_last_proc_stream_id(g->session), 0, NULL, 0);
    h2_flush(g);
}

static inline void *h2_serve(void *arg)
{
    struct h2_guest *g = arg;
    nghttp2_session_callbacks *calls;
    nghttp2_option *option;
    static const size_t IN = 65536;
    uint8_t *in = malloc(IN);
    ssize_t n;
    if (g->s->tls) {
        g->tls = SSL_new(g->s->tls);
        SSL_set_fd(g->tls, g->fd);
    }
    nghttp2_option_new(&option);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    nghttp2_session_callbacks_new(&calls);
    nghttp2_session_callbacks_set_on_frame_recv_callback(calls, h2_on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(calls, h2_on_close);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, h2_on_data);
    nghttp2_session_server_new2(&g->session, calls, g, option);
    if (!g->tls || SSL_accept(g->tls) == 1) {
        if (g->s->script->raw)
            h2_say(g, g->s->script->raw, strlen(g->s->script->raw));
        else
            h2_settle(g);
        while (!g->over && (n = h2_hear(g, in, IN)) > 0) {
            if (g->s->script->raw && !*g->s->script->raw && g->s->script->then != H2_CLOSE)
                continue; /* sends nothing at all */
            if (g->s->script->raw || nghttp2_session_mem_recv(g->session, in, (size_t)n) < 0) break;
            h2_flush(g);
            h2_part(g);
            if (!nghttp2_session_want_read(g->session) && !nghttp2_session_want_write(g->session)) break;
        }
        h2_leave(g);
    }
    nghttp2_session_del(g->session);
    nghttp2_session_callbacks_del(calls);
    nghttp2_option_del(option);
    SSL_free(g->tls);
    close(g->fd);
    atomic_fetch_sub(&g->s->guests, 1);
    free(in);
    free(g);
    return NULL;
}

static inline void *h2_accept(void *arg)
{
    struct h2_server *s = arg;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0;) {
        pthread_t t;
        struct h2_guest *g = calloc(1, sizeof *g);
        g->s = s;
        g->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        atomic_fetch_add(&s->guests, 1);
        g->number = atomic_fetch_add(&s->connections, 1) + 1;
        if (pthread_create(&t, NULL, h2_serve, g) != 0) abort();
        pthread_detach(t);
    }
    return NULL;
}

static inline int h2_choose(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *in,
                            unsigned n, void *arg)
{
    (void)ssl, (void)arg;
    return nghttp2_select_next_protocol((unsigned char **)(uintptr_t)ret, ret_n, in, n) == 1
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static inline void h2_server_start(struct h2_server *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    if (s->tls) SSL_CTX_set_alpn_select_cb(s->tls, h2_choose, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, h2_accept, s), 0);
}

static inline void h2_server_stop(struct h2_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
    for (int k = 0; atomic_load(&s->guests) > 0; k++) { /* they see their connections closed */
        assert_true(k < 1000);
        poll(NULL, 0, 10);
    }
}
