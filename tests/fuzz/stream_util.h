/* Runs a stream over pieces of an input, and says everything it says. */
#pragma once
#include <stdio.h>

#include "tests/fuzz/fuzz_util.h"
#include "tests/unit/stream_said.h"

/* Templates of an API of one's own that between them have every kind of path, end and framing. */
enum { TEMPLATES = 4 };
static const char *const TEMPLATE_OF[TEMPLATES] = {
    "{\"body\":\"[{prompt}]\",\"text\":[\"choices[].delta.content\",\"choices[].text\"],\"reasoning\":\"choices[]."
    "delta.reasoning\",\"tools\":\"choices[].delta.tool_calls[].function.arguments\",\"usage\":{\"input\":\"usage."
    "prompt_tokens\",\"output\":\"usage.completion_tokens\",\"cached\":\"usage.prompt_tokens_details.cached_tokens\"},"
    "\"finish\":\"choices[].finish_reason\",\"error\":\"status\",\"end\":{\"data\":\"[DONE]\"}}",
    "{\"body\":\"[{prompt}]\",\"framing\":\"ndjson\",\"text\":\"message.content\",\"usage\":{\"output\":\"eval_"
    "count\"},\"finish\":\"done_reason\",\"end\":{\"finish\":\"done\"}}",
    "{\"body\":\"[{prompt}]\",\"text\":\"delta.text\",\"usage\":{\"reasoning\":\"usage.t\"},\"end\":{\"event\":"
    "\"message_stop\"}}",
    "{\"body\":\"[{prompt}]\",\"framing\":\"json\",\"text\":[\"[0].a[].b\",\"[1].c[2]\"],\"finish\":\"[0].f\"}",
};

static inline const struct dialect *template_dialect(int i)
{
    static struct dialect all[TEMPLATES];
    char json[1200];
    if (all[i].scan) return &all[i];
    int n =
        snprintf(json, sizeof json,
                 "{\"plan\":1,\"target\":{\"url\":\"http://h/x\",\"api\":\"template\",\"model\":\"m\",\"template\":%s}"
                 ",\"load\":{\"concurrency\":1,\"requests\":1}}",
                 TEMPLATE_OF[i]);
    const struct plan *p = n > 0 && (size_t)n < sizeof json ? plan_from_json(json, (size_t)n, NULL) : NULL;
    MUST(p); /* it stays: the dialect borrows it */
    dialect_open(&p->target, &all[i]);
    return &all[i];
}

/* salt 0: in one piece. */
static inline void run_dialect(const struct dialect *d, const uint8_t *data, size_t size, uint64_t salt, bool full_only,
                               struct said *ret)
{
    static struct gap_pool *pool;
    static struct stream s;
    if (!pool) MUST((pool = gap_pool_new(1000, 1, NULL)) != NULL);
    struct rng r;
    split_seed(&r, data, size, salt);
    stream_begin(&s, d, pool, 0, 100);
    s.full_only = full_only;
    uint32_t events = 0;
    for (size_t at = 0, n; at < size; at += n) {
        n = salt == 0 ? size : split_next(&r, size - at);
        char *piece = malloc(n ? n : 1); /* of its own: a byte read too many is seen */
        MUST(piece);
        memcpy(piece, data + at, n);
        events += stream_feed(&s, piece, n, 50);
        free(piece);
    }
    stream_said(&s, END_COMPLETE, 200, ret);
    MUST(ret->events == events && ret->window_events == events);
    MUST(ret->gaps == (events ? events - 1 : 0) && ret->gaps_lost == 0);
    MUST(pool->chunks.out == 0 && carry_pool_out(&pool->carries) == 0);
}

/* The APIs, and after them the templates. */
enum { DIALECTS = API_N + TEMPLATES };
static inline const struct dialect *dialect_at(int i)
{
    return i < API_N ? dialect_for((enum plan_api)i) : template_dialect(i - API_N);
}
