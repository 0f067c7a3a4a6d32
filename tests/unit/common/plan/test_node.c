#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/plan/node.h"

static struct tree tree;
static struct err err;

static int set_up(void **state)
{
    (void)state;
    tree = (struct tree){.arena = arena_new(NODE_ARENA_MAX), .file = "t.yaml"};
    err = (struct err){.text = ""};
    return tree.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(&tree.arena);
    return 0;
}

static struct node *yaml(const char *text)
{
    return node_from_yaml(&tree, text, strlen(text), &err);
}

static void scalars_have_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum node_kind kind;
    } ROWS[] = {{"1", NODE_INT},
                {"-1", NODE_INT},
                {"+7", NODE_INT},
                {"0", NODE_INT},
                {"1.5", NODE_NUMBER},
                {"1e3", NODE_NUMBER},
                {".5", NODE_NUMBER},
                {"-2.", NODE_NUMBER},
                {"007", NODE_TEXT},
                {"0x1f", NODE_TEXT},
                {"1:30", NODE_TEXT},
                {"1_000", NODE_TEXT},
                {"true", NODE_BOOL},
                {"False", NODE_BOOL},
                {"yes", NODE_TEXT},
                {"on", NODE_TEXT},
                {"~", NODE_NULL},
                {"null", NODE_NULL},
                {"nan", NODE_TEXT},
                {"inf", NODE_TEXT},
                {"1e", NODE_TEXT},
                {".", NODE_TEXT},
                {"'1'", NODE_TEXT},
                {"\"true\"", NODE_TEXT},
                {"5%", NODE_TEXT},
                {"25/s", NODE_TEXT},
                {"18446744073709551615", NODE_INT},
                {"18446744073709551616", NODE_NUMBER}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct node *n = yaml(ROWS[i].text);
        assert_non_null(n);
        if (n->kind != ROWS[i].kind) fail_msg("%s has kind %d", ROWS[i].text, (int)n->kind);
    }
    assert_true(yaml("18446744073709551615")->whole == UINT64_MAX);
    assert_true(yaml("-12")->negative && yaml("-12")->whole == 12 && yaml("-12")->number < -11.5);
}

static void nodes_know_their_place(void **state)
{
    (void)state;
    char path[80];
    struct node *root = yaml("a: 1\nb:\n  - x\n  - {c: 5, \"d e\": [1,\n      2]}\n"),
                *d = node_get(node_at(node_get(root, "b"), 1), "d e");
    assert_non_null(d);
    assert_int_equal(d->key_line, 4);
    assert_int_equal(d->key_column, 12);
    assert_int_equal(d->column, 19);
    assert_int_equal(d->last->line, 5);
    assert_string_equal(node_path(d->last, path, sizeof path), "b[1].d e[1]");
    assert_string_equal(node_path(root, path, sizeof path), "");
    assert_int_equal(node_refuse(d->last, false, &err, "no %s", "good"), -1);
    assert_string_equal(err.text, "t.yaml:5:7: b[1].d e[1]: no good");
}

static char *repeat(const char *s, size_t n, const char *end)
{
    struct buf b = BUF_INIT(8u << 20);
    for (size_t i = 0; i < n; i++)
        buf_puts(&b, s);
    buf_puts(&b, end);
    assert_false(b.bad);
    return (char *)b.data;
}

static void refused(const char *text, const char *says)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "t.yaml"};
    struct err e = {.text = ""};
    struct node *n = node_from_yaml(&t, text, strlen(text), &e);
    if (n) fail_msg("\"%.60s\" was accepted", text);
    if (strcmp(e.text, says) != 0) fail_msg("\"%.60s\" says: %s", text, e.text);
    arena_destroy(&t.arena);
}

