#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/tree.h"
#include "common/rng.h"

enum { NODES_MAX = 60, EDGES_MAX = 600 };

struct made {
    struct tree_node_data node[NODES_MAX];
    uint32_t after[EDGES_MAX], n, n_after;
    struct buf bytes;
    struct corpus_record record;
};

static void seal(struct made *m)
{
    m->bytes = (struct buf)BUF_INIT(1 << 20);
    assert_int_equal(corpus_tree_write(m->node, m->n, m->after, m->n_after, 0, &m->bytes), 0);
    m->record = (struct corpus_record){.tree = (const uint8_t *)m->bytes.data, .tree_n = (uint32_t)m->bytes.len};
}

/* Each request waits for up to three earlier ones. */
static void make(struct made *m, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    memset(m, 0, sizeof *m);
    m->n = 1 + (uint32_t)rng_below(&r, NODES_MAX);
    for (uint32_t i = 0; i < m->n; i++) {
        struct tree_node_data *d = &m->node[i];
        *d = (struct tree_node_data){.at_ns = (int64_t)i * 1000,
                                     .wait_ns = (int64_t)rng_below(&r, 500),
                                     .input_tokens = 1,
                                     .output_tokens = 1,
                                     .base = TREE_NO_BASE,
                                     .thread = (uint32_t)rng_below(&r, 3) < i ? (uint32_t)rng_below(&r, 3) % m->n : 0,
                                     .turn = 1,
                                     .after_at = m->n_after};
        for (uint64_t k = rng_below(&r, 4); k > 0 && i > 0; k--) {
            m->after[m->n_after++] = (uint32_t)rng_below(&r, i);
            d->n_after++;
        }
    }
    seal(m);
}

/* Whatever the order in which requests end, and in which that is told: each begins once, exactly its wait after the
 * last of those it waits for. */
static void test_order(void **state)
{
    (void)state;
    struct trees t = {0};
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct made m;
        struct rng r;
        int64_t ended[NODES_MAX] = {0}, now = 1000000;
        struct tree_node *open[NODES_MAX];
        bool begun[NODES_MAX] = {false}, over = false;
        uint32_t n_open = 0, n_begun = 0;
        make(&m, seed);
        rng_seed(&r, seed + 1000);
        assert_non_null(trees_begin(&t, &m.record, 0, 0, now));
        int64_t began = now;
        while (!over) {
            struct tree_node *n;
            int64_t next = trees_next(&t);
            if (n_open == 0 || rng_below(&r, 2)) {
                assert_true(next < INT64_MAX || n_open > 0);
                if (next < INT64_MAX && next > now) now = next;
            }
            for (; (next = trees_next(&t)) <= now; n_begun++) {
                assert_non_null(n = trees_due(&t, now));
                const struct tree_node_data *d = &m.node[n->index];
                int64_t ready = d->n_after ? 0 : began;
                assert_false(begun[n->index]);
                begun[n->index] = true;
                for (uint32_t k = 0; k < d->n_after; k++) {
                    int64_t at = ended[m.after[d->after_at + k]];
                    assert_true(at > 0);
                    if (at > ready) ready = at;
                }
                assert_int_equal(next, ready + d->wait_ns);
                open[n_open++] = n;
            }
            if (n_open == 0) continue;
            uint32_t which = (uint32_t)rng_below(&r, n_open);
            n = open[which];
            open[which] = open[--n_open];
            ended[n->index] = now - (int64_t)rng_below(&r, 300); /* seen late */
            over = trees_ended(&t, n, ended[n->index], 0);
        }
        assert_int_equal(n_begun, m.n);
        assert_int_equal(t.open, 1);
        trees_drop(&t, t.open_first);
        buf_clear(&m.bytes);
    }
    assert_int_equal(t.nodes, 0);
    trees_clear(&t);
}

/* From the middle: what lies before is left out, but for the latest of each agent that goes on; all that is left is
 * played. */
