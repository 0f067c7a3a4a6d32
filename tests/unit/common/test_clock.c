#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/rng.h"

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } GOOD[] = {
        {"0", 0},
        {"0s", 0},
        {"1ns", 1},
        {"250us", 250000},
        {"250ms", 250000000},
        {"30s", 30 * NS_PER_S},
        {"5m", 300 * NS_PER_S},
        {"2h", 7200 * NS_PER_S},
        {"1.5s", 1500000000},
        {"0.1ms", 100000},
        {"00030s", 30 * NS_PER_S},
        {"1e3ms", NS_PER_S},
        {"87600h", 87600 * 3600 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        int64_t ns = -1;
        if (clock_duration_parse(GOOD[i].text, &ns) || ns != GOOD[i].ns)
            fail_msg("%s gives %" PRId64, GOOD[i].text, ns);
    }
    static const char *const BAD[] = {"",         "1",    "s",   "-1s",  "+1s", " 1s",  "1 s",   "1s ",
                                      "1sec",     "1S",   "nan", "nans", "inf", "infs", "0x10s", "1e400s",
                                      "1000000h", "1,5s", "1s2", "00",   ".5s", "1d",   "5ss",   "1e30s"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        int64_t ns;
        if (clock_duration_parse(BAD[i], &ns) == 0) fail_msg("\"%s\" was taken for %" PRId64 " ns", BAD[i], ns);
    }
}

static void test_format_is_shortest_and_exact(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } ROW[] = {{0, "0"},
               {250000000, "250ms"},
               {30 * NS_PER_S, "30s"},
               {1500000000, "1500ms"},
               {60 * NS_PER_S, "1m"},
               {90 * NS_PER_S, "90s"},
               {3600 * NS_PER_S, "1h"},
               {1001, "1001ns"},
               {1000, "1us"}};
    char text[32];
    for (size_t i = 0; i < sizeof ROW / sizeof *ROW; i++)
        assert_string_equal(clock_duration_text(ROW[i].ns, text, sizeof text), ROW[i].text);
    struct rng r;
    rng_seed(&r, 1);
    for (int i = 0; i < 10000; i++) {
        int64_t back, ns = (int64_t)rng_below(&r, UINT64_C(1) << rng_below(&r, 53));
        if (i % 2) ns *= 1000;
        if (ns > INT64_C(1) << 53) continue;
        if (clock_duration_parse(clock_duration_text(ns, text, sizeof text), &back) || back != ns)
            fail_msg("%" PRId64 " is written %s", ns, text);
    }
    assert_string_equal(clock_duration_text(1234567, text, 4), "123"); /* cut, never beyond the buffer */
}

static void test_wall(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(clock_wall_text(0, text, sizeof text), "1970-01-01T00:00:00Z");
    assert_string_equal(clock_wall_text(INT64_C(1795348800999999999), text, sizeof text), "2026-11-22T12:00:00Z");
    assert_string_equal(clock_wall_text(0, text, 5), "");
    int64_t a = clock_mono_ns(), b = clock_mono_ns();
    assert_true(b >= a);
    assert_true(clock_wall_ns() > INT64_C(1700000000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_durations),
                                       cmocka_unit_test(test_format_is_shortest_and_exact),
                                       cmocka_unit_test(test_wall)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
