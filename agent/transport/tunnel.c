#include "agent/transport/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/transport/http1.h"
#include "common/failure_sample.h"

enum { BODY_KEPT = 2048, PIECE = 4096 };

struct tunnel {
    const struct target *target;
    uint32_t address;
    char place[URL_HOST_MAX + 16]; /* HOST:PORT of the server */
    char *head;                    /* the request; holds the secret */
    size_t head_n, sent;
    struct http1 http;
    char headers[160]; /* of the answer: what a proxy says of itself */
    char body[BODY_KEPT];
    size_t body_n;
    char said[TUNNEL_SAID];
};

static void on_header(void *arg, const char *name, size_t name_n, const char *value, size_t value_n)
{
    static const char *const TELLING[] = {"proxy-authenticate", "proxy-status", "x-squid-error", "retry-after"};
    struct tunnel *u = arg;
    for (size_t i = 0; i < sizeof TELLING / sizeof *TELLING; i++) {
        if (name_n != strlen(TELLING[i]) || strncasecmp(name, TELLING[i], name_n) != 0) continue;
        size_t n = strlen(u->headers);
        (void)snprintf(u->headers + n, sizeof u->headers - n, "%s%s: %.*s", n ? ", " : "", TELLING[i],
                       (int)(value_n < 80 ? value_n : 80), value);
    }
}

struct tunnel *tunnel_new(const struct target *t, uint32_t address)
{
    struct tunnel *u = calloc(1, sizeof *u);
    const struct target_header *auth = t->proxy_auth.value ? &t->proxy_auth : NULL;
    const char *open = t->url.literal6 ? "[" : "", *close = t->url.literal6 ? "]" : "";
    if (!u) return NULL;
    u->target = t;
    u->address = address;
    (void)snprintf(u->place, sizeof u->place, "%s%s%s:%u", open, t->url.host, close, t->url.port);
    size_t most = 2 * sizeof u->place + 128 + (auth ? strlen(auth->name) + strlen(auth->value) : 0);
    u->head = malloc(most);
    if (!u->head) {
        free(u);
        return NULL;
    }
    u->head_n = (size_t)snprintf(
        u->head, most, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: plateau/" PLATEAU_VERSION "\r\n%s%s%s%s\r\n",
        u->place, u->place, auth ? auth->name : "", auth ? ": " : "", auth ? auth->value : "", auth ? "\r\n" : "");
    http1_begin(&u->http);
    u->http.connect = true;
    u->http.header = on_header;
    u->http.header_arg = u;
    return u;
}

void tunnel_destroy(struct tunnel **pu)
{
    struct tunnel *u = *pu;
    if (!u) return;
    explicit_bzero(u->head, u->head_n);
    free(u->head);
    free(u);
    *pu = NULL;
}

/* A page is its title; a sentence is enough. */
static void find_words(struct tunnel *u, char *ret, size_t size)
{
    static const char TITLE[] = "<title>";
    char *from = u->body, *end = u->body + u->body_n;
    for (char *p = from; end - p > (ptrdiff_t)sizeof TITLE - 1; p++) {
        if (strncasecmp(p, TITLE, sizeof TITLE - 1) != 0) continue;
        from = p + sizeof TITLE - 1;
        char *stop = memchr(from, '<', (size_t)(end - from));
        if (stop) end = stop;
        break;
    }
    failure_words(ret, size, from, (size_t)(end - from));
}

static void hide_secret(struct tunnel *u)
{
    const char *value = u->target->proxy_auth.value, *blank = value ? strchr(value, ' ') : NULL;
    if (!value) return;
    if (blank) value = blank + 1;
    u->body_n = failure_hide(u->body, u->body_n, value, strlen(value));
    u->headers[failure_hide(u->headers, strlen(u->headers), value, strlen(value))] = '\0';
}

static int fail(struct tunnel *u, const char *why) /* of less than 500 bytes */
{
    (void)snprintf(u->said, sizeof u->said, "%s, asked for a way to %.100s, %.500s",
                   u->target->address[u->address].text, u->place, why);
    return -1;
}

static int refused(struct tunnel *u)
{
    char words[200], why[480], clean[sizeof u->headers + 8];
    uint32_t status = u->http.status;
    hide_secret(u);
    find_words(u, words, sizeof words);
    failure_words(clean, sizeof clean, u->headers, strlen(u->headers));
    (void)snprintf(why, sizeof why, "answers with status %u%s%s%s%s%s%s", status, clean[0] ? " (" : "", clean,
                   clean[0] ? ")" : "", words[0] ? ": " : "", words,
                   status == 407 ? ". Is target.proxy_auth there, and right?" : "");
    return fail(u, why);
}

/* Takes what belongs to the answer's head, or to the body of a refusal. */
static enum http1_result take(struct tunnel *u, const char **at, const char *end)
{
    const char *piece;
    size_t n;
    enum http1_result r;
    while ((r = http1_next(&u->http, at, end, &piece, &n)) == HTTP1_BODY) {
        size_t room = sizeof u->body - u->body_n;
        memcpy(u->body + u->body_n, piece, n < room ? n : room);
        u->body_n += n < room ? n : room;
    }
    return r;
}

static int no_bytes(struct tunnel *u, bool closed, bool later)
{
    bool answered = u->http.status >= 200 && u->http.state != HTTP1_AT_STATUS && u->http.state != HTTP1_AT_HEADER;
    if (later) return answered && u->body_n > 0 ? refused(u) : 0; /* the rest of the body may never come */
    if (answered) return refused(u);
    return fail(u, closed ? "closes the connection without an answer" : "resets the connection");
}

static int read_answer(struct tunnel *u, int fd)
{
    char bytes[PIECE];
    for (;;) {
        const char *at = bytes;
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
        if (n <= 0) return no_bytes(u, n == 0, n < 0 && (errno == EAGAIN || errno == EINTR));
        enum http1_result r = take(u, &at, bytes + n);
        ssize_t taken = recv(fd, bytes, (size_t)(at - bytes), MSG_DONTWAIT);
        if (taken != at - bytes) return fail(u, "resets the connection");
        if (r == HTTP1_BAD) return fail(u, "gives no answer that a proxy gives (no HTTP/1)");
        if (r == HTTP1_DONE) return u->http.status < 300 ? 1 : refused(u);
        if (u->body_n == sizeof u->body) return refused(u);
    }
}

int tunnel_advance(struct tunnel *u, int fd, uint32_t *ret_events)
{
    *ret_events = EPOLLIN;
    while (u->sent < u->head_n) {
        ssize_t n = send(fd, u->head + u->sent, u->head_n - u->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN) {
            *ret_events = EPOLLIN | EPOLLOUT;
            return 0;
        }
        if (n <= 0) return fail(u, "closes the connection");
        u->sent += (size_t)n;
    }
    return read_answer(u, fd);
}

const char *tunnel_why(const struct tunnel *u)
{
    return u->said;
}

bool tunnel_may_pass(const struct tunnel *u)
{
    return u->http.status < 400 || u->http.status >= 500;
}
