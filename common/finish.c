#include "common/finish.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "common/text.h"

const char *const FINISH_NAMES[FINISH_N] = {
    [FINISH_NONE] = "none",
#define FINISH(id, name, words, meaning) [FINISH_##id] = name,
#include "common/finish.def"
#undef FINISH
};

static const char *const WORDS[FINISH_N] = {
    [FINISH_NONE] = "null none not_finished unspecified queued in_progress", /* not ended yet, in words */
#define FINISH(id, name, words, meaning) [FINISH_##id] = words,
#include "common/finish.def"
#undef FINISH
};

static bool joins(char c)
{
    return c == '_' || c == '-' || c == ' ';
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t after_joins(const char *s, size_t n, size_t at)
{
    while (at < n && joins(s[at]))
        at++;
    return at;
}

/* How much of `s` is `word`, whatever joins the parts of both; 0: it does not begin with it. */
static size_t begins(const char *s, size_t n, const char *word, size_t word_n)
{
    size_t at = 0, k = 0;
    for (;; at++, k++) {
        k = after_joins(word, word_n, k);
        if (k == word_n) return at;
        at = after_joins(s, n, at);
        if (at == n || !same_letter(s[at], word[k])) return 0;
    }
}

/* FINISH_REASON_STOP, FinishReason.STOP: as programs write the constants of their tables. */
static const char *without_table(const char *word, size_t *n)
{
    static const char *const TABLES[] = {"finish_reason", "stop_reason"};
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++) {
        size_t at = begins(word, *n, TABLES[i], strlen(TABLES[i]));
        if (at == 0 || at + 1 >= *n || !(word[at] == '.' || joins(word[at]))) continue;
        *n -= at + 1;
        return word + at + 1;
    }
    return word;
}

enum finish finish_of(const char *word, size_t n)
{
    word = without_table(word, &n);
    for (int i = FINISH_NONE; n > 0 && i < FINISH_N; i++)
        for (const char *w = WORDS[i], *end; *w; w = *end ? end + 1 : end) {
            end = strchrnul(w, ' ');
            if (begins(word, n, w, (size_t)(end - w)) == n) return (enum finish)i;
        }
    return n == 0                                                        ? FINISH_NONE
           : text_holds(word, n, "error") || text_holds(word, n, "fail") ? FINISH_FAILED
                                                                         : FINISH_OTHER;
}
