/* A session tree in a record of a corpus: the requests of an agent and of its sub-agents, each with those that must
 * have ended before it begins. Sequence, spawning, joining, background work and parallel branches are all this one
 * relation:
 *
 *   root   0 ──▶ 1 ───────────▶ 4 ──▶ 5         4 waits for 1 and 3 (join); 6 is waited for by nobody (background)
 *                ├──▶ 2 ──▶ 3 ──┘
 *                └──▶ 6
 *
 * Requests that others wait for come before them. A prompt is hash ids of blocks: the first `shared` of those of an
 * earlier request (`base`), then its own. So a conversation that grows costs what is new in each turn. In a record with
 * messages the ids are numbers of those. The bytes may be anybody's: corpus_tree_open checks every one of them. Pure.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/corpus.h"

#define TREE_NODES_MAX 16384u
#define TREE_LATEST_NS (INT64_C(1) << 56) /* two years */
#define TREE_NO_BASE UINT32_MAX

struct tree_node_data {
    int64_t at_ns;   /* when it began in the record, from the tree's first request */
    int64_t wait_ns; /* from the end of the last that it waits for (of none: from the tree's beginning) */
    uint32_t input_tokens, output_tokens;
    uint32_t base, shared;      /* its prompt begins with so many blocks of that request's; TREE_NO_BASE: none */
    uint32_t own_at, own_n;     /* … and continues with these of the record's blocks */
    uint32_t thread, turn;      /* of which agent of the tree, from 0; its turn there, from 1 */
    uint32_t model;             /* which of the tree's models, in the order in which they came */
    uint32_t after_at, n_after; /* those it waits for, of tree.after */
};

/* Borrowed from the record. */
struct corpus_tree {
    const struct corpus_record *record;
    uint32_t n, n_after;
    uint64_t scope; /* equal hash ids mean equal text within a scope; 0: everywhere */
    const uint8_t *nodes, *after;
};

/* False: the record holds no tree, or its bytes are not what they should be. */
bool corpus_tree_open(const struct corpus_record *r, struct corpus_tree *ret);
/* The same of a record that was opened before; its requests are not looked at again. */
bool corpus_tree_view(const struct corpus_record *r, struct corpus_tree *ret);
void corpus_tree_node(const struct corpus_tree *t, uint32_t i, struct tree_node_data *ret); /* i < n */
uint32_t corpus_tree_after(const struct corpus_tree *t, uint32_t k);                        /* k < n_after */
/* Blocks of a node's prompt in all. */
uint32_t corpus_tree_blocks(const struct tree_node_data *d);

/* Writes the tree's part of a record; -1 when `out` is full. */
int corpus_tree_write(const struct tree_node_data *nodes, uint32_t n, const uint32_t *after, uint32_t n_after,
                      uint64_t scope, struct buf *out);
