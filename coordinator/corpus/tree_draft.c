#include "coordinator/corpus/tree_draft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/corpus_tree.h"
#include "common/fingerprint.h"

/* Recorded times are whole seconds in some files: what ended less than this after another began may have ended before.
 */
#define TOLERANCE_S 1.0
#define LATEST_S 1e9

struct tree_draft *tree_draft_of(struct draft *d)
{
    if (!d->trees) d->trees = calloc(1, sizeof *d->trees);
    struct tree_draft *t = d->trees;
    if (t) t->n = t->n_threads = t->n_joins = t->n_after = t->zero = t->n_models = t->minted = 0;
    return t;
}

void tree_draft_clear(struct tree_draft *t)
{
    free(t->request);
    free(t->parent);
    free(t->joins);
    free(t->node);
    free(t->after);
    free(t->spare);
    free(t->covered);
    *t = (struct tree_draft){0};
}

/* One more element of an array of n; its room doubles. */
static bool grow(void *array, size_t size, uint32_t n, uint32_t *room, uint32_t most)
{
    void *was, *more;
    if (n < *room) return true;
    uint32_t want = *room ? 2 * *room : 64;
    if (n >= most) return false;
    memcpy(&was, array, sizeof was);
    more = realloc(was, want * size);
    if (!more) return false;
    memcpy(array, &more, sizeof more);
    *room = want;
    return true;
}

uint32_t tree_draft_thread(struct tree_draft *t, uint32_t parent)
{
    if (!grow(&t->parent, sizeof *t->parent, t->n_threads, &t->threads_room, TREE_THREADS_MAX)) return TREE_NONE;
    t->parent[t->n_threads] = parent;
    return t->n_threads++;
}

struct tree_request *tree_draft_add(struct tree_draft *t)
{
    if (!grow(&t->request, sizeof *t->request, t->n, &t->room, TREE_NODES_MAX)) return NULL;
    t->request[t->n] = (struct tree_request){.end_s = NAN, .think_s = NAN, .join_at = t->n_joins};
    return &t->request[t->n++];
}

bool tree_draft_join(struct tree_draft *t, struct tree_request *r, uint32_t thread)
{
    if (!grow(&t->joins, sizeof *t->joins, t->n_joins, &t->joins_room, TREE_NODES_MAX)) return false;
    t->joins[t->n_joins++] = thread;
    r->n_joins++;
    return true;
}

uint32_t tree_draft_model(struct tree_draft *t, const char *name, size_t n)
{
    uint64_t h = fingerprint_bytes(FINGERPRINT_INIT, name, n);
    for (uint32_t i = 0; i < t->n_models; i++)
        if (t->models[i] == h) return i;
    if (t->n_models == TREE_MODELS_MAX) return TREE_MODELS_MAX - 1;
    t->models[t->n_models] = h;
    return t->n_models++;
}

bool tree_draft_prompt(struct tree_draft *t, struct draft *d, struct tree_request *r, uint32_t before, double same,
                       uint32_t block_tokens)
{
    if (!(r->input >= 0 && r->input <= 1e8)) return true; /* tree_draft_finish says what is wrong with it */
    uint32_t full = (uint32_t)r->input / block_tokens, kept = 0;
    if (before != TREE_NONE && same > 0) {
        const struct tree_request *b = &t->request[before];
        kept = same < r->input ? (uint32_t)same / block_tokens : full;
        if (kept > b->n_ids) kept = b->n_ids;
        for (uint32_t i = 0; i < kept; i++)
            if (!draft_block(d, d->blocks[b->ids_at + i])) return false;
    }
    r->ids_at = d->record.n_blocks - kept;
    r->n_ids = full;
    for (uint32_t i = kept; i < full; i++)
        if (!draft_block(d, t->minted++)) return false;
    return true;
}

