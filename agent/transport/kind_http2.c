/* HTTP/2 on our own sockets. nghttp2 keeps the protocol's state; bytes go in and out of it here.
 *
 *                    room[address]: connections that take another stream, in turn
 *   start ──────────▶ h2_conn ──▶ stream ──▶ bytes, end
 *     └─ none has room: waiting[address] ──▶ a connection is opened for them; SETTINGS have come: they are sent
 *
 * A connection is CONNECTING, SECURING (conn.h), greeting until the server's SETTINGS have come, then carries streams
 * until it is leaving (GOAWAY) and its last stream has ended.
 *
 * Inside http2_read nothing is closed and nothing is sent: settle() does that afterwards. Windows are
 * large enough that no stream waits for us. A frame has the stamp of its segment where the kernel has kept that, else
 * that of the last bytes of its read (http2_receive). */
#include "agent/transport/kind_http2.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/transport/http2_read.h"
#include "common/clock.h"

#define WINDOW ((int32_t)1 << 30)
#define FRAME_MAX (16384u + 9)

/* ---- lists ---- */

static void unlist(struct http2_state *o, struct h2_conn *c)
{
    uint32_t a = c->c.address;
    if (!c->listed) return;
    if (c->before)
        c->before->next = c->next;
    else
        o->room[a] = c->next;
    if (c->next)
        c->next->before = c->before;
    else
        o->room_last[a] = c->before;
    c->listed = false;
}

/* Adds a connection at the end of its list if it takes another stream, so that connections are filled evenly. */
static void list(struct http2_state *o, struct h2_conn *c)
{
    uint32_t a = c->c.address;
    unlist(o, c);
    if (!c->greeted || c->leaving || c->broken || c->streams >= c->limit) return;
    c->before = o->room_last[a];
    c->next = NULL;
    if (c->before)
        c->before->next = c;
    else
        o->room[a] = c;
    o->room_last[a] = c;
    c->listed = true;
}

/* ---- bytes out ---- */

static void drop_left(struct h2_conn *c)
{
    if (c->left) explicit_bzero(c->left, c->left_n);
    free(c->left);
    c->left = NULL;
}

/* Sends what it can; false when the socket takes no more now. */
static bool send_bytes(struct http2_state *o, struct h2_conn *c, const uint8_t *bytes, size_t n, size_t *ret_sent)
{
    size_t sent = 0;
    while (sent < n) {
        ssize_t got = conn_send(&c->c, bytes + sent, n - sent);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            c->broken = errno != EAGAIN;
            break;
        }
        sent += (size_t)got;
    }
    *ret_sent = sent;
    conn_watch_for_room(&o->conns, &c->c, sent < n && !c->broken);
    return sent == n;
}

static void flush(struct http2_state *o, struct h2_conn *c)
{
    size_t sent;
    if (c->broken || !c->session) return;
    if (c->left) {
        bool all = send_bytes(o, c, c->left + c->left_at, c->left_n - c->left_at, &sent);
        c->left_at += sent;
        if (!all) return;
        drop_left(c);
    }
    for (;;) {
        size_t n = 0;
        ssize_t got = 1;
        while (n + FRAME_MAX <= HTTP2_OUT_BYTES) {
            const uint8_t *bytes;
            got = nghttp2_session_mem_send(c->session, &bytes);
            if (got <= 0 || (size_t)got > HTTP2_OUT_BYTES - n) break;
            memcpy(o->out + n, bytes, (size_t)got);
            n += (size_t)got;
        }
        if (got < 0) c->broken = true;
        if (got == 0) n += http2_put_update(c, o->out + n);
        if (n == 0) return;
        if (send_bytes(o, c, o->out, n, &sent)) continue;
        if (c->broken) return;
        c->left_at = 0;
        c->left_n = n - sent;
        c->left = malloc(c->left_n);
        if (!c->left)
            c->broken = true;
        else
            memcpy(c->left, o->out + sent, c->left_n);
        return;
    }
}

/* ---- requests on connections ---- */

static int submit(struct http2_state *o, struct h2_conn *c, struct stream2 *s)
{
    nghttp2_data_provider body = {.read_callback = http2_body};
    http2_head_set_length(&o->head, s->body.left);
    http2_head_set_session(&o->head, s->x->session);
    s->x->begun = true;
    s->x->why = NULL;
    conn_tell_phases(&c->c, s->x);
    o->conns.t->calls->writing(s->x);
    int32_t id = nghttp2_submit_request(c->session, NULL, o->head.fields, o->head.n, &body, s);
    if (id < 0) {
        s->x->begun = false;
        return -1;
    }
    s->id = id;
    s->conn = c;
    list2_append(&c->open, s);
    c->streams++;
    c->used = true;
    if (o->conns.t->target->plan->fresh_connections) c->leaving = true;
    return 0;
}

