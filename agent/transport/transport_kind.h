/* What all kinds of transport share; for them, conn.h and warm.h only. */
#pragma once
#include "agent/transport/kind.h"
#include "agent/transport/tls.h"
#include "agent/transport/transport.h"
#include "common/clock.h"

/* A new socket as all of ours are: stamped, bound to the next source address of its family. -1 on failure (errno). Not
 * counted. */
int transport_socket(struct transport *t, int family, int type, int protocol);
/* Has the server neither closed the connection nor sent anything unasked? */
bool transport_quiet(int fd, struct tls_conn *tls);
void transport_close(int fd, struct tls_conn *tls);

/* A connection made ahead: the kind's from now on. */
void transport_adopt(struct transport *t, struct warm_socket w);
/* Is what the server chose in a TLS handshake what is spoken here? With http: auto the first answer decides, and the
 * kind may change; no request may have been started. -1 with the reason. */
ERR_CHECKED int transport_agree(struct transport *t, const struct tls_conn *tls, uint32_t address, struct err *e);
/* The error for an alert of the server after its handshake. */
void transport_alerted(const struct transport *t, uint32_t address, const char *alert, struct err *e);
int64_t transport_odd_arrival(struct transport *t, int64_t wall_ns);
/* When bytes with this stamp arrived, in our clock; 0 when the stamp cannot be right. */
static inline int64_t transport_arrival(struct transport *t, int64_t wall_ns)
{
    int64_t at = wall_ns - t->clock.offset;
    bool usual = at <= t->now && at >= t->drained - STAMP_STEP_NS;
    return __builtin_expect(usual, 1) ? at : transport_odd_arrival(t, wall_ns);
}
/* A piece of a body, of the read under way. */
static inline void transport_deliver(struct transfer *x, const char *bytes, size_t n)
{
    struct transport *t = x->tr;
    if (x->status < 200 || x->status > 299) {
        if (t->calls->other_bytes) t->calls->other_bytes(x, bytes, n);
        return;
    }
    if (!t->delivered) {
        t->delivered = true;
        t->counts.reads++;
        if (__builtin_expect(t->arrival == 0, 0)) {
            t->counts.unstamped++;
            t->now = clock_mono_ns();
        }
    }
    t->calls->bytes(x, bytes, n, t->arrival ? t->arrival : t->now);
}
/* The request is over: closes x and calls back. The kind has let go of it. */
void transport_end(struct transfer *x, enum transport_end how, const char *why);
/* Does the guard forbid connecting to this address of the target? */
bool transport_forbidden(const struct transport *t, uint32_t address);