static void test_middle(void **state)
{
    (void)state;
    struct trees t = {0};
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct made m;
        bool expected[NODES_MAX] = {false}, begun[NODES_MAX] = {false}, over = false;
        make(&m, seed);
        double share = (double)(seed % 10) / 10;
        int64_t from = (int64_t)(share * (double)m.node[m.n - 1].at_ns), now = 5000;
        for (uint32_t i = 0; i < m.n; i++) {
            bool goes_on = false, latest = true;
            for (uint32_t k = 0; k < m.n; k++) {
                if (m.node[k].thread != m.node[i].thread) continue;
                goes_on |= m.node[k].at_ns >= from;
                latest &= k <= i || m.node[k].at_ns >= from;
            }
            expected[i] = m.node[i].at_ns >= from || (goes_on && latest);
        }
        assert_non_null(trees_begin(&t, &m.record, share, 0, now));
        while (!over) {
            struct tree_node *n = trees_due(&t, INT64_MAX - 1);
            assert_non_null(n);
            assert_false(begun[n->index]);
            begun[n->index] = true;
            over = trees_ended(&t, n, now += 10, 0);
        }
        assert_memory_equal(begun, expected, m.n * sizeof *begun);
        trees_drop(&t, t.open_first);
        buf_clear(&m.bytes);
    }
    trees_clear(&t);
}

/* The id of block `i` of a node's prompt: of the node it was new in. */
static uint32_t block_of(const struct made *m, uint32_t node, uint32_t i)
{
    const struct tree_node_data *d = &m->node[node];
    while (d->base != TREE_NO_BASE && i < d->shared)
        d = &m->node[d->base];
    return d->own_at + i - (d->base == TREE_NO_BASE ? 0 : d->shared);
}

/* Whatever went out before, in whatever order, and from wherever in the tree: what of a prompt an earlier one had. */
static void test_told(void **state)
{
    (void)state;
    struct trees t = {0};
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct made m;
        struct rng r;
        uint32_t blocks[NODES_MAX], sent[NODES_MAX], n = 0, own = 0;
        bool over = false;
        make(&m, seed);
        buf_clear(&m.bytes);
        rng_seed(&r, seed + 77);
        for (uint32_t i = 0; i < m.n; i++) {
            struct tree_node_data *d = &m.node[i];
            if (i > 0 && rng_below(&r, 8)) {
                d->base = (uint32_t)rng_below(&r, i);
                d->shared = (uint32_t)rng_below(&r, blocks[d->base] + 1);
            }
            d->own_at = own;
            own += d->own_n = (uint32_t)rng_below(&r, 5);
            blocks[i] = corpus_tree_blocks(d);
        }
        seal(&m);
        m.record.n_blocks = own;
        assert_non_null(trees_begin(&t, &m.record, (double)(seed % 4) / 4, 0, 1000));
        while (!over) {
            struct tree_node *node = trees_due(&t, INT64_MAX - 1);
            uint32_t best = 0, all = blocks[node->index];
            for (uint32_t k = 0; k < n; k++) {
                uint32_t same = 0;
                while (same < all && same < blocks[sent[k]] &&
                       block_of(&m, node->index, same) == block_of(&m, sent[k], same))
                    same++;
                if (same > best) best = same;
            }
            assert_int_equal(trees_tell(node), best);
            sent[n++] = node->index;
            over = trees_ended(&t, node, 2000, 0);
        }
        trees_drop(&t, t.open_first);
        buf_clear(&m.bytes);
    }
    trees_clear(&t);
}

