/* A corpus: what is written is read, and bytes that nobody wrote do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/corpus.h"
#include "tests/unit/corpus_walk.h"

static FILE *make(char hash[CORPUS_HASH_HEX])
{
    static const struct corpus_message TALK[] = {
        {ROLE_SYSTEM, "be brief", 8}, {ROLE_USER, "a\0b", 3}, {ROLE_ASSISTANT, "", 0}};
    static const uint32_t BLOCKS[] = {7, 0, UINT32_MAX};
    const struct corpus_record records[] = {
        {.n_messages = 3, .output_tokens = 5},
        {.at_ns = INT64_C(1) << 60,
         .input_tokens = 1200,
         .output_tokens = 9,
         .n_blocks = 3,
         .block_tokens = 512,
         .repeated_tokens = 1024},
        {.body = "{\"messages\":[]}", .output_tokens = 1},
        {.input_tokens = 1},
    };
    struct err e = {.text = ""};
    FILE *f = tmpfile();
    assert_non_null(f);
    struct corpus_writer *w = corpus_writer_new(f, &e);
    assert_non_null(w);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(corpus_write(w, &records[i], TALK, BLOCKS, &e), 0);
    assert_int_equal(corpus_finish(w, hash, &e), 0);
    corpus_writer_destroy(&w);
    return f;
}

static void reads_back(void **state)
{
    (void)state;
    char hash[CORPUS_HASH_HEX], again[CORPUS_HASH_HEX];
    struct err e = {.text = ""};
    FILE *f = make(hash), *g = make(again);
    assert_string_equal(hash, again); /* the same requests have the same name */
    struct corpus *c = corpus_open(fileno(f), &e);
    assert_non_null(c);
    (void)fclose(f);
    (void)fclose(g);
    assert_int_equal(corpus_count(c), 4);
    assert_true(corpus_is(c, hash));
    again[5] = again[5] == '0' ? '1' : '0';
    assert_false(corpus_is(c, again));
    struct corpus_record r;
    struct corpus_message m;
    size_t at = 0;
    assert_int_equal(corpus_get(c, 0, &r), 0);
    assert_true(r.n_messages == 3 && r.output_tokens == 5 && r.input_tokens == 0 && !r.body && r.n_blocks == 0);
    assert_true(corpus_message(&r, &at, &m));
    assert_string_equal(corpus_role_name(m.role), "system");
    assert_memory_equal(m.text, "be brief", m.len);
    assert_true(corpus_message(&r, &at, &m));
    assert_int_equal(m.len, 3);
    assert_memory_equal(m.text, "a\0b", 3);
    assert_true(corpus_message(&r, &at, &m));
    assert_int_equal(m.len, 0);
    assert_int_equal(m.role, ROLE_ASSISTANT);
    assert_false(corpus_message(&r, &at, &m));
    assert_int_equal(corpus_get(c, 1, &r), 0);
    assert_true(r.at_ns == INT64_C(1) << 60 && r.input_tokens == 1200 && r.block_tokens == 512 && r.n_blocks == 3);
    assert_int_equal(r.repeated_tokens, 1024);
    assert_true(corpus_block(&r, 0) == 7 && corpus_block(&r, 1) == 0 && corpus_block(&r, 2) == UINT32_MAX);
    assert_int_equal(corpus_get(c, 2, &r), 0);
    assert_string_equal(r.body, "{\"messages\":[]}");
    assert_int_equal(corpus_get(c, 3, &r), 0);
    assert_int_equal(corpus_get(c, 4, &r), -1);
    corpus_close(&c);
    assert_null(c);
    corpus_close(&c);
}

static void nothing_is_no_corpus(void **state)
{
    (void)state;
    char hash[CORPUS_HASH_HEX];
    struct err e = {.text = ""};
    FILE *f = tmpfile();
    assert_null(corpus_open(fileno(f), &e));
    struct corpus_writer *w = corpus_writer_new(f, &e);
    assert_int_equal(corpus_finish(w, hash, &e), -1);
    assert_string_equal(e.text, "no request is left");
    corpus_writer_destroy(&w);
    (void)fclose(f);
}

static void hostile_bytes(void **state)
{
    (void)state;
    char hash[CORPUS_HASH_HEX];
    FILE *f = make(hash);
    long size = ftell(f);
    uint8_t *good = malloc((size_t)size);
    rewind(f);
    assert_int_equal(fread(good, 1, (size_t)size, f), size);
    (void)fclose(f);
    f = tmpfile();
    int fd = fileno(f);
    for (long i = 0; i < size; i++)
        for (unsigned flip = 1; flip < 256; flip = flip * 2 + 1) {
            good[i] ^= (uint8_t)flip;
            assert_int_equal(pwrite(fd, good, (size_t)size, 0), size);
            struct corpus *c = corpus_open(fd, NULL);
            if (c) corpus_walk(c, 100);
            corpus_close(&c);
            good[i] ^= (uint8_t)flip;
        }
    for (long n = size - 1; n >= 0; n--) {
        assert_int_equal(ftruncate(fd, n), 0);
        struct corpus *c = corpus_open(fd, NULL);
        if (c) corpus_walk(c, 100);
        corpus_close(&c);
    }
    (void)fclose(f);
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_back), cmocka_unit_test(nothing_is_no_corpus),
                                       cmocka_unit_test(hostile_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
