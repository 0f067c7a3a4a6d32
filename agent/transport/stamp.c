#include "agent/transport/stamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

#define WARY_NS (10 * NS_PER_S)

int stamp_enable(int fd)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

int64_t stamp_of(struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
        struct timespec ts;
        memcpy(&ts, CMSG_DATA(c), sizeof ts);
        return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
    }
    return 0;
}

void stamp_box_init(struct stamp_box *b, void *bytes, size_t n)
{
    *b = (struct stamp_box){.iov = {.iov_base = bytes, .iov_len = n}};
    b->m = (struct msghdr){.msg_iov = &b->iov, .msg_iovlen = 1, .msg_control = b->control};
}

/* Larger ones carry the tokens of many streams, or are parts of one answer: all that waits is read at once. */
#define UNIT_MAX 2048u

ssize_t stamp_receive_units(struct stamp_box *b, int fd, size_t head, size_t (*length)(const uint8_t *),
                            struct stamp_parts *p, bool *ret_dry)
{
    const struct iovec all = b->iov;
    size_t at = 0, end = 0, units = 0; /* end: of the unit under way; its head has come with the stamp `began` */
    int64_t began = 0, last = 0;
    ssize_t got;
    stamp_parts_clear(p);
    for (bool whole = false;;) {
        size_t want = whole ? all.iov_len - at : end + head - at;
        b->iov = (struct iovec){(char *)all.iov_base + at, want};
        got = stamp_receive(b, fd, 0);
        *ret_dry = got < (ssize_t)want;
        if (got <= 0) break;
        at += (size_t)got;
        last = b->wall_ns;
        if (*ret_dry || whole) break;
        if (end > 0) stamp_parts_add(p, end, began);
        began = last;
        size_t n = length((const uint8_t *)all.iov_base + end);
        whole = n > UNIT_MAX || ++units == STAMP_PARTS;
        p->alike |= n > UNIT_MAX;
        end += n;
        whole |= end + head > all.iov_len;
    }
    b->iov = all;
    b->wall_ns = last;
    if (at == 0) return got;
    if (got < 0 && errno != EAGAIN) p->failed = errno;
    stamp_parts_add(p, at, last);
    p->alike |= units > 1 && p->n == 1;
    return (ssize_t)at;
}

int stamp_peek(int fd, int64_t *ret_wall_ns)
{
    char byte;
    struct stamp_box b;
    stamp_box_init(&b, &byte, 1);
    ssize_t n = stamp_receive(&b, fd, MSG_PEEK);
    *ret_wall_ns = b.wall_ns;
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return *ret_wall_ns > 0;
}

/* A connected pair of TCP sockets over loopback; 0 or -1. */
static int loopback_pair(int ret[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ret[0] = ret[1] = -1;
    if (listener < 0) return -1;
    if (bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)&a, &len) == 0) {
        ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (ret[0] >= 0 && connect(ret[0], (struct sockaddr *)&a, sizeof a) == 0)
            ret[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    close(listener);
    if (ret[1] >= 0) return 0;
    if (ret[0] >= 0) close(ret[0]);
    return -1;
}

int stamp_hold(void)
{
    int pair[2], found = 0;
    if (loopback_pair(pair) < 0) return -1;
    if (stamp_enable(pair[0]) == 0) {
        /* the switch is thrown a moment after the first request for stamps */
        for (int i = 0; i < 50 && !found; i++) {
            char byte = 0;
            int64_t wall;
            struct pollfd pfd = {.fd = pair[0], .events = POLLIN};
            if (send(pair[1], &byte, 1, MSG_NOSIGNAL) != 1 || poll(&pfd, 1, 100) != 1) break;
            found = stamp_peek(pair[0], &wall) == 1;
            if (recv(pair[0], &byte, 1, 0) != 1) break;
            if (!found) poll(NULL, 0, 2);
        }
    }
    close(pair[1]);
    if (found) return pair[0];
    close(pair[0]);
    return -1;
}

bool stamp_clock_update(struct stamp_clock *c, int64_t offset, int64_t now)
{
    int64_t moved = offset - c->offset;
    bool stepped = c->sampled_at != 0 && (moved > STAMP_STEP_NS || moved < -STAMP_STEP_NS);
    c->offset = offset;
    c->sampled_at = now;
    if (!stepped) return false;
    c->steps++;
    c->stepped_at = now;
    return true;
}

bool stamp_clock_wary(const struct stamp_clock *c, int64_t now)
{
    return c->steps && now - c->stepped_at < WARY_NS;
}

bool stamp_clock_sample(struct stamp_clock *c)
{
    int64_t best = INT64_MAX, offset = 0, now = 0;
    for (int i = 0; i < 3; i++) {
        int64_t before = clock_mono_ns(), wall = clock_wall_ns(), after = clock_mono_ns();
        if (after - before >= best) continue;
        best = after - before;
        offset = wall - (before + best / 2);
        now = after;
    }
    return stamp_clock_update(c, offset, now);
}