/* A failed request lets those after it begin, no sooner than the pause. */
static void test_pause(void **state)
{
    (void)state;
    struct trees t = {0};
    struct made m = {.n = 2, .n_after = 1};
    m.node[0] = (struct tree_node_data){.output_tokens = 1, .base = TREE_NO_BASE, .turn = 1};
    m.node[1] =
        (struct tree_node_data){.output_tokens = 1, .base = TREE_NO_BASE, .turn = 2, .n_after = 1, .wait_ns = 5};
    seal(&m);
    assert_non_null(trees_begin(&t, &m.record, 0, 0, 100));
    struct tree_node *n = trees_due(&t, 100);
    assert_non_null(n);
    assert_false(trees_ended(&t, n, 200, 1000));
    assert_int_equal(trees_next(&t), 1200);
    trees_restart(&t); /* the stage ends meanwhile */
    assert_int_equal(trees_next(&t), INT64_MAX);
    trees_clear(&t);
    buf_clear(&m.bytes);
}

/* Lanes that hold: what warms the cache is due at once, and all that follows when the hold is over, each with what is
 * left of its pause at the moment at which its tree began. */
static void test_hold(void **state)
{
    (void)state;
    struct trees t = {0};
    struct made m = {.n = 4, .n_after = 2};
    struct tree_node_data base = {.output_tokens = 1, .base = TREE_NO_BASE, .turn = 1};
    m.node[0] = m.node[1] = m.node[2] = m.node[3] = base;
    m.node[1].at_ns = 70, m.node[1].thread = 1; /* another agent, begun after nobody */
    m.node[2].at_ns = 100, m.node[2].n_after = 1, m.node[2].after_at = 0, m.node[2].wait_ns = 90;
    m.node[3].at_ns = 100, m.node[3].thread = 1, m.node[3].n_after = 1, m.node[3].after_at = 1, m.node[3].wait_ns = 7;
    m.after[0] = 0;
    m.after[1] = 1;
    seal(&m);
    for (int late = 0; late < 2; late++) {
        struct session_tree *k = trees_begin(&t, &m.record, 0.6, 1000, 500);
        assert_non_null(k);
        assert_int_equal(k->warming, 1);
        struct tree_node *n = trees_due(&t, 500);
        assert_non_null(n);
        assert_int_equal(n->index, 0);
        assert_null(trees_due(&t, 999));
        assert_false(trees_ended(&t, n, late ? 1500 : 600, 0));
        assert_int_equal(k->warming, 0);
        n = trees_due(&t, 1010); /* 70 - 60 after the hold */
        assert_non_null(n);
        assert_int_equal(n->index, 1);
        assert_int_equal(trees_next(&t), late ? 1590 : 1040); /* of a pause of 90 the last 40; late: as recorded */
        assert_false(trees_ended(&t, n, 1100, 0));
        assert_non_null(n = trees_due(&t, 1107));
        assert_int_equal(n->index, late ? 3 : 2);
        trees_drop(&t, k);
    }
    trees_clear(&t);
    buf_clear(&m.bytes);
}

/* Bytes of anybody: cut off anywhere or with a byte turned they are refused, or make a tree whose numbers are in
 * bounds. */
static void test_hostile(void **state)
{
    (void)state;
    struct made m;
    struct rng r;
    rng_seed(&r, 9);
    make(&m, 5);
    for (uint32_t n = 0; n < m.record.tree_n; n++) {
        struct corpus_tree t;
        assert_false(corpus_tree_open(&(struct corpus_record){.tree = m.record.tree, .tree_n = n}, &t));
    }
    for (int i = 0; i < 5000; i++) {
        struct trees t = {0};
        size_t at = (size_t)rng_below(&r, m.bytes.len);
        __typeof__(m.bytes.data[0]) was = m.bytes.data[at];
        m.bytes.data[at] = (__typeof__(was))rng_below(&r, 256);
        struct session_tree *k = trees_begin(&t, &m.record, 0.5, 0, 0);
        for (struct tree_node *n; k && (n = trees_due(&t, INT64_MAX - 1)) != NULL;)
            if (trees_ended(&t, n, 1, 0)) trees_drop(&t, k), k = NULL;
        trees_clear(&t);
        m.bytes.data[at] = was;
    }
    buf_clear(&m.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order), cmocka_unit_test(test_middle), cmocka_unit_test(test_told),
        cmocka_unit_test(test_pause), cmocka_unit_test(test_hold),   cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
