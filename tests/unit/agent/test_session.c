#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "agent/outbox.h"
#include "agent/session.h"
#include "common/clock.h"

/* One session against a coordinator played by hand; what it says is kept by kind. test_cluster.c plays both sides. */
static struct {
    int64_t now;
    unsigned said[WIRE_N], armed, began, stopped, stopped_now, redials;
    struct wire_msg last[WIRE_N]; /* strings copied below */
    char error[300];
    uint64_t seq;
    bool deaf, refuse_plan, refuse_arm, refuse_go;
    struct session *s;
} T;

static bool on_send(void *arg, const struct wire_msg *m)
{
    const char *error = m->type == WIRE_DONE      ? m->u.done.error
                        : m->type == WIRE_READY   ? m->u.ready.error
                        : m->type == WIRE_PLAN_OK ? m->u.plan_ok.error
                                                  : "";
    (void)arg;
    if (T.deaf) return false;
    T.said[m->type]++;
    T.last[m->type] = *m;
    if (m->type == WIRE_SNAPSHOT) T.seq = m->u.snapshot.seq;
    (void)snprintf(T.error, sizeof T.error, "%s", error);
    return true;
}
static void on_redial(void *arg)
{
    (void)arg, T.redials++;
}
static int on_plan(void *arg, const struct wire_msg *plan, const char *run_id, struct err *e)
{
    (void)arg, (void)plan, (void)run_id;
    return T.refuse_plan ? err_set(e, ERR_SECRET, "no key here") : 0;
}
static int on_arm(void *arg, const struct shard *s, struct err *e)
{
    (void)arg, (void)s, T.armed++;
    return T.refuse_arm ? err_set(e, ERR_LIMIT, "too many") : 0;
}
static int on_go(void *arg, int64_t t0, struct err *e)
{
    (void)arg, (void)t0, T.began++;
    return T.refuse_go ? err_set(e, ERR_INTERNAL, "no") : 0;
}
static void on_stop(void *arg, bool now)
{
    (void)arg, T.stopped++, T.stopped_now += now;
}
static void on_recycle(void *arg, struct snapshot **s)
{
    (void)arg, snapshot_destroy(s);
}
static void on_event(void *arg, const char *text)
{
    (void)arg, (void)text;
}

static int set_up(void **state)
{
    (void)state;
    memset(&T, 0, sizeof T);
    T.now = 100 * NS_PER_S;
    struct session_options o = {.hello = {.u.hello = {.name = "n", .boot_id = "b"}}, .patience_ns = 60 * NS_PER_S};
    struct session_io io = {NULL, on_send, on_redial, on_plan, on_arm, on_go, on_stop, on_recycle, on_event};
    T.s = session_new(&o, &io, T.now);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    session_destroy(&T.s);
    return 0;
}

static void tell(struct wire_msg m)
{
    session_message(T.s, &m, T.now);
}
static void welcome(const char *run, uint32_t number)
{
    tell((struct wire_msg){
        .type = WIRE_WELCOME,
        .u.welcome = {.run_id = run, .agent = number, .lease_ns = 10 * NS_PER_S, .heartbeat_ns = NS_PER_S}});
}
static void give_plan(void)
{
    tell((struct wire_msg){.type = WIRE_PLAN, .u.plan = {.hash = "h"}});
}
static void arm(uint32_t stage, uint32_t epoch)
{
    tell((struct wire_msg){.type = WIRE_ARM, .u.arm = {.stage = stage, .epoch = epoch}});
}
static void go(uint32_t stage, uint32_t epoch, int64_t in)
{
    tell((struct wire_msg){.type = WIRE_GO, .u.go = {.stage = stage, .epoch = epoch, .t0_ns = T.now + in}});
}
static void stop(uint32_t stage, uint32_t epoch, bool now)
{
    tell((struct wire_msg){.type = WIRE_STOP, .u.stop = {.stage = stage, .epoch = epoch, .now = now}});
}
static void ack(uint32_t stage, uint32_t epoch, uint64_t seq)
{
    tell((struct wire_msg){.type = WIRE_ACK, .u.ack = {.stage = stage, .epoch = epoch, .seq = seq}});
}
static void engine(enum engine_event_kind kind)
{
    struct engine_event ev = {.kind = kind, .start_skew_ns = 5};
    if (kind == ENGINE_SNAPSHOT) ev.snapshot = snapshot_new(false);
    session_engine(T.s, &ev, T.now);
}
static void pass(int64_t ns)
{
    for (int64_t end = T.now + ns; T.now < end;) {
        int64_t next = session_deadline(T.s);
        T.now = next <= T.now ? T.now + 1 : next < end ? next : end;
        session_tick(T.s, T.now);
    }
}
static void into_load(void)
{
    welcome("r", 3);
    give_plan();
    arm(2, 7);
    engine(ENGINE_READY);
    go(2, 7, NS_PER_S);
    assert_int_equal(session_state(T.s), SESSION_LOAD);
}