/* Submits the requests that wait, as many as have room. */
static void serve(struct http2_state *o, struct h2_conn *c)
{
    struct list2 *w = &o->waiting[c->c.address];
    while (w->first && c->greeted && !c->leaving && !c->broken && c->streams < c->limit) {
        struct stream2 *s = w->first;
        list2_remove(w, s);
        if (submit(o, c, s) == 0) continue;
        list2_append(w, s);
        c->leaving = true;
    }
}

static void place(struct http2_state *o, uint32_t address);

static void forget(struct http2_state *o, struct h2_conn *c)
{
    unlist(o, c);
    if (!c->greeted) o->pending[c->c.address]--;
    nghttp2_session_del(c->session);
    drop_left(c);
    conn_close(&o->conns, &c->c);
}

static bool dial(struct http2_state *o, uint32_t address)
{
    struct h2_conn *c = (struct h2_conn *)conn_open(&o->conns, address);
    if (!c) return false;
    c->o = o;
    o->pending[address]++;
    int64_t due = c->c.since + o->conns.t->target->plan->timeout_connect_ns;
    if (due < o->conns.t->timer) o->conns.t->timer = due;
    return true;
}

/* Sends the requests that wait on connections that have room, and makes connections for the others. */
static void place(struct http2_state *o, uint32_t address)
{
    struct list2 *w = &o->waiting[address];
    while (w->first && o->room[address]) {
        struct h2_conn *c = o->room[address];
        serve(o, c);
        flush(o, c);
        list(o, c);
    }
    while (o->barren[address] >= HTTP2_BARREN_MAX && w->first)
        http2_end(o, w->first, END_RESET, HTTP2_AGAIN);
    if (o->barren[address] >= HTTP2_BARREN_MAX) o->barren[address] = 0;
    while (w->n > o->pending[address] * o->limit) {
        if (transport_forbidden(o->conns.t, address))
            http2_end(o, w->first, END_REFUSED, NULL);
        else if (!dial(o, address))
            http2_end(o, w->first, END_CONNECT, conn_not_opened(o->conns.t));
    }
}

/* Why the first connection could not be used, for transport_prepared. */
static void note_refusal(struct http2_state *o, const struct h2_conn *c, enum transport_end how, const char *why)
{
    const struct transport *t = o->conns.t;
    char buf[TARGET_PEER_MAX];
    const char *at = target_peer(t->target, c->c.address, buf, sizeof buf), *alert = c->c.tls ? tls_alert() : NULL;
    bool late = how == END_TIMEOUT_CONNECT || how == END_PROXY || how == END_CONNECT ||
                how == END_RESET; /* it may be better in a moment */
    if (alert)
        transport_alerted(t, c->c.address, alert, &o->failed);
    else if (c->heard || how == END_PROXY)
        (void)err_set(&o->failed, late ? ERR_NET : ERR_TARGET, "%s: %s", at, why ? why : "the connection ended");
    else if (why && strcmp(why, HTTP2_NOT_SPOKEN) == 0)
        (void)err_set(&o->failed, ERR_TARGET,
                      "%s does not speak HTTP/2 (its first bytes are none of it): leave target.http at \"1.1\"", at);
    else
        (void)err_set(&o->failed, late ? ERR_NET : ERR_TARGET,
                      "%s: %s: is HTTP/2 spoken there? Else leave target.http at \"1.1\"", at,
                      why ? why : "no connection within the connect timeout");
}

/* The connection is over, and with it all its streams. */
static void lose(struct http2_state *o, struct h2_conn *c, enum transport_end how, const char *why)
{
    uint32_t address = c->c.address;
    bool greeted = c->greeted;
    if (!o->met && o->failed.code == ERR_NONE) note_refusal(o, c, how, why);
    while (c->open.first)
        http2_end(o, c->open.first, how, why);
    forget(o, c);
    /* requests that wait for a connection that could not be made */
    struct list2 *w = &o->waiting[address];
    while (!greeted && w->n > o->pending[address] * o->limit)
        http2_end(o, w->first, how, why);
    place(o, address);
}

/* A server ends a connection in use, as many do after a number of requests: another is made at once, before the next
 * request wants it. */
static void renew(struct http2_state *o, struct h2_conn *c)
{
    uint32_t a = c->c.address;
    c->renew = false;
    if (c->streams > 0 && !o->room[a] && o->pending[a] == 0 && !transport_forbidden(o->conns.t, a)) (void)dial(o, a);
}

