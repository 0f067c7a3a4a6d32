/* The engine against the simulator, here and in a forked process: ledgers, labels, ends. No timed assertions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/engine.h"
#include "common/clock.h"
#include "tests/sim/server.h"

/* ---- a simulator of our own ---- */

struct sim {
    pid_t pid;
    unsigned port;
    char dir[64], port_file[96], truth[96];
};

static bool http2; /* every case runs over both */

static struct sim sim_start(const char *const *more)
{
    struct sim s = {.dir = "/tmp/test_engine.XXXXXX"};
    assert_non_null(mkdtemp(s.dir));
    snprintf(s.port_file, sizeof s.port_file, "%s/port", s.dir);
    snprintf(s.truth, sizeof s.truth, "%s/truth", s.dir);
    const char *args[32] = {"plateau-sim", "--listen",    "127.0.0.1:0", "--log-level", "off",  "--exit-after",
                            "120s",        "--port-file", s.port_file,   "--truth",     s.truth};
    int n = 11;
    if (http2) args[n++] = "--http2";
    for (; more && *more; more++)
        args[n++] = *more;
    s.pid = fork();
    assert_true(s.pid >= 0);
    if (s.pid == 0) {
        char *argv[32];
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        for (int i = 0; i < n; i++)
            argv[i] = strdup(args[i]);
        argv[n] = NULL;
        _exit(sim_main(n, argv));
    }
    for (int i = 0; i < 1000 && s.port == 0; i++) {
        FILE *f = fopen(s.port_file, "r");
        if (!f || fscanf(f, "%u", &s.port) != 1) poll(NULL, 0, 10);
        if (f) fclose(f);
    }
    assert_true(s.port != 0);
    return s;
}

/* Ends it; returns the token events its truth file says were sent, and how many requests it saw. */
static uint64_t sim_stop(struct sim *s, uint64_t *ret_requests)
{
    uint64_t events = 0, requests = 0;
    char line[4096];
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    FILE *f = fopen(s->truth, "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "\"events\":");
        if (!at) continue;
        requests++;
        events += strtoull(at + 9, NULL, 10);
    }
    if (f) fclose(f);
    unlink(s->truth);
    unlink(s->port_file);
    rmdir(s->dir);
    if (ret_requests) *ret_requests = requests;
    return events;
}

/* ---- running ---- */

static struct plan *plan_of(unsigned port, const char *target, const char *load)
{
    char yaml[2048];
    struct err e = {0};
    int n = snprintf(yaml, sizeof yaml,
                     "plan: 1\ntarget: {url: \"http://127.0.0.1:%u/v1/chat/completions\", model: sim%s%s}\n"
                     "workload: {name: t, synthetic: {input_tokens: 8, output_tokens: 5}}\nload: {%s}\n",
                     port, http2 ? ", http: \"2\"" : "", target, load);
    struct plan *p = plan_load("test", yaml, (size_t)n, NULL, 0, &e);
    if (!p) fail_msg("%s", e.text);
    return p;
}

static struct engine *engine_of(uint32_t workers)
{
    struct err e = {0};
    struct engine_options o = {.workers = workers};
    struct engine *g = engine_new(&o, &e);
    if (!g) fail_msg("%s", e.text);
    return g;
}

static struct engine_event next(struct engine *g)
{
    struct engine_event ev;
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    while (!engine_next(g, &ev))
        if (poll(&pfd, 1, 60000) <= 0) fail_msg("the engine is silent");
    return ev;
}

/* A simulator, a plan for it, and an engine. */
struct world {
    struct sim sim;
    struct plan *p;
    struct engine *g;
};

static struct world world_make(const char *const *sim, const char *target, const char *load, uint32_t workers)
{
    struct world w = {.sim = sim_start(sim)};
    w.p = plan_of(w.sim.port, target, load);
    w.g = engine_of(workers);
    return w;
}

/* As sim_stop. */
static uint64_t world_end(struct world *w, uint64_t *ret_requests)
{
    engine_destroy(&w->g);
    plan_destroy(&w->p);
    return sim_stop(&w->sim, ret_requests);
}

