/* Plain HTTP/1.1 on our own sockets: one send of head and body, one recvmsg for bytes and their stamp together, nothing asked of the kernel twice. */
#include <curl/curl.h>
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

#include "agent/http1.h"
#include "agent/transport.h"
#include "common/clock.h"
#include "common/hist.h"

/* An idle connection older than this is not used again: many servers close theirs after 5 s, and a request sent into a closing
 * connection is lost. */
#define IDLE_MAX_NS (4 * NS_PER_S)
/* So many of them are closed at once; more a moment later, so that the closing of thousands holds nobody up. */
#define CLOSED_AT_ONCE 64
#define READ_BYTES (64u * 1024)
/* Full buffers read from one socket before the others have their turn. */
#define READS_AT_ONCE 4
#define NONE UINT32_MAX
#define GENERATIONS (UINT32_C(1) << 30) /* an event's data: index, and above it so many bits */

enum conn_state { CONN_FREE, CONN_CONNECTING, CONN_BUSY, CONN_IDLE };

struct conn {
    int fd;
    uint32_t index, generation, address;
    uint32_t before, next;  /* in the list of idle ones of its address; `next` also of free ones */
    enum conn_state state;
    bool want_write;        /* the socket took only a part of the request */
    bool broken;            /* a write failed: what still comes is read, then it is over */
    struct transfer *x;     /* while connecting or busy */
    int64_t since;          /* connecting: begun; idle: since when */
    const char *body;
    size_t body_len, sent;  /* sent: of head, length and body together */
    char length[32];        /* what stands between the head and the body */
    uint8_t length_len;
    struct http1 http;
};

struct plain {
    struct transport *t;
    char *head;             /* a request up to its length; holds the secret */
    size_t head_len;
    struct conn **conns;
    uint32_t n_conns, room, free;
    uint32_t idle[TARGET_ADDRESS_MAX]; /* the latest first … */
    uint32_t last[TARGET_ADDRESS_MAX]; /* … and the one that is idle for longest */
    char bytes[READ_BYTES];
};

/* ---- the head of all requests ---- */

static bool named(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(line, name, n) == 0 && (line[n] == ':' || line[n] == ';');
}

