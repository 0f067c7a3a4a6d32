#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/laze.h"
#include "common/clock.h"

#define QUANTUM (500 * NS_PER_US)

/* A machine, by what things take of its CPU, and a load on it. */
struct world {
    struct laze l;
    int64_t now, nap, wait; /* ns */
    uint32_t packets;       /* in a quantum, each with a wait of its own when nobody naps */
    bool hurried;
    uint32_t naps; /* in the latest second */
};

static void quantum(struct world *w)
{
    bool on = w->l.on;
    w->now += QUANTUM;
    if (on) {
        laze_nap(&w->l, laze_times_nap(&w->l) ? w->nap : -1);
        w->naps++;
    }
    for (uint32_t i = 0; i < (on ? 1 : w->packets); i++)
        laze_wait(&w->l, on ? w->packets : 1, laze_times_wait(&w->l) ? w->wait : -1);
    if (laze_span_over(&w->l, QUANTUM, w->now)) laze_judge(&w->l, QUANTUM, w->hurried, w->now);
}

static uint32_t naps_in_a_second(struct world *w)
{
    w->naps = 0;
    for (int i = 0; i < 2000; i++)
        quantum(w);
    return w->naps;
}

static struct world begin(int64_t nap_us, int64_t wait_us, uint32_t packets)
{
    struct world w = {.nap = nap_us * NS_PER_US, .wait = wait_us * NS_PER_US, .packets = packets};
    laze_begin(&w.l, 0);
    return w;
}

enum { ALL = 2000, NEARLY = 1900, A_FEW = 50 };

/* One machine's timer is cheap beside its wakes, another's is not: the same load is read at once on the second. */
static void test_by_what_the_machine_takes(void **state)
{
    (void)state;
    struct world cheap = begin(18, 15, 4), dear = begin(45, 4, 4);
    assert_in_range(naps_in_a_second(&cheap), NEARLY, ALL);
    assert_in_range(naps_in_a_second(&dear), 1, A_FEW); /* one span, to learn it */
    assert_int_equal(naps_in_a_second(&dear), 0);
    dear.packets = 12;
    assert_in_range(naps_in_a_second(&dear), 0, A_FEW); /* 48 us against 45: no margin */
    dear.packets = 15;
    assert_in_range(naps_in_a_second(&dear), NEARLY, ALL);
}

/* So many that nothing needs to be measured; and so few that it is not worth it. */
static void test_many_and_few(void **state)
{
    (void)state;
    struct world many = begin(100, 1, 16), few = begin(1, 100, 1);
    assert_in_range(naps_in_a_second(&many), NEARLY, ALL);
    many.hurried = true;
    assert_int_equal(naps_in_a_second(&many), ALL);
    assert_int_equal(naps_in_a_second(&few), 0);
}

static void test_follows_the_load(void **state)
{
    (void)state;
    struct world w = begin(18, 15, 8);
    assert_in_range(naps_in_a_second(&w), NEARLY, ALL);
    w.packets = 1;
    assert_in_range(naps_in_a_second(&w), 0, A_FEW);
    assert_int_equal(naps_in_a_second(&w), 0);
    w.packets = 8;
    assert_in_range(naps_in_a_second(&w), NEARLY, ALL);
}

/* Where answers are short, who waits for them is not kept waiting. */
static void test_hurried(void **state)
{
    (void)state;
    struct world w = begin(18, 15, 8);
    w.hurried = true;
    assert_int_equal(naps_in_a_second(&w), 0);
    w.hurried = false;
    assert_in_range(naps_in_a_second(&w), NEARLY, ALL);
    w.hurried = true;
    assert_in_range(naps_in_a_second(&w), 0, A_FEW);
}

/* What naps cost is followed while they are taken: a timer that became dear is left, in time. What was learnt outlives
 * the stage. */
static void test_learns(void **state)
{
    (void)state;
    struct world w = begin(18, 15, 4);
    assert_in_range(naps_in_a_second(&w), NEARLY, ALL);
    w.nap = 100 * NS_PER_US;
    (void)naps_in_a_second(&w);
    assert_in_range(naps_in_a_second(&w), 0, A_FEW);
    laze_begin(&w.l, w.now);
    assert_false(w.l.on);
    assert_int_equal(naps_in_a_second(&w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_what_the_machine_takes),
                                       cmocka_unit_test(test_many_and_few), cmocka_unit_test(test_follows_the_load),
                                       cmocka_unit_test(test_hurried), cmocka_unit_test(test_learns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
