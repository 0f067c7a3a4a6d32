/* Added tokens: texts such as <|im_end|> that are one token wherever they stand. They are found before a text is
 * normalised, or after it (`normalized`): the leftmost first, of those the longest. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDED_MAX 65536u

struct added_token {
    char *text; /* owned */
    size_t len;
    uint32_t id;
    bool left, right; /* takes the white space before, after it */
    bool normalized;
};
struct added {
    struct added_token *token;
    size_t n, room;
    size_t first[257]; /* those that begin with byte c are first[c] to first[c + 1] */
};

int added_put(struct added *a, struct added_token t); /* takes its text; -1 without memory, or too many */
void added_seal(struct added *a);                     /* after the last */
void added_clear(struct added *a);
/* The next one at or after `from`: where it begins and ends, blanks included. `last`: where the one before ended. NULL:
 * none is left. */
const struct added_token *added_next(const struct added *a, bool normalized, const char *text, size_t n, size_t last,
                                     size_t *from, size_t *ret_begin, size_t *ret_end);
