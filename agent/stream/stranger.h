/* What speaks where an API's stream was expected, by the first bytes of its answer: a sentence for the sample of a
 * failure. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum stranger_place {
    STRANGER_HEAD,   /* where the head of an HTTP answer should have been */
    STRANGER_STREAM, /* where its body should have been a stream */
    STRANGER_ANSWER, /* … or one whole answer */
};
/* A constant text; NULL with n = 0. `all`: there were no more bytes than these. *ret_text: they are text that a person
 * can read. */
const char *stranger_name(const char *bytes, size_t n, enum stranger_place at, bool all, bool *ret_text);

/* Why the data of an event is no JSON object; a constant text. */
const char *stranger_event(const char *data, size_t n);
