#include "common/finish.h"

#include <string.h>
#include <strings.h>

const char *const FINISH_NAMES[FINISH_N] = {
    [FINISH_NONE] = "none",
#define FINISH(id, name, words, meaning) [FINISH_##id] = name,
#include "common/finish.def"
#undef FINISH
};

static const char *const WORDS[FINISH_N] = {
    [FINISH_NONE] = "",
#define FINISH(id, name, words, meaning) [FINISH_##id] = words,
#include "common/finish.def"
#undef FINISH
};

enum finish finish_of(const char *word, size_t n)
{
    for (int i = FINISH_NONE + 1; n > 0 && i < FINISH_N; i++)
        for (const char *w = WORDS[i]; *w; w += strspn(w, " ")) {
            size_t len = strcspn(w, " ");
            if (len == n && strncasecmp(w, word, n) == 0) return (enum finish)i;
            w += len;
        }
    return n > 0 ? FINISH_OTHER : FINISH_NONE;
}
