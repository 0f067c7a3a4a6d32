/* What a stage hands over each second: time in flight, counters of the worker, the snapshot. */
#include <string.h>

#include "agent/host.h"
#include "agent/stage.h"

/* The part of [from, to) that lies in the window. */
int64_t stage_in_window(const struct stage *st, int64_t from, int64_t to)
{
    int64_t a = from > st->rec.window_from ? from : st->rec.window_from,
            b = to < st->rec.window_to ? to : st->rec.window_to;
    return b > a ? b - a : 0;
}

void stage_take_times(struct request *r)
{
    const struct transfer *x = &r->transfer;
    struct timeline *t = &r->stream.t;
    t->dns_ns = x->dns_ns;
    t->tcp_ns = x->tcp_ns;
    t->tls_ns = x->tls_ns;
    if (x->written == 0) return;
    int64_t written = x->written > r->tried ? x->written : r->tried; /* a wake may begin before the request did */
    t->upload_ns = written - r->tried;
    if (t->written < written) t->written = written;
}

void stage_flight_to(struct stage *st, int64_t now)
{
    if (now <= st->flight_at) return;
    uint64_t n = st->n_open;
    st->rec.snap->series_inflight_ns += n * (uint64_t)(now - st->flight_at);
    uint64_t window = (uint64_t)stage_in_window(st, st->flight_at, now);
    st->rec.snap->counters[COUNTER_WIN_INFLIGHT_NS] += n * window;
    st->rec.snap->counters[COUNTER_WIN_TREES_NS] += st->trees.open * window;
    st->flight_at = now;
}

/* A request ended at `at` but was seen to end only now: it was not in flight in between. */
void stage_flight_correct(struct stage *st, int64_t at, int64_t now)
{
    uint64_t *series = &st->rec.snap->series_inflight_ns, *window = &st->rec.snap->counters[COUNTER_WIN_INFLIGHT_NS];
    uint64_t late = at < now ? (uint64_t)(now - at) : 0, late_window = (uint64_t)stage_in_window(st, at, now);
    *series -= late < *series ? late : *series;
    *window -= late_window < *window ? late_window : *window;
}

void stage_tell_due(struct stage *st, int64_t now)
{
    int64_t due;
    while (pacer_due(&st->pacer, now, &due))
        if (!st->has_trees) recorder_due(&st->rec, due); /* else it is a lane that is due, and no request */
}

static void fill_counters(struct stage *st, const struct evidence *v, int64_t now)
{
    uint64_t *c = st->rec.snap->counters;
    const struct transport *t = st->tr;
    int64_t cpu, runq;
    evidence_read(v, &cpu, &runq);
    c[COUNTER_READS] = t->counts.reads;
    c[COUNTER_UNSTAMPED] = t->counts.unstamped;
    c[COUNTER_CONNECTIONS] = t->counts.connections;
    c[COUNTER_CONNECTIONS_ENDED] = t->counts.ended;
    c[COUNTER_CONNECTIONS_IDLE] = t->counts.idle;
    c[COUNTER_NOT_PROCESSED] = t->counts.not_processed;
    c[COUNTER_WAITING_BYTES_MAX] = t->counts.waiting_bytes_max;
    c[COUNTER_CLOCK_STEPS] = t->clock.steps - st->steps_base;
    c[COUNTER_WAKES] = st->wakes;
    c[COUNTER_CAPPED] = st->pacer.capped;
    c[COUNTER_CPU_NS] = c[COUNTER_CPU_MAX_NS] = (uint64_t)(cpu > 0 ? cpu : 0);
    c[COUNTER_RUNQ_NS] = (uint64_t)(runq > 0 ? runq : 0);
    c[COUNTER_INFLIGHT_MAX] = st->in_flight_max;
    if (st->counts_throttling) {
        uint64_t throttled = host_throttled();
        c[COUNTER_THROTTLED] = throttled > st->throttled_base ? throttled - st->throttled_base : 0;
    }
    c[COUNTER_MEASURED_NS] = (uint64_t)stage_in_window(st, st->t0, now);
}

struct snapshot *stage_snapshot(struct stage *st, struct snapshot *empty, const struct evidence *v, int64_t now)
{
    struct snapshot *s = st->rec.snap;
    stage_flight_to(st, now);
    if (!st->closed) stage_tell_due(st, now);
    fill_counters(st, v, now);
    s->from_ns = st->span_from;
    s->to_ns = now - st->t0;
    s->in_flight = st->n_open;
    s->waiting = pacer_waiting(&st->pacer);
    st->span_from = s->to_ns;
    if (!empty) {
        st->rec.snap = NULL;
        return s;
    }
    recorder_swap(&st->rec, empty);
    return s;
}
