/* The words that made-up prompts consist of: common ones of three letters, so that with its blank each is four
 * characters, and to the tokenizers in use one token. */
#pragma once

#define WORD_LIST_N 256u
#define WORD_LIST_CHARS 4u
extern const char WORD_LIST[WORD_LIST_N * WORD_LIST_CHARS + 1]; /* each with its blank */
