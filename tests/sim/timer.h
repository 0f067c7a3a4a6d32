/* Timers in due order: a 4-ary heap of nodes that live inside their owners, so that setting one never allocates once
 * the heap has grown to its owners' number. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SIM_TIMER_OFF SIZE_MAX

struct sim_timer {
    int64_t due;
    size_t at; /* place in the heap; SIM_TIMER_OFF when not set */
    int kind;  /* the owner's */
    void *owner;
};
struct sim_timers {
    struct slot {
        int64_t due;
        struct sim_timer *timer;
    } * slot;
    size_t n, cap;
};

void sim_timer_init(struct sim_timer *t, int kind, void *owner);
int sim_timers_reserve(struct sim_timers *h, size_t n); /* -1 without memory; afterwards n timers can be set */
void sim_timers_clear(struct sim_timers *h);
void sim_timer_set(struct sim_timers *h, struct sim_timer *t, int64_t due); /* sets or moves */
void sim_timer_clear(struct sim_timers *h, struct sim_timer *t);
int64_t sim_timers_next(const struct sim_timers *h); /* INT64_MAX when none */
struct sim_timer *sim_timers_top(const struct sim_timers *h);