bool transport_plain_can(const struct target *target)
{
    /* headers that say how the request is framed or the connection kept: libcurl knows what to make of them */
    static const char *const NOT_OURS[] = {"Connection", "Content-Length", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade"};
    if (target->tls || target->plan->http2) return false;
    const char *authority = strstr(target->url, "://");
    size_t n = authority ? strcspn(authority + 3, "/?#") : 0;
    if (n == 0 || memchr(authority + 3, '@', n) || memchr(authority + 3, '%', n)) return false; /* user, zone */
    for (const struct curl_slist *h = target->headers; h; h = h->next)
        for (size_t i = 0; i < sizeof NOT_OURS / sizeof *NOT_OURS; i++)
            if (named(h->data, NOT_OURS[i])) return false;
    return true;
}

static char *put(char *at, const char *text, size_t n)
{
    memcpy(at, text, n);
    return at + n;
}

static char *put_text(char *at, const char *text) { return put(at, text, strlen(text)); }

/* A line of the list as libcurl writes it: "Name;" is an empty header, "Name:" takes one away. */
static char *put_header(char *at, const char *line)
{
    size_t n = strlen(line), name = strcspn(line, ":;");
    if (line[name] == ':' && line[name + 1 + strspn(line + name + 1, " \t")] == '\0') return at;
    at = put(at, line, line[name] == ';' ? name : n);
    return put_text(at, line[name] == ';' ? ":\r\n" : "\r\n");
}

static int make_head(struct plain *p, const struct target *target)
{
    const char *authority = strstr(target->url, "://") + 3;
    size_t host = strcspn(authority, "/?#"), path = strcspn(authority + host, "#");
    size_t most = 256 + strlen(target->url);
    bool own_host = false;
    for (const struct curl_slist *h = target->headers; h; h = h->next) {
        most += strlen(h->data) + 4;
        own_host |= named(h->data, "Host");
    }
    char *at = p->head = malloc(most); /* in one piece: no copy of the secret stays behind */
    if (!at) return -1;
    at = put_text(at, "POST ");
    if (authority[host] != '/') *at++ = '/';
    at = put(at, authority + host, path);
    at = put_text(at, " HTTP/1.1\r\n");
    if (!own_host) {
        if (host > 3 && memcmp(authority + host - 3, ":80", 3) == 0) host -= 3;
        at = put_text(at, "Host: ");
        at = put(at, authority, host);
        at = put_text(at, "\r\n");
    }
    for (const struct curl_slist *h = target->headers; h; h = h->next) at = put_header(at, h->data);
    at = put_text(at, "Content-Length: ");
    p->head_len = (size_t)(at - p->head);
    return 0;
}

/* ---- connections ---- */

static struct conn *conn_new(struct plain *p)
{
    struct conn *c;
    if (p->free != NONE) {
        c = p->conns[p->free];
        p->free = c->next;
        return c;
    }
    if (p->n_conns == p->room) {
        uint32_t room = p->room ? 2 * p->room : 64;
        struct conn **more = realloc(p->conns, room * sizeof *more);
        if (!more) return NULL;
        p->conns = more;
        p->room = room;
    }
    c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->index = p->n_conns;
    p->conns[p->n_conns++] = c;
    return c;
}

static void conn_close(struct plain *p, struct conn *c)
{
    close(c->fd); /* which takes it out of the epoll set */
    p->t->sockets--;
    c->generation = (c->generation + 1) % GENERATIONS; /* events of it that wait in this batch are no longer its */
    c->state = CONN_FREE;
    c->x = NULL;
    c->next = p->free;
    p->free = c->index;
}

static void idle_remove(struct plain *p, struct conn *c)
{
    if (c->before == NONE)
        p->idle[c->address] = c->next;
    else
        p->conns[c->before]->next = c->next;
    if (c->next == NONE)
        p->last[c->address] = c->before;
    else
        p->conns[c->next]->before = c->before;
}

static void idle_put(struct plain *p, struct conn *c)
{
    c->state = CONN_IDLE;
    c->x = NULL;
    c->since = p->t->now;
    c->before = NONE;
    c->next = p->idle[c->address];
    if (c->next == NONE)
        p->last[c->address] = c->index;
    else
        p->conns[c->next]->before = c->index;
    p->idle[c->address] = c->index;
    if (c->since + IDLE_MAX_NS < p->t->timer) p->t->timer = c->since + IDLE_MAX_NS;
}

/* The server has neither closed it nor said anything. */
static bool still_good(const struct conn *c)
{
    char byte;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* What becomes of the first idle connections shows what the server does with them all. */
static void learn(struct plain *p, const struct conn *c, bool good)
{
    int64_t idle = p->t->now - c->since;
    if (p->t->behind != BEHIND_UNKNOWN) return;
    if (good && idle >= BEHIND_PAUSE_NS / 2)
        p->t->behind = BEHIND_STAYS;
    else if (!good && idle < 10 * BEHIND_PAUSE_NS)
        p->t->behind = BEHIND_CLOSES;
}

static struct conn *idle_take(struct plain *p, uint32_t address)
{
    while (p->idle[address] != NONE) {
        struct conn *c = p->conns[p->idle[address]];
        bool good = p->t->now - c->since < IDLE_MAX_NS && still_good(c);
        idle_remove(p, c);
        learn(p, c, good);
        if (good && p->t->behind != BEHIND_CLOSES) return c;
        conn_close(p, c);
    }
    return NULL;
}

static int watch(struct plain *p, struct conn *c, int op, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)c->generation << 32 | c->index};
    return epoll_ctl(p->t->epoll, op, c->fd, &ev);
}

/* ---- the end of a request ---- */

static void end(struct plain *p, struct conn *c, enum transport_end how, bool keep)
{
    struct transport *t = p->t;
    struct transfer *x = c->x;
    x->open = false;
    x->conn = NULL;
    if (keep)
        idle_put(p, c);
    else
        conn_close(p, c);
    t->calls->end(x, how, t->arrival ? t->arrival : t->now);
}

/* ---- writing ---- */

