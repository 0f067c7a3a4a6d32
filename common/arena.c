#include "common/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 16384, ALIGN = 16 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char bytes[];
};

struct arena {
    struct chunk *chunks;
    size_t total, max;
};

struct arena *arena_new(size_t max)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a) a->max = max;
    return a;
}

void arena_destroy(struct arena **a)
{
    if (!a || !*a) return;
    for (struct chunk *c = (*a)->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free(*a);
    *a = NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (!a || n > a->max) return NULL;
    n = (n + ALIGN - 1) / ALIGN * ALIGN;
    if (n == 0) n = ALIGN;
    if (n > a->max - a->total) return NULL;
    struct chunk *c = a->chunks;
    if (!c || c->size - c->used < n) {
        size_t size = n > CHUNK ? n : CHUNK;
        c = calloc(1, sizeof *c + size);
        if (!c) return NULL;
        c->size = size;
        c->next = a->chunks;
        a->chunks = c;
    }
    void *p = c->bytes + c->used;
    c->used += n;
    a->total += n;
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size) return NULL;
    return arena_alloc(a, n * size);
}

char *arena_text(struct arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX) return NULL;
    char *p = arena_alloc(a, n + 1);
    if (p && n) memcpy(p, s, n);
    return p;
}
