/* What a stage makes of a read: which token events have an arrival of their own, and what an answer in one piece is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stage.h"
#include "common/clock.h"

#define MS NS_PER_MS
#define TOKEN "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
#define OF(choice) "data: {\"choices\":[{\"index\":" choice ",\"delta\":{\"content\":\"a\"}}]}\n\n"
#define ROLE "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"

static struct stage st;
static struct transport tr;
static struct request r;
static struct plan plan = {.verdict_lag_ns = MS};
static struct snapshot *snap;
static struct gap_pool *pool;

static void begin(void)
{
    struct err e;
    snapshot_reset(snap);
    if (!pool && !(pool = gap_pool_new(1000, 4, &e))) fail_msg("%s", e.text);
    st = (struct stage){.plan = &plan, .pool = pool, .tr = &tr};
    recorder_begin(&st.rec, snap, 0, 1000 * MS, NULL);
    stream_clear(&r.stream);
    memset(&r, 0, sizeof r);
    r.stage = &st;
    r.transfer.tr = &tr;
    r.transfer.owner = &r;
    stream_begin(&r.stream, dialect_for(API_OPENAI_CHAT), pool, 0, 1000 * MS);
    r.stream.t.sent = 10 * MS;
}

/* A read at `now` of bytes that were there at `arrival`; `stamp`: the kernel says so. */
static void read_bytes(const char *bytes, int64_t arrival, int64_t now, bool stamp)
{
    tr.now = now;
    tr.arrival = stamp ? arrival : 0;
    tr.away = stamp ? 0 : now - arrival;
    STAGE_CALLS.bytes(&r.transfer, bytes, strlen(bytes), stamp ? arrival : now);
}

static uint64_t blurred(void)
{
    return snap->counters[COUNTER_BLURRED];
}

/* Is it not known when the answer's first token came? */
static bool first_is_blurred(void)
{
    (void)stream_feed(&r.stream, "data: [DONE]\n\n", strlen("data: [DONE]\n\n"), 900 * MS);
    recorder_end(&st.rec, &r.stream, stream_outcome(&r.stream, END_COMPLETE, 200), 900 * MS);
    assert_int_equal(snap->hist[METRIC_TTFT]->count, 1);
    return snap->counters[COUNTER_BLURRED_FIRST] == 1;
}

