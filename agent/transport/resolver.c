#include "agent/transport/resolver.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    unsigned users; /* the resolver, the thread */
    bool done;
    int rc;
    struct addrinfo *list;
    int64_t began_ns;
    int (*ask)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    char host[256], port[8];
};

static const struct addrinfo HINTS = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

static void let_go(struct lookup *l)
{
    (void)pthread_mutex_lock(&l->lock);
    bool last = --l->users == 0;
    (void)pthread_mutex_unlock(&l->lock);
    if (!last) return;
    if (l->list) freeaddrinfo(l->list);
    (void)pthread_cond_destroy(&l->answered);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

/* "Try again" comes from a name server that cannot answer now, and where none is reached. */
static int ask_again(const struct lookup *l, struct addrinfo **ret)
{
    const struct timespec pause = {.tv_nsec = NS_PER_S / 2};
    int rc;
    while ((rc = l->ask(l->host, l->port, &HINTS, ret)) == EAI_AGAIN &&
           clock_mono_ns() - l->began_ns < RESOLVER_AGAIN_NS)
        (void)nanosleep(&pause, NULL);
    return rc;
}

static void *look_up(void *arg)
{
    struct lookup *l = arg;
    struct addrinfo *list = NULL;
    int rc = ask_again(l, &list);
    (void)pthread_mutex_lock(&l->lock);
    l->rc = rc;
    l->list = rc == 0 ? list : NULL;
    l->done = true;
    (void)pthread_cond_signal(&l->answered);
    (void)pthread_mutex_unlock(&l->lock);
    let_go(l);
    return NULL;
}

static struct lookup *begin(struct resolver *r, const char *host, const char *port)
{
    struct lookup *l = calloc(1, sizeof *l);
    pthread_condattr_t clock;
    pthread_t thread;
    if (!l) return NULL;
    memcpy(l->host, host, strlen(host) + 1);
    memcpy(l->port, port, strlen(port) + 1);
    l->ask = r->ask ? r->ask : getaddrinfo;
    l->began_ns = clock_mono_ns();
    l->users = 2;
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->answered, &clock);
    (void)pthread_condattr_destroy(&clock);
    if (pthread_create(&thread, NULL, look_up, l)) {
        l->users = 1;
        let_go(l);
        return NULL;
    }
    (void)pthread_detach(thread);
    return l;
}

/* 1: answered, *ret_rc and *ret are set. */
static bool wait_for(struct lookup *l, int *ret_rc, struct addrinfo **ret)
{
    int64_t until = clock_mono_ns() + RESOLVER_NOW_NS;
    struct timespec ts = {.tv_sec = until / NS_PER_S, .tv_nsec = until % NS_PER_S};
    (void)pthread_mutex_lock(&l->lock);
    while (!l->done && pthread_cond_timedwait(&l->answered, &l->lock, &ts) == 0) {
    }
    bool done = l->done;
    *ret_rc = l->rc;
    *ret = l->list;
    if (done) l->list = NULL;
    (void)pthread_mutex_unlock(&l->lock);
    return done;
}

void resolver_clear(struct resolver *r)
{
    if (r->lookup) let_go(r->lookup);
    r->lookup = NULL;
}

int resolver_ask(struct resolver *r, const char *host, const char *port, struct addrinfo **ret_list, struct err *e)
{
    struct addrinfo numeric = HINTS;
    int rc;
    numeric.ai_flags = AI_NUMERICHOST;
    *ret_list = NULL;
    if (strlen(host) >= sizeof r->lookup->host || strlen(port) >= sizeof r->lookup->port)
        return err_set(e, ERR_PLAN, "the host name is too long");
    if (getaddrinfo(host, port, &numeric, ret_list) == 0) return 0;
    if (r->lookup && (strcmp(r->lookup->host, host) != 0 || strcmp(r->lookup->port, port) != 0)) resolver_clear(r);
    if (!r->lookup && !(r->lookup = begin(r, host, port)))
        return err_set(e, ERR_NOMEM, "no thread to look up %s", host);
    bool done = wait_for(r->lookup, &rc, ret_list);
    int64_t waited = clock_mono_ns() - r->lookup->began_ns;
    if (!done && waited < RESOLVER_MOST_NS) return 1;
    resolver_clear(r);
    if (!done) return err_set(e, ERR_NET, "%s cannot be resolved: no answer for %.0f s", host, (double)waited / 1e9);
    if (rc) return err_set(e, ERR_NET, "%s cannot be resolved: %s", host, gai_strerror(rc));
    return 0;
}
