#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/rng.h"
#include "common/shard.h"

enum { PARTS = 64, TRIALS = 60 };

static struct shard whole_of(struct plan_stage stage, uint64_t seed)
{
    struct plan p = {.drain_ns = 5};
    struct shard s;
    struct err e = {0};
    if (stage.duration_ns == 0 && stage.requests == 0) stage.duration_ns = INT64_C(10000000000);
    if (shard_whole(&p, &stage, seed, &s, &e)) fail_msg("%s", e.text);
    return s;
}

static void clear_all(struct shard *s, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        shard_clear(&s[i]);
}

static void random_weights(struct rng *r, uint32_t *w, uint32_t n)
{
    static const uint64_t SPREAD[] = {1, 2, 10, 5000, UINT32_MAX};
    uint64_t most = SPREAD[rng_below(r, 5)];
    for (uint32_t i = 0; i < n; i++)
        w[i] = 1 + (uint32_t)rng_below(r, most);
}

static void test_largest_remainder(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int t = 0; t < 2000; t++) {
        uint32_t n = 1 + (uint32_t)rng_below(&r, PARTS), w[PARTS];
        uint64_t out[PARTS], total = rng_u64(&r) >> rng_below(&r, 64), sum = 0, weights = 0;
        random_weights(&r, w, n);
        if (n > 1) w[rng_below(&r, n - 1)] = 0;
        for (uint32_t i = 0; i < n; i++)
            weights += w[i];
        shard_largest_remainder(total, w, n, out);
        for (uint32_t i = 0; i < n; i++) {
            sum += out[i];
            long double exact = (long double)total * w[i] / (long double)weights;
            assert_true(fabsl((long double)out[i] - exact) < 1.0L + exact * 1e-15L);
            if (w[i] == 0) assert_int_equal(out[i], 0);
        }
        assert_int_equal(sum, total);
    }
    uint64_t out[3];
    shard_largest_remainder(7, (uint32_t[]){1, 1, 1}, 3, out);
    assert_true(out[0] == 3 && out[1] == 2 && out[2] == 2);
    shard_largest_remainder(10, (uint32_t[]){6, 3, 1}, 3, out);
    assert_true(out[0] == 6 && out[1] == 3 && out[2] == 1);
}

/* Slots and requests of parts add up, ranges of slots touch, and nobody has requests without a slot. */
static void check_closed(const struct shard *whole, const struct shard *part, uint32_t n)
{
    uint64_t slots = 0, requests = 0;
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(part[i].slot_first, whole->slot_first + slots);
        assert_int_equal(part[i].slots_all, whole->slots_all);
        slots += part[i].slots;
        requests += part[i].requests;
        if (part[i].slots == 0) assert_int_equal(part[i].requests, 0);
        assert_int_equal(shard_check(&part[i], NULL), 0);
    }
    assert_int_equal(slots, whole->slots);
    assert_int_equal(requests, whole->requests);
}

static void test_closed_two_levels(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (int t = 0; t < 300; t++) {
        struct plan_stage stage = {.kind = LOAD_CLOSED,
                                   .concurrency = 1 + (uint32_t)rng_below(&r, t % 2 ? 20 : 100000),
                                   .requests = rng_below(&r, 3) ? rng_below(&r, 100000) : 0};
        struct shard whole = whole_of(stage, 7), part[PARTS], worker[4];
        uint32_t n = 1 + (uint32_t)rng_below(&r, PARTS), w[PARTS];
        random_weights(&r, w, n);
        assert_int_equal(shard_split(&whole, w, n, 0, part, NULL), 0);
        check_closed(&whole, part, n);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(shard_split(&part[i], (uint32_t[]){1, 1, 1, 1}, 4, part[i].part * 1024, worker, NULL), 0);
            check_closed(&part[i], worker, 4);
            assert_int_equal(worker[3].part, i * 1024 + 3);
            clear_all(worker, 4);
        }
        clear_all(part, n);
        shard_clear(&whole);
    }
}

