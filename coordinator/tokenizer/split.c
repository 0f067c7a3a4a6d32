#include "coordinator/tokenizer/split.h"

#include <string.h>
#include <utf8proc.h>

enum class {
    LETTER = 1, /* \p{L} */
    NUMBER = 2, /* \p{N} */
    SPACE = 4,  /* \s */
    NEWLINE = 8,
    MARK = 16,  /* \p{M} */
    UPPER = 32, /* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] */
    LOWER = 64, /* [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
    SIGN = 128, /* [\p{P}\p{S}] */
    CJK = 256,  /* [一-龥぀-ゟ゠-ヿ], whatever else it is */
    END = 512   /* of the text */
};

enum contraction { CONTRACTION_NONE, CONTRACTION_FIRST, CONTRACTION_AFTER };
struct rule {
    const char *name, *pattern;
    enum contraction contraction;
    bool any_case;       /* of the contractions */
    bool cased;          /* a word's capitals come first */
    bool marks;          /* marks are letters */
    bool any_lead;       /* before a word may stand any one character, not only a blank */
    unsigned max_digits; /* of a piece; 0: any number of them, with a blank before them */
    const char *trail;   /* what may end a piece of other characters */
    unsigned apart;      /* classes that an earlier pattern took out: to the others the text ends there */
};

#define CONTRACTIONS "'s|'t|'re|'ve|'m|'ll|'d"
#define ANY_CASE "(?i:" CONTRACTIONS ")"
#define BLANKS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LEAD "[^\\r\\n\\p{L}\\p{N}]?"
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CASED(after) LEAD CAPITALS "*" SMALL "+" after "|" LEAD CAPITALS "+" SMALL "*" after

static const struct rule RULES[SPLIT_N] = {
    [SPLIT_GPT2] = {"GPT-2", SPLIT_BYTE_LEVEL, .contraction = CONTRACTION_FIRST},
    [SPLIT_LLAMA3] = {"Llama 3", ANY_CASE "|" LEAD "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" BLANKS,
                      CONTRACTION_FIRST, .any_case = true, .any_lead = true, .max_digits = 3, .trail = "\r\n"},
    [SPLIT_QWEN2] = {"Qwen 2", ANY_CASE "|" LEAD "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" BLANKS,
                     CONTRACTION_FIRST, .any_case = true, .any_lead = true, .max_digits = 1, .trail = "\r\n"},
    [SPLIT_QWEN35] = {"Qwen 3.5",
                      ANY_CASE "|" LEAD "[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" BLANKS,
                      CONTRACTION_FIRST, .any_case = true, .marks = true, .any_lead = true, .max_digits = 1,
                      .trail = "\r\n"},
    [SPLIT_O200K] = {"o200k", CASED(ANY_CASE "?") "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS,
                     CONTRACTION_AFTER, .any_case = true, .cased = true, .any_lead = true, .max_digits = 3,
                     .trail = "\r\n/"},
    [SPLIT_TEKKEN] = {"Tekken", CASED("") "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS, .cased = true,
                      .any_lead = true, .max_digits = 1, .trail = "\r\n/"},
    [SPLIT_STARCODER] = {"StarCoder", SPLIT_DIGIT SPLIT_THEN SPLIT_BYTE_LEVEL, CONTRACTION_FIRST, .max_digits = 1,
                         .apart = NUMBER},
    [SPLIT_DEEPSEEK3] =
        {"DeepSeek V3",
         "\\p{N}{1,3}" SPLIT_THEN "[一-龥぀-ゟ゠-ヿ]+" SPLIT_THEN
         "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
         " ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
         .any_lead = true, .max_digits = 3, .apart = NUMBER | CJK},
};

const char *split_name(enum split_kind k)
{
    return RULES[k].name;
}

enum split_kind split_of_pattern(const char *pattern, size_t n)
{
    unsigned k = 0;
    while (k < SPLIT_N && (strlen(RULES[k].pattern) != n || memcmp(RULES[k].pattern, pattern, n) != 0))
        k++;
    return (enum split_kind)k;
}

/* ---- characters ---- */

static unsigned class_of_ascii(unsigned char c)
{
    if ((unsigned)((c | 32) - 'a') < 26) return LETTER | (c & 32 ? LOWER : UPPER);
    if ((unsigned)(c - '0') < 10) return NUMBER;
    if (c == '\n' || c == '\r') return SPACE | NEWLINE;
    if (c == ' ' || c == '\t' || c == '\v' || c == '\f') return SPACE;
    return c > ' ' && c < 0x7f ? SIGN : 0;
}

