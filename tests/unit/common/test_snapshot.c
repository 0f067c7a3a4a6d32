#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <msgpack.h>

#include "common/rng.h"
#include "common/snapshot.h"
#include "common/wire.h"
#include "tests/fuzz/snapshot_seeds.h"
#include "common/unpack.h"

static void assert_snapshots_equal(const struct snapshot *a, const struct snapshot *b)
{
    static const struct hist EMPTY;
    assert_memory_equal(a, b, offsetof(struct snapshot, hist));
    assert_int_equal(a->requests.n, b->requests.n);
    for (uint32_t i = 0; i < a->requests.n; i++) {
        assert_int_equal(a->requests.row[i].due, b->requests.row[i].due);
        for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
            assert_int_equal(request_row_get(&a->requests.row[i], c), request_row_get(&b->requests.row[i], c));
    }
    for (int i = 0; i < METRIC_N; i++) {
        const struct hist *x = a->hist[i] ? a->hist[i] : &EMPTY, *y = b->hist[i] ? b->hist[i] : &EMPTY;
        if (!hist_equal(x, y)) fail_msg("%s differs", METRICS[i].name);
    }
    struct buf in_a = BUF_INIT(1 << 20), in_b = BUF_INIT(1 << 20); /* empty groups are none */
    assert_int_equal(groups_encode(&a->groups, &in_a), 0);
    assert_int_equal(groups_encode(&b->groups, &in_b), 0);
    assert_int_equal(in_a.len, in_b.len);
    assert_memory_equal(in_a.data, in_b.data, in_a.len);
    buf_clear(&in_a);
    buf_clear(&in_b);
}

static void fill(struct snapshot *s, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    s->from_ns = (int64_t)(seed * 1000000000);
    s->to_ns = s->from_ns + 1000000000;
    s->in_flight = rng_below(&r, 1000);
    s->waiting = rng_below(&r, 10);
    s->series_tokens = rng_u64(&r) >> 8;
    s->series_done = 1 + seed;
    s->series_failed = 2 + seed;
    s->series_due = 3 + seed;
    s->series_inflight_ns = rng_u64(&r) >> 2;
    for (int i = 0; i < COUNTER_N; i++)
        s->counters[i] = rng_u64(&r) >> rng_below(&r, 64);
    for (uint64_t i = 0; i < seed % 3; i++) {
        char address[] = {'1', (char)('0' + i), 0};
        struct address_count *a = per_address_row(&s->addresses, address);
        a->requests = seed * 100 + i;
        a->ok = seed * 10 + i;
        a->failed = seed + i;
    }
    for (uint32_t i = 0; i < seed % 4; i++) {
        struct mix_group *g = groups_at(&s->groups, i % 2 ? GROUP_MODEL : GROUP_WORKLOAD, (uint32_t)rng_below(&r, 80));
        groups_count(g, COUNTER_TOKENS, 1 + rng_below(&r, 1000));
        if (!g->hist[GROUP_METRIC_ITL]) g->hist[GROUP_METRIC_ITL] = hist_new();
        assert_int_equal(hist_record(g->hist[GROUP_METRIC_ITL], (int64_t)rng_below(&r, 1000000000), 2), 0);
    }
    struct remark *remark = &s->remarks.of[seed % REMARK_N];
    remark->at_ns = (int64_t)seed;
    memcpy(remark->text, "words", 6);
    for (uint64_t i = 0; i < seed % 3; i++) {
        struct request_row *q = request_rows_new(&s->requests);
        *q = (struct request_row){.due = (int64_t)(seed * 7 + i), .address = i ? (uint32_t)i - 1 : REQUEST_NOWHERE};
        for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
            if (REQUEST_COLUMNS[c].kind != REQUEST_ADDRESS) request_row_set(q, c, (int64_t)(i + c) % COUNTER_N);
        q->connect = REQUEST_NONE;
    }
    for (int i = 0; i < METRIC_N; i += 1 + (int)rng_below(&r, 3)) {
        if (!s->hist[i]) s->hist[i] = hist_new();
        for (int k = 0; k < 200; k++)
            assert_int_equal(hist_record(s->hist[i], (int64_t)rng_below(&r, 1000000000), 1), 0);
    }
}

