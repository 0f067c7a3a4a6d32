#include "coordinator/ui.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/clock.h"

enum {
    CONNECTIONS = 4 * UI_VIEWERS, /* a page and a press of the button need one beside the streams */
    KEEP_S =
        UI_IDLE_S / 2, /* after so long without an event a comment is sent, which shows whether the viewer is there */
    BLOCK = 16384,     /* bytes of a stream handed over at once */
    SEND_BYTES = 1 << 17, /* what the kernel holds for a viewer that does not read */
    STACK = 1 << 18,
    TOKEN_BYTES = 16,
};

static const char *const KINDS[UI_KIND_N] = {"report", "now", "over"};

struct text {
    unsigned refs; /* under the lock */
    size_t n;
    char bytes[];
};

struct ui {
    struct MHD_Daemon *daemon;
    bool loopback;
    char token[2 * TOKEN_BYTES + 1], url[400];
    void (*stop)(void *arg);
    void *arg;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t news;
    struct text *page, *policy, *latest[UI_KIND_N];
    uint64_t number[UI_KIND_N]; /* of the latest; 0: none yet */
    unsigned viewers;
    bool ended, closing;
};

/* A stream; used by its own thread. */
struct viewer {
    struct ui *ui;
    struct text *now; /* being sent */
    size_t at;
    uint64_t seen[UI_KIND_N];
};

static struct text *text_new(const char *before, const void *bytes, size_t n, const char *after)
{
    size_t b = strlen(before), a = strlen(after);
    struct text *t = malloc(sizeof *t + b + n + a + 1);
    if (!t) return NULL;
    t->refs = 1;
    t->n = b + n + a;
    memcpy(t->bytes, before, b);
    if (n) memcpy(t->bytes + b, bytes, n);
    memcpy(t->bytes + b + n, after, a + 1);
    return t;
}

/* Under the lock. */
static void text_drop(struct text *t)
{
    if (t && --t->refs == 0) free(t);
}

/* ---- the stream ---- */

/* Under the lock: the first kind of which the viewer has not the latest; false: it has all. */
static bool next_text(struct viewer *v)
{
    struct ui *u = v->ui;
    for (int k = 0; k < UI_KIND_N; k++) {
        if (u->number[k] == v->seen[k]) continue;
        v->seen[k] = u->number[k];
        v->now = u->latest[k];
        v->now->refs++;
        v->at = 0;
        return true;
    }
    return false;
}

static ssize_t stream_read(void *arg, uint64_t position, char *to, size_t room)
{
    struct viewer *v = arg;
    struct ui *u = v->ui;
    struct timespec until;
    ssize_t n = 0;
    (void)position;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += KEEP_S;
    pthread_mutex_lock(&u->lock);
    while (!v->now && !u->closing && !next_text(v) && !u->ended) {
        if (pthread_cond_timedwait(&u->news, &u->lock, &until) == 0) continue;
        v->now = text_new(":", NULL, 0, "\n\n");
        v->at = 0;
        break;
    }
    if (!v->now || u->closing)
        n = MHD_CONTENT_READER_END_OF_STREAM;
    else {
        n = (ssize_t)(v->now->n - v->at < room ? v->now->n - v->at : room);
        memcpy(to, v->now->bytes + v->at, (size_t)n);
        v->at += (size_t)n;
        if (v->at == v->now->n) {
            text_drop(v->now);
            v->now = NULL;
        }
    }
    pthread_mutex_unlock(&u->lock);
    return n;
}

static void stream_close(void *arg)
{
    struct viewer *v = arg;
    struct ui *u = v->ui;
    pthread_mutex_lock(&u->lock);
    text_drop(v->now);
    u->viewers--;
    pthread_cond_broadcast(&u->news);
    pthread_mutex_unlock(&u->lock);
    free(v);
}

/* ---- answers ---- */

