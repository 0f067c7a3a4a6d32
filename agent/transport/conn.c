#include "agent/transport/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/tunnel.h"
#include "common/clock.h"

#define GENERATIONS (UINT32_C(1) << 30) /* an event's data: index, and above it so many bits */

void conns_init(struct conns *s, struct transport *t, size_t size)
{
    s->t = t;
    s->size = size;
    s->free = CONN_NONE;
    stamp_box_init(&s->box, s->bytes, sizeof s->bytes);
}

void conns_clear(struct conns *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        free(s->all[i]);
    free(s->all);
    explicit_bzero(s->record, sizeof s->record);
}

static struct conn *conn_new(struct conns *s)
{
    struct conn *c;
    if (s->free != CONN_NONE) {
        c = s->all[s->free];
        s->free = c->next_free;
        uint32_t index = c->index, generation = c->generation;
        memset(c, 0, s->size);
        c->index = index;
        c->generation = generation;
        return c;
    }
    if (s->n == s->room) {
        uint32_t room = s->room ? 2 * s->room : 64;
        struct conn **more = realloc(s->all, room * sizeof *more);
        if (!more) return NULL;
        s->all = more;
        s->room = room;
    }
    c = calloc(1, s->size);
    if (!c) return NULL;
    c->index = s->n;
    s->all[s->n++] = c;
    return c;
}

static void conn_free(struct conns *s, struct conn *c)
{
    c->generation = (c->generation + 1) % GENERATIONS; /* events that wait in this batch no longer match */
    c->state = CONN_FREE;
    c->next_free = s->free;
    s->free = c->index;
}

void conn_close(struct conns *s, struct conn *c)
{
    tunnel_destroy(&c->tunnel);
    transport_close(c->fd, c->tls); /* which takes it out of the epoll set */
    c->tls = NULL;
    s->t->sockets--;
    conn_free(s, c);
}

static int watch(struct conns *s, struct conn *c, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)c->generation << 32 | c->index};
    return epoll_ctl(s->t->epoll, op, c->fd, &ev);
}

