#include "coordinator/run/clocksync.h"

void clocksync_begin(struct clocksync *c)
{
    c->left = CLOCKSYNC_EXCHANGES;
    c->best_delay = INT64_MAX;
    c->best_offset = 0;
}

void clocksync_track(struct clocksync *c)
{
    if (c->left) return;
    clocksync_begin(c);
    c->left = 1;
}

bool clocksync_settled(const struct clocksync *c, int64_t now, int64_t fresh_ns)
{
    return c->known && now - c->tried_ns <= fresh_ns;
}

int64_t clocksync_bound(const struct clocksync *c, int64_t now)
{
    int64_t age = now > c->at_ns ? now - c->at_ns : 0;
    return c->bound_ns + age / 1000000 * CLOCKSYNC_DRIFT_PPM;
}

static void settle(struct clocksync *c, int64_t now)
{
    int64_t bound = (c->best_delay + 1) / 2, was = clocksync_bound(c, now);
    int64_t apart = c->best_offset > c->offset_ns ? c->best_offset - c->offset_ns : c->offset_ns - c->best_offset;
    bool jumped = c->known && apart > bound + was;
    c->jumps += jumped;
    c->tried_ns = now;
    if (c->known && !jumped && bound > was) return; /* the known offset is still the more certain one */
    c->known = true;
    c->delay_ns = c->best_delay;
    c->offset_ns = c->best_offset;
    c->bound_ns = bound;
    c->at_ns = c->best_at;
}

void clocksync_ask(struct clocksync *c, int64_t now, uint32_t *ret_seq, int64_t *ret_t1)
{
    c->t1 = now;
    *ret_seq = ++c->seq;
    *ret_t1 = now;
}

/* Stamps come from another machine. Those that would overflow a difference cannot be times of a running machine. */
static bool plausible(int64_t t)
{
    return t >= 0 && t < INT64_MAX / 4;
}

enum clocksync_result clocksync_echo(struct clocksync *c, uint32_t seq, int64_t t1, int64_t t2, int64_t t3, int64_t t4)
{
    if (c->left == 0 || seq != c->seq || t1 != c->t1) return CLOCKSYNC_IGNORED;
    if (!plausible(t1) || !plausible(t2) || !plausible(t3) || !plausible(t4) || t3 < t2 || t4 < t1)
        return CLOCKSYNC_IGNORED;
    int64_t delay = (t4 - t1) - (t3 - t2);
    if (delay < 0) return CLOCKSYNC_IGNORED;
    c->seq++; /* later copies of this echo are ignored */
    if (delay < c->best_delay) {
        c->best_delay = delay;
        c->best_offset = ((t2 - t1) + (t3 - t4)) / 2;
        c->best_at = t4;
    }
    if (--c->left) return CLOCKSYNC_MORE;
    settle(c, t4);
    return CLOCKSYNC_DONE;
}
