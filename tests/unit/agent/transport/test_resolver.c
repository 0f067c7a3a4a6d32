#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "agent/transport/resolver.h"
#include "common/clock.h"

/* A resolver that answers when it is let. */
static sem_t let, gone;
static atomic_int asked;

static int slow(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    (void)host;
    atomic_fetch_add(&asked, 1);
    while (sem_wait(&let)) {
    }
    int rc = strcmp(host, "nowhere.test") == 0 ? EAI_NONAME : getaddrinfo("127.0.0.9", port, hints, ret);
    sem_post(&gone);
    return rc;
}

static void test_numbers_need_no_resolver(void **state)
{
    struct resolver r = {.ask = slow};
    struct addrinfo *list;
    struct err e = {0};
    (void)state;
    assert_int_equal(resolver_ask(&r, "127.0.0.1", "80", &list, &e), 0);
    assert_non_null(list);
    freeaddrinfo(list);
    assert_int_equal(resolver_ask(&r, "::1", "80", &list, &e), 0);
    freeaddrinfo(list);
    assert_int_equal(asked, 0);
    resolver_clear(&r);
}

static void test_slow(void **state)
{
    struct resolver r = {.ask = slow};
    struct addrinfo *list;
    struct err e = {0};
    (void)state;
    atomic_store(&asked, 0);
    int64_t t = clock_mono_ns();
    assert_int_equal(resolver_ask(&r, "slow.test", "80", &list, &e), 1);
    assert_int_equal(resolver_ask(&r, "slow.test", "80", &list, &e), 1);
    assert_true(clock_mono_ns() - t >= 2 * RESOLVER_NOW_NS);
    assert_int_equal(asked, 1); /* the same question, not one more */
    sem_post(&let);
    sem_wait(&gone);
    int rc;
    while ((rc = resolver_ask(&r, "slow.test", "80", &list, &e)) == 1) {
    }
    assert_int_equal(rc, 0);
    assert_int_equal(asked, 1);
    assert_int_equal(list->ai_family, AF_INET);
    freeaddrinfo(list);
    assert_null(r.lookup);
}

static void test_no_such_name(void **state)
{
    struct resolver r = {.ask = slow};
    struct addrinfo *list;
    struct err e = {0};
    int rc;
    (void)state;
    sem_post(&let);
    while ((rc = resolver_ask(&r, "nowhere.test", "80", &list, &e)) == 1) {
    }
    sem_wait(&gone);
    assert_int_equal(rc, -1);
    assert_int_equal(e.code, ERR_NET);
    assert_non_null(strstr(e.text, "nowhere.test cannot be resolved"));
}

/* A name server that says "try again": at first, or for good. */
static int shy(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    return atomic_fetch_add(&asked, 1) < 2 || strcmp(host, "never.test") == 0
               ? EAI_AGAIN
               : getaddrinfo("127.0.0.9", port, hints, ret);
}

static void test_try_again(void **state)
{
    struct resolver r = {.ask = shy};
    struct addrinfo *list;
    struct err e = {0};
    int rc;
    (void)state;
    atomic_store(&asked, 0);
    while ((rc = resolver_ask(&r, "later.test", "80", &list, &e)) == 1) {
    }
    assert_int_equal(rc, 0);
    assert_int_equal(asked, 3);
    freeaddrinfo(list);
    while ((rc = resolver_ask(&r, "never.test", "80", &list, &e)) == 1) {
    }
    assert_int_equal(rc, -1);
    assert_non_null(strstr(e.text, "never.test cannot be resolved: Temporary failure"));
    assert_null(r.lookup);
}

/* Who asks goes away, or asks for another name, while the thread still waits: it ends by itself. */
static void test_given_up(void **state)
{
    struct resolver r = {.ask = slow};
    struct addrinfo *list;
    struct err e = {0};
    (void)state;
    atomic_store(&asked, 0);
    assert_int_equal(resolver_ask(&r, "one.test", "80", &list, &e), 1);
    assert_int_equal(resolver_ask(&r, "two.test", "80", &list, &e), 1);
    assert_int_equal(asked, 2);
    resolver_clear(&r);
    for (int i = 0; i < 2; i++)
        sem_post(&let);
    for (int i = 0; i < 2; i++)
        sem_wait(&gone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers_need_no_resolver), cmocka_unit_test(test_slow),
                                       cmocka_unit_test(test_no_such_name), cmocka_unit_test(test_try_again),
                                       cmocka_unit_test(test_given_up)};
    sem_init(&let, 0, 0);
    sem_init(&gone, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
