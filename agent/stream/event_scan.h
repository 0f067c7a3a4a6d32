/* The building blocks of all APIs' scanners: a JSON document is read from left to right, and what it says is put into
 * an event. Each function reads the next value, whatever it is. */
#pragma once
#include "agent/stream/dialect.h"

struct event_scan {
    struct json j;
    struct event *ev;
    struct buf *text; /* as in struct dialect_event */
    bool known;       /* the object holds what the API's events hold */
    bool suspect;     /* it holds what errors hold … */
    bool apart;       /* choices are told apart */
    bool fine;        /* … and a code or status that says success */
};

/* Clears *ret and enters the event's object. False when there is nothing to read: no data, null, an error by its name,
 * or no object (malformed). */
bool event_scan_begin(struct event_scan *s, const struct dialect_event *e, struct event *ret);
/* The object is read to its end. An object that is not known is an error if it looks like one, else unknown. */
void event_scan_end(struct event_scan *s);
/* The next key of the object entered last; false at its end. */
static inline bool event_scan_key(struct event_scan *s)
{
    return json_next(&s->j) == JSON_KEY;
}
/* The next object of the array entered last; others are read over. False at its end. */
bool event_scan_item(struct event_scan *s);

/* A string: the flag is set when it is not empty. */
void event_scan_text(struct event_scan *s, uint32_t flag);
/* A string, or a list of parts as some servers send it: {"type": "text", "text": …}; {"type": "thinking",
 * "thinking": …}; {"type": "reasoning", "summary": […]}. True when it was one of them, or null. */
bool event_scan_content(struct event_scan *s, uint32_t flag);
/* A number of usage, also one in quotes. True when it was one, and *to is set. EVENT_UNREAD when it is neither that nor
 * null. */
bool event_scan_number(struct event_scan *s, enum json_note_kind kind, uint32_t *to);
/* The same without a note: for sums, and for APIs whose token events have no usage. */
bool event_scan_count(struct event_scan *s, uint32_t *to);
/* The next value is a list of objects; known when it has one, and the member `name`, or `other`, of each is a number, a
 * text that is not empty, or a list, not empty, of numbers: a vector or a score, and not what a server writes where it
 * has none (null stands for NaN). */
void event_scan_results(struct event_scan *s, const char *name, const char *other);
/* Numbers of usage in words that another API than the event's has. */
struct event_usage {
    uint32_t input, output;
    bool has_input, has_output;
};
/* The value of a key inside usage, whoever names it: false when it is none of these names, and is not read. `other`:
 * where numbers go whose names are not those of OpenAI's chunks; NULL: into the event as the others. */
bool event_scan_usage_member(struct event_scan *s, struct event_usage *other);
/* All of usage. */
void event_scan_usage(struct event_scan *s);
/* True unless the value means nothing: null, false, "", 0, []. */
bool event_scan_is_something(struct event_scan *s);
/* The same of a value that changes nothing of an event with tokens: it may differ within a shape. */
bool event_scan_skip(struct event_scan *s);
/* The same; *ret_text is set when it is a text that is not empty. */
bool event_scan_skip_text(struct event_scan *s, bool *ret_text);
/* A value that is looked at: true when it is this word, or the literal true. */
bool event_scan_is(struct event_scan *s, const char *word);
bool event_scan_is_true(struct event_scan *s);
/* A call's {"name", "arguments"} or {"name", "input"}: EVENT_TOOL when one of them is a string that is not empty. */
void event_scan_function(struct event_scan *s);
/* A list of {"function": {…}} or {"custom": {…}}, or one. */
void event_scan_tool_calls(struct event_scan *s);
/* Why the answer ended: EVENT_FINISH, and EVENT_ERROR where that was an error. */
void event_scan_finish(struct event_scan *s);
/* A member that tells of an error, unless it is null, false or empty. */
void event_scan_error(struct event_scan *s);
/* A member `message`: true when it is an object, which is entered. A text is what errors hold. */
bool event_scan_message(struct event_scan *s);
/* The value of a key of the event's object that the API does not know. Members that any vendor's errors have are
 * noticed. */
void event_scan_other(struct event_scan *s);
