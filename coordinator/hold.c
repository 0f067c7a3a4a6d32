#include "coordinator/hold.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"

enum { LOOK_MS = 250 };

/* The end of a child is no reason to let go. */
static bool told_to_end(int signal_fd)
{
    struct signalfd_siginfo s;
    while (read(signal_fd, &s, sizeof s) == (ssize_t)sizeof s)
        if (s.ssi_signo != SIGCHLD) return true;
    return false;
}

bool hold_until_fetched(const char *dir, int64_t hold_ns, int signal_fd)
{
    char path[600];
    int n = snprintf(path, sizeof path, "%s/" HOLD_FETCHED, dir);
    if (n < 0 || (size_t)n >= sizeof path) return false;
    int64_t until = clock_mono_ns() + hold_ns;
    for (;;) {
        if (access(path, F_OK) == 0) return true;
        int64_t left = until - clock_mono_ns();
        if (left <= 0 || told_to_end(signal_fd)) return false;
        struct pollfd fd = {.fd = signal_fd, .events = POLLIN};
        (void)poll(&fd, 1, left < LOOK_MS * NS_PER_MS ? (int)(left / NS_PER_MS) + 1 : LOOK_MS);
    }
}
