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
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/agent/engine_world.h"

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
    arm_stage(w.g, w.p, 0); /* nothing is left of it */
    struct result r = run_armed(w.g, STOP_NEVER, 0);
    assert_int_equal(r.all->counters[COUNTER_OK], 20);
    assert_balanced(r.all);
    snapshot_destroy(&r.all);
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
        int64_t lasts_ms; /* the schedule; 0: less than its answers, or by chance */
    } CASES[] = {
        {"stages: [{concurrency: 7, requests: 100}]", 100, 0},
        {"stages: [{concurrency: 64, requests: 10}]", 10, 0}, /* fewer than slots */
        {"stages: [{concurrency: 2, requests: 10}]", 10, 0},  /* a worker without a slot */
        {"stages: [{concurrency: 4, requests: 30, duration: 60s, warmup: 0}]", 30, 0},
        {"stages: [{rate: 500/s, arrivals: constant, requests: 100}]", 100, 0},
        {"stages: [{rate: 10/s, arrivals: constant, requests: 5}]", 5, 500}, /* the last answer ends after 0.43 s */
        {"stages: [{rate: 10/s, requests: 5, duration: 60s, warmup: 0}]", 5, 0},
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
        if (CASES[i].lasts_ms) /* n arrivals at rate r last n / r, however soon the last is answered */
            assert_int_equal(r.all->counters[COUNTER_MEASURED_NS], CASES[i].lasts_ms * NS_PER_MS);
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
    assert_int_equal(r.all->counters[COUNTER_CONNECTIONS_ENDED], 0); /* the plan wants it */
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
    /* the last ones may end after the stage */
    assert_in_range(r.all->counters[COUNTER_CONNECTIONS_ENDED], http2 ? 16 : 36, 40);
    snapshot_destroy(&r.all);
    world_end(&w, NULL);
}

/* Connections opened ahead of a rate, or closed to take a request back, are none that the server ended. */
static void test_connections_of_our_own(void **state)
{
    (void)state;
    static const char *const LOADS[] = {
        "stages: [{rate: 40/s, arrivals: constant, duration: 1s, warmup: 0}]",
        "cancel: {fraction: 50%, after: 3ms}, stages: [{concurrency: 4, requests: 60}]",
        "stages: [{rate: 0.24/s, arrivals: constant, duration: 4500ms, warmup: 0}]"}; /* idle for more than 4 s */
    for (size_t i = 0; i < 3; i++) {
        struct world w = world_make(FAST, "", LOADS[i], 1);
        struct result r = run_plan(w.g, w.p, STOP_NEVER, 0);
        assert_balanced(r.all);
        assert_true(r.all->counters[COUNTER_CONNECTIONS] > 0);
        assert_int_equal(r.all->counters[COUNTER_CONNECTIONS_ENDED], 0);
        assert_int_equal(r.all->counters[COUNTER_CONNECTIONS_IDLE], i == 2);
        snapshot_destroy(&r.all);
        world_end(&w, NULL);
    }
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
        cmocka_unit_test(test_connections_of_our_own),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_guard_is_asked),
    };
    int failed = cmocka_run_group_tests_name("HTTP/1.1", tests, NULL, NULL);
    http2 = true;
    return failed + cmocka_run_group_tests_name("HTTP/2", tests, NULL, NULL);
}
