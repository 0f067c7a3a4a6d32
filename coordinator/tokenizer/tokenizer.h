/* A model's tokenizer, read from its tokenizer.json: how many tokens a text is. Byte-level BPE only, of the families
 * that split.h knows. What differs from the public `tokenizers` package is refused when the file is read, so that a
 * count is the same or there is none; truncation and padding of the file are left out, as servers leave them out. One
 * thread at a time. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "coordinator/tokenizer/bpe.h"

#define TOKENIZER_FILE_MAX (64u << 20)
#define TOKENIZER_WORDS_LEAST 32u

struct tokenizer;
/* `name` is the file's, for messages. */
ERR_CHECKED struct tokenizer *tokenizer_parse(const char *json, size_t n, const char *name, struct err *e);
/* `ret_sha256`: of the file; may be NULL. */
ERR_CHECKED struct tokenizer *tokenizer_read(const char *path, char ret_sha256[65], struct err *e);
void tokenizer_destroy(struct tokenizer **t);

/* The tokens of a text, without those that the tokenizer puts around it. -1: no memory, or a word of many MiB. */
int64_t tokenizer_count(struct tokenizer *t, const char *text, size_t n);
/* The same; they are added to `ids`, which the caller frees. */
int64_t tokenizer_encode(struct tokenizer *t, const char *text, size_t n, struct bpe_ids *ids);
uint32_t tokenizer_beside(const struct tokenizer *t); /* tokens that it puts around a text, such as a BOS */
/* The words of word_list.h that are one token, whether a blank stands before them or not, and whatever words stand
 * around them: bit i of byte i / 8. Checked by encoding. How many they are. */
uint32_t tokenizer_words(struct tokenizer *t, uint8_t ret[32]);
void tokenizer_describe(const struct tokenizer *t, struct buf *out); /* what it is, for people */