static struct snapshot *there_and_back(const struct snapshot *s)
{
    struct buf b = BUF_INIT(1 << 20);
    struct err e = {0};
    struct snapshot *back = snapshot_new(false);
    fill(back, 99); /* overwritten, nothing of it may stay */
    assert_int_equal(snapshot_encode(s, &b), 0);
    if (snapshot_decode(back, b.data, b.len, &e)) fail_msg("%s", e.text);
    buf_clear(&b);
    return back;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct snapshot *s = snapshot_new(seed % 2), *back;
        if (seed) fill(s, seed);
        back = there_and_back(s);
        assert_snapshots_equal(s, back);
        snapshot_destroy(&s);
        snapshot_destroy(&back);
    }
}

static void test_reset(void **state)
{
    (void)state;
    struct snapshot *s = snapshot_new(true), *empty = snapshot_new(false);
    fill(s, 1);
    struct hist *was = s->hist[METRIC_TTFT];
    snapshot_reset(s);
    assert_snapshots_equal(s, empty);
    assert_ptr_equal(s->hist[METRIC_TTFT], was);
    snapshot_destroy(&s);
    snapshot_destroy(&empty);
    snapshot_destroy(&empty);
}

/* Workers of one agent: numbers add up, the largest of the *_max stays, the span is the widest. */
static void test_add(void **state)
{
    (void)state;
    struct snapshot *a = snapshot_new(false), *b = snapshot_new(false), *sum = snapshot_new(true);
    fill(a, 1);
    fill(b, 2);
    b->from_ns = a->from_ns + 5;
    b->to_ns = a->to_ns + 7;
    assert_int_equal(snapshot_add(sum, b), 0);
    assert_snapshots_equal(sum, b);
    a->remarks.of[2].at_ns = b->remarks.of[2].at_ns - 1; /* the earlier one stays */
    memcpy(a->remarks.of[2].text, "first", 6);
    assert_int_equal(snapshot_add(sum, a), 0);
    assert_string_equal(sum->remarks.of[1].text, "words");
    assert_string_equal(sum->remarks.of[2].text, "first");
    assert_int_equal(sum->from_ns, a->from_ns);
    assert_int_equal(sum->to_ns, b->to_ns);
    assert_int_equal(sum->in_flight, a->in_flight + b->in_flight);
    assert_int_equal(sum->waiting, a->waiting + b->waiting);
    assert_int_equal(sum->series_tokens, a->series_tokens + b->series_tokens);
    assert_int_equal(sum->series_done, a->series_done + b->series_done);
    assert_int_equal(sum->series_failed, a->series_failed + b->series_failed);
    assert_int_equal(sum->series_due, a->series_due + b->series_due);
    assert_int_equal(sum->series_inflight_ns, a->series_inflight_ns + b->series_inflight_ns);
    assert_int_equal(sum->counters[COUNTER_OK], a->counters[COUNTER_OK] + b->counters[COUNTER_OK]);
    assert_int_equal(sum->addresses.n, 2); /* "10" of both, "11" of b */
    assert_int_equal(per_address_row(&sum->addresses, "10")->requests, 300);
    assert_int_equal(per_address_row(&sum->addresses, "11")->requests, 201);
    uint64_t x = a->counters[COUNTER_CPU_MAX_NS], y = b->counters[COUNTER_CPU_MAX_NS];
    assert_int_equal(sum->counters[COUNTER_CPU_MAX_NS], x > y ? x : y);
    snapshot_destroy(&a);
    snapshot_destroy(&b);
    snapshot_destroy(&sum);
}

