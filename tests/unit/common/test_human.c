#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/human.h"

static void test_examples(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } NUMBERS[] = {{0, "0"},
                   {-0.0, "0"},
                   {1, "1"},
                   {4.5, "4.5"},
                   {4.567, "4.57"},
                   {9.996, "10"},
                   {56.54, "56.5"},
                   {99.97, "100"},
                   {100, "100"},
                   {565.4, "565"},
                   {999.6, "1,000"},
                   {2150, "2,150"},
                   {56500, "56,500"},
                   {1234567, "1,234,567"},
                   {999999999999999.0, "999,999,999,999,999"},
                   {1e15, ">999,999,999,999,999"},
                   {-1e300, "<-999,999,999,999,999"},
                   {0.0123456, "0.0123"},
                   {0.000001234, "0.00000123"},
                   {1e-9, "<0.000001"},
                   {-1e-9, ">-0.000001"},
                   {-1234.5, "-1,234"},
                   {-12.34, "-12.3"},
                   {NAN, "n/a"},
                   {INFINITY, "n/a"}},
      SHARES[] = {{0, "0 %"},          {1, "100 %"},
                  {0.0327, "3.27 %"},  {0.00004, "0.004 %"},
                  {0.9996, "99.96 %"}, {0.99999999, "99.99 %"},
                  {0.999, "99.9 %"},   {2.466, "247 %"},
                  {NAN, "n/a"},        {1e-12, "<0.000001 %"},
                  {0.5, "50 %"}};
    char b[HUMAN_MAX];
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        assert_string_equal(human_number(NUMBERS[i].v, b), NUMBERS[i].text);
    for (size_t i = 0; i < sizeof SHARES / sizeof *SHARES; i++)
        assert_string_equal(human_percent(SHARES[i].v, b), SHARES[i].text);
    assert_string_equal(human_count(0, b), "0");
    assert_string_equal(human_count(UINT64_MAX, b), "18,446,744,073,709,551,615");
}

static void test_things(void **state)
{
    (void)state;
    char b[HUMAN_THINGS_MAX];
    assert_string_equal(human_things(1, "concurrent request", b), "1 concurrent request");
    assert_string_equal(human_things(2, "concurrent request", b), "2 concurrent requests");
    assert_string_equal(human_things(0, "point", b), "0 points");
    assert_string_equal(human_things(1.5, "request/s", b), "1.5 requests/s");
    assert_string_equal(human_things(1, "request/s", b), "1 request/s");
    assert_string_equal(human_things(0.999999, "request", b), "1 request"); /* as it is written */
    assert_string_equal(human_things(NAN, "request", b), "n/a requests");
    assert_string_equal(human_stop("it is broken"), ".");
    assert_string_equal(human_stop(""), ".");
    assert_string_equal(human_stop("is it right?"), "");
    assert_string_equal(human_stop("a long text…"), "");
    assert_string_equal(human_change(0.0484, b), "+4.84 %");
    assert_string_equal(human_change(-0.5, b), "-50 %");
    assert_string_equal(human_change(0, b), "0 %");
    assert_string_equal(human_change(NAN, b), "n/a");
    assert_string_equal(human_plain(1e6, b), "1000000");
    assert_string_equal(human_plain(33.3333333, b), "33.3333");
    assert_string_equal(human_plain(0.1, b), "0.1");
    assert_string_equal(human_plain(0.00001, b), "0.00001");
    assert_string_equal(human_plain(9.9999999, b), "10");
    assert_string_equal(human_plain(1234567.5, b), "1234568");
    char s[HUMAN_MAX];
    assert_string_equal(human_short(56500, 8, s), "56,500");
    assert_string_equal(human_short(12345678, 8, s), "12345678");
    assert_string_equal(human_short(12345678, 6, s), "12.3M");
    assert_string_equal(human_short(0.00001234, 6, s), "<0.01");
    assert_string_equal(human_short(0.01234567, 5, s), "0.01");
    assert_string_equal(human_short(NAN, 5, s), "n/a");
    for (double v = 1e-12; v < 1e20; v *= 1.07)
        for (size_t width = 5; width < 10; width++) {
            assert_true(strlen(human_short(v, width, s)) <= width && strcspn(s, "eE") == strlen(s));
            assert_true(strlen(human_short(-v, width, s)) <= width && strcspn(s, "eE") == strlen(s));
        }
    for (double v = 1e-6; v < 1e14; v *= 1.37) { /* never an exponent, never off by more than six digits */
        assert_true(strcspn(human_plain(v, b), "eE,") == strlen(b) && fabs(strtod(b, NULL) / v - 1) < 5.1e-6);
        assert_true(strcspn(human_change(v, b), "eE") == strlen(b));
    }
}

static double read_back(const char *s)
{
    char plain[HUMAN_MAX];
    size_t n = 0;
    for (; *s; s++)
        if (*s != ',' && *s != '<' && *s != '>') plain[n++] = *s;
    plain[n] = '\0';
    char *end;
    double v = strtod(plain, &end);
    assert_true(end != plain && (*end == '\0' || strcmp(end, " %") == 0));
    return v;
}

/* Over the whole range of doubles: no exponent, within half a percent, in order. */
static void test_range(void **state)
{
    (void)state;
    char b[HUMAN_MAX];
    double before = 0, share_before = 0;
    for (double v = 1e-12; v < 1e300; v *= v < 1e18 ? 1.00137 : 10.7) {
        assert_null(strpbrk(human_number(v, b), "eE"));
        double got = read_back(b);
        assert_true(got >= before);
        before = got;
        if (v >= 1e-6 && v < 1e15) assert_true(fabs(got / v - 1) <= 0.0051);
        assert_null(strpbrk(human_percent(v, b), "eE"));
        got = read_back(b);
        assert_true(got >= share_before && (v >= 1 || got < 100));
        share_before = got;
        assert_true(read_back(human_number(-v, b)) <= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples), cmocka_unit_test(test_range),
                                       cmocka_unit_test(test_things)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
