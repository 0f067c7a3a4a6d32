#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/plan/region.h"

/* The checker's own table. */
static void test_table(void **state)
{
    (void)state;
    static const struct {
        uint32_t c_max, c_min, end[REGION_N];
    } ROWS[] = {{64, 1, {5, 17, 64, 71}},         {256, 1, {7, 41, 256, 282}},       {256, 32, {38, 69, 256, 282}},
                {1024, 1, {11, 103, 1024, 1127}}, {1024, 16, {26, 117, 1024, 1127}}, /* 16 + 2^6.65 = 116.5…: up */
                {8192, 32, {52, 437, 8192, 9012}}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct regions r;
        assert_int_equal(regions_compute(ROWS[i].c_max, ROWS[i].c_min, &r), 0);
        for (int k = 0; k < REGION_N; k++) {
            assert_int_equal(r.at[k].from, (k ? ROWS[i].end[k - 1] : ROWS[i].c_min) + 1);
            assert_int_equal(r.at[k].to, ROWS[i].end[k]);
        }
    }
    struct regions r;
    assert_int_equal(regions_compute(128, 0, &r), -1);
    assert_int_equal(regions_compute(128, 33, &r), -1);
    assert_int_equal(regions_compute(32, 1, &r), -1);
    /* halves to even: 2^I is exact where C_max - C_min is a cube of two; 1 + 2^(1/2) and so on never are halves, so
     * that the mode shows in the mean of neighbours only */
    assert_int_equal(regions_compute(513, 1, &r), 0);
    assert_int_equal(r.at[REGION_LOW].to, 9);
    assert_int_equal(r.at[REGION_MEDIUM].to, 65);
}

static void test_points(void **state)
{
    (void)state;
    uint32_t p[REGION_POINTS_MAX];
    for (uint32_t c_max = 33; c_max < 20000; c_max = c_max * 3 / 2)
        for (uint32_t c_min = 1; c_min <= 32; c_min += 31)
            for (uint32_t n = 4; n <= 32; n += 4) {
                struct regions r;
                int k = regions_points(c_max, c_min, n, p);
                uint32_t in[3] = {0, 0, 0};
                assert_int_equal(regions_compute(c_max, c_min, &r), 0);
                assert_true(k >= 2 && k <= (int)n && p[0] == c_min && p[k - 1] == c_max);
                for (int i = 0; i < k; i++) {
                    if (i) assert_true(p[i] > p[i - 1]);
                    for (int g = 0; g < 3; g++)
                        in[g] += p[i] >= r.at[g].from && p[i] <= r.at[g].to;
                }
                for (int g = 0; g < 3; g++) /* a point in each region that has a level */
                    assert_true(in[g] >= 1 || r.at[g].to < r.at[g].from);
                if (c_max >= 256) assert_int_equal(k, (int)n);
            }
    assert_int_equal(regions_points(256, 1, 8, p), 8);
    assert_int_equal(regions_points(256, 1, 3, p), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
