#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/calibrate.h"

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/test_calibrate.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/a/capacity", dir);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/a", dir);
    (void)rmdir(path);
    return rmdir(dir);
}

static void write_file(const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/a/capacity", dir);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void test_file(void **state)
{
    static const char *const BAD[] = {"",
                                      "plateau-capacity 2\ncores 4\ntokens_per_s 5\nus_per_token 1\n",
                                      "plateau-capacity 1\ncores 4\n",
                                      "plateau-capacity 1\ncores 4\ntokens_per_s 0\nus_per_token 1\n",
                                      "plateau-capacity 1\ncores 4\ntokens_per_s 99999999999999\nus_per_token 1\n",
                                      "plateau-capacity 1\ncores 8\ntokens_per_s 5000\nus_per_token 1\n"};
    struct calibration made = {.capacity = 123456, .cores = 4, .us_per_token = 2.5}, got;
    struct host here = {.usable = 4};
    struct err e = {0};
    char sub[80];
    (void)state;
    (void)snprintf(sub, sizeof sub, "%s/a", dir);
    assert_int_equal(calibrate_load(sub, &here, &got, &e), 0); /* never measured */
    assert_int_equal(got.capacity, 0);
    assert_int_equal(calibrate_save(sub, &made, &e), 0);
    assert_int_equal(calibrate_load(sub, &here, &got, &e), 0);
    assert_int_equal(got.capacity, 123456);
    assert_int_equal(got.cores, 4);
    here.usable = 2;
    assert_int_equal(calibrate_load(sub, &here, &got, &e), -1);
    assert_non_null(strstr(e.text, "4 cores and 2 are usable"));
    here.usable = 4;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        write_file(BAD[i]);
        assert_int_equal(calibrate_load(sub, &here, &got, &e), -1);
        assert_int_equal(got.capacity, 0);
    }
    assert_int_equal(calibrate_save("/dev/null/x", &made, &e), -1);
}

static void test_dir(void **state)
{
    char d[64];
    (void)state;
    assert_int_equal(setenv("HOME", "/h", 1), 0);
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    assert_int_equal(calibrate_dir(NULL, d, sizeof d), 0);
    assert_string_equal(d, "/h/.local/state/plateau");
    assert_int_equal(setenv("XDG_STATE_HOME", "/x", 1), 0);
    assert_int_equal(calibrate_dir(NULL, d, sizeof d), 0);
    assert_string_equal(d, "/x/plateau");
    assert_int_equal(calibrate_dir("/given", d, sizeof d), 0);
    assert_string_equal(d, "/given");
    assert_int_equal(calibrate_dir("/given", d, 4), -1);
}

static void test_measure(void **state)
{
    struct calibration c;
    struct err e = {0};
    (void)state;
    if (calibrate_measure(1, &c, &e)) fail_msg("%s", e.text);
    assert_true(c.capacity > 0 && c.cores > 0 && c.us_per_token > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
                                       cmocka_unit_test(test_dir), cmocka_unit_test(test_measure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
