#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/host.h"

static void test_cpu_max(void **state)
{
    (void)state;
    assert_true(host_parse_cpu_max("max 100000\n") == 0);
    assert_true(host_parse_cpu_max("150000 100000\n") == 1.5);
    assert_true(host_parse_cpu_max("20000 100000") == 0.2);
    assert_true(host_parse_cpu_max("") == 0);
    assert_true(host_parse_cpu_max("-1 100000") == 0);
    assert_true(host_parse_cpu_max("100000") == 0);
}

static void test_cgroup(void **state)
{
    (void)state;
    char path[64];
    static const char V1[] = "12:memory:/docker/m\n4:cpu,cpuacct:/docker/abc\n3:cpuset:/x\n1:name=systemd:/init\n";
    static const char V2[] = "0::/kubepods/pod1/c1\n";
    assert_int_equal(host_parse_cgroup(V1, "cpu", path, sizeof path), 0);
    assert_string_equal(path, "/docker/abc");
    assert_int_equal(host_parse_cgroup(V1, "cpuset", path, sizeof path), 0);
    assert_string_equal(path, "/x");
    assert_int_equal(host_parse_cgroup(V1, NULL, path, sizeof path), -1);
    assert_int_equal(host_parse_cgroup(V2, "cpu", path, sizeof path), -1);
    assert_int_equal(host_parse_cgroup(V2, NULL, path, sizeof path), 0);
    assert_string_equal(path, "/kubepods/pod1/c1");
    assert_int_equal(host_parse_cgroup(V2, NULL, path, 5), -1); /* does not fit */
    assert_int_equal(host_parse_cgroup("", NULL, path, sizeof path), -1);
    assert_int_equal(host_parse_cgroup("garbage\n::\n0:", NULL, path, sizeof path), -1);
}

static void test_stat(void **state)
{
    (void)state;
    static const char TEXT[] = "usage_usec 5\nnr_periods 10\nnr_throttled 7\nnr_throttled_more 9\n";
    assert_int_equal(host_parse_stat(TEXT, "nr_throttled"), 7);
    assert_int_equal(host_parse_stat(TEXT, "nr_periods"), 10);
    assert_int_equal(host_parse_stat(TEXT, "nr"), 0);
    assert_int_equal(host_parse_stat("", "nr_throttled"), 0);
}

static void test_usable(void **state)
{
    (void)state;
    assert_int_equal(host_usable(8, 0), 8);
    assert_int_equal(host_usable(8, 1.5), 2);
    assert_int_equal(host_usable(8, 0.2), 1);
    assert_int_equal(host_usable(2, 16), 2);
    assert_int_equal(host_usable(0, 0), 1);
    struct host h;
    host_read(&h);
    assert_true(h.cpus >= 1 && h.usable >= 1 && h.usable <= h.cpus && h.descriptors > 0 && h.ports > 0);
}

static void test_reserve(void **state)
{
    (void)state;
    struct err e = {0};
    struct host h;
    host_read(&h);
    assert_int_equal(host_reserve(10, 10, 1, &e), 0);
    assert_int_equal(host_reserve((uint64_t)h.ports + 1, 10, 1, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.text, "port"));
    assert_int_equal(host_reserve(h.descriptors + 1, 10, 1u << 20, &e), -1);
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.text, "open files"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_max), cmocka_unit_test(test_cgroup),  cmocka_unit_test(test_stat),
        cmocka_unit_test(test_usable),  cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
