/* Cohere's chat, version 2. https://docs.cohere.com/v2/reference/chat-stream
 *
 * The type of an event is a member of its data; text lies in delta.message.content, in a whole answer in
 * message.content. */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    body_messages(&w, "messages", r);
    if (r->output_tokens > 0) body_number(&w, "max_tokens", r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

/* {"text": …} or {"thinking": …}, or a list of such. */
static void take_content(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t != JSON_OBJECT && t != JSON_ARRAY) {
        (void)json_leave(&s->j, t);
        return;
    }
    for (bool more = t == JSON_OBJECT || event_scan_item(s); more; more = t == JSON_ARRAY && event_scan_item(s)) {
        while (event_scan_key(s)) {
            if (JSON_IS(&s->j, "text"))
                event_scan_text(s, EVENT_CONTENT);
            else if (JSON_IS(&s->j, "thinking"))
                event_scan_text(s, EVENT_REASONING);
            else
                (void)json_skip(&s->j);
        }
    }
}

static void take_message(struct event_scan *s)
{
    s->known = true;
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "content"))
            take_content(s);
        else if (JSON_IS(&s->j, "tool_plan"))
            event_scan_text(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "tool_calls"))
            event_scan_tool_calls(s);
        else
            (void)json_skip(&s->j);
    }
}

/* usage.tokens, and not usage.billed_units, which may be fewer; beside both stands usage.cached_tokens. */
static void take_usage(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "tokens"))
            event_scan_usage(s);
        else if (!event_scan_usage_member(s, NULL))
            (void)json_skip(&s->j);
    }
}

/* A member of delta, or of a whole answer. False when it is neither. */
static bool take_member(struct event_scan *s)
{
    if (JSON_IS(&s->j, "message"))
        take_message(s);
    else if (JSON_IS(&s->j, "finish_reason"))
        event_scan_finish(s);
    else if (JSON_IS(&s->j, "usage"))
        take_usage(s);
    else if (JSON_IS(&s->j, "error"))
        event_scan_error(s);
    else
        return false;
    return true;
}

static void take_type(struct event_scan *s)
{
    static const char *const KNOWN[] = {"message-start", "content-start",   "content-delta",   "content-end",
                                        "message-end",   "tool-plan-delta", "tool-call-start", "tool-call-delta",
                                        "tool-call-end", "citation-start",  "citation-end"};
    enum json_token t = json_next(&s->j);
    for (size_t i = 0; t == JSON_STRING && i < sizeof KNOWN / sizeof *KNOWN; i++)
        if (json_is(&s->j, KNOWN[i], strlen(KNOWN[i]))) s->known = true;
    if (t == JSON_STRING && JSON_IS(&s->j, "message-end")) s->ev->flags |= EVENT_END;
    if (t == JSON_STRING && JSON_IS(&s->j, "error")) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    if (e->len == 6 && memcmp(e->data, "[DONE]", 6) == 0) {
        *ret = (struct event){.flags = EVENT_END};
        return;
    }
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "type")) {
            take_type(&s);
        } else if (JSON_IS(&s.j, "delta")) {
            if (!json_enter(&s.j, JSON_OBJECT)) continue;
            while (event_scan_key(&s))
                if (!take_member(&s)) (void)json_skip(&s.j);
        } else if (!(d->whole && take_member(&s))) {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_cohere = {.write_body = write_body, .scan = scan};
