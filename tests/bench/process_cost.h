/* What a process costs and reports of itself: CPU time and memory from /proc, the longest turn of its loop from its
 * log. */
#pragma once
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

struct usage {
    int64_t at, cpu_ns;
    long rss_kib, peak_kib;
};

static inline struct usage usage_of(pid_t pid)
{
    struct usage u = {.at = clock_mono_ns()};
    char path[64], line[512];
    unsigned long user = 0, sys = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(line, sizeof line, f)) {
        const char *p = strrchr(line, ')');
        if (p) (void)sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    }
    if (f) (void)fclose(f);
    u.cpu_ns = (int64_t)(user + sys) * (NS_PER_S / sysconf(_SC_CLK_TCK));
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        (void)sscanf(line, "VmRSS: %ld", &u.rss_kib);
        (void)sscanf(line, "VmHWM: %ld", &u.peak_kib);
    }
    if (f) (void)fclose(f);
    return u;
}

/* How long its loop was away at most, and the most CPU time that it took for one turn, by its own word. */
static inline double longest_turn(const char *log, double *ret_cpu_ms)
{
    char line[1024];
    double ms = -1;
    *ret_cpu_ms = -1;
    FILE *f = fopen(log, "re");
    while (f && fgets(line, sizeof line, f)) {
        const char *p = strstr(line, "the longest turn of the loop");
        if (p)
            (void)sscanf(p, "the longest turn of the loop took %lf ms, the most CPU time of one %lf", &ms, ret_cpu_ms);
    }
    if (f) (void)fclose(f);
    return ms;
}

static inline int64_t thread_cpu_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static inline double ms_between(int64_t from, int64_t to)
{
    return (double)(to - from) / 1e6;
}

/* Waits until the coordinator has logged where it listens; -1 when it ends before that. */
static inline int find_endpoint(const char *log, pid_t pid, char ret_endpoint[256])
{
    char line[1024];
    for (int i = 0; i < 200; i++) {
        FILE *f = fopen(log, "re");
        while (f && fgets(line, sizeof line, f)) {
            const char *p = strstr(line, "listening on tcp://");
            if (p && sscanf(p, "listening on %255s", ret_endpoint) == 1) {
                (void)fclose(f);
                return 0;
            }
        }
        if (f) (void)fclose(f);
        if (waitpid(pid, NULL, WNOHANG) == pid) return -1;
        (void)nanosleep(&(struct timespec){.tv_nsec = 50 * NS_PER_MS}, NULL);
    }
    return -1;
}
