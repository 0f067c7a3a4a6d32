/* The chunks shared by OpenAI's chat and completions APIs and those that follow them. */
#pragma once
#include "agent/stream/dialect.h"

/* {"type": "image_url", …} or {"type": "input_audio", …}. */
void openai_media_part(const struct dialect_media *m, struct buf *out);

/* One data field of a stream: `[DONE]` or a chunk object; or the object of an answer that is no stream. Reads
 * choices[].{delta, message}.{content, reasoning_content, reasoning, refusal, tool_calls[].function, function_call},
 * choices[].text, finish_reason, usage and errors, of every choice. When a key is there twice, both count (of
 * numbers the later). Content may be a string or a list of parts. */
void openai_chunk_scan(const struct dialect *d, const struct dialect_event *e, struct event *ret);
