#include "tests/unit/cluster_world.h"

/* What a run makes of words that nobody should say: forged, replayed, of another stage, from strangers. */

#define YAML                                                                                                           \
    "plan: 1\ntarget: {url: 'http://127.0.0.1:1/v1/chat/completions', model: m}\n"                                     \
    "load: {stages: [{concurrency: 10, duration: 4s}]}\nagents: {count: 2, wait: 30s, on_loss: mark, "                 \
    "max_lost_weight: 100%}\n"

static struct world W;
static struct world_arg args[WORLD_AGENTS];

static int set_up(void **state)
{
    (void)state;
    world_open(&W, 11, YAML);
    for (uint32_t i = 0; i < 2; i++)
        world_agent_start(&W, i, &args[i]);
    assert_false(world_until(&W, W.now + 2500 * NS_PER_MS));
    assert_int_equal(run_state(W.run), RUN_LOAD);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&W);
    return 0;
}

static void say(uint32_t connection, const struct wire_msg *m)
{
    struct peer p = world_peer(connection);
    run_message(W.run, &p, m, W.now);
}

static uint32_t of(uint32_t agent)
{
    return W.agent[agent].connection;
}

static void ends_well(void)
{
    assert_true(world_until(&W, W.now + 60 * NS_PER_S));
    assert_false(run_incomplete(W.run));
    assert_int_equal(W.n_stages, 1);
    assert_true(W.stage[0].balanced && W.stage[0].ok == W.stage[0].due && W.stage[0].hist_count == W.stage[0].ok);
}

static void test_strangers(void **state)
{
    struct wire_msg m = {.type = WIRE_SNAPSHOT, .u.snapshot = {.stage = 0, .epoch = 1, .seq = 1, .snapshot = {"x", 1}}};
    (void)state;
    for (int t = 0; t < WIRE_N; t++) {
        if (t == WIRE_HELLO) continue;
        memset(&m.u, 0, sizeof m.u);
        m.type = (enum wire_type)t;
        say(99 * WORLD_AGENTS + 7, &m);
    }
    ends_well();
}

/* Words of a coordinator, or of another moment, from an agent. */
static void test_out_of_place(void **state)
{
    (void)state;
    for (int t = 0; t < WIRE_N; t++) {
        struct wire_msg m = {.type = (enum wire_type)t};
        if (t == WIRE_HELLO || t == WIRE_BYE || t == WIRE_SNAPSHOT) continue;
        say(of(0), &m);
    }
    ends_well();
}

static void test_other_epochs(void **state)
{
    struct wire_msg done = {.type = WIRE_DONE, .u.done = {.stage = 0, .epoch = 9, .seq = 0}};
    struct wire_msg snap = {.type = WIRE_SNAPSHOT,
                            .u.snapshot = {.stage = 0, .epoch = 0, .seq = 1, .snapshot = {"x", 1}}};
    (void)state;
    say(of(0), &done);
    say(of(0), &snap);
    done.u.done.epoch = 1;
    done.u.done.stage = 3;
    say(of(0), &done);
    done.u.done.stage = 0;
    done.u.done.seq = 77; /* more than was sent */
    say(of(0), &done);
    snap.u.snapshot.epoch = 1;
    snap.u.snapshot.seq = 50; /* a gap */
    say(of(0), &snap);
    snap.u.snapshot.seq = 1; /* a replay: whatever it holds, it changes nothing */
    say(of(0), &snap);
    ends_well();
}

