#include "tests/unit/cluster_world.h"

/* The run and the agents' sessions together, in simulated time (cluster_world.h). */

#define PLAN(loss)                                                                                                     \
    "plan: 1\ntarget: {url: 'http://127.0.0.1:1/v1/chat/completions', model: m}\n"                                     \
    "load: {stages: [{concurrency: 30, duration: 3s}, {concurrency: 60, duration: 4s}], cooldown: 1s, drain: 5s}\n"    \
    "agents: {count: 3, wait: 30s, on_loss: " loss ", max_lost_weight: 100%}\n"
#define HOUR (3600 * NS_PER_S)

static struct world_arg args[WORLD_AGENTS];

static void start(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        world_agent_start(w, i, &args[i]);
}

static void test_all_well(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 1, PLAN("retry"));
    start(&w, 3);
    assert_true(world_until(&w, w.now + 60 * NS_PER_S));
    assert_int_equal(run_error(w.run)->code, ERR_NONE);
    assert_false(run_incomplete(w.run));
    assert_int_equal(w.n_stages, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(w.stage[i].agents, 3);
        assert_int_equal(w.stage[i].due, 3 * FAKE_RATE * (i ? 4 : 3) + 3);
        assert_int_equal(w.stage[i].ok, w.stage[i].due);
        assert_int_equal(w.stage[i].hist_count, w.stage[i].ok);
        assert_false(w.stage[i].degraded);
    }
    world_close(&w);
}

/* Snapshots and their ACKs are sign of life enough; where they do not come, nobody is silent for long either. */
static void test_heartbeats_fill_silence(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 1,
               "plan: 1\ntarget: {url: 'http://127.0.0.1:1/v1/chat/completions', model: m}\n"
               "load: {stages: [{concurrency: 30, duration: 60s}, {concurrency: 30, duration: 60s}], cooldown: "
               "20s}\nagents: {count: 3, wait: 30s}\n");
    start(&w, 3);
    assert_true(world_until(&w, w.now + 300 * NS_PER_S));
    assert_int_equal(w.n_stages, 2);
    assert_int_equal(w.losses, 0);
    for (int by = 0; by < 2; by++) {
        unsigned beats = w.said[by][WIRE_HEARTBEAT];
        if (beats < 3 * 20 / 2 || beats > 3 * 30)
            fail_msg("%u heartbeats in 20 s of cooldown and 120 s of load", beats);
        assert_true(w.silence[by] <= 3 * NS_PER_S / 2);
    }
    world_close(&w);
}

static void test_nobody_comes(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 1, PLAN("retry"));
    start(&w, 2);
    assert_true(world_until(&w, w.now + 60 * NS_PER_S));
    assert_int_equal(run_error(w.run)->code, ERR_AGENTS);
    assert_non_null(strstr(run_error(w.run)->text, "2 of 3"));
    assert_int_equal(w.n_stages, 0);
    world_close(&w);
}

/* An agent dies at `at` after the start: whatever it was doing, the run ends as the policy says. */
static void die_at(const char *yaml, int64_t at, enum on_loss policy)
{
    struct world w;
    world_open(&w, 7, yaml);
    start(&w, 4);
    assert_false(world_until(&w, w.now + at) && run_state(w.run) != RUN_OVER);
    bool over = run_state(w.run) == RUN_OVER;
    if (!over) world_agent_die(&w, 1);
    assert_true(world_until(&w, w.now + 200 * NS_PER_S));
    size_t superseded = 0, degraded = 0, good = 0;
    for (size_t i = 0; i < w.n_stages; i++) {
        assert_true(w.stage[i].balanced);
        superseded += w.stage[i].superseded;
        degraded += w.stage[i].degraded && !w.stage[i].superseded;
        good += !w.stage[i].degraded && !w.stage[i].superseded;
    }
    if (policy == ON_LOSS_RETRY) {
        assert_int_equal(good, 2);
        assert_false(run_incomplete(w.run));
        assert_int_equal(degraded, 0);
    } else if (policy == ON_LOSS_MARK) {
        assert_int_equal(good + degraded, 2);
        assert_int_equal(superseded, 0);
        assert_int_equal(run_incomplete(w.run), degraded > 0);
    } else if (degraded) {
        assert_int_equal(run_error(w.run)->code, ERR_AGENTS);
        assert_true(run_incomplete(w.run));
    }
    assert_false(w.overran);
    world_close(&w);
}

