#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/sim/server.h"

static void watch(struct sim_server *v, struct sim_conn *c, int how)
{
    struct epoll_event ev = {.events = EPOLLIN | (c->want_write ? (uint32_t)EPOLLOUT : 0), .data.ptr = &c->source};
    if (epoll_ctl(v->epoll, how, c->source.fd, &ev)) log_error("epoll_ctl: %s", strerror(errno));
}

int sim_conn_open(struct sim_server *v, struct sim_conn *c, int fd)
{
    if (sim_timers_reserve(&v->timers, 2 * ((size_t)v->connections + v->streams + 1))) return -1;
    c->source = (struct sim_source){SIM_SOURCE_CONN, fd};
    c->in = (struct buf)BUF_INIT(SIM_HEAD_MAX + SIM_BODY_MAX + SIM_IN_BYTES);
    c->out = (struct buf)BUF_INIT(SIM_OUT_MAX);
    sim_timer_init(&c->token_timer, SIM_TIMER_TOKEN, c);
    sim_timer_init(&c->drip_timer, SIM_TIMER_DRIP, c);
    c->next = v->open;
    if (v->open) v->open->prev = c;
    v->open = c;
    if (fd < 0)
        v->streams++;
    else
        v->connections++;
    return 0;
}

static struct sim_conn *conn_new(struct sim_server *v, int fd)
{
    struct sim_conn *c = calloc(1, sizeof *c);
    if (c && v->keys) c->tls = sim_tls_new(v->keys);
    if (!c || (v->keys && !c->tls) || sim_conn_open(v, c, fd)) {
        if (c) sim_tls_destroy(&c->tls);
        free(c);
        return NULL;
    }
    c->number = ++v->accepted;
    return c;
}

/* Without a descriptor left a connection cannot even be refused, and epoll would tell of it for ever: the spare one is
 * given up for a moment, so that the client sees its connection closed. */
static void refuse_for_want_of_descriptors(struct sim_server *v, int listener)
{
    if (v->refused++ == 0) log_warn("out of descriptors with %u connections: further ones are closed", v->connections);
    if (v->spare >= 0) close(v->spare);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    v->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void sim_conn_accept(struct sim_server *v, int listener)
{
    for (int i = 0; i < 256; i++) { /* a storm of connections must not stop the tokens */
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            refuse_for_want_of_descriptors(v, listener);
            continue;
        }
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) log_warn("accept: %s", strerror(errno));
            return;
        }
        if (v->o->max_connections && v->connections >= v->o->max_connections) {
            close(fd);
            v->refused++;
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (v->truth) (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
        struct sim_conn *c = conn_new(v, fd);
        if (c)
            watch(v, c, EPOLL_CTL_ADD);
        else
            close(fd);
    }
}