static void test_forged_counts(void **state)
{
    struct snapshot *s = snapshot_new(false);
    struct buf b = BUF_INIT(1 << 20);
    (void)state;
    s->to_ns = 90 * NS_PER_S;
    s->counters[COUNTER_DUE] = 1;
    s->counters[COUNTER_OK] = 1000000; /* more than were due */
    assert_int_equal(snapshot_encode(s, &b), 0);
    struct wire_msg m = {.type = WIRE_SNAPSHOT,
                         .u.snapshot = {.stage = 0, .epoch = 1, .seq = 2, .snapshot = {b.data, b.len}}};
    while (run_state(W.run) == RUN_LOAD && W.losses == 0) {
        say(of(0), &m);
        m.u.snapshot.seq++;
        assert_true(m.u.snapshot.seq < 10);
    }
    assert_int_equal(W.losses, 1); /* who lies takes no part any more */
    assert_true(world_until(&W, W.now + 60 * NS_PER_S));
    assert_true(run_incomplete(W.run));
    assert_true(W.stage[0].balanced && W.stage[0].degraded);
    assert_int_equal(W.stage[0].lost_agents, 1);
    assert_true(W.stage[0].ok < 1000);
    snapshot_destroy(&s);
    buf_clear(&b);
}

static void test_malformed(void **state)
{
    struct err why;
    struct peer stranger = world_peer(88 * WORLD_AGENTS);
    (void)state;
    (void)err_set(&why, ERR_WIRE, "no message");
    for (int i = 0; i < 1000; i++)
        run_malformed(W.run, &stranger, &why, W.now);
    assert_int_equal(W.losses, 0);
    ends_well();
}

static void test_another_name(void **state)
{
    struct wire_msg m = {
        .type = WIRE_HELLO,
        .u.hello = {.name = "a0", .boot_id = "forged", .version = "t", .host = "h", .guard = "", .stamps = ""}};
    (void)state;
    say(55 * WORLD_AGENTS + 5, &m); /* the name of one that takes part */
    assert_int_equal(W.joined, 2);
    ends_well();
}

/* Who gives itself another's name on its own connection hurts only itself. */
static void test_two_names(void **state)
{
    struct wire_msg m = {
        .type = WIRE_HELLO,
        .u.hello = {.name = "a1", .boot_id = "forged", .version = "t", .host = "h", .guard = "", .stamps = ""}};
    (void)state;
    say(of(0), &m);
    assert_true(world_until(&W, W.now + 60 * NS_PER_S));
    assert_int_equal(W.joined, 2);
    assert_int_equal(W.stage[0].lost_agents, 1);
    assert_true(W.agent[0].exists == false && W.stage[0].balanced);
}

/* A latecomer with a broken name server, or one that lies, is no reason to end what runs. */
static void test_latecomer_without_plan(void **state)
{
    (void)state;
    W.agent[2].plan_fails = true;
    world_agent_start(&W, 2, &args[2]);
    ends_well();
    assert_int_equal(W.joined, 3);
    assert_int_equal(W.losses, 1);
    assert_int_equal(W.stage[0].agents, 2);
    assert_int_equal(run_error(W.run)->code, ERR_NONE);
}

/* Before the first stage it is: the run would be another than the one that was asked for. */
static void test_first_without_plan(void **state)
{
    struct world w;
    (void)state;
    world_open(&w, 11, YAML);
    w.agent[1].plan_fails = true;
    for (uint32_t i = 0; i < 2; i++)
        world_agent_start(&w, i, &args[i]);
    assert_true(world_until(&w, w.now + 60 * NS_PER_S));
    assert_int_equal(run_error(w.run)->code, ERR_NET);
    assert_non_null(strstr(run_error(w.run)->text, "agent a1: target.url: no such name"));
    assert_int_equal(w.n_stages, 0);
    world_close(&w);
}

static void test_clock_lies(void **state)
{
    (void)state;
    for (int64_t t = -5; t < 5; t++) {
        struct wire_msg m = {.type = WIRE_CLOCK_ECHO,
                             .u.clock_echo = {.seq = 1, .t1 = t, .t2 = INT64_MAX, .t3 = INT64_MIN}};
        say(of(1), &m);
    }
    ends_well();
}

/* It is there as long as its last stage runs, then leaves: by its own will, so that nothing is lost when it has no
 * stage. */
