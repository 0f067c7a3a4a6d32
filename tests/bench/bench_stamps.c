/* What the kernel's stamps are worth, and what they cost. In one process over loopback, or the two ends on either side
 * of a cable: bench_stamps [--listen ADDR | --connect ADDR]. late   a reader that comes late finds several segments of
 * one stream: the stamp of a peek and of a read, against the segments' emission sent   a request's write: the program's
 * time before it against the kernel's transmit stamp, and what asking for that stamp costs Both ends are on one
 * machine, so that one clock serves both. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/transport/stamp.h"
#include "common/args.h"
#include "common/clock.h"

enum { SEGMENT = 200, SEGMENTS_MAX = 16, REQUEST = 2048, ROUNDS_MAX = 100000 };

struct order {
    uint32_t segments, gap_us, swallow; /* write so many; or swallow so many bytes and say nothing */
};

static void nap_us(int64_t us)
{
    struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static int take(int fd, void *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t r = recv(fd, (char *)to + got, n - got, 0);
        if (r <= 0) return -1;
        got += (size_t)r;
    }
    return 0;
}

/* ---- the end that writes segments, each with the time of its emission ---- */

static void obey(int fd)
{
    struct order o;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (take(fd, &o, sizeof o) == 0) {
        char bytes[SEGMENT] = {0};
        for (uint32_t i = 0; i < o.segments; i++) {
            if (i) nap_us(o.gap_us);
            int64_t now = clock_wall_ns();
            memcpy(bytes, &now, sizeof now);
            if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes) return;
        }
        char drain[REQUEST];
        for (uint32_t left = o.swallow; left > 0;) {
            ssize_t n = recv(fd, drain, left < sizeof drain ? left : sizeof drain, 0);
            if (n <= 0) return;
            left -= (uint32_t)n;
        }
    }
}

static void *serve(void *arg)
{
    int listener = *(int *)arg, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        obey(fd);
        close(fd);
    }
    return NULL;
}

static int address_of(const char *text, struct sockaddr_in *ret, struct err *e)
{
    unsigned port = 0;
    char host[64];
    *ret = (struct sockaddr_in){.sin_family = AF_INET};
    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port > 65535 || inet_pton(AF_INET, host, &ret->sin_addr) != 1)
        return err_set(e, ERR_USAGE, "%s: an IPv4 address with a port is wanted", text);
    ret->sin_port = htons((uint16_t)port);
    return 0;
}

/* ---- late ---- */

struct seen {
    int64_t error[ROUNDS_MAX];
    size_t n;
};

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void say(const char *name, struct seen *s, double unit)
{
    qsort(s->error, s->n, sizeof *s->error, compare);
    if (s->n)
        printf("  %-52s p50 %8.1f  p99 %8.1f  (%zu)\n", name, (double)s->error[s->n / 2] / unit,
               (double)s->error[s->n * 99 / 100] / unit, s->n);
}

static int64_t read_stamped(int fd, char *bytes, size_t size, ssize_t *ret_n)
{
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct timespec)) * 2];
    } control;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *ret_n = recvmsg(fd, &m, MSG_DONTWAIT);
    return *ret_n > 0 ? stamp_of(&m) : 0;
}

/* Which segment's emission a stamp belongs to: the last one before it. */
static int segment_of(const int64_t *emitted, uint32_t n, int64_t stamp)
{
    int at = -1;
    for (uint32_t i = 0; i < n; i++)
        if (stamp >= emitted[i]) at = (int)i;
    return at;
}

/* Until so many bytes wait in the socket. */
static int wait_for(int fd, int bytes)
{
    for (int i = 0, waiting; i < 10000; i++) {
        if (ioctl(fd, FIONREAD, &waiting) == 0 && waiting >= bytes) return 0;
        nap_us(1000);
    }
    return -1;
}

static int late(int fd, uint32_t segments, uint32_t gap_us, uint32_t rounds, bool one_by_one)
{
    static struct seen first, last;
    uint32_t peek_first = 0, peek_last = 0, read_last = 0, each_own = 0, n_segments = 0;
    first.n = last.n = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        struct order o = {.segments = segments, .gap_us = gap_us};
        char bytes[SEGMENT * SEGMENTS_MAX];
        int64_t emitted[SEGMENTS_MAX], peeked = 0, stamp[SEGMENTS_MAX] = {0};
        ssize_t n = 0;
        if (send(fd, &o, sizeof o, MSG_NOSIGNAL) != (ssize_t)sizeof o) return -1;
        if (wait_for(fd, (int)(SEGMENT * segments))) return -1;
        if (stamp_peek(fd, &peeked) < 0) return -1;
        uint32_t reads = one_by_one ? segments : 1;
        size_t got = 0;
        for (uint32_t i = 0; i < reads; i++) {
            stamp[i] = read_stamped(fd, bytes + got, one_by_one ? SEGMENT : sizeof bytes, &n);
            if (n <= 0) return -1;
            got += (size_t)n;
        }
        if (got != (size_t)SEGMENT * segments) return -1;
        for (uint32_t i = 0; i < segments; i++)
            memcpy(&emitted[i], bytes + (size_t)i * SEGMENT, sizeof *emitted);
        peek_first += segment_of(emitted, segments, peeked) == 0;
        peek_last += segment_of(emitted, segments, peeked) == (int)segments - 1;
        read_last += segment_of(emitted, segments, stamp[reads - 1]) == (int)segments - 1;
        for (uint32_t i = 0; one_by_one && i < segments; i++)
            each_own += segment_of(emitted, segments, stamp[i]) == (int)i;
        first.error[first.n++] = peeked - emitted[0];
        last.error[last.n++] = stamp[reads - 1] - emitted[segments - 1];
        n_segments += segments;
    }
    double n = (double)first.n / 100;
    printf("late reads of %u segments, %u us apart, %s:\n", segments, gap_us,
           one_by_one ? "one read a segment" : "one read");
    printf(
        "  a peek has the first one's stamp in %.0f %%, the last one's in %.0f %%; a read the last one's in %.0f %%\n",
        peek_first / n, peek_last / n, read_last / n);
    if (one_by_one) printf("  segments that got their own: %.0f %%\n", 100.0 * each_own / n_segments);
    say("peek - first emission, us", &first, 1e3);
    say("read - last emission, us", &last, 1e3);
    return 0;
}

