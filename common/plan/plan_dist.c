/* Distributions in a plan: 512 · {uniform: [1, 100]} · {normal: {mean, sd, min, max}} · {lognormal: …} · {exponential:
 * 4 or {mean, min, max}} · {choice: [128, {value: 256, weight: 3}]}. */
#include <string.h>

#include "common/args.h"
#include "common/plan/plan_key.h"

static const char *const NAMES[] = {
    [DIST_FIXED] = "fixed",         [DIST_UNIFORM] = "uniform",         [DIST_NORMAL] = "normal",
    [DIST_LOGNORMAL] = "lognormal", [DIST_EXPONENTIAL] = "exponential", [DIST_CHOICE] = "choice"};
enum { NAME_N = sizeof NAMES / sizeof *NAMES };
#define FORMS                                                                                                          \
    "a number, or one of {uniform: [LOW, HIGH]}, {normal: {mean, sd}}, {lognormal: {mean, sd}}, {exponential: MEAN}, " \
    "{choice: [...]}, {histogram: FILE}"

static int uniform(struct reader *r, const struct plan_key *k, const struct node *n, struct dist *d)
{
    if (n->kind != NODE_SEQ || n->n != 2) return read_expected(r, n, "two numbers, [LOW, HIGH]");
    if (scalar_read_number(r, k, n->first, &d->a) || scalar_read_number(r, k, n->last, &d->b)) return -1;
    return d->a <= d->b ? 0 : node_refuse(n, false, r->e, "the first number must not be greater than the second");
}

static int option(struct reader *r, const struct plan_key *k, const struct node *n, double *ret_value,
                  double *ret_weight)
{
    static const struct plan_key WEIGHT = {.name = "weight", .least = 1e-6, .most = 1e6};
    *ret_weight = 1;
    if (n->kind != NODE_MAP) return scalar_read_number(r, k, n, ret_value);
    const struct node *value = node_get(n, "value"), *weight = node_get(n, "weight");
    for (const struct node *c = n->first; c; c = c->next)
        if (c != value && c != weight) return node_refuse(c, true, r->e, "unknown key; known here: value, weight");
    if (!value) return node_refuse(n, false, r->e, "needs \"value\"");
    if (scalar_read_number(r, k, value, ret_value)) return -1;
    return weight ? scalar_read_number(r, &WEIGHT, weight, ret_weight) : 0;
}

static int choice(struct reader *r, const struct plan_key *k, const struct node *n, struct dist *d)
{
    if (n->kind != NODE_SEQ || n->n == 0) return read_expected(r, n, "a list of numbers or {value, weight}");
    d->n = n->n;
    d->value = read_keep_array(r, n, n->n, sizeof *d->value);
    d->weight = read_keep_array(r, n, n->n, sizeof *d->weight);
    if (!d->value || !d->weight) return -1;
    for (const struct node *c = n->first; c; c = c->next)
        if (option(r, k, c, &d->value[c->index], &d->weight[c->index])) return -1;
    return 0;
}

static int shaped(struct reader *r, const struct plan_key *k, const struct node *n, struct dist *d)
{
    bool bare = d->kind == DIST_EXPONENTIAL && n->kind != NODE_MAP;
    d->min = k->least;
    d->max = k->most;
    if (bare ? scalar_read_number(r, k, n, &d->a) : read_section(r, n, NAMES[d->kind], d)) return -1;
    const struct node *mean = bare ? n : node_get(n, "mean"), *low = node_get(n, "min"), *high = node_get(n, "max");
    double in_bounds;
    if (scalar_read_number(r, k, mean, &in_bounds)) return -1;
    if (low && scalar_read_number(r, k, low, &in_bounds)) return -1;
    if (high && scalar_read_number(r, k, high, &in_bounds)) return -1;
    return d->min <= d->max ? 0 : node_refuse(low ? low : n, false, r->e, "min must not be greater than max");
}

