/* Conversations of several turns. */
#include "common/plan/plan_api.h"

static int sessions_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_workload *w = at;
    w->sessions.on = true;
    return read_section(r, n, k->sub, w);
}

static struct node *sessions_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_workload *w = at;
    return w->sessions.on ? write_section(t, k->sub, w, 0) : NULL;
}
const struct key_type KEY_SESSIONS = {"mapping", NULL, sessions_read, sessions_write};

/* Looks at a workload as a whole. */
int plan_sessions_check(struct reader *r, const struct node *map, const struct plan_workload *w)
{
    const struct node *n = node_get(map, "sessions");
    if (!w->sessions.on) return 0;
    if (w->source == SOURCE_TRACE)
        return node_refuse(n, true, r->e,
                           "conversations are made of synthetic prompts or of a data set, not of a trace");
    bool dataset = w->source == SOURCE_DATASET, turns = dataset && w->data.dataset == DATASET_AIPERF;
    if (dataset && !turns && w->data.dataset != DATASET_SHAREGPT)
        return node_refuse(
            n, true, r->e,
            "of the data sets only those of format sharegpt and aiperf hold conversations: make turns of "
            "synthetic prompts, or leave sessions out");
    if (turns && w->sessions.recorded)
        return node_refuse(node_get(n, "history"), false, r->e, "AIPerf's data sets hold no answers: use own");
    if (w->source == SOURCE_SYNTHETIC && !(dist_mean(&w->sessions.turns) > 0) && !w->sessions.turns.file)
        return node_refuse(n, false, r->e,
                           "needs \"turns\" (requests of a conversation), such as turns: {uniform: [2, 6]}");
    if (w->source == SOURCE_SYNTHETIC && w->sessions.recorded)
        return node_refuse(node_get(n, "history"), false, r->e,
                           "recorded answers come from a data set; synthetic prompts have none: use own");
    return 0;
}

bool plan_has_sessions(const struct plan *p)
{
    for (size_t i = 0; i < p->n_workloads; i++)
        if (p->workloads[i].sessions.on) return true;
    return false;
}

bool plan_workload_has_trees(const struct plan_workload *w)
{
#define X(id, name, tree) [TRACE_##id] = tree,
    static const bool TREES[TRACE_N] = {
#include "common/plan/trace.def"
    };
#undef X
    return w->source == SOURCE_TRACE && TREES[w->data.trace];
}

bool plan_has_trees(const struct plan *p)
{
    return p->n_workloads > 0 && plan_workload_has_trees(&p->workloads[0]); /* they are not mixed with others */
}

/* Lanes hold one session tree each: what a plan must be for that. */
static int trees_check_load(struct reader *r, const struct node *load, const struct plan *p)
{
    for (size_t i = 0; i < p->n_workloads; i++)
        if (plan_workload_has_trees(&p->workloads[i]) && p->n_workloads > 1)
            return node_refuse(load, false, r->e,
                               "session trees (workload.trace of weka, otel …) are a plan's only workload: trees and "
                               "single requests cannot be counted together");
    if (!plan_has_trees(p)) return 0;
    if (!plan_api_has_tokens(p->target.api))
        return node_refuse(load, false, r->e, "session trees: this API has no answers that an agent could go on from");
    if (p->curve.kind != CURVE_NONE)
        return node_refuse(load, false, r->e,
                           "session trees have no curve of this kind: its concurrency counts requests");
    if (p->search.goal != SEARCH_NONE && p->search.over_rate)
        return node_refuse(load, false, r->e, "session trees need a concurrency (lanes of one tree each), not a rate");
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct plan_stage *s = &p->stages[i];
        if (s->kind == LOAD_OPEN)
            return node_refuse(load, false, r->e,
                               "session trees need a concurrency (lanes of one tree each), not a rate");
        if (s->requests && !s->passes)
            return node_refuse(load, false, r->e,
                               "session trees are many requests each: give a duration, or passes over the file");
    }
    return 0;
}

/* Conversations follow one another in slots: what a stage must be for them. */
int plan_sessions_check_load(struct reader *r, const struct node *load, const struct plan *p)
{
    if (trees_check_load(r, load, p)) return -1;
    if (!plan_has_sessions(p)) return 0;
    if (!plan_api_has_tokens(p->target.api))
        return node_refuse(load, false, r->e,
                           "workload.sessions: this API has no answers that a conversation could be of");
    if (p->search.goal != SEARCH_NONE && p->search.over_rate)
        return node_refuse(load, false, r->e, "conversations (workload.sessions) need a concurrency, not a rate");
    for (size_t i = 0; i < p->n_stages; i++) {
        if (p->stages[i].kind == LOAD_OPEN)
            return node_refuse(load, false, r->e,
                               "conversations (workload.sessions) need a concurrency, not a rate: each slot holds one "
                               "after the other");
        if (p->stages[i].passes)
            return node_refuse(
                load, false, r->e,
                "passes count records, and a conversation is many requests: give requests or a duration");
    }
    return 0;
}
