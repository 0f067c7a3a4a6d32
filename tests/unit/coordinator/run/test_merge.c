#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/rng.h"
#include "common/snapshot.h"
#include "coordinator/run/blocks.h"
#include "coordinator/run/merge.h"
#include "coordinator/run/series.h"
#include "tests/unit/trials.h"

#define SECONDS 20
#define METRICS_USED 6
static const enum metric USED[METRICS_USED] = {METRIC_TTFT, METRIC_ITL, METRIC_CHUNK_GAP,
                                               METRIC_E2E,  METRIC_LAG, METRIC_OUTPUT_TOKENS};

static const struct plan_stage ASKED = {.kind = LOAD_CLOSED, .concurrency = 16, .duration_ns = SECONDS * NS_PER_S};

/* The snapshots of one agent, as bytes. */
struct told {
    struct buf bytes[SECONDS];
};

static void told_clear(struct told *t, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < SECONDS; k++)
            buf_clear(&t[i].bytes[k]);
}

/* Samples fall to n agents by turns; `one` records them all in one process. Counts of requests go up with them. */
static void tell(uint32_t n, uint64_t seed, struct told *told, struct hist *one[METRIC_N], uint64_t ones[COUNTER_N])
{
    struct rng r, addresses;
    rng_seed(&r, seed);
    rng_seed(&addresses, seed);
    uint64_t counters[8][COUNTER_N] = {{0}};
    for (int second = 0; second < SECONDS; second++) {
        struct snapshot *s[8];
        for (uint32_t a = 0; a < n; a++) {
            s[a] = snapshot_new(false);
            s[a]->from_ns = second * NS_PER_S;
            s[a]->to_ns = s[a]->from_ns + NS_PER_S;
        }
        for (int i = 0; i < 300; i++) {
            uint32_t a = (uint32_t)rng_below(&r, n);
            enum metric m = USED[rng_below(&r, METRICS_USED)];
            int64_t v = (int64_t)(1e6 * rng_exp(&r)) << rng_below(&r, 12);
            uint64_t times = 1 + rng_below(&r, 3);
            if (!s[a]->hist[m]) s[a]->hist[m] = hist_new();
            if (!one[m]) one[m] = hist_new();
            assert_int_equal(hist_record(s[a]->hist[m], v, times), 0);
            assert_int_equal(hist_record(one[m], v, times), 0);
            counters[a][COUNTER_DUE]++;
            counters[a][rng_below(&r, 20) ? COUNTER_OK : COUNTER_FAILED_RESET]++;
            s[a]->series_tokens += times;
            s[a]->series_due++;
            struct address_count *to =
                per_address_row(&s[a]->addresses, rng_below(&addresses, 3) ? "127.0.0.1:1" : "127.0.0.2:1");
            to->requests++;
            to->ok += times;
            struct mix_group *g = groups_at(&s[a]->groups, rng_below(&addresses, 2) ? GROUP_MODEL : GROUP_WORKLOAD,
                                            (uint32_t)rng_below(&addresses, 5));
            if (!g->hist[GROUP_METRIC_E2E]) g->hist[GROUP_METRIC_E2E] = hist_new();
            assert_int_equal(hist_record(g->hist[GROUP_METRIC_E2E], v, 1), 0);
            groups_count(g, COUNTER_WIN_OK, times);
            s[a]->series_inflight_ns += rng_below(&r, 1000000);
        }
        for (uint32_t a = 0; a < n; a++) {
            memcpy(s[a]->counters, counters[a], sizeof counters[a]);
            told[a].bytes[second] = (struct buf)BUF_INIT(1 << 20);
            assert_int_equal(snapshot_encode(s[a], &told[a].bytes[second]), 0);
            snapshot_destroy(&s[a]);
        }
    }
    memset(ones, 0, COUNTER_N * sizeof *ones);
    for (uint32_t a = 0; a < n; a++)
        counters_add(ones, counters[a]);
}

static struct merge *begin(uint32_t n)
{
    struct merge *m = merge_new(3, 1, 2, &ASKED);
    struct err e = {0};
    for (uint32_t a = 0; a < n; a++) {
        char name[] = {'a', (char)('0' + a), 0};
        assert_int_equal(merge_add_agent(m, a, name, a + 1, 16, &e), 0);
    }
    return m;
}

static enum merge_result give(struct merge *m, const struct told *t, uint32_t agent, int second)
{
    const struct buf *b = &t[agent].bytes[second];
    struct err e = {0};
    return merge_accept(m, agent, (uint64_t)second + 1, b->data, b->len, &e);
}

