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

#include "coordinator/run/run.h"

enum { MANY = 3500 };
static struct {
    int64_t now, heard[MANY], longest;
    unsigned words; /* of this tick */
} w;

static struct peer peer_of(uint32_t i)
{
    struct peer p = {.n = 4};
    memcpy(p.id, &i, 4);
    return p;
}

static bool next_step(void *arg, struct run_step *ret)
{
    (void)arg, (void)ret;
    return false;
}
static void send_to(void *arg, const struct peer *to, const struct wire_msg *m)
{
    uint32_t i;
    (void)arg;
    memcpy(&i, to->id, 4);
    assert_true(i < MANY);
    if (w.heard[i] && w.now - w.heard[i] > w.longest) w.longest = w.now - w.heard[i];
    w.heard[i] = w.now;
    (void)m;
    w.words++;
}
static int agent_told(void *arg, const struct run_agent *a, struct err *e)
{
    (void)arg, (void)a, (void)e;
    return 0;
}
static void event(void *arg, enum run_event_kind kind, const char *text)
{
    (void)arg, (void)kind, (void)text;
}

static void test_heartbeats_are_spread(void **state)
{
    (void)state;
    static const char YAML[] = "plan: 1\ntarget: {url: 'http://127.0.0.1:1', model: m}\n"
                               "load: {concurrency: 1, duration: 4s}\nagents: {count: 9999, wait: 60s}\n";
    struct err e = {0};
    struct plan *plan = plan_load("p", YAML, strlen(YAML), NULL, 0, &e);
    if (!plan) fail_msg("%s", e.text);
    struct run_options o = {.plan = plan, .packed = {"{}", 2}, .plan_hash = "h", .run_id = "r"};
    struct run_io io = {.next_step = next_step, .send = send_to, .agent = agent_told, .event = event};
    w.now = 1000 * NS_PER_S;
    struct run *run = run_new(&o, &io, w.now);
    assert_non_null(run);
    for (uint32_t i = 0; i < MANY; i++) { /* all in the same moment */
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
    unsigned most = 0, all = 0, ticks = 0;
    for (int64_t end = w.now + 3 * NS_PER_S; w.now < end; ticks++) {
        w.now = run_deadline(run);
        w.words = 0;
        run_tick(run, w.now);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_heartbeats_are_spread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
