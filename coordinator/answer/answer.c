#include "coordinator/answer/answer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/numeric.h"

#define CLEAR_OF_KNEE 1.1  /* the largest load must be this far past the knee, or the bend was not seen */
#define LATENCY_NOISE 0.05 /* e2e p50 may fall by this much from load to load without being reported */
#define FLAT 0.05          /* without a law: throughput within this of the maximum is the plateau */
#define FLAT_FROM_FIRST 8  /* a curve without a rise is flat when its last load is so many times its first */
#define FAR 0.25           /* a fall that no interval is needed for */
#define AT_LEAST 0.98
#define LATE_CHANCE 3 /* standard deviations of requests in flight at a window's two ends */
#define LAW_POOR 0.05 /* a law that misses the points by more (rms, relative) does not outvote a flat top … */
#define LAW_BELOW 1.1 /* … nor a top so many times its limit */

/* All usable points of one requested load (repeats, and more time of a search) as one. */
struct group {
    double load, throughput, lo, hi;
    const struct plan_stage *asked;
    double e2e_p50, requests_per_s, attainment, refused; /* refused: share of its requests, by refused_share */
    double carried[3]; /* requests/s with its interval; of rates that were kept up with, what was asked for */
    double due, late;  /* arrivals per second; how many more there were, by chance, than ended: per second too */
    uint32_t n, first, n_pass, n_fail,
        n_open;              /* first: index of its first point; gates: points that pass, fail, neither */
    uint32_t n_usable;       /* points whose latencies count too */
    uint32_t n_overrun;      /* points whose rate the server did not keep up with */
    uint64_t ended;          /* requests that ended ok in their windows */
    bool apart, times_apart; /* its runs are, in throughput; in a time */
};

/* Throughput of a group: of several runs the wider of two intervals is taken, that within a run and that between runs.
 * A run's own interval knows nothing of what differs from run to run. */
static void group_rate(struct group *g, const struct point *points, size_t n, const struct answer *a)
{
    double rate[64] = {0}, half = NAN;
    size_t k = 0;
    for (size_t i = g->first; i < n && k < 64; i++) {
        if (!answer_carries(a, &points[i]) || !load_same(&points[i].requested, &points[g->first].requested)) continue;
        rate[k++] = a->of_requests ? points[i].requests_per_s : points[i].output_tokens_per_s;
        if (a->of_requests) continue;                                       /* whose interval nobody has */
        half = fmax(half, (points[i].output_hi - points[i].output_lo) / 2); /* fmax passes over NaN */
    }
    g->throughput = mean_of(rate, k);
    if (k > 1)
        half = fmax(half / sqrt((double)k), t_quantile(0.975, (double)(k - 1)) * sd_of(rate, k) / sqrt((double)k));
    g->lo = half > g->throughput ? 0 : g->throughput - half; /* NaN stays */
    g->hi = g->throughput + half;
}

/* The requests a second that it carries. Those of a rate that was kept up with came as the plan asked, and by how many
 * chance made more or fewer of them says nothing of the server. */
static void group_carried(struct group *g, const struct point *points, size_t n, const struct answer *a)
{
    double square = 0, k = 0, tokens = g->throughput > 0 ? (g->hi - g->lo) / 2 / g->throughput : 0;
    bool kept = !plan_stage_is_ramp(g->asked);
    for (size_t i = g->first; i < n; i++) {
        if (!answer_carries(a, &points[i]) || !load_same(&points[i].requested, g->asked)) continue;
        kept &= load_kept_up(&points[i]) && points[i].window_due > 0;
        square += pow(load_noise(&points[i], points[i].window_done), 2);
        k++;
    }
    double half = kept ? 0 : fmax(tokens, norm_quantile(0.975) * sqrt(square) / k); /* fmax passes over NaN */
    g->carried[0] = kept ? g->asked->rate_to : g->requests_per_s;
    g->carried[1] = g->carried[0] * fmax(0, 1 - half);
    g->carried[2] = g->carried[0] * (1 + half);
}

/* Do its latencies count too? */
static bool is_usable(const struct answer *a, const struct point *p)
{
    return a->of_requests ? load_tokenless(p) : load_usable(p);
}