static void write_more(struct plain *p, struct conn *c)
{
    size_t skip = c->sent, all = p->head_len + c->length_len + c->body_len;
    struct iovec iov[] = {
        {p->head, p->head_len}, {c->length, c->length_len}, {(void *)(uintptr_t)c->body, c->body_len}};
    int first = 0;
    for (; first < 2 && skip >= iov[first].iov_len; first++) skip -= iov[first].iov_len;
    iov[first].iov_base = (char *)iov[first].iov_base + skip;
    iov[first].iov_len -= skip;
    struct msghdr m = {.msg_iov = iov + first, .msg_iovlen = (size_t)(3 - first)};
    ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) c->sent += (size_t)n;
    c->broken = n < 0 && errno != EAGAIN && errno != EINTR;
    bool want = c->sent < all && !c->broken;
    if (want == c->want_write) return;
    c->want_write = want;
    watch(p, c, EPOLL_CTL_MOD, want ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void send_request(struct plain *p, struct conn *c)
{
    c->state = CONN_BUSY;
    http1_begin(&c->http);
    c->sent = 0;
    c->x->begun = true;
    p->t->calls->writing(c->x);
    write_more(p, c);
}

/* ---- reading ---- */

/* Bytes with the stamp of the last of them, in one call. */
static ssize_t receive(struct plain *p, const struct conn *c)
{
    struct transport *t = p->t;
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct timespec)) * 2];
    } control;
    struct iovec iov = {.iov_base = p->bytes, .iov_len = sizeof p->bytes};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = t->stamps ? &control : NULL, .msg_controllen = t->stamps ? sizeof control : 0};
    ssize_t n = recvmsg(c->fd, &m, MSG_DONTWAIT);
    t->arrival = 0;
    if (n <= 0 || !t->stamps) return n;
    int64_t wall = stamp_of(&m);
    if (wall > 0) t->arrival = transport_arrival(t, wall);
    return n;
}

/* A piece of the body. */
static void deliver(struct plain *p, struct transfer *x, const char *bytes, size_t n)
{
    struct transport *t = p->t;
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
static bool take(struct plain *p, struct conn *c, size_t n)
{
    const char *at = p->bytes, *stop = p->bytes + n, *piece;
    size_t piece_len;
    enum http1_result r;
    p->t->delivered = false;
    while ((r = http1_next(&c->http, &at, stop, &piece, &piece_len)) == HTTP1_BODY) {
        c->x->status = c->http.status;
        deliver(p, c->x, piece, piece_len);
    }
    if (c->http.status >= 200) c->x->status = c->http.status;
    if (r == HTTP1_MORE) return true;
    bool whole = c->sent == p->head_len + c->length_len + c->body_len && at == stop && n < sizeof p->bytes;
    bool keep = r == HTTP1_DONE && whole && !c->broken && http1_keep_alive(&c->http) && !p->t->target->plan->fresh_connections;
    if (r == HTTP1_DONE && !http1_keep_alive(&c->http) && p->t->behind == BEHIND_UNKNOWN) p->t->behind = BEHIND_STAYS; /* it says when not */
    if (p->t->behind == BEHIND_CLOSES) keep = false;
    end(p, c, r == HTTP1_DONE ? END_COMPLETE : END_MALFORMED, keep);
    return false;
}

static void read_all(struct plain *p, struct conn *c)
{
    size_t waited = 0;
    for (int i = 0; i < READS_AT_ONCE; i++) {
        if (i > 0) p->t->now = clock_mono_ns();
        ssize_t n = receive(p, c);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            enum http1_result r = n == 0 && !c->broken ? http1_closed(&c->http) : HTTP1_BAD;
            end(p, c, r == HTTP1_DONE ? END_COMPLETE : r == HTTP1_MORE ? END_CUT : END_RESET, false);
            return;
        }
        waited += (size_t)n;
        if (waited > p->t->counts.waiting_bytes_max) p->t->counts.waiting_bytes_max = waited;
        if (!take(p, c, (size_t)n) || (size_t)n < sizeof p->bytes) return; /* a short read: nothing is left to ask for */
    }
}

/* ---- connecting ---- */

static void connected(struct plain *p, struct conn *c)
{
    c->x->dns_ns = 0;
    c->x->tcp_ns = clock_mono_ns() - c->since;
    send_request(p, c);
}

