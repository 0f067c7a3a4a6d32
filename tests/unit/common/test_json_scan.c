#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json_scan.h"

struct doc {
    const char *text;
    size_t n;
};
#define DOC(literal)                                                                                                   \
    {                                                                                                                  \
        literal, sizeof(literal) - 1                                                                                   \
    }

static const struct doc good[] = {
    DOC("{}"),
    DOC("[]"),
    DOC("\"\""),
    DOC("0"),
    DOC("-0"),
    DOC("null"),
    DOC("true"),
    DOC("false"),
    DOC(" \t\r\n[ \t\r\n] \t\r\n"),
    DOC("[1,2,3]"),
    DOC("[1 , 2 ,3 ]"),
    DOC("[[[[]]]]"),
    DOC("[{}]"),
    DOC("{\"a\":[]}"),
    DOC("{\"a\":{\"b\":{}}}"),
    DOC("{ \"a\" : 1 , \"b\" : null }"),
    DOC("{\"a\":1,\"a\":2}"),
    DOC("{\"\":0}"),
    DOC("{\"a\\u0000b\":1}"),
    DOC("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    DOC("[\"\\u0060\\u012a\\u12AB\\uabcd\\uFFFF\"]"),
    DOC("[\"\\uD801\\udc37\"]"),
    DOC("[\"\\\\u0000\"]"),
    DOC("[\"\\\\n\"]"),
    DOC("[\"\x7f\"]"),
    DOC("[\"\xe2\x82\xac\xf0\x9d\x84\x9e\"]"),
    DOC("[\"a/*b*/c\"]"),
    DOC("[\"new\\u000Aline\"]"),
    DOC("[123e65]"),
    DOC("[0e+1]"),
    DOC("[0e1]"),
    DOC("[1E22]"),
    DOC("[1E-2]"),
    DOC("[1E+2]"),
    DOC("[123.456e78]"),
    DOC("[-0.000000000000000000000000000000000001]"),
    DOC("[-123]"),
    DOC("[-1]"),
    DOC("[1.5]"),
    DOC("[20e1]"),
    DOC("[null, 1, \"1\", {}]"),
    DOC("[1,null,null,null,2]"),
    DOC("\"asd\""),
    DOC("-0.1"),
    DOC("2 "),
    DOC("{\"min\": -1.0e+28, \"max\": 1.0e+28}"),
    DOC("[\"12345678\"]"),
    DOC("[\"1234567\\n\"]"),
    DOC("[\"123456789012345678901234567890\"]"),
    /* what the grammar leaves open, and this reader takes: */
    DOC("[\"\\uD800\"]"),
    DOC("[\"\\uDd1e\\uD834\"]"),
    DOC("[\"\xff\xfe\"]"),
    DOC("[\"\xc3\"]"),
    DOC("[1e9999]"),
    DOC("[123123123123123123123123123123]"),
};

static const struct doc bad[] = {
    DOC(""),
    DOC(" "),
    DOC("[1 true]"),
    DOC("[1,]"),
    DOC("[,1]"),
    DOC("[1,,2]"),
    DOC("[,]"),
    DOC("["),
    DOC("]"),
    DOC("[1"),
    DOC("[1,"),
    DOC("[\"\": 1]"),
    DOC("[\"\"],"),
    DOC("[1]]"),
    DOC("[]]"),
    DOC("[x]"),
    DOC("[3[4]]"),
    DOC("[1:2]"),
    DOC("[*]"),
    DOC("[a"),
    DOC("[1,\n1\n,1"),
    DOC("{"),
    DOC("}"),
    DOC("{]"),
    DOC("[}"),
    DOC("{\"a\"}"),
    DOC("{\"a\":}"),
    DOC("{\"a\":1,}"),
    DOC("{\"a\":1,,}"),
    DOC("{,\"a\":1}"),
    DOC("{\"a\" 1}"),
    DOC("{\"a\"::1}"),
    DOC("{a:1}"),
    DOC("{'a':1}"),
    DOC("{1:1}"),
    DOC("{null:1}"),
    DOC("{\"a\":1 \"b\":2}"),
    DOC("{\"a\":1;}"),
    DOC("{\"a\":1}x"),
    DOC("{\"a\":1}{}"),
    DOC("{} {}"),
    DOC("{\"a\":1}#"),
    DOC("{\"a\":1}/**/"),
    DOC("{\"a\":1}//"),
    DOC("{[1]}"),
    DOC("{\"x\",null}"),
    DOC("tru"),
    DOC("nul"),
    DOC("fals"),
    DOC("True"),
    DOC("NULL"),
    DOC("truee"),
    DOC("nulll"),
    DOC("[nul]"),
    DOC("undefined"),
    DOC("NaN"),
    DOC("[Infinity]"),
    DOC("[-Infinity]"),
    DOC("[+1]"),
    DOC("[01]"),
    DOC("[-01]"),
    DOC("[-]"),
    DOC("[.5]"),
    DOC("[1.]"),
    DOC("[1.e1]"),
    DOC("[0.e1]"),
    DOC("[1e]"),
    DOC("[1e+]"),
    DOC("[1eE2]"),
    DOC("[--1]"),
    DOC("[0x1]"),
    DOC("[1_000]"),
    DOC("[1 000]"),
    DOC("[0.1.2]"),
    DOC("[1e1.5]"),
    DOC("[-a]"),
    DOC("[1a]"),
    DOC("[1+2]"),
    DOC("-"),
    DOC("1e"),
    DOC("0.\""),
    DOC("\""),
    DOC("\"a"),
    DOC("[\"a]"),
    DOC("['a']"),
    DOC("[\"\\x00\"]"),
    DOC("[\"\\a\"]"),
    DOC("[\"\\'\"]"),
    DOC("[\"\\u\"]"),
    DOC("[\"\\u00\"]"),
    DOC("[\"\\u00A\"]"),
    DOC("[\"\\u000G\"]"),
    DOC("[\"\\uD834\\u\"]"),
    DOC("[\"\\U0001\"]"),
    DOC("[\"\\\"]"),
    DOC("[\"\\"),
    DOC("\"\\"),
    DOC("\"\\u"),
    DOC("\"\\u123"),
    DOC("[\"\t\"]"),
    DOC("[\"\n\"]"),
    DOC("[\"a\x1f"
        "b\"]"),
    DOC("[\"a\0b\"]"),
    DOC("[\"\\\0\"]"),
    DOC("\0"),
    DOC("[\0]"),
    DOC("\xef\xbb\xbf{}"),
    DOC("[\f]"),
    DOC("[\x0b]"),
    DOC("[\xa0]"),
    DOC("\xe2\x81\xa0[]"),
    DOC("<null>"),
    DOC("[\\n]"),
    DOC("\"a\"b"),
    DOC("123\0"),
    DOC("[\"12345678\x01\"]"),
};

/* The text alone in memory of its own, so that a sanitizer sees a byte read too many. */
static bool valid(const struct doc *d)
{
    char *copy = malloc(d->n ? d->n : 1);
    assert_non_null(copy);
    memcpy(copy, d->text, d->n);
    bool is = json_valid(copy, d->n);
    free(copy);
    return is;
}

static void test_grammar(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!valid(&good[i])) fail_msg("refused: %s", good[i].text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (valid(&bad[i])) fail_msg("accepted: %s", bad[i].text);
}

/* An object or list cut anywhere is no document. */
static void test_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t n = good[i].n;
        while (n > 0 && strchr(" \t\r\n", good[i].text[n - 1]))
            n--;
        if (!strchr("}]\"", good[i].text[n - 1])) continue;
        for (size_t at = 0; at < n; at++)
            if (valid(&(struct doc){good[i].text, at})) fail_msg("accepted %zu bytes of %s", at, good[i].text);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 8];
    for (unsigned depth = 1; depth <= JSON_DEPTH_MAX + 2; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(json_valid(text, 2 * (size_t)depth), depth <= JSON_DEPTH_MAX);
    }
    size_t big = 1000000;
    char *deep = malloc(big);
    memset(deep, '[', big);
    assert_false(json_valid(deep, big));
    free(deep);
}