/* NULL: its load was one and the same. */
static const struct plan_stage *ramp_of(const struct group *g)
{
    return plan_stage_is_ramp(g->asked) ? g->asked : NULL;
}

/* Times of runs that are apart have no mean. */
static void group_apart(struct group *g, const struct point *points, size_t n)
{
    g->apart = look_twice_apart(points, n, g->first, APART_THROUGHPUT);
    g->times_apart =
        look_twice_apart(points, n, g->first, APART_E2E) || look_twice_apart(points, n, g->first, APART_TTFT);
    if (g->times_apart) g->e2e_p50 = g->attainment = 0;
}

static bool is_below(const struct group *x, const struct group *y)
{
    return load_below(x->load, x->asked, y->load, y->asked);
}

/* Those that are apart come last. */
static int by_load(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->apart != y->apart) return x->apart - y->apart;
    return is_below(y, x) - is_below(x, y);
}

/* Of the stage's requests, those that the server refused since it has enough: by a limit of requests (429), or because
 * it is busy. */
static double refused_share(const struct point *p)
{
    double all = (double)p->ledger.ok, refused = (double)p->ledger.failed[FAILURE_HTTP_429];
    for (int i = 0; i < FAILURE_N; i++)
        all += (double)p->ledger.failed[i];
    if (p->data) refused += (double)(p->data->counters[COUNTER_STATUS_503] + p->data->counters[COUNTER_STATUS_529]);
    return all > 0 ? refused / all : 0;
}

static size_t groups_make(const struct point *points, size_t n, const struct answer *a,
                          const struct gate_outcome *gates, size_t n_gates, struct group *ret)
{
    size_t n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        if (!answer_carries(a, p)) continue;
        struct group *g = NULL;
        for (size_t k = 0; k < n_groups && !g; k++)
            if (load_same(&points[ret[k].first].requested, &p->requested)) g = &ret[k];
        if (!g) {
            g = &ret[n_groups++];
            *g = (struct group){.first = (uint32_t)i, .asked = &p->requested};
        }
        double w = 1.0 / ++g->n, ended = (double)point_limited(p);
        g->load += (load_on(p, a->axis) - g->load) * w;
        g->requests_per_s += (p->requests_per_s - g->requests_per_s) * w;
        g->ended += p->window_ok;
        double due = p->by_count ? p->requested.rate_to : p->arrivals_per_s;
        g->due += (due - g->due) * w;
        g->late += (LATE_CHANCE * sqrt(2 * p->concurrency) / p->window_s - g->late) * w;
        g->n_overrun += p->overrun && !plan_stage_is_ramp(&p->requested);
        g->refused += (refused_share(p) - g->refused) * w;
        if (!is_usable(a, p)) continue;
        w = 1.0 / ++g->n_usable;
        g->e2e_p50 += (p->metric[METRIC_E2E].q[0] - g->e2e_p50) * w;
        g->attainment += ((ended > 0 ? (double)p->window_good / ended : 0) - g->attainment) * w;
        enum gate_result r = gates_at_point((uint32_t)i, gates, n_gates);
        g->n_pass += r == GATE_PASS;
        g->n_fail += r == GATE_FAIL;
        g->n_open += r == GATE_INCONCLUSIVE;
    }
    for (size_t k = 0; k < n_groups; k++) {
        group_rate(&ret[k], points, n, a);
        group_carried(&ret[k], points, n, a);
        group_apart(&ret[k], points, n);
    }
    if (n_groups > 1) qsort(ret, n_groups, sizeof *ret, by_load);
    return n_groups;
}

/* Of one at least. */
static const struct group *most(const struct group *g, size_t n)
{
    const struct group *best = g;
    for (size_t i = 1; i < n; i++)
        if (g[i].throughput > best->throughput) best = &g[i];
    return best;
}

/* The smallest load within 5 % of the maximum. */
static size_t top_first(const struct group *g, size_t n, const struct group *best)
{
    size_t first = 0;
    while (first + 1 < n && g[first].throughput < (1 - FLAT) * best->throughput)
        first++;
    return first;
}

/* The load asked for from which on a limit of requests takes what more load brings, up to the last load: it is refused
 * too, and throughput grows by no more than FLAT per doubling, from the last load below it that was not refused where
 * there is one: loads that a search tries lie close together, and a window's noise is more than a small step may grow.
 * Slots rest after refusals, so that what is in flight says nothing of the order. NaN: there is no such load. */