/* Consumes the response; NULL: no memory, the connection is closed. */
static enum MHD_Result send_off(struct ui *u, struct MHD_Connection *c, unsigned code, const char *type,
                                struct MHD_Response *r)
{
    static const char *const HEADERS[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"X-Frame-Options", "DENY"},
    };
    char policy[2000];
    if (!r) return MHD_NO;
    pthread_mutex_lock(&u->lock);
    (void)snprintf(policy, sizeof policy, "%s; frame-ancestors 'none'",
                   u->policy ? u->policy->bytes : "default-src 'none'");
    pthread_mutex_unlock(&u->lock);
    (void)MHD_add_response_header(r, "Content-Security-Policy", policy);
    (void)MHD_add_response_header(r, "Content-Type", type);
    for (size_t i = 0; i < sizeof HEADERS / sizeof *HEADERS; i++)
        (void)MHD_add_response_header(r, HEADERS[i][0], HEADERS[i][1]);
    enum MHD_Result ok = MHD_queue_response(c, code, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result answer(struct ui *u, struct MHD_Connection *c, unsigned code, const char *type, const char *text,
                              size_t n)
{
    return send_off(u, c, code, type,
                    MHD_create_response_from_buffer(n, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result say(struct ui *u, struct MHD_Connection *c, unsigned code, const char *text)
{
    return answer(u, c, code, "text/plain; charset=utf-8", text, strlen(text));
}

static enum MHD_Result give_page(struct ui *u, struct MHD_Connection *c)
{
    pthread_mutex_lock(&u->lock);
    struct text *page = u->page;
    if (page) page->refs++;
    pthread_mutex_unlock(&u->lock);
    if (!page) return say(u, c, MHD_HTTP_SERVICE_UNAVAILABLE, "The run is starting: try again in a second.\n");
    enum MHD_Result rc = answer(u, c, MHD_HTTP_OK, "text/html; charset=utf-8", page->bytes, page->n);
    pthread_mutex_lock(&u->lock);
    text_drop(page);
    pthread_mutex_unlock(&u->lock);
    return rc;
}

static enum MHD_Result give_stream(struct ui *u, struct MHD_Connection *c)
{
    struct viewer *v = calloc(1, sizeof *v);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    int bytes = SEND_BYTES;
    if (!v) return MHD_NO;
    v->ui = u;
    pthread_mutex_lock(&u->lock);
    bool room = u->viewers < UI_VIEWERS && !u->closing;
    u->viewers += room;
    pthread_mutex_unlock(&u->lock);
    if (!room) {
        free(v);
        return say(u, c, MHD_HTTP_SERVICE_UNAVAILABLE, "As many browsers as may watch a run are watching already.\n");
    }
    if (info) (void)setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, stream_read, v, stream_close);
    if (!r) stream_close(v);
    return send_off(u, c, MHD_HTTP_OK, "text/event-stream", r);
}

/* ---- who may ask for what ---- */

/* The name in HOST[:PORT] is one of this machine's own: else a page of another site reached us under its own name. The
 * port may differ, as it does through a tunnel. */
static bool host_is_loopback(const char *host)
{
    char name[64];
    struct sockaddr_storage sa;
    uint8_t a[16];
    char shown[INET6_ADDRSTRLEN], with_port[80];
    const char *colon = host && *host == '[' ? strchr(host, ']') : host ? strchr(host, ':') : NULL;
    if (!host) return false;
    size_t n = colon ? (size_t)(colon - host) + (*host == '[') : strlen(host);
    if (n == 0 || n >= sizeof name) return false;
    (void)snprintf(name, sizeof name, "%.*s", (int)n, host);
    if (strcasecmp(name, "localhost") == 0) return true;
    (void)snprintf(with_port, sizeof with_port, "%s:0", name);
    struct addr_net four, six;
    if (addr_net_parse("127.0.0.0/8", &four) || addr_net_parse("::1/128", &six)) return false;
    if (addr_socket_parse(with_port, &sa) || addr_of((const struct sockaddr *)&sa, a, shown)) return false;
    return addr_in_net(a, &four) || addr_in_net(a, &six);
}

/* Origin: null, or scheme://HOST of the page that asks. Browsers send it with what one site asks of another. */
static bool origin_is_ours(const char *origin, const char *host)
{
    const char *name = origin ? strstr(origin, "://") : NULL;
    return !origin || (name && host && strcasecmp(name + 3, host) == 0);
}

static bool token_is_right(const struct ui *u, const char *given)
{
    return given && strlen(given) == strlen(u->token) && sodium_memcmp(given, u->token, strlen(u->token)) == 0;
}

static enum MHD_Result press(struct ui *u, struct MHD_Connection *c)
{
    if (!token_is_right(u, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Plateau-Token")))
        return say(u, c, MHD_HTTP_FORBIDDEN, "Ending the run takes the token that the page holds (X-Plateau-Token).\n");
    u->stop(u->arg);
    return say(u, c, MHD_HTTP_ACCEPTED, "The run is ending.\n");
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    static char begun;
    struct ui *u = self;
    (void)version, (void)upload;
    if (!*state) { /* headers only; a body, which nothing here has, is read and forgotten */
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_size) {
        *upload_size = 0;
        return MHD_YES;
    }
    const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0, post = strcmp(method, "POST") == 0;
    if (u->loopback && !host_is_loopback(host))
        return say(u, c, MHD_HTTP_FORBIDDEN, "This page answers under localhost and loopback addresses only.\n");
    if (!origin_is_ours(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Origin"), host))
        return say(u, c, MHD_HTTP_FORBIDDEN, "Requests of other sites' pages are refused.\n");
    if (strcmp(url, "/stop") == 0) return post ? press(u, c) : say(u, c, MHD_HTTP_METHOD_NOT_ALLOWED, "POST only.\n");
    if (strcmp(url, "/") != 0 && strcmp(url, "/events") != 0)
        return say(u, c, MHD_HTTP_NOT_FOUND, "/, /events or /stop\n");
    if (!get) return say(u, c, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only.\n");
    if (!u->loopback && !token_is_right(u, MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "token")))
        return say(u, c, MHD_HTTP_FORBIDDEN, "The token is missing or wrong. plateau run logs the whole address.\n");
    return url[1] ? give_stream(u, c) : give_page(u, c);
}

/* ---- the server ---- */

static int make_token(struct ui *u, struct err *e)
{
    unsigned char random[TOKEN_BYTES];
    if (sodium_init() < 0) return err_set(e, ERR_INTERNAL, "no random numbers");
    randombytes_buf(random, sizeof random);
    (void)sodium_bin2hex(u->token, sizeof u->token, random, sizeof random);
    return 0;
}

/* Under the address as it was given; for all addresses of this machine under its name. */
static void make_url(struct ui *u, const char *address)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(u->daemon, MHD_DAEMON_INFO_BIND_PORT);
    unsigned port = info ? info->port : 0;
    int n = (int)(strrchr(address, ':') - address);
    char name[256];
    bool any =
        strncmp(address, "*:", 2) == 0 || strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
    if (!any || gethostname(name, sizeof name)) (void)snprintf(name, sizeof name, "%.*s", n, address);
    name[sizeof name - 1] = 0;
    (void)snprintf(u->url, sizeof u->url, "http://%s:%u/%s%s", name, port,
                   u->loopback ? "" : "?token=", u->loopback ? "" : u->token);
}

static int start(struct ui *u, const struct sockaddr_storage *sa, const char *address, struct err *e)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
                     (sa->ss_family == AF_INET6 ? MHD_USE_DUAL_STACK : 0u);
    u->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, u, MHD_OPTION_SOCK_ADDR, sa,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)UI_IDLE_S, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_END);
    return u->daemon ? 0 : err_set(e, ERR_USAGE, "--ui: cannot listen on %s (is the port taken?)", address);
}

struct ui *ui_open(const char *address, void (*stop)(void *arg), void *arg, struct err *e)
{
    struct sockaddr_storage sa;
    uint8_t a[16];
    char shown[INET6_ADDRSTRLEN];
    if (addr_socket_parse(address, &sa) || addr_of((const struct sockaddr *)&sa, a, shown)) {
        (void)err_set(e, ERR_USAGE, "--ui: expected ADDR:PORT such as 127.0.0.1:8080, got \"%s\"", address);
        return NULL;
    }
    struct ui *u = calloc(1, sizeof *u);
    pthread_condattr_t monotonic;
    if (!u) {
        (void)err_set(e, ERR_NOMEM, "no memory for the live page");
        return NULL;
    }
    u->stop = stop;
    u->arg = arg;
    u->loopback = host_is_loopback(address);
    pthread_mutex_init(&u->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&u->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (make_token(u, e) || start(u, &sa, address, e))
        ui_close(&u);
    else
        make_url(u, address);
    return u;
}

void ui_close(struct ui **ui)
{
    struct ui *u = *ui;
    if (!u) return;
    pthread_mutex_lock(&u->lock);
    u->closing = true;
    pthread_cond_broadcast(&u->news);
    pthread_mutex_unlock(&u->lock);
    if (u->daemon) MHD_stop_daemon(u->daemon); /* joins all threads */
    for (int k = 0; k < UI_KIND_N; k++)
        text_drop(u->latest[k]);
    text_drop(u->page);
    text_drop(u->policy);
    pthread_cond_destroy(&u->news);
    pthread_mutex_destroy(&u->lock);
    free(u);
    *ui = NULL;
}

const char *ui_token(const struct ui *u)
{
    return u->token;
}

const char *ui_url(const struct ui *u)
{
    return u->url;
}

/* Under the lock; without memory the old one stays. */
static bool replace(struct text **old, struct text *with)
{
    if (!with) return false;
    text_drop(*old);
    *old = with;
    return true;
}

void ui_page(struct ui *u, const struct buf *page, const struct buf *policy)
{
    struct text *p = text_new("", page->data, page->len, ""), *q = text_new("", policy->data, policy->len, "");
    pthread_mutex_lock(&u->lock);
    (void)replace(&u->page, p);
    (void)replace(&u->policy, q);
    pthread_mutex_unlock(&u->lock);
}

void ui_put(struct ui *u, enum ui_kind kind, const struct buf *json)
{
    char before[40];
    (void)snprintf(before, sizeof before, "event: %s\ndata: ", KINDS[kind]);
    struct text *t = json->bad ? NULL : text_new(before, json->data, json->len, "\n\n");
    pthread_mutex_lock(&u->lock);
    if (replace(&u->latest[kind], t)) u->number[kind]++;
    pthread_cond_broadcast(&u->news);
    pthread_mutex_unlock(&u->lock);
}

unsigned ui_viewers(struct ui *u)
{
    pthread_mutex_lock(&u->lock);
    unsigned n = u->viewers;
    pthread_mutex_unlock(&u->lock);
    return n;
}

void ui_end(struct ui *u)
{
    pthread_mutex_lock(&u->lock);
    u->ended = true;
    pthread_cond_broadcast(&u->news);
    pthread_mutex_unlock(&u->lock);
}

void ui_wait(struct ui *u, int64_t ns)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at = until.tv_sec * NS_PER_S + until.tv_nsec + ns;
    until = (struct timespec){.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
    pthread_mutex_lock(&u->lock);
    while (u->viewers && pthread_cond_timedwait(&u->news, &u->lock, &until) == 0) {
    }
    pthread_mutex_unlock(&u->lock);
}
