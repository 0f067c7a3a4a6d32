#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "coordinator/registry.h"

static struct agent *join(struct registry *r, unsigned id, uint32_t weight, uint64_t capacity)
{
    char name[32];
    struct agent *a = NULL;
    const char *reason;
    bool retry;
    struct peer p = {.n = 4, .id = {1, (uint8_t)id, (uint8_t)(id >> 8), 7}};
    (void)snprintf(name, sizeof name, "agent-%u", id);
    struct wire_msg m = {.type = WIRE_HELLO, .u.hello = {.name = name, .boot_id = name, .cores = 4, .weight = weight, .capacity = capacity}};
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
        for (unsigned k = 0; k < 3; k++) a[k] = join(r, k, CASES[i].said[k], CASES[i].capacity[k]);
        registry_weigh(r);
        for (unsigned k = 0; k < 3; k++) assert_int_equal(a[k]->info.weight, CASES[i].want[k]);
        struct agent *late = join(r, 9, 0, 0);
        registry_weigh(r);
        for (unsigned k = 0; k < 3; k++) assert_int_equal(a[k]->info.weight, CASES[i].want[k]);
        uint32_t mean = i == 3 ? 41 : i == 5 ? 333334 : 1; /* (40 + 1 + 81) / 3, rounded */
        assert_int_equal(late->info.weight, mean);
        registry_destroy(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_weigh)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