static void test_blurred(void **state)
{
    (void)state;
    begin(); /* an event that is alone in its read has the stamp of that read, also when it is the first */
    read_bytes(TOKEN, 20 * MS, 50 * MS, true);
    assert_int_equal(blurred(), 0);
    read_bytes(TOKEN, 60 * MS, 90 * MS, true);
    assert_int_equal(blurred(), 0);
    read_bytes(TOKEN TOKEN TOKEN, 100 * MS, 150 * MS, true); /* of three, the last has it */
    assert_int_equal(blurred(), 2);
    read_bytes(TOKEN TOKEN, 200 * MS, 250 * MS, true); /* the same in parts, as the chunks of a body come */
    read_bytes(TOKEN, 200 * MS, 250 * MS, true);
    assert_int_equal(blurred(), 4);
    assert_false(first_is_blurred());
    begin(); /* several in an answer's first read: the time to first token is among what is not known */
    read_bytes(TOKEN TOKEN TOKEN, 20 * MS, 50 * MS, true);
    assert_int_equal(blurred(), 2); /* the last has the stamp here too */
    read_bytes(TOKEN TOKEN, 60 * MS, 90 * MS, true);
    assert_int_equal(blurred(), 3);
    assert_true(first_is_blurred());
    begin(); /* the same in parts */
    read_bytes(TOKEN, 20 * MS, 50 * MS, true);
    read_bytes(TOKEN, 20 * MS, 50 * MS, true);
    assert_int_equal(blurred(), 1);
    assert_true(first_is_blurred());
    begin(); /* what is no token shares its stamp with a token and takes nothing from it */
    read_bytes(ROLE, 20 * MS, 50 * MS, true);
    read_bytes(TOKEN, 20 * MS, 50 * MS, true);
    assert_int_equal(blurred(), 0);
    assert_false(first_is_blurred());
    begin(); /* without a stamp a first event came at any time since the loop looked last */
    read_bytes(TOKEN, 20 * MS, 50 * MS, false);
    assert_int_equal(blurred(), 1);
    read_bytes(TOKEN, 60 * MS, 90 * MS, false); /* and so did every other */
    assert_int_equal(blurred(), 2);
    begin(); /* over HTTP/2 a read holds events of several requests, and the stamp is that of the last of them all */
    tr.shared = true;
    read_bytes(TOKEN, 20 * MS, 20 * MS, true);
    for (int of = 0; of < 5; of++) { /* streams with two frames each; of one alone it does not matter whose they are */
        tr.more = true;
        read_bytes(TOKEN, 60 * MS, 90 * MS, true);
        tr.more = of < 4;
        read_bytes(TOKEN, 60 * MS, 90 * MS, true);
    }
    tr.shared = tr.more = false;
    assert_int_equal(blurred(), 9);
    begin(); /* in time: sent together */
    read_bytes(TOKEN TOKEN TOKEN, 20 * MS, 20 * MS, true);
    assert_int_equal(blurred(), 0);
    assert_int_equal(snap->counters[COUNTER_GATHERED], 2);
    read_bytes(ROLE, 40 * MS, 40 * MS, true);
    for (int i = 0; i < 3; i++) /* in parts */
        read_bytes(TOKEN, 40 * MS, 40 * MS, true);
    assert_int_equal(snap->counters[COUNTER_GATHERED], 4);
    begin(); /* one read shows that the loop was away: what others hold has waited as long */
    read_bytes(TOKEN, 20 * MS, 21 * MS, true);
    read_bytes(TOKEN, 30 * MS, 50 * MS, true);
    assert_int_equal(blurred(), 0);
    tr.now = 50 * MS + 1, tr.arrival = 50 * MS;
    STAGE_CALLS.bytes(&r.transfer, TOKEN TOKEN, strlen(TOKEN TOKEN), tr.arrival);
    assert_int_equal(blurred(), 1);
    stream_clear(&r.stream);
    gap_pool_destroy(&pool);
}

static void begin_choices(struct dialect *d, uint32_t choices)
{
    begin();
    *d = *dialect_for(API_OPENAI_CHAT);
    d->choices = choices;
    stream_clear(&r.stream);
    stream_begin(&r.stream, d, pool, 0, 1000 * MS);
    r.stream.t.sent = 10 * MS;
}

/* Of several answers in one request each has its own tokens: those of the others that come with one are no buffer's. */
static void test_choices(void **state)
{
    struct dialect d;
    char all[4000];
    (void)state;
    begin_choices(&d, 2);
    for (int64_t at = 20; at < 100; at += 12) /* each on its own time */
        read_bytes(OF("0") OF("1"), at * MS, at * MS, true);
    read_bytes(OF("0"), 110 * MS, 110 * MS, true); /* in parts */
    read_bytes(OF("1"), 110 * MS, 110 * MS, true);
    assert_int_equal(snap->counters[COUNTER_GATHERED], 0);
    read_bytes(OF("0") OF("1") OF("0") OF("1") OF("1"), 150 * MS, 150 * MS, true); /* a buffer, whatever the order */
    assert_int_equal(snap->counters[COUNTER_GATHERED], 3);
    read_bytes(OF("1") OF("0"), 150 * MS, 150 * MS, true);
    assert_int_equal(snap->counters[COUNTER_GATHERED], 5);
    read_bytes(OF("1") OF("1") OF("0"), 170 * MS, 190 * MS, true); /* late: no more is known than of one answer */
    assert_int_equal(snap->counters[COUNTER_GATHERED], 5);
    assert_int_equal(blurred(), 2);
    read_bytes(OF("1") OF("0"), 200 * MS, 200 * MS, true);
    assert_int_equal(snap->counters[COUNTER_GATHERED], 5);
    begin_choices(&d, 20); /* more than are told apart */
    for (int64_t at = 20; at < 100; at += 12) {
        size_t n = 0;
        for (int i = 0; i < 20; i++)
            n += (size_t)snprintf(all + n, sizeof all - n,
                                  "data: {\"choices\":[{\"index\":%d,\"delta\":{\"content\":\"a\"}}]}\n\n", i);
        read_bytes(all, at * MS, at * MS, true);
    }
    assert_int_equal(snap->counters[COUNTER_GATHERED], 0);
    stream_clear(&r.stream);
    begin_choices(&d, 8); /* a long wait and short answers, all of them token by token */
    for (int64_t at = 800 * MS; at <= 801 * MS; at += MS)
        for (int i = 0; i < 8; i++) {
            (void)snprintf(all, sizeof all, OF("%d"), i);
            read_bytes(all, at, at, true);
        }
    (void)first_is_blurred();
    assert_int_equal(snap->counters[COUNTER_AT_ONCE], 0);
    begin_choices(&d, 2); /* and each in one piece of its own */
    read_bytes(OF("0") OF("0") OF("0") OF("0"), 800 * MS, 800 * MS, true);
    read_bytes(OF("1") OF("1") OF("1") OF("1"), 801 * MS, 801 * MS, true);
    (void)first_is_blurred();
    assert_int_equal(snap->counters[COUNTER_AT_ONCE], 1);
    stream_clear(&r.stream);
    gap_pool_destroy(&pool);
}

