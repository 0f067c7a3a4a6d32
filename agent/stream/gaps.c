#include "agent/stream/gaps.h"

#include <assert.h>
#include <stdlib.h>

#define ESCAPE UINT32_C(0xffffffff) /* followed by tokens, low word and high word of the gap */
#define CHUNKS_PER_SLAB 2048u       /* 1 MiB */

struct gap_pool *gap_pool_new(uint64_t gaps, uint32_t carries, struct err *e)
{
    struct gap_pool *p = calloc(1, sizeof *p);
    if (!p) {
        (void)err_set(e, ERR_NOMEM, "no memory for a worker's pool");
        return NULL;
    }
    if (slab_init(&p->chunks, sizeof(struct gap_chunk), CHUNKS_PER_SLAB, gaps / GAP_CHUNK_WORDS + 1, e) == 0 &&
        carry_pool_init(&p->carries, carries, e) == 0)
        return p;
    gap_pool_destroy(&p);
    return NULL;
}

void gap_pool_destroy(struct gap_pool **p)
{
    if (!*p) return;
    slab_clear(&(*p)->chunks);
    carry_pool_clear(&(*p)->carries);
    free(*p);
    *p = NULL;
}

uint64_t gap_pool_grown(const struct gap_pool *p)
{
    return p->chunks.grown + p->carries.small.grown + p->carries.large.grown;
}

void gaps_init(struct gaps *gaps, struct gap_pool *pool)
{
    *gaps = (struct gaps){.pool = pool};
}

void gaps_clear(struct gaps *gaps)
{
    while (gaps->head) {
        struct gap_chunk *next = gaps->head->next;
        slab_give(&gaps->pool->chunks, gaps->head);
        gaps->head = next;
    }
    *gaps = (struct gaps){.pool = gaps->pool};
}

static bool put_word(struct gaps *gaps, uint32_t word)
{
    if (!gaps->tail || gaps->fill == GAP_CHUNK_WORDS) {
        struct gap_chunk *c = slab_take(&gaps->pool->chunks);
        if (!c) return false;
        c->next = NULL;
        if (gaps->tail)
            gaps->tail->next = c;
        else
            gaps->head = c;
        gaps->tail = c;
        gaps->fill = 0;
    }
    gaps->tail->word[gaps->fill++] = word;
    return true;
}

void gaps_put_long(struct gaps *gaps, int64_t gap_ns, uint32_t tokens)
{
    assert(tokens > 0);
    if (gaps->lost > 0) { /* the log ends where memory ran out, so that it has no half entries and no holes */
        gaps->lost++;
        return;
    }
    uint64_t ns =
        gap_ns < 0 ? 0 : (uint64_t)gap_ns; /* arrivals of one stream run backwards only when a clock is wrong */
    bool ok;
    if (tokens == 1 && ns < ESCAPE)
        ok = put_word(gaps, (uint32_t)ns);
    else
        ok = put_word(gaps, ESCAPE) && put_word(gaps, tokens) && put_word(gaps, (uint32_t)ns) &&
             put_word(gaps, (uint32_t)(ns >> 32));
    if (ok)
        gaps->n++;
    else
        gaps->lost++;
}

void gaps_begin(struct gap_iter *it, const struct gaps *gaps)
{
    *it = (struct gap_iter){.gaps = gaps, .chunk = gaps->head, .left = gaps->n};
}

static uint32_t take_word(struct gap_iter *it)
{
    if (it->at == GAP_CHUNK_WORDS) {
        it->chunk = it->chunk->next;
        it->at = 0;
    }
    return it->chunk->word[it->at++];
}

size_t gaps_run(struct gap_iter *it, const uint32_t **ret)
{
    if (it->left == 0) return 0;
    if (it->at == GAP_CHUNK_WORDS) {
        it->chunk = it->chunk->next;
        it->at = 0;
    }
    const uint32_t *words = it->chunk->word + it->at;
    uint32_t n = 0, most = GAP_CHUNK_WORDS - it->at;
    if (most > it->left) most = it->left;
    while (n < most && words[n] != ESCAPE)
        n++;
    it->at += n;
    it->left -= n;
    *ret = words;
    return n;
}

bool gaps_next(struct gap_iter *it, struct gap *ret)
{
    if (it->left == 0) return false;
    it->left--;
    uint32_t word = take_word(it);
    *ret = (struct gap){.ns = word, .tokens = 1};
    if (word == ESCAPE) {
        ret->tokens = take_word(it);
        uint64_t low = take_word(it);
        ret->ns = (int64_t)(low | (uint64_t)take_word(it) << 32);
    }
    return true;
}
