#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/url.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *path, *authority;
        uint16_t port;
        bool tls, literal6;
    } ROWS[] = {
        {"http://h", "h", "", "h", 80, false, false},
        {"https://h", "h", "", "h", 443, true, false},
        {"https://h:443/", "h", "/", "h", 443, true, false},
        {"http://h:443/a?b=c", "h", "/a?b=c", "h:443", 443, false, false},
        {"http://a-b.c_d.:8000?x", "a-b.c_d.", "?x", "a-b.c_d.:8000", 8000, false, false},
        {"http://127.0.0.1:65535/@:", "127.0.0.1", "/@:", "127.0.0.1:65535", 65535, false, false},
        {"http://[::1]", "::1", "", "[::1]", 80, false, true},
        {"https://[::ffff:1.2.3.4]:8443/v1", "::ffff:1.2.3.4", "/v1", "[::ffff:1.2.3.4]:8443", 8443, true, true},
        {"http://h:00080/", "h", "/", "h", 80, false, false},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct url u;
        struct err e = {0};
        char authority[URL_AUTHORITY_MAX];
        if (url_parse(ROWS[i].text, &u, &e) < 0) fail_msg("%s: %s", ROWS[i].text, e.text);
        url_authority(&u, authority);
        assert_string_equal(u.host, ROWS[i].host);
        assert_string_equal(u.path, ROWS[i].path);
        assert_string_equal(authority, ROWS[i].authority);
        assert_int_equal(u.port, ROWS[i].port);
        assert_int_equal(u.tls, ROWS[i].tls);
        assert_int_equal(u.literal6, ROWS[i].literal6);
    }
}

static void test_bad(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "h",
        "HTTP://h",
        "http:/h",
        "ftp://h",
        "http://",
        "http:///x",
        "http://:80",
        "http://h:",
        "http://h:0",
        "http://h:65536",
        "http://h:080000",
        "http://h:8x",
        "http://h:-1",
        "http://h:+1",
        "http://h:80:80",
        "http://u@h",
        "http://u:p@h/",
        "http://h/#f",
        "http://h#f",
        "http://h/a b",
        "http://h/\x01",
        "http://h/\xc3\xa4",
        "http://h\\@evil/",
        "http://h%40evil/",
        "http://[::1",
        "http://[]",
        "http://[:]",
        "http://[::1]8",
        "http://[::1%25eth0]",
        "http://[h]/",
        "http://h\t/",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct url u;
        struct err e = {0};
        if (url_parse(BAD[i], &u, &e) == 0) fail_msg("\"%s\" was taken", BAD[i]);
        assert_int_equal(e.code, ERR_PLAN);
    }
}

/* The longest host fits, one more is refused. */
static void test_long(void **state)
{
    (void)state;
    char text[7 + URL_HOST_MAX + 8] = "http://";
    struct url u;
    char authority[URL_AUTHORITY_MAX];
    memset(text + 7, 'a', URL_HOST_MAX);
    memcpy(text + 7 + URL_HOST_MAX, ":65535", 7);
    assert_int_equal(url_parse(text, &u, NULL), 0);
    url_authority(&u, authority);
    assert_int_equal(strlen(authority), URL_HOST_MAX + 6);
    text[7 + URL_HOST_MAX] = 'a';
    text[8 + URL_HOST_MAX] = '\0';
    assert_int_equal(url_parse(text, &u, NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
