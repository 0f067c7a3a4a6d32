/* A plausible run without a cluster: a sweep over concurrency against a server with a plateau and a queue, in closed
 * form with noise, reported by agents in snapshots and merged by the real merge. Seeded; the same seed gives the same
 * run, byte for byte. */
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/rng.h"
#include "common/snapshot.h"
#include "coordinator/answer/search.h"
#include "coordinator/run/merge.h"
#include "coordinator/store/store.h"

#define FAKE_TOKENS 128
#define FAKE_SLOTS 64.0 /* requests the server works on at once */

struct fake {
    uint32_t agents;
    uint64_t seed;
    bool hostile; /* names, texts and a plan that try to break out of their page */
    bool lose;    /* an agent dies in the last stage */
    bool many;    /* forty loads */
    bool one;     /* one load */
    bool loops;   /* nine loads, of closed and of open loops, in no order */
    bool search;  /* the loads that a search asks for */
    bool refuse;  /* every request fails */
    bool mix;     /* two workloads, of which the second's answers are half as long, and three models */
    bool late;    /* the agents of the last stage were too slow: an invalid point */
    int64_t duration_s, warmup_s;
    struct store *store; /* where it is written as it goes; NULL: only in memory */
};

static inline void fake_check(int rc, const struct err *e)
{
    if (!rc) return;
    (void)fprintf(stderr, "fake run: %s\n", e->text);
    abort();
}

static const char FAKE_PLAN[] = "plan: 1\nname: chat plateau\nseed: 42\n"
                                "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n  model: llama-3.1-8b\n"
                                "load: {concurrency: [1, 2, 4, 8, 16, 32, 64, 128], duration: 30s, warmup: 5s}\n"
                                "slo:\n  run:\n    - ttft.p99 < 800ms\n    - tpot.p95 < 18ms\n    - errors.rate < 1%\n"
                                "agents: {count: 2}\n";
static const char FAKE_HOSTILE_PLAN[] = "plan: 1\nname: \"</script><script>alert(1)</script>\"\nseed: 42\n"
                                        "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n"
                                        "  model: \"<img src=x onerror=alert(2)>\"\n"
                                        "load: {concurrency: [1, 2, 4], duration: 30s, warmup: 5s}\n"
                                        "# </script><!-- \" & ' \\u2028 ]]>\n"
                                        "agents: {count: 2}\n";

static const char FAKE_MANY_PLAN[] =
    "plan: 1\nname: forty loads\nseed: 42\n"
    "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n  model: llama-3.1-8b\n"
    "load: {concurrency: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36, 40, 44, "
    "48, 52, 56, 60, 64, 68, 72, 76, 80, 88, 96, 104, 112, 120, 128], duration: 30s, warmup: 5s}\n"
    "slo: {run: [ttft.p99 < 800ms], request: {ttft: 1s}}\nagents: {count: 2}\n";

static const char FAKE_ONE_PLAN[] = "plan: 1\nname: one load\nseed: 42\n"
                                    "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n  model: llama-3.1-8b\n"
                                    "load: {concurrency: [32], duration: 30s, warmup: 5s}\n"
                                    "slo: {run: [ttft.p99 < 800ms]}\nagents: {count: 2}\n";

static const char FAKE_LOOPS_PLAN[] =
    "plan: 1\nname: both loops\nseed: 42\n"
    "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n  model: llama-3.1-8b\n"
    "load:\n  stages:\n"
    "    - {rate: 20, duration: 30s, warmup: 5s}\n"
    "    - {concurrency: 8, duration: 30s, warmup: 5s}\n"
    "    - {rate: 5, duration: 30s, warmup: 5s}\n"
    "    - {concurrency: 2, duration: 30s, warmup: 5s}\n"
    "    - {concurrency: 64, duration: 30s, warmup: 5s}\n"
    "    - {concurrency: 128, duration: 30s, warmup: 5s}\n"
    "    - {rate: 10, duration: 30s, warmup: 5s}\n"
    "    - {rate: 28, duration: 30s, warmup: 5s}\n"
    "    - {concurrency: 32, duration: 30s, warmup: 5s}\n"
    "slo: {run: [ttft.p99 < 800ms]}\nagents: {count: 2}\n";

static const char FAKE_SEARCH_PLAN[] =
    "plan: 1\nname: a search\nseed: 42\n"
    "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n  model: llama-3.1-8b\n"
    "load:\n  warmup: 5s\n  duration: 30s\n"
    "  search: {maximize: output_tokens_per_second, within: slo, over: concurrency, from: 4, to: 1024}\n"
    "slo: {run: [ttft.p99 < 800ms]}\nagents: {count: 2}\n";

