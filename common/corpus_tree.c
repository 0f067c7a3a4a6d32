#include "common/corpus_tree.h"

#include <string.h>

/* On disk: n, n_after (4 bytes each), scope (8), the nodes (as they lie in memory), after (4 bytes each). */
enum { TREE_HEAD = 16 };
_Static_assert(sizeof(struct tree_node_data) == 64, "a node has no padding that would be written");

static uint32_t get_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

void corpus_tree_node(const struct corpus_tree *t, uint32_t i, struct tree_node_data *ret)
{
    memcpy(ret, t->nodes + (size_t)i * sizeof *ret, sizeof *ret);
}

uint32_t corpus_tree_after(const struct corpus_tree *t, uint32_t k)
{
    return get_u32(t->after + (size_t)k * 4);
}

uint32_t corpus_tree_blocks(const struct tree_node_data *d)
{
    return (d->base == TREE_NO_BASE ? 0 : d->shared) + d->own_n;
}

static bool node_is_good(const struct corpus_tree *t, uint32_t i)
{
    struct tree_node_data d, base;
    corpus_tree_node(t, i, &d);
    if (d.at_ns < 0 || d.wait_ns < 0 || d.at_ns > TREE_LATEST_NS || d.wait_ns > TREE_LATEST_NS || d.turn == 0 ||
        d.thread >= t->n || d.output_tokens == 0)
        return false;
    if (d.own_n > t->record->n_blocks || d.own_at > t->record->n_blocks - d.own_n) return false;
    if (d.n_after > t->n_after || d.after_at > t->n_after - d.n_after) return false;
    for (uint32_t k = 0; k < d.n_after; k++)
        if (corpus_tree_after(t, d.after_at + k) >= i) return false; /* and so it has no cycle */
    if (d.base == TREE_NO_BASE) return true;
    if (d.base >= i) return false;
    corpus_tree_node(t, d.base, &base);
    return d.shared <= corpus_tree_blocks(&base) && d.shared <= UINT32_MAX - d.own_n;
}

bool corpus_tree_view(const struct corpus_record *r, struct corpus_tree *ret)
{
    if (r->tree_n < TREE_HEAD) return false;
    *ret = (struct corpus_tree){.record = r, .n = get_u32(r->tree), .n_after = get_u32(r->tree + 4)};
    memcpy(&ret->scope, r->tree + 8, sizeof ret->scope);
    ret->nodes = r->tree + TREE_HEAD;
    ret->after = ret->nodes + (size_t)ret->n * sizeof(struct tree_node_data);
    if (ret->n == 0 || ret->n > TREE_NODES_MAX) return false;
    uint64_t size = TREE_HEAD + (uint64_t)ret->n * sizeof(struct tree_node_data) + (uint64_t)ret->n_after * 4;
    return size == r->tree_n;
}

bool corpus_tree_open(const struct corpus_record *r, struct corpus_tree *ret)
{
    if (!corpus_tree_view(r, ret)) return false;
    for (uint32_t i = 0; i < ret->n; i++)
        if (!node_is_good(ret, i)) return false;
    return true;
}

int corpus_tree_write(const struct tree_node_data *nodes, uint32_t n, const uint32_t *after, uint32_t n_after,
                      uint64_t scope, struct buf *out)
{
    (void)buf_put(out, &n, 4);
    (void)buf_put(out, &n_after, 4);
    (void)buf_put(out, &scope, 8);
    (void)buf_put(out, nodes, (size_t)n * sizeof *nodes);
    if (n_after) (void)buf_put(out, after, (size_t)n_after * 4);
    return out->bad ? -1 : 0;
}