static double refused_from(const struct point *points, const struct group *g, size_t n)
{
    const struct group *first = NULL, *last = NULL, *below = NULL;
    double from = 0, to = 0, under = 0;
    for (size_t i = 0; i < n; i++) {
        const struct plan_stage *load = &points[g[i].first].requested;
        double asked = load_asked(load);
        if (load->kind != points[g[0].first].requested.kind) return NAN; /* slots are not above or below a rate */
        if (plan_stage_is_ramp(load)) continue;
        if (g[i].refused > FLAT && (!first || asked < from)) first = &g[i], from = asked;
        if (!last || asked > to) last = &g[i], to = asked;
    }
    if (!first || last->refused <= FLAT || to < CLEAR_OF_KNEE * from) return NAN; /* one load alone shows no limit */
    for (size_t i = 0; i < n; i++) {
        double asked = load_asked(&points[g[i].first].requested);
        if (plan_stage_is_ramp(&points[g[i].first].requested) || asked >= from) continue;
        if (!below || asked > under) below = &g[i], under = asked;
    }
    bool flat = last->throughput <= first->throughput * pow(1 + FLAT, log2(to / from));
    flat |= below && last->throughput <= below->throughput * pow(1 + FLAT, log2(to / under));
    return flat ? from : (double)NAN;
}

/* Does the server still deliver the rate that is due? Then it has not shown its limit, however a law through the points
 * bends: lengths of answers that differ from load to load bend it too. */
static bool follows_rate(const struct group *g, const struct answer *a)
{
    if (a->axis != AXIS_RATE || g->n_overrun == g->n) return false;
    double missing = g->due - g->requests_per_s;
    return !(missing > FLAT * g->due && missing > g->late);
}

/* Does more load give no more throughput? Either of these shows it:
 * - From the first load at the top to the last, throughput grows by at most 5 % per doubling. On Amdahl's curve, the
 *   slowest to bend, that is where 95 % of the limit is. Loads close together must grow by less still, or neighbours
 *   on any slope would look flat.
 * - Arrivals waited in vain at the last rate: those of a higher rate would only join them.
 * - The server refuses what more load brings.
 * - A search for it has found it. */
static bool top_flat(const struct group *g, size_t n, const struct group *best, const struct answer *a)
{
    size_t first = top_first(g, n, best);
    double steps = g[n - 1].load / g[first].load;
    if (g[n - 1].n_overrun == g[n - 1].n || isfinite(a->refused_from)) return true;
    if (follows_rate(&g[n - 1], a)) return false;
    if (a->search.found && isfinite(a->search.plateau)) return true;
    return steps >= (first > 0 ? CLEAR_OF_KNEE : FLAT_FROM_FIRST) &&
           g[n - 1].throughput <= g[first].throughput * pow(1 + FLAT, log2(steps));
}

/* Without a law (few points, or none that fits) the plateau is the mean of the loads within 5 % of the maximum. */
static void plateau_plain(const struct group *g, size_t n, const struct group *best, struct answer *a)
{
    size_t flat = 0, first = top_first(g, n, best);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (g[i].throughput < (1 - FLAT) * best->throughput) continue;
        sum += g[i].throughput;
        flat++;
    }
    a->plateau_reached = top_flat(g, n, best, a);
    a->knee = first > 0 ? g[first].load : (double)NAN; /* no load below the first was tried */
    a->knee_lo = a->knee_hi = NAN;
    a->plateau = a->plateau_reached ? sum / (double)flat : best->throughput;
    a->plateau_lo = best->lo - (best->throughput - a->plateau);
    if (a->plateau_lo < 0) a->plateau_lo = 0;
    a->plateau_hi = best->hi;
}

/* The plateau from what was measured, not from what a curve promises beyond it. */
static void plateau_law(const struct fit *f, const struct group *g, size_t n, const struct group *best,
                        struct answer *a)
{
    a->plateau_reached =
        g[n - 1].load >= CLEAR_OF_KNEE * f->knee && best->throughput >= 0.9 * f->limit && !follows_rate(&g[n - 1], a);
    a->knee = f->knee;
    a->knee_lo = f->knee_lo;
    a->knee_hi = f->knee_hi;
    a->plateau = a->plateau_reached ? f->limit : best->throughput;
    a->plateau_lo = a->plateau_reached ? f->limit_lo : best->lo;
    a->plateau_hi = a->plateau_reached ? f->limit_hi : best->hi;
}