/* After anything was done to a connection: what waits is sent, and a connection that is done is closed. */
static void settle(struct http2_state *o, struct h2_conn *c)
{
    uint32_t address = c->c.address;
    serve(o, c);
    flush(o, c);
    bool over = !nghttp2_session_want_read(c->session) && !nghttp2_session_want_write(c->session);
    if (over && (c->open.n > 0 || !c->greeted)) {
        lose(o, c, END_MALFORMED, c->why);
        return;
    }
    if (c->renew) renew(o, c);
    if (c->streams == 0 && c->greeted && (over || c->leaving || c->broken)) {
        forget(o, c);
    } else {
        list(o, c);
        int64_t due = c->since + CONN_IDLE_MAX_NS;
        if (c->streams == 0 && c->used && due < o->conns.t->timer) o->conns.t->timer = due;
    }
    place(o, address);
}

/* ---- reading ---- */

/* The connection ended: a read gave n, 0 or less. */
static void ended(struct http2_state *o, struct h2_conn *c, ssize_t n)
{
    bool clean = n == 0 && !c->broken;
    o->conns.t->counts.ended += n == 0 && c->greeted && !c->leaving;
    const char *why = c->why              ? c->why
                      : clean             ? "the connection was closed"
                      : c->c.tls && n < 0 ? tls_reason(c->c.tls)
                                          : "the connection was reset";
    lose(o, c, clean ? END_CUT : END_RESET, why);
}

static void read_all(struct http2_state *o, struct h2_conn *c, bool more)
{
    struct transport *t = o->conns.t;
    size_t waited = 0;
    c->touched = false;
    for (int i = 0; i < CONN_READS_AT_ONCE || c->c.tls; i++) {
        if (i > 0) t->now = clock_mono_ns();
        ssize_t n = http2_receive(c, more && i < CONN_READS_AT_ONCE);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (n <= 0) {
            ended(o, c, n);
            return;
        }
        waited += (size_t)n;
        if (waited > t->counts.waiting_bytes_max) t->counts.waiting_bytes_max = waited;
        t->delivered = false;
        int rc = http2_read(c, o->conns.bytes, (size_t)n);
        if (rc < 0) {
            lose(o, c, END_MALFORMED, c->why ? c->why : nghttp2_strerror(rc));
            return;
        }
        if ((size_t)n < CONN_READ_BYTES && !(c->c.tls && tls_ended(c->c.tls))) break; /* nothing is left to ask for */
    }
    if (c->touched || c->broken || nghttp2_session_want_write(c->session)) settle(o, c);
}

/* ---- connections ---- */

/* Preface and SETTINGS go out; streams follow when the server's SETTINGS have come. */
static int greet(struct http2_state *o, struct h2_conn *c)
{
    const nghttp2_settings_entry ours[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                           {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)WINDOW}};
    c->since = o->conns.t->now;
    if (nghttp2_session_client_new2(&c->session, o->callbacks, c, o->option) != 0) return -1;
    if (nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, ours, sizeof ours / sizeof *ours) != 0) return -1;
    if (nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0) return -1;
    int64_t due = c->since + o->conns.t->target->plan->timeout_connect_ns;
    if (due < o->conns.t->timer) o->conns.t->timer = due;
    flush(o, c);
    return 0;
}

static void advance(struct http2_state *o, struct h2_conn *c, uint32_t events)
{
    enum transport_end how;
    const char *why;
    int rc = conn_advance(&o->conns, &c->c, events, &how, &why);
    for (struct stream2 *s = rc == 0 ? o->waiting[c->c.address].first : NULL; s; s = s->next)
        s->x->why = conn_waits(o->conns.t, &c->c);
    if (rc == 0) return;
    if (rc > 0 && greet(o, c) == 0) {
        if (c->c.tls) read_all(o, c, false); /* bytes that came with the handshake raise no event */
        return;
    }
    struct stream2 *first = o->waiting[c->c.address].first;
    if (first) conn_tell_phases(&c->c, first->x);
    lose(o, c, rc < 0 ? how : END_CONNECT, rc < 0 ? why : "no memory");
}

/* ---- the table ---- */

static void http2_start(struct transfer *x, const struct payload *body)
{
    struct http2_state *o = x->tr->state;
    struct stream2 *s = o->spare;
    if (s)
        o->spare = s->next;
    else if (!(s = malloc(sizeof *s))) {
        transport_end(x, END_CONNECT, "no memory");
        return;
    }
    *s = (struct stream2){.x = x};
    payload_begin(&s->body, body);
    x->state = s;
    x->why = conn_waits(x->tr, NULL);
    list2_append(&o->waiting[x->address], s);
    place(o, x->address);
}

