/* A recorder with one stream: what the tests of recorder.c feed and count. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/recorder.h"
#include "common/clock.h"

#define MS NS_PER_MS
#define TOKEN "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n"
#define THOUGHT "data: {\"choices\":[{\"delta\":{\"reasoning\":\"a\"}}]}\n\n"
#define VISIBLE TOKEN
#define DONE "data: [DONE]\n\n"

static struct gap_pool *pool;
static struct snapshot *snap;
static struct recorder rec;
static struct stream s;

static const int64_t from = 1000 * MS, to = 2000 * MS; /* the window */

static inline void fresh(const int64_t *slo)
{
    snapshot_reset(snap);
    recorder_begin(&rec, snap, from, to, slo);
}

static inline void begin(int64_t due, int64_t sent)
{
    recorder_due(&rec, due);
    stream_begin(&s, dialect_for(API_OPENAI_CHAT), pool, from, to);
    s.t.due = s.t.free = due;
    s.t.sent = sent;
    if (sent != 0) recorder_sent(&rec);
}

static inline void feed(const char *text, int64_t at)
{
    (void)stream_feed(&s, text, strlen(text), at);
}

static inline void usage(uint32_t in, uint32_t out, uint32_t cached, int64_t at)
{
    struct buf b __attribute__((cleanup(buf_clear))) = BUF_INIT(1000);
    assert_int_equal(buf_printf(&b,
                                "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":%u,"
                                "\"prompt_tokens_details\":{\"cached_tokens\":%u}}}\n\n",
                                in, out, cached),
                     0);
    feed(buf_str(&b), at);
}

static inline void end(enum transport_end how, int status, int64_t now, enum counter expect)
{
    enum counter outcome = stream_outcome(&s, how, status);
    assert_int_equal(outcome, expect);
    recorder_end(&rec, &s, outcome, now);
    stream_clear(&s);
}

static inline uint64_t counted(enum counter c)
{
    return rec.snap->counters[c];
}

static inline int setup(void **state)
{
    (void)state;
    pool = gap_pool_new(10000, 1, NULL);
    snap = snapshot_new(true);
    return pool && snap ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    gap_pool_destroy(&pool);
    snapshot_destroy(&snap);
    return 0;
}