static void hostile_yaml_is_refused(void **state)
{
    (void)state;
    refused("", "t.yaml: empty");
    refused("# nothing\n", "t.yaml: empty");
    refused("a: 1\na: 2\n", "t.yaml:2:1: a: given twice in the same mapping");
    refused("a: {b: 1, 'b': 2}\n", "t.yaml:1:11: a.b: given twice in the same mapping");
    refused("a: .nan\n", "t.yaml:1:4: a: must be a finite number");
    refused("a: [1, -.inf]\n", "t.yaml:1:8: a: must be a finite number");
    refused("a: 1e999\n", "t.yaml:1:4: a: must be a finite number");
    refused("a: &x 1\nb: *x\n", "t.yaml:1:4: a: anchors and aliases are not used in a plan: write the value out");
    refused("a: &x [1]\n", "t.yaml:1:4: a: anchors and aliases are not used in a plan: write the value out");
    refused("a: !!str 1\n", "t.yaml:1:4: a: tags (!...) are not used in a plan");
    refused("a: !python/object {b: 1}\n", "t.yaml:1:4: a: tags (!...) are not used in a plan");
    refused("? [a, b]\n: 1\n", "t.yaml:1:3: a key must be plain text (quote values that start with { or [)");
    refused("a: 1\n---\nb: 2\n", "t.yaml:2:1: more than one document in the file");
    refused("a: \"x\\0y\"\n", "t.yaml:1:4: a: text with a control character");
    refused("\"\": 1\n", "t.yaml:1:1: a key must have 1 to 128 bytes");
    refused("a: [1, 2\n", "t.yaml:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence");
    refused("a:\n\t- b\n", "t.yaml:2:1: a tab: YAML is indented with spaces");
    refused("a: @b\n",
            "t.yaml:1:4: not YAML: found character that cannot start any token while scanning for the next token");
    /* a billion laughs: the first anchor is the last thing that is read */
    refused("a: &a [lol,lol]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\n",
            "t.yaml:1:4: a: anchors and aliases are not used in a plan: write the value out");
}

static void bounds_hold(void **state)
{
    (void)state;
    char *deep = repeat("[", 10000, ""), *wide = repeat("- 1\n", 1025, ""),
         *large = repeat("aaaaaaaaaaaaaaaa", 65536 + 1, ""), *key = repeat("k", 129, ": 1\n");
    refused(
        deep,
        "t.yaml:1:33: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: "
        "nested deeper than 32 levels");
    refused(wide, "t.yaml:1025:3: more than 1024 entries in one list or mapping");
    refused(large, "t.yaml: larger than 1 MiB");
    refused(key, "t.yaml:1:1: a key must have 1 to 128 bytes");
    free(deep);
    free(wide);
    free(large);
    free(key);
    char *many = repeat("- "
                        "[[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],[1],["
                        "1],[1],[1],[1],[1]]\n",
                        1000, "");
    struct err e = {.text = ""};
    assert_null(node_from_yaml(&tree, many, strlen(many), &e));
    assert_non_null(strstr(e.text, "the plan is too large"));
    free(many);
    char *scalar = repeat("aaaaaaaaaaaaaaaa", 65535, "");
    tree.failed = false;
    tree.nodes = 0;
    struct node *n = node_from_yaml(&tree, scalar, strlen(scalar), &e);
    assert_non_null(n); /* a MiB of text is allowed, and nothing worse */
    assert_int_equal(n->len, 65535 * 16);
    free(scalar);
}

static const char MIXED[] = "a: 1\nb: [true, null, -5, 1.5, 1e300, 18446744073709551615]\nc: {d: "
                            "\"x\\ty\\n\\\"q\\\\\", \"e f\": '', g: \"\\u2028\\ufeff\\x7fü€😀\"}\nh: []\ni: {}\nj: 2.0\n"
                            "k:\n  - {l: m, n: [o, {p: q}]}\n  - [r, [s]]\n  - plain text with % and (parens)\n  - "
                            "'0'\n  - 'null'\n  - '- x'\n  - 'a: b'\n  - ' x'\n  - 'x #y'\n";

