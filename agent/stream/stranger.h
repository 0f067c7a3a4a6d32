/* What speaks where an API's stream was expected, by the first bytes of its answer: a sentence for the sample of a
 * failure. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* A constant text; NULL with n = 0. `http`: the bytes are the body of an HTTP answer; else they came where its head
 * should have been. *ret_text: they are text that a person can read. */
const char *stranger_name(const char *bytes, size_t n, bool http, bool *ret_text);

/* Why the data of an event is no JSON object; a constant text. */
const char *stranger_event(const char *data, size_t n);
