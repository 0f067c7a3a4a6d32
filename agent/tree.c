#include "agent/tree.h"

#include <stdlib.h>
#include <string.h>

static int make_room(struct session_tree *k, uint32_t nodes, uint32_t edges)
{
    if (nodes > k->room) {
        struct tree_node *node = malloc(nodes * sizeof *node);
        if (!node) return -1;
        free(k->node); /* what is in it is of a tree that has ended */
        k->node = node;
        k->room = nodes;
    }
    if (edges > k->next_room) {
        uint32_t *next = malloc(edges * sizeof *next);
        if (!next) return -1;
        free(k->next);
        k->next = next;
        k->next_room = edges;
    }
    return 0;
}

/* Who waits for whom, the other way round. */
static void turn_round(struct session_tree *k)
{
    struct tree_node_data d;
    uint32_t at = 0;
    for (uint32_t i = 0; i < k->data.n; i++) {
        corpus_tree_node(&k->data, i, &d);
        k->node[i] = (struct tree_node){.tree = k, .index = i, .left = d.n_after};
        k->node[i].due.owner = &k->node[i];
        for (uint32_t a = 0; a < d.n_after; a++)
            k->node[corpus_tree_after(&k->data, d.after_at + a)].n_next++;
    }
    for (uint32_t i = 0; i < k->data.n; i++) {
        k->node[i].next_at = at;
        at += k->node[i].n_next;
        k->node[i].n_next = 0;
    }
    for (uint32_t i = 0; i < k->data.n; i++) {
        corpus_tree_node(&k->data, i, &d);
        for (uint32_t a = 0; a < d.n_after; a++) {
            struct tree_node *before = &k->node[corpus_tree_after(&k->data, d.after_at + a)];
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): make_room freed what was there before this */
            k->next[before->next_at + before->n_next++] = i;
        }
    }
}

/* When a request begins, that may from `at` on. Of a pause across the moment at which its tree began, what is left. */
static int64_t begins(const struct session_tree *k, const struct tree_node_data *d, int64_t at, int64_t pause)
{
    int64_t wait = d->wait_ns > pause ? d->wait_ns : pause, left = d->at_ns > k->from_ns ? d->at_ns - k->from_ns : 0;
    if (at >= k->hold) return at + wait;
    return k->hold + (left < wait ? left : wait);
}

/* What lies before `from_ns` is gone, but for the latest of each agent that goes on after it. */
static int leave_out(struct session_tree *k)
{
    int64_t from_ns = k->from_ns;
    enum { NOBODY = -1 };
    struct tree_node_data d;
    struct {
        int64_t latest_ns;
        uint32_t latest;
        bool goes_on;
    } *of = calloc(k->data.n, sizeof *of); /* each agent: a tree has no more of them than requests */
    if (!of) return -1;
    for (uint32_t i = 0; i < k->data.n; i++)
        of[i].latest_ns = NOBODY;
    for (uint32_t i = 0; i < k->data.n; i++) {
        corpus_tree_node(&k->data, i, &d);
        of[d.thread].goes_on |= d.at_ns >= from_ns;
        if (d.at_ns >= from_ns || d.at_ns < of[d.thread].latest_ns) continue;
        of[d.thread].latest_ns = d.at_ns;
        of[d.thread].latest = i;
    }
    for (uint32_t i = 0; i < k->data.n; i++) {
        corpus_tree_node(&k->data, i, &d);
        if (d.at_ns >= from_ns) continue;
        if (of[d.thread].goes_on && of[d.thread].latest == i) {
            k->warming++;
            continue;
        }
        k->node[i].gone = true;
        k->left--;
        for (uint32_t s = 0; s < k->node[i].n_next; s++)
            k->node[k->next[k->node[i].next_at + s]].left--;
    }
    free(of);
    return 0;
}

static void first_ones(struct trees *t, struct session_tree *k, int64_t now)
{
    int64_t from_ns = k->from_ns;
    struct tree_node_data d;
    for (uint32_t i = 0; i < k->data.n; i++) {
        struct tree_node *n = &k->node[i];
        if (n->gone || n->left > 0) continue;
        corpus_tree_node(&k->data, i, &d);
        int64_t wait = from_ns == 0 ? d.wait_ns : d.at_ns > from_ns ? d.at_ns - from_ns : 0;
        bool warms = d.at_ns < from_ns;
        due_heap_add(&t->due, &n->due, (warms || now >= k->hold ? now : k->hold) + wait);
    }
}