/* An end that was not recorded: the next request of its agent began so long after it as the agent thought. */
static void fill_ends(struct tree_draft *t)
{
    for (uint32_t i = t->n; i-- > 0;) {
        struct tree_request *r = &t->request[i];
        if (!isnan(r->end_s)) continue;
        r->end_s = r->start_s;
        for (uint32_t k = i + 1; k < t->n; k++) {
            const struct tree_request *next = &t->request[k];
            if (next->thread != r->thread) continue;
            if (!isnan(next->think_s) && next->n_joins == 0) r->end_s = fmax(r->start_s, next->start_s - next->think_s);
            break;
        }
    }
}

static int by_start(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Long pauses between the beginnings of requests are cut, and all that comes later moves up. */
static int cut_idle(struct tree_draft *t, double most)
{
    double *start = malloc(t->n * sizeof *start), shift = 0;
    if (!start) return -1;
    for (uint32_t i = 0; i < t->n; i++)
        start[i] = t->request[i].start_s;
    qsort(start, t->n, sizeof *start, by_start);
    double *moved = malloc(t->n * sizeof *moved);
    for (uint32_t i = 0; moved && i < t->n; i++) {
        if (i > 0 && start[i] - start[i - 1] > most) shift += start[i] - start[i - 1] - most;
        moved[i] = start[i] - shift;
    }
    for (uint32_t i = 0; moved && i < t->n; i++) {
        struct tree_request *r = &t->request[i];
        double *at = bsearch(&r->start_s, start, t->n, sizeof *start, by_start);
        double by = at ? moved[at - start] - r->start_s : 0;
        r->start_s += by;
        r->end_s += by;
    }
    int rc = moved ? 0 : -1;
    free(start);
    free(moved);
    return rc;
}

static bool add_after(struct tree_draft *t, struct tree_node_data *node, uint32_t what)
{
    for (uint32_t k = 0; k < node->n_after; k++)
        if (t->after[node->after_at + k] == what) return true;
    if (!grow(&t->after, sizeof *t->after, t->n_after, &t->after_room, 16 * TREE_NODES_MAX)) return false;
    t->after[t->n_after++] = what;
    node->n_after++;
    return true;
}

/* Those of its own agent that request i waits for. */
static bool wait_in_thread(struct tree_draft *t, uint32_t i)
{
    const struct tree_request *r = &t->request[i];
    uint32_t before = TREE_NONE; /* its forerunner */
    bool any = false;
    for (uint32_t k = 0; k < i; k++) {
        const struct tree_request *q = &t->request[k];
        if (q->thread != r->thread) continue;
        before = k;
        if (t->covered[k] || q->end_s > r->start_s + TOLERANCE_S) continue;
        if (!add_after(t, &t->node[i], k)) return false;
        t->covered[k] = 1;
        any = true;
    }
    if (any) return true;
    if (before == TREE_NONE)
        return t->parent[r->thread] == TREE_NONE || add_after(t, &t->node[i], t->parent[r->thread]);
    for (uint32_t k = 0; k < t->node[before].n_after; k++) /* a branch beside it */
        if (!add_after(t, &t->node[i], t->after[t->node[before].after_at + k])) return false;
    return true;
}

/* The requests of a joined agent that no other request waits for. (That a sub-agent was started after one does not
 * count: the agent itself goes on after it.) */
static bool wait_for_joins(struct tree_draft *t, uint32_t i)
{
    const struct tree_request *r = &t->request[i];
    for (uint32_t j = 0; j < r->n_joins; j++)
        for (uint32_t k = 0; k < i; k++) {
            if (t->request[k].thread != t->joins[r->join_at + j] || t->covered[k]) continue;
            if (!add_after(t, &t->node[i], k)) return false;
            t->covered[k] = 1;
        }
    return true;
}

static int64_t ns_of(double s, double speed)
{
    double ns = s > 0 ? s / speed * 1e9 + 0.5 : 0;
    return ns < (double)TREE_LATEST_NS ? (int64_t)ns : TREE_LATEST_NS;
}

static void place_in_time(const struct tree_draft *t, uint32_t i, double first, const struct plan_data *p)
{
    const struct tree_request *r = &t->request[i];
    struct tree_node_data *node = &t->node[i];
    double ready = node->n_after ? -LATEST_S : first;
    for (uint32_t k = 0; k < node->n_after; k++)
        ready = fmax(ready, t->request[t->after[node->after_at + k]].end_s);
    double wait = r->start_s - ready, most = (double)p->max_think_ns / 1e9;
    if (most > 0 && wait > most) wait = most;
    node->wait_ns = ns_of(wait, p->speed);
    node->at_ns = ns_of(r->start_s - first, p->speed);
}

/* The first `kept` are those before request i that stay. Its sub-agents start after the one before it, and its joins
 * are those of the next of its agent. */
static void drop_one(struct tree_draft *t, uint32_t i, uint32_t kept)
{
    const struct tree_request *r = &t->request[i];
    t->spare[i] = TREE_NONE;
    for (uint32_t k = kept; k > 0 && t->spare[i] == TREE_NONE; k--)
        if (t->request[k - 1].thread == r->thread) t->spare[i] = k - 1;
    for (uint32_t k = i + 1; k < t->n && r->n_joins; k++)
        if (t->request[k].thread == r->thread && t->request[k].n_joins == 0) {
            t->request[k].join_at = r->join_at;
            t->request[k].n_joins = r->n_joins;
            return;
        }
}

/* Requests that the plan leaves out are no longer in the list; what waited for them waits for what they waited for.
 * That is so by itself, since it is worked out from the times of those that are left. */
static bool drop_zeros(struct tree_draft *t, const struct plan_data *p)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < t->n; i++)
        t->spare[i] = t->request[i].input < 1 || t->request[i].output < 1 ? TREE_NONE : 0;
    for (uint32_t i = 0; i < t->n; i++) {
        struct tree_request *r = &t->request[i];
        bool zero = t->spare[i] == TREE_NONE;
        t->zero += zero && p->zero_output == ZERO_DROP;
        if (zero && p->zero_output == ZERO_DROP) {
            drop_one(t, i, kept);
            continue;
        }
        if (r->input < 1) r->input = 1;
        if (r->output < 1) r->output = 1;
        t->spare[i] = kept;
        t->request[kept++] = *r;
    }
    for (uint32_t k = 0; k < t->n_threads; k++)
        if (t->parent[k] != TREE_NONE) t->parent[k] = t->spare[t->parent[k]];
    t->n = kept;
    return kept > 0;
}