static void test_way(void **state)
{
    (void)state;
    assert_int_equal(T.said[WIRE_HELLO], 1);
    give_plan(); /* before WELCOME: nobody we know */
    assert_int_equal(T.said[WIRE_PLAN_OK], 0);
    welcome("r", 3);
    tell((struct wire_msg){.type = WIRE_CLOCK, .u.clock = {.seq = 9, .t1 = 77}});
    assert_int_equal(T.last[WIRE_CLOCK_ECHO].u.clock_echo.seq, 9);
    assert_int_equal(T.last[WIRE_CLOCK_ECHO].u.clock_echo.t1, 77);
    assert_int_equal(T.last[WIRE_CLOCK_ECHO].u.clock_echo.t2, T.now);
    arm(2, 7); /* without a plan */
    assert_int_equal(T.armed, 0);
    give_plan();
    give_plan(); /* twice: answered twice, taken once */
    assert_int_equal(T.said[WIRE_PLAN_OK], 2);
    arm(2, 7);
    arm(2, 7);
    assert_int_equal(T.armed, 1);
    assert_int_equal(session_stage(T.s), 2);
    engine(ENGINE_READY);
    arm(2, 7); /* READY got lost */
    assert_int_equal(T.said[WIRE_READY], 2);
    go(2, 6, NS_PER_S); /* of another epoch */
    assert_int_equal(T.began, 0);
    go(2, 7, NS_PER_S);
    go(2, 7, NS_PER_S);
    assert_int_equal(T.began, 1);
    engine(ENGINE_SNAPSHOT);
    assert_int_equal(T.seq, 1);
    engine(ENGINE_SNAPSHOT);
    engine(ENGINE_DONE);
    assert_int_equal(T.last[WIRE_DONE].u.done.seq, 2);
    assert_int_equal(T.last[WIRE_DONE].u.done.start_skew_ns, 5);
    assert_string_equal(T.error, "");
    assert_int_equal(session_unacknowledged(T.s), 2);
    ack(2, 6, 2); /* another epoch's */
    ack(2, 7, 3); /* never sent */
    assert_int_equal(session_unacknowledged(T.s), 2);
    ack(2, 7, 2);
    assert_int_equal(session_unacknowledged(T.s), 0);
    arm(3, 8);
    assert_int_equal(session_state(T.s), SESSION_ARMING);
    assert_int_equal(T.armed, 2);
    tell((struct wire_msg){.type = WIRE_BYE});
    assert_int_equal(T.said[WIRE_BYE], 1);
    assert_int_equal(session_state(T.s), SESSION_OVER);
    assert_int_equal(session_error(T.s)->code, ERR_NONE);
}

static void test_done_is_said_until_it_is_heard(void **state)
{
    (void)state;
    into_load();
    engine(ENGINE_SNAPSHOT);
    engine(ENGINE_DONE);
    unsigned done = T.said[WIRE_DONE], snapshots = T.said[WIRE_SNAPSHOT];
    for (int i = 0; i < 3; i++) {
        pass(2 * NS_PER_S);
        tell((struct wire_msg){.type = WIRE_HEARTBEAT});
    }
    assert_true(T.said[WIRE_DONE] > done && T.said[WIRE_SNAPSHOT] > snapshots);
    stop(2, 7, true); /* says the coordinator again, which has not heard DONE: nothing is thrown away */
    assert_int_equal(session_unacknowledged(T.s), 1);
    assert_int_equal(session_state(T.s), SESSION_REPORT);
}

