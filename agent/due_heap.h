/* What is to be done later, by its moment: a binary heap of entries that lie in what owns them. Adding, taking and
 * removing cost O(log n). Pure. */
#pragma once
#include <stdint.h>

struct due_entry {
    int64_t at;
    uint32_t place; /* in the heap, from 1; 0: in none */
    void *owner;
};
struct due_heap {
    struct due_entry **list;
    uint32_t n, room;
};

/* Room for n entries, so that adding them does not fail; -1 without memory. */
int due_heap_reserve(struct due_heap *h, uint32_t n);
/* The entry is in no heap, and there is room for it. */
void due_heap_add(struct due_heap *h, struct due_entry *e, int64_t at);
void due_heap_remove(struct due_heap *h, struct due_entry *e); /* if it is in it */
void due_heap_clear(struct due_heap *h);                       /* the entries are in no heap then */
/* The earliest; NULL: none. */
static inline struct due_entry *due_heap_first(const struct due_heap *h)
{
    return h->n ? h->list[0] : 0;
}
static inline int64_t due_heap_next(const struct due_heap *h)
{
    return h->n ? h->list[0]->at : INT64_MAX;
}
