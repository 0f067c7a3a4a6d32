#include "tests/sim/timer.h"

#include <assert.h>
#include <stdlib.h>

void sim_timer_init(struct sim_timer *t, int kind, void *owner)
{
    *t = (struct sim_timer){.at = SIM_TIMER_OFF, .kind = kind, .owner = owner};
}

int sim_timers_reserve(struct sim_timers *h, size_t n)
{
    if (n <= h->cap) return 0;
    size_t cap = h->cap ? h->cap * 2 : 256;
    while (cap < n)
        cap *= 2;
    struct slot *grown = realloc(h->slot, cap * sizeof *grown);
    if (!grown) return -1;
    h->slot = grown;
    h->cap = cap;
    return 0;
}

void sim_timers_clear(struct sim_timers *h)
{
    free(h->slot);
    *h = (struct sim_timers){0};
}

static void put(struct sim_timers *h, size_t i, struct slot s)
{
    h->slot[i] = s;
    s.timer->at = i;
}

static void sift_up(struct sim_timers *h, size_t i)
{
    struct slot s = h->slot[i];
    while (i > 0 && s.due < h->slot[(i - 1) / 4].due) {
        put(h, i, h->slot[(i - 1) / 4]);
        i = (i - 1) / 4;
    }
    put(h, i, s);
}

static void sift_down(struct sim_timers *h, size_t i)
{
    struct slot s = h->slot[i];
    for (;;) {
        size_t first = 4 * i + 1, least = first;
        if (first >= h->n) break;
        for (size_t j = first + 1; j < first + 4 && j < h->n; j++)
            if (h->slot[j].due < h->slot[least].due) least = j;
        if (h->slot[least].due >= s.due) break;
        put(h, i, h->slot[least]);
        i = least;
    }
    put(h, i, s);
}

void sim_timer_set(struct sim_timers *h, struct sim_timer *t, int64_t due)
{
    t->due = due;
    if (t->at == SIM_TIMER_OFF) {
        assert(h->n < h->cap);
        put(h, h->n++, (struct slot){due, t});
        sift_up(h, t->at);
        return;
    }
    int64_t was = h->slot[t->at].due;
    h->slot[t->at].due = due;
    if (due < was)
        sift_up(h, t->at);
    else
        sift_down(h, t->at);
}

void sim_timer_clear(struct sim_timers *h, struct sim_timer *t)
{
    size_t i = t->at;
    if (i == SIM_TIMER_OFF) return;
    t->at = SIM_TIMER_OFF;
    struct slot last = h->slot[--h->n];
    if (i == h->n) return;
    put(h, i, last);
    sift_up(h, i);
    sift_down(h, last.timer->at);
}

int64_t sim_timers_next(const struct sim_timers *h)
{
    return h->n ? h->slot[0].due : INT64_MAX;
}

struct sim_timer *sim_timers_top(const struct sim_timers *h)
{
    return h->n ? h->slot[0].timer : NULL;
}