static void test_death_at_any_time(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 13000 * NS_PER_MS; at += 170 * NS_PER_MS) {
        die_at(PLAN("retry"), at, ON_LOSS_RETRY);
        die_at(PLAN("mark"), at, ON_LOSS_MARK);
        die_at(PLAN("fail"), at, ON_LOSS_FAIL);
    }
}

static void test_all_die(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 12000 * NS_PER_MS; at += 730 * NS_PER_MS) {
        struct world w;
        world_open(&w, 3, PLAN("retry"));
        start(&w, 3);
        (void)world_until(&w, w.now + at);
        for (uint32_t i = 0; i < 3; i++)
            if (w.agent[i].exists) world_agent_die(&w, i);
        assert_true(world_until(&w, w.now + 200 * NS_PER_S));
        for (size_t i = 0; i < w.n_stages; i++)
            assert_true(w.stage[i].balanced);
        if (w.n_stages < 2) assert_int_equal(run_error(w.run)->code, ERR_AGENTS);
        world_close(&w);
    }
}

/* The retried stage does not begin before the lease of the one that was cut off has run out. */
static void test_fence(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 5, PLAN("retry"));
    start(&w, 3);
    assert_false(world_until(&w, w.now + 2 * NS_PER_S));
    assert_int_equal(run_state(w.run), RUN_LOAD);
    int64_t cut = w.now;
    w.cut_from[2] = cut;
    w.cut_to[2] = INT64_MAX;
    while (w.begun < 2 && run_state(w.run) != RUN_OVER) {
        world_step(&w);
        if (w.begun < 2 || !w.agent[2].exists) continue;
        assert_true(w.agent[2].engine.state != FAKE_RUNNING || w.agent[2].engine.abort);
    }
    assert_true(w.now - cut > RUN_LEASE_NS);
    assert_true(world_until(&w, w.now + 200 * NS_PER_S));
    assert_false(w.overran);
    world_close(&w);
}

/* It stood still, was given up, and comes back: as somebody new, for the next stage. */
static void test_frozen_comes_back(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 5, PLAN("retry"));
    start(&w, 3);
    assert_false(world_until(&w, w.now + 2 * NS_PER_S));
    w.agent[0].frozen_until = w.now + 6 * NS_PER_S;
    assert_true(world_until(&w, w.now + 200 * NS_PER_S));
    assert_int_equal(w.losses, 1);
    assert_int_equal(w.joined, 4);
    assert_false(run_incomplete(w.run));
    assert_true(w.stage[0].superseded && w.stage[0].lost_agents == 1);
    assert_int_equal(w.stage[w.n_stages - 1].agents, 3);
    world_close(&w);
}

/* Two seconds of silence are no death. */
static void test_short_silence(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 6, PLAN("retry"));
    start(&w, 3);
    assert_false(world_until(&w, w.now + 1500 * NS_PER_MS));
    w.cut_from[1] = w.now;
    w.cut_to[1] = w.now + 1800 * NS_PER_MS;
    assert_true(world_until(&w, w.now + 200 * NS_PER_S));
    assert_int_equal(w.losses, 0);
    assert_int_equal(w.n_stages, 2);
    assert_int_equal(w.stage[0].ok, w.stage[0].due);
    world_close(&w);
}

static void test_stop(void **state)
{
    (void)state;
    for (int twice = 0; twice < 2; twice++)
        for (int64_t at = 0; at < 12000 * NS_PER_MS; at += 310 * NS_PER_MS) {
            struct world w;
            world_open(&w, 8, PLAN("retry"));
            start(&w, 3);
            if (!world_until(&w, w.now + at)) {
                bool loading = run_state(w.run) == RUN_LOAD;
                run_stop(w.run, 2, false, w.now);
                if (twice) run_stop(w.run, 2, true, w.now);
                if (twice) assert_int_equal(run_state(w.run), RUN_OVER);
                assert_int_equal(run_signal(w.run), 2);
                assert_true(world_until(&w, w.now + 12 * NS_PER_S));
                if (loading) assert_true(w.stage[w.n_stages - 1].aborted);
                if (loading && !twice) assert_int_equal(w.stage[w.n_stages - 1].ok, w.stage[w.n_stages - 1].due);
            }
            for (size_t i = 0; i < w.n_stages; i++)
                assert_true(w.stage[i].balanced);
            world_close(&w);
        }
}