enum stop_how { STOP_NEVER, STOP_SOFT, STOP_NOW, STOP_LEASE };

struct result {
    struct snapshot *all;
    struct err ready, done;
    uint32_t snapshots;
    char addresses[256];
};

static void arm_stage(struct engine *g, const struct plan *p, size_t stage)
{
    struct err e = {0};
    struct shard s;
    if (shard_whole(p, &p->stages[stage], 42, &s, &e)) fail_msg("%s", e.text);
    if (engine_arm(g, &s, &e)) fail_msg("%s", e.text);
    shard_clear(&s);
}

/* One armed stage to its end. */
static struct result run_armed(struct engine *g, enum stop_how stop, int stop_after_ms)
{
    struct result r = {.all = snapshot_new(false)};
    struct err e = {0};
    struct engine_event ev = next(g);
    assert_int_equal(ev.kind, ENGINE_READY);
    r.ready = ev.err;
    snprintf(r.addresses, sizeof r.addresses, "%s", ev.addresses);
    if (r.ready.code != ERR_NONE) return r;
    assert_int_equal(engine_go(g, clock_mono_ns() + 20 * NS_PER_MS, &e), 0);
    if (stop != STOP_NEVER) {
        poll(NULL, 0, stop_after_ms);
        if (stop == STOP_LEASE)
            engine_allow(g, clock_mono_ns());
        else
            engine_stop(g, stop == STOP_NOW);
    }
    for (bool last = false;;) {
        ev = next(g);
        if (ev.kind == ENGINE_DONE) {
            assert_true(last);
            r.done = ev.err;
            return r;
        }
        assert_int_equal(ev.kind, ENGINE_SNAPSHOT);
        assert_false(last);
        last = ev.last;
        r.snapshots++;
        assert_int_equal(snapshot_extend(r.all, ev.snapshot), 0);
        engine_recycle(g, &ev.snapshot);
        assert_null(ev.snapshot);
    }
}

static struct result run_plan(struct engine *g, const struct plan *p, enum stop_how stop, int stop_after_ms)
{
    struct err e = {0};
    if (engine_plan(g, p, &e)) fail_msg("%s", e.text);
    arm_stage(g, p, 0);
    return run_armed(g, stop, stop_after_ms);
}

/* due = ok + failed + cancelled + aborted, for the stage and its window; nothing left over. */
static void assert_balanced(const struct snapshot *s)
{
    const uint64_t *c = s->counters;
    assert_int_equal(c[COUNTER_DUE], c[COUNTER_OK] + counters_failed(c) + c[COUNTER_CANCELLED] + c[COUNTER_ABORTED]);
    assert_int_equal(c[COUNTER_WIN_DUE], c[COUNTER_WIN_OK] + c[COUNTER_WIN_FAILED] + c[COUNTER_WIN_CLOSED]);
    assert_int_equal(c[COUNTER_DROPPED], 0);
    assert_int_equal(s->in_flight, 0);
    assert_int_equal(s->waiting, 0);
    assert_int_equal(s->series_tokens, c[COUNTER_EVENTS]);
    assert_int_equal(s->series_due, c[COUNTER_DUE]);
    assert_int_equal(s->series_done, c[COUNTER_OK]);
    struct address_count all = {0};
    for (uint32_t i = 0; i < s->addresses.n; i++) {
        all.requests += s->addresses.row[i].requests;
        all.ok += s->addresses.row[i].ok;
        all.failed += s->addresses.row[i].failed;
    }
    assert_int_equal(all.requests, c[COUNTER_SENT]);
    assert_int_equal(all.ok, c[COUNTER_OK]);
    assert_int_equal(all.failed, counters_failed(c));
    if (s->hist[METRIC_LAG]) assert_int_equal(s->hist[METRIC_LAG]->count, c[COUNTER_EVENTS]);
}

#define LASTING ", body: {max_tokens: 600}" /* requests that no machine is slow enough to see end */
static const char *const FAST[] = {"--ttft", "5ms", "--tpot", "1ms", NULL};

