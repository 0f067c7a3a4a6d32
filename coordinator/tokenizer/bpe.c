#include "coordinator/tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/rng.h"

#define TOKEN_BYTES_MAX (256u << 20) /* of all tokens */
#define SEEN_N 65536u                /* pieces whose number of tokens is remembered */
#define SEEN_BYTES 27u

struct token {
    uint32_t at, len, id;
};
struct merge {
    uint64_t pair; /* left id, right id */
    uint32_t rank, id;
};
struct symbol {
    uint32_t id, before, after; /* of a piece under way; id BPE_NONE: merged into one before it */
};
struct candidate {
    uint32_t rank, at, id;
    uint64_t pair;
};
struct seen {
    uint32_t n; /* tokens; 0: nothing is remembered here */
    uint8_t len, bytes[SEEN_BYTES];
};

struct bpe {
    struct buf text; /* of all tokens */
    struct token *tokens;
    size_t n_tokens, tokens_room;
    uint32_t *token_at;   /* hash table: number of a token + 1 */
    struct merge *merges; /* hash table; id BPE_NONE: free */
    size_t token_mask, merge_mask, n_merges, merges_room;
    bool ignore_merges; /* a piece that is a token is that token */
    uint32_t byte_id[256];
    struct seen *seen;
    struct symbol *symbols; /* scratch */
    struct candidate *heap;
    size_t scratch, heap_n;
};

static size_t power_above(size_t n)
{
    size_t p = 16;
    while (p < n)
        p *= 2;
    return p;
}

struct bpe *bpe_new(size_t tokens, size_t merges, bool ignore_merges, struct err *e)
{
    struct bpe *b = calloc(1, sizeof *b);
    size_t token_n = power_above(2 * tokens), merge_n = power_above(2 * merges);
    if (b) {
        *b = (struct bpe){.text = BUF_INIT(TOKEN_BYTES_MAX),
                          .tokens = calloc(tokens + 1, sizeof *b->tokens),
                          .tokens_room = tokens,
                          .token_at = calloc(token_n, sizeof *b->token_at),
                          .merges = malloc(merge_n * sizeof *b->merges),
                          .token_mask = token_n - 1,
                          .merge_mask = merge_n - 1,
                          .merges_room = merges,
                          .ignore_merges = ignore_merges,
                          .seen = calloc(SEEN_N, sizeof *b->seen)};
        if (b->tokens && b->token_at && b->merges && b->seen) {
            memset(b->merges, 0xff, merge_n * sizeof *b->merges);
            memset(b->byte_id, 0xff, sizeof b->byte_id);
            return b;
        }
    }
    bpe_destroy(&b);
    (void)err_set(e, ERR_NOMEM, "no memory for a tokenizer of %zu tokens", tokens);
    return NULL;
}

void bpe_destroy(struct bpe **bb)
{
    struct bpe *b = *bb;
    if (!b) return;
    buf_clear(&b->text);
    free(b->tokens);
    free(b->token_at);
    free(b->merges);
    free(b->seen);
    free(b->symbols);
    free(b->heap);
    free(b);
    *bb = NULL;
}

/* ---- tokens ---- */

