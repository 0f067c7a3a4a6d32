#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "common/rng.h"
#include "coordinator/answer/mser.h"

static void test_start_up_is_cut(void **state)
{
    (void)state;
    struct rng r;
    double x[300];
    int near = 0, clean = 0;
    rng_seed(&r, 4);
    for (int trial = 0; trial < 200; trial++) {
        for (int i = 0; i < 300; i++)
            x[i] = 1000 * (1 - exp(-i / 12.0)) + 30 * rng_normal(&r);
        size_t cut = mser5_cut(x, 300);
        near += cut >= 25 && cut <= 90; /* at 25 still 12 % are missing, at 90 nothing */
        for (int i = 0; i < 300; i++)
            x[i] = 1000 + 30 * rng_normal(&r);
        clean += mser5_cut(x, 300) <= 75;
    }
    printf("cut of a start-up near in %d, of none small in %d of 200\n", near, clean);
    assert_true(near >= 175);
    assert_true(clean >= 170);
}

static void test_edges(void **state)
{
    (void)state;
    double x[60];
    for (int i = 0; i < 60; i++)
        x[i] = 7;
    assert_int_equal(mser5_cut(x, 60), 0); /* nothing varies: nothing to cut */
    assert_int_equal(mser5_cut(x, 24), 0); /* too short to say */
    for (int i = 0; i < 60; i++)
        x[i] = i < 5 ? 0 : 7;
    assert_int_equal(mser5_cut(x, MSER5_LEAST - 1), 0);
    assert_int_equal(mser5_cut(x, MSER5_LEAST), 5);
    assert_int_equal(mser5_cut(x, 0), 0);
    for (int i = 0; i < 60; i++)
        x[i] = i < 10 ? 0 : 7;
    assert_int_equal(mser5_cut(x, 60), 10);
    for (int i = 0; i < 60; i++)
        x[i] = i < 35 ? 0 : 7 + 0.01 * i; /* start-up past the middle */
    assert_int_equal(mser5_cut(x, 60), 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_start_up_is_cut), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
