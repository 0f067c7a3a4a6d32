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
    refused("a:\n\t- b\n",
            "t.yaml:2:1: not YAML: found character that cannot start any token while scanning for the next token");
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
    struct buf json = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20), packed = BUF_INIT(1 << 20),
               pretty = BUF_INIT(1 << 20), block = BUF_INIT(1 << 20);
    assert_int_equal(node_to_json(n, false, &json), 0);
    assert_int_equal(node_to_msgpack(n, &packed), 0);
    assert_int_equal(node_to_json(n, true, &pretty), 0);
    assert_int_equal(node_to_yaml(n, &block), 0);
    struct node *back[] = {yaml(buf_str(&json)), node_from_msgpack(&tree, packed.data, packed.len, &err),
                           yaml(buf_str(&pretty)), yaml(buf_str(&block))};
    for (size_t i = 0; i < 4; i++) {
        if (!back[i]) fail_msg("%zu: %s\n%s", i, err.text, buf_str(&block));
        buf_reset(&again);
        assert_int_equal(node_to_json(back[i], false, &again), 0);
        assert_string_equal(buf_str(&again), buf_str(&json));
    }
    struct buf *all[] = {&json, &again, &packed, &pretty, &block};
    for (size_t i = 0; i < 5; i++)
        buf_free(all[i]);
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
    buf_free(&out);
}

static void refused_bytes(const char *bytes, size_t n, const char *says)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "wire"};
    struct err e = {.text = ""};
    assert_null(node_from_msgpack(&t, bytes, n, &e));
    assert_int_equal(e.code, ERR_WIRE);
    assert_string_equal(e.text, says);
    arena_destroy(&t.arena);
}
#define REFUSED(bytes, says) refused_bytes(bytes, sizeof bytes - 1, says)

static void hostile_msgpack_is_refused(void **state)
{
    (void)state;
    REFUSED("", "wire: empty");
    REFUSED("\x01\x02", "wire: bytes behind the end");
    REFUSED("\x92\x01", "wire: more entries announced than can be");
    REFUSED("\xdd\xff\xff\xff\xff", "wire: more entries announced than can be");
    REFUSED("\xdf\xff\xff\xff\xff", "wire: more entries announced than can be");
    REFUSED("\xdb\xff\xff\xff\xff", "wire: text is cut short, no plain UTF-8, or too much");
    REFUSED("\xa2\xc3\x28", "wire: text is cut short, no plain UTF-8, or too much");
    REFUSED("\xa3\xed\xa0\x80", "wire: text is cut short, no plain UTF-8, or too much");
    REFUSED("\xa1\x00", "wire: text is cut short, no plain UTF-8, or too much");
    REFUSED("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "wire: a number is not finite");
    REFUSED("\xca\x7f\xc0\x00\x00", "wire: a number is not finite");
    REFUSED("\xcf\x00\x00", "wire: cut short in a number");
    REFUSED("\xc4\x01x", "wire: a type that plans do not have");
    REFUSED("\xc1", "wire: a type that plans do not have");
    REFUSED("\xd4\x01x", "wire: a type that plans do not have");
    REFUSED("\x81\x01\x01", "wire: a key is no text of 1 to 128 bytes");
    REFUSED("\x82\xa1k\x01\xa1k\x02", "wire: a key is given twice");
    char deep[100];
    memset(deep, '\x91', sizeof deep);
    refused_bytes(deep, sizeof deep, "wire: nested too deep");
    char *large = calloc(1, NODE_INPUT_MAX + 1);
    refused_bytes(large, NODE_INPUT_MAX + 1, "wire: more than 1 MiB");
    free(large);
}

static void msgpack_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } ROWS[] = {{"\x7f", 1, "127"},
                {"\xff", 1, "-1"},
                {"\xe0", 1, "-32"},
                {"\xcc\xff", 2, "255"},
                {"\xd0\x80", 2, "-128"},
                {"\xd0\x7f", 2, "127"},
                {"\xd1\xff\x00", 3, "-256"},
                {"\xd2\x80\x00\x00\x00", 5, "-2147483648"},
                {"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, "-9223372036854775808"},
                {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, "18446744073709551615"},
                {"\xca\x3f\xc0\x00\x00", 5, "1.5"},
                {"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", 9, "0.1"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct node *n = node_from_msgpack(&tree, ROWS[i].bytes, ROWS[i].n, &err);
        assert_non_null(n);
        assert_string_equal(n->text, ROWS[i].text);
    }
}

/* Every prefix of a good message, and every single byte changed: refused or read, never worse (run under the
 * sanitizers). */
static void msgpack_cut_and_bent(void **state)
{
    (void)state;
    struct buf packed = BUF_INIT(1 << 20);
    assert_int_equal(
        node_to_msgpack(yaml("a: [1, -2, 3.5, {b: text, c: [true, null]}]\nd: {e: f, g: 300, h: 70000, i: -70000}\n"),
                        &packed),
        0);
    for (size_t n = 0; n < packed.len; n++) {
        struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "wire"};
        assert_null(node_from_msgpack(&t, packed.data, n, &err));
        arena_destroy(&t.arena);
    }
    for (size_t i = 0; i < packed.len * 256; i++) {
        uint8_t was = packed.data[i / 256];
        packed.data[i / 256] = (uint8_t)(i % 256);
        struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "wire"};
        err = (struct err){.text = ""};
        const struct node *n = node_from_msgpack(&t, packed.data, packed.len, &err);
        if (!n) assert_true(err.code != ERR_NONE);
        arena_destroy(&t.arena);
        packed.data[i / 256] = was;
    }
    buf_free(&packed);
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
    const struct CMUnitTest tests[] = {TEST(scalars_have_kinds),         TEST(nodes_know_their_place),
                                       TEST(hostile_yaml_is_refused),    TEST(bounds_hold),
                                       TEST(everything_reads_back),      TEST(canonical_json),
                                       TEST(hostile_msgpack_is_refused), TEST(msgpack_numbers),
                                       TEST(msgpack_cut_and_bent),       TEST(an_arena_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
