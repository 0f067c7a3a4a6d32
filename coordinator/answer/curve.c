#include "coordinator/answer/curve.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/human.h"
#include "coordinator/answer/teller.h"

#define POINTS_ASKED 8u
#define PASSES_ASKED 5u

static bool is_all_at_once(const struct plan *plan, const struct plan_stage *load)
{
    const struct plan_curve *c = &plan->curve;
    return c->offline == OFFLINE_ALL && load->kind == LOAD_CLOSED && load->requests == load->concurrency &&
           load->requests == c->samples;
}

bool curve_is_offline(const struct plan *plan, const struct plan_stage *load)
{
    const struct plan_curve *c = &plan->curve;
    if (c->kind == CURVE_NONE) return false;
    return c->offline == OFFLINE_ELECTED ? load->concurrency == c->max_concurrency : is_all_at_once(plan, load);
}

/* A region of the table below. */
enum { ULTRA_LOW = REGION_N, OFFLINE, OUTSIDE };
static const struct {
    const char *name, *key;
} WORDS[] = {
    [REGION_LOW] = {"low", "low_concurrency"},
    [REGION_MEDIUM] = {"medium", "med_concurrency"},
    [REGION_HIGH] = {"high", "high_concurrency"},
    [REGION_MARGIN] = {"margin", "submitters_choice"},
    [ULTRA_LOW] = {"ultra low", "low_latency"},
    [OFFLINE] = {"offline", "high_concurrency"},
    [OUTSIDE] = {NULL, NULL},
};

static int region_of(const struct plan *plan, const struct plan_stage *load)
{
    const struct plan_curve *c = &plan->curve;
    struct regions r;
    if (c->kind == CURVE_NONE || load->kind != LOAD_CLOSED ||
        regions_compute(c->max_concurrency, c->min_concurrency, &r))
        return OUTSIDE;
    if (is_all_at_once(plan, load)) return OFFLINE;
    if (load->concurrency <= c->min_concurrency) return ULTRA_LOW;
    for (int k = 0; k < REGION_N; k++)
        if (load->concurrency >= r.at[k].from && load->concurrency <= r.at[k].to) return k;
    return OUTSIDE;
}

const char *curve_region(const struct plan *plan, const struct plan_stage *load)
{
    return WORDS[region_of(plan, load)].name;
}

const char *curve_region_key(const struct plan *plan, const struct plan_stage *load)
{
    return WORDS[region_of(plan, load)].key;
}

static void of_plan(const struct plan *plan, const struct teller *t)
{
    const struct plan_curve *c = &plan->curve;
    char n[HUMAN_MAX];
    uint32_t runs = (uint32_t)plan->n_stages, asked = c->offline == OFFLINE_ELECTED ? POINTS_ASKED - 1 : POINTS_ASKED;
    if (c->scale < 1) teller_say(t, "windows are %s times as long as the rules ask", human_number(c->scale, n));
    if (runs < asked) teller_say(t, "%" PRIu32 " points, the rules ask for %" PRIu32, runs, asked);
    if (c->passes && c->passes < PASSES_ASKED)
        teller_say(t, "%" PRIu32 " passes over the data set, %u is what the search for a steady window needs",
                   c->passes, PASSES_ASKED);
    if (c->passes)
        teller_say(t, "points end by their passes: whether a window is as long as the rules ask is known afterwards");
    if (!c->passes && c->samples)
        teller_say(t, "points end by time, so the last pass over the data set is not whole (passes: %u makes it whole)",
                   PASSES_ASKED);
    if (!c->samples && c->offline == OFFLINE_ELECTED)
        teller_say(
            t,
            "without a data set or samples there are no passes to be whole, and Offline is the greatest concurrency");
    if (plan->n_workloads > 1) teller_say(t, "the requests come from more than one workload");
    if (plan->cancel_fraction > 0) teller_say(t, "users go away before their answer has ended (load.cancel)");
}

static void of_point(const struct plan *plan, const struct point *p, const struct teller *t)
{
    char got[HUMAN_MAX], want[HUMAN_MAX];
    double asked = (double)plan_curve_window_ns(p->requested.concurrency) / 1e9;
    if (plan->curve.scale < 1 || is_all_at_once(plan, &p->requested)) return;
    if (p->window_s >= asked - 0.5) return;
    teller_say(t, "the window at %" PRIu32 " is %s s long, the rules ask for %s s", p->requested.concurrency,
               human_number(p->window_s, got), human_number(asked, want));
}

void curve_deviations(const struct plan *plan, const struct point *points, size_t n,
                      void (*tell)(void *arg, const char *sentence), void *arg)
{
    struct teller t = {tell, arg};
    if (plan->curve.kind == CURVE_NONE) return;
    of_plan(plan, &t);
    for (size_t i = 0; points && i < n; i++)
        of_point(plan, &points[i], &t);
    teller_say(
        &t,
        "the rules want the reference client, unmodified: a curve of plateau has its shape and definitions, and is no "
        "submission");
}
