#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/addr.h"

static void test_ports(void **state)
{
    (void)state;
    static const char *const good[] = {"tcp://127.0.0.1:7717", "tcp://host:1", "tcp://[::1]:65535",
                                       "tcp://127.0.0.1:0"};
    static const char *const bad[] = {"tcp://127.0.0.1:65536",
                                      "tcp://127.0.0.1:99999",
                                      "tcp://127.0.0.1:077170",
                                      "tcp://127.0.0.1:",
                                      "tcp://127.0.0.1",
                                      "tcp://127.0.0.1:-1",
                                      "tcp://127.0.0.1: 80",
                                      "tcp://127.0.0.1:http",
                                      "foo",
                                      ""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(addr_port_valid(good[i], true));
        assert_true(addr_port_valid(good[i], false));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(addr_port_valid(bad[i], true));
        assert_false(addr_port_valid(bad[i], false));
    }
    assert_true(addr_port_valid("tcp://127.0.0.1:*", true));
    assert_false(addr_port_valid("tcp://127.0.0.1:*", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ports)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
