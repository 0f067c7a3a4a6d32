#include "agent/null_end.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define REQUEST_MAX 16384u
#define TURN_NS (1 * NS_PER_MS)

static const char HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
static const char TOKEN[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n";
static const char LAST[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";

struct stream {
    int fd; /* -1: free */
    char request[REQUEST_MAX];
    size_t n;
    uint32_t left; /* tokens still to send; 0: waits for a request */
    int64_t next_ns;
};

struct null_end {
    pthread_t thread;
    atomic_bool over;
    int listener;
    uint16_t port;
    int64_t gap_ns;
    uint32_t n;
    struct stream *stream;
    struct pollfd *fds; /* the listener, then a stream each */
};

static void hang_up(struct stream *s)
{
    (void)close(s->fd);
    s->fd = -1;
    s->n = 0;
    s->left = 0;
}

static size_t chunk(char *to, const char *text)
{
    static const char HEX[] = "0123456789abcdef";
    size_t n = strlen(text), at = 0;
    to[at++] = HEX[n >> 4 & 15];
    to[at++] = HEX[n & 15];
    to[at++] = '\r';
    to[at++] = '\n';
    memcpy(to + at, text, n);
    at += n;
    to[at++] = '\r';
    to[at++] = '\n';
    return at;
}

static void say(struct stream *s, const char *bytes, size_t n)
{
    if (send(s->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
        hang_up(s); /* a client that does not read is not measured */
}

static void say_token(struct stream *s, int64_t gap_ns)
{
    char out[512];
    size_t n = chunk(out, TOKEN);
    if (--s->left == 0) {
        n += chunk(out + n, LAST);
        memcpy(out + n, "0\r\n\r\n", 5);
        n += 5;
    }
    s->next_ns += gap_ns;
    say(s, out, n);
}

/* A request is whole when its body is; the engine always says how long that is. */
static bool is_whole(struct stream *s)
{
    s->request[s->n] = 0;
    const char *end = strstr(s->request, "\r\n\r\n"), *length = strcasestr(s->request, "\r\ncontent-length:");
    if (!end || !length || length > end) return false;
    return s->n >= (size_t)(end + 4 - s->request) + strtoul(length + 17, NULL, 10);
}

static void listen_to(struct stream *s, int64_t gap_ns, int64_t now)
{
    ssize_t n = recv(s->fd, s->request + s->n, sizeof s->request - 1 - s->n, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        hang_up(s);
        return;
    }
    s->n += (size_t)n;
    if (is_whole(s)) {
        s->n = 0;
        s->left = NULL_END_TOKENS;
        s->next_ns = now + gap_ns;
        say(s, HEAD, sizeof HEAD - 1);
    } else if (s->n == sizeof s->request - 1)
        hang_up(s);
}

static void welcome(struct null_end *e)
{
    int fd = accept4(e->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), one = 1;
    if (fd < 0) return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (uint32_t i = 0; i < e->n; i++)
        if (e->stream[i].fd < 0) {
            e->stream[i].fd = fd;
            return;
        }
    (void)close(fd);
}

static void *serve(void *arg)
{
    struct null_end *e = arg;
    int64_t turn = clock_mono_ns();
    while (!atomic_load(&e->over)) {
        struct timespec wait = {.tv_nsec = TURN_NS};
        for (uint32_t i = 0; i < e->n; i++)
            e->fds[i + 1] = (struct pollfd){.fd = e->stream[i].left ? -1 : e->stream[i].fd, .events = POLLIN};
        int ready = ppoll(e->fds, e->n + 1, &wait, NULL);
        int64_t now = clock_mono_ns();
        if (ready > 0 && e->fds[0].revents) welcome(e);
        for (uint32_t i = 0; ready > 0 && i < e->n; i++)
            if (e->fds[i + 1].revents && e->stream[i].fd >= 0) listen_to(&e->stream[i], e->gap_ns, now);
        if (now < turn) continue;
        turn = now + TURN_NS;
        for (uint32_t i = 0; i < e->n; i++)
            if (e->stream[i].fd >= 0 && e->stream[i].left && now >= e->stream[i].next_ns)
                say_token(&e->stream[i], e->gap_ns);
    }
    return NULL;
}

static int open_listener(struct null_end *e)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    e->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (e->listener < 0 || bind(e->listener, (struct sockaddr *)&a, sizeof a) || listen(e->listener, 1024) ||
        getsockname(e->listener, (struct sockaddr *)&a, &n))
        return -1;
    e->port = ntohs(a.sin_port);
    e->fds[0] = (struct pollfd){.fd = e->listener, .events = POLLIN};
    return 0;
}

struct null_end *null_end_open(uint32_t streams, int64_t gap_ns, struct err *e)
{
    struct null_end *n = calloc(1, sizeof *n);
    if (!n) {
        (void)err_set(e, ERR_NOMEM, "no memory for the null endpoint");
        return NULL;
    }
    n->n = streams;
    n->gap_ns = gap_ns;
    n->listener = -1;
    n->stream = calloc(streams, sizeof *n->stream);
    n->fds = calloc(streams + 1, sizeof *n->fds);
    for (uint32_t i = 0; n->stream && i < streams; i++)
        n->stream[i].fd = -1;
    if (n->stream && n->fds && open_listener(n) == 0 && pthread_create(&n->thread, NULL, serve, n) == 0) return n;
    (void)err_set(e, ERR_NET, "the null endpoint cannot begin: %s", strerror(errno));
    if (n->listener >= 0) (void)close(n->listener);
    free(n->stream);
    free(n->fds);
    free(n);
    return NULL;
}

uint16_t null_end_port(const struct null_end *n)
{
    return n->port;
}

void null_end_close(struct null_end **n)
{
    if (!*n) return;
    atomic_store(&(*n)->over, true);
    (void)pthread_join((*n)->thread, NULL);
    for (uint32_t i = 0; i < (*n)->n; i++)
        if ((*n)->stream[i].fd >= 0) (void)close((*n)->stream[i].fd);
    (void)close((*n)->listener);
    free((*n)->stream);
    free((*n)->fds);
    free(*n);
    *n = NULL;
}