/* ---- tests ---- */

static void test_closed_loop_counts(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 3; workers += 2) {
        struct world w = world_make(FAST, "", "stages: [{concurrency: 8, duration: 1200ms, warmup: 200ms}]", workers);
        struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
        const uint64_t *c = r.all->counters;
        assert_int_equal(r.done.code, ERR_NONE);
        assert_true(r.snapshots >= 2);
        assert_balanced(r.all);
        assert_true(c[COUNTER_OK] > 2 * 8 && c[COUNTER_OK] == c[COUNTER_DUE]); /* slots are filled again */
        assert_int_equal(c[COUNTER_TOKENS], 5 * c[COUNTER_OK]);
        assert_int_equal(c[COUNTER_INFLIGHT_MAX], 8);
        assert_int_equal(c[COUNTER_CONNECTIONS], http2 ? workers : 8); /* all made before T0, all used again */
        assert_int_equal(c[COUNTER_MEASURED_NS], 1000 * NS_PER_MS);
        assert_true(c[COUNTER_WIN_INFLIGHT_NS] <= 8 * c[COUNTER_MEASURED_NS]);
        /* the window's requests were in flight in it, but for what the last one of each slot reached beyond its end */
        const struct hist *e2e = r.all->hist[METRIC_E2E];
        assert_true((double)c[COUNTER_WIN_INFLIGHT_NS] >= hist_sum(e2e) - 8 * (double)e2e->max);
        assert_int_equal(r.all->hist[METRIC_TTFT]->count, c[COUNTER_WIN_OK]);
        assert_int_equal(r.all->hist[METRIC_CHUNK_GAP]->count, 4 * c[COUNTER_WIN_OK]);
        uint64_t gaps = r.all->hist[METRIC_ITL]->count; /* not of answers that came at once */
        assert_true(gaps % 4 == 0 && gaps / 4 <= c[COUNTER_WIN_OK] &&
                    gaps / 4 + c[COUNTER_AT_ONCE] >= c[COUNTER_WIN_OK]);
        assert_true(hist_quantile(r.all->hist[METRIC_TTFT], 0.5) >= 5 * NS_PER_MS);
        if (strcmp(engine_stamps(w.g), "kernel") == 0) assert_true(c[COUNTER_UNSTAMPED] * 10 < c[COUNTER_READS]);
        snapshot_destroy(&r.all);
        uint64_t requests, events = world_end(&w, &requests);
        assert_true(requests > 2 * 8 && events == 5 * requests);
    }
}

static void test_tokens_equal_truth(void **state)
{
    (void)state;
    struct world w = world_make((const char *[]){"--ttft", "3ms", "--tpot", "1ms", "--fault-truncate", "--fault-rate",
                                                 "0.3", "--fault-after", "3", NULL},
                                "", "stages: [{concurrency: 6, requests: 300}]", 2);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    const uint64_t *c = r.all->counters;
    assert_balanced(r.all);
    assert_int_equal(c[COUNTER_DUE], 300);
    assert_true(c[COUNTER_FAILED_TRUNCATED] > 30 && c[COUNTER_FAILED_TRUNCATED] < 200);
    assert_int_equal(c[COUNTER_OK] + c[COUNTER_FAILED_TRUNCATED], 300);
    uint64_t requests, events = world_end(&w, &requests);
    assert_int_equal(requests, 300);
    assert_int_equal(c[COUNTER_EVENTS], events);
    assert_int_equal(c[COUNTER_EVENTS], c[COUNTER_TOKENS] + c[COUNTER_FAILED_TOKENS]);
    snapshot_destroy(&r.all);
}

struct fault {
    const char *args[5];
    const char *timeouts;
    enum counter label;
};