static void law_keep(const struct fit *f, const struct group *g, size_t n, struct answer *a)
{
    a->model = f->model;
    a->rms_residual = f->rms;
    for (uint32_t i = 0; i < f->n_params; i++) {
        a->param[i] = f->param[i];
        a->param_lo[i] = f->param_lo[i];
        a->param_hi[i] = f->param_hi[i];
    }
    for (size_t i = 0; i < n && i < ANSWER_LOADS; i++)
        a->residual[a->n_residuals++] = (struct answer_residual){g[i].load, g[i].throughput, fit_at(f, g[i].load)};
}

/* -1: no memory. */
static int plateau_compute(const struct point *points, size_t n, const struct group *g, size_t n_groups, uint64_t seed,
                           struct answer *a)
{
    const struct group *best = most(g, n_groups);
    double *load = calloc(2 * n + 1, sizeof *load), *rate = load ? load + n : NULL;
    struct fit f;
    size_t k = 0;
    if (!load) return -1;
    for (size_t i = 0; i < n; i++) {
        if (!load_carries(&points[i])) continue;
        load[k] = load_on(&points[i], a->axis);
        rate[k++] = points[i].output_tokens_per_s;
    }
    int rc = fit_curve(load, rate, k, seed, &f);
    free(load);
    a->has_plateau = n_groups >= 3 && a->loads_apart == 0;
    a->refused_from = refused_from(points, g, n_groups);
    if (rc || !a->has_plateau) return rc;
    bool law = f.model != FIT_NONE;
    if (law) plateau_law(&f, g, n_groups, best, a);
    bool poor = f.rms > LAW_POOR || g[n_groups - 1].n_overrun || /* laws do not model arrivals that waited in vain, … */
                isfinite(a->refused_from);                       /* … nor a limit of requests */
    bool below = f.rms > LAW_POOR && best->throughput > LAW_BELOW * f.limit; /* a cliff that a law smooths away */
    if (law && ((!a->plateau_reached && poor) || below)) law = !top_flat(g, n_groups, best, a);
    if (law)
        law_keep(&f, g, n_groups, a);
    else
        plateau_plain(g, n_groups, best, a);
    if (load_mostly_ends(&points[g[n_groups - 1].first])) a->plateau_reached = false;
    if (!a->plateau_reached) {
        a->knee = a->knee_lo = a->knee_hi = NAN; /* a bend that was not measured */
        a->plateau_ramp = ramp_of(best);
    }
    return 0;
}

/* Is a load's throughput below another's, clear of chance? Where a window was too short for an interval, by far. */
static bool falls(const struct group *from, const struct group *to)
{
    bool known = !isnan(from->lo) && !isnan(to->hi);
    return known ? to->hi < from->lo : to->throughput < (1 - FAR) * from->throughput;
}

/* Are answers at the second load sooner by this share, clear of chance where that is known? */
static bool is_sooner(const struct point *from, const struct point *to, double share)
{
    double lo = from->metric[METRIC_E2E].q_lo[0], hi = to->metric[METRIC_E2E].q_hi[0];
    return share > LATENCY_NOISE && !(hi >= lo);
}

/* More load gives more throughput up to the maximum, and never a shorter wait. Where neighbouring loads break that, one
 * of them cannot be trusted. */
static void monotone_compute(const struct run_data *run, const struct point *points, const struct group *g, size_t n,
                             struct answer *a)
{
    const struct group *best = most(g, n), *before = NULL;
    for (const struct group *now = g; now < g + n; now++) {
        if (ramp_of(now)) continue; /* a mean over many loads is above or below its neighbours by nature */
        if (!before) {
            before = now;
            continue;
        }
        double fall = 1 - now->throughput / before->throughput,
               sooner = before->e2e_p50 > 0 ? 1 - now->e2e_p50 / before->e2e_p50 : 0;
        bool resumed = look_twice_resumed(run, &points[before->first], &points[now->first]);
        if (now < best && falls(before, now) && fall > a->throughput_dip.share)
            a->throughput_dip = (struct answer_dip){before->load, now->load, fall, resumed};
        if (now->e2e_p50 > 0 && sooner > a->latency_dip.share &&
            is_sooner(&points[before->first], &points[now->first], sooner))
            a->latency_dip = (struct answer_dip){before->load, now->load, sooner, resumed};
        before = now;
    }
}

