#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stream/words.h"

/* All of them, in memory of exactly their size: a sanitizer sees a byte more. */
static char *whole(const struct words *w)
{
    struct words_at at;
    size_t n = WORDS_CHARS(w->n);
    char *text = malloc(n ? n : 1);
    assert_non_null(text);
    words_begin(&at, w);
    assert_int_equal(words_read(&at, w, text, n), n);
    assert_int_equal(words_read(&at, w, text, 1), 0);
    return text;
}

static void test_form(void **state)
{
    (void)state;
    for (uint32_t n = 1; n < 40; n++) {
        char *text = whole(&(struct words){.seed = n, .n = n, .stop = n % 2});
        for (size_t i = 0; i < WORDS_CHARS(n); i++) {
            char c = text[i];
            if (i % 4 != 3)
                assert_in_range(c, 'a', 'z');
            else
                assert_int_equal(c, n % 2 && i + 1 == WORDS_CHARS(n) ? '.' : ' ');
        }
        free(text);
    }
}

/* The words of a seed are those of every release: block texts must meet what servers have in their caches. */
static void test_known(void **state)
{
    (void)state;
    static const struct {
        uint64_t seed;
        const char *text;
    } ROWS[] = {{1, "six day sly out hip ran cab red zip dog bay dad "},
                {UINT64_C(0x706c6174656175), "sat toe jam low but put sew art sun war use hub "}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        char *text = whole(&(struct words){.seed = ROWS[i].seed, .n = 12});
        assert_memory_equal(text, ROWS[i].text, WORDS_CHARS(12));
        free(text);
    }
}

static int by_word(const void *a, const void *b)
{
    return memcmp(a, b, 4);
}

/* Each 256 words of an even text hold every word once, in an order of their own. */
static void test_even(void **state)
{
    (void)state;
    enum { DECKS = 40, CHARS = 1024 };
    char *text = whole(&(struct words){.seed = 9, .n = 256 * DECKS, .even = true}), *seen = malloc(CHARS * DECKS);
    assert_non_null(seen);
    memcpy(seen, text, (size_t)CHARS * DECKS);
    for (size_t i = 0; i < DECKS; i++) {
        char *deck = text + i * CHARS;
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(seen + i * CHARS, seen + k * CHARS, 32);
        qsort(deck, 256, 4, by_word);
        for (size_t k = 1; k < 256; k++)
            assert_true(memcmp(deck + 4 * k, deck + 4 * k - 4, 4) > 0);
        assert_memory_equal(deck, text, CHARS);
    }
    free(seen);
    free(text);
}

/* Any cut gives the same text, also where pieces are read over. */
static void cut(bool even)
{
    const struct words w = {.seed = 5, .n = 1001, .stop = true, .even = even};
    char *text = whole(&w), piece[300];
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 200; round++) {
        struct words_at at;
        words_begin(&at, &w);
        for (size_t from = 0; from < WORDS_CHARS(w.n);) {
            size_t n = 1 + rng_below(&r, round % 2 ? sizeof piece : 40), left = WORDS_CHARS(w.n) - from;
            bool over = rng_below(&r, 3) == 0;
            size_t got = words_read(&at, &w, over ? NULL : piece, n);
            assert_int_equal(got, n < left ? n : left);
            if (!over) assert_memory_equal(piece, text + from, got);
            from += got;
        }
    }
    free(text);
}

static void test_pieces(void **state)
{
    (void)state;
    cut(false);
    cut(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_form), cmocka_unit_test(test_known),
                                       cmocka_unit_test(test_even), cmocka_unit_test(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
