/* The table of finish reasons (finish.def) as an enum and as rows. */
#pragma once
#include <stddef.h>

enum finish {
    FINISH_NONE, /* no reason was given */
#define FINISH(id, name, words, meaning) FINISH_##id,
#include "common/finish.def"
#undef FINISH
    FINISH_N
};
extern const char *const FINISH_NAMES[FINISH_N];

/* The reason that a vendor's word means. */
enum finish finish_of(const char *word, size_t n);