/* Marks each own position of `s` in a cycle of `cycle`; returns how many. */
static uint32_t mark(const struct shard *s, uint32_t cycle, uint8_t *seen)
{
    uint32_t n = 0;
    assert_int_equal(cycle % s->cycle, 0);
    for (uint32_t turn = 0; turn < cycle; turn += s->cycle)
        for (uint32_t i = 0; i < s->n_turns; i++, n++)
            seen[turn + s->turns[i]]++;
    return n;
}

static void check_partition(const struct shard *whole, const struct shard *part, uint32_t n, bool spread)
{
    static uint8_t seen[SHARD_CYCLE_MAX], all[SHARD_CYCLE_MAX];
    uint32_t cycle = part[0].cycle;
    memset(seen, 0, sizeof seen);
    memset(all, 0, sizeof all);
    mark(whole, cycle, all);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(part[i].cycle, cycle);
        assert_int_equal(part[i].seed, whole->seed);
        if (shard_check(&part[i], NULL)) fail();
        uint32_t own = mark(&part[i], cycle, seen);
        if (spread && own > 1) /* even: neighbouring own arrivals are about the mean gap apart */
            for (uint32_t k = 1; k < part[i].n_turns; k++)
                assert_true(part[i].turns[k] - part[i].turns[k - 1] <= 3 * (cycle / own + 1));
    }
    assert_memory_equal(seen, all, cycle); /* each position of the whole once, no other */
}

static void test_open_two_levels(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    for (int t = 0; t < TRIALS; t++) {
        struct plan_stage stage = {.kind = LOAD_OPEN,
                                   .rate_from = 100,
                                   .rate_to = 100,
                                   .max_concurrency = t % 3 ? 0 : 1 + (uint32_t)rng_below(&r, 100)};
        struct shard whole = whole_of(stage, 7), part[PARTS], worker[5];
        uint32_t n = 1 + (uint32_t)rng_below(&r, PARTS), w[PARTS], w2[5];
        random_weights(&r, w, n);
        if (shard_split(&whole, w, n, 0, part, NULL)) fail();
        check_partition(&whole, part, n, true);
        uint64_t slots = 0, sum = 0;
        for (uint32_t i = 0; i < n; i++)
            sum += w[i];
        for (uint32_t i = 0; i < n; i++) {
            slots += part[i].slots;
            if (whole.slots && part[i].slots == 0) assert_int_equal(part[i].n_turns, 0);
            if (!whole.slots)
                assert_true(fabs((double)part[i].n_turns / part[i].cycle - (double)w[i] / (double)sum) <=
                            1.0 / (SHARD_CYCLE_MAX / 2));
            random_weights(&r, w2, 5);
            if (shard_split(&part[i], w2, 5, 0, worker, NULL)) fail();
            check_partition(&part[i], worker, 5, false);
            clear_all(worker, 5);
        }
        assert_int_equal(slots, whole.slots);
        clear_all(part, n);
        shard_clear(&whole);
    }
}

