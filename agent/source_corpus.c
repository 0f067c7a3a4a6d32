/* Requests of a corpus: the records of a data set in seeded or sequential order, or the rows of a trace in theirs. A
 * row of a trace has no text: blocks become words by their hash ids, so that equal ids are equal text everywhere and
 * always; a row without ids gets words that no other has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/prompt.h"
#include "agent/source.h"
#include "common/corpus_tree.h"
#include "common/json_scan.h"
#include "common/plan/plan_api.h"

enum purpose { PURPOSE_ROW = 2, PURPOSE_ORDER = 4, PURPOSE_BLOCK, PURPOSE_MARKER = 8, PURPOSE_SCOPE };
#define MARKER_WORDS 8u
#define BLOCK_SEED UINT64_C(0x706c6174656175) /* not the plan's: a block's text is the same in every run */
#define CHARS_PER_TOKEN 4u                    /* of English text, roughly; for prompts without a stated length */

struct source_corpus {
    struct source_options o;
    struct prompt_tokens tokens;
    const struct word_cost *cost; /* of the latest request's model */
    uint32_t counted;             /* tokens around a text that the coordinator counts with it */
    uint64_t n;
    struct words *words; /* of the latest row of a trace */
    uint32_t n_words, words_room;
    bool words_bad; /* no memory */
    struct dialect_message *messages;
    size_t messages_cap;
    struct corpus_message *said; /* a tree's messages, in their order */
    size_t said_cap;
    struct buf body;
};

static void *corpus_source_open(const struct source_options *o, struct err *e)
{
    if (!o->corpus) {
        (void)err_set(e, ERR_INTERNAL, "workload %s has no data on this agent", o->load->name);
        return NULL;
    }
    struct source_corpus *s = calloc(1, sizeof *s);
    if (s)
        *s = (struct source_corpus){.o = *o, .n = corpus_count(o->corpus), .body = BUF_INIT(CORPUS_RECORD_MAX)};
    else
        (void)err_set(e, ERR_NOMEM, "no memory for the workload");
    if (s && prompt_tokens_init(&s->tokens, &o->plan->target, o->costs, e)) {
        free(s);
        return NULL;
    }
    const struct plan_target *t = &o->plan->target;
    if (s && plan_target_sends_text(t)) s->counted = t->tokenizer.beside;
    return s;
}

/* Number i of a seeded order of 0 … n-1: four rounds of a Feistel network over the next power of four, walked until the
 * result lies inside. Every pass over the data has an order of its own. */
static uint64_t shuffled(uint64_t i, uint64_t n, uint64_t seed)
{
    unsigned half = 1;
    while (half < 32 && (UINT64_C(1) << (2 * half)) < n)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t next = left ^ (rng_mix(seed, PURPOSE_ORDER, round, right) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= n);
    return i;
}

static uint64_t record_of(const struct source_corpus *s, uint64_t index)
{
    uint64_t pass = index / s->n, at = index % s->n;
    if (s->o.load->source == SOURCE_TRACE || s->o.load->data.order == ORDER_SEQUENTIAL) return at;
    return shuffled(at, s->n, rng_mix(s->o.stage_seed, PURPOSE_ORDER, pass, 0));
}

static int have_messages(struct source_corpus *s, size_t n)
{
    if (n <= s->messages_cap) return 0;
    struct dialect_message *more = realloc(s->messages, n * sizeof *more);
    if (!more) return -1;
    s->messages = more;
    s->messages_cap = n;
    return 0;
}

static void begin_words(struct source_corpus *s)
{
    s->n_words = 0;
    s->words_bad = false;
}

/* n words more; how many are left of `left`. */
static uint32_t put_words(struct source_corpus *s, uint32_t n, uint64_t seed, uint32_t left)
{
    if (n > left) n = left;
    if (s->n_words == s->words_room) {
        uint32_t room = s->words_room ? 2 * s->words_room : 64;
        struct words *more = realloc(s->words, room * sizeof *more);
        s->words_bad |= !more;
        if (!more) return 0;
        s->words = more;
        s->words_room = room;
    }
    s->words[s->n_words++] = (struct words){.seed = seed,
                                            .table = s->tokens.on ? s->tokens.table : NULL,
                                            .n = n,
                                            .even = s->cost->word > 0 && !s->tokens.on};
    return left - n;
}

