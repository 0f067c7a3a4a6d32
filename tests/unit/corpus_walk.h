/* Reads all that a corpus holds, so that a sanitizer sees a read beyond its map. */
#pragma once
#include <string.h>

#include "common/corpus.h"
#include "common/corpus_tree.h"

static inline void corpus_walk(const struct corpus *c, uint64_t at_most)
{
    volatile uint64_t sum = 0;
    for (uint64_t i = 0; i < corpus_count(c) && i < at_most; i++) {
        struct corpus_record r;
        struct corpus_message m;
        if (corpus_get(c, i, &r) < 0) continue;
        for (size_t at = 0; corpus_message(&r, &at, &m);)
            for (size_t k = 0; k < m.len; k++)
                sum += (unsigned char)m.text[k];
        for (uint32_t k = 0; k < r.n_blocks; k++)
            sum += corpus_block(&r, k);
        if (r.body) sum += strlen(r.body);
        struct corpus_tree t;
        struct tree_node_data d;
        if (!corpus_tree_open(&r, &t)) continue;
        for (uint32_t k = 0; k < t.n; k++) {
            corpus_tree_node(&t, k, &d);
            sum += corpus_tree_blocks(&d);
            for (uint32_t a = 0; a < d.n_after; a++)
                sum += corpus_tree_after(&t, d.after_at + a);
        }
    }
    (void)sum;
}
