#include "agent/retry.h"

#include <string.h>
#include <time.h>

#include "common/clock.h"

#define AFTER_MOST_S INT64_C(86400) /* more is as good as never */

static bool is_named(const struct plan_retries *p, enum counter outcome, long status)
{
    if (p->labels & UINT32_C(1) << (outcome - COUNTER_FAILED_FIRST)) return true;
    for (uint32_t i = 0; i < p->n_status; i++)
        if (p->status[i] == status) return true;
    return false;
}

enum retry_answer retry_ask(const struct plan_retries *p, enum counter outcome, long status, uint32_t tries,
                            const uint64_t counters[COUNTER_N])
{
    if (tries > p->max || !counter_is_failure(outcome) || !is_named(p, outcome, status)) return RETRY_NO;
    /* one is free: else the first requests of a stage would have none */
    double allowed = p->budget * (double)counters[COUNTER_SENT] + 1;
    return (double)(counters[COUNTER_RETRIES] + 1) <= allowed ? RETRY_YES : RETRY_DENIED;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

int64_t retry_after(const char *value, size_t n, int64_t now_s)
{
    char text[40];
    int64_t s = 0;
    struct tm tm = {0};
    while (n > 0 && is_space(value[0]))
        value++, n--;
    while (n > 0 && is_space(value[n - 1]))
        n--;
    if (n == 0 || n >= sizeof text) return -1;
    memcpy(text, value, n);
    text[n] = '\0';
    if (strspn(text, "0123456789") == n) {
        for (size_t i = 0; i < n && s <= AFTER_MOST_S; i++)
            s = 10 * s + (text[i] - '0');
    } else {
        /* the two forms of old may still be seen; days and months are English, and this program keeps the locale C */
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        if (!end) end = strptime(text, "%A, %d-%b-%y %H:%M:%S GMT", &tm);
        if (!end) end = strptime(text, "%a %b %d %H:%M:%S %Y", &tm);
        if (!end || *end) return -1;
        s = (int64_t)timegm(&tm) - now_s;
        if (s < 0) s = 0;
    }
    return (s < AFTER_MOST_S ? s : AFTER_MOST_S) * NS_PER_S;
}

int64_t retry_wait(const struct plan_retries *p, uint32_t tries)
{
    int64_t wait = p->wait_ns;
    for (uint32_t i = 1; i < tries && wait < p->wait_ns << 10; i++)
        wait *= 2;
    return wait;
}
