/* HTTP/1.1 on our own sockets, in the clear or over TLS: one send of head and body, one recvmsg for bytes and their
 * stamp together, nothing asked of the kernel twice. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/transport/http1.h"
#include "agent/transport/transport.h"
#include "common/clock.h"
#include "common/hist.h"

/* An idle connection older than this is not used again: many servers close theirs after 5 s, and a request sent into a
 * closing connection is lost. */
#define IDLE_MAX_NS (4 * NS_PER_S)
/* So many of them are closed at once; more a moment later, so that the closing of thousands holds nobody up. */
#define CLOSED_AT_ONCE 64
#define READ_BYTES (64u * 1024)
#define RECORD_BYTES (16u * 1024) /* the most that one TLS record carries */
/* Full buffers read from one socket before the others have their turn. */
#define READS_AT_ONCE 4
#define NONE UINT32_MAX
#define GENERATIONS (UINT32_C(1) << 30) /* an event's data: index, and above it so many bits */

enum conn_state { CONN_FREE, CONN_CONNECTING, CONN_SECURING, CONN_BUSY, CONN_IDLE };

struct conn {
    int fd;
    struct tls_conn *tls; /* NULL: in the clear */
    uint32_t index, generation, address;
    uint32_t before, next; /* in the list of idle ones of its address; `next` also of free ones */
    enum conn_state state;
    bool want_write;    /* the socket is watched for room: it took only a part of the request, or connects */
    bool broken;        /* a write failed: what still comes is read, then it is over */
    struct transfer *x; /* while connecting or busy */
    int64_t since;      /* when its state began: connecting, securing, idle */
    const char *body;
    size_t body_len, sent; /* sent: of head, length and body together */
    char length[32];       /* what stands between the head and the body */
    uint8_t length_len;
    struct http1 http;
};

struct own {
    struct transport *t;
    char *head; /* a request up to its length; holds the secret */
    size_t head_len;
    struct conn **conns;
    uint32_t n_conns, room, free;
    uint32_t idle[TARGET_ADDRESS_MAX]; /* the latest first … */
    uint32_t last[TARGET_ADDRESS_MAX]; /* … and the one that is idle for longest */
    char bytes[READ_BYTES];
    char record[RECORD_BYTES]; /* a piece of a request on its way into TLS; holds the secret */
};

/* ---- the head of all requests ---- */

bool transport_own_can(const struct target *target)
{
    /* headers that say how the request is framed or the connection kept: libcurl knows what to make of them */
    static const char *const NOT_OURS[] = {"Connection", "Content-Length",    "Keep-Alive", "TE",
                                           "Trailer",    "Transfer-Encoding", "Upgrade"};
    if (target->plan->http2) return false;
    for (size_t h = 0; h < target->n_headers; h++)
        for (size_t i = 0; i < sizeof NOT_OURS / sizeof *NOT_OURS; i++)
            if (strcasecmp(target->headers[h].name, NOT_OURS[i]) == 0) return false;
    return true;
}

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

static int make_head(struct own *o, const struct target *target)
{
    struct url u;
    if (url_parse(target->plan->url, &u, NULL) < 0) return -1;
    size_t most = 256 + strlen(u.path) + sizeof target->authority;
    bool own_host = false;
    for (size_t i = 0; i < target->n_headers; i++) {
        most += strlen(target->headers[i].name) + strlen(target->headers[i].value) + 4;
        own_host |= strcasecmp(target->headers[i].name, "Host") == 0;
    }
    char *at = o->head = malloc(most); /* in one piece: no copy of the secret stays behind */
    if (!at) return -1;
    at = put_text(at, "POST ");
    if (*u.path != '/') *at++ = '/';
    at = put_text(at, u.path);
    at = put_text(at, " HTTP/1.1\r\n");
    if (!own_host) at = put_header(at, "Host", target->authority);
    for (size_t i = 0; i < target->n_headers; i++)
        at = put_header(at, target->headers[i].name, target->headers[i].value);
    at = put_text(at, "Content-Length: ");
    o->head_len = (size_t)(at - o->head);
    return 0;
}

/* ---- connections ---- */