static void test_every_fault_has_its_label(void **state)
{
    (void)state;
    static const struct fault FAULTS[] = {
        {{"--fault-status", "503"}, "", COUNTER_FAILED_HTTP_5XX},
        {{"--fault-status", "429"}, "", COUNTER_FAILED_HTTP_429},
        {{"--fault-status", "404"}, "", COUNTER_FAILED_HTTP_4XX},
        {{"--require-key", "k"}, "", COUNTER_FAILED_HTTP_4XX},
        {{"--fault-stream-error"}, "", COUNTER_FAILED_STREAM_ERROR},
        {{"--fault-error-then-done"}, "", COUNTER_FAILED_STREAM_ERROR},
        {{"--fault-truncate"}, "", COUNTER_FAILED_TRUNCATED},
        {{"--fault-no-done"}, "", COUNTER_FAILED_TRUNCATED},
        {{"--fault-reset"}, "", COUNTER_FAILED_RESET},
        {{"--fault-reset", "--fault-after", "0"}, "", COUNTER_FAILED_RESET},
        {{"--fault-garbage"}, "", COUNTER_FAILED_MALFORMED},
        {{"--fault-empty"}, "", COUNTER_FAILED_EMPTY},
        {{"--fault-stall"}, ", timeouts: {idle: 150ms}", COUNTER_FAILED_TIMEOUT_IDLE},
        {{"--fault-stall", "--fault-after", "0"},
         ", timeouts: {first_token: 150ms}",
         COUNTER_FAILED_TIMEOUT_FIRST_TOKEN},
        {{"--fault-stall"}, ", timeouts: {total: 150ms}", COUNTER_FAILED_TIMEOUT_TOTAL},
    };
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        const char *args[16] = {"--ttft", "2ms", "--tpot", "1ms"};
        for (int k = 0; k < 5 && FAULTS[i].args[k]; k++)
            args[4 + k] = FAULTS[i].args[k];
        struct world w = world_make(args, FAULTS[i].timeouts, "stages: [{concurrency: 3, requests: 12}]", 1);
        struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
        const uint64_t *c = r.all->counters;
        if (c[FAULTS[i].label] != 12)
            for (int k = 0; k < COUNTER_N; k++)
                if (c[k])
                    print_message("%s %s: %s = %llu\n", FAULTS[i].args[0], FAULTS[i].args[2] ? FAULTS[i].args[2] : "",
                                  COUNTERS[k].name, (unsigned long long)c[k]);
        assert_int_equal(c[FAULTS[i].label], 12);
        assert_balanced(r.all);
        uint64_t requests, events = world_end(&w, &requests);
        if (FAULTS[i].label != COUNTER_FAILED_HTTP_4XX) assert_int_equal(requests, 12); /* nothing was sent twice */
        /* after an event that cannot be read the simulator continues, but nothing more is believed */
        if (FAULTS[i].label != COUNTER_FAILED_MALFORMED) assert_int_equal(c[COUNTER_EVENTS], events);
        snapshot_destroy(&r.all);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct plan *p = plan_of(1, "", "stages: [{concurrency: 3, requests: 12}]");
    struct engine *g = engine_of(2);
    for (int i = 0; i < 2; i++) { /* a failed arming leaves the engine ready for the next */
        struct result r = run_plan(g, p, STOP_NEVER, 0);
        assert_int_equal(r.ready.code, ERR_NET);
        assert_string_equal(r.ready.text,
                            "nothing listens at 127.0.0.1:1, or a firewall rejects it (connection refused)");
        snapshot_destroy(&r.all);
    }
    engine_destroy(&g);
    plan_destroy(&p);
}