static void put_hist(struct buf *b, const struct hist *h)
{
    if (h) assert_int_equal(hist_encode(h, b), 0);
    (void)buf_putc(b, h ? 'h' : '-');
}

/* All that a stage says, as bytes. */
static void dump(const struct stage_data *d, struct buf *b)
{
    (void)buf_printf(b, "%u %u %u %d %d %llu\n", d->stage, d->repeat, d->epoch, d->degraded, d->aborted,
                     (unsigned long long)d->lost);
    (void)buf_put(b, d->counters, sizeof d->counters);
    (void)buf_put(b, &d->addresses, sizeof d->addresses);
    for (int k = 0; k < METRIC_N; k++)
        put_hist(b, d->hist[k]);
    for (uint32_t i = 0; i < d->groups.n; i++) {
        const struct mix_group *g = &d->groups.row[i];
        (void)buf_printf(b, "%d %u\n", (int)g->kind, g->number);
        (void)buf_put(b, g->counters, sizeof g->counters);
        for (int k = 0; k < GROUP_METRIC_N; k++)
            put_hist(b, g->hist[k]);
    }
    for (size_t i = 0; i < d->n_agents; i++) {
        const struct agent_data *a = &d->agents[i];
        (void)buf_printf(b, "%u %s %u %llu %d %llu\n", a->agent, a->name, a->weight, (unsigned long long)a->slots,
                         a->lost, (unsigned long long)a->snapshots);
        (void)buf_put(b, a->counters, sizeof a->counters);
        for (int k = 0; k < METRIC_N; k++)
            (void)buf_put(b, a->hist[k].bytes, a->hist[k].n);
    }
    for (size_t i = 0; i < d->n_series; i++) {
        const struct series_row *r = &d->series[i];
        (void)buf_printf(b, "%d %a %a %a %a %a %a %a %a %a %a %a\n", r->agent, r->t_s, r->span_s, r->tokens, r->done,
                         r->failed, r->due, r->in_flight, r->itl_p50_ms, r->itl_p99_ms, r->ttft_p50_ms, r->ttft_p99_ms);
    }
    for (size_t i = 0; i < d->n_blocks; i++) {
        const struct block *k = &d->blocks[i];
        (void)buf_printf(b, "%u %a %a %a\n", k->agent, k->t_s, k->span_s, k->tokens);
        put_hist(b, k->itl);
        put_hist(b, k->chunk_gap);
        put_hist(b, k->ttft);
    }
    assert_false(b->bad);
}

static void finish(struct merge **m, struct stage_data *d)
{
    struct err e = {0};
    if (merge_finish(*m, d, &e)) fail_msg("%s", e.text);
    merge_destroy(m);
}

static void hists_clear(struct hist *h[METRIC_N])
{
    for (int k = 0; k < METRIC_N; k++)
        hist_destroy(&h[k]);
}

static void test_equals_one_process(void **state)
{
    (void)state;
    static const uint32_t AGENTS[] = {1, 2, 3, 7};
    for (size_t i = 0; i < sizeof AGENTS / sizeof AGENTS[0]; i++) {
        struct told told[8];
        struct hist *one[METRIC_N] = {0};
        uint64_t ones[COUNTER_N], tokens = 0;
        struct stage_data d;
        tell(AGENTS[i], 7 + i, told, one, ones);
        struct merge *m = begin(AGENTS[i]);
        for (int s = 0; s < SECONDS; s++)
            for (uint32_t a = 0; a < AGENTS[i]; a++)
                assert_int_equal(give(m, told, a, s), MERGE_ACCEPTED);
        finish(&m, &d);
        for (int k = 0; k < METRIC_N; k++) {
            if (one[k] == NULL) {
                assert_null(d.hist[k]);
                continue;
            }
            assert_true(hist_equal(one[k], d.hist[k]));
            struct hist *sum = hist_new();
            for (uint32_t a = 0; a < AGENTS[i]; a++)
                assert_int_equal(packed_hist_add_to(&d.agents[a].hist[k], sum, NULL), 0);
            assert_true(hist_equal(sum, d.hist[k]));
            hist_destroy(&sum);
        }
        assert_memory_equal(ones, d.counters, sizeof ones);
        assert_int_equal(d.addresses.n, 2);
        assert_string_equal(d.addresses.row[1].address, "127.0.0.2:1");
        assert_int_equal(d.addresses.row[0].requests + d.addresses.row[1].requests, 300 * SECONDS);
        uint64_t grouped = 0;
        for (uint32_t g = 0; g < d.groups.n; g++)
            grouped += d.groups.row[g].hist[GROUP_METRIC_E2E]->count;
        assert_int_equal(d.groups.n, 10);
        assert_int_equal(grouped, 300 * SECONDS);
        assert_int_equal(d.counters[COUNTER_DUE], d.counters[COUNTER_OK] + counters_failed(d.counters));
        for (size_t r = 0; r < d.n_series && d.series[r].agent < 0; r++)
            tokens += (uint64_t)d.series[r].tokens;
        for (size_t b = 0; b < d.n_blocks; b++)
            tokens -= (uint64_t)d.blocks[b].tokens;
        assert_int_equal(tokens, 0); /* series and blocks hold the same tokens */
        stage_data_clear(&d);
        hists_clear(one);
        told_clear(told, AGENTS[i]);
    }
}

