/* The word by which an answer says why it ended, where no table knows it: for a person to read. Pure. */
#pragma once
#include <stddef.h>

/* In the data of an event that has such a word: it, as JSON writes it between quotes, or all of the data where it
 * stands in a member of an unusual name. */
const char *finish_word_find(const char *data, size_t n, size_t *ret_n);
