#include "agent/transport/transport_kind.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
    ssize_t n = tls ? tls_read(tls, &byte, 1, true, &wall, NULL) : recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN;
}

void transport_close(int fd, struct tls_conn *tls)
{
    tls_conn_destroy(&tls);
    close(fd);
}

void transport_adopt(struct transport *t, struct warm_socket w)
{
    t->sockets++;
    t->counts.connections++;
    t->kind->adopt(t, w);
}

int transport_agree(struct transport *t, const struct tls_conn *tls, uint32_t address, struct err *e)
{
    bool http2 = tls_speaks_http2(tls);
    char buf[TARGET_PEER_MAX];
    const char *at = target_peer(t->target, address, buf, sizeof buf);
    if (t->other) { /* the first answer */
        const struct transport_kind *other = t->other;
        t->other = NULL;
        if (http2) {
            tls_offer(t->tls, HTTP_2);
            return 0;
        }
        t->kind->clear(t);
        t->kind = other;
        tls_offer(t->tls, HTTP_1);
        return t->kind->init(t, e);
    }
    if ((tls_offers(t->tls) == HTTP_2) == http2) return 0;
    if (http2) return err_set(e, ERR_TARGET, "%s chose HTTP/2, and HTTP/1.1 in the handshake before", at);
    return err_set(e, ERR_TARGET,
                   "%s does not speak HTTP/2 (it was offered h2 in the TLS handshake): leave target.http at \"1.1\"",
                   at);
}

void transport_alerted(const struct transport *t, uint32_t address, const char *alert, struct err *e)
{
    char buf[TARGET_PEER_MAX];
    (void)err_set(e, ERR_TARGET, "%s refuses the connection after the TLS handshake: %s%s",
                  target_peer(t->target, address, buf, sizeof buf), alert,
                  strstr(alert, "certificate") ? " (target.tls.cert_file and key_file name the one to show)" : "");
}

/* They came after the loop had looked at the time; or not in the time in which they can have come: the clock stepped,
 * or the loop was away for long. */
int64_t transport_odd_arrival(struct transport *t, int64_t wall_ns)
{
    if (wall_ns - t->clock.offset > t->now) t->now = clock_mono_ns();
    int64_t at = stamp_clock_convert(&t->clock, wall_ns, t->now, t->drained - STAMP_STEP_NS);
    if (at != 0) return at;
    if (stamp_clock_sample(&t->clock) || stamp_clock_wary(&t->clock, t->now)) return 0;
    return stamp_clock_convert(&t->clock, wall_ns, t->now, 1);
}

/* ---- for the kinds ---- */

void transport_end(struct transfer *x, enum transport_end how, const char *why)
{
    struct transport *t = x->tr;
    x->open = false;
    x->state = NULL;
    x->why = why;
    t->calls->end(x, how, t->arrival ? t->arrival : t->now);
}

bool transport_forbidden(const struct transport *t, uint32_t address)
{
    return guard_check_address(&t->target->guard, (const struct sockaddr *)t->target->address[address].sa, NULL) < 0;
}