/* A warm socket, or a new one under way; NULL: the request has ended. */
static struct conn *conn_open(struct plain *p, struct transfer *x)
{
    struct transport *t = p->t;
    const struct target_address *a = &t->target->address[x->address];
    struct conn *c = conn_new(p);
    int on = 1, rc = 0;
    if (!c) return NULL;
    c->address = x->address;
    c->since = clock_mono_ns();
    c->fd = transport_take_warm(t, x->address, &x->adopted_tcp_ns);
    if (c->fd < 0) {
        x->adopted_tcp_ns = -1;
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
    if (!failed && watch(p, c, EPOLL_CTL_ADD, rc < 0 ? EPOLLIN | EPOLLOUT : EPOLLIN) == 0) return c;
    conn_close(p, c);
    return NULL;
none:
    c->next = p->free;
    p->free = c->index;
    return NULL;
}

static void fail(struct plain *p, struct transfer *x, enum transport_end how)
{
    x->open = false;
    p->t->calls->end(x, how, p->t->now);
}

static int plain_start(struct transfer *x, const char *body, size_t n)
{
    struct plain *p = x->tr->plain;
    const struct target *target = p->t->target;
    x->open = true;
    x->dns_ns = x->tcp_ns = x->tls_ns = -1;
    struct conn *c = target->plan->fresh_connections ? NULL : idle_take(p, x->address);
    if (!c) {
        x->opened++;
        x->refused = guard_check_address(&target->guard, (const struct sockaddr *)target->address[x->address].sa, NULL) < 0;
        c = x->refused ? NULL : conn_open(p, x);
    }
    if (!c) {
        fail(p, x, x->refused ? END_REFUSED : END_CONNECT);
        return 0;
    }
    c->x = x;
    x->conn = c;
    c->body = body;
    c->body_len = n;
    c->length_len = (uint8_t)snprintf(c->length, sizeof c->length, "%zu\r\n\r\n", n);
    if (c->state == CONN_CONNECTING) return 0;
    if (x->opened == 0) {
        send_request(p, c);
        return 0;
    }
    connected(p, c);
    if (x->adopted_tcp_ns >= 0) x->tcp_ns = x->adopted_tcp_ns;
    return 0;
}

static void finish_connect(struct plain *p, struct conn *c)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0 || why != 0)
        end(p, c, END_CONNECT, false);
    else
        connected(p, c);
}

/* ---- the table ---- */

static void plain_ready(struct transport *t, uint64_t data, uint32_t events)
{
    struct plain *p = t->plain;
    struct conn *c = p->conns[(uint32_t)data];
    if (c->generation != (uint32_t)(data >> 32)) return;
    switch (c->state) {
    case CONN_CONNECTING:
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) finish_connect(p, c);
        return;
    case CONN_BUSY:
        if (c->want_write && (events & EPOLLOUT)) write_more(p, c);
        if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read_all(p, c);
        return;
    case CONN_IDLE: /* closed, or bytes that nobody asked for */
        learn(p, c, false);
        idle_remove(p, c);
        conn_close(p, c);
        return;
    case CONN_FREE: return;
    }
}

static void plain_abort(struct transfer *x)
{
    conn_close(x->tr->plain, x->conn);
    x->conn = NULL;
}

static int plain_init(struct transport *t, struct err *e)
{
    struct plain *p = calloc(1, sizeof *p);
    t->plain = p;
    if (!p || make_head(p, t->target) < 0) return err_set(e, ERR_NOMEM, "no memory for the transport");
    p->t = t;
    p->free = NONE;
    if (t->target->plan->fresh_connections) t->behind = BEHIND_STAYS; /* none is used again */
    for (size_t i = 0; i < TARGET_ADDRESS_MAX; i++) p->idle[i] = p->last[i] = NONE;
    return 0;
}

static void plain_clear(struct transport *t)
{
    struct plain *p = t->plain;
    if (!p) return;
    for (uint32_t i = 0; i < p->n_conns; i++) {
        if (p->conns[i]->state != CONN_FREE) conn_close(p, p->conns[i]);
        free(p->conns[i]);
    }
    free(p->conns);
    if (p->head) explicit_bzero(p->head, p->head_len);
    free(p->head);
    free(p);
}

static int plain_transfer_init(struct transfer *x, struct err *e)
{
    (void)x, (void)e;
    return 0;
}

static void plain_use_address(struct transfer *x, uint32_t address) { (void)x, (void)address; }

static void plain_transfer_clear(struct transfer *x)
{
    if (x->conn) plain_abort(x);
}

/* Closes what has been idle for too long. All else that is due by time is the stage's. */
static void plain_tick(struct transport *t, int64_t now)
{
    struct plain *p = t->plain;
    int closed = 0;
    t->timer = INT64_MAX;
    for (size_t i = 0; i < TARGET_ADDRESS_MAX; i++) {
        while (p->last[i] != NONE) {
            struct conn *c = p->conns[p->last[i]];
            int64_t due = c->since + IDLE_MAX_NS;
            if (due <= now && closed++ < CLOSED_AT_ONCE) {
                idle_remove(p, c);
                conn_close(p, c);
                continue;
            }
            if (due < now + NS_PER_MS) due = now + NS_PER_MS;
            if (due < t->timer) t->timer = due;
            break;
        }
    }
}

const struct transport_kind TRANSPORT_PLAIN = {
    .init = plain_init,
    .clear = plain_clear,
    .transfer_init = plain_transfer_init,
    .transfer_use_address = plain_use_address,
    .transfer_clear = plain_transfer_clear,
    .start = plain_start,
    .abort = plain_abort,
    .ready = plain_ready,
    .tick = plain_tick,
};
