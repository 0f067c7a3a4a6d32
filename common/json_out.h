/* Writes JSON into a buffer, member by member. Strings are made valid: bytes that are not UTF-8 become U+FFFD, control
 * characters are escaped. NaN and infinities become null. Inside an object each call takes the member's key, inside an
 * array NULL. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

struct json_out {
    struct buf *out;
    bool pretty; /* two spaces a level, members of the two outermost levels on lines of their own */
    bool html;   /* '<', '>' and '&' are escaped as well, so that the text may stand inside a script element */
    unsigned depth;
    bool more; /* something precedes at this level */
};
#define JSON_OUT(buffer)                                                                                               \
    {                                                                                                                  \
        .out = (buffer)                                                                                                \
    }

void json_object(struct json_out *j, const char *key);
void json_array(struct json_out *j, const char *key);
void json_end_object(struct json_out *j);
void json_end_array(struct json_out *j);
void json_string(struct json_out *j, const char *key, const char *value); /* NULL is null */
void json_string_n(struct json_out *j, const char *key, const void *value, size_t n);
void json_double(struct json_out *j, const char *key, double value); /* the shortest form that reads back equal */
void json_u64(struct json_out *j, const char *key, uint64_t value);
void json_known_u64(struct json_out *j, const char *key, bool known, uint64_t value); /* else null */
void json_i64(struct json_out *j, const char *key, int64_t value);
void json_bool(struct json_out *j, const char *key, bool value);
void json_null(struct json_out *j, const char *key);
void json_raw(struct json_out *j, const char *key,
              const char *json); /* JSON that is known to be good; escaped for html too */
