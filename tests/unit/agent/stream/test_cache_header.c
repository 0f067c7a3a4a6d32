#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/cache_header.h"

static void test_hits(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        bool hits;
    } rows[] = {
        {"cf-aig-cache-status", "HIT", true},
        {"x-portkey-cache-status", "hit", true},
        {"X-Cache", "Hit from cloudfront", true},
        {"x-cache", "RefreshHit from cloudfront", true},
        {"x-cache", "MISS, HIT", true},
        {"x-cache", "TCP_MEM_HIT", true},
        {"Cache-Status", "ExampleCache; hit; ttl=376", true},
        {"cf-aig-cache-status", "MISS", false},
        {"Cache-Status", "ExampleCache; fwd=uri-miss", false},
        {"x-cache", "", false},
        {"x-cache", "hi", false},
        {"x-cache", "white", false},
        {"x-cache-hits", "3", false},
        {"cache-control", "no-cache", false},
        {"x-status", "HIT", false},
        {"x-prompt-cache", "HIT", false},
        {"x-prefix-cache-status", "hit", false},
        {"x-kv-cache-status", "hit", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (cache_header_hits(rows[i].name, strlen(rows[i].name), rows[i].value, strlen(rows[i].value)) != rows[i].hits)
            fail_msg("%s: %s", rows[i].name, rows[i].value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
