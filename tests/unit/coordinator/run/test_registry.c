#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/run/registry.h"

static struct peer peer(uint32_t n)
{
    struct peer p = {.n = 4};
    memcpy(p.id, &n, 4);
    return p;
}

static enum registry_hello hello(struct registry *r, uint32_t from, const char *user, const char *name,
                                 const char *boot, struct agent **ret, bool *retry)
{
    struct peer p = peer(from);
    const char *reason;
    struct wire_msg m = {
        .type = WIRE_HELLO,
        .u.hello = {.name = name, .boot_id = boot, .version = "v", .host = "h", .guard = "", .stamps = ""}};
    (void)snprintf(p.user, sizeof p.user, "%s", user);
    enum registry_hello h = registry_hello(r, &p, &m, 1000, ret, &reason, retry);
    assert_int_equal(h == REGISTRY_REFUSED, reason != NULL);
    return h;
}

static void test_who_is_who(void **state)
{
    struct registry *r = registry_new();
    struct agent *a, *b, *c;
    bool retry;
    (void)state;
    assert_int_equal(hello(r, 1, "", "a", "boot-1", &a, &retry), REGISTRY_NEW);
    assert_int_equal(hello(r, 1, "", "a", "boot-1", &b, &retry), REGISTRY_AGAIN); /* said twice */
    assert_ptr_equal(a, b);
    assert_int_equal(hello(r, 2, "", "a", "boot-1", &b, &retry), REGISTRY_BACK); /* dialled again */
    assert_ptr_equal(a, b);
    struct peer one = peer(1), two = peer(2);
    assert_null(registry_find(r, &one));
    assert_ptr_equal(registry_find(r, &two), a);

    assert_int_equal(hello(r, 3, "", "a", "boot-2", &b, &retry),
                     REGISTRY_REFUSED); /* another process, the name is taken */
    assert_true(retry);
    assert_int_equal(hello(r, 4, "mallory", "a", "boot-1", &b, &retry),
                     REGISTRY_REFUSED);                                             /* another user, the rest guessed */
    assert_int_equal(hello(r, 2, "", "b", "boot-3", &b, &retry), REGISTRY_REFUSED); /* one connection, two agents */
    assert_int_equal(hello(r, 5, "", "", "boot-4", &b, &retry), REGISTRY_REFUSED);
    assert_int_equal(hello(r, 5, "", "name", "", &b, &retry), REGISTRY_REFUSED);
    char lengthy[65];
    memset(lengthy, 'x', 64);
    lengthy[64] = 0;
    assert_int_equal(hello(r, 5, "", lengthy, "boot", &b, &retry), REGISTRY_REFUSED);
    assert_int_equal(hello(r, 5, "", "name", lengthy, &b, &retry), REGISTRY_REFUSED);
    assert_int_equal(registry_count(r), 1);

    assert_true(agent_step(a, AGENT_EV_LOSE));
    assert_true(a->info.lost);
    assert_null(registry_named(r, "a"));
    assert_int_equal(hello(r, 3, "", "a", "boot-2", &b, &retry), REGISTRY_NEW); /* restarted: its place is free now */
    assert_int_equal(b->number, 1);
    assert_true(agent_step(b, AGENT_EV_LOSE));
    assert_int_equal(hello(r, 3, "", "a", "boot-2", &c, &retry),
                     REGISTRY_NEW); /* given up, and back on its old connection: a new number */
    assert_int_equal(c->number, 2);
    struct peer three = peer(3);
    assert_ptr_equal(registry_find(r, &three), c);
    registry_destroy(&r);
    assert_null(r);
    registry_destroy(&r);
}

static void test_many(void **state)
{
    struct registry *r = registry_new();
    struct agent *a;
    bool retry;
    char name[24];
    (void)state;
    for (uint32_t i = 0; i < REGISTRY_MAX; i++) {
        (void)snprintf(name, sizeof name, "agent-%u", i);
        assert_int_equal(hello(r, i, "", name, name, &a, &retry), REGISTRY_NEW);
    }
    for (uint32_t i = 0; i < REGISTRY_MAX; i += 97) {
        struct peer p = peer(i);
        assert_int_equal(registry_find(r, &p)->number, i);
    }
    assert_int_equal(hello(r, REGISTRY_MAX + 1, "", "one more", "b", &a, &retry), REGISTRY_REFUSED);
    assert_false(retry);
    registry_destroy(&r);
}