static void test_lease(void **state)
{
    (void)state;
    into_load();
    engine(ENGINE_SNAPSHOT);
    pass(9900 * NS_PER_MS);
    assert_int_equal(T.stopped, 0);
    assert_true(T.redials >= 1); /* dialled anew long before */
    pass(400 * NS_PER_MS);
    assert_int_equal(T.stopped_now, 1);
    engine(ENGINE_SNAPSHOT);
    engine(ENGINE_DONE);
    assert_int_equal(session_unacknowledged(T.s), 2); /* kept */
    assert_int_equal(T.last[WIRE_HELLO].u.hello.epoch, 7);
    unsigned before = T.said[WIRE_SNAPSHOT];
    welcome("r", 3); /* the same membership: all of it is sent again */
    assert_int_equal(T.said[WIRE_SNAPSHOT], before + 2);
    assert_non_null(strstr(T.error, "nothing was heard from the coordinator for 10 s"));
    assert_int_equal(T.last[WIRE_DONE].u.done.code, ERR_AGENTS);
}

/* A coordinator with thousands to welcome has no time for more: who dials again at the same pace makes it worse. */
static void test_redials_back_off(void **state)
{
    (void)state;
    for (int i = 0; i < 1100; i++) { /* 110 s */
        unsigned before = T.redials;
        pass(100 * NS_PER_MS);
        if (T.redials > before) welcome("r", 3);
    }
    assert_in_range(T.redials, 3, 9);
    unsigned before = T.redials;
    welcome("r", 3);
    give_plan(); /* it has time again */
    pass(5500 * NS_PER_MS);
    assert_int_equal(T.redials, before + 1);
}

/* An agent that stood still itself does not blame the coordinator. */
static void test_stood_still(void **state)
{
    (void)state;
    into_load();
    T.now += 20 * NS_PER_S;
    session_tick(T.s, T.now);
    assert_int_equal(T.stopped_now, 1);
    engine(ENGINE_DONE);
    welcome("r", 3);
    assert_non_null(strstr(T.error, "this agent's process stood still for 20 s"));
}

/* What is said anyway is sign of life enough; heartbeats fill the silence. */
static void test_snapshots_are_heartbeats(void **state)
{
    (void)state;
    into_load();
    unsigned before = T.said[WIRE_HEARTBEAT];
    for (uint64_t seq = 1; seq <= 20; seq++) {
        engine(ENGINE_SNAPSHOT);
        ack(2, 7, seq);
        pass(NS_PER_S);
    }
    assert_int_equal(T.said[WIRE_HEARTBEAT], before);
    for (int i = 0; i < 5; i++) { /* nothing is recorded */
        tell((struct wire_msg){.type = WIRE_HEARTBEAT});
        pass(2 * NS_PER_S);
    }
    assert_in_range(T.said[WIRE_HEARTBEAT] - before, 7, 10);
    T.deaf = true; /* what could not be sent is no sign of life */
    engine(ENGINE_SNAPSHOT);
    T.deaf = false;
    before = T.said[WIRE_HEARTBEAT];
    tell((struct wire_msg){.type = WIRE_HEARTBEAT});
    pass(5 * NS_PER_S / 4);
    assert_int_equal(T.said[WIRE_HEARTBEAT], before + 1);
}

/* A process that stood still sees the gap before it reads what waited in its socket. */
static void test_standstill(void **state)
{
    (void)state;
    into_load();
    T.now += 11 * NS_PER_S;
    session_tick(T.s, T.now);
    assert_int_equal(T.stopped_now, 1);
}

static void test_new_membership(void **state)
{
    (void)state;
    into_load();
    engine(ENGINE_SNAPSHOT);
    tell((struct wire_msg){.type = WIRE_REFUSE, .u.refuse = {.reason = "say HELLO first", .retry = true}});
    assert_int_equal(T.said[WIRE_HELLO], 2);
    welcome("r", 4); /* somebody else now: what belonged to number 3 is of no use */
    assert_int_equal(T.stopped_now, 1);
    assert_int_equal(session_unacknowledged(T.s), 0);
    assert_int_equal(session_state(T.s), SESSION_JOINED);
    give_plan();
    assert_int_equal(session_state(T.s), SESSION_JOINED); /* the engine still ends the old stage */
    engine(ENGINE_SNAPSHOT);
    assert_int_equal(session_unacknowledged(T.s), 0);
    engine(ENGINE_DONE);
    assert_int_equal(T.said[WIRE_DONE], 0); /* of a stage that is not ours */
    give_plan();
    arm(2, 9);
    assert_int_equal(session_state(T.s), SESSION_ARMING);
}