/* An agent whose last snapshot is not yet acknowledged: the longer delta replaces both. */
static void test_extend(void **state)
{
    (void)state;
    struct snapshot *a = snapshot_new(false), *later = snapshot_new(false), *both = snapshot_new(false);
    fill(a, 1);
    fill(later, 2);
    assert_int_equal(snapshot_extend(both, a), 0);
    assert_snapshots_equal(both, a);
    assert_int_equal(snapshot_extend(both, later), 0);
    assert_int_equal(both->from_ns, a->from_ns);
    assert_int_equal(both->to_ns, later->to_ns);
    assert_int_equal(both->in_flight, later->in_flight);
    assert_int_equal(both->waiting, later->waiting);
    assert_int_equal(both->series_due, a->series_due + later->series_due);
    assert_int_equal(both->series_tokens, a->series_tokens + later->series_tokens);
    assert_memory_equal(both->counters, later->counters, sizeof both->counters);
    assert_int_equal(both->addresses.n, 2);
    assert_int_equal(per_address_row(&both->addresses, "10")->failed, 3);
    uint64_t n = 0, want = 0;
    for (int i = 0; i < METRIC_N; i++) {
        n += both->hist[i] ? both->hist[i]->count : 0;
        want += (a->hist[i] ? a->hist[i]->count : 0) + (later->hist[i] ? later->hist[i]->count : 0);
    }
    assert_int_equal(n, want);
    snapshot_destroy(&a);
    snapshot_destroy(&later);
    snapshot_destroy(&both);
}

/* What one process records equals what 2, 3 and 7 agents send in several snapshots each, over the wire, bucket by
 * bucket. */
static void test_agents_equal_one_process(void **state)
{
    (void)state;
    static const unsigned AGENTS[] = {2, 3, 7};
    enum { SECONDS = 5, SAMPLES = 2000 };
    for (unsigned t = 0; t < 3; t++) {
        unsigned agents = AGENTS[t];
        struct snapshot *one = snapshot_new(true), *merged = snapshot_new(false), *now[7];
        uint64_t counters[7][COUNTER_N] = {{0}};
        struct rng r;
        rng_seed(&r, agents);
        for (unsigned a = 0; a < agents; a++)
            now[a] = snapshot_new(true);
        for (int second = 0; second < SECONDS; second++) {
            for (int i = 0; i < SAMPLES; i++) {
                unsigned a = (unsigned)rng_below(&r, agents);
                unsigned m = (unsigned)rng_below(&r, METRIC_N);
                int64_t v = (int64_t)exp(10 + 3 * rng_normal(&r));
                uint64_t n = 1 + rng_below(&r, 3);
                (void)hist_record(one->hist[m], v, n);
                (void)hist_record(now[a]->hist[m], v, n);
                one->counters[COUNTER_OK]++;
                counters[a][COUNTER_OK]++;
            }
            for (unsigned a = 0; a < agents; a++) {
                now[a]->from_ns = second;
                now[a]->to_ns = second + 1;
                memcpy(now[a]->counters, counters[a], sizeof counters[a]);
                struct snapshot *got = there_and_back(now[a]);
                if (second < SECONDS - 1)
                    memset(got->counters, 0, sizeof got->counters); /* cumulative: the last one counts */
                assert_int_equal(snapshot_add(merged, got), 0);
                snapshot_destroy(&got);
                snapshot_reset(now[a]);
            }
        }
        one->from_ns = 0;
        one->to_ns = SECONDS;
        assert_snapshots_equal(one, merged);
        for (unsigned a = 0; a < agents; a++)
            snapshot_destroy(&now[a]);
        snapshot_destroy(&one);
        snapshot_destroy(&merged);
    }
}

struct seen {
    uint32_t n;
    char address[8][64];
};