static void http2_abort(struct transfer *x)
{
    struct http2_state *o = x->tr->state;
    struct stream2 *s = x->state;
    struct h2_conn *c = s->conn;
    int32_t id = s->id;
    http2_let_go(o, s);
    if (!c) return;
    (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    flush(o, c);
    if (c->streams == 0 && (c->leaving || c->broken)) {
        forget(o, c);
        return;
    }
    list(o, c);
    if (c->streams == 0 && c->used && c->since + CONN_IDLE_MAX_NS < x->tr->timer)
        x->tr->timer = c->since + CONN_IDLE_MAX_NS;
}

static void http2_ready(struct transport *t, uint64_t data, uint32_t events)
{
    struct http2_state *o = t->state;
    struct h2_conn *c = (struct h2_conn *)conn_of(&o->conns, data);
    if (!c) return;
    if (c->c.state != CONN_OPEN)
        advance(o, c, events);
    else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_all(o, c, true);
    else
        settle(o, c);
}

static void http2_adopt(struct transport *t, struct warm_socket w)
{
    struct http2_state *o = t->state;
    struct h2_conn *c = (struct h2_conn *)conn_adopt(&o->conns, &w);
    if (!c) return;
    c->o = o;
    o->pending[w.address]++;
    if (greet(o, c) < 0) forget(o, c);
}

static uint32_t http2_connections(const struct transport *t, uint32_t requests)
{
    const struct http2_state *o = t->state;
    return requests / o->limit + (requests % o->limit != 0);
}

static int http2_prepared(struct transport *t, struct err *e)
{
    struct http2_state *o = t->state;
    for (size_t i = 0; i < TARGET_ADDRESS_MAX; i++)
        if (o->pending[i] > 0) return 0;
    if (o->met || o->failed.code == ERR_NONE) return 1;
    if (e) *e = o->failed;
    return -1;
}

/* Gives up connections that are not ready in time, closes what has been idle for too long. */
static void http2_tick(struct transport *t, int64_t now)
{
    struct http2_state *o = t->state;
    int64_t patience = t->target->plan->timeout_connect_ns;
    t->timer = INT64_MAX;
    for (uint32_t i = 0; i < o->conns.n; i++) {
        struct h2_conn *c = (struct h2_conn *)o->conns.all[i];
        if (c->c.state == CONN_FREE) continue;
        int64_t due = INT64_MAX;
        if (!c->greeted)
            due = (c->session ? c->since : c->c.since) + patience;
        else if (c->streams == 0 && c->used)
            due = c->since + CONN_IDLE_MAX_NS;
        if (due <= now && conn_waits(t, &c->c))
            lose(o, c, END_PROXY, conn_waits(t, &c->c));
        else if (due <= now && !c->greeted)
            lose(o, c, END_TIMEOUT_CONNECT,
                 c->heard     ? "the server allows no streams (MAX_CONCURRENT_STREAMS is 0)"
                 : c->session ? "no SETTINGS have come"
                              : NULL);
        else if (due <= now)
            t->counts.idle++, forget(o, c);
        else if (due < t->timer)
            t->timer = due;
    }
}

static int http2_init(struct transport *t, struct err *e)
{
    struct http2_state *o = t->state = calloc(1, sizeof *o);
    if (!o || http2_session_init(o) < 0 || http2_head_init(&o->head, t->target) < 0)
        return err_set(e, ERR_NOMEM, "no memory for the transport");
    conns_init(&o->conns, t, sizeof(struct h2_conn));
    o->limit = t->target->plan->fresh_connections ? 1 : t->target->plan->streams_per_connection;
    t->keeps = KEEPS_OPEN; /* HTTP/2 servers announce the end with GOAWAY */
    return 0;
}

static void http2_clear(struct transport *t)
{
    struct http2_state *o = t->state;
    if (!o) return;
    for (uint32_t i = 0; i < o->conns.n; i++)
        if (o->conns.all[i]->state != CONN_FREE) forget(o, (struct h2_conn *)o->conns.all[i]);
    conns_clear(&o->conns);
    while (o->spare) {
        struct stream2 *s = o->spare;
        o->spare = s->next;
        free(s);
    }
    http2_session_clear(o);
    explicit_bzero(o->out, sizeof o->out);
    http2_head_clear(&o->head);
    free(o);
    t->state = NULL;
}

const struct transport_kind KIND_HTTP2 = {
    .http = "HTTP/2",
    .init = http2_init,
    .clear = http2_clear,
    .connections = http2_connections,
    .adopt = http2_adopt,
    .prepared = http2_prepared,
    .start = http2_start,
    .abort = http2_abort,
    .ready = http2_ready,
    .tick = http2_tick,
};
