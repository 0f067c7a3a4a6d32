#include "agent/prompt.h"

#include <math.h>
#include <string.h>

#include "common/rng.h"

/* 256 common words, each with its space: a random byte picks one, a random number eight. */
static const char words[256 * 4 + 1] =
    /* clang-format off */
    "the and for are but not you all any can had her was one our out day get has him his how man new now old "
    "see two way who boy did its let put say she too use act add age ago aid aim air ant arm art ask bad bag "
    "bar bat bay bed bee beg bet big bit box bus buy cap car cat cow cry cup cut dad dam den dig dim dog dot "
    "dry due ear eat egg end era eye fan far fat fed few fig fit fix fly fog fox fun fur gap gas gem gun gut "
    "guy hat hay hen hid hip hit hot hub hug hut ice ill ink inn jam jar jaw jet job joy key kid kit lab lap "
    "law lay leg lid lie lip lit log lot low mad map mat may mix mob mud mug nap net nod nor nut oak odd off "
    "oil own pad pan pat paw pay pen per pet pie pig pin pit pop pot pro rag ram ran rat raw ray red rib rid "
    "rip rod row rub rug run sad sat saw sea set sew sin sip sit six sky sly son spy sum sun tab tag tan tap "
    "tax tea ten tie tin tip toe ton top toy try tub van vet via vow war wax web wet why win wit won yes yet "
    "zip zoo ash axe ban bow bug bun cab cop cue dip ego elm fee fin gum ham ivy jog keg lag ";
/* clang-format on */

char *prompt_words(char *out, uint32_t n, uint64_t seed)
{
    struct rng r;
    rng_seed(&r, seed);
    for (uint64_t bits = 0, i = 0; i < n; i++, bits >>= 8, out += 4) {
        if (i % 8 == 0) bits = rng_u64(&r);
        memcpy(out, words + (bits & 255) * 4, 4);
    }
    return out;
}

void prompt_write(char *out, uint32_t tokens, uint32_t prefix, uint64_t prefix_seed, uint64_t seed)
{
    if (tokens == 0) return;
    if (prefix > tokens) prefix = tokens;
    out = prompt_words(out, prefix, prefix_seed);
    out = prompt_words(out, tokens - prefix, seed);
    out[-1] = '.';
}

uint32_t prompt_length(const struct dist *d, struct rng *r)
{
    double v = dist_sample(d, r);
    if (!(v >= 1)) return 1;
    return v >= PROMPT_TOKENS_MAX ? PROMPT_TOKENS_MAX : (uint32_t)lround(v);
}