static void test_tokens(void **state)
{
    (void)state;
    static const char text[] = " {\"a\": [1, -2.5e3, \"x\\n\", null], \"b\" :{}, \"c\":true,\"d\":false} ";
    static const struct {
        enum json_token t;
        const char *text;
        unsigned depth;
    } expect[] = {
        {JSON_OBJECT, NULL, 1},     {JSON_KEY, "a", 1},       {JSON_ARRAY, NULL, 2},      {JSON_NUMBER, "1", 2},
        {JSON_NUMBER, "-2.5e3", 2}, {JSON_STRING, "x\\n", 2}, {JSON_NULL, NULL, 2},       {JSON_ARRAY_END, NULL, 1},
        {JSON_KEY, "b", 1},         {JSON_OBJECT, NULL, 2},   {JSON_OBJECT_END, NULL, 1}, {JSON_KEY, "c", 1},
        {JSON_TRUE, NULL, 1},       {JSON_KEY, "d", 1},       {JSON_FALSE, NULL, 1},      {JSON_OBJECT_END, NULL, 0},
        {JSON_END, NULL, 0},
    };
    struct json j;
    json_begin(&j, text, sizeof text - 1);
    for (size_t i = 0; i < sizeof expect / sizeof *expect; i++) {
        assert_int_equal(json_next(&j), expect[i].t);
        assert_int_equal(j.depth, expect[i].depth);
        if (!expect[i].text) continue;
        assert_int_equal(j.len, strlen(expect[i].text));
        assert_memory_equal(j.text, expect[i].text, j.len);
    }
}