static const char FAKE_MIX_PLAN[] =
    "plan: 1\nname: mix\nseed: 42\n"
    "target:\n  url: http://127.0.0.1:8000/v1/chat/completions\n"
    "  model: [{name: base, weight: 2}, {name: \"=lora,1\", weight: 1}, {name: lora-2, weight: 1}]\n"
    "workload: [{name: chat, synthetic: {input_tokens: 10}}, {name: \"<b>code</b>\", synthetic: {input_tokens: 20}}]\n"
    "load: {concurrency: [1, 8, 32], duration: 30s, warmup: 5s}\nagents: {count: 2}\n";

/* What the server does under n requests. */
struct fake_server {
    double ttft_ms, tpot_ms, wait_ms, requests_per_s;
};
static inline struct fake_server fake_server_at(double n)
{
    double busy = n < FAKE_SLOTS ? n : FAKE_SLOTS;
    struct fake_server s = {.ttft_ms = 45 + 1.1 * busy, .tpot_ms = 7.5 + 0.13 * busy};
    double service_ms = s.ttft_ms + s.tpot_ms * (FAKE_TOKENS - 1);
    s.requests_per_s = busy / service_ms * 1000;
    s.wait_ms = n > FAKE_SLOTS ? n / s.requests_per_s * 1000 - service_ms : 0;
    return s;
}

/* Requests in flight under what was asked; of an open loop within what the server carries: where as many end as are
 * due.
 */
static inline double fake_in_flight(const struct plan_stage *asked)
{
    double low = 0, high = FAKE_SLOTS;
    if (asked->kind == LOAD_CLOSED) return asked->concurrency;
    while (high - low > 1e-6) {
        double n = (low + high) / 2;
        *(fake_server_at(n).requests_per_s < asked->rate_from ? &low : &high) = n;
    }
    return low;
}

static inline void fake_record(struct snapshot *s, enum metric m, double unit, uint64_t n)
{
    double v = unit * METRICS[m].scale;
    if (!s->hist[m]) s->hist[m] = hist_new();
    if (!s->hist[m] || hist_record(s->hist[m], (int64_t)(v < 1 ? 1 : v), n)) abort();
}

/* One request's samples. */
static inline void fake_request(const struct fake *f, const struct fake_server *sv, struct rng *r, struct snapshot *s)
{
    double wait = sv->wait_ms > 0 ? sv->wait_ms * (1 + 0.1 * rng_normal(r)) : 0;
    double ttft = sv->ttft_ms * exp(0.12 * rng_normal(r)) + (wait > 0 ? wait : 0);
    double tpot = sv->tpot_ms * (1 + 0.02 * rng_normal(r)), sent_late = (f->late ? 4 : 0.02) * rng_exp(r);
    double e2e = ttft + tpot * (FAKE_TOKENS - 1);
    fake_record(s, METRIC_TTFT, ttft, 1);
    fake_record(s, METRIC_TTFT_DUE, ttft + sent_late, 1);
    fake_record(s, METRIC_TTFC, ttft, 1);
    fake_record(s, METRIC_E2E, e2e, 1);
    fake_record(s, METRIC_E2E_DUE, e2e + sent_late, 1);
    fake_record(s, METRIC_TPOT, tpot, 1);
    fake_record(s, METRIC_TPOT_SUFFIX, tpot, 1); /* a token in each event, and nothing behind the last */
    fake_record(s, METRIC_NORMALIZED, e2e / FAKE_TOKENS, 1);
    fake_record(s, METRIC_TOKENS_PER_EVENT, 1, 1);
    fake_record(s, METRIC_INPUT_TOKENS, 256, 1);
    fake_record(s, METRIC_OUTPUT_TOKENS, FAKE_TOKENS, 1);
    fake_record(s, METRIC_USER_SPEED, 1000 / tpot, 1);
    fake_record(s, METRIC_LATENESS, sent_late, 1);
    fake_record(s, METRIC_DISPATCH, sent_late, 1);
    for (int k = 0; k < 8; k++) {
        double gap = tpot * exp(0.08 * rng_normal(r)) + (rng_below(r, 200) == 0 ? 30 * rng_exp(r) : 0);
        fake_record(s, METRIC_ITL, gap, (FAKE_TOKENS - 1) / 8);
        fake_record(s, METRIC_CHUNK_GAP, gap, (FAKE_TOKENS - 1) / 8);
        fake_record(s, METRIC_LAG, 0.02 + 0.05 * rng_exp(r), FAKE_TOKENS / 8);
    }
}

