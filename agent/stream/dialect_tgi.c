/* Text Generation Inference's own stream: one token per event; the last one has the whole text and the details.
 * https://huggingface.co/docs/text-generation-inference/reference/api_reference */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    body_prompt(&w, "inputs", r);
    body_nested(&w, "parameters", "max_new_tokens", r->output_tokens, "\"details\":true");
    return body_end(&w);
}

static void take_token(struct event_scan *s)
{
    s->known = true;
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "text"))
            event_scan_text(s, EVENT_CONTENT);
        else
            (void)json_skip(&s->j);
    }
}

static void take_details(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "finish_reason")) {
            event_scan_finish(s);
        } else if (JSON_IS(&s->j, "generated_tokens")) {
            if (event_scan_number(s, JSON_NOTE_OUTPUT, &s->ev->output_tokens)) s->ev->flags |= EVENT_USAGE;
        } else if (JSON_IS(&s->j, "input_length")) {
            (void)event_scan_number(s, JSON_NOTE_INPUT, &s->ev->input_tokens);
        } else {
            (void)json_skip(&s->j);
        }
    }
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "token")) {
            take_token(&s);
        } else if (JSON_IS(&s.j, "generated_text")) {
            enum json_token t = json_next(&s.j);
            if (t == JSON_STRING) {
                s.known = true;
                ret->flags |= EVENT_END;
                if (d->whole && s.j.len > 0) ret->flags |= EVENT_CONTENT;
            }
            (void)json_leave(&s.j, t);
        } else if (JSON_IS(&s.j, "details")) {
            take_details(&s);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_tgi = {.write_body = write_body, .scan = scan};