void sim_conn_close(struct sim_server *v, struct sim_conn *c, const char *end)
{
    if (c->dead) return;
    c->dead = true;
    if (c->busy) sim_stream_end(v, c, end, SIM_FINISH_ABORT);
    sim_timer_clear(&v->timers, &c->token_timer);
    sim_timer_clear(&v->timers, &c->drip_timer);
    if (!c->carrier) close(c->source.fd);
    if (c->kind) c->kind->closed(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        v->open = c->next;
    if (c->next) c->next->prev = c->prev;
    if (c->carrier)
        v->streams--;
    else
        v->connections--;
    c->next = v->dead; /* events of this round may still point here */
    v->dead = c;
}

void sim_conn_sweep(struct sim_server *v)
{
    while (v->dead) {
        struct sim_conn *c = v->dead;
        v->dead = c->next;
        buf_clear(&c->in);
        buf_clear(&c->out);
        sim_tls_destroy(&c->tls);
        free(c);
    }
}

void sim_conn_reset(struct sim_server *v, struct sim_conn *c)
{
    if (c->carrier) {
        c->kind->reset(c);
        return;
    }
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(c->source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    sim_conn_close(v, c, "reset");
}

/* What the socket takes of p[0 … n), in writes of at most --split-writes; -1 when it is broken. */
static ssize_t send_some(const struct sim_server *v, const struct sim_conn *c, const char *p, size_t n)
{
    size_t sent = 0, most = v->o->split_writes ? v->o->split_writes : SIZE_MAX;
    while (sent < n) {
        size_t left = n - sent;
        ssize_t got = send(c->source.fd, p + sent, left < most ? left : most, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN ? (ssize_t)sent : -1;
        sent += (size_t)got;
    }
    return (ssize_t)sent;
}

static void close_writing(struct sim_conn *c)
{
    (void)shutdown(c->source.fd, SHUT_WR);
    c->draining = true;
}

static void all_sent(struct sim_server *v, struct sim_conn *c)
{
    buf_reset(&c->out);
    c->out_at = 0;
    c->slow = false;
    if (c->want_write) {
        c->want_write = false;
        watch(v, c, EPOLL_CTL_MOD);
    }
    if (c->closing) close_writing(c);
}

static int send_raw(struct sim_server *v, struct sim_conn *c, const void *bytes, size_t n)
{
    size_t sent = 0;
    v->wrote = clock_mono_ns();
    if (c->out.len == 0 && !c->slow) {
        ssize_t got = send_some(v, c, bytes, n);
        if (got < 0) goto gone;
        sent = (size_t)got;
        if (sent == n) return 0;
    }
    if (buf_put(&c->out, (const char *)bytes + sent, n - sent)) goto gone; /* a client that does not read */
    if (c->slow) {
        if (c->drip_timer.at == SIM_TIMER_OFF) sim_timer_set(&v->timers, &c->drip_timer, clock_mono_ns());
    } else if (!c->want_write) {
        c->want_write = true;
        watch(v, c, EPOLL_CTL_MOD);
    }
    return 0;
gone:
    sim_conn_close(v, c, "client-closed");
    return -1;
}

int sim_conn_send_tls(struct sim_server *v, struct sim_conn *c)
{
    buf_reset(&v->cipher);
    if (sim_tls_take(c->tls, &v->cipher)) return -1;
    return v->cipher.len ? send_raw(v, c, v->cipher.data, v->cipher.len) : 0;
}

int sim_conn_send(struct sim_server *v, struct sim_conn *c, const void *bytes, size_t n)
{
    if (c->dead) return -1;
    if (c->carrier) return c->kind->send(c, bytes, n);
    if (!c->tls) return send_raw(v, c, bytes, n);
    if (sim_tls_write(c->tls, bytes, n) == 0) return sim_conn_send_tls(v, c);
    sim_conn_close(v, c, "client-closed");
    return -1;
}

/* Sends at most `most` bytes of what waits. */
static void flush(struct sim_server *v, struct sim_conn *c, size_t most)
{
    size_t n = c->out.len - c->out_at;
    ssize_t got = send_some(v, c, (const char *)c->out.data + c->out_at, n < most ? n : most);
    if (got < 0) {
        sim_conn_close(v, c, "client-closed");
        return;
    }
    c->out_at += (size_t)got;
    if (c->out_at == c->out.len) all_sent(v, c);
}

void sim_conn_writable(struct sim_server *v, struct sim_conn *c)
{
    if (c->out.len && !c->slow) flush(v, c, SIZE_MAX);
}

void sim_conn_drip(struct sim_server *v, struct sim_conn *c)
{
    int64_t due = c->drip_timer.due + v->o->slow_gap;
    flush(v, c, 1);
    if (!c->dead && c->out.len) sim_timer_set(&v->timers, &c->drip_timer, due);
}

void sim_conn_finish(struct sim_server *v, struct sim_conn *c)
{
    if (c->dead || c->closing) return;
    c->closing = true;
    if (c->carrier) {
        c->kind->finish(c);
        return;
    }
    if (c->tls) {
        sim_tls_bye(c->tls);
        if (sim_conn_send_tls(v, c)) return;
    }
    if (c->out.len == 0) close_writing(c);
}

void sim_conn_answered(struct sim_server *v, struct sim_conn *c)
{
    if (c->carrier) {
        c->kind->answered(c);
        return;
    }
    c->responses++;
    if (c->last || (v->o->close_after && c->responses >= v->o->close_after)) sim_conn_finish(v, c);
}