/* ---- sent ---- */

static int64_t transmit_stamp(int fd)
{
    char control[512], byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPING) continue;
        struct timespec ts; /* the first of three is the software's */
        memcpy(&ts, CMSG_DATA(c), sizeof ts);
        return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
    }
    return 0;
}

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int sent(int fd, uint32_t rounds, bool stamps)
{
    static struct seen write_, stamp, ask;
    int flags = stamps ? SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY : 0;
    write_.n = stamp.n = ask.n = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags)) return -1;
    for (uint32_t r = 0; r < rounds; r++) {
        char body[sizeof(struct order) + REQUEST] = {0};
        struct order o = {.swallow = REQUEST};
        memcpy(body, &o, sizeof o);
        while (transmit_stamp(fd)) { /* that of an earlier request, late */
        }
        int64_t cpu = cpu_ns(), before = clock_wall_ns();
        if (send(fd, body, sizeof body, MSG_NOSIGNAL) != (ssize_t)sizeof body) return -1;
        int64_t after = cpu_ns();
        write_.error[write_.n++] = after - cpu;
        nap_us(300);
        if (!stamps) continue;
        cpu = cpu_ns();
        int64_t at = transmit_stamp(fd);
        ask.error[ask.n++] = cpu_ns() - cpu;
        if (at) stamp.error[stamp.n++] = at - before;
    }
    printf("requests of %d bytes, %s:\n", REQUEST, stamps ? "with transmit stamps" : "without transmit stamps");
    say("CPU of the write, us", &write_, 1e3);
    say("CPU of reading the error queue, us", &ask, 1e3);
    say("transmit stamp - program's time before the write, us", &stamp, 1e3);
    return 0;
}

/* ---- */

static int run_client(const struct sockaddr_in *to, uint32_t rounds, struct err *e)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, hold = stamp_hold();
    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to))
        return err_set(e, ERR_NET, "no connection: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    stamp_enable(fd);
    int rc = late(fd, 2, 2000, rounds, false) || late(fd, 4, 2000, rounds, false) || late(fd, 4, 2000, rounds, true) ||
             sent(fd, rounds * 10, false) || sent(fd, rounds * 10, true);
    close(fd);
    if (hold >= 0) close(hold);
    return rc ? err_set(e, ERR_NET, "the other end went away") : 0;
}

static int bench(const char *at, const char *to, uint32_t rounds, struct err *e)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    int listener;
    pthread_t thread;
    if (rounds < 1 || rounds > ROUNDS_MAX / 10) return err_set(e, ERR_USAGE, "--rounds: 1 to %d", ROUNDS_MAX / 10);
    if (to) return address_of(to, &a, e) ? -1 : run_client(&a, rounds, e);
    if (address_of(at ? at : "127.0.0.1:0", &a, e)) return -1;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4) ||
        getsockname(listener, (struct sockaddr *)&a, &len))
        return err_set(e, ERR_NET, "cannot listen: %s", strerror(errno));
    if (at) return serve(&listener), 0;
    if (pthread_create(&thread, NULL, serve, &listener)) return err_set(e, ERR_INTERNAL, "no thread");
    int rc = run_client(&a, rounds, e);
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    return rc;
}

int main(int argc, char **argv)
{
    const char *at = NULL, *to = NULL;
    uint32_t rounds = 300;
    const struct arg table[] = {
        {"listen", ARG_TEXT, &at, "ADDR", "only the end that writes, at this address, until it is killed"},
        {"connect", ARG_TEXT, &to, "ADDR", "only the end that reads"},
        {"rounds", ARG_U32, &rounds, "N", "late reads of each kind (300); ten times as many requests"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    const struct args a = {.program = "bench_stamps",
                           .usage = "[options]",
                           .about = "What the kernel's stamps are worth, and what they cost.",
                           .table = table};
    const char *words[64];
    size_t n;
    struct err e = {0};
    if (argc > 64) return 2;
    int rc = args_parse(&a, argc, argv, words, &n, &e);
    if (rc == 0) rc = bench(at, to, rounds, &e);
    if (rc >= 0) return 0;
    fprintf(stderr, "%s\n", e.text);
    return err_exit_status(&e);
}
