#include "agent/due_heap.h"

#include <assert.h>
#include <stdlib.h>

int due_heap_reserve(struct due_heap *h, uint32_t n)
{
    if (n <= h->room) return 0;
    if (n < 2 * h->room) n = 2 * h->room;
    struct due_entry **more = realloc(h->list, n * sizeof *more);
    if (!more) return -1;
    h->list = more;
    h->room = n;
    return 0;
}

static void put(struct due_heap *h, uint32_t i, struct due_entry *e)
{
    h->list[i] = e;
    e->place = i + 1;
}

static void rise(struct due_heap *h, uint32_t i, struct due_entry *e)
{
    for (; i > 0 && h->list[(i - 1) / 2]->at > e->at; i = (i - 1) / 2)
        put(h, i, h->list[(i - 1) / 2]);
    put(h, i, e);
}

static void sink(struct due_heap *h, uint32_t i, struct due_entry *e)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && h->list[child + 1]->at < h->list[child]->at) child++;
        if (h->list[child]->at >= e->at) break;
        put(h, i, h->list[child]);
        i = child;
    }
    put(h, i, e);
}

void due_heap_add(struct due_heap *h, struct due_entry *e, int64_t at)
{
    assert(e->place == 0 && h->n < h->room);
    e->at = at;
    rise(h, h->n++, e);
}

void due_heap_remove(struct due_heap *h, struct due_entry *e)
{
    if (e->place == 0) return;
    uint32_t i = e->place - 1;
    struct due_entry *last = h->list[--h->n];
    e->place = 0;
    if (last == e) return;
    if (i > 0 && h->list[(i - 1) / 2]->at > last->at)
        rise(h, i, last);
    else
        sink(h, i, last);
}

void due_heap_clear(struct due_heap *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        h->list[i]->place = 0;
    free(h->list);
    *h = (struct due_heap){0};
}