void conn_watch_for_room(struct conns *s, struct conn *c, bool want)
{
    if (want == c->want_write) return;
    c->want_write = want;
    (void)watch(s, c, EPOLL_CTL_MOD, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Takes the socket over and watches it; NULL: it is closed. */
static struct conn *begin(struct conns *s, struct conn *c, bool connecting)
{
    int on = 1;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->want_write = connecting;
    if (watch(s, c, EPOLL_CTL_ADD, connecting ? EPOLLIN | EPOLLOUT : EPOLLIN) == 0) return c;
    conn_close(s, c);
    return NULL;
}

struct conn *conn_adopt(struct conns *s, const struct warm_socket *w)
{
    struct conn *c = conn_new(s);
    if (!c) {
        transport_close(w->fd, w->tls);
        s->t->sockets--;
        return NULL;
    }
    c->fd = w->fd;
    c->tls = w->tls;
    c->address = w->address;
    c->tcp_ns = w->tcp_ns;
    c->tls_ns = w->tls_ns;
    c->state = CONN_OPEN;
    return begin(s, c, false);
}

struct conn *conn_open(struct conns *s, uint32_t address)
{
    struct transport *t = s->t;
    const struct target_address *a = &t->target->address[address];
    struct conn *c = conn_new(s);
    if (!c) return NULL;
    c->address = address;
    c->tcp_ns = c->tls_ns = -1;
    c->since = clock_mono_ns();
    c->fd = transport_socket(t, a->sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) {
        conn_free(s, c);
        return NULL;
    }
    t->sockets++;
    t->counts.connections++;
    c->state = CONN_CONNECTING;
    if (connect(c->fd, (const struct sockaddr *)a->sa, a->sa_len) < 0 && errno != EINPROGRESS) {
        int why = errno;
        conn_close(s, c);
        errno = why;
        return NULL;
    }
    return begin(s, c, true);
}

static int secure(struct conns *s, struct conn *c, enum transport_end *ret_how, const char **ret_why)
{
    uint32_t events = 0;
    int rc = tls_handshake(c->tls, &events);
    *ret_how = END_TLS;
    if (rc < 0) {
        *ret_why = tls_reason(c->tls);
        return -1;
    }
    conn_watch_for_room(s, c, rc == 0 && (events & EPOLLOUT));
    if (rc == 0) return 0;
    if (transport_agree(s->t, c->tls, c->address, NULL) < 0) {
        *ret_why = "the server chose another version of HTTP than in its first handshake";
        return -1;
    }
    c->tls_ns = clock_mono_ns() - c->since;
    c->state = CONN_OPEN;
    return 1;
}

/* The server is at the other end now: TLS, or nothing more. */
static int reached(struct conns *s, struct conn *c, enum transport_end *ret_how, const char **ret_why)
{
    int64_t now = clock_mono_ns();
    c->tcp_ns = now - c->since;
    if (!s->t->tls) {
        conn_watch_for_room(s, c, false);
        c->state = CONN_OPEN;
        return 1;
    }
    c->state = CONN_SECURING;
    c->since = now;
    c->tls = tls_conn_new(s->t->tls, c->fd, c->address);
    *ret_how = END_TLS;
    *ret_why = "no memory";
    return c->tls ? secure(s, c, ret_how, ret_why) : -1;
}

/* The proxy is asked, or answers. */
static int pass(struct conns *s, struct conn *c, enum transport_end *ret_how, const char **ret_why)
{
    uint32_t events = 0;
    int rc = tunnel_advance(c->tunnel, c->fd, &events);
    if (rc < 0) {
        (void)snprintf(s->t->proxy_said, sizeof s->t->proxy_said, "%s", tunnel_why(c->tunnel));
        *ret_how = END_PROXY;
        *ret_why = s->t->proxy_said;
        return -1;
    }
    conn_watch_for_room(s, c, rc == 0 && (events & EPOLLOUT));
    if (rc == 0) return 0;
    tunnel_destroy(&c->tunnel);
    return reached(s, c, ret_how, ret_why);
}

static int connected(struct conns *s, struct conn *c, enum transport_end *ret_how, const char **ret_why)
{
    int failure = 0;
    socklen_t len = sizeof failure;
    *ret_how = END_CONNECT;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0 || failure != 0) {
        bool proxy = target_by_proxy(s->t->target);
        if (proxy) *ret_how = END_PROXY;
        *ret_why = failure == ECONNREFUSED ? proxy ? "the proxy refuses connections" : "connection refused"
                   : failure == ETIMEDOUT  ? proxy ? "the proxy gives no answer" : "no answer"
                   : proxy                 ? "no way to the proxy"
                                           : "no way to it";
        return -1;
    }
    if (s->t->target->way != WAY_TUNNEL) return reached(s, c, ret_how, ret_why);
    c->state = CONN_TUNNELLING;
    c->tunnel = tunnel_new(s->t->target, c->address);
    *ret_how = END_PROXY;
    *ret_why = "no memory";
    return c->tunnel ? pass(s, c, ret_how, ret_why) : -1;
}

int conn_advance(struct conns *s, struct conn *c, uint32_t events, enum transport_end *ret_how, const char **ret_why)
{
    *ret_why = NULL;
    if (c->state == CONN_SECURING) return secure(s, c, ret_how, ret_why);
    if (c->state == CONN_TUNNELLING) return pass(s, c, ret_how, ret_why);
    return events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ? connected(s, c, ret_how, ret_why) : 0;
}

const char *conn_waits(const struct transport *t, const struct conn *c)
{
    if (!target_by_proxy(t->target) || (c && c->state > CONN_TUNNELLING)) return NULL;
    return c && c->state == CONN_TUNNELLING ? "the proxy has not answered CONNECT" : "the proxy accepts no connection";
}

const char *conn_not_opened(const struct transport *t)
{
    if (t->target->way != WAY_UNIX) return "no socket";
    return errno == EAGAIN         ? "the socket's queue of connections is full"
           : errno == ECONNREFUSED ? "nobody listens at the socket"
           : errno == ENOENT       ? "there is no such socket"
           : errno == EACCES       ? "the socket may not be used"
                                   : "no socket";
}

void conn_tell_phases(struct conn *c, struct transfer *x)
{
    if (c->tcp_ns < 0) return;
    x->dns_ns = 0;
    x->tcp_ns = c->tcp_ns;
    x->tls_ns = c->tls_ns;
    c->tcp_ns = c->tls_ns = -1;
}

ssize_t conn_send(const struct conn *c, const void *bytes, size_t n)
{
    return c->tls ? tls_write(c->tls, bytes, n) : send(c->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}
