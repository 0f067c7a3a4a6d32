#include "agent/prompt.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rng.h"

/* 256 common words, each with its space: a random byte picks one, a random number eight. */
static const char words[256 * 4 + 1] =
    /* clang-format off */
    "the and for are but not you all any can had her was one our out day get has him his how man new now old "
    "see two way who boy did its let put say she too use act add age ago aid aim air ant arm art ask bad bag "
    "bar bat bay bed bee beg bet big bit box bus buy cap car cat cow cry cup cut dad dam den dig dim dog dot "
    "dry due ear eat egg end era eye fan far fat fed few fig fit fix fly fog fox fun fur gap gas gem gun gut "
    "guy hat hay hen hid hip hit hot hub hug hut ice ill ink inn jam jar jaw jet job joy key kid kit lab lap "
    "law lay leg lid lie lip lit log lot low mad map mat may mix mob mud mug nap net nod nor nut oak odd off "
    "oil own pad pan pat paw pay pen per pet pie pig pin pit pop pot pro rag ram ran rat raw ray red rib rid "
    "rip rod row rub rug run sad sat saw sea set sew sin sip sit six sky sly son spy sum sun tab tag tan tap "
    "tax tea ten tie tin tip toe ton top toy try tub van vet via vow war wax web wet why win wit won yes yet "
    "zip zoo ash axe ban bow bug bun cab cop cue dip ego elm fee fin gum ham ivy jog keg lag ";
/* clang-format on */

static char *put_words(char *out, uint32_t n, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    for (uint64_t bits = 0, i = 0; i < n; i++, bits >>= 8, out += 4) {
        if (i % 8 == 0) bits = rng_u64(&r);
        memcpy(out, words + (bits & 255) * 4, 4);
    }
    return out;
}

void prompt_write(char *out, uint32_t tokens, uint32_t prefix, uint64_t prefix_seed, uint64_t seed)
{
    if (tokens == 0) return;
    if (prefix > tokens) prefix = tokens;
    out = put_words(out, prefix, prefix_seed);
    out = put_words(out, tokens - prefix, seed);
    out[-1] = '.';
}

struct workload {
    const struct plan *plan;
    uint64_t stage_seed;
    uint32_t part;
    double weight_sum, model_sum;
    struct dialect_message message; /* of the latest request */
    char *text;                     /* its text */
    size_t cap;
};

struct workload *workload_new(const struct plan *p, uint64_t stage_seed, uint32_t part, struct err *e)
{
    struct workload *w = calloc(1, sizeof *w);
    if (!w) {
        (void)err_set(e, ERR_NOMEM, "no memory for the workload");
        return NULL;
    }
    *w = (struct workload){.plan = p, .stage_seed = stage_seed, .part = part};
    for (size_t i = 0; i < p->n_workloads; i++)
        w->weight_sum += p->workloads[i].weight;
    for (size_t i = 0; i < p->target.n_models; i++)
        w->model_sum += p->target.models[i].weight;
    return w;
}

void workload_destroy(struct workload **w)
{
    if (!*w) return;
    free((*w)->text);
    free(*w);
    *w = NULL;
}

static uint32_t length(const struct dist *d, struct rng *r)
{
    double v = dist_sample(d, r);
    if (!(v >= 1)) return 1;
    return v >= PROMPT_TOKENS_MAX ? PROMPT_TOKENS_MAX : (uint32_t)lround(v);
}

static const struct plan_workload *pick_workload(const struct workload *w, struct rng *r)
{
    const struct plan *p = w->plan;
    double at = p->n_workloads > 1 ? rng_double(r) * w->weight_sum : 0;
    size_t i = 0;
    while (i + 1 < p->n_workloads && (at -= p->workloads[i].weight) >= 0)
        i++;
    return &p->workloads[i];
}

static const char *pick_model(const struct workload *w, struct rng *r)
{
    const struct plan_target *t = &w->plan->target;
    if (t->n_models == 0) return NULL;
    double at = t->n_models > 1 ? rng_double(r) * w->model_sum : 0;
    size_t i = 0;
    while (i + 1 < t->n_models && (at -= t->models[i].weight) >= 0)
        i++;
    return t->models[i].name;
}

/* Seeds of their own for the choices, the words and the prefixes: each may change without the others. */
enum purpose { PURPOSE_CHOICE = 1, PURPOSE_WORDS, PURPOSE_PREFIX };

int workload_next(struct workload *w, uint64_t seq, struct dialect_request *ret, uint32_t *ret_input)
{
    struct rng r;
    rng_seed(&r, seed_mix(w->stage_seed, PURPOSE_CHOICE, w->part, seq));
    const struct plan_workload *load = pick_workload(w, &r);
    const char *model = pick_model(w, &r);
    uint32_t input = length(&load->input_tokens, &r), output = length(&load->output_tokens, &r);
    uint32_t prefix = 0;
    uint64_t group = 0;
    if (load->prefix_tokens > 0 && load->prefix_groups > 0) {
        prefix = load->prefix_tokens;
        group = rng_below(&r, load->prefix_groups);
    }
    size_t chars = PROMPT_CHARS(input);
    if (w->cap < chars) {
        free(w->text);
        w->text = malloc(chars);
        w->cap = w->text ? chars : 0;
        if (!w->text) return -1;
    }
    uint64_t which = (uint64_t)(load - w->plan->workloads);
    prompt_write(w->text, input, prefix, seed_mix(w->plan->seed, PURPOSE_PREFIX, which, group),
                 seed_mix(w->stage_seed, PURPOSE_WORDS, w->part, seq));
    w->message = (struct dialect_message){.role = "user", .text = w->text, .len = chars};
    *ret = (struct dialect_request){.model = model,
                                    .messages = &w->message,
                                    .n_messages = 1,
                                    .output_tokens = output,
                                    .body = w->plan->target.body};
    *ret_input = input;
    return 0;
}