static uint64_t hash_of(const char *bytes, size_t n)
{
    uint64_t h = n, part;
    for (; n >= sizeof part; bytes += sizeof part, n -= sizeof part) {
        memcpy(&part, bytes, sizeof part);
        h = (h ^ part) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    part = 0;
    if (n) memcpy(&part, bytes, n);
    h = (h ^ part) * UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 32;
}

/* The place in the table where these bytes stand, or would stand. */
static size_t token_place(const struct bpe *b, const char *bytes, size_t n)
{
    size_t i = hash_of(bytes, n) & b->token_mask;
    for (; b->token_at[i]; i = (i + 1) & b->token_mask) {
        const struct token *t = &b->tokens[b->token_at[i] - 1];
        if (t->len == n && memcmp(b->text.data + t->at, bytes, n) == 0) break;
    }
    return i;
}

int bpe_add_token(struct bpe *b, const char *bytes, size_t n, uint32_t id)
{
    size_t place = token_place(b, bytes, n);
    if (n == 0 || b->token_at[place]) return 0; /* there already */
    if (b->n_tokens == b->tokens_room) return -1;
    b->tokens[b->n_tokens] = (struct token){(uint32_t)b->text.len, (uint32_t)n, id};
    if (buf_put(&b->text, bytes, n)) return -1;
    b->token_at[place] = (uint32_t)++b->n_tokens;
    return 0;
}

uint32_t bpe_find(const struct bpe *b, const char *bytes, size_t n)
{
    uint32_t at = b->token_at[token_place(b, bytes, n)];
    return at ? b->tokens[at - 1].id : BPE_NONE;
}

bool bpe_has_bytes(struct bpe *b, unsigned *ret_byte)
{
    for (unsigned c = 0; c < 256; c++) {
        b->byte_id[c] = bpe_find(b, (char[]){(char)c}, 1);
        *ret_byte = c;
        if (b->byte_id[c] == BPE_NONE) return false;
    }
    return true;
}

/* ---- merges ---- */

static struct merge *merge_of(const struct bpe *b, uint64_t pair)
{
    uint64_t h = pair * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (h ^ h >> 32) & b->merge_mask;
    while (b->merges[i].id != BPE_NONE && b->merges[i].pair != pair)
        i = (i + 1) & b->merge_mask;
    return &b->merges[i];
}

int bpe_add_merge(struct bpe *b, const char *left, size_t left_n, const char *right, size_t right_n)
{
    struct buf both = BUF_INIT(TOKEN_BYTES_MAX);
    uint32_t l = bpe_find(b, left, left_n), r = bpe_find(b, right, right_n), id = BPE_NONE;
    if (l != BPE_NONE && r != BPE_NONE && buf_put(&both, left, left_n) == 0 && buf_put(&both, right, right_n) == 0)
        id = bpe_find(b, buf_str(&both), both.len);
    buf_clear(&both);
    if (id == BPE_NONE || b->n_merges == b->merges_room) return -1;
    uint64_t pair = (uint64_t)l << 32 | r;
    *merge_of(b, pair) = (struct merge){pair, (uint32_t)b->n_merges++, id}; /* one that is there twice counts last */
    return 0;
}

/* ---- pieces ---- */

static int need_scratch(struct bpe *b, size_t n)
{
    if (n <= b->scratch) return 0;
    size_t room = power_above(n);
    struct symbol *s = realloc(b->symbols, room * sizeof *s);
    if (s) b->symbols = s;
    struct candidate *h = realloc(b->heap, 2 * room * sizeof *h); /* a merge ends one pair and makes at most two */
    if (h) b->heap = h;
    if (!s || !h) return -1;
    b->scratch = room;
    return 0;
}

static bool before(const struct candidate *a, const struct candidate *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static void heap_push(struct bpe *b, struct candidate c)
{
    size_t i = b->heap_n++;
    for (; i > 0 && before(&c, &b->heap[(i - 1) / 2]); i = (i - 1) / 2)
        b->heap[i] = b->heap[(i - 1) / 2];
    b->heap[i] = c;
}

static struct candidate heap_pop(struct bpe *b)
{
    struct candidate first = b->heap[0], last = b->heap[--b->heap_n];
    size_t i = 0;
    for (size_t next; (next = 2 * i + 1) < b->heap_n; i = next) {
        if (next + 1 < b->heap_n && before(&b->heap[next + 1], &b->heap[next])) next++;
        if (!before(&b->heap[next], &last)) break;
        b->heap[i] = b->heap[next];
    }
    b->heap[i] = last;
    return first;
}

/* The symbols at `left` and `right` may be merged. */
static void offer(struct bpe *b, uint32_t left, uint32_t right)
{
    uint64_t pair = (uint64_t)b->symbols[left].id << 32 | b->symbols[right].id;
    const struct merge *m = merge_of(b, pair);
    if (m->id != BPE_NONE) heap_push(b, (struct candidate){m->rank, left, m->id, pair});
}

/* Symbols are places of the piece's bytes; n is the end. Returns how many are left. */
static size_t merge_all(struct bpe *b, const char *piece, uint32_t n)
{
    struct symbol *s = b->symbols;
    size_t left = n;
    b->heap_n = 0;
    for (uint32_t i = 0; i < n; i++)
        s[i] = (struct symbol){b->byte_id[(unsigned char)piece[i]], i ? i - 1 : n, i + 1};
    for (uint32_t i = 0; i + 1 < n; i++)
        offer(b, i, i + 1);
    while (b->heap_n) {
        struct candidate c = heap_pop(b);
        uint32_t right = s[c.at].after;
        if (right >= n || ((uint64_t)s[c.at].id << 32 | s[right].id) != c.pair) continue; /* merged meanwhile */
        s[c.at].id = c.id;
        s[c.at].after = s[right].after;
        s[right].id = BPE_NONE;
        if (s[right].after < n) {
            s[s[right].after].before = c.at;
            offer(b, c.at, s[right].after);
        }
        if (s[c.at].before < n) offer(b, s[c.at].before, c.at);
        left--;
    }
    return left;
}

int bpe_ids_put(struct bpe_ids *ids, uint32_t id)
{
    if (ids->n == ids->room) {
        size_t room = ids->room ? 2 * ids->room : 256;
        uint32_t *more = realloc(ids->id, room * sizeof *more);
        if (!more) return -1;
        ids->id = more;
        ids->room = room;
    }
    ids->id[ids->n++] = id;
    return 0;
}

static int64_t encode(struct bpe *b, const char *piece, size_t n, struct bpe_ids *ids)
{
    uint32_t whole = b->ignore_merges || n == 1 ? bpe_find(b, piece, n) : BPE_NONE;
    if (whole != BPE_NONE) return ids && bpe_ids_put(ids, whole) ? -1 : 1;
    if (n > BPE_PIECE_MAX || need_scratch(b, n)) return -1;
    size_t got = merge_all(b, piece, (uint32_t)n);
    for (uint32_t i = 0; ids && i < n; i = b->symbols[i].after)
        if (bpe_ids_put(ids, b->symbols[i].id)) return -1;
    return (int64_t)got;
}

int64_t bpe_encode(struct bpe *b, const char *piece, size_t n, struct bpe_ids *ids)
{
    if (n == 0) return 0;
    if (ids || n > SEEN_BYTES) return encode(b, piece, n, ids);
    struct seen *s = &b->seen[hash_of(piece, n) % SEEN_N];
    if (s->n && s->len == n && memcmp(s->bytes, piece, n) == 0) return s->n;
    int64_t got = encode(b, piece, n, NULL);
    if (got > 0) {
        *s = (struct seen){.n = (uint32_t)got, .len = (uint8_t)n};
        memcpy(s->bytes, piece, n);
    }
    return got;
}
