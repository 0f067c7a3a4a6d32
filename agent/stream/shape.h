/* The shape of a stream's token events: in most streams they differ in nothing but the token's text. Once the full
 * scanner has judged one, those that follow are compared with it byte for byte around the text, and only the text is
 * read. Whatever differs goes to the full scanner, which stays the judge: a match says exactly what it would have said.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/stream/dialect.h"
#include "agent/stream/sse.h"

#define SHAPE_MAX 512u /* longer events have none */

struct shape {
    uint32_t flags;          /* of the event: exactly one of EVENT_CONTENT, EVENT_REASONING, EVENT_TOOL */
    uint16_t prefix, suffix; /* lengths; prefix 0: nothing learnt */
    char bytes[SHAPE_MAX]; /* from "data:" to the text's opening quote, and from its closing quote to the blank line */
};

/* Learns from an event that lay whole in [raw, raw_end), as its bytes were, with what SSE parser and scanner made of
 * it. Events that say more than one text (usage, a finish reason) or that are laid out otherwise than in one data line
 * leave it as it is. */
void shape_learn(struct shape *sh, const char *raw, const char *raw_end, const struct sse_event *e,
                 const struct event *ev);

/* The byte behind the event at p, when it has this shape and lies whole before end; else NULL. p must be the beginning
 * of a line of a new event. */
const char *shape_match(const struct shape *sh, const char *p, const char *end);