static struct conn *conn_new(struct own *o)
{
    struct conn *c;
    if (o->free != NONE) {
        c = o->conns[o->free];
        o->free = c->next;
        return c;
    }
    if (o->n_conns == o->room) {
        uint32_t room = o->room ? 2 * o->room : 64;
        struct conn **more = realloc(o->conns, room * sizeof *more);
        if (!more) return NULL;
        o->conns = more;
        o->room = room;
    }
    c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->index = o->n_conns;
    o->conns[o->n_conns++] = c;
    return c;
}

static void conn_close(struct own *o, struct conn *c)
{
    transport_close(c->fd, c->tls); /* which takes it out of the epoll set */
    c->tls = NULL;
    o->t->sockets--;
    c->generation = (c->generation + 1) % GENERATIONS; /* events of it that wait in this batch are no longer its */
    c->state = CONN_FREE;
    c->x = NULL;
    c->next = o->free;
    o->free = c->index;
}

static void idle_remove(struct own *o, struct conn *c)
{
    if (c->before == NONE)
        o->idle[c->address] = c->next;
    else
        o->conns[c->before]->next = c->next;
    if (c->next == NONE)
        o->last[c->address] = c->before;
    else
        o->conns[c->next]->before = c->before;
}

static void idle_put(struct own *o, struct conn *c)
{
    c->state = CONN_IDLE;
    c->x = NULL;
    c->since = o->t->now;
    c->before = NONE;
    c->next = o->idle[c->address];
    if (c->next == NONE)
        o->last[c->address] = c->index;
    else
        o->conns[c->next]->before = c->index;
    o->idle[c->address] = c->index;
    if (c->since + IDLE_MAX_NS < o->t->timer) o->t->timer = c->since + IDLE_MAX_NS;
}

/* What becomes of the first idle connections shows what the server does with them all. */
static void learn(struct own *o, const struct conn *c, bool good)
{
    int64_t idle = o->t->now - c->since;
    if (o->t->behind != BEHIND_UNKNOWN) return;
    if (good && idle >= BEHIND_PAUSE_NS / 2)
        o->t->behind = BEHIND_STAYS;
    else if (!good && idle < 10 * BEHIND_PAUSE_NS)
        o->t->behind = BEHIND_CLOSES;
}

static struct conn *idle_take(struct own *o, uint32_t address)
{
    while (o->idle[address] != NONE) {
        struct conn *c = o->conns[o->idle[address]];
        bool good = o->t->now - c->since < IDLE_MAX_NS && transport_quiet(c->fd, c->tls);
        idle_remove(o, c);
        learn(o, c, good);
        if (good && o->t->behind != BEHIND_CLOSES) return c;
        conn_close(o, c);
    }
    return NULL;
}

static int watch(struct own *o, struct conn *c, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)c->generation << 32 | c->index};
    return epoll_ctl(o->t->epoll, op, c->fd, &ev);
}