static int see(void *arg, const struct request_row *r, const char *address)
{
    struct seen *s = arg;
    assert_int_equal(r->connect, REQUEST_NONE);
    (void)snprintf(s->address[s->n++], sizeof s->address[0], "%s", address);
    return s->n == 7 ? 5 : 0;
}

/* Rows of requests: each keeps its address when snapshots are added; where there is no room they are left out; they are
 * found in the bytes. */
static void test_requests(void **state)
{
    (void)state;
    struct snapshot *a = snapshot_new(false), *b = snapshot_new(false), *sum = snapshot_new(false);
    struct buf bytes = BUF_INIT(8 << 20);
    struct seen seen = {0};
    fill(a, 2);
    fill(b, 5);
    (void)per_address_row(&sum->addresses, "before");
    assert_int_equal(snapshot_add(sum, a), 0);
    assert_int_equal(snapshot_extend(sum, b), 0);
    assert_int_equal(sum->requests.n, 4);
    assert_int_equal(sum->requests.row[2].due, 35);
    assert_int_equal(snapshot_encode(sum, &bytes), 0);
    assert_int_equal(snapshot_each_request(bytes.data, bytes.len, see, &seen), 0);
    assert_int_equal(seen.n, 4);
    assert_string_equal(seen.address[0], "");
    assert_string_equal(seen.address[1], "10");
    assert_string_equal(seen.address[3], "10");
    for (size_t cut = 0; cut < 400; cut++)
        assert_int_equal(snapshot_each_request(bytes.data, cut, see, &(struct seen){0}), -1);
    for (int i = 0; i < 5000; i++)
        assert_int_equal(snapshot_add(sum, a), 0);
    assert_int_equal(sum->requests.n, REQUEST_ROWS_MAX);
    buf_reset(&bytes);
    assert_int_equal(snapshot_encode(sum, &bytes), 0);
    assert_in_range(bytes.len, 1, 1 << 20); /* four times as many still fit into a message */
    seen.n = 0;
    assert_int_equal(snapshot_each_request(bytes.data, bytes.len, see, &seen), 5);
    buf_clear(&bytes);
    snapshot_destroy(&a);
    snapshot_destroy(&b);
    snapshot_destroy(&sum);
}

static void refuse(const void *bytes, size_t n, const char *why)
{
    struct snapshot *s = snapshot_new(false), *empty = snapshot_new(false);
    struct err e = {0};
    fill(s, 3);
    if (snapshot_decode(s, bytes, n, &e) == 0) fail_msg("accepted, but: %s", why);
    assert_int_equal(e.code, ERR_WIRE);
    if (!strstr(e.text, why)) fail_msg("\"%s\" says nothing of \"%s\"", e.text, why);
    assert_snapshots_equal(s, empty);
    snapshot_destroy(&s);
    snapshot_destroy(&empty);
}

struct forged {
    int fields, other; /* other: tables than ours */
    int64_t from, to;
    size_t counters;
    int ids[3]; /* ends with -1 */
    bool empty_hist, wrong_kind;
    size_t addresses, odd; /* rows, and numbers too many */
    const char *address;
    size_t failures;
    int label;
    size_t remarks;
    int kind;
    const char *words;
    size_t requests, odd_request; /* rows, and numbers too many */
    int64_t moment;               /* in each column of a row, from the second on */
    size_t odd_group;             /* numbers in the list of groups */
    const char *why;
};