static unsigned category_of(utf8proc_int32_t c)
{
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return LETTER | UPPER;
    case UTF8PROC_CATEGORY_LL:
        return LETTER | LOWER;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return LETTER | UPPER | LOWER;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return MARK | UPPER | LOWER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return NUMBER;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return SPACE;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
        return SIGN;
    default:
        return c == 0x85 ? SPACE : 0; /* the one control character above ASCII that is white space */
    }
}

static unsigned class_of(utf8proc_int32_t c)
{
    bool cjk = (c >= 0x4e00 && c <= 0x9fa5) || (c >= 0x3040 && c <= 0x30ff);
    return category_of(c) | (cjk ? CJK : 0);
}

/* The character at `at`: what it is, and where it ends. */
static unsigned look(const char *text, size_t n, size_t at, size_t *ret_end)
{
    *ret_end = at;
    if (at >= n) return END;
    if ((unsigned char)text[at] < 0x80) {
        *ret_end = at + 1;
        return class_of_ascii((unsigned char)text[at]);
    }
    utf8proc_int32_t c;
    size_t left = n - at < 4 ? n - at : 4;
    utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)left, &c);
    *ret_end = at + (len > 0 ? (size_t)len : 1);
    return len > 0 ? class_of(c) : 0;
}

/* Where the characters of these classes that begin at `at` end; at most so many. */
static size_t run_of(const char *text, size_t n, size_t at, unsigned classes, size_t most)
{
    size_t end;
    while (most-- > 0 && (look(text, n, at, &end) & classes) != 0)
        at = end;
    return at;
}

size_t split_blank_before(const char *text, size_t at)
{
    while (at > 0) {
        size_t from = at - 1, end;
        while (from > 0 && at - from < 4 && ((unsigned char)text[from] & 0xc0) == 0x80)
            from--;
        if (!(look(text, at, from, &end) & SPACE) || end != at) break;
        at = from;
    }
    return at;
}

size_t split_blank_after(const char *text, size_t n, size_t at)
{
    return run_of(text, n, at, SPACE, SIZE_MAX);
}

/* ---- pieces: each gives its end, 0 when there is none ---- */

/* 's 't 'm 'd 're 've 'll */
static size_t contraction_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    char c[3] = {0};
    if (n - at < 2 || text[at] != '\'') return 0;
    for (size_t i = 0; i < 2 && at + 1 + i < n; i++)
        c[i] = r->any_case && text[at + 1 + i] >= 'A' && text[at + 1 + i] <= 'Z' ? (char)(text[at + 1 + i] | 32)
                                                                                 : text[at + 1 + i];
    if (strchr("stmd", c[0]) && c[0]) return at + 2;
    if (strcmp(c, "re") == 0 || strcmp(c, "ve") == 0 || strcmp(c, "ll") == 0) return at + 3;
    return r->any_case && strcmp(c, "\xc5\xbf") == 0 ? at + 3 : 0; /* the long s is an s in any case */
}

/* Capitals, then at least one small letter; characters without a case are both, so that of capitals alone the last
 * one that may be small ends the word. */
static size_t small_end(const char *text, size_t n, size_t from)
{
    size_t last = 0, at = from, end;
    unsigned c;
    while ((c = look(text, n, at, &end)) & UPPER) {
        if (c & LOWER) last = end;
        at = end;
    }
    return c & LOWER ? run_of(text, n, at, LOWER, SIZE_MAX) : last;
}

/* Capitals, at least one, then small letters. */
static size_t capital_end(const char *text, size_t n, size_t from)
{
    size_t end = run_of(text, n, from, UPPER, SIZE_MAX);
    return end > from ? run_of(text, n, end, LOWER, SIZE_MAX) : 0;
}

static size_t cased_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    size_t after, end = 0;
    unsigned c = look(text, n, at, &after);
    if (c & (NEWLINE | NUMBER | END)) return 0;
    if (!(c & LETTER)) end = small_end(text, n, after);
    if (!end) end = small_end(text, n, at);
    if (!end && !(c & LETTER)) end = capital_end(text, n, after);
    if (!end) end = capital_end(text, n, at);
    size_t more = end && r->contraction == CONTRACTION_AFTER ? contraction_end(r, text, n, end) : 0;
    return more ? more : end;
}

