/* Thousands of agents: what one turn of the coordinator's loop may do is bounded, and nobody waits too long for a word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/snapshot.h"
#include "coordinator/run/run.h"

enum { MANY = 3500 };
static struct {
    int64_t now, heard[MANY], longest;
    unsigned words;     /* of this turn */
    unsigned told;      /* agents whose row was written in this turn */
    unsigned questions; /* words that want an answer */
    unsigned events;
    unsigned beats, acks, stops, arms;
    uint32_t epoch;              /* of the stage that runs */
    unsigned undecided;          /* times that the run still hears "not yet" when it asks what follows */
    enum wire_type answer[MANY]; /* the message that this agent has not answered yet; 0 = none */
    struct wire_msg asked[MANY]; /* a CLOCK, or what says which stage is meant */
    unsigned steps;
    int64_t t0;
} w;

static struct peer peer_of(uint32_t i)
{
    struct peer p = {.n = 4};
    memcpy(p.id, &i, 4);
    return p;
}

static bool next_step(void *arg, struct run_step *ret)
{
    const struct plan *plan = arg;
    if (!plan || w.steps++) return false;
    *ret = (struct run_step){.load = plan->stages[0]};
    return true;
}
static bool deciding(void *arg)
{
    (void)arg;
    if (!w.undecided) return false;
    w.undecided--;
    return true;
}
static int stage_begin(void *arg, const struct stage_data *d, struct err *e)
{
    (void)arg, (void)d, (void)e;
    return 0;
}
static int snapshot(void *arg, const struct run_step *step, uint32_t epoch, uint32_t agent, uint64_t seq,
                    struct wire_bytes b, struct err *e)
{
    (void)arg, (void)step, (void)epoch, (void)agent, (void)seq, (void)b, (void)e;
    return 0;
}
static int stage_end(void *arg, struct stage_data *d, bool superseded, struct err *e)
{
    (void)arg, (void)superseded, (void)e;
    stage_data_clear(d);
    return 0;
}
static void send_to(void *arg, const struct peer *to, const struct wire_msg *m)
{
    uint32_t i;
    (void)arg;
    memcpy(&i, to->id, 4);
    assert_true(i < MANY);
    if (w.heard[i] && w.now - w.heard[i] > w.longest) w.longest = w.now - w.heard[i];
    w.heard[i] = w.now;
    w.words++;
    w.beats += m->type == WIRE_HEARTBEAT;
    w.acks += m->type == WIRE_ACK;
    w.stops += m->type == WIRE_STOP;
    w.arms += m->type == WIRE_ARM;
    if (m->type == WIRE_HEARTBEAT || m->type == WIRE_ACK || m->type == WIRE_WELCOME || m->type == WIRE_REFUSE) return;
    w.answer[i] = m->type;
    w.asked[i] = *m;
    w.epoch = m->type == WIRE_GO ? m->u.go.epoch : w.epoch;
    w.questions++;
}
static int agent_told(void *arg, const struct run_agent *a, struct err *e)
{
    (void)arg, (void)a, (void)e;
    w.told++;
    return 0;
}
static void event(void *arg, enum run_event_kind kind, const char *text)
{
    (void)arg, (void)kind, (void)text;
    w.events++;
}

static struct plan *plan_of(const char *yaml)
{
    struct err e = {0};
    struct plan *plan = plan_load("p", yaml, strlen(yaml), NULL, 0, &e);
    if (!plan) fail_msg("%s", e.text);
    return plan;
}

/* All in the same moment. */
static void all_greet(struct run *run)
{
    for (uint32_t i = 0; i < MANY; i++) {
        char name[16], boot[16];
        struct peer p = peer_of(i);
        (void)snprintf(name, sizeof name, "a%u", i);
        (void)snprintf(boot, sizeof boot, "b%u", i);
        struct wire_msg m = {.type = WIRE_HELLO,
                             .u.hello = {.version = "t",
                                         .name = name,
                                         .boot_id = boot,
                                         .host = "h",
                                         .cores = 1,
                                         .guard = "",
                                         .stamps = "kernel"}};
        run_message(run, &p, &m, w.now);
    }
}

