/* HTTP through libcurl: one multi handle a lane, sockets and timer by callback, each readable socket's stamp peeked
 * before libcurl reads. libcurl's own queue and limits are left alone (they are slow). It would send a request again
 * when a reused connection breaks before the first byte; the second attempt is refused. Warm connections are adopted in
 * the open-socket callback. */
#include "agent/transport/transport.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hist.h"

/* An idle connection older than this is not used again: many servers close theirs after 5 s, and a request sent into a
 * closing connection is lost. */
#define IDLE_MAX_S 4L
/* One socket in so many reads is asked how many bytes wait in it. */
#define WAITING_EVERY 64u
/* Rounds in which libcurl may hand the bytes of one read on to its streams. */
#define HANDED_ON_MAX 64

/* ---- sockets and timer, called by libcurl ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
    struct lane *lane = user;
    struct transport *t = lane->tr;
    struct epoll_event ev = {.data.u64 = (uint64_t)lane->number << 32 | (uint32_t)fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(t->epoll, EPOLL_CTL_DEL, fd, NULL); /* it may be closed already, and even be another's */
        return 0;
    }
    if (what & CURL_POLL_IN) ev.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) ev.events |= EPOLLOUT;
    int op = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(t->epoll, op, fd, &ev) < 0 && (errno == ENOENT || errno == EEXIST))
        epoll_ctl(t->epoll, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &ev);
    if (!known) curl_multi_assign(lane->multi, fd, lane);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *user)
{
    struct lane *lane = user;
    (void)multi;
    lane->timer = ms < 0 ? INT64_MAX : lane->tr->now + (int64_t)ms * NS_PER_MS;
    if (lane->timer < lane->tr->timer) lane->tr->timer = lane->timer;
    return 0;
}

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *x = user;
    struct transport *t = x->tr;
    (void)purpose;
    x->opened++;
    x->adopted_tcp_ns = -1;
    if (guard_check_address(&t->target->guard, &a->addr, NULL) < 0 ||
        !target_address_is(&t->target->address[x->address], &a->addr)) {
        x->refused = true; /* nobody but the pinned peer, whatever was resolved or redirected to since */
        return CURL_SOCKET_BAD;
    }
    struct warm_socket warm;
    if (x != &t->try && transport_take_warm(t, x->address, &warm)) {
        x->adopted_tcp_ns = warm.tcp_ns;
        return warm.fd;
    }
    int fd = transport_socket(t, a->family, a->socktype, a->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    t->sockets++;
    if (x != &t->try) t->counts.connections++;
    return fd;
}

static int on_opened(void *user, curl_socket_t fd, curlsocktype purpose)
{
    struct transfer *x = user;
    (void)fd;
    (void)purpose;
    return x->adopted_tcp_ns >= 0 ? CURL_SOCKOPT_ALREADY_CONNECTED : CURL_SOCKOPT_OK;
}

static int on_close(void *user, curl_socket_t fd)
{
    struct transport *t = user;
    t->sockets--;
    return close(fd);
}

/* ---- a transfer, called by libcurl ---- */

static int on_request(void *user, char *remote, char *local, int remote_port, int local_port)
{
    struct transfer *x = user;
    (void)remote, (void)local, (void)remote_port, (void)local_port;
    if (x->begun) return CURL_PREREQFUNC_ABORT; /* libcurl's own retry */
    x->begun = true;
    x->tr->calls->writing(x);
    return CURL_PREREQFUNC_OK;
}

static size_t on_bytes(char *bytes, size_t size, size_t n, void *user)
{
    struct transfer *x = user;
    struct transport *t = x->tr;
    int64_t arrival = t->arrival;
    (void)size; /* always 1 */
    if (x->status == 0) curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
    if (x->status < 200 || x->status > 299) return n;
    if (arrival == 0)
        arrival = t->now = clock_mono_ns(); /* no stamp, or libcurl read by its timer instead of our event */
    if (!t->delivered) {                    /* libcurl calls once for each HTTP chunk of a read */
        t->delivered = true;
        t->counts.reads++;
        t->counts.unstamped += t->arrival == 0;
    }
    uint32_t events = t->calls->bytes(x, bytes, n, arrival);
    /* without a stamp: the time the loop did not look */
    if (events) hist_record(t->lag, t->arrival ? t->now - arrival : t->away, events);
    return n;
}