static void everything_reads_back(void **state)
{
    (void)state;
    char *text = repeat(MIXED, 1, "");
    char *del = strstr(text, "\\x7f"); /* a control character: refused, so not a part of the round trip */
    memmove(del, del + 4, strlen(del + 4) + 1);
    struct node *n = yaml(text);
    if (!n) fail_msg("%s", err.text);
    struct buf json = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20), pretty = BUF_INIT(1 << 20),
               block = BUF_INIT(1 << 20);
    assert_int_equal(node_to_json(n, false, &json), 0);
    assert_int_equal(node_to_json(n, true, &pretty), 0);
    assert_int_equal(node_to_yaml(n, &block), 0);
    struct node *back[] = {yaml(buf_str(&json)), node_from_json(&tree, buf_str(&json), json.len, &err),
                           yaml(buf_str(&pretty)), node_from_json(&tree, buf_str(&pretty), pretty.len, &err),
                           yaml(buf_str(&block))};
    for (size_t i = 0; i < sizeof back / sizeof *back; i++) {
        if (!back[i]) fail_msg("%zu: %s\n%s", i, err.text, buf_str(&block));
        buf_reset(&again);
        assert_int_equal(node_to_json(back[i], false, &again), 0);
        assert_string_equal(buf_str(&again), buf_str(&json));
    }
    struct buf *all[] = {&json, &again, &pretty, &block};
    for (size_t i = 0; i < 4; i++)
        buf_clear(all[i]);
    free(text);
}

static void canonical_json(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1 << 20);
    struct node *n = yaml("b: 2.0\na: [0.1, 1e21, -0, 3, x]\nc: {z: 1, y: ~}\n");
    node_sort(n);
    assert_int_equal(node_to_json(n, false, &out), 0);
    assert_string_equal(buf_str(&out), "{\"a\":[0.1,1e+21,0,3,\"x\"],\"b\":2.0,\"c\":{\"y\":null,\"z\":1}}");
    buf_clear(&out);
}

static void refused_json(const char *text, size_t n, const char *says)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "wire"};
    struct err e = {.text = ""};
    assert_null(node_from_json(&t, text, n, &e));
    assert_int_equal(e.code, ERR_WIRE);
    assert_string_equal(e.text, says);
    arena_destroy(&t.arena);
}
#define REFUSED(text, says) refused_json(text, sizeof text - 1, says)

static void hostile_json_is_refused(void **state)
{
    (void)state;
    REFUSED("", "wire: byte 0: empty");
    REFUSED("1 2", "wire: byte 2: not JSON");
    REFUSED("[1", "wire: byte 2: not JSON");
    REFUSED("[1,]", "wire: byte 3: not JSON");
    REFUSED("{\"a\"}", "wire: byte 4: not JSON");
    REFUSED("{a: 1}", "wire: byte 1: not JSON");
    REFUSED("[01]", "wire: byte 2: not JSON");
    REFUSED("[.nan]", "wire: byte 1: not JSON");
    REFUSED("[1e999]", "wire: byte 6: a number is too large");
    REFUSED("[-1e999]", "wire: byte 7: a number is too large");
    REFUSED("\"abc", "wire: byte 0: not JSON");
    REFUSED("\"\xc3\x28\"", "wire: byte 4: the text is not plain UTF-8, or too long");
    REFUSED("\"\xed\xa0\x80\"", "wire: byte 5: the text is not plain UTF-8, or too long");
    REFUSED("\"\\ud800\"", "wire: byte 8: the text is not plain UTF-8, or too long");
    REFUSED("\"\\udc00\\ud800\"", "wire: byte 14: the text is not plain UTF-8, or too long");
    REFUSED("\"\\ud800\\u0041\"", "wire: byte 14: the text is not plain UTF-8, or too long");
    REFUSED("\"\\u0000\"", "wire: byte 8: the text is not plain UTF-8, or too long");
    REFUSED("\"\\u001b\"", "wire: byte 8: the text is not plain UTF-8, or too long");
    REFUSED("{\"\":1}", "wire: byte 4: a key is not text of 1 to 128 bytes");
    REFUSED("{\"k\":1,\"\\u006b\":2}", "wire: byte 16: a key is given twice");
    char deep[100], key[140];
    memset(deep, '[', sizeof deep);
    refused_json(deep, sizeof deep, "wire: byte 33: nested too deep");
    (void)snprintf(key, sizeof key, "{\"%0129d\":1}", 0);
    refused_json(key, strlen(key), "wire: byte 133: a key is not text of 1 to 128 bytes");
    char *large = calloc(1, NODE_INPUT_MAX + 1);
    refused_json(large, NODE_INPUT_MAX + 1, "wire: byte 0: more than 1 MiB");
    free(large);
    char *wide = repeat("[1", 1, ""), *ones = repeat(",1", NODE_ENTRIES_MAX, "]");
    wide = realloc(wide, 3 * NODE_ENTRIES_MAX);
    memcpy(wide + 2, ones, strlen(ones) + 1);
    refused_json(wide, strlen(wide), "wire: byte 2050: a list or mapping has more than 1,024 entries");
    free(wide);
    free(ones);
}

