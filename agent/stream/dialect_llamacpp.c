/* llama.cpp's own completion: every event counts the tokens so far; the last one has `stop`.
 * https://github.com/ggml-org/llama.cpp/tree/master/tools/server */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    body_prompt(&w, "prompt", r);
    if (r->output_tokens > 0 && !body_has(&w, "max_tokens")) body_number(&w, "n_predict", r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

static void take_timings(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "cache_n"))
            (void)event_scan_number(s, JSON_NOTE_CACHED, &s->ev->cached_tokens);
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
        if (JSON_IS(&s.j, "content")) {
            s.known = true;
            event_scan_text(&s, EVENT_CONTENT);
        } else if (JSON_IS(&s.j, "stop")) {
            s.known = true;
            if (event_scan_is_true(&s)) ret->flags |= EVENT_END;
        } else if (JSON_IS(&s.j, "stop_type")) {
            event_scan_finish(&s);
        } else if (JSON_IS(&s.j, "tokens_predicted")) {
            if (event_scan_number(&s, JSON_NOTE_OUTPUT, &ret->output_tokens)) ret->flags |= EVENT_USAGE;
        } else if (JSON_IS(&s.j, "tokens_evaluated")) {
            (void)event_scan_number(&s, JSON_NOTE_INPUT, &ret->input_tokens);
        } else if (JSON_IS(&s.j, "timings")) {
            take_timings(&s);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_llamacpp = {.write_body = write_body, .scan = scan};