/* Agents in any order, each snapshot again and again, and some before their turn (refused, sent again later): not a
 * byte differs. */
static void test_order_and_duplicates(void **state)
{
    (void)state;
    enum { N = 3 };
    struct told told[8];
    struct hist *one[METRIC_N] = {0};
    uint64_t ones[COUNTER_N];
    struct buf want = BUF_INIT(1 << 24);
    struct stage_data d;
    tell(N, 99, told, one, ones);
    struct merge *m = begin(N);
    for (int s = 0; s < SECONDS; s++)
        for (uint32_t a = 0; a < N; a++)
            assert_int_equal(give(m, told, a, s), MERGE_ACCEPTED);
    finish(&m, &d);
    dump(&d, &want);
    stage_data_clear(&d);
    for (uint64_t seed = 0; seed < (uint64_t)trials(20, 20, 5); seed++) {
        struct buf got = BUF_INIT(1 << 24);
        struct rng r;
        int next[N] = {0};
        rng_seed(&r, seed);
        m = begin(N);
        while (next[0] + next[1] + next[2] < N * SECONDS) {
            uint32_t a = (uint32_t)rng_below(&r, N);
            int s = (int)rng_below(&r, SECONDS);
            if (rng_below(&r, 2) && next[a] < SECONDS) s = next[a];
            enum merge_result want_result = s < next[a]    ? MERGE_DUPLICATE
                                            : s == next[a] ? MERGE_ACCEPTED
                                                           : MERGE_REFUSED;
            assert_int_equal(give(m, told, a, s), want_result);
            next[a] += s == next[a];
            assert_int_equal(merge_last_seq(m, a), next[a]);
        }
        finish(&m, &d);
        dump(&d, &got);
        assert_int_equal(got.len, want.len);
        assert_memory_equal(got.data, want.data, want.len);
        buf_clear(&got);
        stage_data_clear(&d);
    }
    buf_clear(&want);
    hists_clear(one);
    told_clear(told, N);
}

/* A look at what is there so far changes nothing, and at the end it shows what merge_finish takes out. */
static void test_peek(void **state)
{
    (void)state;
    enum { N = 3 };
    struct told told[8];
    struct hist *one[METRIC_N] = {0};
    uint64_t ones[COUNTER_N];
    struct buf want = BUF_INIT(1 << 24), got = BUF_INIT(1 << 24);
    struct stage_data d, peek;
    tell(N, 31, told, one, ones);
    for (int looks = 0; looks < 2; looks++) {
        struct merge *m = begin(N);
        for (int s = 0; s < SECONDS; s++)
            for (uint32_t a = 0; a < N; a++) {
                assert_int_equal(give(m, told, a, s), MERGE_ACCEPTED);
                if (!looks) continue;
                assert_int_equal(merge_peek(m, &peek, NULL), 0);
                stage_data_clear(&peek);
            }
        assert_int_equal(merge_peek(m, &peek, NULL), 0);
        finish(&m, &d);
        dump(&d, looks ? &got : &want);
        assert_memory_equal(peek.counters, d.counters, sizeof d.counters);
        for (int k = 0; k < METRIC_N; k++) {
            assert_int_equal(!peek.hist[k], !d.hist[k]);
            if (d.hist[k]) assert_true(hist_equal(peek.hist[k], d.hist[k]));
        }
        assert_int_equal(peek.n_blocks, d.n_blocks);
        for (size_t i = 0; i < d.n_blocks; i++)
            if (d.blocks[i].itl) assert_true(hist_equal(peek.blocks[i].itl, d.blocks[i].itl));
        for (size_t i = 0; i < peek.n_series; i++) {
            assert_true(peek.series[i].agent < 0);
            assert_true(fabs(peek.series[i].tokens - d.series[i].tokens) < 0.5 &&
                        fabs(peek.series[i].in_flight - d.series[i].in_flight) < 1e-9);
        }
        assert_true(peek.n_series > 0);
        stage_data_clear(&peek);
        stage_data_clear(&d);
    }
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.data, want.data, want.len);
    buf_clear(&got);
    buf_clear(&want);
    hists_clear(one);
    told_clear(told, N);
}

