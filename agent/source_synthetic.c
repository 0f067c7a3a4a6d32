/* Prompts made up on the spot: no two requests have the same first words, so that no prefix cache of the server can
 * answer, unless the plan asks for shared prefixes. */
#include <math.h>
#include <stdlib.h>

#include "agent/prompt.h"
#include "agent/source.h"

/* Seeds of their own for the words and the prefixes: each may change without the other. */
enum purpose { PURPOSE_WORDS = 2, PURPOSE_PREFIX };

struct synthetic {
    struct source_options o;
    struct prompt_tokens tokens;
    struct words words[2]; /* of the latest request: the prefix, the rest */
    struct dialect_message message;
};

static void *synthetic_open(const struct source_options *o, struct err *e)
{
    struct synthetic *s = calloc(1, sizeof *s);
    if (!s)
        (void)err_set(e, ERR_NOMEM, "no memory for the workload");
    else
        s->o = *o;
    if (s && prompt_tokens_init(&s->tokens, &o->plan->target, o->costs, e)) {
        free(s);
        return NULL;
    }
    return s;
}

static void draw_lengths(const struct plan_workload *load, struct rng *r, uint32_t *ret_input, uint32_t *ret_output)
{
    if (load->lengths.n) {
        size_t i = dist_pair_sample(&load->lengths, r);
        *ret_input = (uint32_t)load->lengths.input[i];
        *ret_output = (uint32_t)load->lengths.output[i];
        if (*ret_input > PROMPT_TOKENS_MAX) *ret_input = PROMPT_TOKENS_MAX;
        return;
    }
    *ret_input = prompt_length(&load->input_tokens, r);
    *ret_output = prompt_length(&load->output_tokens, r);
}

/* Of the prefix, what an earlier request of the cluster is expected to have had too: each of them drew one of the
 * groups. Nobody knows all of their draws, and over many requests this comes to the same. */
static uint32_t repeated(const struct synthetic *s, uint64_t index, uint32_t input)
{
    const struct plan_workload *load = s->o.load;
    double all = 0, tokens = load->prefix_tokens < input ? load->prefix_tokens : input;
    for (size_t i = 0; i < s->o.plan->n_workloads; i++)
        all += s->o.plan->workloads[i].weight;
    double earlier = (double)(index + s->o.before) * (all > 0 ? load->weight / all : 1);
    return (uint32_t)(tokens * (1 - pow(1 - 1.0 / load->prefix_groups, earlier)) + 0.5);
}

static int synthetic_next(void *source, const struct source_ask *a, struct dialect_request *ret, uint32_t *ret_input)
{
    struct synthetic *s = source;
    const struct plan_workload *load = s->o.load;
    const struct word_cost *cost = word_costs_find(&s->tokens.costs, a->model);
    uint32_t input, output;
    draw_lengths(load, a->rng, &input, &output);
    uint32_t prefix = 0, all = prompt_words(cost, input, !load->sessions.on);
    uint64_t group = 0;
    if (load->prefix_tokens > 0 && load->prefix_groups > 0) {
        prefix = prompt_words(cost, load->prefix_tokens, false);
        group = rng_below(a->rng, load->prefix_groups);
        ret->repeated = repeated(s, a->index, input);
    }
    if (prefix > all) prefix = all;
    bool exact = s->tokens.on, even = cost->word > 0 && !exact;
    const char *table = exact ? s->tokens.table : NULL;
    uint64_t which = (uint64_t)(load - s->o.plan->workloads);
    s->words[0] = (struct words){.seed = rng_mix(s->o.plan->seed, PURPOSE_PREFIX, which, group),
                                 .table = table,
                                 .n = prefix,
                                 .stop = prefix == all && !exact,
                                 .even = even};
    s->words[1] = (struct words){.seed = rng_mix(s->o.stage_seed, PURPOSE_WORDS, s->o.part, a->number),
                                 .table = table,
                                 .n = all - prefix,
                                 .stop = !exact,
                                 .even = even};
    uint32_t skip = prefix == 0;
    s->message = (struct dialect_message){
        .role = "user", .len = WORDS_CHARS(all), .words = s->words + skip, .n_words = 2 - skip};
    ret->messages = &s->message;
    ret->beside = (uint32_t)cost->beside;
    ret->n_messages = 1;
    ret->output_tokens = output;
    *ret_input = input;
    return 0;
}

static void synthetic_close(void *source)
{
    free(source);
}

extern const struct source_kind source_synthetic;
const struct source_kind source_synthetic = {synthetic_open, synthetic_next, synthetic_close};
