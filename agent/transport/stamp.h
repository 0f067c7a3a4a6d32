/* When bytes arrived at this machine: the kernel's receive stamp of a TCP socket, in CLOCK_MONOTONIC.
 *
 * With SO_TIMESTAMPNS set, a read returns the stamp of the last segment it took, however late it is made. So the loop
 * may sleep and batch without losing a token's true arrival. The kernel stamps in wall-clock time. The offset to the
 * monotonic clock is sampled a few times a second; around a step of the wall clock the program's own time is used. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

int stamp_enable(int fd); /* 0 or -1 */

/* The wall-clock stamp among a received message's control data, 0 = none. Of several segments in one read it is that of
 * the last, in a peek that of the first. */
int64_t stamp_of(struct msghdr *m);

/* What a read with a stamp gives to the kernel, and what it gets. Used again for each read. */
struct stamp_box {
    struct iovec iov;
    struct msghdr m;
    int64_t wall_ns; /* the stamp; 0: none */
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec)) * 2];
};
/* Reads will land in these bytes. */
void stamp_box_init(struct stamp_box *b, void *bytes, size_t n);
/* As recv without waiting, into the box's bytes, with the stamp of the last of them (with MSG_PEEK the first's).
 * Inline: a token nearly always has a read of its own. */
static inline ssize_t stamp_receive(struct stamp_box *b, int fd, int flags)
{
    b->m.msg_controllen = sizeof b->control;
    /* recvmsg, without what glibc does around it in case the thread is cancelled there: nobody cancels one */
    ssize_t got = syscall(SYS_recvmsg, fd, &b->m, flags | MSG_DONTWAIT);
    b->wall_ns = 0;
    if (got <= 0) return got;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&b->m);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) { /* nothing else was asked for */
        struct timespec ts;
        memcpy(&ts, CMSG_DATA(c), sizeof ts);
        b->wall_ns = (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
    } else if (c) {
        b->wall_ns = stamp_of(&b->m);
    }
    return got;
}

/* When the parts of a read came. Parts with the same stamp are one, the last one has what is left of the read. */
#define STAMP_PARTS 32
struct stamp_parts {
    uint32_t n;
    bool alike; /* several units came, all with one stamp, or they are so large that nobody asked */
    int failed; /* errno of a failure after the bytes, which the socket will not tell again; 0: none */
    struct {
        size_t end; /* in the bytes of the read */
        int64_t wall_ns;
    } of[STAMP_PARTS];
};
static inline void stamp_parts_clear(struct stamp_parts *p)
{
    p->n = 0;
    p->alike = false;
    p->failed = 0;
}
static inline void stamp_parts_add(struct stamp_parts *p, size_t end, int64_t wall_ns)
{
    bool same = p->n == STAMP_PARTS || (p->n > 0 && p->of[p->n - 1].wall_ns == wall_ns);
    if (!same) p->of[p->n++].wall_ns = wall_ns;
    p->of[p->n - 1].end = end;
}
/* What ended at `from_end` in the bytes of `from` ends at `end` in those of `p`. *part: 0 at first; where that was. */
static inline void stamp_parts_pass(struct stamp_parts *p, size_t end, const struct stamp_parts *from, size_t from_end,
                                    uint32_t *part)
{
    while (*part < from->n && from->of[*part].end < from_end)
        ++*part;
    if (*part < from->n) stamp_parts_add(p, end, from->of[*part].wall_ns);
}
/* As stamp_receive of bytes that begin with a unit, whose length is told by its first `head` bytes: units that were
 * sent one by one get a stamp each. A system call more, and one for each unit. *ret_dry: the socket was emptied. */
ssize_t stamp_receive_units(struct stamp_box *b, int fd, size_t head, size_t (*length)(const uint8_t *),
                            struct stamp_parts *p, bool *ret_dry);

/* Takes the stamp of what waits in the socket. Returns 1 with the wall-clock time, 0 when there is none (nothing waits,
 * or it carries no stamp), -1 when the connection broke: the kernel reports that once, so the next read sees a plain
 * end. */
int stamp_peek(int fd, int64_t *ret_wall_ns);

/* A descriptor to be kept open while stamps are wanted (the kernel switches stamping on with the first socket that
 * asks, a little later, and off with the last), or -1 when this system has no stamps. Sends a byte to itself over
 * loopback to find out. */
int stamp_hold(void);

struct stamp_clock {
    int64_t offset;     /* wall - monotonic */
    int64_t sampled_at; /* monotonic; 0 = never */
    uint64_t steps;     /* of the wall clock, seen so far */
    int64_t stepped_at; /* monotonic, when the last was seen */
};
#define STAMP_REFRESH_NS INT64_C(250000000)
/* The clocks are slewed by at most 500 ppm (adjtimex): 125 us in a refresh. More is a step. */
#define STAMP_STEP_NS INT64_C(1000000)

/* Takes in a new sample. Pure. Returns true when the wall clock stepped. */
bool stamp_clock_update(struct stamp_clock *c, int64_t offset, int64_t now);
/* The pure conversion: a stamp that would lie after `now` by rounding is `now`. Returns 0 when the stamp cannot be
 * right: later than `now` by more than a step, or before `least`. */
static inline int64_t stamp_clock_convert(const struct stamp_clock *c, int64_t wall_ns, int64_t now, int64_t least)
{
    int64_t at = wall_ns - c->offset;
    if (at < least || at > now + STAMP_STEP_NS) return 0;
    return at < now ? at : now;
}
/* A step was seen a short while ago: bytes that waited in a socket meanwhile carry a stamp of the clock before the
 * step, which may look as if they had waited for an hour. */
bool stamp_clock_wary(const struct stamp_clock *c, int64_t now);
/* Samples both clocks (three times, the tightest counts) and updates. */
bool stamp_clock_sample(struct stamp_clock *c);
