#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/due_heap.h"
#include "common/rng.h"

enum { N = 300 };

static int64_t least_of(const struct due_entry *e)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < N; i++)
        if (e[i].place && e[i].at < least) least = e[i].at;
    return least;
}

/* Against a list that is searched: any order of adding, taking the first and removing any. */
static void test_against_a_list(void **state)
{
    (void)state;
    struct due_entry e[N] = {{0}};
    struct due_heap h = {0};
    struct rng r;
    rng_seed(&r, 5);
    assert_int_equal(due_heap_reserve(&h, N), 0);
    for (int step = 0; step < 50000; step++) {
        struct due_entry *x = &e[rng_below(&r, N)];
        if (rng_below(&r, 4) == 0 && h.n)
            due_heap_remove(&h, due_heap_first(&h));
        else if (x->place)
            due_heap_remove(&h, x);
        else
            due_heap_add(&h, x, (int64_t)rng_below(&r, 50));
        uint32_t in = 0;
        for (int i = 0; i < N; i++) {
            in += e[i].place != 0;
            if (e[i].place) assert_ptr_equal(h.list[e[i].place - 1], &e[i]);
        }
        assert_int_equal(in, h.n);
        assert_int_equal(due_heap_next(&h), least_of(e));
    }
    due_heap_clear(&h);
    assert_int_equal(due_heap_next(&h), INT64_MAX);
    assert_null(due_heap_first(&h));
    for (int i = 0; i < N; i++)
        assert_int_equal(e[i].place, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_a_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
