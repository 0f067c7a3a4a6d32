/* What a stage makes of a read: which token events have an arrival of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/stage.h"
#include "common/clock.h"

#define MS NS_PER_MS
#define TOKEN "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"

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
    begin(); /* several in an answer's first read: the time to first token is among what is not known */
    read_bytes(TOKEN TOKEN TOKEN, 20 * MS, 50 * MS, true);
    assert_int_equal(blurred(), 3);
    begin(); /* without a stamp a first event came at any time since the loop looked last */
    read_bytes(TOKEN, 20 * MS, 50 * MS, false);
    assert_int_equal(blurred(), 1);
    begin(); /* in time: sent together */
    read_bytes(TOKEN TOKEN TOKEN, 20 * MS, 20 * MS, true);
    assert_int_equal(blurred(), 0);
    assert_int_equal(snap->counters[COUNTER_GATHERED], 2);
    stream_clear(&r.stream);
    gap_pool_destroy(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blurred)};
    snap = snapshot_new(true);
    if (!snap) return 1;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    snapshot_destroy(&snap);
    return rc;
}