static void test_server_dies(void **state)
{
    (void)state;
    struct world w = world_make((const char *[]){"--ttft", "5ms", "--tpot", "50ms", NULL}, "",
                                "stages: [{concurrency: 4, duration: 600ms, warmup: 0}]", 1);
    struct err e = {0};
    assert_int_equal(engine_plan(w.g, w.p, &e), 0);
    arm_stage(w.g, w.p, 0);
    struct engine_event ev = next(w.g);
    assert_int_equal(ev.kind, ENGINE_READY);
    sim_stop(&w.sim, NULL);
    assert_int_equal(engine_go(w.g, clock_mono_ns(), &e), 0);
    struct snapshot *all = snapshot_new(false);
    while ((ev = next(w.g)).kind != ENGINE_DONE) {
        snapshot_extend(all, ev.snapshot);
        engine_recycle(w.g, &ev.snapshot);
    }
    assert_balanced(all);
    assert_int_equal(all->counters[COUNTER_OK], 0);
    assert_true(all->counters[COUNTER_FAILED_CONNECT] > 0);
    assert_true(all->counters[COUNTER_DUE] < 10000); /* no hot loop */
    snapshot_destroy(&all);
    engine_destroy(&w.g);
    plan_destroy(&w.p);
}

static void test_drain_and_abort(void **state)
{
    (void)state;
    struct sim sim = sim_start((const char *[]){"--ttft", "5ms", "--tpot", "100ms", NULL});
    struct engine *g = engine_of(2);
    /* the drain is long enough: all end ok */
    struct plan *p = plan_of(sim.port, "", "stages: [{concurrency: 4, duration: 200ms, warmup: 0}], drain: 20s");
    struct result r = run_plan(g, p, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_OK], 4);
    assert_int_equal(r.all->counters[COUNTER_DUE], 4);
    assert_true(r.all->counters[COUNTER_WIN_EVENTS] < 20);
    snapshot_destroy(&r.all);
    /* it is not, by a minute: all are aborted, and what they had received is counted */
    struct plan *q = plan_of(sim.port, LASTING, "stages: [{concurrency: 4, duration: 1s, warmup: 0}], drain: 10ms");
    r = run_plan(g, q, STOP_NEVER, 0);
    plan_destroy(&p);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_ABORTED], 4);
    assert_int_equal(r.all->counters[COUNTER_WIN_CLOSED], 4);
    assert_int_equal(r.all->counters[COUNTER_FAILED_TOKENS], r.all->counters[COUNTER_EVENTS]);
    assert_true(r.all->counters[COUNTER_EVENTS] > 0);
    snapshot_destroy(&r.all);
    engine_destroy(&g);
    plan_destroy(&q);
    sim_stop(&sim, NULL);
}

static void test_stops(void **state)
{
    (void)state;
    struct world w = world_make((const char *[]){"--ttft", "5ms", "--tpot", "40ms", NULL}, "",
                                "stages: [{concurrency: 4, duration: 100s, warmup: 0}]", 2);
    struct plan *lasting = plan_of(w.sim.port, LASTING, "stages: [{concurrency: 4, duration: 100s, warmup: 0}]");
    struct result r = run_plan(w.g, lasting, STOP_NOW, 300);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_ABORTED], 4);
    assert_true(r.all->counters[COUNTER_MEASURED_NS] < 60 * (uint64_t)NS_PER_S);
    snapshot_destroy(&r.all);
    r = run_plan(w.g, w.p, STOP_SOFT, 300);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_ABORTED], 0);
    assert_true(r.all->counters[COUNTER_OK] >= 4 && r.all->counters[COUNTER_OK] == r.all->counters[COUNTER_DUE]);
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
    plan_destroy(&lasting);
}

