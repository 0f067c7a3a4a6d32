#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "common/base64.h"

static void test_known(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        struct buf b = BUF_INIT(100);
        assert_int_equal(base64_put(&b, PAIRS[i][0], strlen(PAIRS[i][0])), 0);
        assert_string_equal(buf_str(&b), PAIRS[i][1]);
        buf_clear(&b);
    }
}

/* Any length comes back, over the boundaries of the pieces too, after what stood there before. */
static void test_lengths(void **state)
{
    uint8_t bytes[200], back[200];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct buf b = BUF_INIT(400);
        size_t len = 0;
        (void)buf_puts(&b, "Basic ");
        assert_int_equal(base64_put(&b, bytes, n), 0);
        assert_int_equal(sodium_base642bin(back, sizeof back, buf_str(&b) + 6, b.len - 6, NULL, &len, NULL,
                                           sodium_base64_VARIANT_ORIGINAL),
                         0);
        assert_int_equal(len, n);
        assert_memory_equal(back, bytes, n);
        buf_clear(&b);
    }
}

static void test_full(void **state)
{
    struct buf b = BUF_INIT(10);
    (void)state;
    assert_int_equal(base64_put(&b, "0123456789", 10), -1);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known), cmocka_unit_test(test_lengths),
                                       cmocka_unit_test(test_full)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