/* Each ok request once among the workloads and once among the models. */
static inline void fake_mix(struct snapshot *s, struct rng *r, uint64_t ok)
{
    for (uint64_t i = 0; i < 2 * ok; i++) {
        bool model = i % 2;
        uint32_t n = (uint32_t)rng_below(r, model ? 3 : 2);
        struct mix_group *g = groups_at(&s->groups, model ? GROUP_MODEL : GROUP_WORKLOAD, n);
        if (!g) abort();
        groups_count(g, COUNTER_OK, 1);
        groups_count(g, COUNTER_WIN_OK, 1);
        groups_count(g, COUNTER_WIN_DONE, 1);
        groups_count(g, COUNTER_WIN_TOKENS_MICRO, FAKE_TOKENS * 1000000);
        for (int m = 0; m < GROUP_METRIC_N; m++) {
            if (!g->hist[m] && !(g->hist[m] = hist_new())) abort();
            (void)hist_record(g->hist[m], (int64_t)((50 + 10 * n) * 1e6 * (0.9 + 0.2 * rng_double(r))), 1);
        }
    }
}

struct fake_agent {
    struct rng rng;
    struct snapshot *snap;
    uint64_t counters[COUNTER_N];
    double slots, owed; /* owed: the part of a request that is not yet due to end */
    uint64_t seq;
};

/* One second of one agent; `second` == duration: the drain. */
static inline void fake_second(const struct fake *f, const struct fake_server *sv, struct fake_agent *a, double share,
                               int64_t second)
{
    struct snapshot *s = a->snap;
    uint64_t *c = a->counters;
    bool drain = second == f->duration_s, window = second >= f->warmup_s && !drain;
    snapshot_reset(s);
    s->from_ns = second * NS_PER_S;
    s->to_ns = drain ? s->from_ns + (int64_t)(1e6 * (sv->ttft_ms + sv->wait_ms + FAKE_TOKENS * sv->tpot_ms))
                     : s->from_ns + NS_PER_S;
    a->owed += drain ? 0 : sv->requests_per_s * share * (1 + 0.03 * rng_normal(&a->rng));
    uint64_t ended = drain ? c[COUNTER_DUE] - c[COUNTER_OK] - c[COUNTER_FAILED_STREAM_ERROR] : (uint64_t)a->owed,
             failed = 0;
    a->owed -= drain ? a->owed : (double)ended;
    for (uint64_t i = 0; i < ended; i++) {
        bool fails = f->refuse || (sv->wait_ms > 0 && rng_below(&a->rng, 200) == 0);
        failed += fails;
        if (fails)
            fake_record(s, METRIC_FAIL_TIME, 500, 1);
        else if (second >= f->warmup_s)
            fake_request(f, sv, &a->rng, s);
    }
    uint64_t due = (second == 0 ? (uint64_t)a->slots : 0) + (drain ? 0 : ended),
             tokens = (ended - failed) * FAKE_TOKENS;
    c[COUNTER_DUE] += due;
    c[COUNTER_SENT] += due;
    c[COUNTER_OK] += ended - failed;
    c[COUNTER_FAILED_STREAM_ERROR] += failed;
    c[COUNTER_EVENTS] += tokens;
    c[COUNTER_TOKENS] += tokens;
    c[COUNTER_TOKENS_SEEN] += tokens;
    c[COUNTER_USAGE_REQUESTS] += ended - failed;
    c[COUNTER_READS] += tokens;
    c[COUNTER_UNSTAMPED] += tokens / 400;
    c[COUNTER_WAKES] += drain ? 10 : 1000;
    c[COUNTER_CPU_NS] += 90000000;
    c[COUNTER_CPU_MAX_NS] += 60000000;
    c[COUNTER_RUNQ_NS] += 1000000;
    if (window) {
        c[COUNTER_WIN_DUE] += due;
        c[COUNTER_WIN_DONE] += ended - failed;
        c[COUNTER_WIN_EVENTS] += tokens;
        c[COUNTER_WIN_TOKENS_MICRO] += tokens * 1000000;
        c[COUNTER_WIN_INPUT_TOKENS] += ended * 256;
        c[COUNTER_WIN_INFLIGHT_NS] += (uint64_t)(a->slots * 1e9);
        c[COUNTER_MEASURED_NS] += (uint64_t)NS_PER_S;
    }
    if (second >= f->warmup_s) {
        c[COUNTER_WIN_OK] += ended - failed;
        c[COUNTER_WIN_GOOD] += ended - failed;
        c[COUNTER_WIN_FAILED] += failed;
    }
    if (f->mix && second >= f->warmup_s) fake_mix(s, &a->rng, ended - failed);
    c[COUNTER_INFLIGHT_MAX] = (uint64_t)a->slots;
    memcpy(s->counters, c, sizeof s->counters);
    struct address_count *first = per_address_row(&s->addresses, f->hostile ? "<b>10.0.0.1</b>" : "10.0.0.1:8000");
    *per_address_row(&s->addresses, "10.0.0.2:8000") =
        (struct address_count){.address = "10.0.0.2:8000", .requests = due / 3, .ok = (ended - failed) / 3};
    first->requests = due - due / 3;
    first->ok = ended - failed - (ended - failed) / 3;
    first->failed = failed;
    s->in_flight = drain ? 0 : (uint64_t)a->slots;
    s->series_tokens = tokens;
    s->series_done = ended - failed;
    s->series_failed = failed;
    s->series_due = due;
    s->series_inflight_ns = (uint64_t)(a->slots * 1e9);
}

