/* Triton's generate extension: one event for each response of a decoupled model, without an end marker and without
 * usage. https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_generate.html
 */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    body_prompt(&w, "text_input", r);
    if (r->output_tokens > 0) body_number(&w, "max_tokens", r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "text_output")) {
            s.known = true;
            event_scan_text(&s, EVENT_CONTENT);
        } else if (JSON_IS(&s.j, "finish_reason")) { /* of the vLLM backend, where it is asked for */
            event_scan_finish(&s);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
}

const struct dialect dialect_triton = {.ends_with_body = true, .write_body = write_body, .scan = scan};
