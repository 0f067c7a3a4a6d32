#include "agent/reach.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"

enum { DOORS = 16 };

/* The results of a probe, from the least to the most informative. Of a name with several addresses the most informative
 * one is reported. */
enum answer { ERROR, SILENT, REFUSED, ACCEPTED };

struct doors {
    struct pollfd fd[DOORS];
    nfds_t n, left;
    enum answer best;
    int error; /* of ERROR */
};

static void note(struct doors *d, int error)
{
    enum answer a = error == 0 ? ACCEPTED : error == ECONNREFUSED ? REFUSED : error == ETIMEDOUT ? SILENT : ERROR;
    if (a > d->best) d->best = a;
    if (a == ERROR) d->error = error;
}

static void knock(struct doors *d, const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        note(d, errno);
        return;
    }
    int error = connect(fd, ai->ai_addr, ai->ai_addrlen) ? errno : 0;
    if (error == EINPROGRESS) {
        d->fd[d->n++] = (struct pollfd){.fd = fd, .events = POLLOUT};
        d->left++;
        return;
    }
    note(d, error);
    (void)close(fd);
}

static void listen_at(struct doors *d)
{
    int64_t until = clock_mono_ns() + REACH_NS, wait;
    while (d->left && d->best < ACCEPTED && (wait = until - clock_mono_ns()) > 0 &&
           (poll(d->fd, d->n, (int)(wait / NS_PER_MS) + 1) >= 0 || errno == EINTR))
        for (nfds_t i = 0; i < d->n; i++) {
            int error = 0;
            socklen_t len = sizeof error;
            if (d->fd[i].fd < 0 || !d->fd[i].revents) continue;
            if (getsockopt(d->fd[i].fd, SOL_SOCKET, SO_ERROR, &error, &len)) error = errno;
            note(d, error);
            (void)close(d->fd[i].fd);
            d->fd[i].fd = -1; /* poll leaves it out */
            d->left--;
        }
    if (d->left) note(d, ETIMEDOUT);
    for (nfds_t i = 0; i < d->n; i++)
        if (d->fd[i].fd >= 0) (void)close(d->fd[i].fd);
}

/* tcp://HOST:PORT or tcp://SOURCE;HOST:PORT; brackets of an IPv6 address are left out. */
static bool take_apart(const char *endpoint, char *host, size_t host_n, const char **ret_port)
{
    const char *from = strncmp(endpoint, "tcp://", 6) == 0 ? endpoint + 6 : endpoint, *source = strchr(from, ';');
    if (source) from = source + 1;
    const char *colon = strrchr(from, ':');
    if (!colon || colon == from) return false;
    size_t len = (size_t)(colon - from);
    if (*from == '[' && colon[-1] == ']' && len > 2) {
        from++;
        len -= 2;
    }
    *ret_port = colon + 1;
    return (size_t)snprintf(host, host_n, "%.*s", (int)len, from) < host_n;
}

bool reach_knock(struct reach *r, const char *endpoint, char *ret_words, size_t n)
{
    char host[256];
    const char *port;
    struct addrinfo *list = NULL;
    struct err e = {0};
    if (!take_apart(endpoint, host, sizeof host, &port)) {
        (void)snprintf(ret_words, n, "it is not tcp://HOST:PORT");
        return false;
    }
    int rc = resolver_ask(&r->resolver, host, port, &list, &e);
    if (rc) {
        if (rc < 0)
            (void)snprintf(ret_words, n, "%s", e.text);
        else
            (void)snprintf(ret_words, n, "%s cannot be resolved: the name server has not answered yet", host);
        return false;
    }
    struct doors d = {.best = ERROR, .error = EADDRNOTAVAIL};
    for (const struct addrinfo *ai = list; ai && d.n < DOORS; ai = ai->ai_next)
        knock(&d, ai);
    freeaddrinfo(list);
    listen_at(&d);
    if (d.best == ACCEPTED)
        (void)snprintf(ret_words, n, "something accepts connections there, but does not speak as a coordinator does");
    else if (d.best == REFUSED)
        (void)snprintf(ret_words, n, "connection refused (is the coordinator running there?)");
    else if (d.best == SILENT)
        (void)snprintf(ret_words, n, "it does not answer within %d s (is a firewall between, or the machine off?)",
                       (int)(REACH_NS / NS_PER_S));
    else
        (void)snprintf(ret_words, n, "it cannot be reached: %s", strerror(d.error));
    return d.best == ACCEPTED;
}

void reach_clear(struct reach *r)
{
    resolver_clear(&r->resolver);
}
