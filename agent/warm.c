#include "agent/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

static void note_failure(struct warm *w, uint32_t address, int why)
{
    if (w->why[address] == 0) w->why[address] = why;
}

static void note_success(struct warm *w, uint32_t address, int fd, int64_t took)
{
    w->good[address] = true;
    if (w->keep)
        transport_adopt(w->tr, (struct warm_socket){.fd = fd, .address = address, .tcp_ns = took});
    else
        close(fd);
}

/* The next address in turn that did not fail so far; false when there is none. */
static bool choose_address(struct warm *w, uint32_t *ret)
{
    uint32_t n = w->tr->target->n_addresses;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = w->next_address++ % n;
        if (w->why[a] != 0) continue;
        *ret = a;
        return true;
    }
    return false;
}

static void begin_one(struct warm *w, uint32_t index, uint32_t address, int64_t now)
{
    const struct target_address *a = &w->tr->target->address[address];
    int fd = transport_socket(w->tr, a->sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        note_failure(w, address, errno);
        return;
    }
    if (connect(fd, (const struct sockaddr *)a->sa, a->sa_len) == 0) {
        note_success(w, address, fd, clock_mono_ns() - now);
        return;
    }
    struct epoll_event ev = {.events = EPOLLOUT, .data.u64 = WARM_TAG | index};
    if (errno != EINPROGRESS || epoll_ctl(w->tr->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
        note_failure(w, address, errno);
        close(fd);
        return;
    }
    w->place[index] = (struct warm_try){.fd = fd, .address = address, .begun = now};
    w->busy++;
}

static void fill(struct warm *w, int64_t now)
{
    for (uint32_t i = 0; i < WARM_AT_ONCE; i++) {
        /* a connect that answers at once leaves its place free for the next */
        while (w->left > 0 && w->place[i].fd < 0) {
            uint32_t address;
            if (!choose_address(w, &address)) {
                w->left = 0;
                return;
            }
            w->left--;
            begin_one(w, i, address, now);
        }
    }
}

void warm_begin(struct warm *w, struct transport *tr, uint32_t connections, int64_t timeout_ns, int64_t now)
{
    uint32_t least = tr->target->n_addresses;
    memset(w, 0, sizeof *w);
    w->tr = tr;
    w->keep = connections > 0;
    w->left = connections > least ? connections : least;
    w->timeout_ns = timeout_ns;
    for (uint32_t i = 0; i < WARM_AT_ONCE; i++)
        w->place[i].fd = -1;
    fill(w, now);
}

void warm_more(struct warm *w, uint32_t connections, int64_t now)
{
    w->keep = true;
    w->left += connections;
    fill(w, now);
}

static void end_one(struct warm *w, uint64_t index, int why, int64_t now)
{
    struct warm_try t = w->place[index];
    w->place[index].fd = -1;
    w->busy--;
    epoll_ctl(w->tr->epoll, EPOLL_CTL_DEL, t.fd, NULL);
    if (why == 0) {
        note_success(w, t.address, t.fd, now - t.begun);
        return;
    }
    close(t.fd);
    note_failure(w, t.address, why);
}

void warm_ready(struct warm *w, uint64_t index, int64_t now)
{
    int why = 0;
    socklen_t len = sizeof why;
    if (index >= WARM_AT_ONCE || w->place[index].fd < 0) return;
    if (getsockopt(w->place[index].fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0) why = errno;
    end_one(w, index, why, now);
    fill(w, now);
}

void warm_tick(struct warm *w, int64_t now)
{
    if (now < warm_next(w)) return;
    for (uint32_t i = 0; i < WARM_AT_ONCE; i++)
        if (w->place[i].fd >= 0 && now - w->place[i].begun >= w->timeout_ns) end_one(w, i, ETIMEDOUT, now);
    fill(w, now);
}

int64_t warm_next(const struct warm *w)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; w->busy > 0 && i < WARM_AT_ONCE; i++)
        if (w->place[i].fd >= 0 && w->place[i].begun + w->timeout_ns < next) next = w->place[i].begun + w->timeout_ns;
    return next;
}

int warm_result(const struct warm *w, struct err *e)
{
    const struct target *t = w->tr->target;
    for (uint32_t i = 0; i < t->n_addresses; i++)
        if (w->good[i]) return 0;
    const char *at = t->address[0].text;
    int why = w->why[0];
    if (why == ECONNREFUSED) return err_set(e, ERR_NET, "nothing listens at %s (connection refused)", at);
    if (why == ETIMEDOUT) return err_set(e, ERR_NET, "%s does not answer: no connection within the connect timeout", at);
    return err_set(e, ERR_NET, "no connection to %s: %s", at, strerror(why));
}

void warm_cancel(struct warm *w)
{
    for (uint32_t i = 0; w->tr && i < WARM_AT_ONCE; i++)
        if (w->place[i].fd >= 0) end_one(w, i, ECANCELED, 0);
    w->left = 0;
}