static enum merge_result give_one(struct merge *m, const struct snapshot *s, uint64_t seq, struct err *e)
{
    struct buf b = BUF_INIT(1 << 20);
    assert_int_equal(snapshot_encode(s, &b), 0);
    enum merge_result r = merge_accept(m, 0, seq, b.data, b.len, e);
    buf_clear(&b);
    return r;
}

/* An agent of many snapshots: its histograms are folded into bytes again and again, and stay the sum, bucket by bucket;
 * what it has in flight is what it said last. */
static void test_many(void **state)
{
    (void)state;
    enum { N = 200 };
    struct merge *m = begin(1);
    struct err e = {0};
    struct snapshot *s = snapshot_new(false);
    struct hist *sum = hist_new();
    struct stage_data d = {0};
    struct rng r;
    rng_seed(&r, 7);
    for (uint64_t k = 0; k < N; k++) {
        uint64_t due = s->counters[COUNTER_DUE];
        snapshot_reset(s);
        s->from_ns = (int64_t)k * NS_PER_S;
        s->to_ns = s->from_ns + NS_PER_S;
        s->counters[COUNTER_DUE] = due + 9;
        s->in_flight = k % 5;
        if (!s->hist[METRIC_ITL]) s->hist[METRIC_ITL] = hist_new();
        for (int i = 0; i < 300; i++)
            assert_int_equal(hist_record(s->hist[METRIC_ITL], (int64_t)(1e7 * rng_exp(&r)), 1 + rng_below(&r, 3)), 0);
        assert_int_equal(hist_merge(sum, s->hist[METRIC_ITL]), 0);
        assert_int_equal(give_one(m, s, k + 1, &e), MERGE_ACCEPTED);
        assert_int_equal(merge_in_flight(m), k % 5);
    }
    assert_int_equal(merge_finish(m, &d, &e), 0);
    struct hist *one = packed_hist_unpack(&d.agents[0].hist[METRIC_ITL]);
    assert_true(hist_equal(sum, one));
    assert_true(hist_equal(sum, d.hist[METRIC_ITL]));
    hist_destroy(&one);
    hist_destroy(&sum);
    snapshot_destroy(&s);
    stage_data_clear(&d);
    merge_destroy(&m);
}

static void test_refused(void **state)
{
    (void)state;
    struct merge *m = begin(1);
    struct err e = {0};
    struct snapshot *s = snapshot_new(false);
    s->to_ns = NS_PER_S;
    s->counters[COUNTER_DUE] = 100;
    s->counters[COUNTER_OK] = 60;
    s->counters[COUNTER_WIN_INFLIGHT_NS] = 5000;
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED); /* a gap */
    assert_int_equal(give_one(m, s, 0, &e), MERGE_REFUSED); /* numbers begin at 1 */
    assert_int_equal(give_one(m, s, 1, &e), MERGE_ACCEPTED);
    assert_int_equal(merge_accept(m, 5, 1, "x", 1, &e), MERGE_REFUSED);
    assert_non_null(strstr(e.text, "no part in stage 3"));
    assert_int_equal(merge_accept(m, 0, 2, "garbage", 7, &e), MERGE_REFUSED);

    s->from_ns = NS_PER_S;
    s->to_ns = 2 * NS_PER_S;
    s->counters[COUNTER_OK] = 59;
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);
    assert_non_null(strstr(e.text, "counter ok falls from 60 to 59"));
    s->counters[COUNTER_OK] = 101;
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);
    assert_non_null(strstr(e.text, "101 requests ended but only 100 were due"));
    s->counters[COUNTER_OK] = 60;
    s->counters[COUNTER_EVENTS] = UINT64_C(5000000000);
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);
    assert_non_null(strstr(e.text, "counter events jumps"));
    s->counters[COUNTER_EVENTS] = 0;
    s->counters[COUNTER_BYTES_IN] = UINT64_MAX;
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);
    s->counters[COUNTER_BYTES_IN] = 0;
    s->from_ns = 0;
    s->to_ns = NS_PER_S / 2; /* time goes back */
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);
    s->to_ns = 7200 * NS_PER_S; /* a span of two hours */
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);

    /* What was refused left no trace: the right one is taken. Time in flight may be taken back. */
    s->from_ns = NS_PER_S;
    s->to_ns = 2 * NS_PER_S;
    s->counters[COUNTER_WIN_INFLIGHT_NS] = 4000;
    assert_int_equal(give_one(m, s, 2, &e), MERGE_ACCEPTED);
    struct stage_data d;
    finish(&m, &d);
    assert_int_equal(d.counters[COUNTER_OK], 60);
    assert_int_equal(d.counters[COUNTER_WIN_INFLIGHT_NS], 4000);
    assert_int_equal(d.counters[COUNTER_BYTES_IN], 0);
    assert_int_equal(d.agents[0].snapshots, 2);
    stage_data_clear(&d);
    snapshot_destroy(&s);
}