static void test_store_fails(void **state)
{
    (void)state;
    for (int64_t at = 0; at < 12000 * NS_PER_MS; at += 310 * NS_PER_MS) {
        struct world w;
        world_open(&w, 9, PLAN("retry"));
        start(&w, 3);
        if (!world_until(&w, w.now + at)) {
            w.store_fails = true;
            assert_true(world_until(&w, w.now + 30 * NS_PER_S));
            if (run_error(w.run)->code) assert_int_equal(run_error(w.run)->code, ERR_IO);
        }
        for (size_t i = 0; i < w.n_stages; i++)
            assert_true(w.stage[i].balanced);
        world_close(&w);
    }
}

/* The stages that count at the end, and that nothing went wrong on the way. */
static void assert_whole(struct world *w, unsigned seed)
{
    size_t whole = 0;
    for (size_t i = 0; i < w->n_stages; i++) {
        if (!w->stage[i].balanced)
            fail_msg("seed %u: the ledger of stage %u does not balance", seed, w->stage[i].stage);
        whole += !w->stage[i].degraded && !w->stage[i].superseded && !w->stage[i].aborted;
    }
    if (w->overran) fail_msg("seed %u: load outlived its lease, or ran beside that of another epoch", seed);
    if (whole != 2 || (w->run && run_incomplete(w->run)))
        fail_msg("seed %u: %zu whole points of 2, %s", seed, whole, w->run ? run_error(w->run)->text : "");
    if (w->n_past != 2 || w->past[0].aborted || w->past[1].aborted)
        fail_msg("seed %u: the file does not hold both stages", seed);
}

/* The coordinator is killed at `at` and comes back `away` later: the agents live on, and the run is completed. */
static void test_coordinator_killed(void **state)
{
    (void)state;
    for (int64_t away = 10 * NS_PER_MS; away < 30 * NS_PER_S; away = away * 7 + 100 * NS_PER_MS)
        for (int64_t at = 0; at < 13000 * NS_PER_MS; at += 170 * NS_PER_MS) {
            struct world w;
            world_open(&w, 11, PLAN("retry"));
            start(&w, 3);
            if (!world_until(&w, w.now + at)) {
                world_kill(&w);
                (void)world_until(&w, w.now + away);
                assert_false(w.overran);
                if (!world_is_finished(&w)) {
                    world_coordinator(&w);
                    assert_true(world_until(&w, w.now + 200 * NS_PER_S));
                }
            }
            assert_whole(&w, (unsigned)(at / NS_PER_MS));
            world_close(&w);
        }
}

/* Killed again and again at random moments, also while it waits, over a network that loses, doubles and delays. */
static void test_coordinator_killed_often(void **state)
{
    (void)state;
    const char *only = getenv("PLATEAU_SEED");
    for (unsigned seed = only ? (unsigned)strtoul(only, NULL, 10) : 1;
         seed <= (only ? (unsigned)strtoul(only, NULL, 10) : 500); seed++) {
        struct world w;
        world_open(&w, seed, PLAN("retry"));
        w.verbose = only != NULL;
        w.loss = seed % 3 == 0 ? 0.05 * rng_double(&w.rng) : 0;
        w.twice = 0.3 * rng_double(&w.rng);
        w.delay_max = 1 + (int64_t)rng_below(&w.rng, seed % 2 ? 5 * NS_PER_MS : 200 * NS_PER_MS);
        w.reorder = seed % 4 == 0;
        start(&w, 4);
        bool over = false;
        for (unsigned kills = 1 + (unsigned)rng_below(&w.rng, 4); kills > 0 && !over; kills--) {
            over = world_until(&w, w.now + (int64_t)rng_below(&w.rng, 25 * NS_PER_S));
            if (over) break;
            world_kill(&w);
            if ((over = world_is_finished(&w))) break; /* only its end was missing */
            (void)world_until(&w, w.now + 1 + (int64_t)rng_below(&w.rng, 15 * NS_PER_S));
            world_coordinator(&w);
        }
        if (!over && !world_until(&w, w.now + 400 * NS_PER_S)) fail_msg("seed %u: does not end", seed);
        assert_whole(&w, seed);
        world_close(&w);
    }
}