static size_t word_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    size_t from = at, after;
    unsigned letters = r->marks ? LETTER | MARK : LETTER, c = look(text, n, at, &after);
    if (r->cased) return cased_end(r, text, n, at);
    if (!(c & letters)) {
        if (r->any_lead ? (c & (NEWLINE | NUMBER | END)) != 0 : text[at] != ' ') return 0;
        from = after;
    }
    size_t end = run_of(text, n, from, letters, SIZE_MAX);
    return end > from ? end : 0;
}

static size_t number_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    size_t from = r->max_digits == 0 && text[at] == ' ' ? at + 1 : at,
           end = run_of(text, n, from, NUMBER, r->max_digits ? r->max_digits : SIZE_MAX);
    return end > from ? end : 0;
}

static size_t other_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    size_t from = text[at] == ' ' ? at + 1 : at, end = from, after;
    unsigned ours = SPACE | LETTER | NUMBER | END | (r->marks ? MARK : 0);
    while (!(look(text, n, end, &after) & ours))
        end = after;
    if (end == from) return 0;
    while (r->trail && end < n && text[end] && strchr(r->trail, text[end]))
        end++;
    return end;
}

/* White space: up to its last line end; else all but the last character, which goes with what follows if anything does.
 */
static size_t blank_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    size_t end = at, after, last = at, newline = 0;
    unsigned c;
    for (; (c = look(text, n, end, &after)) & SPACE; end = after) {
        last = end;
        if (c & NEWLINE) newline = after;
    }
    if (newline && r->any_lead) return newline;
    return c & (END | r->apart) || last == at ? end : last;
}

/* ---- DeepSeek's last pattern: it cuts what the others left over, and what they took out once more, and does not match
 * everything ---- */

static bool is_within(const struct rule *r, unsigned c, bool cjk)
{
    return cjk ? (c & CJK) != 0 : !(c & (r->apart | END));
}

/* Where the characters of these classes end. */
static size_t rest_of(const struct rule *r, const char *text, size_t n, size_t at, unsigned classes, bool cjk)
{
    size_t end;
    for (unsigned c; (c = look(text, n, at, &end)) & classes && is_within(r, c, cjk);)
        at = end;
    return at;
}

static bool is_letter(char c)
{
    return (unsigned)((c | 32) - 'a') < 26;
}

static size_t known_end(const struct rule *r, const char *text, size_t n, size_t at, bool cjk)
{
    size_t after, end;
    unsigned c = look(text, n, at, &after);
    if ((unsigned char)text[at] < 0x80 && c & SIGN) {
        for (end = after; end < n && is_letter(text[end]);)
            end++;
        if (end > after) return end;
    }
    if (!(c & (NEWLINE | LETTER | SIGN)) && (end = rest_of(r, text, n, after, LETTER | MARK, cjk)) > after) return end;
    if ((end = rest_of(r, text, n, at, LETTER | MARK, cjk)) > at) return end;
    size_t from = text[at] == ' ' ? after : at;
    if ((end = rest_of(r, text, n, from, SIGN, cjk)) > from) {
        while (!cjk && end < n && (text[end] == '\r' || text[end] == '\n'))
            end++;
        return end;
    }
    return c & SPACE ? blank_end(r, text, n, at) : 0;
}

static size_t deepseek_end(const struct rule *r, const char *text, size_t n, size_t at)
{
    size_t after, end;
    unsigned c = look(text, n, at, &after);
    bool cjk = (c & CJK) != 0;
    if (c & NUMBER) return run_of(text, n, at, NUMBER, r->max_digits);
    if ((end = known_end(r, text, n, at, cjk)) != 0) return end;
    do { /* what is nothing that it knows stays together */
        end = after;
        c = look(text, n, end, &after);
    } while (is_within(r, c, cjk) && !known_end(r, text, n, end, cjk));
    return end;
}

size_t split_next(enum split_kind k, const char *text, size_t n, size_t at)
{
    const struct rule *r = &RULES[k];
    if (k == SPLIT_DEEPSEEK3) return deepseek_end(r, text, n, at);
    size_t end = r->contraction == CONTRACTION_FIRST ? contraction_end(r, text, n, at) : 0;
    if (!end) end = word_end(r, text, n, at);
    if (!end) end = number_end(r, text, n, at);
    if (!end) end = other_end(r, text, n, at);
    if (!end) end = blank_end(r, text, n, at);
    return end;
}