static uint32_t more_alike(const struct tree_request *a, const struct tree_request *b, const uint32_t *raw,
                           uint32_t same)
{
    while (same < a->n_ids && same < b->n_ids && raw[a->ids_at + same] == raw[b->ids_at + same])
        same++;
    return same;
}

/* The prompt of request i as the beginning of an earlier one's and what is new. Its own blocks are moved to the place
 * where those of the requests before it end, so that the record holds each but once. */
static void share_blocks(struct tree_draft *t, uint32_t i, uint32_t *last_of, struct draft *d, const uint32_t *raw,
                         uint32_t *pool)
{
    const struct tree_request *r = &t->request[i];
    struct tree_node_data *node = &t->node[i];
    uint32_t base = last_of[r->thread] != TREE_NONE ? last_of[r->thread] : t->parent[r->thread], same = 0;
    if (base != TREE_NONE) same = more_alike(r, &t->request[base], raw, 0);
    /* That one is a branch, perhaps, and this goes on where it began. */
    for (uint32_t b = base; same && t->node[b].base != TREE_NO_BASE && t->node[b].shared == same;) {
        b = t->node[b].base;
        uint32_t more = more_alike(r, &t->request[b], raw, same);
        if (more > same) base = b;
        same = more;
    }
    node->base = same ? base : TREE_NO_BASE;
    node->shared = same;
    node->own_at = *pool;
    node->own_n = r->n_ids - same;
    if (node->own_n) memcpy(d->blocks + *pool, raw + r->ids_at + same, node->own_n * sizeof *raw);
    *pool += node->own_n;
    node->turn = last_of[r->thread] == TREE_NONE ? 1 : t->node[last_of[r->thread]].turn + 1;
    last_of[r->thread] = i;
}

