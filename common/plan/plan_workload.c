/* The workload: one mapping, or a list of them. */
#include <stdio.h>
#include <string.h>

#include "common/plan/plan_key.h"

enum { WORKLOADS_MAX = 64 };

static int one(struct reader *r, const struct plan_key *k, const struct node *n, struct plan_workload *w,
               const char *name)
{
    if (section_read(r, n, k->sub, w)) return -1;
    if (!w->name) w->name = keep(r, n, name);
    return w->name ? 0 : -1;
}

static int names_differ(struct reader *r, const struct node *list, const struct plan *p)
{
    for (const struct node *c = list->first; c; c = c->next)
        for (size_t j = 0; j < c->index; j++)
            if (strcmp(p->workloads[c->index].name, p->workloads[j].name) == 0)
                return node_refuse(node_get(c, "name") ? node_get(c, "name") : c, false, r->e,
                                   "the name \"%.40s\" is taken by another workload", p->workloads[j].name);
    return 0;
}

static int workloads_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const struct node NONE = {.kind = NODE_MAP, .text = "", .file = "default", .key = "workload"};
    struct plan *p = at;
    bool list = n && n->kind == NODE_SEQ;
    if (n && !list && n->kind != NODE_MAP) return expected(r, n, "a mapping, or a list of them");
    if (list && (n->n == 0 || n->n > WORKLOADS_MAX))
        return node_refuse(n, false, r->e, "expected 1 to %d workloads, got %zu", WORKLOADS_MAX, n->n);
    p->n_workloads = list ? n->n : 1;
    p->workloads = keep_array(r, n ? n : &NONE, p->n_workloads, sizeof *p->workloads);
    if (!p->workloads) return -1;
    if (!list) return one(r, k, n ? n : &NONE, p->workloads, "default");
    for (const struct node *c = n->first; c; c = c->next) {
        char name[40];
        (void)snprintf(name, sizeof name, "workload-%zu", c->index + 1);
        if (one(r, k, c, &p->workloads[c->index], name)) return -1;
    }
    return names_differ(r, n, p);
}

static struct node *workloads_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan *p = at;
    struct node *all = node_new(t, NODE_SEQ);
    for (size_t i = 0; i < p->n_workloads; i++)
        node_add(t, all, section_write(t, k->sub, &p->workloads[i], 0));
    return all;
}
const struct key_type KEY_WORKLOADS = {
    "mapping, or list of them",
    "\"oneOf\": [{\"$ref\": \"#/$defs/workload\"}, {\"type\": \"array\", \"minItems\": 1, "
    "\"maxItems\": 64, \"items\": {\"$ref\": \"#/$defs/workload\"}}]",
    workloads_read, workloads_write};