static void forge(const struct forged *f, struct buf *out)
{
    struct hist *h = hist_new();
    struct buf bytes = BUF_INIT(1000);
    if (!f->empty_hist) (void)hist_record(h, 5, 1);
    assert_int_equal(hist_encode(h, &bytes), 0);
    msgpack_packer pk;
    msgpack_packer_init(&pk, out, buf_pack);
    msgpack_pack_array(&pk, (size_t)f->fields);
    msgpack_pack_uint64(&pk, wire_fingerprint() + (uint64_t)f->other);
    msgpack_pack_int64(&pk, f->from);
    msgpack_pack_int64(&pk, f->to);
    for (int i = 0; i < 7; i++)
        msgpack_pack_int(&pk, f->wrong_kind ? -1 : i);
    msgpack_pack_array(&pk, f->counters);
    for (size_t i = 0; i < f->counters; i++)
        msgpack_pack_int(&pk, 1);
    msgpack_pack_array(&pk, 4 * f->addresses + f->odd);
    for (size_t i = 0; i < f->addresses; i++) {
        msgpack_pack_str_with_body(&pk, f->address ? f->address : "::1", f->address ? strlen(f->address) : 3);
        for (int k = 0; k < 3; k++)
            msgpack_pack_int(&pk, k);
    }
    for (size_t i = 0; i < f->odd; i++)
        msgpack_pack_int(&pk, 1);
    msgpack_pack_array(&pk, 5 * f->failures);
    for (size_t i = 0; i < f->failures; i++) {
        msgpack_pack_int(&pk, f->label);
        msgpack_pack_int(&pk, 404);
        msgpack_pack_int(&pk, 7);
        msgpack_pack_str_with_body(&pk, "::1", 3);
        msgpack_pack_str_with_body(&pk, f->words ? f->words : "", f->words ? strlen(f->words) : 0);
    }
    msgpack_pack_array(&pk, 3 * f->remarks);
    for (size_t i = 0; i < f->remarks; i++) {
        msgpack_pack_int(&pk, f->kind);
        msgpack_pack_int(&pk, 7);
        msgpack_pack_str_with_body(&pk, f->words ? f->words : "", f->words ? strlen(f->words) : 0);
    }
    msgpack_pack_array(&pk, (1 + REQUEST_COLUMNS_N) * f->requests + f->odd_request);
    for (size_t i = 0; i < f->requests * (1 + REQUEST_COLUMNS_N); i++)
        msgpack_pack_int64(&pk, i % (1 + REQUEST_COLUMNS_N) ? f->moment : 7);
    for (size_t i = 0; i < f->odd_request; i++)
        msgpack_pack_int(&pk, 1);
    msgpack_pack_array(&pk, f->odd_group);
    for (size_t i = 0; i < f->odd_group; i++)
        msgpack_pack_int(&pk, 9);
    size_t n = 0;
    while (n < 3 && f->ids[n] >= 0)
        n++;
    msgpack_pack_array(&pk, 2 * n);
    for (size_t i = 0; i < n; i++) {
        msgpack_pack_int(&pk, f->ids[i]);
        msgpack_pack_bin_with_body(&pk, bytes.data, bytes.len);
    }
    buf_clear(&bytes);
    hist_destroy(&h);
}

