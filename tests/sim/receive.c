#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "tests/sim/h2.h"
#include "tests/sim/server.h"

/* Answers the requests in p[0 … n) until one takes time; returns the bytes used. */
static size_t serve(struct sim_server *v, struct sim_conn *c, const char *p, size_t n, int64_t received)
{
    size_t used = 0;
    while (!c->dead && !c->busy && !c->closing && used < n) {
        struct sim_request r;
        long got = sim_http_parse(p + used, n - used, &r);
        if (got < 0) {
            sim_reply_refuse(v, c, (unsigned)-got, "this request is not understood");
            return n;
        }
        if (got == 0) {
            if (r.wants_continue && !c->continued) {
                c->continued = true;
                static const char CONTINUE[] = "HTTP/1.1 100 Continue\r\n\r\n";
                (void)sim_conn_send(v, c, CONTINUE, sizeof CONTINUE - 1);
            }
            break;
        }
        used += (size_t)got;
        c->continued = false;
        sim_route(v, c, &r, received);
    }
    return used;
}

void sim_receive_waiting(struct sim_server *v, struct sim_conn *c, int64_t received)
{
    if (c->dead || c->busy || c->in.len == 0) return;
    size_t used = serve(v, c, (const char *)c->in.data, c->in.len, received);
    if (c->dead || used == 0) return;
    memmove(c->in.data, c->in.data + used, c->in.len - used);
    c->in.len -= used;
    if (c->in.len == 0) buf_clear(&c->in);
}

/* Which HTTP a connection speaks is seen once, when its first bytes have come. */
static int meet(struct sim_server *v, struct sim_conn *c, size_t n)
{
    static const char PREFACE[] = "PRI * HTTP/2";
    if (c->met) return 0;
    c->met = true;
    bool h2 = c->tls ? sim_tls_speaks_http2(c->tls)
                     : v->o->http2 && n >= sizeof PREFACE - 1 && memcmp(v->in, PREFACE, sizeof PREFACE - 1) == 0;
    return h2 ? sim_h2_open(v, c) : 0;
}

/* n bytes have come in v->in, plain ones. */
static void got_bytes(struct sim_server *v, struct sim_conn *c, size_t n, int64_t received)
{
    if (c->draining) return;
    int h2 = meet(v, c, n);
    if (h2 == 0 && c->h2) h2 = sim_h2_feed(c->h2, v->in, n, received);
    if (h2 < 0) {
        sim_conn_close(v, c, "client-closed");
        return;
    }
    /* Over: what the client still sends is read and dropped. A socket that is closed answers it with a reset, which
     * takes back what a slow client has not read yet. */
    if (h2 > 0) sim_conn_finish(v, c);
    if (c->h2 || c->dead) return;
    bool fresh = c->in.len == 0 && !c->busy;
    size_t used = fresh ? serve(v, c, v->in, n, received) : 0;
    if (c->dead) return;
    if (used < n && buf_put(&c->in, v->in + used, n - used)) {
        sim_conn_close(v, c, "client-closed"); /* more than a request can be: pipelined without end */
        return;
    }
    if (!fresh) sim_receive_waiting(v, c, received);
}

/* n bytes of TLS have come in v->in. */
static void got_tls(struct sim_server *v, struct sim_conn *c, size_t n, int64_t received)
{
    long plain = sim_tls_feed(c->tls, v->in, n) ? -1 : 0;
    while (plain == 0 && !c->dead && (plain = sim_tls_read(c->tls, v->in, SIM_IN_BYTES)) > 0) {
        got_bytes(v, c, (size_t)plain, received);
        plain = 0;
    }
    if (c->dead || sim_conn_send_tls(v, c)) return;
    if (plain < 0) sim_conn_close(v, c, "client-closed");
}

/* The kernel's stamp of when the bytes arrived, on the monotonic clock; 0 when there is none. It is wall-clock time, so
 * both clocks are read here: a step of the wall clock in between is a few microseconds' chance. */
static int64_t arrival(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec ts;
            memcpy(&ts, CMSG_DATA(c), sizeof ts);
            return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec - clock_wall_ns() + clock_mono_ns();
        }
    return 0;
}

static ssize_t receive(struct sim_server *v, struct sim_conn *c)
{
    if (!v->truth) return recv(c->source.fd, v->in, SIM_IN_BYTES, MSG_DONTWAIT);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec where = {v->in, SIM_IN_BYTES};
    struct msghdr m = {.msg_iov = &where, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(c->source.fd, &m, MSG_DONTWAIT);
    c->arrived = n > 0 ? arrival(&m) : 0;
    return n;
}

void sim_receive(struct sim_server *v, struct sim_conn *c, uint32_t events)
{
    if (c->dead) return;
    if (events & EPOLLOUT) sim_conn_writable(v, c);
    if (c->dead || !(events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))) return;
    int64_t received = clock_mono_ns();
    ssize_t n = receive(v, c);
    if (n > 0 && c->tls)
        got_tls(v, c, (size_t)n, received);
    else if (n > 0)
        got_bytes(v, c, (size_t)n, received);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        sim_conn_close(v, c, "client-closed");
}
