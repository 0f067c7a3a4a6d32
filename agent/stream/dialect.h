/* A dialect: how one API writes its requests and its stream. A new one is one file (dialect_*.c) and one line in
 * api.def and in the table of dialect.c. Pure: bytes in, values out; no allocation while a stream runs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/plan/plan.h"

/* What one stream event carried. */
enum event_flag {
    EVENT_CONTENT = 1 << 0,   /* visible text, not empty */
    EVENT_REASONING = 1 << 1, /* reasoning text, not empty */
    EVENT_TOOL = 1 << 2,      /* tool-call name or arguments, not empty */
    EVENT_FINISH = 1 << 3,    /* a finish reason */
    EVENT_USAGE = 1 << 4,     /* usage numbers below are set */
    EVENT_ERROR = 1 << 5,     /* an error object */
    EVENT_END = 1 << 6,       /* the protocol's end marker */
    EVENT_MALFORMED = 1 << 7, /* not of this API */
};
#define EVENT_TOKEN (EVENT_CONTENT | EVENT_REASONING | EVENT_TOOL)

struct event {
    uint32_t flags;
    uint32_t input_tokens, output_tokens, cached_tokens; /* with EVENT_USAGE; output_tokens is cumulative */
    uint32_t text_at, text_len; /* where the token's string is in the data, when there is exactly one; else 0, 0 */
};

/* One message of a conversation. */
struct dialect_message {
    const char *role; /* "system", "user" or "assistant"; a dialect translates what its API names otherwise */
    const char *text; /* plain text, escaped by the dialect; not NUL-terminated */
    size_t len;
};

/* What a request asks for. Everything is borrowed. */
struct dialect_request {
    const char *model;
    const struct dialect_message *messages; /* in their order; the last one is the user's */
    size_t n_messages;
    uint32_t output_tokens;
    const char *body; /* JSON object of the plan, merged last: its keys win */
};

struct dialect {
    enum plan_api api;
    const char *name;
    /* Appends the whole JSON body of a streaming request. -1: no memory, over the buffer's limit, or r->body is no JSON
     * object. */
    int (*write_body)(const struct dialect_request *r, struct buf *out);
    /* Scans one SSE event; `name` is the event: field ("" when absent), `data` its data lines joined by \n. */
    void (*scan)(const char *name, size_t name_len, const char *data, size_t len, struct event *ret);
};
const struct dialect *dialect_for(enum plan_api api);