/* The prompt is the words that were put. */
static int end_words(struct source_corpus *s, uint32_t all, struct dialect_request *ret)
{
    if (s->words_bad || have_messages(s, 1)) return -1;
    s->messages[0] =
        (struct dialect_message){.role = "user", .len = WORDS_CHARS(all), .words = s->words, .n_words = s->n_words};
    ret->messages = s->messages;
    ret->n_messages = 1;
    return 0;
}

/* Whether all of the record's blocks have gone out in this run: in an earlier pass, or an earlier stage. */
static bool went_out(const struct source_corpus *s, uint64_t index)
{
    return index >= s->n || index < s->o.before;
}

static uint32_t tokens_of_blocks(const struct corpus_record *r, uint32_t n, uint32_t input_tokens)
{
    uint64_t tokens = (uint64_t)n * r->block_tokens;
    return tokens < input_tokens ? (uint32_t)tokens : input_tokens;
}

static uint32_t row_words(const struct source_corpus *s, uint32_t input_tokens)
{
    if (input_tokens > PROMPT_TOKENS_MAX) input_tokens = PROMPT_TOKENS_MAX;
    return prompt_words(s->cost, input_tokens ? input_tokens : 1, true);
}

static bool has_key(const char *object, const struct json *key)
{
    struct json j;
    json_begin(&j, object, strlen(object));
    if (json_next(&j) != JSON_OBJECT) return false;
    while (json_next(&j) == JSON_KEY) {
        if (j.len == key->len && memcmp(j.text, key->text, j.len) == 0) return true;
        (void)json_skip(&j);
    }
    return false;
}

/* Writes the members of the record's body that the plan's body does not have. */
static int put_members(struct buf *out, const char *record, const char *plan)
{
    struct json j;
    json_begin(&j, record, strlen(record));
    if (json_next(&j) != JSON_OBJECT) return -1;
    while (json_next(&j) == JSON_KEY) {
        struct json key = j;
        if (json_skip(&j) < 0) return -1;
        if (has_key(plan, &key)) continue;
        if (out->len > 1) (void)buf_putc(out, ',');
        (void)buf_put(out, key.text - 1, (size_t)(j.at - key.text) + 1);
    }
    return json_next(&j) == JSON_END ? 0 : -1;
}

/* The record's members and the plan's, which win. */
static int merge_bodies(struct source_corpus *s, const char *record, struct dialect_request *ret)
{
    const char *plan = ret->body && ret->body[0] ? ret->body : "{}", *from = strchr(plan, '{'),
               *to = strrchr(plan, '}');
    struct buf *b = &s->body;
    buf_reset(b);
    (void)buf_putc(b, '{');
    if (!from || !to || put_members(b, record, plan)) return -1;
    if (strspn(from + 1, " \t\r\n") < (size_t)(to - from - 1)) {
        if (b->len > 1) (void)buf_putc(b, ',');
        (void)buf_put(b, from + 1, (size_t)(to - from - 1));
    }
    (void)buf_putc(b, '}');
    ret->body = buf_str(b);
    return b->bad ? -1 : 0;
}

/* A row of a trace: `input` words, block by block where it has ids. */
static int write_row(struct source_corpus *s, const struct corpus_record *r, uint64_t row, struct dialect_request *ret)
{
    uint32_t all = row_words(s, r->input_tokens), left = all;
    uint32_t block = prompt_words(s->cost, r->block_tokens, false);
    ret->repeated = went_out(s, row) ? tokens_of_blocks(r, r->n_blocks, r->input_tokens) : r->repeated_tokens;
    begin_words(s);
    for (uint32_t i = 0; i < r->n_blocks && left > 0; i++)
        left = put_words(s, block, rng_mix(BLOCK_SEED, PURPOSE_BLOCK, r->block_tokens, corpus_block(r, i)), left);
    if (left > 0) (void)put_words(s, left, rng_mix(s->o.stage_seed, PURPOSE_ROW, 0, row), left);
    if (end_words(s, all, ret)) return -1;
    if (r->n_blocks == 0 && !s->tokens.on)
        s->words[0].stop = true; /* not after blocks, whose text is the same wherever they stand */
    return 0;
}

