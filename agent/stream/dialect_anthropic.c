/* Anthropic's messages, as vLLM, llama.cpp and Ollama serve them too.
 * https://docs.anthropic.com/en/api/messages-streaming
 *
 * Each event says its type in its data and in its name. The prompt's tokens are counted in three parts: read from the
 * cache, written to it, and others. message_start may only guess them; message_delta has the truth, and the answer's.
 */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static void media_part(const struct dialect_media *m, struct buf *out)
{
    (void)buf_printf(out, "{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"%s\",\"data\":\"",
                     m->type);
    (void)buf_put(out, m->base64, m->len);
    (void)buf_puts(out, "\"}}");
}

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    struct dialect_request talk = *r;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    if (r->n_messages > 1 && strcmp(r->messages[0].role, "system") == 0) {
        body_message(&w, "system", &r->messages[0]);
        talk.messages++;
        talk.n_messages--;
    }
    body_messages(&w, "messages", &talk);
    if (r->output_tokens > 0) body_number(&w, "max_tokens", r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

/* The parts of the prompt are counted apart, and added here. `first`: of message_start. */
static void take_usage(struct event_scan *s, bool first)
{
    uint32_t input = 0, read = 0, written = 0;
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "input_tokens"))
            (void)event_scan_count(s, &input);
        else if (JSON_IS(&s->j, "cache_read_input_tokens"))
            (void)event_scan_count(s, &read);
        else if (JSON_IS(&s->j, "cache_creation_input_tokens"))
            (void)event_scan_count(s, &written);
        else if (!event_scan_usage_member(s, NULL))
            (void)json_skip(&s->j);
    }
    uint64_t all = (uint64_t)input + read + written;
    s->ev->input_tokens = all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
    s->ev->cached_tokens = read;
    if (first && read == 0 && written == 0) s->ev->flags |= EVENT_GUESS; /* who knows of its cache does not guess */
}

/* A block, or what is added to one. */
static void take_block(struct event_scan *s)
{
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "text"))
            event_scan_text(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "thinking") ||
                 JSON_IS(&s->j, "content")) /* of a compaction: a summary of what was said */
            event_scan_text(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "partial_json") || JSON_IS(&s->j, "name"))
            event_scan_text(s, EVENT_TOOL);
        else if (JSON_IS(&s->j, "stop_reason"))
            event_scan_finish(s);
        else
            (void)json_skip(&s->j);
    }
}

static void take_message(struct event_scan *s)
{
    if (!event_scan_message(s)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "usage"))
            take_usage(s, true);
        else
            (void)json_skip(&s->j);
    }
}

static void take_type(struct event_scan *s)
{
    static const char *const KNOWN[] = {
        "message_start",       "message_delta",      "message_stop", "content_block_start",
        "content_block_delta", "content_block_stop", "ping",         "message"};
    enum json_token t = json_next(&s->j);
    for (size_t i = 0; t == JSON_STRING && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (json_is(&s->j, KNOWN[i], strlen(KNOWN[i]))) s->known = true;
    if (t == JSON_STRING && JSON_IS(&s->j, "message_stop")) s->ev->flags |= EVENT_END;
    if (t == JSON_STRING && JSON_IS(&s->j, "error")) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "type")) {
            take_type(&s);
        } else if (JSON_IS(&s.j, "delta") || JSON_IS(&s.j, "content_block")) {
            if (json_enter(&s.j, JSON_OBJECT)) take_block(&s);
        } else if (JSON_IS(&s.j, "content")) { /* of a whole answer */
            if (!json_enter(&s.j, JSON_ARRAY)) continue;
            while (event_scan_item(&s))
                take_block(&s);
        } else if (JSON_IS(&s.j, "stop_reason")) {
            event_scan_finish(&s);
        } else if (JSON_IS(&s.j, "message")) {
            take_message(&s);
        } else if (JSON_IS(&s.j, "usage")) {
            take_usage(&s, false);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_anthropic = {.write_body = write_body, .media_part = media_part, .scan = scan};
