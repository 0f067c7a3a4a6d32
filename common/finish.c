#include "common/finish.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

const char *const FINISH_NAMES[FINISH_N] = {
    [FINISH_NONE] = "none",
#define FINISH(id, name, words, meaning) [FINISH_##id] = name,
#include "common/finish.def"
#undef FINISH
};

static const char *const WORDS[FINISH_N] = {
    [FINISH_NONE] = "null none not_finished finish_reason_unspecified", /* not ended yet, in words */
#define FINISH(id, name, words, meaning) [FINISH_##id] = words,
#include "common/finish.def"
#undef FINISH
};

enum finish finish_of(const char *word, size_t n)
{
    for (int i = FINISH_NONE; n > 0 && i < FINISH_N; i++)
        for (const char *w = WORDS[i], *end; *w; w = *end ? end + 1 : end) {
            end = strchrnul(w, ' ');
            if ((size_t)(end - w) == n && strncasecmp(w, word, n) == 0) return (enum finish)i;
        }
    return n == 0                                                        ? FINISH_NONE
           : text_holds(word, n, "error") || text_holds(word, n, "fail") ? FINISH_FAILED
                                                                         : FINISH_OTHER;
}
