#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/answer/search.h"
#include "coordinator/answer/trial.h"
#include "tests/unit/simload.h"

#define S INT64_C(1000000000)
#define FULL 100

static int tries(void)
{
    return trials(FULL, 50, 2);
}

/* A server of 256 slots: 2,500 token/s at most, its step a straight line of the number running. */
static const struct simload SERVER = {
    .server = {.slots = 256, .prefill_rate = 20000, .step_base = 10000000, .step_per_seq = 100000},
    .output_mean = 64,
    .prompt = 128};

struct result {
    struct search_outcome o;
    double seconds;
};

static struct plan plan_of(struct plan_stage *stage, struct plan_gate *gates, size_t n_gates, bool over_rate,
                           double from, double to)
{
    *stage = (struct plan_stage){.kind = over_rate ? LOAD_OPEN : LOAD_CLOSED,
                                 .arrivals = ARRIVALS_POISSON,
                                 .duration_ns = 35 * S,
                                 .warmup_ns = 5 * S};
    return (struct plan){
        .seed = 1,
        .stages = stage,
        .n_stages = 1,
        .gates = gates,
        .n_gates = n_gates,
        .verdict_lateness_ns = 1000000,
        .verdict_lag_ns = 1000000,
        .verdict_achieved = 0.02,
        .search = {.goal = SEARCH_SLO, .over_rate = over_rate, .from = from, .to = to, .tolerance = 0.05}};
}