struct writing {
    struct source_corpus *s;
    const struct corpus_record *r;
    const struct corpus_tree *t;
    uint64_t seed;
    uint32_t block, left; /* words: of a block, of the prompt */
};

/* The first `n` blocks of a node's prompt: those of its base, which may have a base itself, and its own. */
static void write_blocks(struct writing *w, uint32_t node, uint32_t n)
{
    uint32_t chain[64], want[64], depth = 0;
    struct tree_node_data d;
    for (;;) { /* down to where the prompt begins, a part of the way at a time */
        corpus_tree_node(w->t, node, &d);
        chain[depth] = node;
        want[depth++] = n;
        if (d.base == TREE_NO_BASE) break;
        if (depth == 64) {
            write_blocks(w, d.base, n < d.shared ? n : d.shared);
            break;
        }
        node = d.base;
        n = n < d.shared ? n : d.shared;
    }
    while (depth-- > 0) {
        corpus_tree_node(w->t, chain[depth], &d);
        uint32_t from = d.base == TREE_NO_BASE ? 0 : d.shared;
        for (uint32_t i = from; i < want[depth] && i - from < d.own_n && w->left > 0; i++)
            w->left = put_words(
                w->s, w->block,
                rng_mix(w->seed, PURPOSE_BLOCK, w->r->block_tokens, corpus_block(w->r, d.own_at + i - from)), w->left);
    }
}

/* All messages of a tree, so that they can be found by number. */
static int list_messages(struct source_corpus *s, const struct corpus_record *r)
{
    if (r->n_messages > s->said_cap) {
        struct corpus_message *more = realloc(s->said, r->n_messages * sizeof *more);
        if (!more) return -1;
        s->said = more;
        s->said_cap = r->n_messages;
    }
    uint32_t n = 0;
    for (size_t at = 0; n < r->n_messages && corpus_message(r, &at, &s->said[n]);)
        n++;
    return n == r->n_messages ? 0 : -1;
}

/* A request of a tree whose ids are numbers of the record's messages: those of its base, and its own. An earlier
 * request had the first `shared` of them. */
static int write_said(struct source_corpus *s, const struct corpus_record *r, const struct corpus_tree *t,
                      struct tree_node_data d, uint32_t shared, struct dialect_request *ret)
{
    uint64_t chars = 0, before = 0;
    uint32_t n = corpus_tree_blocks(&d), end = n, input_tokens = d.input_tokens;
    if (list_messages(s, r) || have_messages(s, n)) return -1;
    for (;;) { /* from the last message to the first */
        uint32_t from = d.base == TREE_NO_BASE ? 0 : d.shared;
        for (uint32_t i = end; i-- > from;) {
            uint32_t id = corpus_block(r, d.own_at + i - from);
            if (id >= r->n_messages) return -1;
            const struct corpus_message *m = &s->said[id];
            s->messages[i] =
                (struct dialect_message){.role = corpus_role_name(m->role), .text = m->text, .len = m->len};
        }
        if (from < end) end = from;
        if (d.base == TREE_NO_BASE) break;
        corpus_tree_node(t, d.base, &d);
    }
    ret->messages = s->messages;
    ret->n_messages = n;
    ret->guessed = true; /* its reader counts characters */
    for (uint32_t i = 0; i < n; i++) {
        chars += s->messages[i].len;
        if (i < shared) before = chars;
    }
    ret->repeated = chars ? (uint32_t)(before * input_tokens / chars) : 0;
    return n ? 0 : -1;
}

/* Tokens that a request has in common with the one it goes on from, where both begin with the play's marker: it takes
 * the place of as many at the end. */
static uint32_t after_marker(const struct source_corpus *s, const struct corpus_tree *t, const struct tree_node_data *d,
                             uint32_t repeated)
{
    uint32_t most = d->input_tokens;
    if (d->base != TREE_NO_BASE) {
        struct tree_node_data base;
        corpus_tree_node(t, d->base, &base);
        if (base.input_tokens < most) most = base.input_tokens;
    }
    repeated += s->cost->word > 0 ? (uint32_t)lround(MARKER_WORDS * s->cost->word) : MARKER_WORDS;
    return repeated < most ? repeated : most;
}