static enum transport_end end_of(const struct transfer *x, CURLcode code)
{
    long os = 0;
    switch (code) {
    case CURLE_OK:
        return END_COMPLETE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return END_DNS;
    case CURLE_COULDNT_CONNECT:
    case CURLE_INTERFACE_FAILED:
        return END_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_PEER_FAILED_VERIFICATION:
        return END_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return END_TIMEOUT_CONNECT;
    case CURLE_PARTIAL_FILE:
        return END_CUT;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return END_MALFORMED;
    case CURLE_RECV_ERROR:
        /* broken chunk framing is told as a receive error too, but no system call failed */
        curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os);
        return os == 0 && !x->tr->target->url.tls && x->status != 0 ? END_MALFORMED : END_RESET;
    default:
        return END_RESET;
    }
}

/* Lengths of a new connection's phases; -1 each when the connection was reused. */
static void connection_phases(struct transfer *x)
{
    curl_off_t dns = 0, tcp = 0, tls = 0;
    x->dns_ns = x->tcp_ns = x->tls_ns = -1;
    if (x->opened == 0) return;
    curl_easy_getinfo(x->easy, CURLINFO_NAMELOOKUP_TIME_T, &dns);
    curl_easy_getinfo(x->easy, CURLINFO_CONNECT_TIME_T, &tcp);
    curl_easy_getinfo(x->easy, CURLINFO_APPCONNECT_TIME_T, &tls);
    if (tcp <= 0) return;
    x->dns_ns = dns * NS_PER_US;
    x->tcp_ns = x->adopted_tcp_ns >= 0 ? x->adopted_tcp_ns : (tcp - dns) * NS_PER_US;
    if (tls >= tcp) x->tls_ns = (tls - tcp) * NS_PER_US;
}

void transport_end_try(struct transport *t)
{
    struct transfer *x = &t->try;
    if (!x->open) return;
    curl_multi_remove_handle(x->lane->multi, x->easy);
    x->lane->running--;
    x->lane->places--;
    transfer_clear(x);
}

static void reap(struct lane *lane)
{
    struct transport *t = lane->tr;
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(lane->multi, &left))) {
        struct transfer *x = NULL;
        if (m->msg != CURLMSG_DONE) continue;
        CURLcode code = m->data.result;
        CURL *easy = m->easy_handle;
        if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x) != CURLE_OK || !x) continue;
        if (x == &t->try) {
            t->secured =
                tls_try_result(&t->tried, code, t->target->plan, t->target->address[x->address].text, &t->try_err) == 0;
            transport_end_try(t);
            continue;
        }
        if (x->status == 0) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &x->status);
        enum transport_end end = x->refused ? END_REFUSED : end_of(x, code);
        if (end == END_CUT && t->broken) end = END_RESET;
        connection_phases(x);
        curl_multi_remove_handle(lane->multi, easy);
        lane->running--;
        x->open = false;
        t->calls->end(x, end, t->arrival ? t->arrival : t->now);
    }
}

/* ---- handles ---- */

/* HTTP/2: as many as streams of one connection, so that a lane is a connection. Left to itself with more, libcurl
 * (7.88) opens a connection for each request that comes while one is being made. */
uint32_t transport_lane_places(const struct target *target)
{
    if (target->plan->http2) return target->plan->streams_per_connection ? target->plan->streams_per_connection : 1;
    return target->url.tls ? LANE_PLACES_TLS : LANE_PLACES;
}

static struct lane *lane_new(struct transport *t)
{
    const struct plan_target *p = t->target->plan;
    struct lane **more = realloc(t->lanes, (t->n_lanes + 1) * sizeof *more);
    if (!more) return NULL;
    t->lanes = more;
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane || !(lane->multi = curl_multi_init())) {
        free(lane);
        return NULL;
    }
    lane->tr = t;
    lane->timer = INT64_MAX;
    lane->number = t->n_lanes;
    t->lanes[t->n_lanes++] = lane;
    CURLM *m = lane->multi;
    curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(m, CURLMOPT_SOCKETDATA, lane);
    curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(m, CURLMOPT_TIMERDATA, lane);
    curl_multi_setopt(m, CURLMOPT_MAXCONNECTS,
                      (long)(2 * t->lane_places)); /* above the peak: no warm connection is ever evicted */
    curl_multi_setopt(m, CURLMOPT_PIPELINING, p->http2 ? (long)CURLPIPE_MULTIPLEX : (long)CURLPIPE_NOTHING);
    if (p->http2) curl_multi_setopt(m, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)p->streams_per_connection);
    return lane;
}