static void test_late_go(void **state)
{
    (void)state;
    welcome("r", 3);
    give_plan();
    arm(2, 7);
    engine(ENGINE_READY);
    go(2, 7, -21 * NS_PER_MS);
    assert_int_equal(T.began, 0);
    assert_int_equal(T.said[WIRE_DONE], 1);
    assert_non_null(strstr(T.error, "missed"));
}

static void test_go_without_arm(void **state)
{
    (void)state;
    welcome("r", 3);
    give_plan();
    go(5, 9, NS_PER_S);
    assert_int_equal(T.began, 0);
    assert_int_equal(T.last[WIRE_DONE].u.done.epoch, 9);
    assert_non_null(strstr(T.error, "not armed"));
}

static void test_refusals_of_ours(void **state)
{
    (void)state;
    welcome("r", 3);
    T.refuse_plan = true;
    give_plan();
    assert_string_equal(T.error, "no key here");
    assert_int_equal(T.last[WIRE_PLAN_OK].u.plan_ok.code, ERR_SECRET);
    T.refuse_plan = false;
    give_plan();
    T.refuse_arm = true;
    arm(1, 1);
    assert_string_equal(T.error, "too many");
    assert_int_equal(T.last[WIRE_READY].u.ready.code, ERR_LIMIT);
    assert_int_equal(session_state(T.s), SESSION_IDLE);
    T.refuse_arm = false;
    T.refuse_go = true;
    arm(1, 2);
    engine(ENGINE_READY);
    go(1, 2, NS_PER_S);
    assert_string_equal(T.error, "no");
    assert_int_equal(T.last[WIRE_DONE].u.done.code, ERR_INTERNAL);
}

/* A run that this agent would not be part of ends with a BYE too: what was refused is not forgotten until it is done
 * after all, or another run comes. */
static void test_what_was_refused_is_remembered(void **state)
{
    (void)state;
    welcome("r", 3);
    assert_int_equal(session_refused(T.s)->code, ERR_NONE);
    T.refuse_plan = true;
    give_plan();
    assert_int_equal(session_refused(T.s)->code, ERR_SECRET);
    T.refuse_plan = false;
    give_plan(); /* it could be read now */
    assert_int_equal(session_refused(T.s)->code, ERR_NONE);
    T.refuse_arm = true;
    arm(1, 1);
    assert_int_equal(session_refused(T.s)->code, ERR_LIMIT);
    give_plan(); /* the one that we have: nothing new */
    assert_int_equal(session_refused(T.s)->code, ERR_LIMIT);
    welcome("another", 1);
    assert_int_equal(session_refused(T.s)->code, ERR_NONE);
    T.refuse_arm = false;
    give_plan();
    arm(2, 7);
    engine(ENGINE_READY);
    go(2, 7, NS_PER_S);
    session_refuse(T.s, &(struct err){ERR_REFUSED, "the guard"});
    engine(ENGINE_DONE);
    tell((struct wire_msg){.type = WIRE_BYE});
    assert_int_equal(session_error(T.s)->code, ERR_NONE);
    assert_int_equal(session_refused(T.s)->code, ERR_REFUSED);
    assert_string_equal(session_refused(T.s)->text, "the guard");
}

/* A run that failed is no success of its agents: whatever watches them must see it. */
static void test_a_failed_run_is_a_failure_of_its_agents(void **state)
{
    (void)state;
    welcome("r", 3);
    tell((struct wire_msg){.type = WIRE_BYE, .u.bye = {.reason = "127.0.0.1:9 refuses", .code = ERR_NET}});
    assert_int_equal(session_state(T.s), SESSION_OVER);
    assert_int_equal(session_error(T.s)->code, ERR_NONE);
    assert_int_equal(session_refused(T.s)->code, ERR_NET);
    assert_string_equal(session_refused(T.s)->text, "the run failed: 127.0.0.1:9 refuses");
}

/* What another attempt may mend is not a refusal: its agent is not sent away. */
static void test_what_failed_is_not_refused(void **state)
{
    (void)state;
    struct engine_event ev = {.kind = ENGINE_READY, .err = {ERR_NET, "nobody accepts"}};
    welcome("r", 3);
    give_plan();
    arm(1, 1);
    session_engine(T.s, &ev, T.now);
    assert_string_equal(T.error, "nobody accepts");
    assert_int_equal(session_refused(T.s)->code, ERR_NONE);
}

