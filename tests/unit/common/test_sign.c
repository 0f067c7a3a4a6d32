#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sign.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char dir[] = "/tmp/plateau-sign-XXXXXX";
static char secret[64], public_path[64];
static uint8_t key[SIGN_PUBLIC_BYTES];

static int setup(void **state)
{
    (void)state;
    if (!mkdtemp(dir)) return -1;
    (void)snprintf(secret, sizeof secret, "%s/p.sign", dir);
    (void)snprintf(public_path, sizeof public_path, "%s/p.verify", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(secret);
    (void)unlink(public_path);
    return rmdir(dir);
}

static const struct sign_claim CLAIM = {"run-7", "east-*", 1000 * NS_PER_S, HASH};

static void test_round(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = BUF_INIT(SIGN_ENVELOPE_MAX);
    assert_int_equal(sign_keys_save(dir, "p", &e), 0);
    assert_int_equal(sign_keys_save(dir, "p", &e), -1); /* never overwrites */
    assert_int_equal(sign_public_load(public_path, key, &e), 0);
    assert_int_equal(sign_make(secret, &CLAIM, &b, &e), 0);
    assert_int_equal(sign_check(key, b.data, b.len, HASH, "run-7", "east-1", 999 * NS_PER_S, &e), 0);

    struct {
        const char *hash, *run, *agent;
        int64_t now;
        const char *says;
    } wrong[] = {
        {"f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "run-7", "east-1", 0, "another plan"},
        {HASH, "run-8", "east-1", 0, "for run run-7"},
        {HASH, "run-7", "west-1", 0, "for agents east-*"},
        {HASH, "run-7", "east-1", 1000 * NS_PER_S, "expired at 1970-01-01T00:16:40Z"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(sign_check(key, b.data, b.len, wrong[i].hash, wrong[i].run, wrong[i].agent, wrong[i].now, &e),
                         -1);
        assert_int_equal(e.code, ERR_REFUSED);
        if (!strstr(e.text, wrong[i].says)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, wrong[i].says);
    }
    assert_int_equal(sign_check(key, "", 0, HASH, "run-7", "east-1", 0, &e), -1);
    assert_non_null(strstr(e.text, "carries no signature"));

    /* no byte of the envelope may change, and none may be missing */
    for (size_t i = 0; i < b.len; i++) {
        char copy[SIGN_ENVELOPE_MAX];
        memcpy(copy, b.data, b.len);
        copy[i] = (char)(copy[i] ^ 1);
        if (sign_check(key, copy, b.len, HASH, "run-7", "east-1", 0, &e) == 0) fail_msg("byte %zu could be changed", i);
        if (sign_check(key, b.data, i, HASH, "run-7", "east-1", 0, &e) == 0) fail_msg("%zu bytes were enough", i);
    }
    uint8_t other[SIGN_PUBLIC_BYTES];
    memcpy(other, key, sizeof other);
    other[3] ^= 1;
    assert_int_equal(sign_check(other, b.data, b.len, HASH, "run-7", "east-1", 0, &e), -1);
    buf_clear(&b);
}

static void test_bad_claims(void **state)
{
    (void)state;
    struct err e = {0};
    struct buf b = BUF_INIT(SIGN_ENVELOPE_MAX);
    struct sign_claim c = CLAIM;
    c.run = "a\naudience *"; /* a field that would make another */
    assert_int_equal(sign_make(secret, &c, &b, &e), -1);
    c = CLAIM, c.audience = "";
    assert_int_equal(sign_make(secret, &c, &b, &e), -1);
    assert_int_equal(sign_make(public_path, &CLAIM, &b, &e), -1); /* a public key does not sign */
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round), cmocka_unit_test(test_bad_claims)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
