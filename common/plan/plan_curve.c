/* load.curve: a standard's curve becomes stages. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/clock.h"
#include "common/plan/plan_key.h"
#include "common/plan/region.h"

#define AT_ONCE_MOST 1000000u /* as the keys concurrency and requests */
#define REQUESTS_MOST UINT64_C(1000000000000)

int64_t plan_curve_window_ns(uint32_t concurrency)
{
    return (concurrency <= REGION_ULTRA_LOW_MAX ? 600 : 1200) * NS_PER_S;
}

bool plan_stage_is_batch(const struct plan_stage *s)
{
    return s->kind == LOAD_CLOSED && s->requests > 0 && s->requests <= s->concurrency;
}

/* Whole milliseconds, so that the time can be said. */
static int64_t scaled(int64_t ns, double scale)
{
    return (int64_t)ceil((double)ns * scale / 1e6 - 1e-9) * NS_PER_MS;
}

static void one_point(const struct plan_curve *c, uint32_t concurrency, struct plan_stage *s)
{
    *s = (struct plan_stage){.kind = LOAD_CLOSED, .concurrency = concurrency};
    if (c->passes) {
        if (!c->samples) s->passes = c->passes;
        s->requests = c->passes * c->samples;
        return;
    }
    s->warmup_ns = scaled(c->warmup_ns, c->scale);
    s->steady_ns = scaled(plan_curve_window_ns(concurrency), c->scale);
    s->duration_ns = s->warmup_ns + 2 * s->steady_ns; /* a ramp is left out, and a window may have to be waited for */
}

int plan_curve_place(struct plan *p, struct err *e)
{
    const struct plan_curve *c = &p->curve;
    uint32_t level[REGION_POINTS_MAX];
    int n = regions_points(c->max_concurrency, c->min_concurrency, c->points - 1, level);
    if (n < 0) return err_set(e, ERR_PLAN, "the curve's regions cannot be computed");
    if (c->offline == OFFLINE_ALL && c->samples > AT_ONCE_MOST)
        return err_set(e, ERR_PLAN,
                       "load.offline: all asks for the whole data set at once, and %" PRIu64
                       " requests are more than %u; use offline: elected",
                       c->samples, AT_ONCE_MOST);
    if (c->passes && c->samples > REQUESTS_MOST / c->passes)
        return err_set(e, ERR_PLAN, "load.passes: %" PRIu32 " passes over %" PRIu64 " requests are more than %" PRIu64,
                       c->passes, c->samples, REQUESTS_MOST);
    size_t all = (size_t)n + (c->offline == OFFLINE_ALL);
    if (p->n_stages != all || !p->stages) p->stages = arena_array(p->arena, all, sizeof *p->stages);
    if (!p->stages) return err_set(e, ERR_NOMEM, "no memory for the stages of the curve");
    p->n_stages = all;
    p->sweep = true;
    for (int i = 0; i < n; i++)
        one_point(c, level[i], &p->stages[i]);
    if (c->offline == OFFLINE_ALL)
        p->stages[n] = (struct plan_stage){.kind = LOAD_CLOSED,
                                           .concurrency = c->samples ? (uint32_t)c->samples : 1,
                                           .requests = c->samples,
                                           .passes = c->samples ? 0 : 1};
    return 0;
}

/* The keys of a stage follow from the curve. */
static int nothing_beside(struct reader *r, const struct node *load)
{
    for (const struct node *c = load->first; c; c = c->next) {
        bool other = strcmp(c->key, "stages") == 0 || strcmp(c->key, "search") == 0 || key_find("stage", c->key);
        if (other && !key_find("curve", c->key))
            return node_refuse(c, true, r->e, "has no place beside curve: the loads follow from it");
    }
    return 0;
}

int curve_read(struct reader *r, const struct node *load, struct plan *p)
{
    struct plan_curve *c = &p->curve;
    size_t files = 0;
    if (nothing_beside(r, load)) return -1;
    for (size_t i = 0; i < PLAN_KEYS_N; i++)
        if (strcmp(PLAN_KEYS[i].section, "curve") == 0 &&
            read_key(r, &PLAN_KEYS[i], load, node_get(load, PLAN_KEYS[i].name), c))
            return -1;
    for (size_t i = 0; i < p->n_workloads; i++)
        files += workload_reads_file(&p->workloads[i]);
    bool set = c->samples > 0 || (files == 1 && p->n_workloads == 1);
    if (c->passes && !set)
        return node_refuse(node_get(load, "passes"), true, r->e,
                           "needs a workload that is one dataset or trace, or samples: how many requests a pass is");
    if (c->offline == OFFLINE_ALL && !set)
        return node_refuse(node_get(load, "offline"), true, r->e,
                           "all needs a workload that is one dataset or trace, or samples: how many requests are sent "
                           "at once");
    if (c->offline == OFFLINE_AUTO) c->offline = set ? OFFLINE_ALL : OFFLINE_ELECTED;
    c->kind = CURVE_MLPERF;
    struct err why = {.code = ERR_NONE};
    return plan_curve_place(p, &why) ? node_refuse(load, false, r->e, "%s", why.text) : 0;
}

struct node *curve_write(struct tree *t, const struct plan_curve *c)
{
    struct node *map = node_new(t, NODE_MAP);
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        if (strcmp(k->section, "curve") != 0) continue;
        bool word = k->offset == SIZE_MAX; /* which curve: there is one */
        node_put(t, map, k->name, k->type->write(t, k, word ? NULL : (const char *)c + k->offset));
    }
    return map;
}