static void must_hold(enum metric m, uint32_t n, const int64_t *value)
{
    const struct hist *h = snap->hist[m];
    if (h->count != n) fail_msg("%s: %llu samples, not %u", METRICS[m].name, (unsigned long long)h->count, n);
    for (uint32_t i = 0; i < n; i++) {
        int64_t is = hist_at_rank(h, i + 1);
        if (hist_index(is) != hist_index(value[i]))
            fail_msg("%s, %u: %lld, not %lld", METRICS[m].name, i, (long long)is, (long long)value[i]);
    }
}

/* Of the gaps of a late read their sum is known: the j-th longest is at most a j-th of it, the longest at least its
 * mean. */
static void test_limits(void **state)
{
    (void)state;
    begin();
    read_bytes(TOKEN, 20 * MS, 20 * MS, true);
    read_bytes(TOKEN TOKEN, 30 * MS, 30 * MS, true); /* in time: sent together, and known */
    read_bytes(TOKEN, 40 * MS, 40 * MS, true);
    read_bytes(TOKEN, 100 * MS, 130 * MS, true); /* three in 60 ms, in parts */
    read_bytes(TOKEN TOKEN, 100 * MS, 130 * MS, true);
    read_bytes(TOKEN, 110 * MS, 140 * MS, true); /* alone: known */
    assert_int_equal(blurred(), 2);
    assert_int_equal(snap->counters[COUNTER_BLURRED_BOUND], 2);
    assert_false(first_is_blurred());
    must_hold(METRIC_ITL_BLURRED, 3, (int64_t[]){0, 0, 60 * MS});
    must_hold(METRIC_ITL_LEAST, 3, (int64_t[]){0, 0, 20 * MS});
    must_hold(METRIC_ITL_MOST, 3, (int64_t[]){20 * MS, 30 * MS, 60 * MS});
    assert_int_equal(snap->hist[METRIC_ITL]->count, 7);
    begin(); /* in the first read, at any time since the request was sent (at 10 ms) */
    read_bytes(TOKEN TOKEN TOKEN, 50 * MS, 70 * MS, true);
    read_bytes(TOKEN, 80 * MS, 80 * MS, true);
    assert_true(first_is_blurred());
    must_hold(METRIC_ITL_BLURRED, 2, (int64_t[]){0, 0});
    must_hold(METRIC_ITL_LEAST, 2, (int64_t[]){0, 0});
    must_hold(METRIC_ITL_MOST, 2, (int64_t[]){20 * MS, 40 * MS});
    begin(); /* what follows a token whose own time is not known has no limits either */
    read_bytes(TOKEN, 20 * MS, 20 * MS, true);
    read_bytes(TOKEN, 30 * MS, 60 * MS, false);
    read_bytes(TOKEN, 70 * MS, 90 * MS, true);
    read_bytes(TOKEN, 70 * MS, 90 * MS, true);
    assert_int_equal(blurred(), 2);
    assert_int_equal(snap->counters[COUNTER_BLURRED_BOUND], 0);
    (void)first_is_blurred();
    must_hold(METRIC_ITL_MOST, 0, NULL);
    begin(); /* an answer that is in no percentile is in no limits */
    r.stream.t.due = 2000 * MS;
    read_bytes(TOKEN, 20 * MS, 20 * MS, true);
    read_bytes(TOKEN TOKEN, 60 * MS, 90 * MS, true);
    (void)stream_feed(&r.stream, "data: [DONE]\n\n", strlen("data: [DONE]\n\n"), 900 * MS);
    recorder_end(&st.rec, &r.stream, stream_outcome(&r.stream, END_COMPLETE, 200), 900 * MS);
    assert_int_equal(snap->counters[COUNTER_BLURRED_BOUND], 1);
    must_hold(METRIC_ITL_MOST, 0, NULL);
    stream_clear(&r.stream);
    gap_pool_destroy(&pool);
}

