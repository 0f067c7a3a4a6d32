#include "agent/pacer.h"

#include <stdlib.h>
#include <string.h>

static int64_t ahead_of(int64_t t0, int64_t after)
{
    int64_t t;
    return __builtin_add_overflow(t0, after, &t) ? PACER_NEVER : t;
}

/* A binary heap of times, the earliest first. */
static void heap_push(struct pacer *p, int64_t t)
{
    uint32_t i = p->n_times++;
    while (i > 0 && p->times[(i - 1) / 2] > t) {
        p->times[i] = p->times[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    p->times[i] = t;
}

static int64_t heap_pop(struct pacer *p)
{
    int64_t least = p->times[0], t = p->times[--p->n_times];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= p->n_times) break;
        if (child + 1 < p->n_times && p->times[child + 1] < p->times[child]) child++;
        if (p->times[child] >= t) break;
        p->times[i] = p->times[child];
        i = child;
    }
    p->times[i] = t;
    return least;
}

static bool next_arrival(struct pacer *p, struct arrivals *a, int64_t *ret_due, uint64_t *ret_k)
{
    int64_t after;
    if (!arrivals_next(a, &after, ret_k)) return false;
    *ret_due = ahead_of(p->t0, after);
    return true;
}

static void init_closed(struct pacer *p, const struct shard *s)
{
    p->limited = s->requests_all != 0;
    p->limit = s->requests;
    for (uint32_t k = 0; k < p->cap; k++) {
        double share = s->slots_all ? (double)(s->slot_first + k) / s->slots_all : 0;
        heap_push(p, ahead_of(p->t0, (int64_t)((double)s->ramp_ns * share)));
    }
}

static void init_open(struct pacer *p, const struct shard *s)
{
    /* at the start every place of the cap is free */
    for (uint32_t k = 0; k < p->cap; k++)
        p->times[k] = INT64_MIN;
    p->n_times = p->cap;
    arrivals_init(&p->head, s);
    arrivals_init(&p->ahead, s);
    p->head_some = next_arrival(p, &p->head, &p->head_due, &p->head_k);
    p->ahead_some = next_arrival(p, &p->ahead, &p->ahead_due, &p->ahead_k);
}

int pacer_init(struct pacer *p, const struct shard *s, uint32_t cap, int64_t t0, struct err *e)
{
    memset(p, 0, sizeof *p);
    p->shard = s;
    p->t0 = p->freed = t0;
    p->end = s->duration_ns > 0 ? ahead_of(t0, s->duration_ns) : PACER_NEVER;
    p->cap = s->kind == LOAD_CLOSED ? s->slots : (s->slots != 0 && s->slots < cap ? s->slots : cap);
    p->times = calloc(p->cap ? p->cap : 1, sizeof *p->times);
    if (!p->times) return err_set(e, ERR_NOMEM, "no memory for %u slots", p->cap);
    if (s->kind == LOAD_CLOSED)
        init_closed(p, s);
    else
        init_open(p, s);
    return 0;
}

void pacer_clear(struct pacer *p)
{
    free(p->times);
    memset(p, 0, sizeof *p);
}

static bool closed_ready(const struct pacer *p)
{
    return p->n_times > 0 && p->times[0] < p->end && !(p->limited && p->taken >= p->limit);
}

static bool open_ready(const struct pacer *p)
{
    return p->head_some && p->head_due < p->end && p->n_times > 0;
}

static bool take_closed(struct pacer *p, int64_t now, struct pacer_item *ret)
{
    if (!closed_ready(p) || p->times[0] > now) return false;
    ret->due = ret->free = p->ahead_due = heap_pop(p);
    ret->number = p->taken++;
    p->in_flight++;
    return true;
}

static void pop_head(struct pacer *p, struct pacer_item *ret)
{
    ret->due = ret->free = p->head_due;
    ret->number = p->head_k;
    p->head_some = next_arrival(p, &p->head, &p->head_due, &p->head_k);
    p->taken++;
}

static bool take_open(struct pacer *p, int64_t now, struct pacer_item *ret)
{
    if (!open_ready(p) || p->head_due > now) return false;
    int64_t place = p->times[p->at];
    p->at = p->at + 1 == p->cap ? 0 : p->at + 1;
    p->n_times--;
    pop_head(p, ret);
    if (place > ret->due) {
        ret->free = place;
        p->capped++;
    }
    p->in_flight++;
    return true;
}

bool pacer_take(struct pacer *p, int64_t now, struct pacer_item *ret)
{
    return p->shard->kind == LOAD_CLOSED ? take_closed(p, now, ret) : take_open(p, now, ret);
}

void pacer_freed(struct pacer *p, int64_t at, int64_t think)
{
    p->in_flight--;
    if (at > p->freed) p->freed = at;
    if (p->shard->kind == LOAD_CLOSED) {
        heap_push(p, ahead_of(at, think));
        return;
    }
    uint64_t i = (uint64_t)p->at + p->n_times;
    p->times[i % p->cap] = at;
    p->n_times++;
}

int64_t pacer_next(const struct pacer *p)
{
    if (p->shard->kind == LOAD_CLOSED) return closed_ready(p) ? p->times[0] : PACER_NEVER;
    return open_ready(p) ? p->head_due : PACER_NEVER;
}

/* A closed loop does not use `ahead`. Its due time holds the one that was taken last. */
bool pacer_due(struct pacer *p, int64_t now, int64_t *ret_due)
{
    *ret_due = p->ahead_due;
    if (p->shard->kind == LOAD_CLOSED) {
        if (p->due == p->taken) return false;
        p->due = p->taken;
        return true;
    }
    if (!p->ahead_some || p->ahead_due > now || p->ahead_due >= p->end) return false;
    p->due++;
    p->ahead_some = next_arrival(p, &p->ahead, &p->ahead_due, &p->ahead_k);
    return true;
}

bool pacer_abandon(struct pacer *p, int64_t now, struct pacer_item *ret)
{
    if (p->shard->kind == LOAD_CLOSED || !p->head_some || p->head_due > now || p->head_due >= p->end) return false;
    pop_head(p, ret);
    return true;
}

void pacer_end(struct pacer *p, int64_t at)
{
    if (at < p->end) p->end = at;
}

bool pacer_exhausted(const struct pacer *p)
{
    if (p->shard->kind == LOAD_CLOSED) return p->cap == 0 || (p->limited && p->taken >= p->limit);
    /* an open loop that ends by time, not by count, lasts to the end of that time, and so does its window */
    const struct shard *s = p->shard;
    bool counted = s->requests_all != 0 && (s->n_turns == 0 || p->head.k >= s->requests_all);
    return !p->head_some && (counted || p->end == PACER_NEVER);
}

int64_t pacer_over(const struct pacer *p)
{
    return p->shard->kind == LOAD_OPEN ? ahead_of(p->t0, arrivals_over(&p->head)) : p->t0;
}