static void json_values(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum node_kind kind;
        const char *text;
    } ROWS[] = {{"127", NODE_INT, "127"},
                {"-9223372036854775808", NODE_INT, "-9223372036854775808"},
                {"18446744073709551615", NODE_INT, "18446744073709551615"},
                {"18446744073709551616", NODE_NUMBER, "18446744073709551616"},
                {"1.5", NODE_NUMBER, "1.5"},
                {"2.0", NODE_NUMBER, "2.0"},
                {"1e2", NODE_NUMBER, "1e2"},
                {"true", NODE_BOOL, "true"},
                {"false", NODE_BOOL, "false"},
                {"null", NODE_NULL, ""},
                {"\"null\"", NODE_TEXT, "null"},
                {"\"12\"", NODE_TEXT, "12"},
                {" \"a\\u00e9\\ud83d\\ude00\\n\\t\\/\\\"\\\\\" ", NODE_TEXT, "a\xc3\xa9\xf0\x9f\x98\x80\n\t/\"\\"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct node *n = node_from_json(&tree, ROWS[i].json, strlen(ROWS[i].json), &err);
        if (!n) fail_msg("%s: %s", ROWS[i].json, err.text);
        assert_int_equal(n->kind, ROWS[i].kind);
        assert_string_equal(n->text, ROWS[i].text);
        assert_int_equal(n->len, strlen(ROWS[i].text));
    }
}

/* Every prefix of a good document, and every single byte changed: refused or read, never worse (run under the
 * sanitizers). */
static void json_cut_and_bent(void **state)
{
    (void)state;
    char text[] = "{\"a\":[1,-2,3.5,{\"b\":\"te\\u00e9xt\",\"c\":[true,null]}],\"d\":{\"e\":\"f\",\"i\":-70000}}";
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n++) {
        struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "wire"};
        assert_null(node_from_json(&t, text, n, &err));
        arena_destroy(&t.arena);
    }
    for (size_t i = 0; i < len * 256; i++) {
        char was = text[i / 256];
        text[i / 256] = (char)(i % 256);
        struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "wire"};
        err = (struct err){.text = ""};
        const struct node *n = node_from_json(&t, text, len, &err);
        if (!n) assert_true(err.code != ERR_NONE);
        arena_destroy(&t.arena);
        text[i / 256] = was;
    }
}

static void an_arena_is_bounded(void **state)
{
    (void)state;
    struct arena *a = arena_new(1000);
    char *p = arena_alloc(a, 100), *q = arena_text(a, "abc", 3);
    assert_non_null(p);
    assert_string_equal(q, "abc");
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 0);
    assert_null(arena_alloc(a, 1000));
    assert_null(arena_array(a, SIZE_MAX, 16));
    assert_null(arena_alloc(a, SIZE_MAX));
    assert_null(arena_alloc(NULL, 1));
    arena_destroy(&a);
    assert_null(a);
    arena_destroy(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scalars_have_kinds),    TEST(nodes_know_their_place), TEST(hostile_yaml_is_refused), TEST(bounds_hold),
        TEST(everything_reads_back), TEST(canonical_json),         TEST(hostile_json_is_refused), TEST(json_values),
        TEST(json_cut_and_bent),     TEST(an_arena_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