static inline void fake_send(const struct fake *f, struct merge *m, uint32_t stage, uint32_t agent,
                             struct fake_agent *a)
{
    struct buf b = BUF_INIT(1u << 22);
    struct err e = {0};
    if (snapshot_encode(a->snap, &b)) abort();
    a->seq++;
    fake_check(merge_accept(m, agent, a->seq, b.data, b.len, &e) != MERGE_ACCEPTED, &e);
    if (f->store) fake_check(store_snapshot(f->store, stage, 0, 1, agent, a->seq, b.data, b.len, &e), &e);
    buf_clear(&b);
}

static inline void fake_name(const struct fake *f, uint32_t agent, char *buf, size_t n)
{
    (void)snprintf(buf, n, f->hostile ? "<b>agent-%u</b>\x1b[31m" : "agent-%u", agent);
}

/* A stage as far as its agents have sent it: all of it. */
static inline struct merge *fake_merge(const struct fake *f, const struct plan_stage *asked, uint32_t stage, bool last)
{
    struct fake mine = *f;
    struct err e = {0};
    struct fake_agent *a = calloc(f->agents, sizeof *a);
    struct merge *m = merge_new(stage, 0, 1, asked);
    double slots = fake_in_flight(asked);
    struct fake_server sv = fake_server_at(slots);
    mine.late = f->late && last;
    for (uint32_t i = 0; i < f->agents; i++) {
        char name[64];
        fake_name(f, i, name, sizeof name);
        rng_seed(&a[i].rng, rng_mix(f->seed, stage, i, 0));
        a[i].snap = snapshot_new(false);
        a[i].slots = asked->kind == LOAD_OPEN
                         ? slots / f->agents
                         : (double)(asked->concurrency * (i + 1) / f->agents - asked->concurrency * i / f->agents);
        fake_check(merge_add_agent(m, i, name, 1, (uint64_t)a[i].slots, &e), &e);
    }
    for (int64_t second = 0; second <= f->duration_s; second++)
        for (uint32_t i = 0; i < f->agents; i++) {
            if (f->lose && last && i == 0 && second > f->duration_s * 2 / 3) {
                merge_mark_lost(m, i);
                continue;
            }
            fake_second(&mine, &sv, &a[i], a[i].slots / slots, second);
            fake_send(f, m, stage, i, &a[i]);
        }
    for (uint32_t i = 0; i < f->agents; i++)
        snapshot_destroy(&a[i].snap);
    free(a);
    return m;
}

static inline void fake_stage(const struct fake *f, const struct plan_stage *asked, uint32_t stage, bool last,
                              struct stage_data *ret)
{
    struct err e = {0};
    struct merge *m = fake_merge(f, asked, stage, last);
    fake_check(merge_finish(m, ret, &e), &e);
    for (uint32_t i = 0; i < f->agents; i++) {
        ret->agents[i].start_skew_ns = 12000 + i;
        ret->agents[i].clock_offset_ns = (int64_t)i * 1000000;
        ret->agents[i].clock_bound_ns = 40000;
    }
    merge_destroy(&m);
}

