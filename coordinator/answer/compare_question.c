/* Was the same question asked of both? */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "coordinator/answer/compare.h"
#include "coordinator/answer/load_axis.h"

static const char *const APIS[API_N] = {
#define X(id, symbol, name, ...) [API_##id] = name,
#include "common/plan/api.def"
#undef X
};

__attribute__((format(printf, 2, 3))) static void add(struct comparison *c, const char *fmt, ...)
{
    size_t n = strlen(c->question);
    va_list ap;
    if (n) n += (size_t)snprintf(c->question + n, sizeof c->question - n, "; ");
    if (n >= sizeof c->question) return;
    va_start(ap, fmt);
    (void)vsnprintf(c->question + n, sizeof c->question - n, fmt, ap);
    va_end(ap);
}

static bool same_models(const struct plan_target *a, const struct plan_target *b)
{
    if (a->n_models != b->n_models) return false;
    for (size_t i = 0; i < a->n_models; i++)
        if (strcmp(a->models[i].name, b->models[i].name) != 0 ||
            fabs(a->models[i].weight - b->models[i].weight) > 1e-9 * fabs(a->models[i].weight))
            return false;
    return true;
}

static const char *first_model(const struct plan_target *t)
{
    return t->n_models ? t->models[0].name : "none";
}

/* "asked for m, answered by n" of the first answer that named a model of another name; NULL: none did. */
static const char *other_model(const struct compare_asked *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->points[i].data && s->points[i].data->remarks.of[REMARK_OTHER_MODEL].text[0])
            return s->points[i].data->remarks.of[REMARK_OTHER_MODEL].text;
    return NULL;
}

/* The same plan, and another model behind it. */
static void answered(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c)
{
    const char *x = other_model(a), *y = other_model(b);
    if (x && y && strcmp(x, y) != 0)
        add(c, "models of other names answered: %.120s, now %.120s", x, y);
    else if (!x != !y)
        add(c, "a model of another name answered in the %s only: %.120s", x ? "first" : "other", x ? x : y);
}

static double mean_length(const struct compare_asked *s, enum metric m)
{
    double sum = 0, n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct metric_stat *k = &s->points[i].metric[m];
        if (!(load_usable(&s->points[i]) || load_tokenless(&s->points[i])) || !k->count) continue;
        sum += k->mean * (double)k->count;
        n += (double)k->count;
    }
    return n > 0 ? sum / n : (double)NAN;
}

static void length(const struct compare_asked *a, const struct compare_asked *b, enum metric m, const char *what,
                   struct comparison *c)
{
    char x[HUMAN_MAX], y[HUMAN_MAX];
    double before = mean_length(a, m), now = mean_length(b, m);
    if (fabs(now / before - 1) > COMPARE_LENGTH)
        add(c, "%s had %s tokens on average, now %s", what, human_number(before, x), human_number(now, y));
}

/* Does the plan ask for prompts with a beginning in common? */
static bool shares_prefix(const struct plan *p)
{
    for (size_t i = 0; i < p->n_workloads; i++)
        if (p->workloads[i].prefix_tokens) return true;
    return false;
}

/* Of a file the hash of what agents got is kept; its name says less. */
static bool same_data(const struct plan_data *x, const struct plan_data *y)
{
    if (x->corpus && y->corpus) return strcmp(x->corpus, y->corpus) == 0;
    if (x->sha256 && y->sha256) return strcmp(x->sha256, y->sha256) == 0;
    return x->file && y->file && strcmp(x->file, y->file) == 0;
}

/* The file is the same, and what was taken of it is not. */
static bool other_part(const struct plan *a, const struct plan *b)
{
    if (a->n_workloads != b->n_workloads) return false;
    for (size_t i = 0; i < a->n_workloads; i++) {
        const struct plan_workload *x = &a->workloads[i], *y = &b->workloads[i];
        bool files = workload_reads_file(x) && workload_reads_file(y) && x->source == y->source;
        if (!files || !x->data.sha256 || !y->data.sha256 || strcmp(x->data.sha256, y->data.sha256) != 0) return false;
    }
    return a->n_workloads > 0;
}

static bool same_prompts(const struct plan *a, const struct plan *b)
{
    if (a->n_workloads != b->n_workloads) return false;
    for (size_t i = 0; i < a->n_workloads; i++) {
        const struct plan_workload *x = &a->workloads[i], *y = &b->workloads[i];
        if (x->source != y->source) return false;
        if (workload_reads_file(x) && !same_data(&x->data, &y->data)) return false;
    }
    return true;
}

static bool same_dist(const struct dist *x, const struct dist *y)
{
    double u = dist_mean(x), v = dist_mean(y);
    return x->kind == y->kind && fabs(u - v) <= 1e-9 * fabs(u) && fabs(x->b - y->b) <= 1e-9 * fabs(x->b);
}

/* Who leaves early takes the slow answers along, and who thinks asks less. */
static bool same_users(const struct plan *a, const struct plan *b)
{
    if (fabs(a->cancel_fraction - b->cancel_fraction) > 1e-9) return false;
    if (a->cancel_fraction > 0 && !same_dist(&a->cancel_after, &b->cancel_after)) return false;
    for (size_t i = 0; a->n_workloads == b->n_workloads && i < a->n_workloads; i++) {
        const struct plan_sessions *x = &a->workloads[i].sessions, *y = &b->workloads[i].sessions;
        if (x->on != y->on || x->by_request != y->by_request || x->recorded != y->recorded) return false;
        if (x->on && !(same_dist(&x->think_time, &y->think_time) && same_dist(&x->turns, &y->turns))) return false;
    }
    return true;
}

/* Numbers stand side by side, and none of them is called better or worse. */
void compare_no_verdict(struct comparison *c)
{
    c->say = COMPARE_UNKNOWN;
    c->errors_rose = false;
    c->overrun.say = COMPARE_UNKNOWN;
    for (int f = 0; f < FIGURE_N; f++) {
        c->overall[f].say = COMPARE_UNKNOWN;
        for (size_t i = 0; i < c->n_loads; i++)
            c->loads[i].change[f].say = COMPARE_UNKNOWN;
    }
}

void compare_question(const struct compare_asked *a, const struct compare_asked *b, struct comparison *c)
{
    const struct plan_target *x = &a->plan->target, *y = &b->plan->target;
    c->question[0] = '\0';
    if (x->api != y->api) add(c, "the API was %s, now %s", APIS[x->api], APIS[y->api]);
    if (!same_models(x, y)) {
        if (x->n_models == 1 && y->n_models == 1 && strcmp(first_model(x), first_model(y)) != 0)
            add(c, "the model was %.60s, now %.60s", first_model(x), first_model(y));
        else
            add(c, "the models or their weights differ");
    }
    answered(a, b, c);
    length(a, b, METRIC_OUTPUT_TOKENS, "answers", c);
    length(a, b, METRIC_INPUT_TOKENS, "prompts", c);
    if (shares_prefix(a->plan) != shares_prefix(b->plan))
        add(c, "prompts shared a prefix in the %s only", shares_prefix(a->plan) ? "first" : "other");
    if (!same_prompts(a->plan, b->plan))
        add(c, other_part(a->plan, b->plan) ? "the same file was cut, timed or ordered in another way"
                                            : "prompts came from another source");
    if (!same_users(a->plan, b->plan)) add(c, "users waited, or went away (load.cancel), in another way");
    if (x->whole != y->whole) add(c, "answers were streamed in the %s only", x->whole ? "other" : "first");
    if (c->question[0]) compare_no_verdict(c);
}
