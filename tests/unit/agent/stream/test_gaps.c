#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/stream/gaps.h"
#include "common/rng.h"

static void test_order_and_escapes(void **state)
{
    (void)state;
    static const struct gap values[] = {
        {0, 1},        {1, 1},     {4294967294, 1}, {4294967295, 1}, {4294967296, 1},
        {20000000, 4}, {0, 65536}, {INT64_MAX, 1},  {INT64_MAX, 7},  {3600000000000, UINT32_MAX},
    };
    struct gap_pool *pool = gap_pool_new(1000, 0, NULL);
    struct gaps g;
    gaps_init(&g, pool);
    for (uint32_t n = 1; n < 3 * GAP_CHUNK_WORDS; n++) { /* escapes fall on every place of a chunk's end */
        struct rng r;
        rng_seed(&r, n);
        for (uint32_t i = 0; i < n; i++) {
            const struct gap *v = &values[rng_below(&r, sizeof values / sizeof *values)];
            gaps_put(&g, v->ns, v->tokens);
        }
        assert_int_equal(g.n, n);
        assert_int_equal(g.lost, 0);
        rng_seed(&r, n);
        struct gap_iter it;
        struct gap gap;
        gaps_begin(&it, &g);
        for (uint32_t i = 0; i < n; i++) {
            const struct gap *v = &values[rng_below(&r, sizeof values / sizeof *values)];
            assert_true(gaps_next(&it, &gap));
            assert_true(gap.ns == v->ns && gap.tokens == v->tokens);
        }
        assert_false(gaps_next(&it, &gap));
        /* the same, runs of plain ones at once */
        rng_seed(&r, n);
        gaps_begin(&it, &g);
        for (uint32_t i = 0; i < n;) {
            const uint32_t *words = NULL;
            size_t run = gaps_run(&it, &words);
            assert_true(run <= n - i);
            for (size_t k = 0; k < run; k++) {
                const struct gap *v = &values[rng_below(&r, sizeof values / sizeof *values)];
                assert_true(v->tokens == 1 && v->ns == words[k]);
            }
            i += (uint32_t)run;
            if (run > 0 || i == n) continue;
            const struct gap *v = &values[rng_below(&r, sizeof values / sizeof *values)];
            assert_true(gaps_next(&it, &gap));
            assert_true(gap.ns == v->ns && gap.tokens == v->tokens);
            i++;
        }
        const uint32_t *none;
        assert_int_equal(gaps_run(&it, &none), 0);
        assert_false(gaps_next(&it, &gap));
        gaps_clear(&g);
        assert_int_equal(g.n, 0);
        assert_int_equal(pool->chunks.out, 0);
    }
    gap_pool_destroy(&pool);
    assert_null(pool);
}

static void test_backwards_is_nought(void **state)
{
    (void)state;
    struct gap_pool *pool = gap_pool_new(1, 0, NULL);
    struct gaps g;
    struct gap_iter it;
    struct gap gap;
    gaps_init(&g, pool);
    gaps_begin(&it, &g);
    assert_false(gaps_next(&it, &gap));
    gaps_put(&g, -5, 1);
    gaps_put(&g, -5, 2);
    gaps_begin(&it, &g);
    assert_true(gaps_next(&it, &gap));
    assert_int_equal(gap.ns, 0);
    assert_true(gaps_next(&it, &gap));
    assert_int_equal(gap.ns, 0);
    assert_int_equal(gap.tokens, 2);
    gaps_clear(&g);
    gap_pool_destroy(&pool);
}

/* What was foreseen needs no further memory; more is taken and counted. */
static void test_growth_is_counted(void **state)
{
    (void)state;
    struct gap_pool *pool = gap_pool_new(1000000, 1, NULL);
    struct gaps g[100];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            gaps_init(&g[i], pool);
        for (int k = 0; k < 10000; k++)
            gaps_put(&g[k % 100], k, 1);
        for (int i = 0; i < 100; i++)
            gaps_clear(&g[i]);
    }
    assert_int_equal(gap_pool_grown(pool), 0);
    gaps_init(&g[0], pool);
    for (uint64_t k = 0; k <= pool->chunks.per_slab * (uint64_t)GAP_CHUNK_WORDS * 5; k++)
        gaps_put(&g[0], 7, 1);
    assert_int_equal(pool->chunks.grown, pool->chunks.made / pool->chunks.per_slab - 4);
    assert_true(gap_pool_grown(pool) > 0);
    gaps_clear(&g[0]);
    gap_pool_destroy(&pool);
}

/* Streams hold whole chunks: room for the gaps alone is not enough, room for one more chunk a stream is. */
static void test_room_for_streams(void **state)
{
    (void)state;
    enum { STREAMS = 5000, TOKENS = 8 };
    struct gap_pool *pool = gap_pool_new((uint64_t)STREAMS * (TOKENS + GAP_CHUNK_WORDS), 1, NULL);
    struct gaps *g = calloc(STREAMS, sizeof *g);
    assert_non_null(g);
    for (int i = 0; i < STREAMS; i++)
        gaps_init(&g[i], pool);
    for (int k = 0; k < STREAMS * TOKENS; k++)
        gaps_put(&g[k % STREAMS], k, 1);
    assert_int_equal(gap_pool_grown(pool), 0);
    for (int i = 0; i < STREAMS; i++)
        gaps_clear(&g[i]);
    free(g);
    gap_pool_destroy(&pool);
}

static void test_slab_blocks_are_apart(void **state)
{
    (void)state;
    struct slab b;
    unsigned char *block[40];
    assert_int_equal(slab_init(&b, 48, 8, 9, NULL), 0);
    assert_int_equal(b.made, 16);
    for (int i = 0; i < 40; i++) {
        block[i] = slab_take(&b);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        for (int k = 0; k < 48; k++)
            block[i][k] = (unsigned char)i;
    }
    assert_int_equal(b.out, 40);
    assert_int_equal(b.grown, 3);
    for (int i = 0; i < 40; i++)
        for (int k = 0; k < 48; k++)
            assert_int_equal(block[i][k], i);
    for (int i = 0; i < 40; i++)
        slab_give(&b, block[i]);
    assert_int_equal(b.out, 0);
    for (int i = 0; i < 40; i++)
        assert_non_null(slab_take(&b));
    assert_int_equal(b.grown, 3);
    slab_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_escapes),     cmocka_unit_test(test_backwards_is_nought),
        cmocka_unit_test(test_growth_is_counted),     cmocka_unit_test(test_room_for_streams),
        cmocka_unit_test(test_slab_blocks_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