static void test_hostile(void **state)
{
    (void)state;
    static const struct forged BAD[] = {
        {18, 0, 0, 1, COUNTER_N, {-1}, .why = "18 fields"},
        {16, 0, 0, 1, COUNTER_N, {-1}, .why = "16 fields"},
        {17, 1, 0, 1, COUNTER_N, {-1}, .why = "of tables"},
        {17, 0, 2, 1, COUNTER_N, {-1}, .why = "impossible span"},
        {17, 0, INT64_MIN, 1, COUNTER_N, {-1}, .why = "impossible span"},
        {17, 0, 0, INT64_MAX, COUNTER_N, {-1}, .why = "impossible span"},
        {17, 0, 0, 1, COUNTER_N - 1, {-1}, .why = "counters, this program has"},
        {17, 0, 0, 1, COUNTER_N + 1, {-1}, .why = "counters, this program has"},
        {17, 0, 0, 1, COUNTER_N, {METRIC_N, -1}, .why = "unknown metric"},
        {17, 0, 0, 1, COUNTER_N, {3, 3, -1}, .why = "twice or out of order"},
        {17, 0, 0, 1, COUNTER_N, {3, 1, -1}, .why = "twice or out of order"},
        {17, 0, 0, 1, COUNTER_N, {3, -1}, .empty_hist = true, .why = "is empty"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .wrong_kind = true, .why = "malformed number"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 66, .why = "its addresses are not a list"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 1, .odd = 1, .why = "its addresses are not a list"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 1, .address = "", .why = "counts of an address"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 1, .address = "\x1b[31m", .why = "counts of an address"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .failures = 1, .label = FAILURE_N, .why = "no label"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .failures = 2, .label = 1, .why = "out of order"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .failures = FAILURE_N + 1, .why = "its failures are not a list"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .failures = 1, .words = "\x1b[2J", .why = "failure dns is malformed"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .remarks = 1, .kind = REMARK_N, .words = "x", .why = "a remark of no kind"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .remarks = 2, .kind = 1, .words = "x", .why = "out of order"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .remarks = REMARK_N + 1, .words = "x", .why = "its remarks are not a list"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .remarks = 1, .why = "remark unknown_event is malformed"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .remarks = 1, .words = "\x1b[2J", .why = "remark unknown_event is malformed"},
        {17,
         0,
         0,
         1,
         COUNTER_N,
         {-1},
         .addresses = 9,
         .requests = 1,
         .odd_request = 1,
         .why = "its requests are not a list"},
        {17,
         0,
         0,
         1,
         COUNTER_N,
         {-1},
         .addresses = 9,
         .requests = REQUEST_ROWS_MAX + 1,
         .why = "its requests are not a list"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .requests = 1, .why = "row of a request is malformed"}, /* no such address */
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 9, .requests = 1, .moment = -2, .why = "row of a request"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 9, .requests = 1, .moment = -1, .why = "row of a request"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .addresses = 9, .requests = 1, .moment = INT64_MAX, .why = "row of a request"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .odd_group = 1, .why = "its groups are not a list"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .odd_group = 4, .why = "no workload and no model"},
        {17, 0, 0, 1, COUNTER_N, {-1}, .odd_group = 600, .why = "its groups are not a list"},
        {17,
         0,
         0,
         1,
         COUNTER_N,
         {-1},
         .addresses = 1,
         .address = "1234567890123456789012345678901234567890123456789012345678901234",
         .why = "counts of an address"},
    };
    struct buf b = BUF_INIT(1 << 20);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        buf_reset(&b);
        forge(&BAD[i], &b);
        refuse(b.data, b.len, BAD[i].why);
    }
    buf_reset(&b);
    forge(&(struct forged){17, 0, 0, 1, COUNTER_N, {0, 3, -1}, .addresses = 65, .requests = 2, .moment = 5, .why = ""},
          &b);
    struct snapshot *s = snapshot_new(false);
    assert_int_equal(snapshot_decode(s, b.data, b.len, NULL), 0); /* the forger itself makes no mistakes */
    snapshot_destroy(&s);
    for (size_t cut = 0; cut < b.len; cut++)
        refuse(b.data, cut, "snapshot");
    assert_int_equal(buf_putc(&b, 0), 0);
    refuse(b.data, b.len, "after its end");
    /* counts of elements and of bytes that are not there */
    refuse("\xdd\xff\xff\xff\xff\1", 6, "malformed head");
    buf_clear(&b);
}

/* A fuzzer learns little from bytes that are refused at their head. */
static void test_seeds_are_read(void **state)
{
    (void)state;
    for (int i = 0; i < SNAPSHOT_SEEDS; i++) {
        struct buf b = BUF_INIT(1 << 20);
        struct err e = {0};
        struct snapshot *s = snapshot_new(false);
        assert_int_equal(snapshot_seed(i, &b), 0);
        if (snapshot_decode(s, b.data, b.len, &e)) fail_msg("seed %d: %s", i, e.text);
        snapshot_destroy(&s);
        buf_clear(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_extend),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_agents_equal_one_process),
        cmocka_unit_test(test_seeds_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
