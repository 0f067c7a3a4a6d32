#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "agent/outbox.h"
#include "common/rng.h"

static struct snapshot *make(uint64_t due, int64_t from, int64_t to)
{
    struct snapshot *s = snapshot_new(false);
    s->from_ns = from;
    s->to_ns = to;
    s->counters[COUNTER_DUE] = due;
    s->series_tokens = 1;
    s->hist[METRIC_ITL] = hist_new();
    assert_int_equal(hist_record(s->hist[METRIC_ITL], 1000000 + (int64_t)due * 1000, 1), 0);
    return s;
}

static void add(struct outbox *o, uint64_t due)
{
    struct snapshot *s = make(due, (int64_t)(due - 1) * 1000, (int64_t)due * 1000);
    assert_int_equal(outbox_add(o, s), 0);
    snapshot_destroy(&s);
}

static uint64_t send_all(struct outbox *o)
{
    uint64_t seq, n = 0;
    struct wire_bytes b;
    while (outbox_next(o, &seq, &b)) {
        outbox_sent(o, seq);
        n++;
    }
    return n;
}

static void test_window(void **state)
{
    struct outbox o = {0};
    (void)state;
    for (uint64_t i = 1; i <= 20; i++)
        add(&o, i);
    assert_int_equal(outbox_last(&o), OUTBOX_WINDOW);
    assert_int_equal(outbox_count(&o), OUTBOX_WINDOW + 1); /* sixteen are added up in one */
    assert_int_equal(send_all(&o), OUTBOX_WINDOW);
    assert_true(outbox_pending(&o));
    outbox_acknowledge(&o, OUTBOX_WINDOW + 1); /* never sent */
    assert_int_equal(outbox_count(&o), OUTBOX_WINDOW + 1);
    outbox_acknowledge(&o, 1);
    assert_int_equal(outbox_last(&o), OUTBOX_WINDOW + 1);
    assert_int_equal(send_all(&o), 1);
    assert_false(outbox_pending(&o));
    outbox_acknowledge(&o, 1); /* comes again */
    outbox_rewind(&o);
    assert_int_equal(send_all(&o), OUTBOX_WINDOW);
    outbox_acknowledge(&o, OUTBOX_WINDOW + 1);
    assert_int_equal(outbox_count(&o), 0);
    outbox_clear(&o);
}

static void test_stalled(void **state)
{
    struct outbox o = {0};
    (void)state;
    assert_false(outbox_stalled(&o));
    assert_false(outbox_stalled(&o)); /* nothing is out */
    add(&o, 1);
    add(&o, 2);
    (void)send_all(&o);
    (void)outbox_stalled(&o);
    assert_true(outbox_stalled(&o));
    outbox_acknowledge(&o, 1);
    assert_false(outbox_stalled(&o));
    assert_true(outbox_stalled(&o));
    outbox_clear(&o);
}

/* However slow the acknowledgements are: what arrives is what was added, sample for sample. */
static void test_nothing_is_lost(void **state)
{
    struct rng r;
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct outbox o = {0};
        struct hist *want = hist_new(), *got = hist_new();
        uint64_t due = 0, arrived = 0, tokens = 0, last_due = 0;
        int64_t to = 0;
        rng_seed(&r, seed);
        while (due < 200 || outbox_count(&o)) {
            if (due < 200 && rng_below(&r, 2)) {
                add(&o, ++due);
                assert_int_equal(hist_record(want, 1000000 + (int64_t)due * 1000, 1), 0);
            }
            uint64_t seq;
            struct wire_bytes b;
            if (rng_below(&r, 3) == 0 && outbox_next(&o, &seq, &b)) {
                outbox_sent(&o, seq);
                if (seq == arrived + 1) {
                    struct snapshot *s = snapshot_new(false);
                    assert_int_equal(snapshot_decode(s, b.data, b.n, NULL), 0);
                    assert_int_equal(hist_merge(got, s->hist[METRIC_ITL]), 0);
                    assert_int_equal(s->from_ns, to); /* spans join without a gap */
                    to = s->to_ns;
                    tokens += s->series_tokens;
                    last_due = s->counters[COUNTER_DUE];
                    snapshot_destroy(&s);
                    arrived = seq;
                }
            }
            if (rng_below(&r, 10) == 0) outbox_acknowledge(&o, arrived);
            if (rng_below(&r, 20) == 0) outbox_rewind(&o);
        }
        assert_true(hist_equal(want, got));
        assert_int_equal(tokens, 200);
        assert_int_equal(last_due, 200);
        hist_destroy(&want);
        hist_destroy(&got);
        outbox_clear(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_window), cmocka_unit_test(test_stalled),
                                       cmocka_unit_test(test_nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