/* Past the knee requests wait: how much one more doubling of the load costs. Loads that are close together do not tell,
 * nor do those at which requests are refused instead. */
static void shape_compute(const struct group *g, size_t n, struct answer *a)
{
    const struct group *best = most(g, n), *last = &g[n - 1];
    double x[256], y[256], power = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!(g[i].e2e_p50 > 0)) continue;
        if (g[i].throughput / g[i].e2e_p50 > power) {
            power = g[i].throughput / g[i].e2e_p50;
            a->power_load = g[i].load;
        }
        if (!a->plateau_reached || g[i].load < a->knee || g[i].refused > FLAT || k == 256 || ramp_of(&g[i])) continue;
        x[k] = log2(g[i].load);
        y[k++] = log2(g[i].e2e_p50);
    }
    struct line l;
    bool far = k > 1 && x[k - 1] > x[0] + 0.5;
    if (far && k == 2)
        a->latency_per_doubling = exp2((y[1] - y[0]) / (x[1] - x[0]));
    else if (far && line_fit(x, y, k, 0.05, &l))
        a->latency_per_doubling = exp2(l.slope);
    if (last != best && falls(best, last)) a->fall = 1 - last->throughput / best->throughput;
}

static double cost_of(const struct plan *plan, double tokens_per_s)
{
    if (!plan || !plan->currency || !(tokens_per_s > 0)) return NAN;
    return plan->gpus * plan->per_gpu_hour / 3600 / tokens_per_s * 1e6;
}

static void slo_from(const struct group *g, const struct group *end, struct answer *a)
{
    a->has_slo = true;
    a->slo_load = g->load;
    a->slo_ramp = ramp_of(g);
    a->slo_tokens_per_s = a->of_requests ? (double)NAN : g->throughput;
    a->slo_lo = a->of_requests ? (double)NAN : g->lo;
    a->slo_hi = a->of_requests ? (double)NAN : g->hi;
    a->slo_requests_per_s = g->requests_per_s;
    a->slo_ended = g->ended;
    memcpy(a->slo_carried, g->carried, sizeof a->slo_carried);
    a->slo_point = g->first;
    a->slo_open_end = g == end;
}

static bool passes(const struct group *g)
{
    return g->n_pass > 0 && g->n_fail == 0;
}

/* What the loads above and below say. Those that are apart come after the n others: they are not named, and fail all
 * the same. The mean of a ramp is no load that passes or fails. */
static void slo_neighbours(const struct group *g, size_t n, const struct group *best, struct answer *a)
{
    const struct group *next = NULL;
    for (size_t i = 0; i < n + a->loads_apart; i++) {
        bool below = is_below(&g[i], best);
        if (&g[i] == best || ramp_of(&g[i])) continue;
        if (!below && (!next || is_below(&g[i], next))) next = &g[i];
        if (!below && i < n && passes(&g[i])) a->slo_passes_to = g[i].load;
        if (below && g[i].n_fail > 0 && !(a->slo_fails_below > g[i].load)) a->slo_fails_below = g[i].load;
    }
    a->slo_next_fails = next && next->n_fail > 0;
    a->slo_open_end &= !a->slo_next_fails;
}

/* A sweep: the load with the maximum throughput among those whose runs pass all gates, none of them failing one. A
 * larger load may pass too. */
static void slo_compute(const struct group *g, size_t n, struct answer *a)
{
    const struct group *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (passes(&g[i]) && (!best || g[i].throughput > best->throughput)) best = &g[i];
    if (best) slo_from(best, &g[n - 1], a);
    if (best) slo_neighbours(g, n, best, a);
    for (size_t i = 0; i < n; i++) {
        bool undecided = g[i].n_usable > 0 && g[i].n_fail == 0 && g[i].n_pass == 0;
        a->slo_failed += g[i].n_fail > 0;
        a->slo_undecided += undecided;
        a->slo_more |= undecided && (!best || g[i].throughput > best->throughput);
    }
}

