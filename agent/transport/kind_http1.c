/* HTTP/1.1 on our own sockets, in the clear or over TLS: one send for head and body, one recvmsg for bytes and their
 * stamp together, and no system call that only repeats what is known. */
#include "agent/transport/kind_http1.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "agent/transport/conn.h"
#include "agent/transport/http1.h"
#include "common/clock.h"

/* Words on their way, for one call: a body of a megabyte in four pieces wakes the server four times, where pieces of 64
 * KiB did it so often that this took half of all time. */
#define MADE_BYTES (256u * 1024)

/* One with x is connecting or has a request; one without is idle. */
struct exchange {
    struct conn c;         /* first */
    uint32_t before, next; /* in the list of idle ones of its address */
    uint8_t list;          /* … which: enum idle_list */
    bool broken;           /* a write failed: what still comes is read, then the request ends */
    struct transfer *x;
    int64_t idle_since;
    struct payload_rest body; /* what was not sent */
    size_t sent, all;         /* of head, length and body together */
    char length[32];          /* what stands between the head and the body */
    uint8_t length_len;
    struct http1 http;
};

/* Idle connections that any request may take, and those that a conversation keeps while its user thinks. */
enum idle_list { IDLE_FREE, IDLE_KEPT, IDLE_N };

struct http1_state {
    struct conns conns; /* first */
    char *head;         /* a request up to its length; holds the secret */
    size_t head_len;
    size_t *sessions; /* where the session's name stands in it */
    size_t n_sessions;
    struct warm_socket *warm; /* stack of those made ahead */
    uint32_t n_warm, cap_warm;
    int64_t adopted_at;                        /* the latest of them */
    bool looked;                               /* … at, for alerts */
    uint32_t idle[IDLE_N][TARGET_ADDRESS_MAX]; /* the latest first … */
    uint32_t last[IDLE_N][TARGET_ADDRESS_MAX]; /* … and the one that is idle for longest */
    uint32_t n_kept;
    char made[MADE_BYTES]; /* words on their way */
};

static struct exchange *nth(const struct http1_state *o, uint32_t index)
{
    return (struct exchange *)o->conns.all[index];
}

/* ---- the head of all requests ---- */

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

static char *put_text(char *at, const char *text)
{
    return put(at, text, strlen(text));
}

static char *put_header(char *at, const char *name, const char *value)
{
    at = put_text(at, name);
    at = put_text(at, ": ");
    at = put_text(at, value);
    return put_text(at, "\r\n");
}

static int make_head(struct http1_state *o, const struct target *target)
{
    struct url u;
    if (url_parse(target->plan->url, &u, NULL) < 0) return -1;
    const struct target_header *proxy = &target->proxy_auth;
    bool whole = target->way == WAY_FORWARD, login = whole && proxy->value;
    char place[URL_AUTHORITY_MAX];
    url_authority(&target->url, place);
    size_t most = 256 + strlen(u.path) + sizeof target->authority + sizeof place;
    if (login) most += strlen(proxy->name) + strlen(proxy->value) + 4;
    bool own_host = false;
    for (size_t i = 0; i < target->n_headers; i++) {
        most += strlen(target->headers[i].name) + strlen(target->headers[i].value) + 4;
        own_host |= strcasecmp(target->headers[i].name, "Host") == 0;
    }
    char *at = o->head = malloc(most); /* at full size: growing would leave copies of the secret */
    o->sessions = calloc(target->n_headers + 1, sizeof *o->sessions);
    if (!at || !o->sessions) return -1;
    at = put_text(at, "POST ");
    if (whole) at = put_text(put_text(at, "http://"), place);
    if (*u.path != '/') *at++ = '/';
    at = put_text(at, u.path);
    at = put_text(at, " HTTP/1.1\r\n");
    if (!own_host) at = put_header(at, "Host", target->authority);
    for (size_t i = 0; i < target->n_headers; i++) {
        const struct target_header *h = &target->headers[i];
        if (h->session) o->sessions[o->n_sessions++] = (size_t)(at - o->head) + strlen(h->name) + 2 + h->at;
        at = put_header(at, h->name, h->value);
    }
    if (login) at = put_header(at, proxy->name, proxy->value);
    at = put_text(at, "Content-Length: ");
    o->head_len = (size_t)(at - o->head);
    return 0;
}