/* The lane of the next place: lanes fill up one after the other. */
static struct lane *lane_next(struct transport *t)
{
    struct lane *last = t->n_lanes ? t->lanes[t->n_lanes - 1] : NULL;
    if (!last || last->places >= t->lane_places) last = lane_new(t);
    if (last) last->places++;
    return last;
}

int transport_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}

void transport_global_clear(void)
{
    curl_global_cleanup();
}

/* As libcurl wants it: "Name;" is an empty header, "Name:" takes one of its own away. */
static int add_line(struct transport *t, const char *name, const char *value)
{
    size_t room = strlen(name) + strlen(value) + 3;
    char *line = malloc(room);
    if (!line) return -1;
    snprintf(line, room, *value ? "%s: %s" : "%s;", name, value);
    struct curl_slist *more = curl_slist_append(t->headers, line);
    explicit_bzero(line, room);
    free(line);
    if (!more) return -1;
    t->headers = more;
    return 0;
}

static int make_lines(struct transport *t)
{
    for (size_t i = 0; i < t->target->n_headers; i++)
        if (add_line(t, t->target->headers[i].name, t->target->headers[i].value) < 0) return -1;
    struct curl_slist *more = curl_slist_append(t->headers, "Expect:");
    if (more) t->headers = more;
    return more ? 0 : -1;
}

static void wipe_lines(struct transport *t)
{
    for (struct curl_slist *h = t->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(t->headers);
}

/* HTTP/2 with prior knowledge: libcurl before 8.0 fails each request but the first of a connection (CURLE_HTTP2). */
#define H2C_SINCE 0x080000
static int can_http2(const struct target *target, struct err *e)
{
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    if (!target->plan->http2 || target->url.tls || v->version_num >= H2C_SINCE) return 0;
    return err_set(e, ERR_PLAN,
                   "target.http: \"2\" without TLS needs libcurl 8.0 on the agent, which has %s: use https, or \"1.1\"",
                   v->version);
}

static int curl_init(struct transport *t, struct err *e)
{
    if (can_http2(t->target, e) < 0) return -1;
    t->lane_places = transport_lane_places(t->target);
    t->behind = BEHIND_STAYS;
    t->share = curl_share_init();
    if (!t->share || make_lines(t) < 0) return err_set(e, ERR_NOMEM, "no memory for libcurl");
    curl_share_setopt(t->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return 0;
}

static void curl_clear(struct transport *t)
{
    transport_end_try(t);
    for (uint32_t i = 0; i < t->n_lanes; i++) {
        curl_multi_cleanup(t->lanes[i]->multi);
        free(t->lanes[i]);
    }
    free(t->lanes);
    if (t->share) curl_share_cleanup(t->share);
    wipe_lines(t);
}

static void set_callbacks(CURL *c, struct transfer *x)
{
    curl_easy_setopt(c, CURLOPT_PRIVATE, x);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_opened);
    curl_easy_setopt(c, CURLOPT_SOCKOPTDATA, x);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(c, CURLOPT_CLOSESOCKETDATA, x->tr);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(c, CURLOPT_PREREQDATA, x);
}

static void curl_transfer_clear(struct transfer *x)
{
    if (x->easy) curl_easy_cleanup(x->easy);
    curl_slist_free_all(x->connect_to);
}

/* libcurl keeps a list of its own for each handle. */
static void curl_use_address(struct transfer *x, uint32_t address)
{
    char line[96];
    snprintf(line, sizeof line, "::%s", x->tr->target->address[address].text);
    struct curl_slist *to = curl_slist_append(NULL, line);
    curl_easy_setopt(x->easy, CURLOPT_CONNECT_TO, to);
    curl_slist_free_all(x->connect_to);
    x->connect_to = to;
}

static int curl_transfer_init(struct transfer *x, struct err *e)
{
    struct transport *t = x->tr;
    const struct plan_target *p = t->target->plan;
    CURL *c = curl_easy_init();
    if (!c) return err_set(e, ERR_NOMEM, "no memory for a request's handle");
    x->easy = c;
    x->lane = lane_next(t);
    if (!x->lane) return err_set(e, ERR_NOMEM, "no memory for libcurl");
    set_callbacks(c, x);
    curl_easy_setopt(c, CURLOPT_URL, t->target->plan->url);
    curl_use_address(x, x->address);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_MAXAGE_CONN, IDLE_MAX_S);
    curl_easy_setopt(c, CURLOPT_SHARE, t->share);
    /* our own sweep does the timeouts; libcurl's must never come first */
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(p->timeout_connect_ns / NS_PER_MS * 2 + 1000));
    long http1 = CURL_HTTP_VERSION_1_1,
         http2 = t->target->url.tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, p->http2 ? http2 : http1);
    if (p->http2) curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
    if (t->target->url.tls) tls_setup(c, p);
    if (p->fresh_connections) {
        curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    }
    return 0;
}

