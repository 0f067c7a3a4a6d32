/* What all kinds of transport have in common: sockets, warm connections, stamps, the way from a call to its kind. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/transport.h"
#include "common/clock.h"

/* ---- sockets ---- */

/* The kernel chooses the port when it knows the destination, so that each pair of addresses has all ports. */
static int bind_source(struct transport *t, int fd, int family)
{
    for (uint32_t i = 0; i < t->n_sources; i++) {
        const struct sockaddr_storage *a = &t->sources[t->next_source++ % t->n_sources];
        int on = 1;
        if (a->ss_family != family) continue;
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        return bind(fd, (const struct sockaddr *)a,
                    family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    }
    return 0;
}

int transport_socket(struct transport *t, int family, int type, int protocol)
{
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);
    if (fd < 0) return -1;
    if (t->stamps) stamp_enable(fd);
    if (bind_source(t, fd, family) == 0) return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

bool transport_quiet(int fd, struct tls_conn *tls)
{
    char byte;
    int64_t wall;
    ssize_t n = tls ? tls_read(tls, &byte, 1, true, &wall) : recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN;
}

void transport_close(int fd, struct tls_conn *tls)
{
    tls_conn_destroy(&tls);
    close(fd);
}

bool transport_take_warm(struct transport *t, uint32_t address, struct warm_socket *ret)
{
    for (uint32_t i = t->n_warm; i-- > 0;) {
        *ret = t->warm[i];
        if (ret->address != address) continue;
        t->warm[i] = t->warm[--t->n_warm];
        if (transport_quiet(ret->fd, ret->tls)) return true;
        transport_close(ret->fd, ret->tls);
        t->sockets--;
    }
    return false;
}

int transport_adopt(struct transport *t, struct warm_socket w)
{
    if (t->n_warm == t->cap_warm) {
        uint32_t cap = t->cap_warm ? 2 * t->cap_warm : 64;
        struct warm_socket *more = realloc(t->warm, cap * sizeof *more);
        if (!more) {
            transport_close(w.fd, w.tls);
            return -1;
        }
        t->warm = more;
        t->cap_warm = cap;
    }
    t->warm[t->n_warm++] = w;
    t->sockets++;
    t->counts.connections++;
    return 0;
}

static void drop_warm(struct transport *t)
{
    while (t->n_warm > 0) {
        const struct warm_socket *w = &t->warm[--t->n_warm];
        transport_close(w->fd, w->tls);
        t->sockets--;
    }
}

int64_t transport_arrival(struct transport *t, int64_t wall_ns)
{
    int64_t at = stamp_clock_convert(&t->clock, wall_ns, t->now, t->drained - STAMP_STEP_NS);
    if (at != 0) return at;
    /* out of the time it can have come in: the clock stepped, or we were away for long */
    if (stamp_clock_sample(&t->clock) || stamp_clock_wary(&t->clock, t->now)) return 0;
    return stamp_clock_convert(&t->clock, wall_ns, t->now, 1);
}

/* ---- on to the kind ---- */

int transport_init(struct transport *t, const struct target *target, const struct transport_calls *calls,
                   const struct transport_options *o, struct err *e)
{
    memset(t, 0, sizeof *t);
    t->kind = o->curl || !transport_own_can(target) ? &TRANSPORT_CURL : &TRANSPORT_OWN;
    t->target = target;
    t->calls = calls;
    t->epoll = o->epoll;
    t->stamps = o->stamps;
    t->timer = INT64_MAX;
    t->now = clock_mono_ns();
    stamp_clock_sample(&t->clock);
    return t->kind->init(t, e);
}

/* A multi handle has a pair to be woken by. One more for a lane that is not full, and for a handshake that is tried. */
uint64_t transport_descriptors(const struct target *target, bool curl, uint64_t requests)
{
    if (!curl && transport_own_can(target)) return 0;
    return 2 * (requests / transport_lane_places(target) + 2);
}

void transport_clear(struct transport *t)
{
    t->kind->clear(t);
    drop_warm(t);
    tls_destroy(&t->tls);
    free(t->warm);
    memset(t, 0, sizeof *t);
}

int transfer_init(struct transfer *x, struct transport *t, void *owner, uint32_t address, struct err *e)
{
    memset(x, 0, sizeof *x);
    x->tr = t;
    x->owner = owner;
    x->address = address;
    if (t->kind->transfer_init(x, e) == 0) return 0;
    transfer_clear(x);
    return -1;
}

void transfer_use_address(struct transfer *x, uint32_t address)
{
    if (x->address == address) return;
    x->address = address;
    x->tr->kind->transfer_use_address(x, address);
}

void transfer_clear(struct transfer *x)
{
    x->tr->kind->transfer_clear(x);
    memset(x, 0, sizeof *x);
}

int transport_start(struct transport *t, struct transfer *x, const char *body, size_t n)
{
    x->begun = x->refused = false;
    x->status = 0;
    x->opened = 0;
    x->adopted_tcp_ns = -1;
    t->arrival = 0;
    t->delivered = false;
    t->now = clock_mono_ns();
    return t->kind->start(x, body, n);
}

void transport_abort(struct transfer *x)
{
    if (!x->open) return;
    x->tr->kind->abort(x);
    x->open = false;
}

void transport_ready(struct transport *t, uint64_t data, uint32_t events, int64_t now)
{
    t->now = now;
    t->arrival = 0;
    t->delivered = false;
    t->kind->ready(t, data, events);
    t->arrival = 0;
}

void transport_tick(struct transport *t, int64_t now)
{
    if (t->stamps && now - t->clock.sampled_at >= STAMP_REFRESH_NS) stamp_clock_sample(&t->clock);
    if (now >= t->timer) t->kind->tick(t, now);
}