/* All requests share the head; before each piece of it is sent, the name of its request's session stands in it. */
static void name_session(const struct http1_state *o, const struct exchange *k)
{
    static const char NOBODY[TARGET_SESSION + 1] = "0000000000000000";
    for (size_t i = 0; i < o->n_sessions; i++)
        memcpy(o->head + o->sessions[i], k->x->session ? k->x->session : NOBODY, TARGET_SESSION);
}

/* ---- idle connections ---- */

static void forget(struct http1_state *o, struct exchange *k)
{
    conn_close(&o->conns, &k->c);
}

static void idle_remove(struct http1_state *o, struct exchange *k)
{
    uint32_t address = k->c.address;
    if (k->before == CONN_NONE)
        o->idle[k->list][address] = k->next;
    else
        nth(o, k->before)->next = k->next;
    if (k->next == CONN_NONE)
        o->last[k->list][address] = k->before;
    else
        nth(o, k->next)->before = k->before;
    o->n_kept -= k->list == IDLE_KEPT;
}

static void idle_add(struct http1_state *o, struct exchange *k, enum idle_list list)
{
    uint32_t address = k->c.address;
    k->list = (uint8_t)list;
    k->before = CONN_NONE;
    k->next = o->idle[list][address];
    if (k->next == CONN_NONE)
        o->last[list][address] = k->c.index;
    else
        nth(o, k->next)->before = k->c.index;
    o->idle[list][address] = k->c.index;
    o->n_kept += list == IDLE_KEPT;
}

static void idle_put(struct http1_state *o, struct exchange *k)
{
    struct transport *t = o->conns.t;
    k->x = NULL;
    k->idle_since = t->now;
    idle_add(o, k, IDLE_FREE);
    if (k->idle_since + CONN_IDLE_MAX_NS < t->timer) t->timer = k->idle_since + CONN_IDLE_MAX_NS;
}

/* The first idle connections show what the server does with all of them. */
static void learn(struct http1_state *o, const struct exchange *k, bool good)
{
    struct transport *t = o->conns.t;
    int64_t idle = t->now - k->idle_since;
    if (t->keeps != KEEPS_UNKNOWN) return;
    if (good && idle >= KEEPS_PAUSE_NS / 2)
        t->keeps = KEEPS_OPEN;
    else if (!good && idle < 10 * KEEPS_PAUSE_NS)
        t->keeps = KEEPS_CLOSING;
}

/* Takes an idle connection out of its list; false: it cannot be used any more. */
static bool idle_use(struct http1_state *o, struct exchange *k)
{
    struct transport *t = o->conns.t;
    bool quiet = transport_quiet(k->c.fd, k->c.tls), good = quiet && t->now - k->idle_since < CONN_IDLE_MAX_NS;
    idle_remove(o, k);
    learn(o, k, good);
    if (good && t->keeps != KEEPS_CLOSING) return true;
    bool ended = !quiet || t->keeps == KEEPS_CLOSING;
    t->counts.ended += ended;
    t->counts.idle += !ended;
    forget(o, k);
    return false;
}

/* A session's own connection, if it is idle. */
static struct exchange *idle_take_own(struct http1_state *o, const struct transfer *x)
{
    struct exchange *k = x->own ? (struct exchange *)conn_of(&o->conns, x->own - 1) : NULL;
    if (!k || k->c.state != CONN_OPEN || k->x || k->c.address != x->address) return NULL;
    return idle_use(o, k) ? k : NULL;
}

