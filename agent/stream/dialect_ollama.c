/* Ollama's own chat: a JSON object in each line; the last one has `done` and the counts.
 * https://github.com/ollama/ollama/blob/main/docs/api.md */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    body_messages(&w, "messages", r);
    body_nested(&w, "options", "num_predict", r->output_tokens, "");
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

static void take_message(struct event_scan *s)
{
    if (!event_scan_message(s)) return;
    s->known = true;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "content"))
            event_scan_text(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "thinking"))
            event_scan_text(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "tool_calls"))
            event_scan_tool_calls(s);
        else
            (void)json_skip(&s->j);
    }
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "message")) {
            take_message(&s);
        } else if (JSON_IS(&s.j, "done")) {
            s.known = true;
            if (event_scan_is_true(&s)) ret->flags |= EVENT_END;
        } else if (JSON_IS(&s.j, "done_reason")) {
            event_scan_finish(&s);
        } else if (JSON_IS(&s.j, "eval_count")) {
            if (event_scan_number(&s, JSON_NOTE_OUTPUT, &ret->output_tokens)) ret->flags |= EVENT_USAGE;
        } else if (JSON_IS(&s.j, "prompt_eval_count")) {
            (void)event_scan_number(&s, JSON_NOTE_INPUT, &ret->input_tokens);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_ollama = {.framing = FRAMING_LINES, .write_body = write_body, .scan = scan};
