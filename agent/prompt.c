#include "agent/prompt.h"

#include <math.h>
#include <string.h>

#include "common/hex.h"
#include "common/plan/plan_api.h"
#include "common/word_list.h"

uint32_t prompt_length(const struct dist *d, struct rng *r)
{
    double v = dist_sample(d, r);
    if (!(v >= 1)) return 1;
    return v >= PROMPT_TOKENS_MAX ? PROMPT_TOKENS_MAX : (uint32_t)lround(v);
}

uint32_t prompt_words(const struct word_cost *c, uint32_t tokens, bool whole)
{
    if (c->word == 0) return tokens;
    double v = (tokens - (whole ? c->beside : 0)) / c->word, least = whole;
    if (v < least) return (uint32_t)least;
    return v >= PROMPT_WORDS_MAX ? PROMPT_WORDS_MAX : (uint32_t)lround(v);
}

/* The words that count, from the first again until the table is full. */
static bool fill_table(char table[WORD_LIST_N * WORD_LIST_CHARS], const char *hex)
{
    uint32_t n = 0;
    for (uint32_t i = 0; hex && i < WORD_LIST_N; i++) {
        unsigned byte = (unsigned)hex_value(hex[i / 8 * 2]) << 4 | (unsigned)hex_value(hex[i / 8 * 2 + 1]);
        char *cell = table + (size_t)n * WORD_LIST_CHARS;
        if (!(byte >> i % 8 & 1)) continue;
        cell[0] = ' ';
        memcpy(cell + 1, WORD_LIST + (size_t)i * WORD_LIST_CHARS, WORD_LIST_CHARS - 1);
        n++;
    }
    for (uint32_t i = n; n > 0 && i < WORD_LIST_N; i++)
        memcpy(table + (size_t)i * WORD_LIST_CHARS, table + (size_t)(i - n) * WORD_LIST_CHARS, WORD_LIST_CHARS);
    return n > 0;
}

int prompt_tokens_init(struct prompt_tokens *p, const struct plan_target *t, const struct word_costs *measured,
                       struct err *e)
{
    *p = (struct prompt_tokens){.on = t->tokenizer.file != NULL, .costs = *measured};
    if (!p->on) return 0;
    if (!fill_table(p->table, t->tokenizer.words))
        return err_set(e, ERR_INTERNAL, "the plan names a tokenizer, %.200s, and not what follows from it",
                       t->tokenizer.file);
    if (p->costs.of[0].word == 0)
        p->costs.of[0] = (struct word_cost){.word = 1, .beside = plan_target_sends_text(t) ? t->tokenizer.beside : 0};
    return 0;
}