static void test_lost(void **state)
{
    (void)state;
    enum { N = 2 };
    struct told told[8];
    struct hist *one[METRIC_N] = {0};
    uint64_t ones[COUNTER_N];
    tell(N, 5, told, one, ones);
    struct merge *m = begin(N);
    struct snapshot *s = snapshot_new(false);
    struct stage_data d;
    struct err e = {0};
    s->to_ns = NS_PER_S;
    s->in_flight = 40;
    s->counters[COUNTER_DUE] = 100;
    s->counters[COUNTER_OK] = 50;
    s->counters[COUNTER_FAILED_RESET] = 7;
    s->counters[COUNTER_CANCELLED] = 2;
    s->counters[COUNTER_ABORTED] = 1;
    assert_int_equal(give_one(m, s, 1, &e), MERGE_ACCEPTED);
    assert_int_equal(give(m, told, 1, 0), MERGE_ACCEPTED);
    struct merge_live live;
    merge_live(m, &live);
    assert_int_equal(live.in_flight, 40);
    merge_mark_lost(m, 0);
    merge_mark_lost(m, 0);
    assert_int_equal(give_one(m, s, 1, &e), MERGE_DUPLICATE);
    assert_int_equal(give_one(m, s, 2, &e), MERGE_REFUSED);
    merge_live(m, &live);
    assert_int_equal(live.in_flight, 0);
    finish(&m, &d);
    const uint64_t *c = d.counters;
    assert_true(d.degraded);
    assert_int_equal(d.lost, 40);
    assert_int_equal(d.agents[0].lost_requests, 40);
    assert_int_equal(c[COUNTER_DUE],
                     c[COUNTER_OK] + counters_failed(c) + c[COUNTER_CANCELLED] + c[COUNTER_ABORTED] + d.lost);
    stage_data_clear(&d);
    snapshot_destroy(&s);
    hists_clear(one);
    told_clear(told, N);
}

static struct snapshot *second_of(int64_t from_ns, int64_t to_ns, uint64_t tokens)
{
    struct snapshot *s = snapshot_new(false);
    s->from_ns = from_ns;
    s->to_ns = to_ns;
    s->series_tokens = tokens;
    s->series_inflight_ns = tokens * 1000;
    s->hist[METRIC_ITL] = hist_new();
    assert_int_equal(hist_record(s->hist[METRIC_ITL], (int64_t)(1000 + tokens * 1000), 1), 0);
    return s;
}

/* Its histograms as a decoder lists them; one list, that of the latest call. */
static const struct hist_sparse *sparse_of(const struct snapshot *s)
{
    static struct hist_sparse sparse[METRIC_N];
    struct buf b = BUF_INIT(1 << 20);
    assert_int_equal(hist_encode(s->hist[METRIC_ITL], &b), 0);
    hist_sparse_clear(&sparse[METRIC_ITL]);
    assert_int_equal(hist_sparse_decode(&sparse[METRIC_ITL], b.data, b.len, NULL), 0);
    buf_clear(&b);
    return sparse;
}

