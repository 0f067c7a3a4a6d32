/* Numbers and times of a data file, as slices that nothing ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "coordinator/corpus/read_number.h"

/* A copy without a byte after it: the address sanitizer sees who reads on. */
static char *slice(const char *text, size_t *ret_n)
{
    *ret_n = strlen(text);
    char *s = malloc(*ret_n);
    assert_non_null(s);
    memcpy(s, text, *ret_n);
    return s;
}

static void test_a_slice_is_not_read_past(void **state)
{
    (void)state;
    size_t n;
    double v;
    char *s = slice("12.5", &n);
    assert_true(read_decimal(s, n, &v));
    assert_true(v == 12.5);
    assert_false(read_decimal(s, 0, &v));
    free(s);
    s = slice("12,5", &n);
    assert_false(read_decimal(s, n, &v));
    free(s);
}

static void test_seconds_from_any_origin(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } GOOD[] = {{"0", 0},
                {"5.25", 5 * NS_PER_S + NS_PER_S / 4},
                {"1700000000", INT64_C(1700000000) * NS_PER_S},
                {"1700000000.5", INT64_C(1700000000) * NS_PER_S + NS_PER_S / 2},
                {"9223372029", INT64_C(9223372029) * NS_PER_S},
                {"1.7e9", INT64_C(1700000000) * NS_PER_S}};
    static const char *const BAD[] = {"", "-1", "1e10", "99999999999", "5s"};
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        size_t n;
        int64_t ns = -1;
        char *s = slice(GOOD[i].text, &n);
        if (!read_seconds(s, n, &ns) || ns != GOOD[i].ns) fail_msg("%s is %lld ns", GOOD[i].text, (long long)ns);
        free(s);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        int64_t ns;
        if (read_seconds(BAD[i], strlen(BAD[i]), &ns)) fail_msg("\"%s\" is taken", BAD[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_slice_is_not_read_past),
                                       cmocka_unit_test(test_seconds_from_any_origin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
