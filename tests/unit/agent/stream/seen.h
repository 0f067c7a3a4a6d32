/* A stream that is fed by hand, and everything that it says of itself. */
#pragma once
#include <string.h>

#include "agent/stream/stream.h"

#define AT 1000
#define GAPS_MAX 4096u

#define CHAT API_OPENAI_CHAT
#define COMPLETIONS API_OPENAI_COMPLETIONS
#define ROLE                                                                                                           \
    "data: "                                                                                                           \
    "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
#define TOKEN(t) "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t "\"},\"finish_reason\":null}]}\n\n"
#define THOUGHT(t)                                                                                                     \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"" t "\"},\"finish_reason\":null}]}\n\n"
#define COUNTED(t, n)                                                                                                  \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" t                                                     \
    "\"}}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":" n "}}\n\n"
#define DONE "data: [DONE]\n\n"

/* Everything a stream says of itself. */
struct seen {
    struct timeline t;
    uint32_t events, window_events, usage_in, usage_out, usage_cached, n_gaps;
    bool usage, finish, end, error, malformed;
    enum counter outcome;
    uint64_t bytes;
    struct gap gap[GAPS_MAX];
};

static struct gap_pool *pool;
static struct stream s; /* large: it carries a buffer */

static inline void finish(struct seen *ret, enum transport_end end, int status)
{
    memset(ret, 0, sizeof *ret);
    ret->outcome = stream_outcome(&s, end, status);
    ret->t = s.t;
    ret->events = s.events;
    ret->window_events = s.window_events;
    ret->usage_in = s.usage_in;
    ret->usage_out = s.usage_out;
    ret->usage_cached = s.usage_cached;
    ret->usage = s.usage;
    ret->finish = s.finish;
    ret->end = s.end;
    ret->error = s.error;
    ret->malformed = s.malformed;
    ret->bytes = s.bytes;
    struct gap_iter it;
    gaps_begin(&it, &s.gaps);
    while (ret->n_gaps < GAPS_MAX && gaps_next(&it, &ret->gap[ret->n_gaps]))
        ret->n_gaps++;
    stream_clear(&s);
}

static inline void begin(enum plan_api api)
{
    stream_begin(&s, dialect_for(api), pool, 0, INT64_MAX);
}

static inline void feed(const char *text, int64_t at)
{
    (void)stream_feed(&s, text, strlen(text), at);
}

static inline enum counter outcome_of(const char *body, enum transport_end end, int status)
{
    static struct seen seen;
    begin(API_OPENAI_CHAT);
    feed(body, AT);
    finish(&seen, end, status);
    return seen.outcome;
}

static inline void begin_as(enum plan_api api, bool whole_answer, enum plan_end end)
{
    static struct dialect d;
    const struct plan_target t = {.api = api, .whole = whole_answer, .end = end};
    dialect_open(&t, &d);
    stream_begin(&s, &d, pool, 0, INT64_MAX);
}

static inline int setup(void **state)
{
    (void)state;
    pool = gap_pool_new(100000, 2, NULL);
    return pool ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    gap_pool_destroy(&pool);
    return 0;
}
