/* Databricks model serving, /serving-endpoints/NAME/invocations, in completions form. */
#include "agent/stream/body.h"
#include "agent/stream/openai_chunk.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    body_prompt(&w, "prompt", r);
    body_limit(&w, r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

const struct dialect dialect_databricks_completions = {.write_body = write_body, .scan = openai_chunk_scan};
