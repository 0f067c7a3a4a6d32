/* Bodies that are made ahead share one room: while a request needs its bytes they stay as they were made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/ahead.h"
#include "agent/stage.h"

enum { PLACES = 100, ROUNDS = 20000, LONGEST = 300000 };

static void put_body(struct request *r, uint64_t seed, uint32_t words)
{
    payload_reset(&r->body);
    (void)buf_puts(&r->body.text, "{\"a\":\"");
    payload_put_words(&r->body, &(struct words){.seed = seed, .n = words}, 1);
    (void)buf_puts(&r->body.text, "\"}");
    assert_false(r->body.text.bad);
}

/* What the request would send is its text, made or not. */
static void check(const struct request *r, char *want, char *got)
{
    struct payload unmade = r->body;
    struct payload_rest a, b;
    unmade.made = NULL;
    payload_begin(&a, &unmade);
    payload_begin(&b, &r->body);
    size_t n = payload_read(&a, want, LONGEST * 8);
    assert_int_equal(payload_read(&b, got, LONGEST * 8), n);
    assert_memory_equal(got, want, n);
}

static void test_bytes_stay_while_they_are_needed(void **state)
{
    (void)state;
    static struct request places[PLACES];
    static struct payload_rest rest[PLACES]; /* of those that are sent in part */
    struct ahead *a = calloc(1, sizeof *a);
    char *want = malloc(LONGEST * 8), *got = malloc(LONGEST * 8);
    assert_true(a && want && got);
    struct rng rng;
    uint32_t made = 0, passes = 0;
    const char *before = NULL;
    rng_seed(&rng, 5);
    ahead_begin(a, &(struct shard){0});
    assert_true(a->on);
    for (uint32_t i = 0; i < PLACES; i++)
        places[i].body.text.max = 1000;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct request *r = &places[(round + rng_below(&rng, 8)) % PLACES];
        if (r->body.made && !r->transfer.open) { /* it is sent, in part or as a whole */
            check(r, want, got);
            r->transfer.open = true;
            r->transfer.written = rng_below(&rng, 4) ? 1 : 0;
            payload_begin(&rest[r - places], &r->body);
            (void)payload_read(&rest[r - places], NULL, 1000);
            continue;
        }
        if (r->transfer.open && r->transfer.written == 0) { /* the rest of it */
            check(r, want, got);
            size_t n = payload_size(&r->body);
            n -= n < 1000 ? n : 1000;
            assert_int_equal(payload_read(&rest[r - places], want, LONGEST * 8), n);
            assert_memory_equal(got + payload_size(&r->body) - n, want, n);
            r->transfer.written = 1;
            continue;
        }
        r->transfer.open = false; /* it ends, and its place is used again */
        r->transfer.written = 0;
        r->body.made = NULL;
        put_body(r, round, (uint32_t)rng_below(&rng, round % 50 ? 20000 : LONGEST));
        ahead_make(a, &r->body, &r->transfer);
        made += r->body.made != NULL;
        passes += r->body.made && r->body.made < before;
        if (r->body.made) before = r->body.made;
        check(r, want, got);
    }
    for (uint32_t i = 0; i < PLACES; i++) {
        check(&places[i], want, got);
        payload_clear(&places[i].body);
    }
    assert_true(made > 1000 && passes > 20); /* round and round */
    ahead_end(a);
    free(a);
    free(want);
    free(got);
}

/* A body that is larger than an eighth of the room is made as it is sent, and so is one without room. */
static void test_no_room(void **state)
{
    (void)state;
    struct ahead *a = calloc(1, sizeof *a);
    struct request *r = calloc(20, sizeof *r);
    assert_true(a && r);
    ahead_begin(a, &(struct shard){0});
    for (uint32_t i = 0; i < 20; i++) {
        r[i].body.text.max = 1000;
        put_body(&r[i], i, i == 0 ? LONGEST : 250000);
        ahead_make(a, &r[i].body, &r[i].transfer);
        assert_int_equal(r[i].body.made != NULL, i > 0 && i <= 8); /* eight of a megabyte */
    }
    ahead_end(a);
    for (uint32_t i = 0; i < 20; i++)
        payload_clear(&r[i].body);
    free(a);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_stay_while_they_are_needed),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