static void capacity_of(bool requests, bool gated, const struct group *best, struct answer *a)
{
    const double *carried = gated ? a->slo_carried : best->carried;
    if (!requests && a->of_requests) return; /* nobody knows */
    a->capacity_value = requests ? carried[0] : gated ? a->slo_tokens_per_s : best->throughput;
    a->capacity_lo = requests ? carried[1] : gated ? a->slo_lo : best->lo;
    a->capacity_hi = requests ? carried[2] : gated ? a->slo_hi : best->hi;
}

/* `more`: a greater load may carry more. */
static enum gate_result capacity_judge(const struct plan_capacity *c, bool more, const struct answer *a)
{
    double lo = isnan(a->capacity_lo) ? a->capacity_value : a->capacity_lo,
           hi = isnan(a->capacity_hi) ? a->capacity_value : a->capacity_hi;
    bool strict = c->op == OP_GT;
    if (strict ? lo > c->value : lo >= c->value) return GATE_PASS;
    return (strict ? hi <= c->value : hi < c->value) && !more ? GATE_FAIL : GATE_INCONCLUSIVE;
}

/* Why it is not decided. */
static const char *capacity_why(bool gated, bool more, size_t n, const struct answer *a)
{
    if (a->loads_apart) return "runs of one load are apart";
    if (a->of_requests && isnan(a->capacity_value)) return "no output tokens of the answers are known";
    if (!n) return "no load carries an answer";
    if (!more && (!gated || a->has_slo)) return "it lies within the 95 % interval";
    if (!gated) return "the plateau was not reached";
    if (!a->has_slo && a->search.found) return "the windows of the load that the search found drifted";
    if (!a->has_slo) return "no load is shown to keep the gates, and not all break them";
    return a->slo_more ? "whether a load with more throughput keeps the gates is not decided"
                       : "the highest load tried keeps the gates";
}

/* The load that the endpoint carries within its gates, against slo.capacity. Where a higher load may still pass, too
 * little is not a failure. */
static void capacity_compute(const struct plan *plan, const struct group *g, size_t n, struct answer *a)
{
    if (!plan || !plan->capacity.text) return;
    const struct plan_capacity *c = &plan->capacity;
    const struct group *best = n ? most(g, n) : NULL;
    bool gated = plan->n_gates > 0, more = gated ? a->slo_open_end || a->slo_more : !a->plateau_reached;
    more |= a->loads_apart > 0;
    bool searched = plan->search.goal == SEARCH_SLO && a->search.over && !a->search.found && !a->search.client_limited;
    bool none = gated && !a->has_slo, broken = searched || (a->slo_failed && !a->slo_undecided);
    a->capacity = none && n && broken && !a->loads_apart ? GATE_FAIL : GATE_INCONCLUSIVE;
    if (!none && best) {
        capacity_of(c->requests, gated, best, a);
        a->capacity = capacity_judge(c, more, a);
    }
    if (a->capacity == GATE_INCONCLUSIVE) a->capacity_open = capacity_why(gated, more, n, a);
}

static void most_compute(const struct group *g, size_t n, struct answer *a)
{
    const struct group *best = most(g, n);
    if (a->of_requests) return; /* its figures are answer_tokenless */
    a->has_most = true;
    a->most_load = best->load;
    a->most_ended = best->ended;
    a->most_ramp = ramp_of(best);
    a->most_tokens_per_s = best->throughput;
    a->most_lo = best->lo;
    a->most_hi = best->hi;
}

/* Loads whose runs are apart are in no figure: another state of the server is no repeat. Returns how many are left. */
static size_t apart_leave_out(const struct plan *plan, const struct group *g, size_t n, struct answer *a)
{
    size_t left = 0;
    bool sweep = !plan || plan->search.goal != SEARCH_SLO;
    while (left < n && !g[left].apart)
        left++;
    for (size_t i = left; sweep && i < n; i++) {
        a->slo_apart += passes(&g[i]);
        a->slo_failed += g[i].n_fail > 0;
    }
    a->loads_apart = (uint32_t)(n - left);
    a->curve_apart = a->loads_apart && n >= 3;
    return left;
}

/* Points that say something about the server: a stage that was ended before its time is the last, and a resumed run
 * begins with it. One that a broken gate ended says that. */