static inline void fake_meta(const struct fake *f, struct run_data *r)
{
    struct err e = {0};
    const char *yaml = f->hostile  ? FAKE_HOSTILE_PLAN
                       : f->many   ? FAKE_MANY_PLAN
                       : f->one    ? FAKE_ONE_PLAN
                       : f->mix    ? FAKE_MIX_PLAN
                       : f->loops  ? FAKE_LOOPS_PLAN
                       : f->search ? FAKE_SEARCH_PLAN
                                   : FAKE_PLAN;
    *r = (struct run_data){.run_id = "20261122-120000-ab12",
                           .version = "0.1.0",
                           .started_wall_ns = INT64_C(1795000000000000000),
                           .seed = UINT64_C(18446744073709551615),
                           .plan_text = BUF_INIT(1u << 20)};
    r->plan = plan_load("fake.yaml", yaml, strlen(yaml), NULL, 0, &e);
    fake_check(!r->plan, &e);
    if (plan_hash(r->plan, r->plan_hash) || buf_puts(&r->plan_text, yaml)) abort();
    r->agents = calloc(f->agents, sizeof *r->agents);
    r->n_agents = f->agents;
    for (uint32_t i = 0; i < f->agents; i++) {
        struct run_agent *a = &r->agents[i];
        *a = (struct run_agent){.agent = i,
                                .cores = 4,
                                .weight = 1,
                                .host = "node-1",
                                .boot_id = "b00710",
                                .version = "0.1.0",
                                .stamps = "kernel",
                                .addresses = "127.0.0.1",
                                .quota = 1.5,
                                .clock_offset_ns = (int64_t)i * 1000000,
                                .clock_bound_ns = 40000,
                                .lost = f->lose && i == 0};
        fake_name(f, i, a->name, sizeof a->name);
    }
}

/* One stage after the others of the run, of which it is the last or not. */
static inline void fake_next(struct fake *f, const struct plan_stage *asked, bool last, struct run_data *ret)
{
    struct err e = {0};
    int64_t wall = ret->started_wall_ns + NS_PER_S + (int64_t)ret->n_stages * (f->duration_s + 4) * NS_PER_S;
    struct stage_data begun = {.stage = (uint32_t)ret->n_stages, .epoch = 1, .plan = *asked, .started_wall_ns = wall};
    if (f->store) fake_check(store_stage_begin(f->store, &begun, &e), &e);
    fake_stage(f, &begun.plan, begun.stage, last, &ret->stages[ret->n_stages]);
    ret->stages[ret->n_stages].started_wall_ns = wall;
    if (f->store) fake_check(store_stage_end(f->store, &ret->stages[ret->n_stages], &e), &e);
    ret->n_stages++;
}

/* The stages that the search asks for, as a run drives it. */
static inline void fake_search(struct fake *f, struct run_data *ret)
{
    struct err e = {0};
    struct plan_stage asked;
    struct search *s = search_new(ret->plan, &e);
    fake_check(!s, &e);
    while (search_next(s, &asked)) {
        struct point p;
        fake_next(f, &asked, false, ret);
        point_compute(&ret->stages[ret->n_stages - 1], ret->plan, &p);
        if (search_tell(s, &p)) abort();
    }
    search_destroy(&s);
}

/* The whole run. With a store: written as it goes, and `ret` holds what was written. */
static inline void fake_run(struct fake *f, const char *dir, struct run_data *ret)
{
    struct err e = {0};
    if (!f->duration_s) f->duration_s = 30;
    if (!f->warmup_s) f->warmup_s = 5;
    fake_meta(f, ret);
    if (dir) {
        f->store = store_create(dir, ret, &e);
        fake_check(!f->store, &e);
        for (size_t i = 0; i < ret->n_agents; i++)
            fake_check(store_agent(f->store, &ret->agents[i], &e), &e);
        fake_check(store_event(f->store, RUN_EVENT_AGENT_JOINED,
                               f->hostile ? "</script><script>alert(3)</script>" : "all agents are ready", &e),
                   &e);
    }
    const struct plan *plan = ret->plan;
    bool search = plan->search.goal != SEARCH_NONE;
    ret->stages = calloc(search ? SEARCH_RUNS_MAX : plan->n_stages, sizeof *ret->stages);
    if (search) fake_search(f, ret);
    for (size_t i = 0; !search && i < plan->n_stages; i++)
        fake_next(f, &plan->stages[i], i + 1 == plan->n_stages, ret);
    if (dir) fake_check(store_run_end(f->store, 0, &e), &e);
}
