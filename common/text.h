/* Text from outside: which parts of it may be shown to a person or put into a file. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Length of the UTF-8 sequence at s (of n > 0 bytes) when it is well formed (RFC 3629: no overlong forms, no
 * surrogates), else 0. */
size_t text_utf8(const char *s, size_t n);

/* The same, and no control character. */
size_t text_char(const char *s, size_t n);

/* `s`, or, where it has more than `most` bytes, its beginning in whole characters and "…", in buf of most + 4 bytes. */
const char *text_cut(const char *s, size_t most, char *buf);

/* Whether `s` may be the name of a header: a token of RFC 9110, of at most 100 bytes. */
bool text_is_header_name(const char *s);

/* Whether it is `word`, whatever the case of its letters. */
static inline bool text_is_word(const char *s, size_t n, const char *word)
{
    return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

/* Whether `word` stands in it, whatever the case of its letters. Inline, since each answer's headers go through it: the
 * words are constants, and a letter's two cases differ in one bit, so that nearly all places are done with at once. */
static inline bool text_holds(const char *s, size_t n, const char *word)
{
    size_t len = strlen(word);
    char first = (char)(*word | 0x20);
    for (; n >= len && n > 0; s++, n--)
        if ((*s | 0x20) == first && strncasecmp(s, word, len) == 0) return true;
    return len == 0;
}

/* Whether it is well-formed UTF-8 without control characters but tab and line ends. */
bool text_valid(const char *s, size_t n);