static struct run *all_join(const struct plan *plan, void *arg)
{
    struct run_options o = {.plan = plan, .packed = {"{}", 2}, .plan_hash = "h", .run_id = "r"};
    struct run_io io = {.arg = arg,
                        .next_step = next_step,
                        .deciding = deciding,
                        .send = send_to,
                        .stage_begin = stage_begin,
                        .snapshot = snapshot,
                        .stage_end = stage_end,
                        .agent = agent_told,
                        .event = event};
    memset(&w, 0, sizeof w);
    w.now = 1000 * NS_PER_S;
    struct run *run = run_new(&o, &io, w.now);
    assert_non_null(run);
    all_greet(run);
    return run;
}

static void test_heartbeats_are_spread(void **state)
{
    (void)state;
    struct plan *plan = plan_of("plan: 1\ntarget: {url: 'http://127.0.0.1:1', model: m}\n"
                                "load: {concurrency: 1, duration: 4s}\nagents: {count: 9999, wait: 60s}\n");
    struct run *run = all_join(plan, NULL);
    unsigned most = 0, all = 0, ticks = 0;
    for (int64_t end = w.now + 3 * NS_PER_S; w.now < end; ticks++) {
        w.now = run_deadline(run);
        w.words = 0;
        run_tick(run, w.now, true);
        if (w.words > most) most = w.words;
        all += w.words;
    }
    assert_true(most > 0 && most <= RUN_BEATS_A_TICK);
    assert_true(all >= 2 * MANY); /* a heartbeat, or a question instead */
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(w.heard[i] > 0);
    assert_true(w.longest <=
                RUN_HEARTBEAT_NS + NS_PER_S / 2); /* a heartbeat, a tick, and the ticks in which others had theirs */
    assert_true(ticks < 60);
    run_destroy(&run);
    plan_destroy(&plan);
}

/* What an agent answers; false: nothing now. */
static bool answer_of(uint32_t i, struct wire_msg *ret)
{
    const struct wire_msg *m = &w.asked[i];
    switch (w.answer[i]) {
    case WIRE_CLOCK:
        *ret = (struct wire_msg){
            .type = WIRE_CLOCK_ECHO,
            .u.clock_echo = {.seq = m->u.clock.seq, .t1 = m->u.clock.t1, .t2 = m->u.clock.t1, .t3 = m->u.clock.t1}};
        return true;
    case WIRE_PLAN:
        *ret = (struct wire_msg){.type = WIRE_PLAN_OK, .u.plan_ok = {.hash = "h"}};
        return true;
    case WIRE_ARM:
        *ret = (struct wire_msg){.type = WIRE_READY, .u.ready = {.stage = m->u.arm.stage, .epoch = m->u.arm.epoch}};
        return true;
    case WIRE_GO:
        w.t0 = m->u.go.t0_ns;
        *ret = (struct wire_msg){.type = WIRE_DONE, .u.done = {.stage = m->u.go.stage, .epoch = m->u.go.epoch}};
        return true;
    case WIRE_BYE:
        *ret = (struct wire_msg){.type = WIRE_BYE, .u.bye = {.reason = "told to"}};
        return true;
    default:
        return false;
    }
}

/* All answer at once what they were asked; the most words that one call of the run said. */
static unsigned answers(struct run *run, bool run_stage, bool *ret_any)
{
    unsigned most = 0;
    *ret_any = false;
    for (uint32_t i = 0; i < MANY; i++) {
        struct peer p = peer_of(i);
        struct wire_msg m;
        if ((w.answer[i] == WIRE_GO && !run_stage) || !answer_of(i, &m)) continue;
        w.answer[i] = 0;
        w.words = 0;
        run_message(run, &p, &m, w.now);
        if (w.words > most) most = w.words;
        *ret_any = true;
    }
    return most;
}

static unsigned tick_after(struct run *run, bool all_read)
{
    int64_t soonest = w.now + (all_read ? 0 : 10 * NS_PER_MS); /* reading took that */
    w.now = run_deadline(run) > soonest ? run_deadline(run) : soonest;
    w.words = w.told = 0;
    run_tick(run, w.now, all_read);
    return w.words;
}
static unsigned tick(struct run *run)
{
    return tick_after(run, true);
}