static void test_refused(void **state)
{
    (void)state;
    tell((struct wire_msg){.type = WIRE_REFUSE, .u.refuse = {.reason = "the name is taken", .retry = true}});
    assert_int_equal(session_state(T.s), SESSION_DIAL);
    pass(1100 * NS_PER_MS);
    assert_true(T.said[WIRE_HELLO] >= 2);
    tell((struct wire_msg){.type = WIRE_REFUSE, .u.refuse = {.reason = "other version"}});
    assert_int_equal(session_state(T.s), SESSION_OVER);
    assert_int_equal(session_error(T.s)->code, ERR_REFUSED);
    assert_non_null(strstr(session_error(T.s)->text, "other version"));
}

static void test_patience(void **state)
{
    (void)state;
    T.deaf = true;
    pass(59 * NS_PER_S);
    assert_int_equal(session_state(T.s), SESSION_DIAL);
    pass(2 * NS_PER_S);
    assert_int_equal(session_state(T.s), SESSION_OVER);
    assert_int_equal(session_error(T.s)->code, ERR_AGENTS);
}

/* A coordinator that does not acknowledge slows reports, not load: at most a few are out, the rest is added up. */
static void test_slow_coordinator(void **state)
{
    (void)state;
    into_load();
    for (int i = 0; i < 100; i++) {
        engine(ENGINE_SNAPSHOT);
        pass(NS_PER_S);
        tell((struct wire_msg){.type = WIRE_HEARTBEAT});
    }
    assert_int_equal(session_unacknowledged(T.s), OUTBOX_WINDOW + 1);
    assert_int_equal(T.stopped, 0);
    engine(ENGINE_DONE);
    assert_int_equal(T.said[WIRE_DONE], 0); /* not before all is out */
    ack(2, 7, OUTBOX_WINDOW);
    assert_int_equal(T.last[WIRE_DONE].u.done.seq, OUTBOX_WINDOW + 1);
}

/* Acknowledgements that come slowly but come: nothing is sent twice over a link that is slow already. None at all: what
 * is out is sent again, less and less often. */
static void test_slow_link(void **state)
{
    (void)state;
    into_load();
    for (unsigned i = 0; i < OUTBOX_WINDOW; i++)
        engine(ENGINE_SNAPSHOT);
    engine(ENGINE_DONE);
    assert_int_equal(T.said[WIRE_SNAPSHOT], OUTBOX_WINDOW);
    for (uint64_t i = 1; i < OUTBOX_WINDOW; i++) {
        pass(1900 * NS_PER_MS);
        ack(2, 7, i);
    }
    assert_int_equal(T.said[WIRE_SNAPSHOT], OUTBOX_WINDOW);
    assert_true(T.said[WIRE_DONE] > 0);
    for (int i = 0; i < 40; i++) {
        pass(NS_PER_S);
        tell((struct wire_msg){.type = WIRE_HEARTBEAT});
    }
    assert_true(T.said[WIRE_SNAPSHOT] > OUTBOX_WINDOW && T.said[WIRE_SNAPSHOT] <= OUTBOX_WINDOW + 5);
}

static void test_leave(void **state)
{
    (void)state;
    into_load();
    session_leave(T.s, "told to", T.now);
    assert_int_equal(T.said[WIRE_BYE], 1);
    assert_int_equal(T.stopped_now, 1);
    assert_int_equal(session_state(T.s), SESSION_OVER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_way),
                                       TEST(test_done_is_said_until_it_is_heard),
                                       TEST(test_lease),
                                       TEST(test_stood_still),
                                       TEST(test_redials_back_off),
                                       TEST(test_snapshots_are_heartbeats),
                                       TEST(test_standstill),
                                       TEST(test_new_membership),
                                       TEST(test_late_go),
                                       TEST(test_go_without_arm),
                                       TEST(test_refusals_of_ours),
                                       TEST(test_what_was_refused_is_remembered),
                                       TEST(test_a_failed_run_is_a_failure_of_its_agents),
                                       TEST(test_what_failed_is_not_refused),
                                       TEST(test_refused),
                                       TEST(test_patience),
                                       TEST(test_slow_coordinator),
                                       TEST(test_slow_link),
                                       TEST(test_leave)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
