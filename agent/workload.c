#include "agent/workload.h"

#include <stdlib.h>

#include "agent/media.h"
#include "agent/source.h"

#define X(id, name, file, check, section, example, what) extern const struct source_kind source_##name;
#include "common/plan/source.def"
#undef X
static const struct source_kind *const KINDS[] = {
#define X(id, name, file, check, section, example, what) [SOURCE_##id] = &source_##name,
#include "common/plan/source.def"
#undef X
};

enum { CHOICE = 1, MEDIA = 7 }; /* the branch of the stage's seed for these choices; sources use others */

struct workload {
    const struct plan *plan;
    const struct shard *shard;
    const struct corpus *const *corpora; /* borrowed; may be NULL */
    double weight_sum, model_sum;
    struct rng rng;       /* of the request that was chosen last */
    void **sources;       /* one for each workload of the plan */
    struct media **media; /* the same; NULL: text only */
    bool words;           /* a prompt may be words instead of text */
    char *text;           /* of the latest prompt, made from its words */
    size_t text_room;
    struct dialect_message message;
};

struct workload *workload_new(const struct plan *p, const struct corpus *const *corpora, const struct shard *s,
                              struct err *e)
{
    struct workload *w = calloc(1, sizeof *w);
    if (w)
        *w = (struct workload){.plan = p,
                               .shard = s,
                               .corpora = corpora,
                               .sources = calloc(p->n_workloads, sizeof *w->sources),
                               .media = calloc(p->n_workloads, sizeof *w->media)};
    if (!w || !w->sources || !w->media) {
        (void)err_set(e, ERR_NOMEM, "no memory for the workload");
        workload_destroy(&w);
        return NULL;
    }
    for (size_t i = 0; i < p->n_workloads; i++) {
        struct source_options o = {.plan = p,
                                   .load = &p->workloads[i],
                                   .corpus = corpora ? corpora[i] : NULL,
                                   .costs = &s->costs,
                                   .stage_seed = s->seed,
                                   .before = s->before,
                                   .part = s->part};
        w->weight_sum += p->workloads[i].weight;
        bool wants = p->workloads[i].image_count > 0 || p->workloads[i].audio_ns > 0;
        w->sources[i] = KINDS[p->workloads[i].source]->open(&o, e);
        if (w->sources[i] && (!wants || (w->media[i] = media_new(&p->workloads[i], e)))) continue;
        workload_destroy(&w);
        return NULL;
    }
    for (size_t i = 0; i < p->target.n_models; i++)
        w->model_sum += p->target.models[i].weight;
    return w;
}

void workload_destroy(struct workload **pw)
{
    struct workload *w = *pw;
    if (!w) return;
    for (size_t i = 0; w->sources && i < w->plan->n_workloads; i++)
        KINDS[w->plan->workloads[i].source]->close(w->sources[i]);
    for (size_t i = 0; w->media && i < w->plan->n_workloads; i++)
        media_destroy(&w->media[i]);
    free(w->media);
    free(w->sources);
    free(w->text);
    free(w);
    *pw = NULL;
}

static size_t pick_workload(const struct workload *w, struct rng *r)
{
    const struct plan *p = w->plan;
    double at = p->n_workloads > 1 ? rng_double(r) * w->weight_sum : 0;
    size_t i = 0;
    while (i + 1 < p->n_workloads && (at -= p->workloads[i].weight) >= 0)
        i++;
    return i;
}

static size_t pick_model(const struct workload *w, struct rng *r)
{
    const struct plan_target *t = &w->plan->target;
    double at = t->n_models > 1 ? rng_double(r) * w->model_sum : 0;
    size_t i = 0;
    while (i + 1 < t->n_models && (at -= t->models[i].weight) >= 0)
        i++;
    return i;
}

/* The number of a request in the whole cluster. Parts of a closed loop by count have ranges of their own; without a
 * count, round k of all slots has the numbers k · slots to (k + 1) · slots, so that parts of equal speed use a data set
 * up together. */
static uint64_t cluster_index(const struct shard *s, uint64_t number)
{
    if (s->kind == LOAD_OPEN) return number;
    if (s->requests_all) return s->request_first + number;
    return s->slots ? number / s->slots * s->slots_all + s->slot_first + number % s->slots : number;
}

void workload_choose(struct workload *w, uint64_t number, struct workload_choice *ret)
{
    rng_seed(&w->rng, rng_mix(w->shard->seed, CHOICE, w->shard->part, number));
    size_t which = pick_workload(w, &w->rng), model = pick_model(w, &w->rng);
    *ret = (struct workload_choice){.workload = (uint32_t)which, .model = (uint32_t)model};
}

int workload_tree(const struct workload *w, uint64_t play, struct corpus_record *ret)
{
    const struct corpus *c = w->corpora ? w->corpora[0] : NULL;
    return c ? corpus_get(c, cluster_index(w->shard, play) % corpus_count(c), ret) : -1;
}

void workload_take_words(struct workload *w)
{
    w->words = true;
}

/* The text of a prompt that is words. */
static int write_words(struct workload *w, struct dialect_request *r)
{
    struct dialect_message *m = &w->message;
    *m = r->messages[0];
    if (m->len > w->text_room) {
        free(w->text);
        w->text = malloc(m->len);
        w->text_room = w->text ? m->len : 0;
        if (!w->text) return -1;
    }
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_words; i++) {
        struct words_at at;
        words_begin(&at, &m->words[i]);
        n += words_read(&at, &m->words[i], w->text + n, m->len - n);
    }
    m->text = w->text;
    m->n_words = 0;
    r->messages = m;
    return 0;
}

int workload_ask(struct workload *w, uint64_t number, uint64_t own, struct workload_choice *choice,
                 struct dialect_request *ret)
{
    const struct plan_target *t = &w->plan->target;
    uint32_t which = choice->workload;
    *ret = (struct dialect_request){.model = t->n_models ? t->models[choice->model].name : NULL, .body = t->body};
    struct source_ask ask = {.number = number,
                             .index = cluster_index(w->shard, own),
                             .node = choice->node,
                             .shared = choice->shared,
                             .model = choice->model,
                             .rng = &w->rng};
    if (KINDS[w->plan->workloads[which].source]->next(w->sources[which], &ask, ret, &choice->input_tokens)) return -1;
    bool words = ret->n_messages == 1 && ret->messages[0].n_words > 0;
    if (words && !(w->words && !w->plan->workloads[which].sessions.on) && write_words(w, ret)) return -1;
    uint64_t seed = rng_mix(w->shard->seed, MEDIA, w->shard->part, number);
    return w->media[which] ? media_make(w->media[which], seed, ret) : 0;
}
