#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/per_address.h"
#include "common/rng.h"

static void count(struct per_address *p, unsigned address, uint64_t n)
{
    char text[32];
    (void)snprintf(text, sizeof text, "127.0.0.%u:8000", address);
    struct address_count *row = per_address_row(p, text);
    row->requests += n;
    row->ok += n / 2;
    row->failed += n - n / 2;
}

static struct address_count total(const struct per_address *p)
{
    struct address_count sum = {0};
    for (uint32_t i = 0; i < p->n; i++) {
        sum.requests += p->row[i].requests;
        sum.ok += p->row[i].ok;
        sum.failed += p->row[i].failed;
    }
    return sum;
}

/* Counted in parts and added up is counted in one. */
static void test_adds_up(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    struct per_address one = {0}, part[5] = {0}, sum = {0};
    for (int i = 0; i < 5000; i++) {
        unsigned address = (unsigned)rng_below(&r, 40);
        uint64_t n = rng_below(&r, 9);
        count(&one, address, n);
        count(&part[rng_below(&r, 5)], address, n);
    }
    for (int i = 0; i < 5; i++)
        per_address_add(&sum, &part[i]);
    per_address_sort(&one);
    per_address_sort(&sum);
    assert_int_equal(one.n, 40);
    assert_memory_equal(&one, &sum, sizeof one);
}

/* More addresses than rows: the first ones keep theirs, the others are in one; nothing is lost, also when such tables
 * are added up. */
static void test_bounded(void **state)
{
    (void)state;
    struct per_address p = {0}, q = {0}, sum = {0};
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 200; i++) {
            count(&p, i, i);
            count(&q, 199 - i, 1);
        }
    assert_int_equal(p.n, PER_ADDRESS_MAX + 1);
    assert_string_equal(p.row[PER_ADDRESS_MAX].address, PER_ADDRESS_OTHERS);
    assert_int_equal(per_address_row(&p, "127.0.0.5:8000")->requests, 10);
    assert_int_equal(total(&p).requests, 199 * 200);
    per_address_add(&sum, &p);
    per_address_add(&sum, &q);
    assert_int_equal(sum.n, PER_ADDRESS_MAX + 1);
    assert_int_equal(total(&sum).requests, 199 * 200 + 400);
    assert_int_equal(total(&sum).ok + total(&sum).failed, total(&sum).requests);
    memset(&sum, 0, sizeof sum);
    (void)per_address_row(&sum, PER_ADDRESS_OTHERS); /* there is but one of that name */
    per_address_add(&sum, &p);
    assert_int_equal(total(&sum).requests, total(&p).requests);
    assert_true(sum.n <= PER_ADDRESS_MAX + 1);
    unsigned others = 0;
    for (uint32_t i = 0; i < sum.n; i++)
        others += strcmp(sum.row[i].address, PER_ADDRESS_OTHERS) == 0;
    assert_int_equal(others, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_adds_up), cmocka_unit_test(test_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
