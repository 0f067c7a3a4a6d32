#include "coordinator/run/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

#define KINDS 4
static const enum metric KEPT[KINDS] = {METRIC_ITL, METRIC_CHUNK_GAP, METRIC_TTFT, METRIC_TPOT_SUFFIX};

struct cell {
    uint64_t slot;  /* second >> time_shift */
    uint32_t group; /* agent >> agent_shift */
    uint64_t tokens;
    struct hist *hist[KINDS];
};

struct blocks {
    struct cell *cell; /* sorted by slot, then group: new ones come near the end */
    size_t n, cap;
    uint64_t bytes; /* of buckets in use */
    unsigned level;
};

static unsigned time_shift(const struct blocks *b)
{
    return (b->level + 1) / 2;
}
static unsigned agent_shift(const struct blocks *b)
{
    return b->level / 2;
}

struct blocks *blocks_new(void)
{
    return calloc(1, sizeof(struct blocks));
}

static void cell_clear(struct cell *c)
{
    for (int k = 0; k < KINDS; k++)
        hist_destroy(&c->hist[k]);
}

void blocks_destroy(struct blocks **b)
{
    if (!*b) return;
    for (size_t i = 0; i < (*b)->n; i++)
        cell_clear(&(*b)->cell[i]);
    free((*b)->cell);
    free(*b);
    *b = NULL;
}

static uint64_t hist_bytes(const struct hist *h)
{
    return h ? (uint64_t)(h->used_hi - h->used_lo) * sizeof(uint64_t) : 0;
}

static int order(const struct cell *c, uint64_t slot, uint32_t group)
{
    if (c->slot != slot) return c->slot < slot ? -1 : 1;
    return c->group < group ? -1 : c->group > group;
}

/* First cell that is not before (slot, group). */
static size_t find(const struct blocks *b, uint64_t slot, uint32_t group)
{
    size_t lo = 0, hi = b->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (order(&b->cell[mid], slot, group) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct cell *cell_at(struct blocks *b, uint64_t slot, uint32_t group)
{
    size_t at = find(b, slot, group);
    if (at < b->n && order(&b->cell[at], slot, group) == 0) return &b->cell[at];
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 64;
        struct cell *p = realloc(b->cell, cap * sizeof *p);
        if (!p) return NULL;
        b->cell = p;
        b->cap = cap;
    }
    memmove(&b->cell[at + 1], &b->cell[at], (b->n - at) * sizeof *b->cell);
    b->cell[at] = (struct cell){.slot = slot, .group = group};
    b->n++;
    return &b->cell[at];
}

/* Adds one of the two. */
static int cell_merge(struct blocks *b, struct cell *to, int kind, const struct hist *from,
                      const struct hist_sparse *sparse)
{
    const struct hist *whole = sparse ? &sparse->whole : from;
    if (!whole || !whole->count) return 0;
    if (!to->hist[kind] && !(to->hist[kind] = hist_new())) return -1;
    b->bytes -= hist_bytes(to->hist[kind]);
    int rc = sparse ? hist_add_sparse(to->hist[kind], sparse) : hist_merge(to->hist[kind], from);
    b->bytes += hist_bytes(to->hist[kind]);
    return rc;
}

static int cell_order(const void *a, const void *b)
{
    const struct cell *y = b;
    return order(a, y->slot, y->group);
}

static int coarsen(struct blocks *b)
{
    unsigned t = time_shift(b), a = agent_shift(b);
    b->level++;
    t = time_shift(b) - t;
    a = agent_shift(b) - a;
    for (size_t i = 0; i < b->n; i++) {
        b->cell[i].slot >>= t;
        b->cell[i].group >>= a;
    }
    qsort(b->cell, b->n, sizeof *b->cell, cell_order);
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct cell *c = &b->cell[i];
        if (n && order(&b->cell[n - 1], c->slot, c->group) == 0) {
            struct cell *to = &b->cell[n - 1];
            to->tokens += c->tokens;
            for (int k = 0; k < KINDS; k++) {
                if (cell_merge(b, to, k, c->hist[k], NULL)) rc = -1;
                b->bytes -= hist_bytes(c->hist[k]);
            }
            cell_clear(c);
        } else {
            b->cell[n++] = *c;
        }
    }
    b->n = n;
    return rc;
}

int blocks_add(struct blocks *b, uint32_t agent, const struct snapshot *snap, const struct hist_sparse hist[METRIC_N])
{
    bool any = snap->series_tokens > 0;
    for (int k = 0; k < KINDS; k++)
        any |= hist[KEPT[k]].whole.count > 0;
    if (!any) return 0;
    uint64_t second = (uint64_t)(snap->from_ns + (snap->to_ns - snap->from_ns) / 2) / (uint64_t)NS_PER_S;
    struct cell *c = cell_at(b, second >> time_shift(b), agent >> agent_shift(b));
    if (!c) return -1;
    c->tokens += snap->series_tokens;
    for (int k = 0; k < KINDS; k++)
        if (cell_merge(b, c, k, NULL, &hist[KEPT[k]])) return -1;
    while ((b->n > BLOCKS_MAX || b->bytes > BLOCKS_BYTES) && b->n > 1 && b->level < 60)
        if (coarsen(b)) return -1;
    return 0;
}

int blocks_finish(struct blocks *b, struct block **ret, size_t *ret_n)
{
    struct block *out = calloc(b->n ? b->n : 1, sizeof *out);
    if (!out) return -1;
    double width = (double)(UINT64_C(1) << time_shift(b));
    for (size_t i = 0; i < b->n; i++) {
        struct cell *c = &b->cell[i];
        out[i] = (struct block){.agent = c->group << agent_shift(b),
                                .t_s = (double)c->slot * width,
                                .span_s = width,
                                .tokens = (double)c->tokens,
                                .itl = c->hist[0],
                                .chunk_gap = c->hist[1],
                                .ttft = c->hist[2],
                                .tpot = c->hist[3]};
    }
    *ret = out;
    *ret_n = b->n;
    b->n = 0;
    b->bytes = 0;
    return 0;
}

int blocks_peek(const struct blocks *b, struct block **ret, size_t *ret_n)
{
    struct blocks copy = *b;
    int rc = 0;
    copy.cell = calloc(b->n ? b->n : 1, sizeof *copy.cell);
    if (!copy.cell) return -1;
    for (size_t i = 0; i < b->n; i++) {
        copy.cell[i] = b->cell[i];
        for (int k = 0; k < KINDS; k++) {
            copy.cell[i].hist[k] = b->cell[i].hist[k] ? hist_copy(b->cell[i].hist[k]) : NULL;
            if (b->cell[i].hist[k] && !copy.cell[i].hist[k]) rc = -1;
        }
    }
    if (rc == 0) rc = blocks_finish(&copy, ret, ret_n);
    for (size_t i = 0; rc && i < b->n; i++)
        cell_clear(&copy.cell[i]);
    free(copy.cell);
    return rc;
}
