/* Databricks model serving, /serving-endpoints/NAME/invocations, in chat form. The endpoint is the model, so that none
 * is named, and usage comes without being asked for (stream_options is not among its fields).
 * https://docs.databricks.com/en/machine-learning/foundation-model-apis/api-reference.html */
#include "agent/stream/body.h"
#include "agent/stream/openai_chunk.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    body_messages(&w, "messages", r);
    body_limit(&w, r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

const struct dialect dialect_databricks = {
    .write_body = write_body, .media_part = openai_media_part, .scan = openai_chunk_scan};
