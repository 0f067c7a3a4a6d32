#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"

static void durations_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } ROWS[] = {{"0", 0},           {"0s", 0},          {"1ns", 1},        {"250us", 250000},        {"250ms", 250000000},     {"30s", 30 * NS_PER_S},
                {"1.5s", 1500000000}, {"5m", 300 * NS_PER_S}, {"2h", 7200 * NS_PER_S}, {"0.001ms", 1000}, {"1e3ms", NS_PER_S}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int64_t ns = -1;
        if (duration_parse(ROWS[i].text, &ns)) fail_msg("%s was refused", ROWS[i].text);
        assert_int_equal(ns, ROWS[i].ns);
    }
}

static void others_are_refused(void **state)
{
    (void)state;
    static const char *const ROWS[] = {"",  "5",   "-5s", "+5s", " 5s", "5 s", "5x",   "s",    "nan",  "inf",      "0x10s",
                                       "1d", "5ss", "5s ", "1e400s", "infs", "nans", "99999999h", "1e30s", ".5s", "5S"};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int64_t ns;
        if (duration_parse(ROWS[i], &ns) == 0) fail_msg("\"%s\" was accepted", ROWS[i]);
    }
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const int64_t ROWS[] = {0, 1, 999, 1000, 1500000, 250 * NS_PER_MS, 1500 * NS_PER_MS, 30 * NS_PER_S, 90 * NS_PER_S, 3600 * NS_PER_S, 86400 * NS_PER_S};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char s[40];
        int64_t ns = -1;
        assert_int_equal(duration_parse(duration_format(ROWS[i], s, sizeof s), &ns), 0);
        assert_int_equal(ns, ROWS[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(durations_are_read), cmocka_unit_test(others_are_refused), cmocka_unit_test(what_is_written_reads_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