static const char STAGE[] =
    "plan: 1\ntarget: {url: 'http://127.0.0.1:1', model: m}\n"
    "load: {concurrency: 7000, duration: 4s}\nagents: {count: 3500, wait: 60s, on_loss: mark}\n";

/* From HELLO to BYE: arming, starting and dismissing thousands takes many turns of the loop, none of them a long one.
 */
static void test_no_turn_tells_all(void **state)
{
    (void)state;
    struct plan *plan = plan_of(STAGE);
    struct run *run = all_join(plan, plan);
    unsigned most = 0;
    for (unsigned turns = 0; run_state(run) != RUN_OVER; turns++) {
        bool any;
        unsigned said = answers(run, true, &any);
        if (said > most) most = said;
        if (!any && (said = tick(run)) > most) most = said;
        assert_true(turns < 200);
    }
    assert_int_equal(run_error(run)->code, ERR_NONE);
    assert_int_equal(w.steps, 2);
    assert_true(w.t0 - 1000 * NS_PER_S >= 3 * 20 * NS_PER_MS); /* time to tell them all */
    assert_true(most > 100 && most <= RUN_BEATS_A_TICK + 1);
    run_destroy(&run);
    plan_destroy(&plan);
}

/* What an agent with nothing to tell sends each second. */
static void all_report(struct run *run, uint64_t seq)
{
    struct buf b = BUF_INIT(WIRE_MESSAGE_MAX);
    struct snapshot *s = snapshot_new(false);
    s->from_ns = (int64_t)(seq - 1) * NS_PER_S;
    s->to_ns = (int64_t)seq * NS_PER_S;
    assert_int_equal(snapshot_encode(s, &b), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        struct peer p = peer_of(i);
        struct wire_msg m = {.type = WIRE_SNAPSHOT,
                             .u.snapshot = {.stage = 0, .epoch = w.epoch, .seq = seq, .snapshot = {b.data, b.len}}};
        run_message(run, &p, &m, w.now);
    }
    buf_clear(&b);
    snapshot_destroy(&s);
}

/* A word to each of thousands each second costs as much as what they say: every second snapshot is acknowledged, and
 * nobody waits longer than an agent's patience of 4 s for a word. */
static void test_every_second_ack(void **state)
{
    (void)state;
    struct plan *plan = plan_of(STAGE);
    struct run *run = all_join(plan, plan);
    bool any = true;
    while (any || run_state(run) != RUN_LOAD) {
        (void)answers(run, false, &any);
        if (!any) (void)tick(run);
    }
    while (w.answer[MANY - 1] != WIRE_GO)
        (void)tick(run);
    w.beats = w.acks = 0;
    w.longest = 0;
    for (uint64_t seq = 1; seq <= 8; seq++) {
        for (int64_t end = w.now + NS_PER_S; w.now < end;)
            (void)tick(run);
        all_report(run, seq);
    }
    assert_int_equal(w.acks, 4 * MANY);
    assert_int_equal(w.beats, 0);
    assert_true(w.longest > 3 * NS_PER_S / 2 && w.longest < 3 * NS_PER_S);
    run_destroy(&run);
    plan_destroy(&plan);
}

/* An attempt that is given up before it begins: all hear of it, in turns, and are not armed for it again. */
static void test_giving_up_is_spread(void **state)
{
    (void)state;
    struct plan *plan = plan_of(STAGE);
    struct run *run = all_join(plan, plan);
    struct peer first = peer_of(0);
    struct wire_msg bye = {.type = WIRE_BYE, .u.bye = {.reason = "somebody ended it"}};
    bool any = true;
    while (any && run_state(run) != RUN_ARM)
        (void)answers(run, false, &any);
    while (w.arms < MANY)
        (void)tick(run);
    w.arms = w.words = 0;
    run_message(run, &first, &bye, w.now);
    assert_int_equal(run_state(run), RUN_PAUSE);
    unsigned most = w.words;
    while (w.stops < MANY - 1) {
        unsigned said = tick(run);
        if (said > most) most = said;
        assert_int_equal(w.arms, 0);
    }
    assert_true(most > 100 && most <= RUN_BEATS_A_TICK);
    assert_int_equal(w.stops, MANY - 1);
    while (w.arms < MANY - 1) /* the next attempt */
        (void)tick(run);
    assert_int_equal(w.stops, MANY - 1);
    run_destroy(&run);
    plan_destroy(&plan);
}