static int dist_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct dist *d = at;
    *d = (struct dist){.kind = DIST_FIXED};
    if (n->kind == NODE_INT || n->kind == NODE_NUMBER) return scalar_read_number(r, k, n, &d->a);
    if (n->kind != NODE_MAP || n->n != 1) return read_expected(r, n, FORMS);
    const struct node *c = n->first;
    for (size_t i = 0; i < NAME_N; i++)
        if (strcmp(c->key, NAMES[i]) == 0) {
            d->kind = (enum dist_kind)i;
            if (d->kind == DIST_FIXED) return scalar_read_number(r, k, c, &d->a);
            if (d->kind == DIST_UNIFORM) return uniform(r, k, c, d);
            return d->kind == DIST_CHOICE ? choice(r, k, c, d) : shaped(r, k, c, d);
        }
    if (strcmp(c->key, "histogram") == 0) {
        d->kind = DIST_CHOICE;
        return scalar_read_text(r, c, "the name of a file of lengths", &d->file);
    }
    const char *near = args_nearest(c->key, NAMES, NAME_N);
    if (near) return node_refuse(c, true, r->e, "unknown distribution; did you mean \"%s\"?", near);
    return node_refuse(c, true, r->e, "unknown distribution; expected %s", FORMS);
}

static struct node *choice_write(struct tree *t, const struct dist *d)
{
    struct node *all = node_new(t, NODE_SEQ);
    for (size_t i = 0; i < d->n; i++) {
        struct node *one = node_new(t, NODE_MAP);
        node_put(t, one, "value", node_new_number(t, d->value[i]));
        node_put(t, one, "weight", node_new_number(t, d->weight[i]));
        node_add(t, all, one);
    }
    return all;
}

static struct node *dist_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct dist *d = at;
    if (d->kind == DIST_FIXED) return d->a > 0 || !(k->flags & KEY_SKIP_ZERO) ? node_new_number(t, d->a) : NULL;
    struct node *outer = node_new(t, NODE_MAP), *inner;
    if (d->kind == DIST_UNIFORM) {
        inner = node_new(t, NODE_SEQ);
        node_add(t, inner, node_new_number(t, d->a));
        node_add(t, inner, node_new_number(t, d->b));
    } else if (d->file && d->n == 0) {
        node_put(t, outer, "histogram", node_new_text(t, d->file));
        return outer;
    } else if (d->kind == DIST_CHOICE)
        inner = choice_write(t, d);
    else
        inner = write_section(t, NAMES[d->kind], d, 0);
    node_put(t, outer, NAMES[d->kind], inner);
    return outer;
}
const struct key_type KEY_DIST = {"distribution", "\"$ref\": \"#/$defs/distribution\"", dist_read, dist_write};

/* ---- two lengths that belong together: {histogram: FILE} · [[100, 20], [2000, 50, 3]] ---- */

#define PAIRS "{histogram: FILE} or a list of pairs, such as [[100, 20], [2000, 50, 3]] (input, output and weight)"

static int one_pair(struct reader *r, const struct plan_key *k, const struct node *n, struct dist_pairs *d)
{
    static const struct plan_key WEIGHT = {.name = "weight", .least = 1e-6, .most = 1e15};
    if (n->kind != NODE_SEQ || n->n < 2 || n->n > 3) return read_expected(r, n, PAIRS);
    d->weight[n->index] = 1;
    if (scalar_read_number(r, k, n->first, &d->input[n->index]) ||
        scalar_read_number(r, k, n->first->next, &d->output[n->index]))
        return -1;
    return n->n == 3 ? scalar_read_number(r, &WEIGHT, n->last, &d->weight[n->index]) : 0;
}

static int pairs_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct dist_pairs *d = at;
    const struct node *file = node_get(n, "histogram");
    if (n->kind == NODE_MAP && n->n == 1 && file)
        return scalar_read_text(r, file, "the name of a file of lengths", &d->file);
    if (n->kind != NODE_SEQ || n->n == 0) return read_expected(r, n, PAIRS);
    d->input = read_keep_array(r, n, n->n, sizeof *d->input);
    d->output = read_keep_array(r, n, n->n, sizeof *d->output);
    d->weight = read_keep_array(r, n, n->n, sizeof *d->weight);
    if (!d->input || !d->output || !d->weight) return -1;
    d->n = n->n;
    for (const struct node *c = n->first; c; c = c->next)
        if (one_pair(r, k, c, d)) return -1;
    return 0;
}