static size_t whole_points(const struct run_data *run, const struct point *points, size_t n)
{
    size_t whole = 0;
    while (whole < n && !(points[whole].data && points[whole].data->aborted && !run_data_finished(run)))
        whole++;
    return whole;
}

/* A search decides by all runs of a load together, so the machine gets the points again and gives its result. */
ERR_CHECKED static int search_compute(const struct run_data *run, const struct point *points, size_t n,
                                      const struct group *g, size_t n_groups, struct answer *a, struct err *e)
{
    const struct plan *plan = run->plan;
    struct search *s = search_new(plan, e);
    if (!s) return -1;
    search_replay(s, points, whole_points(run, points, n));
    search_result(s, &a->search);
    search_destroy(&s);
    if (a->search.no_memory) return err_set(e, ERR_NOMEM, "no memory for the answer of a search");
    if (plan->search.goal != SEARCH_SLO || !a->search.found) return 0;
    for (size_t i = 0; i < n_groups; i++) {
        double asked = load_asked(&points[g[i].first].requested);
        if (fabs(asked - a->search.load) > 1e-9 * asked) continue;
        slo_from(&g[i], NULL, a);
        a->slo_open_end = a->search.end_reached;
        a->slo_next_fails = !isnan(a->search.failed_load);
    }
    return 0;
}

static void goodput_compute(const struct plan *plan, const struct group *g, size_t n, struct answer *a)
{
    bool wanted = false;
    for (int i = 0; plan && i < SLO_REQUEST_N; i++)
        wanted |= plan->slo_request_ns[i] > 0;
    for (size_t i = 0; wanted && i < n; i++) {
        if (g[i].n_usable && !(g[i].attainment <= a->attained))
            a->attained = g[i].attainment, a->attained_load = g[i].load;
        if (g[i].attainment < ANSWER_ATTAINMENT || (a->has_goodput && g[i].requests_per_s <= a->goodput_requests_per_s))
            continue;
        a->has_goodput = true;
        a->goodput_load = g[i].load;
        a->goodput_ramp = ramp_of(&g[i]);
        a->goodput_open_end = i + 1 == n;
        a->goodput_requests_per_s = g[i].requests_per_s;
        a->goodput_attainment = g[i].attainment;
        a->goodput_per_gpu = plan->gpus > 0 ? g[i].requests_per_s / plan->gpus : (double)NAN;
    }
}

/* The median of a figure over the runs of a load. */
static double middle(const struct answer *a, const struct point *points, size_t n, const struct group *g, enum metric m,
                     int q)
{
    double v[64];
    size_t k = 0;
    for (size_t i = g->first; i < n && k < 64; i++) {
        if (!is_usable(a, &points[i]) || !load_same(&points[i].requested, &points[g->first].requested)) continue;
        if (!isnan(points[i].metric[m].q[q])) v[k++] = points[i].metric[m].q[q];
    }
    return k ? quantile_of(v, k, 0.5) : (double)NAN;
}

/* Latencies at the smallest load tried that is not below `load`. A load may be achieved a little below what was asked
 * for. */
static void latency_at(const struct answer *a, const struct point *points, size_t n, const struct group *g,
                       size_t n_groups, double load, struct answer_latency *ret)
{
    size_t i = 0;
    while (i < n_groups && (g[i].n_usable == 0 || g[i].load < AT_LEAST * load || (ramp_of(&g[i]) && g[i].load > load)))
        i++;
    if (!(load > 0) || i == n_groups || g[i].times_apart) return;
    *ret = (struct answer_latency){.load = g[i].load,
                                   .ttft_p50 = middle(a, points, n, &g[i], METRIC_TTFT, 0),
                                   .ttft_p99 = middle(a, points, n, &g[i], METRIC_TTFT, 3),
                                   .tpot_p50 = middle(a, points, n, &g[i], METRIC_TPOT, 0),
                                   .tpot_p99 = middle(a, points, n, &g[i], METRIC_TPOT, 3),
                                   .e2e_p50 = middle(a, points, n, &g[i], METRIC_E2E, 0)};
}

