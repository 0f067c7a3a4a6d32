/* The chunks that OpenAI's chat and completions APIs, and those that follow them, share. */
#pragma once
#include "agent/stream/dialect.h"

/* One data field of a stream: `[DONE]` or a chunk object. Reads choices[].delta.{content, reasoning_content, reasoning,
 * refusal, tool_calls[].function, function_call}, choices[].text, finish_reason, usage and error, of every choice; of a
 * key that is there twice, both count (numbers: the later). Content may be a string or a list of parts. */
void openai_chunk_scan(const char *name, size_t name_len, const char *data, size_t len, struct event *ret);