static int curl_start(struct transfer *x, const char *body, size_t n)
{
    int running;
    struct lane *lane = x->lane;
    curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, body);
    if (curl_multi_add_handle(lane->multi, x->easy) != CURLM_OK) return -1;
    x->open = true;
    lane->running++;
    curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    if (running < lane->running) reap(lane);
    return 0;
}

static void curl_abort(struct transfer *x)
{
    if (x->status == 0) curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &x->status);
    connection_phases(x);
    curl_multi_remove_handle(x->lane->multi, x->easy);
    x->lane->running--;
}

int transport_try_tls(struct transport *t, uint32_t address, struct err *e)
{
    int running;
    struct transfer *x = &t->try;
    t->try_err = (struct err){0};
    if (transfer_init(x, t, NULL, address, e) < 0) return -1;
    tls_try_setup(x->easy, t->target->plan, &t->tried);
    t->now = clock_mono_ns();
    if (curl_multi_add_handle(x->lane->multi, x->easy) != CURLM_OK) {
        transfer_clear(x);
        return err_set(e, ERR_NOMEM, "no memory for libcurl");
    }
    struct lane *lane = x->lane;
    x->open = true;
    lane->running++;
    curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    if (running < lane->running) reap(lane);
    return 0;
}

/* The kernel's stamp of what waits in the socket, in our clock; 0 = none. */
static int64_t arrival_of(struct transport *t, int fd)
{
    int64_t wall;
    int got = t->stamps ? stamp_peek(fd, &wall) : 0;
    t->broken = got < 0;
    return got > 0 ? transport_arrival(t, wall) : 0;
}

static void curl_ready(struct transport *t, uint64_t data, uint32_t events)
{
    int running, mask = 0, fd = (int)(uint32_t)data;
    struct lane *lane = t->lanes[data >> 32];
    if (events & EPOLLIN) {
        int waiting = 0;
        t->arrival = arrival_of(t, fd);
        if (++t->peeks % WAITING_EVERY == 0 && ioctl(fd, SIOCINQ, &waiting) == 0 && waiting > 0 &&
            (uint64_t)waiting > t->counts.waiting_bytes_max)
            t->counts.waiting_bytes_max = (uint64_t)waiting;
    }
    if (events & (EPOLLIN | EPOLLHUP)) mask |= CURL_CSELECT_IN;
    if (events & EPOLLOUT) mask |= CURL_CSELECT_OUT;
    if (events & EPOLLERR) mask |= CURL_CSELECT_ERR;
    curl_multi_socket_action(lane->multi, fd, mask, &running);
    /* One read may have been for other streams as well: libcurl hands them their bytes when it is called by its timer,
     * which it sets to now. They came with this read, and have its stamp. */
    for (int i = 0; i < HANDED_ON_MAX && lane->timer <= t->now; i++) {
        lane->timer = INT64_MAX;
        curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    if (running < lane->running) reap(lane);
    t->broken = false;
}

static void curl_tick(struct transport *t, int64_t now)
{
    int running;
    t->timer = INT64_MAX;
    for (uint32_t i = 0; i < t->n_lanes; i++) {
        struct lane *lane = t->lanes[i];
        if (lane->timer <= now) {
            t->now = now;
            t->arrival = 0;
            t->delivered = false;
            lane->timer = INT64_MAX;
            curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            if (running < lane->running) reap(lane);
        }
        if (lane->timer < t->timer) t->timer = lane->timer;
    }
}

const struct transport_kind TRANSPORT_CURL = {
    .init = curl_init,
    .clear = curl_clear,
    .transfer_init = curl_transfer_init,
    .transfer_use_address = curl_use_address,
    .transfer_clear = curl_transfer_clear,
    .start = curl_start,
    .abort = curl_abort,
    .ready = curl_ready,
    .tick = curl_tick,
};