/* A snapshot over a border gives each second its share, and no token twice. */
static void test_series_shares(void **state)
{
    (void)state;
    struct series *s = series_new(NS_PER_S);
    struct snapshot *snap = second_of(NS_PER_S / 2, NS_PER_S * 5 / 2, 101);
    struct series_row *rows;
    size_t n;
    assert_int_equal(series_add(s, 0, 4, snap, sparse_of(snap)), 0);
    assert_int_equal(series_finish(s, &rows, &n), 0);
    assert_int_equal(n, 4);
    assert_true(rows[0].tokens >= 25 && rows[0].tokens <= 26);
    assert_true(rows[1].tokens >= 50 && rows[1].tokens <= 51);
    assert_true(rows[0].tokens + rows[1].tokens + rows[2].tokens > 100.5 &&
                rows[0].tokens + rows[1].tokens + rows[2].tokens < 101.5);
    assert_true(rows[2].span_s > 0.49 && rows[2].span_s < 0.51);
    assert_int_equal(rows[3].agent, 4);
    assert_true(rows[3].span_s > 1.99 && rows[3].span_s < 2.01);
    free(rows);
    snapshot_destroy(&snap);
    series_destroy(&s);
}

/* Far more rows and blocks than are kept: bounded, and nothing of the sums is lost. */
static void test_bounded(void **state)
{
    (void)state;
    enum { AGENTS = 700, LONG = 200 };
    struct series *s = series_new(NS_PER_S);
    struct blocks *b = blocks_new();
    uint64_t all = 0;
    for (int64_t t = 0; t < LONG; t++)
        for (uint32_t a = 0; a < AGENTS; a++) {
            struct snapshot *snap = second_of(t * NS_PER_S, (t + 1) * NS_PER_S, a + (uint64_t)t);
            assert_int_equal(series_add(s, a, AGENTS - a, snap, sparse_of(snap)), 0);
            assert_int_equal(blocks_add(b, a, snap, sparse_of(snap)), 0);
            all += a + (uint64_t)t;
            snapshot_destroy(&snap);
        }
    struct series_row *rows;
    struct block *block;
    size_t n, n_blocks, agents = 0;
    uint64_t cluster = 0, own = 0, blocks = 0, samples = 0;
    assert_int_equal(series_finish(s, &rows, &n), 0);
    assert_int_equal(blocks_finish(b, &block, &n_blocks), 0);
    for (size_t i = 0; i < n; i++) {
        if (i) assert_true(rows[i - 1].agent < rows[i].agent || rows[i - 1].t_s < rows[i].t_s);
        agents += rows[i].agent >= 0;
        *(rows[i].agent < 0 ? &cluster : &own) += (uint64_t)rows[i].tokens;
    }
    for (size_t i = 0; i < n_blocks; i++) {
        blocks += (uint64_t)block[i].tokens;
        samples += block[i].itl ? block[i].itl->count : 0;
        hist_destroy(&block[i].itl);
        hist_destroy(&block[i].chunk_gap);
        hist_destroy(&block[i].ttft);
        hist_destroy(&block[i].tpot);
    }
    assert_int_equal(cluster, all);
    assert_int_equal(own, all);
    assert_int_equal(blocks, all);
    assert_int_equal(samples, AGENTS * LONG);
    assert_true(agents <= SERIES_AGENT_ROWS);
    assert_true(n_blocks <= BLOCKS_MAX && n_blocks > 1);
    free(rows);
    free(block);
    series_destroy(&s);
    blocks_destroy(&b);
}

/* How far blocks are put together depends on what was recorded, not on the order. */
static void test_blocks_order(void **state)
{
    (void)state;
    enum { AGENTS = 64, LONG = 100 };
    struct buf dumps[2] = {BUF_INIT(1 << 24), BUF_INIT(1 << 24)};
    for (int way = 0; way < 2; way++) {
        struct blocks *b = blocks_new();
        struct stage_data d = {0};
        for (int i = 0; i < AGENTS * LONG; i++) {
            int k = way ? AGENTS * LONG - 1 - i : i;
            struct snapshot *snap = second_of(k / AGENTS * NS_PER_S, (k / AGENTS + 1) * NS_PER_S, (uint64_t)k % 977);
            assert_int_equal(blocks_add(b, (uint32_t)k % AGENTS, snap, sparse_of(snap)), 0);
            snapshot_destroy(&snap);
        }
        assert_int_equal(blocks_finish(b, &d.blocks, &d.n_blocks), 0);
        assert_true(d.n_blocks < AGENTS * LONG);
        dump(&d, &dumps[way]);
        stage_data_clear(&d);
        blocks_destroy(&b);
    }
    assert_int_equal(dumps[0].len, dumps[1].len);
    assert_memory_equal(dumps[0].data, dumps[1].data, dumps[0].len);
    buf_clear(&dumps[0]);
    buf_clear(&dumps[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_one_process),
        cmocka_unit_test(test_order_and_duplicates),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_series_shares),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_blocks_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
