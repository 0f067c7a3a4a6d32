/* What the requests of a conversation, or of a session tree, come to together. */
#pragma once
#include <stdint.h>

#include "agent/stream/stream.h"

struct session_sum {
    uint64_t longest;       /* most tokens of a prompt and its answer */
    uint64_t input, cached; /* tokens of its prompts, and those that came from the server's cache */
};
static inline void session_sum_add(struct session_sum *s, const struct stream_tokens *n)
{
    uint64_t length = (uint64_t)n->input + n->made;
    if (length > s->longest) s->longest = length;
    s->input += n->input;
    s->cached += n->cached;
}
