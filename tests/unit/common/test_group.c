#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/group.h"
#include "common/rng.h"

enum { WORKLOADS = 3, MODELS = 70, AGENTS = 7, REQUESTS = 2000 };

static void record(struct groups *g, uint32_t workload, uint32_t model, int64_t ttft)
{
    struct mix_group *in[] = {groups_find(g, GROUP_WORKLOAD, workload), groups_find(g, GROUP_MODEL, model)};
    for (int k = 0; k < 2; k++) {
        assert_non_null(in[k]);
        groups_count(in[k], COUNTER_WIN_OK, 1);
        groups_count(in[k], COUNTER_READS, 1); /* no group keeps it */
        groups_sample(in[k], METRIC_TTFT, ttft, 1);
        groups_sample(in[k], METRIC_LAG, ttft, 1);
    }
}

static void assert_groups_equal(const struct groups *a, const struct groups *b)
{
    assert_int_equal(a->n, b->n);
    for (uint32_t i = 0; i < a->n; i++) {
        const struct mix_group *x = &a->row[i], *y = &b->row[i];
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->number, y->number);
        assert_memory_equal(x->counters, y->counters, sizeof x->counters);
        for (int m = 0; m < GROUP_METRIC_N; m++) {
            bool some = x->hist[m] && x->hist[m]->count;
            assert_int_equal(some, y->hist[m] && y->hist[m]->count);
            if (some) assert_true(hist_equal(x->hist[m], y->hist[m]));
        }
    }
}

static void through_the_wire(const struct groups *from, struct groups *to)
{
    struct buf b = BUF_INIT(1 << 22);
    struct err e = {0};
    assert_int_equal(groups_encode(from, &b), 0);
    struct unpack u = {(const uint8_t *)b.data, (const uint8_t *)b.data + b.len}, past = u;
    if (groups_decode(&u, to, &e)) fail_msg("%s", e.text);
    assert_ptr_equal(u.at, u.end);
    assert_int_equal(groups_decode(&past, NULL, &e), 0);
    assert_ptr_equal(past.at, past.end);
    buf_clear(&b);
}

/* Requests that fall to agents by chance, sent over the wire and added up in any order, are what one recorder has;
 * those of a kind together are the whole. */
static void test_adds_up(void **state)
{
    (void)state;
    struct groups one = {0}, part[AGENTS] = {{0}}, sum = {0}, whole = {0};
    struct hist *all = hist_new();
    struct rng r;
    rng_seed(&r, 11);
    assert_int_equal(groups_reserve(&one, WORKLOADS, MODELS), 0);
    assert_int_equal(one.n, WORKLOADS + GROUPS_OF_A_KIND + 1);
    for (int a = 0; a < AGENTS; a++)
        assert_int_equal(groups_reserve(&part[a], WORKLOADS, MODELS), 0);
    for (int i = 0; i < REQUESTS; i++) {
        uint32_t load = (uint32_t)rng_below(&r, WORKLOADS), model = (uint32_t)rng_below(&r, MODELS);
        int64_t ttft = (int64_t)(1e7 * rng_exp(&r));
        record(&one, load, model, ttft);
        record(&part[rng_below(&r, AGENTS)], load, model, ttft);
        assert_int_equal(hist_record(all, ttft, 1), 0);
    }
    for (int a = AGENTS; a-- > 0;) {
        struct groups got = {0};
        through_the_wire(&part[a], &got);
        assert_int_equal(groups_add(&sum, &got), 0);
        groups_clear(&got);
    }
    through_the_wire(&one, &whole);
    assert_groups_equal(&sum, &whole);
    for (int k = 0; k < GROUP_KIND_N; k++) {
        struct hist *kind = hist_new();
        uint64_t n = 0;
        for (uint32_t i = 0; i < sum.n; i++) {
            if (sum.row[i].kind != (enum group_kind)k) continue;
            n += sum.row[i].counters[GROUP_COUNT_WIN_OK];
            assert_int_equal(hist_merge(kind, sum.row[i].hist[GROUP_METRIC_TTFT]), 0);
        }
        assert_int_equal(n, REQUESTS);
        assert_true(hist_equal(kind, all));
        hist_destroy(&kind);
    }
    const struct mix_group *others = groups_find(&sum, GROUP_MODEL, 69);
    assert_ptr_equal(others, groups_find(&sum, GROUP_MODEL, GROUP_OTHERS));
    hist_destroy(&all);
    groups_clear(&one);
    groups_clear(&sum);
    groups_clear(&whole);
    for (int a = 0; a < AGENTS; a++)
        groups_clear(&part[a]);
}

/* One workload and one model are the whole: no group. Another plan on the same agent has other groups. */
static void test_reserve(void **state)
{
    (void)state;
    struct groups g = {0};
    assert_int_equal(groups_reserve(&g, 1, 1), 0);
    assert_int_equal(g.n, 0);
    assert_null(groups_find(&g, GROUP_WORKLOAD, 0));
    assert_int_equal(groups_reserve(&g, 1, 3), 0);
    assert_int_equal(g.n, 3);
    groups_clear(&g);
}

static void test_reset_keeps_memory(void **state)
{
    (void)state;
    struct groups g = {0}, back = {0};
    assert_int_equal(groups_reserve(&g, 2, 2), 0);
    record(&g, 1, 0, 5000000);
    const struct hist *was = g.row[1].hist[GROUP_METRIC_TTFT];
    groups_reset(&g);
    assert_int_equal(g.n, 4);
    assert_ptr_equal(g.row[1].hist[GROUP_METRIC_TTFT], was);
    through_the_wire(&g, &back);
    assert_int_equal(back.n, 0); /* nothing is sent of what is empty */
    assert_int_equal(groups_reserve(&g, 2, 5), 0);
    assert_int_equal(g.n, 7);
    groups_clear(&g);
}

/* Bytes cut off anywhere, and any byte turned: refused, or read as something that is within bounds. */
static void test_hostile(void **state)
{
    (void)state;
    struct groups g = {0};
    struct buf b = BUF_INIT(1 << 20);
    struct rng r;
    rng_seed(&r, 3);
    assert_int_equal(groups_reserve(&g, 2, 3), 0);
    for (int i = 0; i < 50; i++)
        record(&g, (uint32_t)i % 2, (uint32_t)i % 3, i * 1000000);
    assert_int_equal(groups_encode(&g, &b), 0);
    for (size_t n = 0; n < b.len; n++) {
        struct groups got = {0};
        struct err e = {0};
        struct unpack u = {(const uint8_t *)b.data, (const uint8_t *)b.data + n};
        assert_int_equal(groups_decode(&u, &got, &e), -1);
        assert_true(e.text[0] != '\0');
        groups_clear(&got);
    }
    for (int i = 0; i < 2000; i++) {
        struct groups got = {0};
        struct err e = {0};
        size_t at = (size_t)rng_below(&r, b.len);
        unsigned char was = (unsigned char)b.data[at];
        b.data[at] = (__typeof__(b.data[at]))rng_below(&r, 256);
        struct unpack u = {(const uint8_t *)b.data, (const uint8_t *)b.data + b.len};
        if (groups_decode(&u, &got, &e) == 0) assert_true(got.n <= GROUP_KIND_N * (GROUPS_OF_A_KIND + 1));
        b.data[at] = (__typeof__(b.data[at]))was;
        groups_clear(&got);
    }
    groups_clear(&g);
    buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds_up),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_reset_keeps_memory),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
