/* OpenAI's embeddings: one answer with a vector, and no tokens out.
 * https://platform.openai.com/docs/api-reference/embeddings */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    body_prompt(&w, "input", r);
    return body_end(&w);
}

static void take_usage(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (!JSON_IS(&s->j, "prompt_tokens"))
            (void)json_skip(&s->j);
        else if (event_scan_count(s, &s->ev->input_tokens))
            s->ev->flags |= EVENT_USAGE;
    }
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "data")) {
            event_scan_results(&s, "embedding", "embedding");
        } else if (JSON_IS(&s.j, "usage")) {
            take_usage(&s);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_openai_embeddings = {
    .no_tokens = true, .whole = true, .write_body = write_body, .scan = scan};
