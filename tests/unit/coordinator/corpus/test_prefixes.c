/* Which beginnings of prompts stood in earlier rows: against a search through all of them, token by token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "coordinator/corpus/prefixes.h"

enum { ROWS = 400, IDS = 8, BLOCK = 16 };

struct row {
    uint32_t ids[IDS], n, input;
};

/* Its token number i: of a block by the block's id, after them its own. */
static uint64_t token(const struct row *r, uint32_t number, uint32_t i)
{
    return i / BLOCK < r->n ? (uint64_t)r->ids[i / BLOCK] * BLOCK + i % BLOCK : UINT64_MAX - number;
}

static uint32_t alike(const struct row *rows, uint32_t a, uint32_t b)
{
    uint32_t i = 0;
    while (i < rows[a].input && i < rows[b].input && token(&rows[a], a, i) == token(&rows[b], b, i))
        i++;
    return i;
}

static void random_rows(void **state)
{
    (void)state;
    static struct row rows[ROWS];
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct prefixes p = {0};
        struct rng r;
        rng_seed(&r, seed);
        for (uint32_t i = 0; i < ROWS; i++) {
            struct row *row = &rows[i];
            row->n = (uint32_t)rng_below(&r, IDS + 1);
            for (uint32_t k = 0; k < row->n; k++)
                row->ids[k] = (uint32_t)rng_below(&r, 3);
            row->input = (uint32_t)rng_below(&r, BLOCK * (IDS + 1)); /* within a block, or beyond all */
            uint32_t best = 0;
            for (uint32_t k = 0; k < i; k++)
                if (alike(rows, i, k) > best) best = alike(rows, i, k);
            assert_int_equal(prefixes_take(&p, row->ids, row->n, BLOCK, row->input), best);
        }
        prefixes_clear(&p);
    }
}

/* The table grows, and forgets nothing. */
static void many_rows(void **state)
{
    (void)state;
    struct prefixes p = {0};
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < 100000; i++)
            assert_int_equal(prefixes_take(&p, (uint32_t[]){i, 7}, 2, 512, 1000), pass ? 1000 : 0);
    assert_int_equal(p.n, 200000);
    assert_true(p.n <= p.room / 4 * 3);
    prefixes_clear(&p);
    assert_null(p.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_rows), cmocka_unit_test(many_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
