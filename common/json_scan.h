/* JSON (RFC 8259) read token by token, the one JSON reader of the house: the whole grammar is checked, nothing is
 * decoded, copied or allocated, and nesting is bounded. Text is taken as bytes: those of 0x80 and above are not checked
 * to be UTF-8, and \u escapes not to be pairs, because a token may end in the middle of a character. json_decode checks
 * the pairs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64u

enum json_token {
    JSON_BAD, /* not JSON, or too deep; stays */
    JSON_END, /* the one value is over and nothing but white space follows */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY, /* its value is the next token */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json {
    const char *at, *end;
    const char *text; /* of the last key, string (between its quotes, escapes as written) or number */
    size_t len;
    bool escaped; /* it holds a backslash */
    uint8_t expect;
    uint32_t depth;
    uint64_t objects; /* bit d: the container at depth d + 1 is an object */
};

void json_begin(struct json *j, const char *text, size_t n);
enum json_token json_next(struct json *j);

/* Reads over the rest of a value whose first token `t` was just returned. Returns 0, or -1 when it is bad. */
int json_leave(struct json *j, enum json_token t);
/* Reads over the next value. */
int json_skip(struct json *j);
/* The next value is wanted to be of this kind: true when it is; else it is read over. */
bool json_enter(struct json *j, enum json_token want);
/* The last key or string, unescaped, is this ASCII word. */
bool json_is(const struct json *j, const char *word, size_t n);
#define JSON_IS(j, literal) json_is(j, literal, sizeof(literal) - 1)
/* The last key or string without its escapes, as UTF-8, into `out` of at least j->len bytes: decoding never lengthens.
 * False when a \u escape is half of a pair. */
bool json_decode(const struct json *j, char *out, size_t *ret_len);
/* The last number as a whole number of at most 32 bits; false when it is none. */
bool json_u32(const struct json *j, uint32_t *ret);

/* The closing quote of the string whose first byte is `p`; NULL when it does not end or breaks the grammar. */
const char *json_string_end(const char *p, const char *end, bool *ret_escaped);
/* n bytes are one JSON document. */
bool json_valid(const char *text, size_t n);