/* Whatever happens: the run ends, every ledger balances, no load outlives its lease; what came from living agents is
 * what their engines recorded (asserted in world_end). */
static void chaos(uint64_t seed)
{
    static const char *const PLANS[] = {PLAN("retry"), PLAN("mark"), PLAN("fail")};
    struct world w;
    world_open(&w, seed, PLANS[seed % 3]);
    w.verbose = getenv("PLATEAU_SEED") != NULL;
    w.loss = seed % 5 == 0 ? 0 : 0.1 * rng_double(&w.rng);
    w.twice = 0.3 * rng_double(&w.rng);
    w.delay_max = 1 + (int64_t)rng_below(&w.rng, seed % 2 ? 5 * NS_PER_MS : 400 * NS_PER_MS);
    w.reorder = seed % 4 == 0;
    int64_t end = w.now + HOUR, next = w.now;
    start(&w, 4);
    unsigned faults = 0;
    while (w.now < end && run_state(w.run) != RUN_OVER) {
        world_step(&w);
        if (w.now < next) continue;
        next = w.now + 1 + (int64_t)rng_below(&w.rng, 4 * NS_PER_S);
        uint32_t i = (uint32_t)rng_below(&w.rng, 5);
        struct world_agent *a = &w.agent[i];
        if (++faults > 30) continue;
        switch (rng_below(&w.rng, 7)) {
        case 0:
            if (a->exists) world_agent_die(&w, i);
            break;
        case 1:
            if (!a->exists) world_agent_start(&w, i, &args[i]);
            break;
        case 2:
            a->frozen_until = w.now + (int64_t)rng_below(&w.rng, 20 * NS_PER_S);
            break;
        case 3:
            w.cut_from[i] = w.now;
            w.cut_to[i] = w.now + (int64_t)rng_below(&w.rng, 15 * NS_PER_S);
            break;
        case 4:
            if (rng_below(&w.rng, 20) == 0) run_stop(w.run, 15, false, w.now);
            break;
        case 5:
            if (a->exists && rng_below(&w.rng, 3) == 0)
                run_agent_gone(w.run, a->name, "exited", w.now), world_agent_die(&w, i);
            break;
        default:
            break;
        }
    }
    if (run_state(w.run) != RUN_OVER)
        fail_msg("seed %llu: still in state %s after an hour", (unsigned long long)seed,
                 run_state_name(run_state(w.run)));
    for (size_t i = 0; i < w.n_stages; i++)
        if (!w.stage[i].balanced)
            fail_msg("seed %llu: the ledger of stage %u does not balance", (unsigned long long)seed, w.stage[i].stage);
    size_t whole = 0;
    for (size_t i = 0; i < w.n_stages; i++)
        whole += !w.stage[i].degraded && !w.stage[i].superseded && !w.stage[i].aborted;
    if (!run_incomplete(w.run) && whole != 2)
        fail_msg("seed %llu: says complete, but has %zu whole points of 2", (unsigned long long)seed, whole);
    if (w.overran) fail_msg("seed %llu: load outlived its lease", (unsigned long long)seed);
    world_close(&w);
}

static void test_chaos(void **state)
{
    (void)state;
    const char *only = getenv("PLATEAU_SEED");
    if (only) {
        chaos(strtoull(only, NULL, 10));
        return;
    }
    for (uint64_t seed = 1; seed <= 1000; seed++)
        chaos(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_well),
        cmocka_unit_test(test_heartbeats_fill_silence),
        cmocka_unit_test(test_nobody_comes),
        cmocka_unit_test(test_death_at_any_time),
        cmocka_unit_test(test_all_die),
        cmocka_unit_test(test_fence),
        cmocka_unit_test(test_frozen_comes_back),
        cmocka_unit_test(test_short_silence),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_store_fails),
        cmocka_unit_test(test_coordinator_killed),
        cmocka_unit_test(test_coordinator_killed_often),
        cmocka_unit_test(test_chaos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
