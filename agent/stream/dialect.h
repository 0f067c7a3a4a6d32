/* A dialect: how one API writes its requests and its stream. A new one is one file (dialect_SYMBOL.c) and one row in
 * api.def. Pure: bytes in, values out; no allocation while a stream runs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/payload.h"
#include "common/json_scan.h"
#include "common/buf.h"
#include "common/finish.h"
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
    EVENT_MALFORMED = 1 << 7, /* no JSON object */
    EVENT_UNKNOWN = 1 << 8,   /* an object that says nothing this API knows */
    EVENT_UNREAD = 1 << 9,    /* a number of usage that is none: negative, broken, a word */
    EVENT_GUESS = 1 << 10,    /* usage whose input may be an estimate: a later number counts in its place */
    EVENT_AGAIN = 1 << 11,    /* the text is that of the answer so far: new only where no other event had text */
    EVENT_REFUSAL = 1 << 12,  /* with EVENT_CONTENT: the text refuses to answer */
};
/* How events lie in the body. */
enum framing {
    FRAMING_SSE,  /* server-sent events (sse.h) */
    FRAMING_LINES /* a JSON value in each line (lines.h) */
};

#define EVENT_TOKEN (EVENT_CONTENT | EVENT_REASONING | EVENT_TOOL)

struct event {
    uint32_t flags;
    enum finish finish; /* with EVENT_FINISH */
    uint32_t choice;    /* whose tokens these are, where several answers were asked for */
    uint32_t again;     /* with EVENT_AGAIN: bytes of text that were put at the end of the answer's */
    /* with EVENT_USAGE, all cumulative; thought: of the output, or beside it (thoughts_apart); total: the server's own
     * sum, 0 where it gives none */
    uint32_t input_tokens, output_tokens, cached_tokens, thought_tokens, total_tokens;
};

/* One message of a conversation. */
struct dialect_message {
    const char *role; /* "system", "user" or "assistant"; a dialect translates what its API names otherwise */
    const char *text; /* plain text, escaped by the dialect unless `escaped`; not NUL-terminated */
    size_t len;
    bool escaped; /* as JSON writes it between quotes: an answer that is sent back */
    /* Words in place of the text, whose `len` they have. Their body is written into a payload's text. */
    const struct words *words;
    uint32_t n_words;
};

/* An image or a sound beside the text of the last message. */
struct dialect_media {
    enum { MEDIA_IMAGE, MEDIA_AUDIO } kind;
    const char *type, *base64; /* "image/png"; the file */
    size_t len;
};

/* What a request asks for. Everything is borrowed. */
struct dialect_request {
    const char *model;
    const struct dialect_message *messages; /* in their order; the last one is the user's */
    size_t n_messages;
    const struct dialect_media *media; /* of the last message; only for APIs that have media_part */
    size_t n_media;
    uint32_t output_tokens;
    uint32_t beside;   /* of the prompt's length, tokens that the server's template adds, as measured */
    uint32_t repeated; /* of it, tokens with which an earlier request began */
    bool guessed;      /* the prompt's length, which its source says, is an estimate */
    const char *body;  /* JSON object of the plan, merged last: its keys win */
};

/* One event of a stream, or a whole body, as it came. */
struct dialect_event {
    const char *name, *data; /* the event: field ("" when absent); its data lines joined by \n */
    size_t name_len, len;
    struct buf *text;         /* where visible text goes, as JSON writes it between quotes; NULL: nowhere */
    struct json_notes *notes; /* where the scanner notes what it read and what it skipped (shape.h); NULL: nowhere */
};

/* How the answers of a server ended so far: those that came whole, with tokens and without an error. */
struct dialect_ends {
    uint32_t marked; /* with the API's end marker: from the first one on all others need it too */
    uint32_t finished, bare,
        held; /* without it: with a finish reason; without one; with one, and the body stayed open */
};
struct shapes; /* shape.h */

struct dialect {
    enum framing framing;
    bool whole;                           /* the answer is one JSON object and no stream (target.stream: false) */
    bool ends_with_finish;                /* the event with a finish reason is the end marker */
    bool ends_with_body;                  /* there is no end marker; the body's end takes its place */
    bool ends_as_learnt;                  /* target.end: auto: what ends an answer is learnt from the first ones */
    struct dialect_ends *ends;            /* … and kept here; NULL: nothing is learnt, and any end is good */
    struct shapes *shapes;                /* of events, shared by all streams of a worker; NULL: nothing is shared */
    bool no_tokens;                       /* the answer has none (embeddings); it is always whole */
    bool thoughts_apart;                  /* usage's output tokens do not hold those of reasoning */
    bool unlimited;                       /* the plan leaves the limit of tokens out, or writes one that is no number */
    bool divides;                         /* a prompt is cut into parts, so words cannot stand for it */
    uint32_t limit;                       /* of output tokens, by the target's body; 0: each request has its own */
    uint32_t choices;                     /* answers to a request (`n` of the target's body); 0 is 1 */
    const char *omit;                     /* members that are not written, with blanks between them; NULL: none */
    const struct plan_template *template; /* api: template only; NULL: the target gives none, and nothing is known */
    /* What else of the target the dialect takes; NULL: nothing. */
    void (*open)(const struct plan_target *t, struct dialect *d);
    /* Appends the whole JSON body of a request. -1: no memory, over the buffer's limit, or r->body is no JSON
     * object. */
    int (*write_body)(const struct dialect *d, const struct dialect_request *r, struct buf *out);
    /* Writes an image or a sound as a part of a message's content; NULL: the API has none. */
    void (*media_part)(const struct dialect_media *m, struct buf *out);
    const char *text_part; /* type of the parts that hold text, where there are parts; NULL: "text" */
    void (*scan)(const struct dialect *d, const struct dialect_event *e, struct event *ret);
};
const struct dialect *dialect_for(enum plan_api api);
/* The API's dialect as a target wants it: streamed or whole, with its end marker and what is left out. */
void dialect_open(const struct plan_target *t, struct dialect *ret);
/* How many output tokens a request asks for, in all its answers, where its workload asks for `tokens` in each. */
uint32_t dialect_asked(const struct dialect *d, uint32_t tokens);
/* The value of a request's `stream`. */
static inline const char *dialect_stream_word(const struct dialect *d)
{
    return d->whole ? "false" : "true";
}

#define X(id, symbol, ...) extern const struct dialect dialect_##symbol;
#include "common/plan/api.def"
#undef X