static void test_bye_in_a_stage(void **state)
{
    struct wire_msg m = {.type = WIRE_BYE, .u.bye = {.reason = "off"}};
    (void)state;
    say(of(0), &m);
    assert_int_equal(W.losses, 1);
    world_agent_die(&W, 0);
    assert_true(world_until(&W, W.now + 60 * NS_PER_S));
    assert_true(run_incomplete(W.run));
    assert_true(W.stage[0].balanced && W.stage[0].degraded);
}

/* ---- the probe before the first stage ---- */

static void begin_probing(void)
{
    world_open_probing(&W, 11, YAML, 77);
    for (uint32_t i = 0; i < 2; i++)
        world_agent_start(&W, i, &args[i]);
    assert_false(world_until(&W, W.now + 2500 * NS_PER_MS));
    assert_int_equal(run_state(W.run), RUN_PROBE);
}

static void answer_probe(uint32_t agent, uint32_t number, const char *error, bool final)
{
    static const char SAID[] = "status 200\nsome\x01 more";
    struct wire_msg m = {
        .type = WIRE_PROBED,
        .u.probed = {number, {SAID, sizeof SAID - 1}, error, *error ? ERR_NET : ERR_NONE, final, {{{0}}}}};
    say(of(agent), &m);
}

static void test_probe_good(void **state)
{
    (void)state;
    begin_probing();
    assert_true(W.probes[0] > 0 && W.probes[1] == 0); /* one agent, and again until it answers */
    answer_probe(1, 77, "not asked", true);
    answer_probe(0, 76, "of another run", true);
    assert_int_equal(run_state(W.run), RUN_PROBE);
    answer_probe(0, 77, "", false);
    assert_int_equal(run_state(W.run), RUN_ARM);
    answer_probe(0, 77, "too late", true);
    ends_well();
}

static void test_probe_wrong(void **state)
{
    (void)state;
    begin_probing();
    answer_probe(0, 77, "status 401", true);
    assert_true(world_until(&W, W.now + 60 * NS_PER_S));
    assert_string_equal(run_error(W.run)->text, "status 401");
    assert_int_equal(err_exit_status(run_error(W.run)), 1);
    assert_int_equal(W.n_stages, 0);
}

static void test_probe_doubt(void **state)
{
    (void)state;
    begin_probing();
    answer_probe(0, 77, "status 503", false);
    ends_well();
}

/* Who was asked is gone: another is, once enough are there. */
static void test_probe_lost(void **state)
{
    (void)state;
    begin_probing();
    world_agent_die(&W, 0);
    assert_false(world_until(&W, W.now + 5 * NS_PER_S));
    assert_int_equal(run_state(W.run), RUN_GATHER);
    world_agent_start(&W, 2, &args[2]);
    assert_false(world_until(&W, W.now + 3 * NS_PER_S));
    assert_int_equal(run_state(W.run), RUN_PROBE);
    answer_probe(1, 77, "", false);
    assert_true(world_until(&W, W.now + 60 * NS_PER_S));
    assert_int_equal(W.n_stages, 1);
}

/* Nothing ever comes: the run begins without. */
static void test_probe_silent(void **state)
{
    (void)state;
    begin_probing();
    assert_false(world_until(&W, W.now + 60 * NS_PER_S));
    assert_int_equal(run_state(W.run), RUN_PROBE);
    ends_well();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_strangers),
                                       TEST(test_out_of_place),
                                       TEST(test_other_epochs),
                                       TEST(test_forged_counts),
                                       TEST(test_malformed),
                                       TEST(test_another_name),
                                       TEST(test_two_names),
                                       TEST(test_clock_lies),
                                       TEST(test_bye_in_a_stage),
                                       TEST(test_latecomer_without_plan),
                                       cmocka_unit_test(test_first_without_plan),
                                       cmocka_unit_test_teardown(test_probe_good, tear_down),
                                       cmocka_unit_test_teardown(test_probe_wrong, tear_down),
                                       cmocka_unit_test_teardown(test_probe_doubt, tear_down),
                                       cmocka_unit_test_teardown(test_probe_lost, tear_down),
                                       cmocka_unit_test_teardown(test_probe_silent, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