static void test_bad_stays(void **state)
{
    (void)state;
    struct json j;
    json_begin(&j, "[1 2,3]", 7);
    assert_int_equal(json_next(&j), JSON_ARRAY);
    assert_int_equal(json_next(&j), JSON_NUMBER);
    for (int i = 0; i < 3; i++)
        assert_int_equal(json_next(&j), JSON_BAD);
    assert_int_equal(json_skip(&j), -1);
}

static void test_skip_and_enter(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":{\"x\":[1,{\"y\":[]}]},\"b\":[2],\"c\":3}";
    struct json j;
    json_begin(&j, text, sizeof text - 1);
    assert_int_equal(json_next(&j), JSON_OBJECT);
    assert_int_equal(json_next(&j), JSON_KEY);
    assert_int_equal(json_skip(&j), 0);
    assert_int_equal(json_next(&j), JSON_KEY);
    assert_true(JSON_IS(&j, "b"));
    assert_false(json_enter(&j, JSON_OBJECT)); /* a list: read over */
    assert_int_equal(json_next(&j), JSON_KEY);
    assert_true(JSON_IS(&j, "c"));
    assert_int_equal(json_skip(&j), 0);
    assert_int_equal(json_next(&j), JSON_OBJECT_END);
    assert_int_equal(json_next(&j), JSON_END);
}

static bool word_is(const char *json, const char *word, size_t n)
{
    struct json j;
    json_begin(&j, json, strlen(json));
    assert_int_equal(json_next(&j), JSON_STRING);
    return json_is(&j, word, n);
}

static void test_is(void **state)
{
    (void)state;
    assert_true(word_is("\"choices\"", "choices", 7));
    assert_false(word_is("\"choice\"", "choices", 7));
    assert_false(word_is("\"choicesx\"", "choices", 7));
    assert_false(word_is("\"\"", "choices", 7));
    assert_true(word_is("\"ch\\u006fices\"", "choices", 7));
    assert_true(word_is("\"ch\\u006Fi\\u0063es\"", "choices", 7));
    assert_false(word_is("\"ch\\u006fices\\n\"", "choices", 7));
    assert_false(word_is("\"ch\\u016fices\"", "choices", 7));
    assert_false(word_is("\"ch\\u006f\"", "choices", 7));
    assert_true(word_is("\"a\\n\\t\\\\\\\"\\/b\"", "a\n\t\\\"/b", 7));
}

static bool number(const char *json, uint32_t *ret)
{
    struct json j;
    json_begin(&j, json, strlen(json));
    assert_int_equal(json_next(&j), JSON_NUMBER);
    return json_u32(&j, ret);
}

static void test_u32(void **state)
{
    (void)state;
    uint32_t v = 1;
    assert_true(number("0", &v) && v == 0);
    assert_true(number("42", &v) && v == 42);
    assert_true(number("4294967295", &v) && v == UINT32_MAX);
    /* whole by its value, however it is written */
    static const struct {
        const char *text;
        uint32_t value;
    } whole[] = {{"20.0", 20},
                 {"2e1", 20},
                 {"2E+1", 20},
                 {"200e-1", 20},
                 {"0.2e2", 20},
                 {"1e3", 1000},
                 {"0.0", 0},
                 {"0e99999999999", 0},
                 {"0.000e-5", 0},
                 {"4294967295.000", UINT32_MAX},
                 {"42949.67295e5", UINT32_MAX},
                 {"100000000000000000000e-19", 10},
                 {"1000000000", 1000000000}};
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        v = 1;
        if (!number(whole[i].text, &v) || v != whole[i].value) fail_msg("%s: %u", whole[i].text, v);
    }
    v = 7;
    static const char *const none[] = {"4294967296.0", "1e10",  "1e99999999999", "1e-1",
                                       "2.5e0",        "20.01", "20e-2",         "0.1"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (number(none[i], &v)) fail_msg("%s: %u", none[i], v);
    assert_false(number("4294967296", &v));
    assert_false(number("99999999999999999999", &v));
    assert_false(number("-1", &v));
    assert_false(number("1.5", &v));
    assert_int_equal(v, 7);
}