static struct node *pairs_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct dist_pairs *d = at;
    (void)k;
    if (d->n == 0 && !d->file) return NULL;
    struct node *all = node_new(t, d->n ? NODE_SEQ : NODE_MAP);
    if (d->n == 0) node_put(t, all, "histogram", node_new_text(t, d->file));
    for (size_t i = 0; i < d->n; i++) {
        struct node *one = node_new(t, NODE_SEQ);
        node_add(t, one, node_new_number(t, d->input[i]));
        node_add(t, one, node_new_number(t, d->output[i]));
        node_add(t, one, node_new_number(t, d->weight[i]));
        node_add(t, all, one);
    }
    return all;
}
const struct key_type KEY_PAIRS = {
    "{histogram: FILE}, or list of pairs",
    "\"oneOf\": [{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"histogram\"], "
    "\"properties\": {\"histogram\": {\"type\": \"string\"}}}, {\"type\": \"array\", \"minItems\": 1, \"items\": "
    "{\"type\": \"array\", \"minItems\": 2, \"maxItems\": 3, \"items\": {\"type\": \"number\"}}}]",
    pairs_read, pairs_write};

/* ---- times: 1s · {uniform: [1s, 5s]} · {exponential: 4s} ---- */

#define TIMES "a duration such as 4s, or one of {uniform: [1s, 5s]}, {exponential: 4s}"

static int one_time(struct reader *r, const struct plan_key *k, const struct node *n, double *ret)
{
    int64_t ns;
    if (KEY_DURATION.read(r, k, n, &ns)) return -1;
    *ret = (double)ns;
    return 0;
}

static int times_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct dist *d = at;
    const struct node *uniform = node_get(n, "uniform"), *exponential = node_get(n, "exponential");
    *d = (struct dist){.kind = DIST_FIXED};
    if (n->kind != NODE_MAP) return node_is_scalar(n) ? one_time(r, k, n, &d->a) : read_expected(r, n, TIMES);
    if (n->n == 1 && exponential) {
        d->kind = DIST_EXPONENTIAL;
        d->max = k->most * 1e9;
        return one_time(r, k, exponential, &d->a);
    }
    if (n->n != 1 || !uniform || uniform->kind != NODE_SEQ || uniform->n != 2) return read_expected(r, n, TIMES);
    d->kind = DIST_UNIFORM;
    if (one_time(r, k, uniform->first, &d->a) || one_time(r, k, uniform->last, &d->b)) return -1;
    return d->a <= d->b ? 0 : node_refuse(uniform, false, r->e, "the first must not be later than the second");
}

static struct node *times_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct dist *d = at;
    if (d->kind == DIST_FIXED)
        return d->a > 0 || !(k->flags & KEY_SKIP_ZERO) ? scalar_new_duration(t, (int64_t)d->a) : NULL;
    struct node *outer = node_new(t, NODE_MAP);
    if (d->kind == DIST_EXPONENTIAL) {
        node_put(t, outer, "exponential", scalar_new_duration(t, (int64_t)d->a));
        return outer;
    }
    struct node *pair = node_new(t, NODE_SEQ);
    node_add(t, pair, scalar_new_duration(t, (int64_t)d->a));
    node_add(t, pair, scalar_new_duration(t, (int64_t)d->b));
    node_put(t, outer, "uniform", pair);
    return outer;
}
const struct key_type KEY_TIMES = {"duration, {uniform: [LOW, HIGH]} or {exponential: MEAN}",
                                   "\"oneOf\": [{\"$ref\": \"#/$defs/duration\"}, {\"type\": \"object\"}]", times_read,
                                   times_write};