/* `events` token events in `pieces` reads that are `apart` ns apart, the first 490 ms after the request was sent, each
 * read `late` after it came; `tokens` by usage. Tells whether the answer counts as one that came at once. */
static bool at_once(uint32_t events, uint32_t pieces, int64_t apart, uint32_t tokens, int64_t late)
{
    char end[200];
    int64_t at = 500 * MS;
    uint32_t put = 0;
    begin();
    r.stream.t.due = 10 * MS;
    r.stream.asked_tokens = tokens;
    for (uint32_t i = 0; i < pieces; i++, at += apart) {
        struct buf text __attribute__((cleanup(buf_clear))) = BUF_INIT(200 * sizeof TOKEN);
        for (; put < (i + 1) * events / pieces; put++)
            (void)buf_puts(&text, TOKEN);
        bool parts = i == 0 && put > 1; /* a read may be fed in parts, as chunks are */
        if (parts) read_bytes(TOKEN, at, at + late, true);
        read_bytes(buf_str(&text) + (parts ? sizeof TOKEN - 1 : 0), at, at + late, true);
    }
    (void)snprintf(
        end, sizeof end,
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":%u}}\n\ndata: [DONE]\n\n", tokens);
    (void)stream_feed(&r.stream, end, strlen(end), at);
    recorder_end(&st.rec, &r.stream, stream_outcome(&r.stream, END_COMPLETE, 200), at);
    bool once = snap->counters[COUNTER_AT_ONCE] == 1, timed = !once && pieces > 1;
    assert_int_equal(snap->counters[COUNTER_OK], 1);
    assert_int_equal(snap->hist[METRIC_TPOT]->count, timed);
    assert_int_equal(snap->hist[METRIC_TPOT_SUFFIX]->count, timed);
    assert_int_equal(snap->hist[METRIC_ITL]->count, once ? 0 : events - 1);
    assert_int_equal(snap->hist[METRIC_CHUNK_GAP]->count, events - 1); /* events there were, and this is when */
    assert_int_equal(snap->hist[METRIC_TTFT]->count, 1);
    return once;
}

/* A buffer's answer has no time between tokens, in however few pieces it hands it over; fast servers and several tokens
 * an event have. */
static void test_at_once(void **state)
{
    (void)state;
    assert_true(at_once(100, 1, 0, 100, 0));
    assert_true(at_once(1, 1, 0, 100, 0)); /* one event with all of the tokens */
    assert_true(at_once(100, 5, MS / 2, 100, 0));
    assert_false(at_once(1, 1, 0, 1, 0));
    assert_false(at_once(25, 25, 10 * MS, 100, 0)); /* speculative decoding: four tokens an event */
    assert_false(at_once(100, 100, MS, 100, 0));    /* a fast server, flat out */
    assert_false(at_once(200, 40, 10 * MS, 200, 0));
    assert_false(at_once(8, 8, MS / 2, 8, 0));      /* a long wait and a short answer, event by event */
    assert_false(at_once(100, 1, 0, 100, 20 * MS)); /* the agent was away */
    assert_false(at_once(100, 5, MS / 2, 100, 20 * MS));
    assert_true(at_once(1, 1, 0, 100, 20 * MS)); /* one event is one event, whenever it is read */
    stream_clear(&r.stream);
    gap_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blurred), cmocka_unit_test(test_choices),
                                       cmocka_unit_test(test_limits), cmocka_unit_test(test_at_once)};
    snap = snapshot_new(true);
    if (!snap) return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    snapshot_destroy(&snap);
    return rc;
}
