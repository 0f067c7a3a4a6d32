/* Recorded arrivals whose bodies are made before they are due. */
#include "agent/stage.h"

/* Behind a body that found no room none is made: so the texts of those ahead are bounded, too. */
static bool has_room(struct ahead *a)
{
    if (a->n > 0 && !a->list[(a->first + a->n - 1) % AHEAD_MOST]->body.made) return false;
    return a->n < AHEAD_MOST && ahead_has_room(a);
}

bool stage_make_ahead(struct stage *st)
{
    struct ahead *a = &st->ahead;
    int64_t due;
    uint64_t number;
    if (!a->on || st->closed || !has_room(a)) return false;
    do
        a->on = arrivals_next(&a->schedule, &due, &number) != 0;
    while (a->on && number < a->taken); /* while there was no time, these were sent */
    struct request *r = a->on ? stage_take_place(st) : NULL;
    if (!r) {
        a->on = false;
        return false;
    }
    r->talk = NULL;
    r->node = NULL;
    r->stream.text = NULL;
    r->stream.turn = 0;
    a->list[(a->first + a->n++) % AHEAD_MOST] = r;
    if (stage_write_body(st, r, number) < 0)
        r->number = UINT64_MAX; /* it will be said when it is due */
    else
        ahead_make(a, &r->body, &r->transfer);
    return true;
}

struct request *stage_take_made(struct stage *st, uint64_t number)
{
    struct ahead *a = &st->ahead;
    a->taken = number + 1;
    while (a->n > 0) {
        struct request *r = a->list[a->first];
        if (r->number > number && r->number != UINT64_MAX) return NULL;
        a->first = (a->first + 1) % AHEAD_MOST;
        a->n--;
        if (r->number == number) return r;
        payload_reset(&r->body);
        st->idle[st->n_idle++] = r; /* its arrival was given up, or its body cannot be written */
    }
    return NULL;
}
