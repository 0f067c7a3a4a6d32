#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/signed.h"
#include "common/clock.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NOW (1000 * NS_PER_S)

static char dir[] = "/tmp/plateau-signed-XXXXXX";
static uint8_t key[SIGN_PUBLIC_BYTES];
static struct buf envelope = BUF_INIT(SIGN_ENVELOPE_MAX);

static void path(char *ret, size_t n, const char *name)
{
    (void)snprintf(ret, n, "%s/%s", dir, name);
}

static int setup(void **state)
{
    (void)state;
    char secret[64], public_path[64];
    struct err e;
    struct sign_claim c = {"run-7", "east-*", NOW + NS_PER_S, HASH};
    if (!mkdtemp(dir)) return -1;
    path(secret, sizeof secret, "plan.sign");
    path(public_path, sizeof public_path, "plan.verify");
    return sign_keys_save(dir, "plan", &e) || sign_public_load(public_path, key, &e) ||
           sign_make(secret, &c, &envelope, &e);
}

static int teardown(void **state)
{
    (void)state;
    char name[64];
    path(name, sizeof name, "plan.sign");
    (void)unlink(name);
    path(name, sizeof name, "plan.verify");
    (void)unlink(name);
    buf_clear(&envelope);
    return rmdir(dir);
}

static struct plan_stage closed[] = {{.kind = LOAD_CLOSED, .concurrency = 8, .duration_ns = 30 * NS_PER_S},
                                     {.kind = LOAD_CLOSED, .concurrency = 2, .requests = 100}};
static struct plan_stage open_[] = {
    {.kind = LOAD_OPEN, .rate_from = 5, .rate_to = 20, .max_concurrency = 64, .duration_ns = 30 * NS_PER_S}};

static int check(const struct signed_plan *s, const struct plan *p, struct shard shard)
{
    struct err e = {0};
    int rc = signed_check_shard(s, p, &shard, NOW, &e);
    if (rc) assert_int_equal(e.code, ERR_REFUSED);
    return rc;
}

static void test_closed(void **state)
{
    (void)state;
    struct err e = {0};
    struct signed_plan s = {.key = key, .agent = "east-1"};
    struct plan p = {.stages = closed, .n_stages = 2};
    struct shard fits = {.kind = LOAD_CLOSED, .slots = 4, .slots_all = 8, .duration_ns = 30 * NS_PER_S}, over = fits;
    assert_int_equal(check(&s, &p, fits), -1); /* no plan was accepted yet */
    assert_int_equal(signed_accept(&s, envelope.data, envelope.len, HASH, "run-7", NOW, &e), 0);
    assert_int_equal(check(&s, &p, fits), 0);
    over.slots_all = 9;
    assert_int_equal(check(&s, &p, over), -1);
    over = fits;
    over.duration_ns++;
    assert_int_equal(check(&s, &p, over), -1);
    over = (struct shard){.kind = LOAD_CLOSED, .slots_all = 8, .requests_all = 100}; /* by count only at 2 */
    assert_int_equal(check(&s, &p, over), -1);
    over.slots_all = 2;
    assert_int_equal(check(&s, &p, over), 0);
    over.requests_all = 101;
    assert_int_equal(check(&s, &p, over), -1);
    over = (struct shard){.kind = LOAD_OPEN, .rate_from = 1, .rate_to = 1, .duration_ns = NS_PER_S};
    assert_int_equal(check(&s, &p, over), -1);
    assert_int_equal(signed_check_shard(&s, &p, &fits, NOW + NS_PER_S, &e), -1); /* expired since */
    assert_non_null(strstr(e.text, "expired"));
}

static void test_open_and_search(void **state)
{
    (void)state;
    struct err e = {0};
    struct signed_plan s = {.key = key, .agent = "east-1"};
    struct plan p = {.stages = open_, .n_stages = 1};
    struct shard fits = {.kind = LOAD_OPEN,
                         .slots_all = 64,
                         .rate_from = 5,
                         .rate_to = 20,
                         .duration_ns = 30 * NS_PER_S},
                 over = fits;
    assert_int_equal(signed_accept(&s, envelope.data, envelope.len, HASH, "run-7", NOW, &e), 0);
    assert_int_equal(check(&s, &p, fits), 0);
    over.rate_to = 21;
    assert_int_equal(check(&s, &p, over), -1);
    over = fits;
    over.slots_all = 0; /* the cap taken away */
    assert_int_equal(check(&s, &p, over), -1);
    p.search = (struct plan_search){.goal = SEARCH_SLO, .over_rate = true, .from = 1, .to = 100};
    over = fits;
    over.rate_from = over.rate_to = 100;
    assert_int_equal(check(&s, &p, over), 0);
    over.rate_to = 101;
    assert_int_equal(check(&s, &p, over), -1);
}

static void test_accept(void **state)
{
    (void)state;
    struct err e = {0};
    struct signed_plan s = {.key = key, .agent = "west-1"}, none = {0};
    struct plan p = {.stages = closed, .n_stages = 1};
    struct shard any = {.kind = LOAD_CLOSED, .slots_all = 9999};
    assert_int_equal(signed_accept(&s, envelope.data, envelope.len, HASH, "run-7", NOW, &e), -1); /* audience */
    s.agent = "east-1";
    assert_int_equal(signed_accept(&s, envelope.data, envelope.len, HASH, "run-8", NOW, &e), -1);
    assert_int_equal(signed_accept(&s, NULL, 0, HASH, "run-7", NOW, &e), -1);
    assert_non_null(strstr(e.text, "no signature"));
    assert_int_equal(signed_accept(&none, NULL, 0, HASH, "run-7", NOW, &e), 0); /* not asked for */
    assert_int_equal(check(&none, &p, any), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_open_and_search),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
