/* A connection of ours: socket, TLS, watching, bytes in with their stamp. A kind's own connection begins with one.
 *
 *   FREE ──conn_open──▶ CONNECTING ──▶ TUNNELLING (proxy) ──▶ SECURING (https) ──▶ OPEN ──conn_close──▶ FREE
 *     └────conn_adopt (made ahead)────────────────────────────────────────────────▶┘
 *
 * Memory of closed connections is used again. A late epoll event of an earlier use is recognised by its generation. */
#pragma once
#include <sys/types.h>

#include "agent/transport/transport.h"
#include "agent/transport/transport_kind.h"

/* An idle connection older than this is not used again: many servers close theirs after 5 s, and a request sent on a
 * closing connection is lost. */
#define CONN_IDLE_MAX_NS (4 * NS_PER_S)
/* This many of them are closed at once, the rest a moment later, so that closing thousands delays nothing. */
#define CONN_CLOSED_AT_ONCE 64
#define CONN_READ_BYTES (64u * 1024)
/* Full buffers read from one socket before the others have their turn. */
#define CONN_READS_AT_ONCE 4
#define CONN_RECORD_BYTES (16u * 1024) /* the most that one TLS record carries */
#define CONN_NONE UINT32_MAX

enum conn_state { CONN_FREE, CONN_CONNECTING, CONN_TUNNELLING, CONN_SECURING, CONN_OPEN };

struct conn {
    int fd;
    struct tls_conn *tls;  /* NULL: in the clear, or not yet */
    struct tunnel *tunnel; /* while the proxy is asked; else NULL */
    uint32_t index, generation, address;
    uint32_t next_free;
    enum conn_state state;
    bool want_write;        /* the socket is watched for room */
    int64_t since;          /* when connecting or securing began */
    int64_t tcp_ns, tls_ns; /* how long they took, until a request has taken them over; -1 */
};

struct conns {
    struct transport *t;
    size_t size; /* of a kind's connection */
    struct conn **all;
    uint32_t n, room, free;
    struct stamp_box box;
    struct stamp_parts parts;       /* of the read under way, where they were asked for; else none */
    char bytes[CONN_READ_BYTES];    /* where reads land */
    char record[CONN_RECORD_BYTES]; /* bytes on their way into TLS; may hold the secret */
};

void conns_init(struct conns *s, struct transport *t, size_t size);
void conns_clear(struct conns *s); /* all are closed */

/* New, under way or open at once; zeroed after `struct conn`. NULL: no memory, or the socket's failure in errno. */
struct conn *conn_open(struct conns *s, uint32_t address);
struct conn *conn_adopt(struct conns *s, const struct warm_socket *w); /* NULL: it is closed */
void conn_close(struct conns *s, struct conn *c);
/* The connection of an event's data; NULL when it is closed by now. */
static inline struct conn *conn_of(const struct conns *s, uint64_t data)
{
    uint32_t index = (uint32_t)data;
    if (index >= s->n || s->all[index]->state == CONN_FREE) return NULL;
    return s->all[index]->generation == (uint32_t)(data >> 32) ? s->all[index] : NULL;
}

/* Continues connecting and TLS. 1: open now, 0: not yet, -1: failed, with how and why. */
int conn_advance(struct conns *s, struct conn *c, uint32_t events, enum transport_end *ret_how, const char **ret_why);
/* Why a request whose connection is not open yet waits for the proxy; NULL: it does not. `c` NULL: no connection is
 * under way for it yet. */
const char *conn_waits(const struct transport *t, const struct conn *c);
/* conn_open gave NULL: why, as a constant text. */
const char *conn_not_opened(const struct transport *t);
/* Gives a request the time that its connection took to make; once. */
void conn_tell_phases(struct conn *c, struct transfer *x);

void conn_watch_for_room(struct conns *s, struct conn *c, bool want);
/* t->arrival, after a read of n bytes. */
static inline void conn_note_arrival(const struct conns *s, ssize_t n)
{
    s->t->arrival = n > 0 && s->box.wall_ns > 0 ? transport_arrival(s->t, s->box.wall_ns) : 0;
}
/* Bytes into s->bytes with the stamp of the last of them (t->arrival), in one call. `more` false: only those that TLS
 * still holds. As recv. */
static inline ssize_t conn_receive(struct conns *s, struct conn *c, bool more)
{
    ssize_t n = c->tls ? tls_read(c->tls, s->bytes, sizeof s->bytes, more, &s->box.wall_ns, NULL)
                       : stamp_receive(&s->box, c->fd, 0);
    conn_note_arrival(s, n);
    return n;
}
/* As send. */
ssize_t conn_send(const struct conn *c, const void *bytes, size_t n);