static void watch_for_room(struct own *o, struct conn *c, bool want)
{
    if (want == c->want_write) return;
    c->want_write = want;
    watch(o, c, EPOLL_CTL_MOD, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* ---- the end of a request ---- */

static void end(struct own *o, struct conn *c, enum transport_end how, bool keep)
{
    struct transport *t = o->t;
    struct transfer *x = c->x;
    x->open = false;
    x->conn = NULL;
    if (keep)
        idle_put(o, c);
    else
        conn_close(o, c);
    t->calls->end(x, how, t->arrival ? t->arrival : t->now);
}

/* ---- writing ---- */

enum { PARTS = 3 };

/* What is left to be sent: `iov` has PARTS places, of which the last ones are used; returns the first. */
static struct iovec *left_to_send(const struct own *o, const struct conn *c, struct iovec *iov)
{
    size_t skip = c->sent;
    iov[0] = (struct iovec){o->head, o->head_len};
    iov[1] = (struct iovec){(void *)(uintptr_t)c->length, c->length_len};
    iov[2] = (struct iovec){(void *)(uintptr_t)c->body, c->body_len};
    struct iovec *first = iov;
    for (; first < iov + PARTS - 1 && skip >= first->iov_len; first++)
        skip -= first->iov_len;
    first->iov_base = (char *)first->iov_base + skip;
    first->iov_len -= skip;
    return first;
}

/* In one record as much as it holds: TLS wants its bytes in one piece. */
static ssize_t write_record(struct own *o, struct conn *c, const struct iovec *first, const struct iovec *stop)
{
    size_t n = 0;
    for (; first < stop && n < sizeof o->record; first++) {
        size_t take = first->iov_len < sizeof o->record - n ? first->iov_len : sizeof o->record - n;
        memcpy(o->record + n, first->iov_base, take);
        n += take;
    }
    return tls_write(c->tls, o->record, n);
}

static void write_more(struct own *o, struct conn *c)
{
    size_t all = o->head_len + c->length_len + c->body_len;
    struct iovec iov[PARTS];
    ssize_t n;
    do {
        struct iovec *first = left_to_send(o, c, iov);
        struct msghdr m = {.msg_iov = first, .msg_iovlen = (size_t)(iov + PARTS - first)};
        n = c->tls ? write_record(o, c, first, iov + PARTS) : sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) c->sent += (size_t)n;
    } while (c->tls && n > 0 && c->sent < all);
    c->broken = n < 0 && errno != EAGAIN && errno != EINTR;
    watch_for_room(o, c, c->sent < all && !c->broken);
}

static void send_request(struct own *o, struct conn *c)
{
    c->state = CONN_BUSY;
    http1_begin(&c->http);
    c->sent = 0;
    c->x->begun = true;
    o->t->calls->writing(c->x);
    write_more(o, c);
}

/* ---- reading ---- */

/* Bytes with the stamp of the last of them, in one call. `more` false: only those that TLS still holds. */
static ssize_t receive(struct own *o, const struct conn *c, bool more)
{
    struct transport *t = o->t;
    int64_t wall;
    ssize_t n = c->tls ? tls_read(c->tls, o->bytes, sizeof o->bytes, more, &wall)
                       : stamp_receive(c->fd, o->bytes, sizeof o->bytes, &wall);
    t->arrival = n > 0 && wall > 0 ? transport_arrival(t, wall) : 0;
    return n;
}

/* A piece of the body. */
static void deliver(struct own *o, struct transfer *x, const char *bytes, size_t n)
{
    struct transport *t = o->t;
    if (x->status < 200 || x->status > 299) return;
    if (!t->delivered) {
        t->delivered = true;
        t->counts.reads++;
        t->counts.unstamped += t->arrival == 0;
        if (t->arrival == 0) t->now = clock_mono_ns();
    }
    int64_t arrival = t->arrival ? t->arrival : t->now;
    uint32_t events = t->calls->bytes(x, bytes, n, arrival);
    /* without a stamp: the time the loop did not look */
    if (events) hist_record(t->lag, t->arrival ? t->now - arrival : t->away, events);
}

/* Returns false when the response is over. */
static bool take(struct own *o, struct conn *c, size_t n)
{
    const char *at = o->bytes, *stop = o->bytes + n, *piece;
    size_t piece_len;
    enum http1_result r;
    o->t->delivered = false;
    while ((r = http1_next(&c->http, &at, stop, &piece, &piece_len)) == HTTP1_BODY) {
        c->x->status = c->http.status;
        deliver(o, c->x, piece, piece_len);
    }
    if (c->http.status >= 200) c->x->status = c->http.status;
    if (r == HTTP1_MORE) return true;
    bool whole = c->sent == o->head_len + c->length_len + c->body_len && at == stop && n < sizeof o->bytes;
    bool keep =
        r == HTTP1_DONE && whole && !c->broken && http1_keep_alive(&c->http) && !o->t->target->plan->fresh_connections;
    if (r == HTTP1_DONE && !http1_keep_alive(&c->http) && o->t->behind == BEHIND_UNKNOWN)
        o->t->behind = BEHIND_STAYS; /* it says when not */
    if (o->t->behind == BEHIND_CLOSES) keep = false;
    end(o, c, r == HTTP1_DONE ? END_COMPLETE : END_MALFORMED, keep);
    return false;
}

/* `more` false: what TLS holds, without a look at the socket. */
static void read_all(struct own *o, struct conn *c, bool more)
{
    size_t waited = 0;
    for (int i = 0; i < READS_AT_ONCE || c->tls; i++) {
        if (i > 0) o->t->now = clock_mono_ns();
        ssize_t n = receive(o, c, more && i < READS_AT_ONCE);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            enum http1_result r = n == 0 && !c->broken ? http1_closed(&c->http) : HTTP1_BAD;
            end(o, c, r == HTTP1_DONE ? END_COMPLETE : r == HTTP1_MORE ? END_CUT : END_RESET, false);
            return;
        }
        waited += (size_t)n;
        if (waited > o->t->counts.waiting_bytes_max) o->t->counts.waiting_bytes_max = waited;
        if (!take(o, c, (size_t)n)) return;
        if ((size_t)n < sizeof o->bytes && !(c->tls && tls_ended(c->tls)))
            return; /* a short read: nothing is left to ask for */
    }
}