static struct exchange *idle_take(struct http1_state *o, uint32_t address)
{
    while (o->idle[IDLE_FREE][address] != CONN_NONE) {
        struct exchange *k = nth(o, o->idle[IDLE_FREE][address]);
        if (idle_use(o, k)) return k;
    }
    return NULL;
}

/* ---- connections made ahead ---- */

static void http1_adopt(struct transport *t, struct warm_socket w)
{
    struct http1_state *o = t->state;
    o->adopted_at = clock_mono_ns();
    if (o->n_warm == o->cap_warm) {
        uint32_t cap = o->cap_warm ? 2 * o->cap_warm : 64;
        struct warm_socket *more = realloc(o->warm, cap * sizeof *more);
        if (!more) {
            transport_close(w.fd, w.tls);
            t->sockets--;
            return;
        }
        o->warm = more;
        o->cap_warm = cap;
    }
    o->warm[o->n_warm++] = w;
}

/* The latest that is still good; false when there is none. */
static bool take_warm(struct http1_state *o, uint32_t address, struct warm_socket *ret)
{
    for (uint32_t i = o->n_warm; i-- > 0;) {
        *ret = o->warm[i];
        if (ret->address != address) continue;
        o->warm[i] = o->warm[--o->n_warm];
        if (transport_quiet(ret->fd, ret->tls)) return true;
        o->conns.t->counts.ended++;
        transport_close(ret->fd, ret->tls);
        o->conns.t->sockets--;
    }
    return false;
}

static void drop_warm(struct http1_state *o)
{
    while (o->n_warm > 0) {
        const struct warm_socket *w = &o->warm[--o->n_warm];
        transport_close(w->fd, w->tls);
        o->conns.t->sockets--;
    }
}

/* ---- the end of a request ---- */

static void end(struct http1_state *o, struct exchange *k, enum transport_end how, const char *why, bool keep)
{
    struct transfer *x = k->x;
    x->kept = keep;
    if (keep)
        idle_put(o, k);
    else
        forget(o, k);
    transport_end(x, how, why);
}

/* ---- writing ---- */

enum { PARTS = 16 };

/* A part of the request before its body, from the byte on that is next. */
static struct iovec *put_front(struct iovec *to, const char *from, size_t n, size_t *skip)
{
    size_t left = n > *skip ? n - *skip : 0;
    *to = (struct iovec){(void *)(uintptr_t)(from + n - left), left};
    *skip -= n - left;
    return left > 0 ? to + 1 : to;
}

/* What is to be sent next, in the clear as much as there is room for; how many bytes, and parts. `rest` is what is left
 * of the body after them. */
static size_t gather(struct http1_state *o, const struct exchange *k, struct iovec *iov, size_t *ret_parts,
                     struct payload_rest *rest)
{
    size_t skip = k->sent, made = 0, n = 0;
    struct iovec *to = put_front(iov, o->head, o->head_len, &skip);
    to = put_front(to, k->length, k->length_len, &skip);
    *rest = k->body;
    while (to < iov + PARTS && rest->left > 0) {
        const char *from;
        size_t len = payload_next(rest, o->made + made, sizeof o->made - made, &from);
        if (len == 0) break;
        *to++ = (struct iovec){(void *)(uintptr_t)from, len};
        if (from == o->made + made) made += len;
    }
    for (const struct iovec *v = iov; v < to; v++)
        n += v->iov_len;
    *ret_parts = (size_t)(to - iov);
    return n;
}

/* One record: TLS wants its bytes in one piece. */
static size_t fill_record(struct http1_state *o, const struct exchange *k, struct payload_rest *rest)
{
    struct iovec iov[2];
    size_t skip = k->sent, n = 0;
    struct iovec *to = put_front(iov, o->head, o->head_len, &skip);
    to = put_front(to, k->length, k->length_len, &skip);
    for (const struct iovec *v = iov; v < to && n < CONN_RECORD_BYTES; v++) {
        size_t take = v->iov_len < CONN_RECORD_BYTES - n ? v->iov_len : CONN_RECORD_BYTES - n;
        memcpy(o->conns.record + n, v->iov_base, take);
        n += take;
    }
    *rest = k->body;
    return n + payload_read(rest, o->conns.record + n, CONN_RECORD_BYTES - n);
}

