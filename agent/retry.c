#include "agent/retry.h"

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

int64_t retry_wait(const struct plan_retries *p, uint32_t tries)
{
    int64_t wait = p->wait_ns;
    for (uint32_t i = 1; i < tries && wait < p->wait_ns << 10; i++)
        wait *= 2;
    return wait;
}