struct session_tree *trees_begin(struct trees *t, const struct corpus_record *r, double share, int64_t hold,
                                 int64_t now)
{
    struct corpus_tree data;
    if (!corpus_tree_open(r, &data)) return NULL;
    struct session_tree *k = t->ended;
    if (!k && !(k = t->ended = calloc(1, sizeof *k))) return NULL;
    if (make_room(k, data.n, data.n_after) || due_heap_reserve(&t->due, t->nodes + data.n)) return NULL;
    t->ended = k->other;
    struct tree_node *node = k->node;
    uint32_t *next = k->next, room = k->room, next_room = k->next_room;
    *k = (struct session_tree){.record = *r,
                               .data = data,
                               .node = node,
                               .next = next,
                               .room = room,
                               .next_room = next_room,
                               .left = data.n,
                               .began_due = now,
                               .hold = hold,
                               .other = t->open_first,
                               .link = &t->open_first};
    k->data.record = &k->record;
    if (k->other) k->other->link = &k->other;
    t->open_first = k;
    t->open++;
    t->nodes += data.n;
    turn_round(k);
    int64_t length = 0;
    struct tree_node_data d;
    for (uint32_t i = 0; share > 0 && i < data.n; i++) {
        corpus_tree_node(&data, i, &d);
        if (d.at_ns > length) length = d.at_ns;
    }
    k->from_ns = (int64_t)(share * (double)length);
    if (k->from_ns > length) k->from_ns = length;
    if (k->from_ns > 0 && leave_out(k)) {
        trees_drop(t, k);
        return NULL;
    }
    first_ones(t, k, now);
    return k;
}

struct tree_node *trees_due(struct trees *t, int64_t now)
{
    struct due_entry *e = due_heap_first(&t->due);
    if (!e || e->at > now) return NULL;
    due_heap_remove(&t->due, e);
    return e->owner;
}

uint32_t trees_tell(struct tree_node *n)
{
    struct session_tree *k = n->tree;
    struct tree_node_data d;
    corpus_tree_node(&k->data, n->index, &d);
    uint32_t left = corpus_tree_blocks(&d), known = n->told < left ? n->told : left;
    n->told = left;
    while (d.base != TREE_NO_BASE && known < left) {
        struct tree_node *base = &k->node[d.base];
        if (d.shared < left) left = d.shared;
        uint32_t both = base->told < left ? base->told : left;
        if (both > known) known = both;
        if (base->told >= left) break; /* and so its own base has told all of that too */
        base->told = left;
        corpus_tree_node(&k->data, d.base, &d);
    }
    return known;
}

bool trees_ended(struct trees *t, struct tree_node *n, int64_t at, int64_t pause)
{
    struct session_tree *k = n->tree;
    struct tree_node_data d;
    n->gone = true;
    k->left--;
    corpus_tree_node(&k->data, n->index, &d);
    if (d.at_ns < k->from_ns) k->warming--;
    for (uint32_t s = 0; s < n->n_next; s++) {
        struct tree_node *next = &k->node[k->next[n->next_at + s]];
        corpus_tree_node(&k->data, next->index, &d);
        int64_t may = begins(k, &d, at, pause);
        if (may > next->may) next->may = may; /* ends are not told in the order in which they came */
        if (--next->left > 0 || next->gone) continue;
        due_heap_add(&t->due, &next->due, next->may);
    }
    return k->left == 0;
}

void trees_drop(struct trees *t, struct session_tree *k)
{
    for (uint32_t i = 0; i < k->data.n; i++)
        due_heap_remove(&t->due, &k->node[i].due);
    *k->link = k->other;
    if (k->other) k->other->link = k->link;
    t->open--;
    t->nodes -= k->data.n;
    k->other = t->ended;
    t->ended = k;
}

void trees_restart(struct trees *t)
{
    while (t->open_first)
        trees_drop(t, t->open_first);
}

void trees_clear(struct trees *t)
{
    trees_restart(t);
    for (struct session_tree *k; (k = t->ended) != NULL;) {
        t->ended = k->other;
        free(k->node);
        free(k->next);
        free(k);
    }
    due_heap_clear(&t->due);
    *t = (struct trees){0};
}