/* Nothing is known yet. */
static void answer_reset(struct answer *ret)
{
    *ret = (struct answer){
        .search =
            {.load = NAN, .failed_load = NAN, .low_load = NAN, .kept_from = NAN, .plateau = NAN, .nothing_load = NAN},
        .at_knee = {NAN, NAN, NAN, NAN, NAN, NAN},
        .at_slo = {NAN, NAN, NAN, NAN, NAN, NAN}};
    ret->plateau = ret->plateau_lo = ret->plateau_hi = ret->knee = ret->ends_load = ret->ends_in_flight = NAN;
    ret->refused_from = ret->knee_lo = ret->knee_hi = ret->power_load = ret->rms_residual = NAN;
    ret->most_load = ret->most_tokens_per_s = ret->most_lo = ret->most_hi = ret->slo_load = NAN;
    ret->slo_tokens_per_s = ret->slo_lo = ret->slo_hi = ret->slo_passes_to = ret->slo_fails_below = NAN;
    ret->slo_requests_per_s = ret->capacity_value = ret->capacity_lo = ret->capacity_hi = ret->oldest_s = NAN;
    ret->worst_lag_ms = ret->oldest_cut_s = ret->slowest_s = ret->after_ms = ret->after_share = ret->open_ms = NAN;
    ret->latency_per_doubling = ret->goodput_load = ret->goodput_requests_per_s = ret->goodput_per_gpu = NAN;
    ret->attained = ret->attained_load = ret->goodput_attainment = ret->cost_plateau = ret->cost_slo = ret->cost_most =
        NAN;
    for (int i = 0; i < FIT_PARAMS; i++)
        ret->param[i] = ret->param_lo[i] = ret->param_hi[i] = NAN;
}

/* What the loads show together. */
ERR_CHECKED static int groups_compute(const struct run_data *run, const struct point *points, size_t n,
                                      const struct group *g, size_t n_groups, struct answer *ret, struct err *e)
{
    const struct plan *plan = run ? run->plan : NULL;
    most_compute(g, n_groups, ret);
    if (!ret->of_requests && plateau_compute(points, n, g, n_groups, run ? run->seed : 0, ret))
        return err_set(e, ERR_NOMEM, "no memory for the law of %zu points", n);
    shape_compute(g, n_groups, ret);
    monotone_compute(run, points, g, n_groups, ret);
    goodput_compute(plan, g, n_groups, ret);
    if (!plan || plan->search.goal != SEARCH_SLO) slo_compute(g, n_groups, ret);
    if (ret->has_plateau) latency_at(ret, points, n, g, n_groups, ret->knee, &ret->at_knee);
    if (ret->has_slo) latency_at(ret, points, n, g, n_groups, ret->slo_load, &ret->at_slo);
    if (ret->has_plateau) ret->cost_plateau = cost_of(plan, ret->plateau);
    ret->cost_most = cost_of(plan, ret->most_tokens_per_s);
    if (ret->has_slo) ret->cost_slo = cost_of(plan, ret->slo_tokens_per_s);
    return 0;
}

int answer_compute(const struct run_data *run, const struct point *points, size_t n, const struct gate_outcome *gates,
                   size_t n_gates, struct answer *ret, struct err *e)
{
    const struct plan *plan = run ? run->plan : NULL;
    answer_reset(ret);
    for (size_t i = 0; run && i < run->n_events; i++)
        ret->gave_up |= run->events[i].kind == RUN_EVENT_GATE_FAILED;
    ret->axis = load_axis(points, n);
    look_twice_compute(run, points, n, &ret->twice);
    answer_count(plan, points, n, ret);
    stalls_compute(points, n, &ret->stalls);
    lengths_compute(plan, points, n, &ret->length);
    cache_hits_compute(plan, points, n, &ret->hits);
    struct group *g = calloc(n + 1, sizeof *g);
    if (!g) return err_set(e, ERR_NOMEM, "no memory for the loads of %zu points", n);
    size_t n_groups = groups_make(points, n, ret, gates, n_gates, g);
    n_groups = apart_leave_out(plan, g, n_groups, ret);
    int rc = n && plan && plan->search.goal != SEARCH_NONE ? search_compute(run, points, n, g, n_groups, ret, e) : 0;
    if (rc == 0 && n_groups) rc = groups_compute(run, points, n, g, n_groups, ret, e);
    capacity_compute(plan, g, n_groups, ret);
    free(g);
    return rc;
}
