/* Writes a request's JSON object: the members that an API needs, then those of the plan's `target.body`. A member whose
 * key the plan's body has too is left out, so that the plan's value stands. Errors are kept in the buffer: body_end
 * reports them. */
#pragma once
#include "agent/stream/dialect.h"

struct body_writer {
    struct buf *out;
    const struct dialect *dialect;
    const char *plan_body; /* JSON object, or NULL */
    bool any;
    const char *omit;   /* names with blanks between them, or NULL */
    const char *merged; /* a key of the plan's body that body_nested has written */
};
int body_begin(struct body_writer *w, const struct dialect *d, const char *plan_body,
               struct buf *out);                             /* -1: the plan's body is no JSON object */
bool body_has(const struct body_writer *w, const char *key); /* the plan's body has this key */
/* `json`: the value as JSON. */
void body_member(struct body_writer *w, const char *key, const char *json);
void body_text(struct body_writer *w, const char *key, const char *text, size_t n); /* a string */
void body_number(struct body_writer *w, const char *key, uint32_t n);
void body_message(struct body_writer *w, const char *key, const struct dialect_message *m); /* its text, as a string */
/* [{"role": …, "content": …}, …]; with media the last one's content is a list of parts */
void body_messages(struct body_writer *w, const char *key, const struct dialect_request *r);
/* The texts of all messages as one string, with an empty line between two. */
void body_prompt(struct body_writer *w, const char *key, const struct dialect_request *r);
/* max_tokens, unless the plan names it under either of its names. */
void body_limit(struct body_writer *w, uint32_t tokens);
/* "key": {"member": n, …}, with the members that the plan's body has in an object of this key. `more`: further members
 * of ours as JSON, or "". */
void body_nested(struct body_writer *w, const char *key, const char *member, uint32_t n, const char *more);
/* Opens "key": for a value that the caller puts into w->out; false when the plan's own value will stand. */
bool body_key(struct body_writer *w, const char *key);
int body_end(struct body_writer *w); /* the plan's members and the closing brace; -1 when the buffer went bad */

/* "data:TYPE;base64,…" without quotes. */
void body_put_data_url(struct buf *out, const struct dialect_media *m);
void body_put_message(struct buf *out, const struct dialect_message *m); /* its text, quoted */
void body_put_string(struct buf *out, const char *text, size_t n);       /* quoted and escaped */
void body_put_part(struct buf *out, const char *text, size_t n);         /* escaped, to stand within quotes */
/* What body_messages and body_prompt write as the value; the prompt without its quotes. */
void body_put_messages(const struct dialect *d, struct buf *out, const struct dialect_request *r);
void body_put_prompt(struct buf *out, const struct dialect_request *r);
