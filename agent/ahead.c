#include "agent/ahead.h"

#include <stdlib.h>

enum { BODIES = 2 * AHEAD_MOST };

static struct ahead_body *body(struct ahead *a, uint32_t i)
{
    return &a->bodies[(a->first_body + i) % BODIES];
}

/* Room of bodies that have been sent, or belong to a request that has ended, is free again, the oldest first. */
static void give_back(struct ahead *a)
{
    for (; a->n_bodies > 0; a->first_body = (a->first_body + 1) % BODIES, a->n_bodies--) {
        const struct ahead_body *b = body(a, 0);
        if (b->payload->made != a->room + b->from) continue;
        if (!b->transfer->open || b->transfer->written == 0) return;
        b->payload->made = NULL; /* if it is sent again, it is made from its words */
    }
}

/* Where n bytes in one piece are free; SIZE_MAX: nowhere. */
static size_t room_for(struct ahead *a, size_t n)
{
    if (n > AHEAD_BYTES / 8 || a->n_bodies == BODIES) return SIZE_MAX;
    if (a->n_bodies == 0) return 0;
    size_t from = body(a, 0)->from, to = body(a, a->n_bodies - 1)->to;
    if (to <= from) return from - to > n ? to : SIZE_MAX; /* never full: then `to` would be `from` again */
    if (AHEAD_BYTES - to >= n) return to;
    return from > n ? 0 : SIZE_MAX;
}

void ahead_make(struct ahead *a, struct payload *p, const struct transfer *x)
{
    struct payload_rest rest;
    give_back(a);
    payload_begin(&rest, p);
    size_t n = rest.left, from = room_for(a, n);
    if (from == SIZE_MAX) return;
    (void)payload_read(&rest, a->room + from, n);
    p->made = a->room + from;
    *body(a, a->n_bodies++) = (struct ahead_body){.payload = p, .transfer = x, .from = from, .to = from + n};
}

void ahead_begin(struct ahead *a, const struct shard *s)
{
    a->first = a->n = a->first_body = a->n_bodies = 0;
    a->taken = 0;
    arrivals_init(&a->schedule, s);
    if (!a->room) a->room = malloc(AHEAD_BYTES);
    a->on = a->room != NULL;
}

void ahead_end(struct ahead *a)
{
    free(a->room);
    *a = (struct ahead){0};
}

bool ahead_has_room(struct ahead *a)
{
    give_back(a);
    return room_for(a, AHEAD_BYTES / 8) != SIZE_MAX;
}