/* The way through a stage, and that nothing else leads there. */
static void test_table(void **state)
{
    static const struct {
        enum agent_event ev;
        enum agent_state to;
    } WAY[] = {{AGENT_EV_CLOCKED, AGENT_PLANNING}, {AGENT_EV_PLANNED, AGENT_IDLE}, {AGENT_EV_ARM, AGENT_ARMING},
               {AGENT_EV_READY, AGENT_READY},      {AGENT_EV_GO, AGENT_RUNNING},   {AGENT_EV_DONE, AGENT_DONE},
               {AGENT_EV_RELEASE, AGENT_IDLE}};
    struct agent a = {0};
    (void)state;
    for (size_t i = 0; i < sizeof WAY / sizeof *WAY; i++) {
        for (size_t k = 0; k < sizeof WAY / sizeof *WAY; k++) {
            struct agent copy = a;
            bool release = WAY[k].ev == AGENT_EV_RELEASE && agent_in_stage(&a);
            assert_int_equal(agent_step(&copy, WAY[k].ev),
                             k == i || (WAY[k].ev == AGENT_EV_ARM && a.state == AGENT_IDLE) || release);
        }
        assert_true(agent_step(&a, WAY[i].ev));
        assert_int_equal(a.state, WAY[i].to);
        struct agent copy = a;
        assert_true(agent_step(&copy, AGENT_EV_LOSE));
        for (int ev = 0; ev < AGENT_EVENT_N; ev++)
            assert_false(agent_step(&copy, (enum agent_event)ev)); /* for good */
    }
    for (int s = 0; s < AGENT_STATE_N; s++)
        assert_string_not_equal(agent_state_name((enum agent_state)s), "?");
}

static void test_silence(void **state)
{
    struct agent a = {.heard_ns = 100};
    (void)state;
    assert_false(agent_silent(&a, 103, 3));
    assert_true(agent_silent(&a, 104, 3));
    (void)agent_step(&a, AGENT_EV_BYE);
    assert_false(agent_silent(&a, 104, 3));
}

static struct agent *join(struct registry *r, unsigned id, uint32_t weight, uint64_t capacity)
{
    char name[32];
    struct agent *a = NULL;
    const char *reason;
    bool retry;
    struct peer p = {.n = 4, .id = {1, (uint8_t)id, (uint8_t)(id >> 8), 7}};
    (void)snprintf(name, sizeof name, "agent-%u", id);
    struct wire_msg m = {
        .type = WIRE_HELLO,
        .u.hello = {.name = name, .boot_id = name, .cores = 4, .weight = weight, .capacity = capacity}};
    assert_int_equal(registry_hello(r, &p, &m, 0, &a, &reason, &retry), REGISTRY_NEW);
    return a;
}

/* Words go before capacities, capacities count when all have one, else all are equal; what was decided first stays. */
static void test_weigh(void **state)
{
    static const struct {
        uint32_t said[3];
        uint64_t capacity[3];
        uint32_t want[3];
    } CASES[] = {
        {{0, 0, 0}, {0, 0, 0}, {1, 1, 1}},
        {{2, 0, 5}, {0, 0, 0}, {2, 1, 5}},
        {{0, 0, 0}, {40000, 0, 80000}, {1, 1, 1}},
        {{0, 0, 0}, {40400, 300, 80600}, {40, 1, 81}},
        {{0, 3, 0}, {40000, 40000, 80000}, {1, 3, 1}},
        {{0, 0, 0}, {UINT64_MAX, 1500, 1499}, {1000000, 2, 1}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct registry *r = registry_new();
        struct agent *a[3];
        for (unsigned k = 0; k < 3; k++)
            a[k] = join(r, k, CASES[i].said[k], CASES[i].capacity[k]);
        registry_weigh(r);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(a[k]->info.weight, CASES[i].want[k]);
        struct agent *late = join(r, 9, 0, 0);
        registry_weigh(r);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(a[k]->info.weight, CASES[i].want[k]);
        uint32_t mean = i == 3 ? 41 : i == 5 ? 333334 : 1; /* (40 + 1 + 81) / 3, rounded */
        assert_int_equal(late->info.weight, mean);
        registry_destroy(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_is_who), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_table), cmocka_unit_test(test_silence),
                                       cmocka_unit_test(test_weigh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