/* A request of a session tree. */
static int write_node(struct source_corpus *s, const struct corpus_record *r, const struct source_ask *a,
                      struct dialect_request *ret, uint32_t *ret_input)
{
    struct corpus_tree t;
    struct tree_node_data d;
    if (!corpus_tree_view(r, &t) || a->node >= t.n) return -1;
    corpus_tree_node(&t, a->node, &d);
    ret->output_tokens = d.output_tokens;
    *ret_input = d.input_tokens;
    bool marked = s->o.load->data.marker;
    uint32_t shared = went_out(s, a->index) && !marked ? corpus_tree_blocks(&d) : a->shared;
    if (r->n_messages) return write_said(s, r, &t, d, shared, ret);
    ret->repeated = tokens_of_blocks(r, shared, d.input_tokens);
    if (marked && shared) ret->repeated = after_marker(s, &t, &d, ret->repeated);
    uint32_t all = row_words(s, d.input_tokens);
    begin_words(s);
    struct writing w = {.s = s,
                        .r = r,
                        .t = &t,
                        .seed = t.scope ? rng_mix(BLOCK_SEED, PURPOSE_SCOPE, 0, t.scope) : BLOCK_SEED,
                        .block = prompt_words(s->cost, r->block_tokens, false),
                        .left = all};
    if (marked) w.left = put_words(s, MARKER_WORDS, rng_mix(s->o.stage_seed, PURPOSE_MARKER, 0, a->index), w.left);
    write_blocks(&w, a->node, corpus_tree_blocks(&d));
    if (w.left > 0) (void)put_words(s, w.left, rng_mix(s->o.stage_seed, PURPOSE_ROW, a->index, a->node), w.left);
    return end_words(s, all, ret);
}

/* Tokens that a chat template adds to a prompt which the coordinator counted, where that was measured. */
static uint32_t around(const struct source_corpus *s)
{
    bool counted = s->tokens.on && !s->o.load->data.conversations;
    return counted && s->cost->beside > s->counted ? (uint32_t)(s->cost->beside - s->counted) : 0;
}

static int corpus_source_next(void *source, const struct source_ask *a, struct dialect_request *ret,
                              uint32_t *ret_input)
{
    struct source_corpus *s = source;
    struct corpus_record r;
    const struct dist *output = &s->o.load->data.output_tokens;
    uint64_t row = record_of(s, a->index), chars = 0;
    s->cost = word_costs_find(&s->tokens.costs, a->model);
    ret->beside = (uint32_t)s->cost->beside;
    if (corpus_get(s->o.corpus, row, &r) < 0) return -1;
    if (r.tree) return write_node(s, &r, a, ret, ret_input);
    if (r.body && merge_bodies(s, r.body, ret)) return -1;
    ret->output_tokens = dist_mean(output) > 0 ? prompt_length(output, a->rng) : r.output_tokens;
    *ret_input = r.input_tokens;
    if (r.n_messages == 0 && !r.body) return write_row(s, &r, a->index, ret);
    if (have_messages(s, r.n_messages)) return -1;
    struct corpus_message m;
    for (size_t at = 0; corpus_message(&r, &at, &m); chars += m.len)
        s->messages[ret->n_messages++] =
            (struct dialect_message){.role = corpus_role_name(m.role), .text = m.text, .len = m.len};
    ret->messages = s->messages;
    ret->guessed = r.input_tokens == 0;
    if (ret->guessed) *ret_input = (uint32_t)((chars + CHARS_PER_TOKEN - 1) / CHARS_PER_TOKEN);
    if (!ret->guessed) *ret_input += around(s);
    return 0;
}

static void corpus_source_close(void *source)
{
    struct source_corpus *s = source;
    if (!s) return;
    free(s->words);
    free(s->messages);
    free(s->said);
    buf_clear(&s->body);
    free(s);
}

extern const struct source_kind source_dataset, source_trace;
const struct source_kind source_dataset = {corpus_source_open, corpus_source_next, corpus_source_close};
const struct source_kind source_trace = {corpus_source_open, corpus_source_next, corpus_source_close};
