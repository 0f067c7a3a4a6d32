/* The places of requests: made as they are needed, used again and again. */
#include <stdlib.h>

#include "agent/stage.h"

static int room_for(struct stage *st, uint32_t n, struct err *e)
{
    if (n <= st->room) return 0;
    uint32_t room = st->room ? st->room : 64;
    while (room < n)
        room *= 2;
    struct request ***lists[] = {&st->places, &st->idle, &st->open};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct request **more = realloc(*lists[i], room * sizeof *more);
        if (!more) return err_set(e, ERR_NOMEM, "no memory for %u requests", n);
        *lists[i] = more;
    }
    st->room = room;
    if (st->plan && st->plan->retries.max && due_heap_reserve(&st->again, room))
        return err_set(e, ERR_NOMEM, "no memory for %u requests", n);
    return 0;
}

struct request *stage_place_new(struct stage *st, struct err *e)
{
    if (room_for(st, st->n_places + 1, e) < 0) return NULL;
    struct request *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(e, ERR_NOMEM, "no memory for a request");
        return NULL;
    }
    r->stage = st;
    r->again.owner = r;
    r->body.text.max = STAGE_BODY_MAX;
    r->answer.max = TALK_ANSWER_MAX;
    uint32_t address = st->n_usable ? st->usable[st->next_usable++ % st->n_usable] : 0;
    transfer_init(&r->transfer, st->tr, r, address);
    st->places[st->n_places++] = r;
    return r;
}

struct request *stage_take_place(struct stage *st)
{
    return st->n_idle ? st->idle[--st->n_idle] : stage_place_new(st, NULL);
}

void stage_drop_places(struct stage *st)
{
    for (uint32_t i = 0; i < st->n_places; i++) {
        transfer_clear(&st->places[i]->transfer);
        payload_clear(&st->places[i]->body);
        buf_clear(&st->places[i]->answer);
        free(st->places[i]);
    }
    free(st->places);
    free(st->idle);
    free(st->open);
    st->places = st->idle = st->open = NULL;
    st->n_places = st->n_idle = st->n_open = st->room = 0;
}
