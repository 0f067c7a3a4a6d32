#include "common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int64_t now(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return now(CLOCK_MONOTONIC);
}
int64_t clock_wall_ns(void)
{
    return now(CLOCK_REALTIME);
}
int64_t clock_thread_cpu_ns(void)
{
    return now(CLOCK_THREAD_CPUTIME_ID);
}

static const struct {
    const char *unit;
    int64_t ns;
} UNITS[] = {{"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S},
             {"ms", NS_PER_MS},      {"us", NS_PER_US},    {"ns", 1}};

int clock_duration_parse(const char *text, int64_t *ret_ns)
{
    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    if (!(text[0] >= '0' && text[0] <= '9')) return -1; /* no sign, no blank, no nan, no inf, no hex */
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) return -1;
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (errno) return -1;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (strcmp(end, UNITS[i].unit) == 0) {
            double ns = v * (double)UNITS[i].ns;
            if (!(ns >= 0 && ns <= 3.2e17)) return -1;
            *ret_ns = (int64_t)llround(ns);
            return 0;
        }
    return -1;
}

char *clock_duration_text(int64_t ns, char *buf, size_t n)
{
    if (ns == 0) {
        (void)snprintf(buf, n, "0");
        return buf;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (ns % UNITS[i].ns == 0) {
            (void)snprintf(buf, n, "%" PRId64 "%s", ns / UNITS[i].ns, UNITS[i].unit);
            break;
        }
    return buf;
}

char *clock_wall_text(int64_t wall_ns, char *buf, size_t n)
{
    time_t t = (time_t)(wall_ns / NS_PER_S);
    struct tm tm;
    gmtime_r(&t, &tm);
    if (strftime(buf, n, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0 && n) buf[0] = 0;
    return buf;
}