/* ---- connecting ---- */

static void secure(struct own *o, struct conn *c)
{
    uint32_t events = 0;
    int rc = tls_handshake(c->tls, &events);
    if (rc < 0) {
        end(o, c, END_TLS, false);
    } else if (rc == 0) {
        watch_for_room(o, c, events & EPOLLOUT);
    } else {
        c->x->tls_ns = clock_mono_ns() - c->since;
        send_request(o, c);
        read_all(o, c, false); /* an answer that came with the handshake's last bytes is no event of the socket */
    }
}

static void connected(struct own *o, struct conn *c)
{
    int64_t now = clock_mono_ns();
    c->x->dns_ns = 0;
    c->x->tcp_ns = now - c->since;
    if (!o->t->tls) {
        send_request(o, c);
        return;
    }
    c->state = CONN_SECURING;
    c->since = now;
    c->tls = tls_conn_new(o->t->tls, c->fd, c->address);
    if (c->tls)
        secure(o, c);
    else
        end(o, c, END_TLS, false);
}

/* A warm connection, or a new one under way; NULL: the request has ended. */
static struct conn *conn_open(struct own *o, struct transfer *x)
{
    struct transport *t = o->t;
    const struct target_address *a = &t->target->address[x->address];
    struct conn *c = conn_new(o);
    int on = 1, rc = 0;
    if (!c) return NULL;
    c->address = x->address;
    struct warm_socket warm;
    c->since = clock_mono_ns();
    if (transport_take_warm(t, x->address, &warm)) {
        c->fd = warm.fd;
        c->tls = warm.tls;
        x->dns_ns = 0;
        x->tcp_ns = warm.tcp_ns;
        x->tls_ns = warm.tls_ns;
    } else {
        c->fd = transport_socket(t, a->sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (c->fd < 0) goto none;
        t->sockets++;
        t->counts.connections++;
        rc = connect(c->fd, (const struct sockaddr *)a->sa, a->sa_len);
    }
    bool failed = rc < 0 && errno != EINPROGRESS;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->want_write = rc < 0;
    c->broken = false;
    c->state = rc < 0 ? CONN_CONNECTING : CONN_BUSY;
    if (!failed && watch(o, c, EPOLL_CTL_ADD, rc < 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) == 0) return c;
    conn_close(o, c);
    return NULL;
none:
    c->next = o->free;
    o->free = c->index;
    return NULL;
}

static void fail(struct own *o, struct transfer *x, enum transport_end how)
{
    x->open = false;
    o->t->calls->end(x, how, o->t->now);
}

static int own_start(struct transfer *x, const char *body, size_t n)
{
    struct own *o = x->tr->own;
    const struct target *target = o->t->target;
    x->open = true;
    x->dns_ns = x->tcp_ns = x->tls_ns = -1;
    struct conn *c = target->plan->fresh_connections ? NULL : idle_take(o, x->address);
    if (!c) {
        x->opened++;
        x->refused =
            guard_check_address(&target->guard, (const struct sockaddr *)target->address[x->address].sa, NULL) < 0;
        c = x->refused ? NULL : conn_open(o, x);
    }
    if (!c) {
        fail(o, x, x->refused ? END_REFUSED : END_CONNECT);
        return 0;
    }
    c->x = x;
    x->conn = c;
    c->body = body;
    c->body_len = n;
    c->length_len = (uint8_t)snprintf(c->length, sizeof c->length, "%zu\r\n\r\n", n);
    if (c->state == CONN_CONNECTING) return 0;
    if (x->opened == 0 || x->tcp_ns >= 0)
        send_request(o, c);
    else
        connected(o, c);
    return 0;
}

static void finish_connect(struct own *o, struct conn *c)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0 || why != 0)
        end(o, c, END_CONNECT, false);
    else
        connected(o, c);
}

