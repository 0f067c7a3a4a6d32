#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/text.h"

static void characters_that_may_be_shown(void **state)
{
    (void)state;
    static const struct {
        const char *s;
        size_t len;
    } T[] = {
        {"a", 1},
        {" ", 1},
        {"\x7f", 0},             /* delete */
        {"\x1b[2J", 0},          /* a terminal's command */
        {"\xc3\xa4", 2},         /* two bytes */
        {"\xc3", 0},             /* cut */
        {"\xc0\xaf", 0},         /* not the shortest form */
        {"\xc2\x9b", 0},         /* a control character of C1 */
        {"\xe2\x82\xac", 3},     /* three */
        {"\xe0\x80\x80", 0},     /* not the shortest form */
        {"\xed\xa0\x80", 0},     /* a surrogate */
        {"\xf0\x9f\x98\x80", 4}, /* four */
        {"\xf0\x8f\xbf\xbf", 0}, /* not the shortest form */
        {"\xf4\x90\x80\x80", 0}, /* beyond Unicode */
        {"\xff", 0},
        {"\x80", 0}, /* a continuation of nothing */
    };
    for (size_t i = 0; i < sizeof T / sizeof *T; i++)
        assert_int_equal(text_char(T[i].s, strlen(T[i].s)), T[i].len);
    assert_int_equal(text_char("", 1), 0);
}

static void names_of_headers(void **state)
{
    (void)state;
    char longest[102];
    memset(longest, 'x', sizeof longest);
    longest[100] = 0;
    assert_true(text_is_header_name("x-api-key"));
    assert_true(text_is_header_name("!#$%&'*+-.^_`|~09azAZ"));
    assert_true(text_is_header_name(longest));
    longest[100] = 'x';
    longest[101] = 0;
    assert_false(text_is_header_name(longest));
    static const char *const BAD[] = {"", "a b", "a:", "a\r\nb", "\xc3\xa4", "a\tb", "(a)", "a/b"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(text_is_header_name(BAD[i]));
}

static void test_cut(void **state)
{
    (void)state;
    char buf[10 + 4];
    assert_string_equal(text_cut("0123456789", 10, buf), "0123456789");
    assert_string_equal(text_cut("0123456789a", 10, buf), "0123456789…");
    assert_string_equal(text_cut("012345678\xc3\xa9", 10, buf), "012345678…"); /* no half of a character */
    assert_string_equal(text_cut("01234567\xc3\xa9z", 10, buf), "01234567\xc3\xa9…");
    assert_string_equal(text_cut("012\xff\x01 789abc", 10, buf), "012\xff\x01 789a…");
    assert_string_equal(text_cut("", 10, buf), "");
}

static void test_holds(void **state)
{
    (void)state;
    assert_true(text_holds("an Unknown MODEL", 16, "unknown model"));
    assert_false(text_holds("an Unknown MODEL", 15, "unknown model")); /* not beyond its end */
    assert_false(text_holds("", 0, "a"));
    assert_true(text_holds("abab\0b", 6, "b"));
    assert_true(text_holds("", 0, ""));                          /* nothing stands in everything */
    assert_false(text_holds("rate\x0dlimit", 10, "rate-limit")); /* differs in the bit that tells a letter's case */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(characters_that_may_be_shown),
        cmocka_unit_test(names_of_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
