/* A simulator in a forked process, a plan for it, and an engine that runs it. */
#pragma once
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

static inline struct sim sim_start(const char *const *more)
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
static inline uint64_t sim_stop(struct sim *s, uint64_t *ret_requests)
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

static inline struct plan *plan_of(unsigned port, const char *target, const char *load)
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

static inline struct engine *engine_of(uint32_t workers)
{
    struct err e = {0};
    struct engine_options o = {.workers = workers};
    struct engine *g = engine_new(&o, &e);
    if (!g) fail_msg("%s", e.text);
    return g;
}

static inline struct engine_event next(struct engine *g)
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

static inline struct world world_make(const char *const *sim, const char *target, const char *load, uint32_t workers)
{
    struct world w = {.sim = sim_start(sim)};
    w.p = plan_of(w.sim.port, target, load);
    w.g = engine_of(workers);
    return w;
}

/* As sim_stop. */
static inline uint64_t world_end(struct world *w, uint64_t *ret_requests)
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

static inline void arm_stage(struct engine *g, const struct plan *p, size_t stage)
{
    struct err e = {0};
    struct shard s;
    if (shard_whole(p, &p->stages[stage], 42, &s, &e)) fail_msg("%s", e.text);
    if (engine_arm(g, &s, &e)) fail_msg("%s", e.text);
    shard_clear(&s);
}

/* One armed stage to its end. */
static inline struct result run_armed(struct engine *g, enum stop_how stop, int stop_after_ms)
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

static inline struct result run_plan(struct engine *g, const struct plan *p, enum stop_how stop, int stop_after_ms)
{
    struct err e = {0};
    if (engine_plan(g, p, &e)) fail_msg("%s", e.text);
    arm_stage(g, p, 0);
    return run_armed(g, stop, stop_after_ms);
}

/* due = ok + failed + cancelled + aborted, for the stage and its window; nothing left over. */
static inline void assert_balanced(const struct snapshot *s)
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
