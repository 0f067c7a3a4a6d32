/* The pieces that OpenAI's chat and completions APIs, and those that follow them, share. */
#pragma once
#include "agent/stream/dialect.h"

/* One data field of a stream: `[DONE]` or a chunk object. Reads choices[].delta.{content, reasoning_content, reasoning,
 * refusal, tool_calls[].function, function_call}, choices[].text, finish_reason, usage and error, of every choice; of a
 * key that is there twice, both count (numbers: the later). Content may be a string or a list of parts. */
void openai_chunk_scan(const char *name, size_t name_len, const char *data, size_t len, struct event *ret);

/* The members that a request's object begins with, before the plan's own. One whose key the plan's body has too is left
 * out. */
struct body_writer {
    struct buf *out;
    const char *plan_body; /* JSON object, or NULL */
    bool any;
};
int body_begin(struct body_writer *w, const char *plan_body,
               struct buf *out); /* -1: the plan's body is no JSON object */
bool body_has(const struct body_writer *w, const char *key);
/* `json`: the value as JSON. */
void body_member(struct body_writer *w, const char *key, const char *json);
void body_text(struct body_writer *w, const char *key, const char *text, size_t n); /* a string */
void body_number(struct body_writer *w, const char *key, uint32_t n);
void body_messages(struct body_writer *w, const char *prompt, size_t n); /* one message of the user */
int body_end(struct body_writer *w); /* the plan's members and the closing brace; -1 when the buffer went bad */

/* max_tokens, unless the plan names it under either of its names. */
void body_limit(struct body_writer *w, uint32_t tokens);
