#include "agent/transport/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/transport/transport.h"
#include "agent/transport/transport_kind.h"
#include "common/clock.h"

#define QUEUE_WAIT_NS (2 * NS_PER_MS)

static void note_failure(struct warm *w, uint32_t address, int why)
{
    if (w->why[address] == 0) w->why[address] = why;
}

static void note_success(struct warm *w, const struct warm_try *t, int64_t now)
{
    w->good[t->address] = true;
    struct warm_socket s = {.fd = t->fd,
                            .address = t->address,
                            .tls = t->tls,
                            .tcp_ns = t->connected - t->begun,
                            .tls_ns = t->tls ? now - t->connected : -1};
    if (w->keep)
        transport_adopt(w->tr, s);
    else
        transport_close(s.fd, s.tls);
}

/* The next address in turn that did not fail so far; false when there is none. */
static bool choose_address(struct warm *w, uint32_t *ret)
{
    uint32_t n = w->tr->target->n_addresses;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = w->next_address++ % n;
        if (w->why[a] != 0) continue;
        *ret = a;
        return true;
    }
    return false;
}

/* A Unix socket's queue is full. One of TCP would try again by itself; false: for too long. */
static bool wait_for_queue(struct warm *w, int64_t now)
{
    if (w->full_since == 0) w->full_since = now;
    if (now - w->full_since >= w->timeout_ns) return false;
    w->left++;
    w->again_at = now + QUEUE_WAIT_NS;
    return true;
}

static void begin_one(struct warm *w, uint32_t index, uint32_t address, int64_t now)
{
    const struct target_address *a = &w->tr->target->address[address];
    int fd = transport_socket(w->tr, a->sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        note_failure(w, address, errno);
        return;
    }
    struct epoll_event ev = {.events = EPOLLOUT, .data.u64 = WARM_TAG | index};
    if ((connect(fd, (const struct sockaddr *)a->sa, a->sa_len) < 0 && errno != EINPROGRESS) ||
        epoll_ctl(w->tr->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        if (errno != EAGAIN || !wait_for_queue(w, now)) note_failure(w, address, errno);
        close(fd);
        return;
    }
    w->full_since = 0;
    w->place[index] = (struct warm_try){.fd = fd, .address = address, .begun = now};
    w->busy++;
}

static void fill(struct warm *w, int64_t now)
{
    for (uint32_t i = 0; i < WARM_AT_ONCE; i++) {
        /* a connect that fails at once leaves its place free for the next */
        while (w->left > 0 && w->place[i].fd < 0 && w->again_at == 0) {
            uint32_t address;
            if (!choose_address(w, &address)) {
                w->left = 0;
                return;
            }
            w->left--;
            begin_one(w, i, address, now);
        }
    }
}

void warm_begin(struct warm *w, struct transport *tr, uint32_t connections, int64_t timeout_ns, int64_t now)
{
    uint32_t least = tr->target->n_addresses;
    memset(w, 0, sizeof *w);
    w->tr = tr;
    w->keep = connections > 0;
    w->left = connections > least ? connections : least;
    w->timeout_ns = timeout_ns;
    for (uint32_t i = 0; i < WARM_AT_ONCE; i++)
        w->place[i].fd = -1;
    fill(w, now);
}

void warm_more(struct warm *w, uint32_t connections, int64_t now)
{
    w->keep = true;
    w->left += connections;
    fill(w, now);
}

static void end_one(struct warm *w, uint64_t index, int why, int64_t now)
{
    struct warm_try t = w->place[index];
    w->place[index].fd = -1;
    w->busy--;
    epoll_ctl(w->tr->epoll, EPOLL_CTL_DEL, t.fd, NULL);
    if (why == 0) {
        note_success(w, &t, now);
        return;
    }
    char buf[TARGET_PEER_MAX];
    const char *peer = target_peer(w->tr->target, t.address, buf, sizeof buf);
    if (why == ETIMEDOUT && t.tls && w->said.code == ERR_NONE)
        (void)err_set(&w->said, ERR_NET,
                      "%s ends no TLS handshake within the connect timeout: is TLS spoken there, or is it http://?",
                      peer);
    if (why == ETIMEDOUT && t.tunnel && w->said.code == ERR_NONE)
        (void)err_set(&w->said, ERR_NET, "%s has not answered CONNECT %s:%u within the connect timeout",
                      w->tr->target->address[t.address].text, w->tr->target->url.host, w->tr->target->url.port);
    tunnel_destroy(&t.tunnel);
    transport_close(t.fd, t.tls);
    note_failure(w, t.address, why);
}

/* A connected socket's proxy is asked for a way; as `secure`. */
static int pass(struct warm *w, uint64_t index)
{
    struct warm_try *t = &w->place[index];
    uint32_t events = 0;
    if (!t->tunnel && !(t->tunnel = tunnel_new(w->tr->target, t->address))) return ENOMEM;
    int rc = tunnel_advance(t->tunnel, t->fd, &events);
    struct epoll_event ev = {.events = events, .data.u64 = WARM_TAG | index};
    if (rc == 0) return epoll_ctl(w->tr->epoll, EPOLL_CTL_MOD, t->fd, &ev) == 0 ? -1 : errno;
    if (rc < 0 && w->said.code == ERR_NONE)
        (void)err_set(&w->said, tunnel_may_pass(t->tunnel) ? ERR_NET : ERR_TARGET, "%s", tunnel_why(t->tunnel));
    tunnel_destroy(&t->tunnel);
    return rc < 0 ? EPROTO : 0;
}

/* A connected socket's handshake. Returns 0 when it is done, -1 while it is under way, an errno when it failed. */
static int secure(struct warm *w, uint64_t index)
{
    struct warm_try *t = &w->place[index];
    uint32_t events = 0;
    if (!t->tls && !(t->tls = tls_conn_new(w->tr->tls, t->fd, t->address))) return ENOMEM;
    int rc = tls_handshake(t->tls, &events);
    struct epoll_event ev = {.events = events, .data.u64 = WARM_TAG | index};
    if (rc == 0) return epoll_ctl(w->tr->epoll, EPOLL_CTL_MOD, t->fd, &ev) == 0 ? -1 : errno;
    if (rc < 0 && w->said.code == ERR_NONE) tls_why(t->tls, &w->said);
    if (rc < 0) return EPROTO;
    return transport_agree(w->tr, t->tls, t->address, w->said.code == ERR_NONE ? &w->said : NULL) < 0 ? EPROTO : 0;
}

void warm_ready(struct warm *w, uint64_t index, int64_t now)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (index >= WARM_AT_ONCE || w->place[index].fd < 0) return;
    struct warm_try *t = &w->place[index];
    if (!t->tunnel && !t->reached && getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0) why = errno;
    if (why == 0 && !t->reached && w->tr->target->way == WAY_TUNNEL) why = pass(w, index);
    if (why == 0 && !t->reached) {
        t->reached = true;
        t->connected = now;
    }
    if (why == 0 && w->tr->tls) why = secure(w, index);
    if (why < 0) return;
    end_one(w, index, why, w->tr->tls ? clock_mono_ns() : now);
    fill(w, now);
}