/* Nobody tells the workers to stop: they see for themselves that the lease is over. */
static void test_lease(void **state)
{
    (void)state;
    struct sim sim = sim_start((const char *[]){"--ttft", "5ms", "--tpot", "40ms", NULL});
    struct plan *p = plan_of(sim.port, LASTING, "stages: [{concurrency: 4, duration: 100s, warmup: 0}]");
    struct plan *open = plan_of(sim.port, LASTING, "stages: [{rate: 50, duration: 100s, warmup: 0}]");
    struct engine *g = engine_of(2);
    uint64_t sent = 0, seen;
    const struct plan *both[] = {p, open};
    for (int i = 0; i < 2; i++) {
        engine_allow(g, INT64_MAX);
        struct result r = run_plan(g, both[i], STOP_LEASE, 300);
        assert_balanced(r.all);
        assert_int_equal(r.done.code, ERR_AGENTS);
        assert_non_null(strstr(r.done.text, "lease"));
        assert_true(r.all->counters[COUNTER_SENT] > 0 && r.all->counters[COUNTER_ABORTED] > 0);
        sent += r.all->counters[COUNTER_SENT];
        snapshot_destroy(&r.all);
        r = run_plan(g, both[i], STOP_NEVER, 0); /* it is over before the stage begins */
        assert_balanced(r.all);
        assert_int_equal(r.done.code, ERR_AGENTS);
        assert_int_equal(r.all->counters[COUNTER_SENT], 0);
        snapshot_destroy(&r.all);
    }
    engine_allow(g, clock_mono_ns() + 3600 * NS_PER_S);
    struct result r = run_plan(g, p, STOP_NOW, 300);
    assert_int_equal(r.done.code, ERR_NONE);
    assert_true(r.all->counters[COUNTER_SENT] >= 4);
    sent += r.all->counters[COUNTER_SENT];
    snapshot_destroy(&r.all);
    engine_destroy(&g);
    plan_destroy(&p);
    plan_destroy(&open);
    sim_stop(&sim, &seen);
    assert_true(seen <= sent);
}

static void test_disarm_and_arm_again(void **state)
{
    (void)state;
    struct world w = world_make(FAST, "", "stages: [{concurrency: 4, requests: 20}]", 2);
    struct err e = {0};
    assert_int_equal(engine_plan(w.g, w.p, &e), 0);
    arm_stage(w.g, w.p, 0);
    engine_stop(w.g, false); /* while it arms */
    arm_stage(w.g, w.p, 0);
    struct engine_event ev = next(w.g);
    assert_int_equal(ev.kind, ENGINE_READY);
    assert_int_equal(engine_plan(w.g, w.p, &e), -1); /* not while a stage is armed */
    assert_int_equal(engine_arm(w.g, &(struct shard){0}, &e), -1);
    engine_stop(w.g, true); /* when it is armed */
    assert_false(engine_next(w.g, &ev));
    arm_stage(w.g, w.p, 0);
    struct result r = run_armed(w.g, STOP_NEVER, 0);
    assert_int_equal(r.all->counters[COUNTER_OK], 20);
    assert_balanced(r.all);
    snapshot_destroy(&r.all);
    arm_stage(w.g, w.p, 0); /* and the engine goes while it arms */
    uint64_t requests;
    world_end(&w, &requests);
    assert_int_equal(requests, 20); /* warm connections send nothing */
}

static void test_stop_before_t0(void **state)
{
    (void)state;
    struct world w = world_make(FAST, "", "stages: [{concurrency: 4, requests: 20}]", 2);
    struct err e = {0};
    assert_int_equal(engine_plan(w.g, w.p, &e), 0);
    arm_stage(w.g, w.p, 0);
    struct engine_event ev = next(w.g);
    assert_int_equal(ev.kind, ENGINE_READY);
    assert_int_equal(engine_go(w.g, clock_mono_ns() + 3600 * NS_PER_S, &e), 0);
    engine_stop(w.g, false);
    ev = next(w.g);
    assert_int_equal(ev.kind, ENGINE_SNAPSHOT);
    assert_true(ev.last);
    assert_int_equal(ev.snapshot->counters[COUNTER_DUE], 0);
    engine_recycle(w.g, &ev.snapshot);
    ev = next(w.g);
    assert_int_equal(ev.kind, ENGINE_DONE);
    world_end(&w, NULL);
}

