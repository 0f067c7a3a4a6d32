/* How a tokenizer cuts text into the pieces that its merges may not cross. Each known family has a pattern, which a
 * tokenizer.json holds as a regular expression; here it is a rule, and no expression is ever run. A pattern that is not
 * known is refused: one that is almost like another cuts almost alike. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum split_kind {
    SPLIT_GPT2,
    SPLIT_LLAMA3,
    SPLIT_QWEN2,
    SPLIT_QWEN35,
    SPLIT_O200K,
    SPLIT_TEKKEN,
    SPLIT_STARCODER,
    SPLIT_DEEPSEEK3,
    SPLIT_N
};
/* Between patterns that are applied one after the other, each to the pieces that the one before left over. */
#define SPLIT_THEN " then "
/* What `ByteLevel` with use_regex splits by. */
#define SPLIT_BYTE_LEVEL "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define SPLIT_DIGIT "\\p{N}" /* what `Digits` splits by, each on its own */

const char *split_name(enum split_kind k); /* the family, for people */
/* SPLIT_N: this pattern is not known. */
enum split_kind split_of_pattern(const char *pattern, size_t n);
/* Where the piece that begins at `at` < n ends. Bytes that are no UTF-8 are characters of their own. */
size_t split_next(enum split_kind k, const char *text, size_t n, size_t at);
/* The white space that ends before, and begins at, a place of the text: where it begins, where it ends. */
size_t split_blank_before(const char *text, size_t at);
size_t split_blank_after(const char *text, size_t n, size_t at);
