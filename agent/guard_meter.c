#include "agent/guard_meter.h"

#include "common/clock.h"

#define LEAST_NS (950 * NS_PER_MS) /* snapshots come once a second, more or less */

void guard_meter_begin(struct guard_meter *m, const struct shard *s)
{
    *m = (struct guard_meter){.requests = s->kind == LOAD_CLOSED};
}

int guard_meter_add(struct guard_meter *m, const struct guard *guard, const struct snapshot *s, struct err *e)
{
    m->sent = s->counters[COUNTER_SENT] + s->counters[COUNTER_RETRIES];
    m->events += s->series_tokens;
    m->span_ns += s->to_ns - s->from_ns;
    if (m->span_ns < LEAST_NS) return 0;
    int rc = guard_check_rate(guard, m->requests ? m->sent - m->sent_before : 0, m->events, m->span_ns, e);
    /* an event may carry several tokens; their number is known only when its request has ended */
    if (rc == 0 && s->to_ns > LEAST_NS)
        rc = guard_check_rate(guard, 0, s->counters[COUNTER_TOKENS] + s->counters[COUNTER_FAILED_TOKENS], s->to_ns, e);
    m->sent_before = m->sent;
    m->events = 0;
    m->span_ns = 0;
    return rc;
}