static void test_count_limits(void **state)
{
    (void)state;
    struct sim sim = sim_start(FAST);
    struct engine *g = engine_of(3);
    static const struct {
        const char *load;
        uint64_t due;
    } CASES[] = {
        {"stages: [{concurrency: 7, requests: 100}]", 100},
        {"stages: [{concurrency: 64, requests: 10}]", 10}, /* fewer than slots */
        {"stages: [{concurrency: 2, requests: 10}]", 10},  /* a worker without a slot */
        {"stages: [{concurrency: 4, requests: 30, duration: 60s, warmup: 0}]", 30},
        {"stages: [{rate: 500/s, arrivals: constant, requests: 100}]", 100},
    };
    struct plan *before = NULL;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct plan *p = plan_of(sim.port, "", CASES[i].load);
        struct result r = run_plan(g, p, STOP_NEVER, 0);
        assert_balanced(r.all);
        assert_int_equal(r.all->counters[COUNTER_DUE], CASES[i].due);
        assert_int_equal(r.all->counters[COUNTER_OK], CASES[i].due);
        /* measured from T0 to the last end: everything lies in the window */
        assert_int_equal(r.all->counters[COUNTER_WIN_EVENTS], 5 * CASES[i].due);
        assert_true(r.all->counters[COUNTER_MEASURED_NS] > 0 &&
                    r.all->counters[COUNTER_MEASURED_NS] < 60 * (uint64_t)NS_PER_S);
        snapshot_destroy(&r.all);
        if (before) plan_destroy(&before);
        before = p;
    }
    engine_destroy(&g);
    plan_destroy(&before);
    sim_stop(&sim, NULL);
}

static void test_open_loop(void **state)
{
    (void)state;
    struct sim sim = sim_start((const char *[]){"--ttft", "20ms", "--tpot", "2ms", NULL});
    struct engine *g = engine_of(2);
    struct plan *p = plan_of(sim.port, "", "stages: [{rate: 200/s, arrivals: constant, duration: 1s, warmup: 0}]");
    struct result r = run_plan(g, p, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_in_range(r.all->counters[COUNTER_DUE], 199, 200);
    assert_int_equal(r.all->counters[COUNTER_OK], r.all->counters[COUNTER_DUE]);
    assert_int_equal(r.all->counters[COUNTER_CAPPED], 0);
    snapshot_destroy(&r.all);
    /* a cap of 2 serves about 2 / 28 ms = 71/s: the rest waits, and what still waits at the end is aborted */
    struct plan *q = plan_of(
        sim.port, "", "stages: [{rate: 200/s, arrivals: constant, max_concurrency: 2, duration: 1s, warmup: 0}]");
    r = run_plan(g, q, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_in_range(r.all->counters[COUNTER_DUE], 199, 200);
    assert_int_equal(r.all->counters[COUNTER_INFLIGHT_MAX], 2);
    assert_true(r.all->counters[COUNTER_ABORTED] > 50);
    assert_true(r.all->counters[COUNTER_CAPPED] > 10);
    assert_int_equal(r.all->counters[COUNTER_SENT], r.all->counters[COUNTER_OK]);
    snapshot_destroy(&r.all);
    engine_destroy(&g);
    plan_destroy(&p);
    plan_destroy(&q);
    sim_stop(&sim, NULL);
}

/* The window of an open loop lasts to the stage's end, however few requests arrive. */
static void test_open_window(void **state)
{
    (void)state;
    struct sim sim = sim_start((const char *[]){"--ttft", "5ms", "--tpot", "1ms", NULL});
    struct engine *g = engine_of(2);
    static const struct {
        const char *load;
        uint64_t due;
    } CASES[] = {{"stages: [{rate: 2/s, arrivals: constant, duration: 1200ms, warmup: 0}]", 3},
                 {"stages: [{rate: 0.01/s, arrivals: poisson, duration: 1200ms, warmup: 0}]", 0}};
    for (size_t i = 0; i < 2; i++) {
        struct plan *p = plan_of(sim.port, "", CASES[i].load);
        struct result r = run_plan(g, p, STOP_NEVER, 0);
        assert_balanced(r.all);
        assert_int_equal(r.all->counters[COUNTER_DUE], CASES[i].due);
        assert_int_equal(r.all->counters[COUNTER_MEASURED_NS], 1200 * NS_PER_MS);
        snapshot_destroy(&r.all);
        plan_destroy(&p);
    }
    engine_destroy(&g);
    sim_stop(&sim, NULL);
}

static void test_fresh_connections(void **state)
{
    (void)state;
    struct world w = world_make(FAST, ", connections: fresh", "stages: [{concurrency: 4, requests: 40}]", 1);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_OK], 40);
    assert_int_equal(r.all->counters[COUNTER_CONNECTIONS], 40);
    assert_int_equal(r.all->hist[METRIC_CONNECT]->count, 40);
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

/* A server that closes after every second response: nothing is lost, connections are made again. */
static void test_server_closes_connections(void **state)
{
    (void)state;
    struct world w = world_make((const char *[]){"--ttft", "2ms", "--tpot", "1ms", "--close-after", "2", NULL}, "",
                                "stages: [{concurrency: 4, requests: 80}]", 1);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_OK], 80);
    /* over HTTP/2 those that are under way when it says GOAWAY are still answered */
    assert_in_range(r.all->counters[COUNTER_CONNECTIONS], http2 ? 20 : 40, 44);
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

