#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"

enum { MANY = 200000 };

/* The published algorithms: splitmix64 of seed 0 fills the state; xoshiro256** of that state. */
static void test_known_numbers(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 0);
    assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf) && r.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    r = (struct rng){{1, 2, 3, 4}};
    static const uint64_t WANT[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    for (int i = 0; i < 4; i++)
        assert_true(rng_u64(&r) == WANT[i]);
}

static void test_same_seed_same_numbers(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        same += x == rng_u64(&c);
    }
    assert_int_equal(same, 0);
}

struct moments {
    double mean, var, min, max;
};
static struct moments moments_of(double (*draw)(struct rng *, double), double arg, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    struct moments m = {0, 0, HUGE_VAL, -HUGE_VAL};
    double squares = 0;
    for (int i = 0; i < MANY; i++) {
        double x = draw(&r, arg);
        m.mean += x / MANY;
        squares += x * x / MANY;
        m.min = fmin(m.min, x);
        m.max = fmax(m.max, x);
    }
    m.var = squares - m.mean * m.mean;
    return m;
}
static double draw_double(struct rng *r, double unused)
{
    return (void)unused, rng_double(r);
}
static double draw_exp(struct rng *r, double unused)
{
    return (void)unused, rng_exp(r);
}
static double draw_normal(struct rng *r, double unused)
{
    return (void)unused, rng_normal(r);
}

/* Mean and variance within five standard errors at a fixed seed. */
static void near_(struct moments m, double mean, double var, double kurtosis)
{
    assert_true(fabs(m.mean - mean) < 5 * sqrt(var / MANY));
    assert_true(fabs(m.var - var) < 5 * var * sqrt((kurtosis - 1) / MANY));
}

static void test_moments(void **state)
{
    (void)state;
    struct moments m = moments_of(draw_double, 0, 1);
    near_(m, 0.5, 1.0 / 12, 1.8);
    assert_true(m.min >= 0 && m.max < 1 && m.min < 1e-3 && m.max > 0.999);
    m = moments_of(draw_exp, 0, 2);
    near_(m, 1, 1, 9);
    assert_true(m.min >= 0);
    m = moments_of(draw_normal, 0, 3);
    near_(m, 0, 1, 3);
    assert_true(m.min < -4 && m.max > 4);
    static const double SHAPE[] = {0.1, 0.5, 1, 2.5, 40};
    for (int i = 0; i < 5; i++) {
        m = moments_of(rng_gamma, SHAPE[i], 4);
        near_(m, SHAPE[i], SHAPE[i], 3 + 6 / SHAPE[i]);
        assert_true(m.min >= 0);
    }
}

static void test_below_is_unbiased(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rng_below(&r, 1), 0);
    /* chi square of 10 classes, 9 degrees of freedom: 27.9 is the 0.1 % level */
    double count[10] = {0}, chi = 0;
    for (int i = 0; i < MANY; i++)
        count[rng_below(&r, 10)]++;
    for (int i = 0; i < 10; i++)
        chi += (count[i] - MANY / 10) * (count[i] - MANY / 10) / (MANY / 10);
    assert_true(chi < 27.9);
    /* 3/4 of 2^64: a plain remainder would give the lower third twice as often as each other */
    uint64_t n = UINT64_C(3) << 62, third = n / 3;
    double low = 0;
    for (int i = 0; i < MANY; i++)
        low += rng_below(&r, n) < third;
    assert_true(fabs(low / MANY - 1.0 / 3) < 5 * sqrt(2.0 / 9 / MANY));
}

static void test_seeds_of_their_own(void **state)
{
    (void)state;
    uint64_t seen[4096];
    size_t n = 0;
    for (uint64_t a = 0; a < 16; a++)
        for (uint64_t b = 0; b < 16; b++)
            for (uint64_t c = 0; c < 16; c++)
                seen[n++] = rng_mix(7, a, b, c);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
    assert_true(rng_mix(7, 1, 2, 3) == rng_mix(7, 1, 2, 3) && rng_mix(8, 1, 2, 3) != rng_mix(7, 1, 2, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_numbers),
        cmocka_unit_test(test_same_seed_same_numbers),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_below_is_unbiased),
        cmocka_unit_test(test_seeds_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