void warm_tick(struct warm *w, int64_t now)
{
    if (now < warm_next(w)) return;
    if (w->again_at <= now) w->again_at = 0;
    for (uint32_t i = 0; i < WARM_AT_ONCE; i++)
        if (w->place[i].fd >= 0 && now - w->place[i].begun >= w->timeout_ns) end_one(w, i, ETIMEDOUT, now);
    fill(w, now);
}

int64_t warm_next(const struct warm *w)
{
    int64_t next = w->again_at ? w->again_at : INT64_MAX;
    for (uint32_t i = 0; w->busy > 0 && i < WARM_AT_ONCE; i++)
        if (w->place[i].fd >= 0 && w->place[i].begun + w->timeout_ns < next) next = w->place[i].begun + w->timeout_ns;
    return next;
}

int warm_result(const struct warm *w, struct err *e)
{
    const struct target *t = w->tr->target;
    for (uint32_t i = 0; i < t->n_addresses; i++)
        if (w->good[i]) return 0;
    const char *at = t->address[0].text;
    int why = w->why[0];
    if (w->said.code != ERR_NONE) {
        *e = w->said;
        return -1;
    }
    if (why == ECONNREFUSED)
        return err_set(e, ERR_NET, "nothing listens at %s, or a firewall rejects it (connection refused)", at);
    if (why == ETIMEDOUT)
        return err_set(e, ERR_NET, "%s does not answer: no connection within the connect timeout", at);
    if (why == EAGAIN) return err_set(e, ERR_NET, "%s takes no connection: its queue is full, and nobody accepts", at);
    return err_set(e, ERR_NET, "no connection to %s: %s", at, strerror(why));
}

void warm_cancel(struct warm *w)
{
    for (uint32_t i = 0; w->tr && i < WARM_AT_ONCE; i++)
        if (w->place[i].fd >= 0) end_one(w, i, ECANCELED, 0);
    w->left = 0;
    w->again_at = 0;
}