static void test_secrets(void **state)
{
    (void)state;
    struct world w =
        world_make((const char *[]){"--ttft", "2ms", "--tpot", "1ms", "--require-key", "s3cret", NULL},
                   ", auth: {bearer: {env: TEST_ENGINE_KEY}}", "stages: [{concurrency: 2, requests: 6}]", 1);
    struct err e = {0};
    unsetenv("TEST_ENGINE_KEY");
    assert_int_equal(engine_plan(w.g, w.p, &e), -1);
    assert_int_equal(e.code, ERR_SECRET);
    assert_non_null(strstr(e.text, "TEST_ENGINE_KEY"));
    setenv("TEST_ENGINE_KEY", "s3cret\nX-Other: 1", 1);
    assert_int_equal(engine_plan(w.g, w.p, &e), -1);
    assert_int_equal(e.code, ERR_SECRET);
    assert_null(strstr(e.text, "s3cret"));
    setenv("TEST_ENGINE_KEY", "s3cret\n", 1);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    assert_int_equal(r.all->counters[COUNTER_OK], 6);
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

/* A server that refuses at once is not asked again as fast as it refuses: each slot rests 10 ms, then twice as long
 * each time, up to a second. */
static void test_refused_at_once(void **state)
{
    (void)state;
    struct world w = world_make((const char *[]){"--require-key", "s3cret", NULL}, "",
                                "stages: [{concurrency: 2, duration: 2s, warmup: 0s}]", 1);
    struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
    assert_balanced(r.all);
    assert_int_equal(r.all->counters[COUNTER_FAILED_HTTP_4XX], r.all->counters[COUNTER_DUE]);
    assert_in_range(r.all->counters[COUNTER_DUE], 4,
                    2 * 9); /* at 0, 10, 30, 70 … 1,270 ms, and one more round before the first doubling */
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

static void test_guard_is_asked(void **state)
{
    (void)state;
    struct err e = {0};
    struct plan *p = plan_of(80, "", "stages: [{concurrency: 2, requests: 6}]");
    struct engine *g = engine_of(1);
    p->target.url = "http://169.254.169.254/v1/chat/completions";
    assert_int_equal(engine_plan(g, p, &e), -1);
    assert_int_equal(e.code, ERR_REFUSED);
    engine_destroy(&g);
    plan_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_loop_counts),
        cmocka_unit_test(test_tokens_equal_truth),
        cmocka_unit_test(test_every_fault_has_its_label),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_server_dies),
        cmocka_unit_test(test_drain_and_abort),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_lease),
        cmocka_unit_test(test_disarm_and_arm_again),
        cmocka_unit_test(test_stop_before_t0),
        cmocka_unit_test(test_count_limits),
        cmocka_unit_test(test_open_loop),
        cmocka_unit_test(test_open_window),
        cmocka_unit_test(test_fresh_connections),
        cmocka_unit_test(test_server_closes_connections),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_guard_is_asked),
    };
    int failed = cmocka_run_group_tests_name("HTTP/1.1", tests, NULL, NULL);
    http2 = true;
    return failed + cmocka_run_group_tests_name("HTTP/2", tests, NULL, NULL);
}
