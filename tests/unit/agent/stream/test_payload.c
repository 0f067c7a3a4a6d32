#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/dialect.h"

#define WORDS 3u
static const struct words words[WORDS] = {
    {.seed = 1, .n = 37}, {.seed = 2, .n = 0}, {.seed = 3, .n = 2000, .stop = true}};

/* A payload with words at its beginning, in the middle, side by side and at its end; *ret_text is what it means. */
static void make(struct payload *p, char **ret_text, size_t *ret_n)
{
    static const char *const TEXT[] = {"", "{\"a\":\"", "\",\"b\":\"", "x", ""};
    size_t n = 0;
    char *all = malloc(100000);
    assert_non_null(all);
    payload_reset(p);
    for (size_t i = 0; i < sizeof TEXT / sizeof *TEXT; i++) {
        (void)buf_puts(&p->text, TEXT[i]);
        memcpy(all + n, TEXT[i], strlen(TEXT[i]));
        n += strlen(TEXT[i]);
        payload_put_words(p, words, WORDS);
        for (uint32_t k = 0; k < WORDS; k++) {
            struct words_at at;
            words_begin(&at, &words[k]);
            n += words_read(&at, &words[k], all + n, 100000 - n);
        }
    }
    assert_false(p->text.bad);
    assert_int_equal(payload_size(p), n);
    *ret_text = all;
    *ret_n = n;
}

static void test_any_cut(void **state)
{
    (void)state;
    struct payload p = PAYLOAD_INIT(1000);
    struct rng rng;
    char *text, room[500];
    size_t n;
    make(&p, &text, &n);
    rng_seed(&rng, 1);
    for (int round = 0; round < 300; round++) {
        struct payload_rest r;
        p.made = round % 4 ? NULL : text; /* it lies somewhere whole: the same bytes, in one piece */
        payload_begin(&r, &p);
        for (size_t at = 0; at < n;) {
            size_t most = 1 + rng_below(&rng, round % 3 ? sizeof room : 9), got;
            const char *from = room;
            assert_int_equal(r.left, n - at);
            switch (rng_below(&rng, 3)) {
            case 0:
                got = payload_next(&r, room, most, &from);
                assert_true(p.made ? got == n - at : got > 0);
                break;
            case 1:
                got = payload_read(&r, room, most);
                assert_int_equal(got, most < n - at ? most : n - at);
                break;
            default:
                got = payload_read(&r, NULL, most);
                from = text + at;
            }
            assert_memory_equal(from, text + at, got);
            at += got;
        }
        const char *from;
        assert_int_equal(r.left, 0);
        assert_int_equal(payload_next(&r, room, sizeof room, &from), 0);
        assert_int_equal(payload_read(&r, room, sizeof room), 0);
    }
    free(text);
    payload_clear(&p);
}

/* Where words come next and there is no room, nothing is given and nothing is lost. */
static void test_no_room(void **state)
{
    (void)state;
    struct payload p = PAYLOAD_INIT(1000);
    struct payload_rest r;
    const char *from;
    char room[200], first[4];
    (void)buf_puts(&p.text, "ab");
    payload_put_words(&p, words, 1);
    payload_begin(&r, &p);
    assert_int_equal(payload_next(&r, room, 0, &from), 2);
    assert_int_equal(payload_next(&r, room, 0, &from), 0);
    assert_int_equal(r.left, WORDS_CHARS(37));
    assert_int_equal(payload_next(&r, first, 4, &from), 4);
    assert_int_equal(payload_next(&r, room, sizeof room, &from), WORDS_CHARS(36));
    assert_int_equal(r.left, 0);
    payload_clear(&p);
}

/* A prompt of many blocks, as a trace's rows have, takes as few pieces as one of a single run of words: each piece is a
 * part of a system call. */
static void test_blocks_are_one_piece(void **state)
{
    (void)state;
    enum { BLOCKS = 40, BLOCK = 512 };
    struct payload p = PAYLOAD_INIT(1000);
    struct payload_rest r;
    static char room[BLOCKS * WORDS_CHARS(BLOCK)], want[sizeof room];
    const char *from;
    (void)buf_puts(&p.text, "{");
    for (uint64_t i = 0; i < BLOCKS; i++) {
        const struct words w = {.seed = i, .n = BLOCK};
        struct words_at at;
        payload_put_words(&p, &w, 1);
        words_begin(&at, &w);
        (void)words_read(&at, &w, want + i * WORDS_CHARS(BLOCK), WORDS_CHARS(BLOCK));
    }
    (void)buf_puts(&p.text, "}");
    payload_begin(&r, &p);
    assert_int_equal(payload_next(&r, room, sizeof room, &from), 1);
    assert_int_equal(payload_next(&r, room, sizeof room, &from), sizeof room);
    assert_memory_equal(from, want, sizeof want);
    assert_int_equal(payload_next(&r, room, sizeof room, &from), 1);
    assert_int_equal(r.left, 0);
    payload_begin(&r, &p); /* with less room: all of it is filled */
    assert_int_equal(payload_next(&r, room, 5000, &from), 1);
    assert_int_equal(payload_next(&r, room, 5000, &from), 5000);
    assert_int_equal(payload_next(&r, room, sizeof room, &from), sizeof room - 5000);
    payload_clear(&p);
}

/* Every API's body is the same whether a prompt is words or text. */
static void test_bodies(void **state)
{
    (void)state;
    const struct words w[2] = {{.seed = 7, .n = 100}, {.seed = 8, .n = 25, .stop = true}};
    char text[WORDS_CHARS(125)];
    for (size_t i = 0, n = 0; i < 2; i++) {
        struct words_at at;
        words_begin(&at, &w[i]);
        n += words_read(&at, &w[i], text + n, sizeof text - n);
    }
    for (int api = 0; api < API_N; api++) {
        const struct dialect *d = dialect_for((enum plan_api)api);
        struct dialect_message m = {.role = "user", .text = text, .len = sizeof text};
        struct dialect_request r = {
            .model = "m", .messages = &m, .n_messages = 1, .output_tokens = 16, .body = "{\"temperature\":0}"};
        struct payload plain = PAYLOAD_INIT(10000), made = PAYLOAD_INIT(10000);
        struct payload_rest rest;
        char sent[10000];
        if (d->divides || api == API_TEMPLATE) continue;
        assert_int_equal(d->write_body(d, &r, &plain.text), 0);
        m = (struct dialect_message){.role = "user", .len = sizeof text, .words = w, .n_words = 2};
        assert_int_equal(d->write_body(d, &r, &made.text), 0);
        assert_int_equal(made.n, 2);
        payload_begin(&rest, &made);
        assert_int_equal(payload_read(&rest, sent, sizeof sent), plain.text.len);
        assert_memory_equal(sent, plain.text.data, plain.text.len);
        payload_clear(&plain);
        payload_clear(&made);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_cut), cmocka_unit_test(test_no_room),
                                       cmocka_unit_test(test_blocks_are_one_piece), cmocka_unit_test(test_bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
