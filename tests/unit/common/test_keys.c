#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/keys.h"

static char dir[] = "/tmp/plateau-keys-XXXXXX";

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const FILES[] = {"a.key",    "a.pub",    "allowed",   "b.key",    "cert.key",
                                        "cert.pub", "half.key", "mixed.key", "zeros.key"};
    char path[256];
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, FILES[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

static void test_bundle(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_pair k, server, back;
    char pub[KEY_TEXT];
    assert_int_equal(key_pair_new(&k, &e) | key_pair_new(&server, &e), 0);
    int fd = key_bundle_make(&k, server.public_key, &e);
    assert_true(fd >= 0);
    for (int i = 0; i < 2; i++) { /* two processes that share the descriptor */
        assert_int_equal(key_bundle_read(dup(fd), &back, pub, &e), 0);
        assert_string_equal(back.public_key, k.public_key);
        assert_string_equal(back.secret_key, k.secret_key);
        assert_string_equal(pub, server.public_key);
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(key_bundle_read(-1, &back, pub, &e), -1);
    int none[2];
    assert_int_equal(pipe(none), 0);
    assert_int_equal(key_bundle_read(none[0], &back, pub, &e), -1);
    assert_int_equal(close(none[1]), 0);
}

static void put(const char *name, const char *text, mode_t mode)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

/* What other tools of ZeroMQ write (zcert_save): FILE_secret and FILE. */
static void test_certificate(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_pair k, other, back;
    char pub[KEY_TEXT], text[500];
    assert_int_equal(key_pair_new(&k, &e) | key_pair_new(&other, &e), 0);
    (void)snprintf(text, sizeof text,
                   "#   ****  Generated on 2026-11-29 01:50:00 by CZMQ  ****\n#   ZeroMQ CURVE **Secret** Certificate\n"
                   "#   a secret key, and a public one\n\nmetadata\n    name = \"alice\"\ncurve\n"
                   "    public-key = \"%s\"\n    secret-key = \"%s\"\n",
                   k.public_key, k.secret_key);
    put("cert.key", text, 0600);
    assert_int_equal(key_pair_load(dir, "cert", &back, &e), 0);
    assert_string_equal(back.public_key, k.public_key);
    assert_string_equal(back.secret_key, k.secret_key);
    (void)snprintf(text, sizeof text, "# comment\n\nmetadata\ncurve\n    public-key = \"%s\"\n", k.public_key);
    put("cert.pub", text, 0644);
    assert_int_equal(key_public_load(dir, "cert", pub, &e), 0);
    assert_string_equal(pub, k.public_key);
    put("half.key", text, 0600);
    assert_int_equal(key_pair_load(dir, "half", &back, &e), -1);
    assert_non_null(strstr(e.text, "not a key file"));
    (void)snprintf(text, sizeof text, "public %s\nsecret %s\n", k.public_key, other.secret_key);
    put("mixed.key", text, 0600);
    assert_int_equal(key_pair_load(dir, "mixed", &back, &e), -1);
    assert_non_null(strstr(e.text, "does not belong"));
    assert_null(strstr(e.text, other.secret_key));
    (void)snprintf(text, sizeof text, "curve\n    public-key = \"%s\"\n    secret-key = \"%040d\"\n", k.public_key, 0);
    put("zeros.key", text, 0600);
    assert_int_equal(key_pair_load(dir, "zeros", &back, &e), -1);
    assert_non_null(strstr(e.text, "does not belong"));
}

static void test_save_and_load(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_pair k, back;
    char pub[KEY_TEXT], path[256];
    assert_int_equal(key_pair_new(&k, &e), 0);
    assert_int_equal(key_pair_save(&k, dir, "a", &e), 0);
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/a.key", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(key_pair_load(dir, "a", &back, &e), 0);
    assert_string_equal(back.public_key, k.public_key);
    assert_string_equal(back.secret_key, k.secret_key);
    assert_int_equal(key_public_load(dir, "a", pub, &e), 0);
    assert_string_equal(pub, k.public_key);

    assert_int_equal(key_pair_save(&k, dir, "a", &e), -1); /* never overwrites */
    assert_non_null(strstr(e.text, "never overwritten"));
    assert_null(strstr(e.text, k.secret_key));

    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(key_pair_load(dir, "a", &back, &e), -1); /* others may read it */
    assert_non_null(strstr(e.text, "chmod 600"));
    assert_int_equal(chmod(path, 0440), 0); /* as Kubernetes mounts it with fsGroup */
    assert_int_equal(key_pair_load(dir, "a", &back, &e), 0);

    put("b.key", "public abc\nsecret def\n", 0600);
    assert_int_equal(key_pair_load(dir, "b", &back, &e), -1);
    assert_null(strstr(e.text, "def")); /* a secret is not shown, not even a broken one */
    assert_int_equal(key_pair_load(dir, "none", &back, &e), -1);
    key_pair_clear(&k);
    for (size_t i = 0; i < sizeof k; i++)
        assert_int_equal(((const char *)&k)[i], 0);
}

static void test_list(void **state)
{
    (void)state;
    struct err e = {0};
    struct key_pair a, b;
    struct key_list l;
    char text[512];
    assert_int_equal(key_pair_new(&a, &e), 0);
    assert_int_equal(key_pair_new(&b, &e), 0);
    int n = snprintf(text, sizeof text, "# who may come\n\n%s east-1 agent\n%s load-plateau-agents-* agent\r\n",
                     a.public_key, b.public_key);
    put("allowed", text, 0644);
    assert_int_equal(key_list_load(dir, &l, &e), 0);
    assert_int_equal(l.n, 2);
    const struct key_allowed *x = key_list_find(&l, a.public_key), *y = key_list_find(&l, b.public_key);
    assert_non_null(x);
    assert_true(key_allowed_name(x, "east-1"));
    assert_false(key_allowed_name(x, "east-10"));
    assert_false(key_allowed_name(x, "east"));
    assert_true(key_allowed_name(y, "load-plateau-agents-3"));
    assert_false(key_allowed_name(y, "load-"));
    assert_null(key_list_find(&l, "0000000000000000000000000000000000000000"));
    key_list_clear(&l);

    struct {
        const char *text, *says;
    } bad[] = {
        {"", "admits nobody"},
        {"# only a comment\n", "admits nobody"},
        {"short x agent\n", ":1: \"short\" is not a public key"},
        {"\nx y\n", ":2: expected"},
        {"a b c d\n", ":1: expected"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(key_list_parse("allowed", bad[i].text, strlen(bad[i].text), &l, &e), -1);
        if (!strstr(e.text, bad[i].says)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, bad[i].says);
    }
    (void)snprintf(text, sizeof text, "%s x* coordinator\n", a.public_key);
    assert_int_equal(key_list_parse("allowed", text, strlen(text), &l, &e), -1);
    assert_non_null(strstr(e.text, "role"));
    (void)snprintf(text, sizeof text, "%s x*y agent\n", a.public_key);
    assert_int_equal(key_list_parse("allowed", text, strlen(text), &l, &e), -1);
    assert_int_equal(key_list_parse("allowed", text, (size_t)n > 20 ? 20 : 1, &l, &e), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_save_and_load), cmocka_unit_test(test_bundle),
                                       cmocka_unit_test(test_certificate), cmocka_unit_test(test_list)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