/* All fall silent at once: each that is lost is written to the run's file. */
static void test_losses_are_spread(void **state)
{
    (void)state;
    struct plan *plan = plan_of(STAGE);
    struct run *run = all_join(plan, plan);
    unsigned most = 0, lost = 0;
    bool any = true;
    while (any || run_state(run) != RUN_LOAD) {
        (void)answers(run, false, &any);
        if (!any) (void)tick(run);
    }
    for (int64_t end = w.now + RUN_LIVENESS_NS + NS_PER_S; w.now < end && run_state(run) != RUN_OVER;) {
        (void)tick(run);
        lost += w.told;
        if (w.told > most) most = w.told;
    }
    assert_true(most > 0 && most <= RUN_LOSSES_A_TICK);
    assert_int_equal(lost, MANY);
    run_destroy(&run);
    plan_destroy(&plan);
}

/* What follows a stage may take some turns to be known: it is waited for, and agents are spoken to meanwhile. */
static void test_what_follows_is_waited_for(void **state)
{
    (void)state;
    struct plan *plan = plan_of(STAGE);
    struct run *run = all_join(plan, plan);
    bool any = true;
    while (any || run_state(run) != RUN_LOAD) {
        (void)answers(run, false, &any);
        if (!any) (void)tick(run);
    }
    w.undecided = 100;
    for (unsigned turns = 0; run_state(run) != RUN_PAUSE; turns++) {
        (void)answers(run, true, &any);
        if (!any) (void)tick(run);
        assert_true(turns < 200);
    }
    int64_t began = w.now;
    for (; w.undecided; (void)answers(run, true, &any), (void)tick(run)) {
        assert_int_equal(run_state(run), RUN_PAUSE);
        assert_int_equal(w.steps, 1);
    }
    assert_true(w.now - began < 5 * NS_PER_S);
    (void)tick(run);
    assert_int_equal(w.steps, 2); /* and there is none */
    assert_int_equal(run_state(run), RUN_CLOSE);
    run_destroy(&run);
    plan_destroy(&plan);
}

/* Messages that wait unread may be anybody's: nobody is silent, and nothing is asked again. */
static void test_unread_is_no_silence(void **state)
{
    (void)state;
    struct plan *plan = plan_of(STAGE);
    struct run *run = all_join(plan, plan);
    unsigned lost = 0, asked = w.questions;
    int64_t began = w.now;
    while (w.now < began + 20 * NS_PER_S) {
        (void)tick_after(run, false);
        lost += w.told;
    }
    all_greet(run); /* what they have repeated since is among it */
    assert_int_equal(lost, 0);
    assert_int_equal(w.questions, asked);
    assert_int_equal(w.events, MANY);
    bool any;
    do /* now they are read */
        (void)answers(run, false, &any);
    while (any);
    (void)tick(run);
    assert_int_equal(w.told, 0);
    assert_true(run_state(run) >= RUN_ARM);
    while (w.now < began + 20 * NS_PER_S + RUN_UNREAD_NS + 10 * NS_PER_S) { /* a peer that floods excuses nobody */
        (void)tick_after(run, false);
        lost += w.told;
    }
    assert_int_equal(lost, MANY);
    run_destroy(&run);
    plan_destroy(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeats_are_spread), cmocka_unit_test(test_no_turn_tells_all),
        cmocka_unit_test(test_losses_are_spread),     cmocka_unit_test(test_giving_up_is_spread),
        cmocka_unit_test(test_every_second_ack),      cmocka_unit_test(test_what_follows_is_waited_for),
        cmocka_unit_test(test_unread_is_no_silence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
