/* A connected pair of TCP sockets over loopback, and when something was sent through it. */
#pragma once
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"

static inline void tcp_pair(int ret[2])
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ret[0], (struct sockaddr *)&a, sizeof a), 0);
    ret[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(ret[1] >= 0);
    assert_int_equal(setsockopt(ret[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0); /* each send is a segment */
    close(listener);
}

/* The last n bytes that were sent waited as they were sent. Once the sender has an ACK for some of them the kernel
 * merges what waits with what comes, and a busy machine is slow enough for that. */
static inline bool tcp_unmerged(int sender, size_t n)
{
    int unacked = 0;
    assert_int_equal(ioctl(sender, SIOCOUTQ, &unacked), 0);
    return unacked >= (int)n;
}
#define TCP_TRIES 100

/* Between two looks at the clock, however long the machine was busy with other work. */
struct tcp_sent {
    int64_t from, to;
};

static inline void tcp_expect_sent(struct tcp_sent s, int64_t stamp)
{
    assert_true(stamp > s.from - NS_PER_MS && stamp < s.to + NS_PER_MS);
}