static bool make_nodes(struct tree_draft *t, const struct plan_data *p, struct draft *d)
{
    uint32_t *last_of = malloc((t->n_threads + 1) * sizeof *last_of), pool = 0;
    uint32_t *raw = malloc((d->record.n_blocks + (size_t)1) * sizeof *raw);
    bool good = last_of && raw;
    double first = INFINITY;
    for (uint32_t k = 0; good && k < t->n_threads; k++)
        last_of[k] = TREE_NONE;
    if (good && d->record.n_blocks) memcpy(raw, d->blocks, d->record.n_blocks * sizeof *raw);
    for (uint32_t i = 0; i < t->n; i++)
        first = fmin(first, t->request[i].start_s);
    for (uint32_t i = 0; good && i < t->n; i++) {
        const struct tree_request *r = &t->request[i];
        t->node[i] = (struct tree_node_data){.input_tokens = (uint32_t)r->input,
                                             .output_tokens = (uint32_t)r->output,
                                             .thread = r->thread,
                                             .model = r->model,
                                             .after_at = t->n_after};
        good = wait_in_thread(t, i) && wait_for_joins(t, i);
        if (!good) break;
        place_in_time(t, i, first, p);
        share_blocks(t, i, last_of, d, raw, &pool);
    }
    d->record.n_blocks = pool;
    free(last_of);
    free(raw);
    return good;
}

static bool room_for_nodes(struct tree_draft *t)
{
    struct tree_node_data *node = realloc(t->node, t->room * sizeof *node);
    if (node) t->node = node;
    uint32_t *spare = realloc(t->spare, t->room * sizeof *spare);
    if (spare) t->spare = spare;
    uint8_t *covered = realloc(t->covered, t->room);
    if (covered) t->covered = covered;
    return node && spare && covered;
}

static enum draft_result check_lengths(const struct tree_draft *t, uint32_t block, bool whole, struct draft *d)
{
    for (uint32_t i = 0; i < t->n; i++) {
        const struct tree_request *r = &t->request[i];
        if (!(r->input >= 0 && r->input <= 1e8) || !(r->output >= 0 && r->output <= 1e8))
            return draft_broken(d, "request %u: lengths of %g and %g tokens cannot be", i + 1, r->input, r->output);
        if (!(fabs(r->start_s) < LATEST_S) || (!isnan(r->end_s) && !(fabs(r->end_s) < LATEST_S)))
            return draft_broken(d, "request %u: a time of %g s cannot be", i + 1, r->start_s);
        if (block == 0) continue;
        double most = ceil(r->input / block), least = whole ? floor(r->input / block) : most;
        if (r->n_ids && (r->n_ids < least || r->n_ids > most))
            return draft_broken(d, "request %u: it has %u hash ids for %.0f tokens, which are %.0f blocks of %u", i + 1,
                                r->n_ids, r->input, least, block);
    }
    return DRAFT_REQUEST;
}

enum draft_result tree_draft_finish(struct tree_draft *t, const struct plan_data *p, uint32_t block_tokens, bool floor,
                                    uint64_t scope, struct draft *d)
{
    if (t->n == 0) return draft_broken(d, "it has no request");
    if (check_lengths(t, block_tokens, floor, d) == DRAFT_BROKEN) return DRAFT_BROKEN;
    if (!room_for_nodes(t)) return draft_broken(d, "there is no memory for it");
    if (!drop_zeros(t, p)) return DRAFT_ZERO;
    memset(t->covered, 0, t->n);
    fill_ends(t);
    if (p->max_idle_ns && cut_idle(t, (double)p->max_idle_ns / 1e9))
        return draft_broken(d, "there is no memory for it");
    if (!make_nodes(t, p, d)) return draft_broken(d, "there is no memory for it, or too much waits for one another");
    if (corpus_tree_write(t->node, t->n, t->after, t->n_after, scope, &d->tree))
        return draft_broken(d, "it is larger than %u MiB", CORPUS_RECORD_MAX >> 20);
    d->record.block_tokens = block_tokens;
    return DRAFT_REQUEST;
}
