#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_out.h"

static void test_values(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10000);
    struct json_out j = JSON_OUT(&b);
    json_object(&j, NULL);
    json_double(&j, "a", 0.1);
    json_double(&j, "nan", NAN);
    json_double(&j, "inf", -INFINITY);
    json_u64(&j, "u", UINT64_MAX);
    json_i64(&j, "i", INT64_MIN);
    json_array(&j, "list");
    json_bool(&j, NULL, true);
    json_null(&j, NULL);
    json_object(&j, NULL);
    json_end_object(&j);
    json_array(&j, NULL);
    json_end_array(&j);
    json_end_array(&j);
    json_raw(&j, "raw", "{\"x\":1}");
    json_string(&j, "none", NULL);
    json_end_object(&j);
    assert_string_equal(buf_str(&b),
                        "{\"a\":0.1,\"nan\":null,\"inf\":null,\"u\":18446744073709551615,\"i\":-9223372036854775808,"
                        "\"list\":[true,null,{},[]],\"raw\":{\"x\":1},\"none\":null}");
    buf_clear(&b);
}

static void assert_quoted(const char *bytes, size_t n, bool html, const char *want)
{
    struct buf b = BUF_INIT(10000);
    struct json_out j = {.out = &b, .html = html};
    json_string_n(&j, NULL, bytes, n);
    assert_string_equal(buf_str(&b), want);
    buf_clear(&b);
}

static void test_strings(void **state)
{
    (void)state;
    assert_quoted("a\"b\\c\n\t\x01\x7f", 9, false, "\"a\\\"b\\\\c\\n\\u0009\\u0001\\u007f\"");
    assert_quoted("a\0b", 3, false, "\"a\\u0000b\"");
    assert_quoted("</script>&", 10, false, "\"</script>&\"");
    assert_quoted("</script>&", 10, true, "\"\\u003c/script\\u003e\\u0026\"");
    assert_quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, false, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    /* no UTF-8: a lone byte, an overlong form, a surrogate, beyond the last character, cut short */
    assert_quoted("\xff", 1, false, "\"\xef\xbf\xbd\"");
    assert_quoted("\xc0\xaf", 2, false, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted("\xed\xa0\x80", 3, false, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted("\xf4\x90\x80\x80", 4, false, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_quoted("x\xe2\x82", 3, false, "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_pretty_is_the_same(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(10000);
    struct json_out j = {.out = &b, .pretty = true};
    json_object(&j, NULL);
    json_object(&j, "run");
    json_u64(&j, "seed", 1);
    json_end_object(&j);
    json_array(&j, "empty");
    json_end_array(&j);
    json_end_object(&j);
    assert_string_equal(buf_str(&b), "{\n  \"run\": {\n    \"seed\": 1\n  },\n  \"empty\": []\n}");
    buf_clear(&b);
}

static void test_full(void **state)
{
    (void)state;
    struct buf b = BUF_INIT(5);
    struct json_out j = JSON_OUT(&b);
    json_string(&j, NULL, "more than five");
    assert_true(b.bad);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_pretty_is_the_same),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
