/* OpenAI's chat completions, as vLLM, SGLang, llama.cpp, TGI and others serve it.
 * https://platform.openai.com/docs/api-reference/chat-streaming */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/openai_chunk.h"

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    body_messages(&w, "messages", r);
    body_limit(&w, r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    if (!d->whole) body_member(&w, "stream_options", "{\"include_usage\":true}");
    return body_end(&w);
}

const struct dialect dialect_openai_chat = {
    .write_body = write_body, .media_part = openai_media_part, .scan = openai_chunk_scan};