static struct result run_search(const struct plan *plan, const struct simload *l, uint64_t seed)
{
    struct err e = {0};
    struct search *s = search_new(plan, &e);
    struct result r = {.seconds = 0};
    struct plan_stage stage;
    uint64_t k = 0;
    assert_non_null(s);
    while (search_next(s, &stage)) {
        struct stage_data d;
        struct point p;
        simload_run(l, &stage, rng_mix(seed, ++k, 0, 0), &d);
        point_compute(&d, plan, &p);
        assert_true(p.ledger.balanced);
        search_tell(s, &p);
        r.seconds += (double)stage.duration_ns / 1e9;
        stage_data_clear(&d);
    }
    search_result(s, &r.o);
    search_destroy(&s);
    assert_true(r.o.over && r.o.runs <= SEARCH_RUNS_MAX);
    return r;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Many searches; the number within the tolerance of the truth, and how much work it was. */
static int many(const char *what, const struct plan *plan, const struct simload *l, double truth)
{
    int good = 0, n = tries();
    double loads[FULL], runs = 0, seconds = 0, found[FULL];
    for (int i = 0; i < n; i++) {
        struct result r = run_search(plan, l, (uint64_t)i);
        double slack = fmax(plan->search.tolerance * truth, plan->search.over_rate ? 0 : 1);
        found[i] = r.o.found ? r.o.load : 0;
        good += r.o.found && r.o.confirmed && fabs(r.o.load - truth) <= slack;
        loads[i] = r.o.loads;
        runs += (double)r.o.runs / n;
        seconds += r.seconds / n;
    }
    qsort(loads, (size_t)n, sizeof *loads, by_value);
    qsort(found, (size_t)n, sizeof *found, by_value);
    printf("%s: truth %.4g; %d of %d within %.0f %%; found %.4g (least) %.4g (median) %.4g (most); loads tried: median "
           "%.0f, most %.0f; %.1f runs, %.0f s of load\n",
           what, truth, good, n, 100 * plan->search.tolerance, found[0], found[n / 2], found[n - 1], loads[n / 2],
           loads[n - 1], runs, seconds);
    return good;
}

/* Over concurrency: mean TPOT has a closed form. */
static void test_concurrency(void **state)
{
    (void)state;
    struct plan_stage stage;
    struct plan_gate gate = {.text = "tpot.mean < 35ms",
                             .subject = GATE_METRIC,
                             .metric = METRIC_TPOT,
                             .agg = AGG_MEAN,
                             .op = OP_LT,
                             .value = 35e6};
    struct plan plan = plan_of(&stage, &gate, 1, false, 1, 1024);
    struct sim_model_load load = {.prompt = SERVER.prompt, .output = SERVER.output_mean};
    double truth = 0;
    for (uint32_t n = 1; n <= 256; n++) {
        struct sim_model_answer a;
        sim_model_at_concurrency(&SERVER.server, &load, n, &a);
        if (a.tpot_s * 1e9 < gate.value) truth = n;
    }
    assert_true(truth > 20 && truth < 250);
    assert_true(many("concurrency, tpot.mean", &plan, &SERVER, truth) >= tries() * 95 / 100);
}

/* Quantile of a metric in the long run: the truth of a percentile gate. */
static double long_run(const struct plan_stage *like, double load, enum metric m, double q)
{
    struct plan_stage stage = *like;
    struct stage_data d;
    stage.duration_ns = 3000 * S;
    stage.warmup_ns = 60 * S;
    stage.concurrency = (uint32_t)load;
    stage.rate_from = stage.rate_to = load;
    simload_run(&SERVER, &stage, 99, &d);
    double v = (double)hist_quantile(d.hist[m], q);
    stage_data_clear(&d);
    return v;
}

static double truth_of(const struct plan_stage *like, const struct plan_gate *g, double lo, double hi)
{
    for (int i = 0; i < 10; i++) {
        double mid = (lo + hi) / 2;
        if (long_run(like, mid, g->metric, g->q) < g->value)
            lo = mid;
        else
            hi = mid;
    }
    return (lo + hi) / 2;
}

/* Over a Poisson rate, two percentile gates at once. */
static void test_rate(void **state)
{
    (void)state;
    struct plan_stage stage;
    struct plan_gate gates[2] = {
        {.text = "ttft.p95 < 90ms",
         .subject = GATE_METRIC,
         .metric = METRIC_TTFT,
         .agg = AGG_QUANTILE,
         .q = 0.95,
         .op = OP_LT,
         .value = 90e6},
        {.text = "tpot.p90 < 60ms",
         .subject = GATE_METRIC,
         .metric = METRIC_TPOT,
         .agg = AGG_QUANTILE,
         .q = 0.90,
         .op = OP_LT,
         .value = 60e6},
    };
    struct plan plan = plan_of(&stage, gates, 2, true, 1, 500);
    double truth = fmin(truth_of(&stage, &gates[0], 10, 74), truth_of(&stage, &gates[1], 10, 74));
    assert_true(many("rate, ttft.p95 and tpot.p90", &plan, &SERVER, truth) >= tries() * 95 / 100);
}

/* Few slots: past them requests queue, and the gate falls off a cliff. */
static void test_cliff(void **state)
{
    (void)state;
    struct plan_stage stage;
    struct plan_gate gate = {.text = "ttft.p90 < 400ms",
                             .subject = GATE_METRIC,
                             .metric = METRIC_TTFT,
                             .agg = AGG_QUANTILE,
                             .q = 0.90,
                             .op = OP_LT,
                             .value = 400e6};
    struct plan plan = plan_of(&stage, &gate, 1, false, 4, 4096);
    struct simload l = SERVER;
    l.server.slots = 40;
    double truth = 0;
    for (uint32_t n = 40; n < 80; n++) {
        struct plan_stage at = stage;
        struct stage_data d;
        at.duration_ns = 1000 * S;
        at.concurrency = n;
        simload_run(&l, &at, 7, &d);
        if ((double)hist_quantile(d.hist[METRIC_TTFT], 0.9) < gate.value) truth = n;
        stage_data_clear(&d);
    }
    assert_true(truth > 40);
    assert_true(many("few slots, ttft.p90", &plan, &l, truth) >= tries() * 95 / 100);
}

static void test_plateau(void **state)
{
    (void)state;
    struct plan_stage stage;
    struct plan plan = plan_of(&stage, NULL, 0, false, 1, 4096);
    struct simload l = SERVER;
    struct sim_model_load load = {.prompt = l.prompt, .output = l.output_mean};
    struct sim_model_answer at;
    int good = 0, n = tries();
    l.server.slots = 96;
    plan.search.goal = SEARCH_PLATEAU;
    sim_model_at_concurrency(&l.server, &load, 500, &at);
    double truth = at.tokens_per_s, knee = 1, loads = 0;
    for (; sim_model_at_concurrency(&l.server, &load, knee, &at), at.tokens_per_s < 0.95 * truth; knee++) {
    }
    for (int i = 0; i < n; i++) {
        struct result r = run_search(&plan, &l, 1000 + (uint64_t)i);
        good += r.o.found && r.o.confirmed && fabs(r.o.plateau / truth - 1) < 0.03 && fabs(r.o.load / knee - 1) < 0.08;
        loads += (double)r.o.loads / n;
    }
    printf("plateau: truth %.0f token/s, knee %.0f; %d of %d within 3 %% and 8 %%; %.1f loads tried\n", truth, knee,
           good, n, loads);
    assert_true(good >= n * 95 / 100);
}

/* Scripted answers: what the machine asks for when points say this or that. */
struct script {
    double limit;       /* loads up to it pass */
    double reach;       /* loads above it make invalid points; 0: none */
    double errors;      /* share of failed requests above `limit` instead of slow ones */
    uint32_t spoil;     /* this many first points are degraded */
    uint32_t lie_at;    /* this run (from 1) says the opposite; 0: none */
    uint32_t dead_from; /* nothing ends ok from this load on, the points are invalid; 0: none */
    bool silent;        /* and nothing fails there: answers take longer than the stage */
    bool tokenless;     /* answers without output tokens, as of embeddings */
    uint32_t top;       /* throughput does not rise beyond this load; 0: it does */
    uint32_t falls;     /* from this load on throughput falls; 0: it does not */
    uint32_t bad_at;    /* this load is always invalid; 0: none */
    struct {
        uint64_t seed;
        double share; /* of the loads (by_run: of the runs) that are invalid */
        bool by_run;
    } invalid;
};

static struct search_outcome play(const struct plan *plan, const struct script *k, struct plan_stage *ret_asked,
                                  struct point *ret_points, size_t *ret_n)
{
    struct search *s = search_new(plan, NULL);
    struct search_outcome o;
    struct plan_stage stage;
    uint32_t n = 0;
    struct hist *fast[METRIC_N] = {0}, *slow[METRIC_N] = {0};
    fast[METRIC_TTFT] = hist_new();
    slow[METRIC_TTFT] = hist_new();
    hist_record(fast[METRIC_TTFT], 100000000, 1000);
    hist_record(slow[METRIC_TTFT], 900000000, 1000);
    while (search_next(s, &stage)) {
        struct point p = {
            .requested = stage, .window_s = 30, .window_ok = 1000, .output_tokens_per_s = stage.concurrency};
        bool pass = stage.concurrency <= k->limit;
        if (n + 1 == k->lie_at) pass = !pass;
        p.hist = pass || k->errors > 0 ? fast : slow;
        p.output_lo = p.output_hi = p.output_tokens_per_s;
        if (!pass && k->errors > 0) p.window_failed = (uint64_t)(1000 * k->errors);
        p.degraded = n < k->spoil;
        if (k->reach > 0 && stage.concurrency > k->reach) p.verdict.status = VERDICT_INVALID;
        if (k->top && stage.concurrency > k->top) p.output_tokens_per_s = p.output_lo = p.output_hi = k->top;
        if (k->falls && stage.concurrency > k->falls)
            p.output_tokens_per_s = p.output_lo = p.output_hi = (double)k->falls * k->falls / stage.concurrency;
        if ((double)(rng_mix(k->invalid.seed, k->invalid.by_run ? n : stage.concurrency, 0, 0) % 1000) <
                k->invalid.share * 1000 ||
            (k->bad_at && stage.concurrency == k->bad_at))
            p.verdict.status = VERDICT_INVALID;
        if (k->tokenless) p.output_tokens_per_s = 0;
        if (k->dead_from && n + 1 != k->lie_at &&
            (plan->search.over_rate ? stage.rate_from : stage.concurrency) >= k->dead_from) {
            p.verdict.status = VERDICT_INVALID;
            p.window_ok = 0;
            p.output_tokens_per_s = 0;
            p.window_failed = k->silent ? 0 : 5;
            p.hist = slow;
        }
        if (ret_points) {
            ret_points[n] = p;
            ret_points[n].hist = NULL;
        }
        if (ret_asked) ret_asked[n] = stage;
        assert_true(++n <= SEARCH_RUNS_MAX);
        search_tell(s, &p);
    }
    search_result(s, &o);
    assert_string_equal(search_phase(s), "over");
    search_destroy(&s);
    hist_destroy(&fast[METRIC_TTFT]);
    hist_destroy(&slow[METRIC_TTFT]);
    if (ret_n) *ret_n = n;
    return o;
}

static void test_scripts(void **state)
{
    (void)state;
    struct plan_stage stage, asked[SEARCH_RUNS_MAX];
    struct plan_gate gates[2] = {{.text = "ttft.p95 < 500ms",
                                  .subject = GATE_METRIC,
                                  .metric = METRIC_TTFT,
                                  .agg = AGG_QUANTILE,
                                  .q = 0.95,
                                  .op = OP_LT,
                                  .value = 500e6},
                                 {.text = "errors.rate < 1%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.01}};
    struct plan plan = plan_of(&stage, gates, 2, false, 1, 1000);
    size_t n;
    for (double limit = 1; limit < 1000; limit = floor(limit * 1.37) + 1) {
        struct search_outcome o = play(&plan, &(struct script){.limit = limit}, NULL, NULL, NULL);
        assert_true(o.found && o.confirmed && !o.end_reached);
        assert_true(o.load <= limit && o.load >= floor(limit / 1.05) && o.failed_load > limit);
        o = play(&plan, &(struct script){.limit = limit, .errors = 0.1}, NULL, NULL, NULL); /* errors count against */
        assert_true(o.found && o.load <= limit && o.load >= floor(limit / 1.05));
    }
    struct search_outcome o = play(&plan, &(struct script){.limit = 0}, asked, NULL, &n);
    assert_false(o.found);
    assert_int_equal(n, 2); /* not even one request at a time; asked twice */
    assert_int_equal(asked[1].concurrency, 1);
    o = play(&plan, &(struct script){.limit = 5000}, asked, NULL, &n);
    assert_true(o.found && o.end_reached && o.load >= 1000 && o.load <= 1000);
    assert_int_equal(asked[n - 1].concurrency, 1000);
    o = play(&plan, &(struct script){.limit = 500, .reach = 100}, NULL, NULL,
             NULL); /* the clients end before the server does */
    assert_true(o.found && o.client_limited && o.load <= 100 && o.load >= 95);
    o = play(&plan, &(struct script){.limit = 300, .spoil = 2}, asked, NULL,
             NULL); /* an agent was lost: the load is asked for again */
    assert_true(o.found && o.load <= 300 && o.load >= 285 && asked[2].concurrency == 1);
    for (uint32_t lie = 1; lie < 12; lie++) { /* one wrong word does not mislead it */
        o = play(&plan, &(struct script){.limit = 300, .lie_at = lie}, asked, NULL, &n);
        assert_true(o.found && o.load <= 300 && o.load >= 285);
    }
}

/* A server that only fails, or never answers in time, ends a search at its first load: more of it tells nothing, and
 * the agents are not to blame. From a later load on it bounds the search. */
static void test_nothing_ok(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct plan_stage stage, asked[SEARCH_RUNS_MAX];
        struct plan_gate gate = {.text = "errors.rate < 5%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.05};
        bool rate = i & 1, silent = i & 2;
        struct plan plan = plan_of(&stage, &gate, i & 4 ? 0 : 1, rate, 2, 512);
        size_t n = 0;
        if (i & 4) plan.search.goal = SEARCH_PLATEAU;
        struct search_outcome o =
            play(&plan, &(struct script){.limit = 1e9, .dead_from = 1, .silent = silent}, asked, NULL, &n);
        assert_int_equal(n, 1);
        assert_true(o.over && !o.found && !o.client_limited && fabs(o.nothing_load - 2) < 1e-9);
        assert_true(isnan(o.load) && isnan(o.plateau));
        if (rate) continue; /* the script's throughput is of concurrency */
        o = play(&plan, &(struct script){.limit = 1e9, .dead_from = 100, .silent = silent}, asked, NULL, &n);
        assert_true(o.over && !o.client_limited && o.nothing_load >= 100 && o.nothing_load <= 128);
        assert_true(o.confirmed);
        if (i & 4) assert_true(o.end_reached && o.plateau > 60); /* still rising where it broke */
        if (!(i & 4)) assert_true(o.found && o.load <= 99 && o.load >= 95);
        for (size_t k = 0; k < n; k++)
            assert_true(asked[k].concurrency >= 2 && asked[k].concurrency <= 128);
    }
    struct plan_stage stage, asked[SEARCH_RUNS_MAX];
    struct plan plan = plan_of(&stage, NULL, 0, false, 2, 512);
    size_t n = 0;
    plan.search.goal = SEARCH_PLATEAU; /* answers without tokens have no throughput; no load is made of that */
    (void)play(&plan, &(struct script){.limit = 1e9, .tokenless = true}, asked, NULL, &n);
    for (size_t k = 0; k < n; k++)
        assert_true(asked[k].concurrency >= 2 && asked[k].concurrency <= 512);
}

/* A gate that asks for load (throughput above a limit) is broken at low loads, where the search begins: it goes on to
 * those that keep it. The load fails only where none keeps all gates. */
static void test_asks_for_load(void **state)
{
    (void)state;
    struct plan_stage stage, asked[SEARCH_RUNS_MAX];
    struct plan_gate gates[2] = {{.text = "throughput >= 40", .subject = GATE_THROUGHPUT, .op = OP_GE, .value = 40},
                                 {.text = "ttft.p95 < 500ms",
                                  .subject = GATE_METRIC,
                                  .metric = METRIC_TTFT,
                                  .agg = AGG_QUANTILE,
                                  .q = 0.95,
                                  .op = OP_LT,
                                  .value = 500e6}};
    struct plan plan = plan_of(&stage, gates, 2, false, 1, 1000);
    size_t n;
    for (double limit = 2; limit < 1000; limit = floor(limit * 1.37) + 1)
        for (double need = 1; need < 1200; need = floor(need * 1.5) + 1) {
            gates[0].value = need;
            struct search_outcome o = play(&plan, &(struct script){.limit = limit}, asked, NULL, &n);
            assert_true(o.over && !o.client_limited && n < SEARCH_RUNS_MAX);
            if (o.found) assert_true(o.confirmed && o.load >= need && o.load <= limit && o.load >= floor(limit / 1.05));
            if (need <= floor(limit / 1.05)) assert_true(o.found);
            if (need > limit) assert_false(o.found);
            if (o.found && need > 1) assert_true(o.low_load < need && o.kept_from >= need && o.kept_from <= o.load);
            if (need <= 1) assert_true(isnan(o.low_load));
        }
    gates[0].value = 40;
    struct search_outcome o = play(&plan, &(struct script){.limit = 1e9}, asked, NULL, &n);
    assert_true(o.found && o.end_reached && o.load >= 1000);
    o = play(&plan, &(struct script){.limit = 1e9, .top = 30}, asked, NULL, &n); /* never so much */
    assert_true(!o.found && !o.client_limited && isnan(o.failed_load) && o.low_load >= 1000 && n <= 11);
    o = play(&plan, &(struct script){.limit = 20}, asked, NULL, &n); /* those that have it are too slow */
    assert_true(!o.found && o.failed_load > 20 && o.failed_load < 22 && o.low_load >= 19);
    plan.n_gates = 1;
    o = play(&plan, &(struct script){.limit = 1e9, .falls = 60}, asked, NULL, &n); /* 3,600 / 90 = 40 */
    assert_true(o.found && o.load >= 85 && o.load <= 90 && o.low_load < 40);
}

/* Whatever loads stay invalid, and however the server behaves at the others: no load is asked for more than three
 * times when it says nothing, and a search ends long before its maximum of runs. */
static void test_invalid(void **state)
{
    (void)state;
    struct plan_stage stage, asked[SEARCH_RUNS_MAX];
    struct plan_gate gate = {.text = "ttft.p95 < 500ms",
                             .subject = GATE_METRIC,
                             .metric = METRIC_TTFT,
                             .agg = AGG_QUANTILE,
                             .q = 0.95,
                             .op = OP_LT,
                             .value = 500e6};
    struct point points[SEARCH_RUNS_MAX];
    for (uint32_t i = 0; i < 20000; i++) {
        bool plateau = i & 1;
        uint32_t to = 16u << (i / 2 % 7);
        struct plan plan = plan_of(&stage, &gate, plateau ? 0 : 1, false, 1 + i / 16 % 8, to);
        struct script k = {.limit = 1 + (double)(i * 37 % to),
                           .top = plateau ? 1 + i * 13 % to : 0,
                           .invalid = {.seed = i + 1, .share = (i / 14 % 10) / 10.0, .by_run = i & 2}};
        size_t n;
        if (plateau) plan.search.goal = SEARCH_PLATEAU;
        struct search_outcome o = play(&plan, &k, asked, points, &n);
        assert_true(o.over && n < SEARCH_RUNS_MAX); /* of itself */
        for (size_t a = 0; a < n; a++) {
            uint32_t said_nothing = 0;
            for (size_t b = 0; b < n && !k.invalid.by_run; b++)
                said_nothing +=
                    asked[a].concurrency == asked[b].concurrency && points[b].verdict.status == VERDICT_INVALID;
            for (size_t b = a; b < n && k.invalid.by_run && asked[a].concurrency == asked[b].concurrency &&
                               points[b].verdict.status == VERDICT_INVALID;
                 b++)
                said_nothing++;
            if (said_nothing > 3) fail_msg("%u: load %u %u times", i, asked[a].concurrency, said_nothing);
        }
    }
    struct plan plan = plan_of(&stage, NULL, 0, false, 8, 16); /* the middle cannot be measured, both ends can */
    size_t n;
    plan.search.goal = SEARCH_PLATEAU;
    struct search_outcome o = play(&plan, &(struct script){.limit = 1e9, .bad_at = 11}, asked, NULL, &n);
    assert_true(n == 2 + 3 + 1 && asked[5].concurrency == 16 && o.confirmed && o.end_reached);
    assert_false(o.client_limited); /* more clients than that were no trouble */
    assert_true(fabs(o.load - 16) < 1e-9 && fabs(o.failed_load - 8) < 1e-9 && fabs(o.plateau - 16) < 1e-9);
}

static void test_replay(void **state)
{
    (void)state;
    struct plan_stage stage;
    struct plan_gate gate = {.text = "errors.rate < 5%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.05};
    struct plan plan = plan_of(&stage, &gate, 1, false, 1, 1000);
    struct point points[SEARCH_RUNS_MAX];
    struct search_outcome o, again;
    struct err e = {0};
    size_t n;
    o = play(&plan, &(struct script){.limit = 77, .errors = 0.5}, NULL, points, &n);
    struct search *s = search_new(&plan, &e);
    assert_int_equal(search_replay(s, points, n), n);
    search_result(s, &again);
    assert_true(o.found && again.found && again.over && o.confirmed == again.confirmed);
    assert_true(fabs(o.load - again.load) < 1e-9 && fabs(o.failed_load - again.failed_load) < 1e-9);
    assert_true(o.runs == again.runs && o.loads == again.loads);
    search_destroy(&s);
    s = search_new(&plan, &e); /* interrupted: it continues where it was */
    assert_int_equal(search_replay(s, points, n / 2), n / 2);
    assert_true(search_next(s, &stage) && stage.concurrency == points[n / 2].requested.concurrency);
    search_destroy(&s);
    points[2].requested.concurrency++; /* not this plan's search */
    plan = plan_of(&stage, &gate, 1, false, 1, 1000);
    s = search_new(&plan, &e);
    assert_int_equal(search_replay(s, points, n), 2);
    search_destroy(&s);
    plan.search.goal = SEARCH_NONE;
    assert_null(search_new(&plan, &e));
    assert_int_equal(e.code, ERR_PLAN);
}

/* Undecided loads are given more time, within bounds. */
static void test_more_time(void **state)
{
    (void)state;
    struct plan_stage stage, next;
    struct plan_gate gate = {.text = "errors.rate < 5%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.05};
    struct plan plan = plan_of(&stage, &gate, 1, false, 10, 10);
    struct search *s = search_new(&plan, NULL);
    const int64_t window[] = {30, 30, 60, 120};
    for (int i = 0; i < 4; i++) {
        struct point p = {.window_s = 30, .window_ok = 96, .window_failed = 4};
        assert_true(search_next(s, &next));
        p.requested = next;
        assert_int_equal(next.concurrency, 10);
        assert_int_equal(next.duration_ns, (5 + window[i]) * S);
        search_tell(s, &p);
    }
    assert_true(search_next(s, &next)); /* 16 of 400: leans to passing; its own confirming run decides */
    assert_string_equal(search_phase(s), "confirming");
    assert_int_equal(next.duration_ns, 35 * S);
    search_destroy(&s);
}

/* A load at which users hang does not pass for the many requests of the others. */
static void test_users_hung(void **state)
{
    (void)state;
    struct plan_gate gate = {.text = "errors.rate < 5%", .subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.05};
    struct plan plan = {.gates = &gate, .n_gates = 1};
    struct point p = {.window_ok = 2000, .window_unanswered = 4, .users.n = 12, .users.hung = 4};
    struct trial t;
    trial_begin(&t, 12);
    trial_add(&t, &plan, &p);
    assert_int_equal(trial_say(&t, &plan), TRIAL_LEANS_FAIL);
    p.users.hung = 0;
    trial_add(&t, &plan, &p);
    assert_int_equal(trial_say(&t, &plan), TRIAL_PASS);
}

static void test_stage_enough(void **state)
{
    (void)state;
    struct plan plan = {.search = {.tolerance = 0.05}};
    struct point p = {.output_tokens_per_s = 1000, .output_lo = 970, .output_hi = 1030};
    assert_true(search_enough(&p, &plan));
    p.output_lo = 900;
    assert_false(search_enough(&p, &plan));
    p.output_lo = NAN;
    assert_false(search_enough(&p, &plan));
    struct plan_gate gate = {.subject = GATE_ERROR_RATE, .op = OP_LT, .value = 0.01};
    plan.gates = &gate;
    plan.n_gates = 1;
    p.window_ok = 100;
    p.error_rate = 0;
    assert_false(search_enough(&p, &plan));
    p.window_ok = 1000; /* decided */
    assert_true(search_enough(&p, &plan));
    p.steady = STEADY_NO;
    assert_false(search_enough(&p, &plan));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),      cmocka_unit_test(test_nothing_ok),  cmocka_unit_test(test_asks_for_load),
        cmocka_unit_test(test_invalid),      cmocka_unit_test(test_replay),      cmocka_unit_test(test_more_time),
        cmocka_unit_test(test_stage_enough), cmocka_unit_test(test_concurrency), cmocka_unit_test(test_rate),
        cmocka_unit_test(test_users_hung),   cmocka_unit_test(test_cliff),       cmocka_unit_test(test_plateau)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