/* Each place of a quote, an escape and a control character against the eight bytes that are looked at in one. */
static void test_string_end(void **state)
{
    (void)state;
    char text[64];
    bool escaped;
    for (size_t before = 0; before < 40; before++) {
        for (int c = 0; c < 256; c++) {
            memset(text, 'x', sizeof text);
            text[before] = (char)c;
            text[before + 2] = '"';
            const char *end = json_string_end(text, text + before + 3, &escaped);
            if (c == '"')
                assert_ptr_equal(end, text + before);
            else if (c < 0x20 || c == '\\') /* \x is no escape */
                assert_null(end);
            else
                assert_ptr_equal(end, text + before + 2);
        }
        memset(text, 'x', sizeof text);
        text[before] = '\\';
        text[before + 1] = '"';
        text[before + 2] = '"';
        assert_ptr_equal(json_string_end(text, text + 64, &escaped), text + before + 2);
        assert_true(escaped);
        assert_null(json_string_end(text, text + before + 2, &escaped));
        assert_null(json_string_end(text, text + before + 1, &escaped));
    }
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text; /* NULL: half a pair */
    } rows[] = {{"\"\"", ""},
                {"\"abc\"", "abc"},
                {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
                {"\"a\\u0041\\u00e9\\u20AC\\uffff.\"", "aA\xc3\xa9\xe2\x82\xac\xef\xbf\xbf."},
                {"\"\\ud83d\\ude00\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x9f\x98\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
                {"\"\\ud800\"", NULL},
                {"\"\\ud800x\"", NULL},
                {"\"\\ud800\\n\"", NULL},
                {"\"\\ud800\\ud800\"", NULL},
                {"\"\\udc00\"", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json j;
        char out[64];
        size_t n = 0;
        json_begin(&j, rows[i].json, strlen(rows[i].json));
        assert_int_equal(json_next(&j), JSON_STRING);
        assert_true(j.len <= sizeof out);
        if (!rows[i].text) {
            assert_false(json_decode(&j, out, &n));
            continue;
        }
        assert_true(json_decode(&j, out, &n));
        assert_int_equal(n, strlen(rows[i].text));
        assert_memory_equal(out, rows[i].text, n);
    }
}

/* Every beginning of a document is one that was cut, and nothing else is. */
static void test_cut(void **state)
{
    (void)state;
    static const struct doc NOT[] = {DOC("{}"),           DOC("{\"a\":1} x"), DOC("{\"a\":1}{\"b"), DOC("{\"a\" \"b"),
                                     DOC("{\"a\":1 \"b"), DOC("{a"),          DOC("{\"a\":NaN"),    DOC("{\"a\":tru3"),
                                     DOC("[1,]"),         DOC("[\"\\x"),      DOC("[\"\\u00g"),     DOC("[\"a\tb\n"),
                                     DOC("{\"a\":1,tr"),  DOC("{1"),          DOC("[1 2"),          DOC("<html>"),
                                     DOC("[1..")};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        for (size_t n = 0; n < good[i].n; n++) {
            char *copy = malloc(n ? n : 1); /* a sanitizer sees a read behind it */
            memcpy(copy, good[i].text, n);
            if (json_is_cut(copy, n) == json_valid(copy, n)) fail_msg("%.*s", (int)n, good[i].text);
            assert_false(json_has_more(copy, n));
            free(copy);
        }
    for (size_t i = 0; i < sizeof NOT / sizeof *NOT; i++)
        if (json_is_cut(NOT[i].text, NOT[i].n)) fail_msg("%s", NOT[i].text);
    assert_true(json_has_more("{\"a\":1} x", 9));
    assert_true(json_has_more("{\"a\":1}\n{\"b", 12));
    assert_false(json_has_more("{\"a\":1} \n", 9));
    assert_false(json_has_more("{\"a\":1", 6));
    assert_false(json_has_more("{a} x", 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_bad_stays),
        cmocka_unit_test(test_skip_and_enter),
        cmocka_unit_test(test_is),
        cmocka_unit_test(test_u32),
        cmocka_unit_test(test_string_end),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