/* n bytes were sent, after which `rest` is left, or of them so many that were to be sent. */
static void sent(const struct http1_state *o, struct exchange *k, size_t n, size_t wanted,
                 const struct payload_rest *rest)
{
    size_t front = o->head_len + k->length_len, before = k->sent > front ? k->sent : front;
    k->sent += n;
    if (n == wanted)
        k->body = *rest;
    else if (k->sent > before)
        (void)payload_read(&k->body, NULL, k->sent - before);
}

static void write_more(struct http1_state *o, struct exchange *k)
{
    size_t wanted;
    ssize_t n;
    if (o->n_sessions && k->sent < o->head_len) name_session(o, k);
    do {
        struct payload_rest rest;
        if (k->c.tls) {
            wanted = fill_record(o, k, &rest);
            n = conn_send(&k->c, o->conns.record, wanted);
        } else {
            struct iovec iov[PARTS];
            struct msghdr m = {.msg_iov = iov};
            wanted = gather(o, k, iov, &m.msg_iovlen, &rest);
            n = sendmsg(k->c.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        if (n > 0) sent(o, k, (size_t)n, wanted, &rest);
        if (k->sent == k->all) k->x->written = o->conns.t->now;
    } while (n > 0 && k->sent < k->all && (k->c.tls || (size_t)n == wanted));
    k->broken = n < 0 && errno != EAGAIN && errno != EINTR;
    conn_watch_for_room(&o->conns, &k->c, k->sent < k->all && !k->broken);
}

static void tell_header(void *arg, const char *name, size_t name_n, const char *value, size_t value_n)
{
    struct transfer *x = arg;
    x->tr->calls->header(x, name, name_n, value, value_n);
}

static void send_request(struct http1_state *o, struct exchange *k)
{
    http1_begin(&k->http);
    k->http.header = o->conns.t->calls->header ? tell_header : NULL;
    k->http.header_arg = k->x;
    k->sent = 0;
    conn_tell_phases(&k->c, k->x);
    k->x->begun = true;
    k->x->why = NULL;
    o->conns.t->calls->writing(k->x);
    write_more(o, k);
}

/* ---- reading ---- */

/* What take leaves: a head, a body that is not chunked, a chunk that is not whole, an end. Apart, so that it costs the
 * other reads nothing. */
static __attribute__((noinline)) bool take_rest(struct http1_state *o, struct exchange *k, const char *from, size_t n)
{
    struct transport *t = o->conns.t;
    const char *stop = o->conns.bytes + n, *piece;
    size_t piece_len;
    enum http1_result r;
    while ((r = http1_next(&k->http, &from, stop, &piece, &piece_len)) == HTTP1_BODY) {
        k->x->status = k->http.status;
        transport_deliver(k->x, piece, piece_len);
        if (from == stop && http1_goes_on(&k->http)) return true; /* as nearly always */
    }
    if (k->http.status >= 200) k->x->status = k->http.status;
    if (r == HTTP1_MORE) return true;
    if (r == HTTP1_BAD && k->x->status == 0 && strcmp(k->http.why, HTTP1_NONE) == 0)
        transport_deliver(k->x, o->conns.bytes, n); /* who speaks there, by its first words */
    bool whole = k->sent == k->all && from == stop && n < CONN_READ_BYTES;
    bool keep =
        r == HTTP1_DONE && whole && !k->broken && http1_keep_alive(&k->http) && !t->target->plan->fresh_connections;
    if (r == HTTP1_DONE && !http1_keep_alive(&k->http) && t->keeps == KEEPS_UNKNOWN)
        t->keeps = KEEPS_OPEN; /* HTTP/1.1 servers announce when they do not */
    bool closing = r == HTTP1_DONE && !http1_keep_alive(&k->http) && !t->target->plan->fresh_connections;
    t->counts.ended += closing || (keep && t->keeps == KEEPS_CLOSING);
    if (t->keeps == KEEPS_CLOSING) keep = false;
    end(o, k, r == HTTP1_DONE && !k->http.why ? END_COMPLETE : END_MALFORMED, k->http.why, keep);
    return false;
}

/* Returns false when the response is over. */
static inline __attribute__((always_inline)) bool take(struct http1_state *o, struct exchange *k, size_t n)
{
    const char *from = o->conns.bytes, *stop = from + n, *piece;
    size_t piece_len;
    while ((piece = http1_chunk(&k->http, &from, stop, &piece_len)) != NULL) {
        transport_deliver(k->x, piece, piece_len);
        if (from == stop) return true; /* as nearly always */
    }
    return take_rest(o, k, from, n);
}

/* The first word of a server that closes its connections after some requests or some time, as the next one is sent. */
#define USED_CLOSED                                                                                                    \
    "the server closed a connection on which it had answered before, without a byte of this answer; "                  \
    "target.connections: fresh opens one for each request"

static const char *why_ended(const struct exchange *k, ssize_t n)
{
    if (k->x->status == 0 && k->idle_since > 0) return USED_CLOSED;
    if (n == 0) return "the connection was closed";
    return k->c.tls ? tls_reason(k->c.tls) : "the connection was reset";
}

static void ended(struct http1_state *o, struct exchange *k, ssize_t n)
{
    enum http1_result r = n == 0 && !k->broken ? http1_closed(&k->http) : HTTP1_BAD;
    o->conns.t->counts.ended += n == 0 && !o->conns.t->target->plan->fresh_connections;
    end(o, k,
        r == HTTP1_DONE   ? END_COMPLETE
        : r == HTTP1_MORE ? END_CUT
                          : END_RESET,
        r == HTTP1_DONE ? NULL : why_ended(k, n), false);
}

static bool is_short(const struct exchange *k, ssize_t n)
{
    return n > 0 && (size_t)n < CONN_READ_BYTES && !(k->c.tls && tls_ended(k->c.tls));
}

/* Reads on after a first read, which gave n. `more` false: only what TLS holds. */
static __attribute__((noinline)) void read_on(struct http1_state *o, struct exchange *k, bool more, ssize_t n)
{
    struct transport *t = o->conns.t;
    size_t waited = 0;
    for (int i = 1;; i++) {
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            ended(o, k, n);
            return;
        }
        waited += (size_t)n;
        if (waited > t->counts.waiting_bytes_max) t->counts.waiting_bytes_max = waited;
        if (!take(o, k, (size_t)n) || is_short(k, n)) return;
        if (i >= CONN_READS_AT_ONCE && !k->c.tls) return;
        t->now = clock_mono_ns();
        t->delivered = false;
        n = conn_receive(&o->conns, &k->c, more && i < CONN_READS_AT_ONCE);
    }
}

/* What TLS holds, without a look at the socket. */
static void read_held(struct http1_state *o, struct exchange *k)
{
    read_on(o, k, false, conn_receive(&o->conns, &k->c, false));
}

static inline void read_all(struct http1_state *o, struct exchange *k)
{
    struct transport *t = o->conns.t;
    ssize_t n = conn_receive(&o->conns, &k->c, true);
    if (!is_short(k, n)) {
        read_on(o, k, true, n);
        return;
    }
    if ((size_t)n > t->counts.waiting_bytes_max) t->counts.waiting_bytes_max = (size_t)n;
    (void)take(o, k, (size_t)n); /* a short read: nothing is left to ask for */
}

/* ---- the table ---- */

static void advance(struct http1_state *o, struct exchange *k, uint32_t events)
{
    enum transport_end how;
    const char *why;
    int rc = conn_advance(&o->conns, &k->c, events, &how, &why);
    if (rc < 0) {
        conn_tell_phases(&k->c, k->x);
        end(o, k, how, why, false);
    } else if (rc > 0) {
        send_request(o, k);
        if (k->c.tls) read_held(o, k); /* bytes that came with the handshake raise no event */
    } else {
        k->x->why = conn_waits(o->conns.t, &k->c);
    }
}

/* A warm connection, or a new one under way; NULL: the request has ended. */
static struct exchange *take_new(struct http1_state *o, struct transfer *x)
{
    struct warm_socket warm;
    struct conn *c = NULL;
    if (transport_forbidden(o->conns.t, x->address)) {
        transport_end(x, END_REFUSED, NULL);
        return NULL;
    }
    if (take_warm(o, x->address, &warm)) c = conn_adopt(&o->conns, &warm);
    if (!c) c = conn_open(&o->conns, x->address);
    if (!c) transport_end(x, END_CONNECT, conn_not_opened(o->conns.t));
    return (struct exchange *)c;
}

static void http1_start(struct transfer *x, const struct payload *body)
{
    struct http1_state *o = x->tr->state;
    bool fresh = x->tr->target->plan->fresh_connections;
    struct exchange *k = fresh ? NULL : idle_take_own(o, x);
    if (!k && !fresh) k = idle_take(o, x->address);
    if (!k && !(k = take_new(o, x))) return;
    x->own = ((uint64_t)k->c.generation << 32 | k->c.index) + 1;
    k->x = x;
    x->state = k;
    payload_begin(&k->body, body);
    k->length_len = (uint8_t)snprintf(k->length, sizeof k->length, "%zu\r\n\r\n", k->body.left);
    k->all = o->head_len + k->length_len + k->body.left;
    x->why = conn_waits(o->conns.t, &k->c);
    if (k->c.state == CONN_OPEN) send_request(o, k);
}

/* An event of a connection that has no request, or is not yet made. */
static __attribute__((noinline)) void ready_otherwise(struct http1_state *o, struct exchange *k, uint32_t events)
{
    if (k->c.state != CONN_OPEN) {
        advance(o, k, events);
    } else if (!k->c.tls || !transport_quiet(k->c.fd, k->c.tls)) {
        o->conns.t->counts.ended++;
        learn(o, k, false); /* closed, or bytes without a request; over TLS some are the protocol's own */
        idle_remove(o, k);
        forget(o, k);
    }
}

static void http1_ready(struct transport *t, uint64_t data, uint32_t events)
{
    struct http1_state *o = t->state;
    struct exchange *k = (struct exchange *)conn_of(&o->conns, data);
    if (!k) return;
    if (k->c.state != CONN_OPEN || !k->x) {
        ready_otherwise(o, k, events);
        return;
    }
    if (k->c.want_write && (events & EPOLLOUT)) write_more(o, k);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_all(o, k);
}

static void http1_abort(struct transfer *x)
{
    struct exchange *k = x->state;
    if (k) forget(x->tr->state, k);
}

static int http1_init(struct transport *t, struct err *e)
{
    struct http1_state *o = t->state = calloc(1, sizeof *o);
    if (!o || make_head(o, t->target) < 0) return err_set(e, ERR_NOMEM, "no memory for the transport");
    conns_init(&o->conns, t, sizeof(struct exchange));
    t->keeps = t->target->plan->fresh_connections ? KEEPS_OPEN /* none is used again */ : KEEPS_UNKNOWN;
    for (size_t i = 0; i < (size_t)IDLE_N * TARGET_ADDRESS_MAX; i++)
        o->idle[i / TARGET_ADDRESS_MAX][i % TARGET_ADDRESS_MAX] =
            o->last[i / TARGET_ADDRESS_MAX][i % TARGET_ADDRESS_MAX] = CONN_NONE;
    return 0;
}

static void http1_clear(struct transport *t)
{
    struct http1_state *o = t->state;
    if (!o) return;
    for (uint32_t i = 0; i < o->conns.n; i++)
        if (o->conns.all[i]->state != CONN_FREE) conn_close(&o->conns, o->conns.all[i]);
    drop_warm(o);
    free(o->warm);
    conns_clear(&o->conns);
    if (o->head) explicit_bzero(o->head, o->head_len);
    free(o->head);
    free(o->sessions);
    free(o);
    t->state = NULL;
}

static uint32_t http1_connections(const struct transport *t, uint32_t requests)
{
    (void)t;
    return requests;
}

/* In TLS 1.3 the client's handshake ends before the server has checked the client's certificate. A server that wants
 * another one reports it a round trip later. So connections made ahead are checked once more after that time. */
#define ALERT_WAIT_NS (20 * NS_PER_MS)
static int http1_prepared(struct transport *t, struct err *e)
{
    struct http1_state *o = t->state;
    const char *alert = NULL;
    uint32_t kept = 0, address = 0;
    if (!t->tls || o->n_warm == 0 || o->looked) return 1;
    int64_t due = o->adopted_at + ALERT_WAIT_NS;
    for (uint32_t i = 0; i < o->n_warm; i++)
        if (o->adopted_at + ALERT_WAIT_NS + 2 * o->warm[i].tcp_ns > due)
            due = o->adopted_at + ALERT_WAIT_NS + 2 * o->warm[i].tcp_ns;
    if (clock_mono_ns() < due) {
        if (due < t->timer) t->timer = due;
        return 0;
    }
    o->looked = true;
    for (uint32_t i = 0; i < o->n_warm; i++) {
        struct warm_socket *w = &o->warm[i];
        const char *why = transport_quiet(w->fd, w->tls) ? NULL : tls_alert();
        if (!why) {
            o->warm[kept++] = *w; /* closed without an alert: noticed when it is taken */
            continue;
        }
        alert = why;
        address = w->address;
        transport_close(w->fd, w->tls);
        t->sockets--;
    }
    o->n_warm = kept;
    if (kept > 0 || !alert) return 1;
    transport_alerted(t, address, alert, e);
    return -1;
}

/* Closes what has been idle for too long in a list; returns how many were closed. */
static int close_old(struct http1_state *o, const uint32_t *last, int64_t now, int closed)
{
    struct transport *t = o->conns.t;
    while (*last != CONN_NONE) {
        struct exchange *k = nth(o, *last);
        int64_t due = k->idle_since + CONN_IDLE_MAX_NS;
        if (due <= now && closed++ < CONN_CLOSED_AT_ONCE) {
            t->counts.idle++;
            idle_remove(o, k);
            forget(o, k);
            continue;
        }
        if (due < now + NS_PER_MS) due = now + NS_PER_MS;
        if (due < t->timer) t->timer = due;
        break;
    }
    return closed;
}

/* Everything else that is due by time is done by the stage. */
static void http1_tick(struct transport *t, int64_t now)
{
    struct http1_state *o = t->state;
    int closed = 0;
    t->timer = INT64_MAX;
    for (size_t i = 0; i < (size_t)IDLE_N * TARGET_ADDRESS_MAX; i++)
        closed = close_old(o, &o->last[i / TARGET_ADDRESS_MAX][i % TARGET_ADDRESS_MAX], now, closed);
}

static void http1_keep(struct transport *t, uint64_t own, uint32_t most)
{
    struct http1_state *o = t->state;
    struct exchange *k = own ? (struct exchange *)conn_of(&o->conns, own - 1) : NULL;
    if (!k || k->c.state != CONN_OPEN || k->x || k->list == IDLE_KEPT || o->n_kept >= most) return;
    idle_remove(o, k);
    idle_add(o, k, IDLE_KEPT);
}

const struct transport_kind KIND_HTTP1 = {
    .http = "HTTP/1.1",
    .init = http1_init,
    .clear = http1_clear,
    .connections = http1_connections,
    .adopt = http1_adopt,
    .prepared = http1_prepared,
    .start = http1_start,
    .abort = http1_abort,
    .ready = http1_ready,
    .tick = http1_tick,
    .keep = http1_keep,
};