static void test_equal_parts_alternate(void **state)
{
    (void)state;
    struct shard whole = whole_of((struct plan_stage){.kind = LOAD_OPEN, .rate_from = 1, .rate_to = 1}, 1), part[3];
    assert_int_equal(shard_split(&whole, (uint32_t[]){400, 400, 400}, 3, 0, part, NULL), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(part[i].cycle == 3 && part[i].n_turns == 1 && part[i].turns[0] == i);
    clear_all(part, 3);
    assert_int_equal(shard_split(&whole, (uint32_t[]){2, 1}, 2, 0, part, NULL), 0);
    assert_true(part[0].cycle == 3 && part[0].turns[0] == 0 && part[0].turns[1] == 2 && part[1].turns[0] == 1);
    clear_all(part, 2);
    shard_clear(&whole);
}

/* Who has each position, by the rule word for word: every part earns its weight, the first of those with the most pays
 * the sum. */
static void test_open_by_the_rule(void **state)
{
    (void)state;
    enum { MANY = 300, MOST = 4000 };
    struct rng r;
    rng_seed(&r, 6);
    for (int t = 0; t < 40; t++) {
        uint32_t n = 1 + (uint32_t)rng_below(&r, t % 2 ? MANY : 6), w[MANY], owner[MOST] = {0};
        uint64_t positions = 0;
        int64_t credit[MANY] = {0};
        for (uint32_t i = 0; i < n; i++) {
            w[i] = 1 + (uint32_t)rng_below(&r, t % 3 ? 3 : 13);
            positions += w[i];
        }
        struct shard whole = whole_of((struct plan_stage){.kind = LOAD_OPEN, .rate_from = 10, .rate_to = 10}, 1);
        struct shard part[MANY];
        struct err e;
        assert_int_equal(shard_split(&whole, w, n, 0, part, &e), 0);
        positions = part[0].cycle; /* the weights, by what they have in common */
        assert_true(positions <= MOST);
        for (uint64_t p = 0; p < positions; p++)
            owner[p] = MANY;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t k = 0; k < part[i].n_turns; k++) {
                assert_true(part[i].turns[k] < positions && owner[part[i].turns[k]] == MANY);
                owner[part[i].turns[k]] = i;
            }
        for (uint64_t p = 0; p < positions; p++) {
            uint32_t best = 0;
            for (uint32_t i = 0; i < n; i++) {
                credit[i] += part[i].n_turns;
                if (credit[i] > credit[best]) best = i;
            }
            credit[best] -= (int64_t)positions;
            assert_int_equal(owner[p], best);
        }
        clear_all(part, n);
        shard_clear(&whole);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    struct plan p = {0};
    struct shard s;
    const struct {
        struct plan_stage stage;
        const char *why;
    } BAD[] = {
        {{.kind = LOAD_CLOSED, .duration_ns = 1}, "without slots"},
        {{.kind = LOAD_CLOSED, .concurrency = 1}, "neither a duration"},
        {{.kind = LOAD_OPEN, .duration_ns = 1}, "impossible rate"},
        {{.kind = LOAD_OPEN, .duration_ns = 1, .rate_from = -1, .rate_to = 2}, "impossible rate"},
        {{.kind = LOAD_OPEN, .duration_ns = 1, .rate_from = (double)NAN, .rate_to = 2}, "impossible rate"},
        {{.kind = LOAD_OPEN, .duration_ns = 1, .rate_from = (double)INFINITY, .rate_to = 2}, "impossible rate"},
        {{.kind = LOAD_OPEN, .requests = 1, .rate_from = 1, .rate_to = 2}, "needs a duration"},
        {{.kind = LOAD_OPEN, .duration_ns = 1, .rate_from = 1, .rate_to = 1, .arrivals = ARRIVALS_GAMMA}, "burstiness"},
        {{.kind = LOAD_OPEN, .duration_ns = -1, .rate_from = 1, .rate_to = 1}, "impossible time"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct err e = {0};
        assert_int_equal(shard_whole(&p, &BAD[i].stage, 0, &s, &e), -1);
        if (!strstr(e.text, BAD[i].why)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, BAD[i].why);
        assert_null(s.turns);
    }
    struct shard whole = whole_of((struct plan_stage){.kind = LOAD_OPEN, .rate_from = 1, .rate_to = 1}, 1), part[2];
    assert_int_equal(shard_split(&whole, (uint32_t[]){1, 0}, 2, 0, part, NULL), -1);
    assert_int_equal(shard_split(&whole, NULL, 0, 0, part, NULL), -1);
    whole.turns[0] = 1;
    assert_int_equal(shard_check(&whole, NULL), -1);
    shard_clear(&whole);
    shard_clear(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_largest_remainder), cmocka_unit_test(test_closed_two_levels),
        cmocka_unit_test(test_open_two_levels),   cmocka_unit_test(test_equal_parts_alternate),
        cmocka_unit_test(test_open_by_the_rule),  cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