/* ---- the table ---- */

static void own_ready(struct transport *t, uint64_t data, uint32_t events)
{
    struct own *o = t->own;
    struct conn *c = o->conns[(uint32_t)data];
    if (c->generation != (uint32_t)(data >> 32)) return;
    switch (c->state) {
    case CONN_CONNECTING:
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) finish_connect(o, c);
        return;
    case CONN_SECURING:
        secure(o, c);
        return;
    case CONN_BUSY:
        if (c->want_write && (events & EPOLLOUT)) write_more(o, c);
        if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_all(o, c, true);
        return;
    case CONN_IDLE: /* closed, or bytes that nobody asked for; TLS has some of its own */
        if (c->tls && transport_quiet(c->fd, c->tls)) return;
        learn(o, c, false);
        idle_remove(o, c);
        conn_close(o, c);
        return;
    case CONN_FREE:
        return;
    }
}

static void own_abort(struct transfer *x)
{
    conn_close(x->tr->own, x->conn);
    x->conn = NULL;
}

static int own_init(struct transport *t, struct err *e)
{
    struct own *o = calloc(1, sizeof *o);
    t->own = o;
    if (!o || make_head(o, t->target) < 0) return err_set(e, ERR_NOMEM, "no memory for the transport");
    o->t = t;
    o->free = NONE;
    t->secured = true; /* warm.h makes the handshakes */
    if (t->target->url.tls && !(t->tls = tls_new(t->target, e))) return -1;
    if (t->target->plan->fresh_connections) t->behind = BEHIND_STAYS; /* none is used again */
    for (size_t i = 0; i < TARGET_ADDRESS_MAX; i++)
        o->idle[i] = o->last[i] = NONE;
    return 0;
}

static void own_clear(struct transport *t)
{
    struct own *o = t->own;
    if (!o) return;
    for (uint32_t i = 0; i < o->n_conns; i++) {
        if (o->conns[i]->state != CONN_FREE) conn_close(o, o->conns[i]);
        free(o->conns[i]);
    }
    free(o->conns);
    if (o->head) explicit_bzero(o->head, o->head_len);
    explicit_bzero(o->record, sizeof o->record);
    free(o->head);
    free(o);
}

static int own_transfer_init(struct transfer *x, struct err *e)
{
    (void)x, (void)e;
    return 0;
}

static void own_use_address(struct transfer *x, uint32_t address)
{
    (void)x, (void)address;
}

static void own_transfer_clear(struct transfer *x)
{
    if (x->conn) own_abort(x);
}

/* Closes what has been idle for too long. All else that is due by time is the stage's. */
static void own_tick(struct transport *t, int64_t now)
{
    struct own *o = t->own;
    int closed = 0;
    t->timer = INT64_MAX;
    for (size_t i = 0; i < TARGET_ADDRESS_MAX; i++) {
        while (o->last[i] != NONE) {
            struct conn *c = o->conns[o->last[i]];
            int64_t due = c->since + IDLE_MAX_NS;
            if (due <= now && closed++ < CLOSED_AT_ONCE) {
                idle_remove(o, c);
                conn_close(o, c);
                continue;
            }
            if (due < now + NS_PER_MS) due = now + NS_PER_MS;
            if (due < t->timer) t->timer = due;
            break;
        }
    }
}

const struct transport_kind TRANSPORT_OWN = {
    .init = own_init,
    .clear = own_clear,
    .transfer_init = own_transfer_init,
    .transfer_use_address = own_use_address,
    .transfer_clear = own_transfer_clear,
    .start = own_start,
    .abort = own_abort,
    .ready = own_ready,
    .tick = own_tick,
};
