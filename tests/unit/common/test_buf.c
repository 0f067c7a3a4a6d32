#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"

static void test_grows(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(100000);
    assert_string_equal(buf_str(&b), "");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(buf_putc(&b, 'a'), 0);
        assert_int_equal(buf_puts(&b, "bc"), 0);
        assert_int_equal(buf_put(&b, "\0d", 2), 0);
        assert_int_equal(buf_printf(&b, "%05d", i), 0);
        assert_int_equal(b.len, (size_t)(i + 1) * 10);
        assert_int_equal(b.data[b.len], 0);
    }
    assert_memory_equal(b.data + 9980, "abc\0d00998abc\0d00999", 20);
    size_t cap = b.cap;
    buf_reset(&b);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(b.cap, cap);
    assert_int_equal(buf_put(&b, NULL, 0), 0);
    buf_clear(&b);
    assert_null(b.data);
    assert_int_equal(b.max, 100000);
    buf_clear(&b);
}

/* The maximum size is exact, and what failed once stays failed until the reset. */
static void test_limit(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    assert_int_equal(buf_puts(&b, "0123456789"), 0);
    assert_int_equal(buf_putc(&b, 'x'), -1);
    assert_true(b.bad);
    assert_string_equal(buf_str(&b), "0123456789");
    assert_int_equal(buf_put(&b, "", 0), -1);
    buf_reset(&b);
    assert_int_equal(buf_printf(&b, "%d", 12345), 0);
    assert_int_equal(buf_printf(&b, "%s", "678901"), -1);
    assert_string_equal(buf_str(&b), "12345");
    assert_int_equal(buf_puts(&b, "6"), -1);
    buf_reset(&b);
    assert_int_equal(buf_put(&b, "x", SIZE_MAX), -1);
    buf_clear(&b);
    struct buf none = BUF_INIT(0);
    assert_int_equal(buf_putc(&none, 'x'), -1);
    buf_clear(&none);
}

static void test_take_out(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10);
    buf_take_out(&b, 0, 0);
    assert_int_equal(buf_puts(&b, "0123456789"), 0);
    buf_take_out(&b, 2, 5);
    assert_string_equal(buf_str(&b), "0156789");
    buf_take_out(&b, 5, b.len);
    assert_string_equal(buf_str(&b), "01567");
    buf_take_out(&b, 3, 2);
    buf_take_out(&b, 3, 6); /* more than there is */
    assert_string_equal(buf_str(&b), "01567");
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grows), cmocka_unit_test(test_limit),
                                       cmocka_unit_test(test_take_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
