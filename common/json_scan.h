/* JSON (RFC 8259) read token by token, the one JSON reader of the house: the whole grammar is checked, nothing is
 * decoded, copied or allocated, and nesting is bounded. Text is taken as bytes: those of 0x80 and above are not checked
 * to be UTF-8, and \u escapes not to be pairs, because a token may end in the middle of a character. json_decode checks
 * the pairs. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define JSON_DEPTH_MAX 64u

enum json_token {
    JSON_BAD, /* not JSON, or too deep; stays */
    JSON_END, /* the one value is over and nothing but white space follows */
    JSON_OBJECT,
    JSON_OBJECT_END,
    JSON_ARRAY,
    JSON_ARRAY_END,
    JSON_KEY, /* its value is the next token */
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

/* What a scanner made of the strings and numbers of a document, so that a caller knows on which of its bytes the result
 * depends: the bytes of a note may be replaced by others of the same kind, all other bytes may not. */
enum json_note_kind {
    JSON_NOTE_STRING, /* read over */
    JSON_NOTE_NUMBER, /* read over */
    JSON_NOTE_TEXT,   /* a string that is not empty, and only that matters */
    JSON_NOTE_INPUT,  /* numbers of usage */
    JSON_NOTE_OUTPUT,
    JSON_NOTE_CACHED,
    JSON_NOTE_THOUGHT,
    JSON_NOTE_TOTAL,
    JSON_NOTE_CHOICE, /* a choice's index */
};
#define JSON_NOTES_MAX 40u
struct json_notes {
    uint32_t n; /* JSON_NOTES_MAX + 1: there were more */
    struct json_note {
        uint32_t at, len;
        enum json_note_kind kind;
    } note[JSON_NOTES_MAX];
};

struct json {
    const char *start, *at, *end;
    struct json_notes *notes; /* set after json_begin; NULL: none are taken */
    const char *text;         /* of the last key, string (between its quotes, escapes as written) or number */
    size_t len;
    bool escaped; /* it holds a backslash */
    uint8_t expect;
    uint32_t depth;
    uint64_t objects; /* bit d: the container at depth d + 1 is an object */
};

void json_begin(struct json *j, const char *text, size_t n);
enum json_token json_next(struct json *j);

/* Reads over the rest of a value whose first token `t` was just returned. Returns 0, or -1 when it is bad. */
int json_leave(struct json *j, enum json_token t);
/* Reads over the next value; its strings and numbers are noted as that. */
int json_skip(struct json *j);
/* The same of a value whose first token has been read. */
int json_skip_from(struct json *j, enum json_token t);
/* Notes the last string or number. */
static inline void json_note(struct json *j, enum json_note_kind kind)
{
    if (!j->notes || j->notes->n > JSON_NOTES_MAX) return;
    if (j->notes->n < JSON_NOTES_MAX)
        j->notes->note[j->notes->n] = (struct json_note){(uint32_t)(j->text - j->start), (uint32_t)j->len, kind};
    j->notes->n++;
}
/* The next value is wanted to be of this kind: true when it is; else it is read over. */
bool json_enter(struct json *j, enum json_token want);
/* The last key or string, unescaped, is this ASCII word. */
bool json_is_escaped(const struct json *j, const char *word, size_t n);
static inline bool json_is(const struct json *j, const char *word, size_t n)
{
    return j->escaped ? json_is_escaped(j, word, n) : j->len == n && memcmp(j->text, word, n) == 0;
}
#define JSON_IS(j, literal) json_is(j, literal, sizeof(literal) - 1)
/* The last key or string without its escapes, as UTF-8, into `out` of at least j->len bytes: decoding never lengthens.
 * False when a \u escape is half of a pair. */
bool json_decode(const struct json *j, char *out, size_t *ret_len);
/* A number, as it is written, that is whole by its value (20, 20.0, 2e1) and has at most 32 bits; false when it is
 * none. */
bool json_whole(const char *text, size_t n, uint32_t *ret);
/* The last number or string as such. */
static inline bool json_u32(const struct json *j, uint32_t *ret)
{
    return json_whole(j->text, j->len, ret);
}
/* The byte after the number that begins at p; NULL when there is none. */
const char *json_number_end(const char *p, const char *end);

/* Bytes from p on that neither end a string nor are an escape or a control character. Sixteen or eight at a time. */
static inline const char *json_plain_run(const char *p, const char *end)
{
#ifdef __SSE2__
    const __m128i quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\'), controls = _mm_set1_epi8(0x1f);
    while (end - p >= 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(x, controls), x); /* at most 0x1f */
        __m128i hit = _mm_or_si128(control, _mm_or_si128(_mm_cmpeq_epi8(x, quotes), _mm_cmpeq_epi8(x, slashes)));
        int mask = _mm_movemask_epi8(hit);
        if (mask) return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    while (end - p >= 8) {
        uint64_t x;
        memcpy(&x, p, 8);
        uint64_t quote = x ^ (ones * '"'), slash = x ^ (ones * '\\');
        /* a byte's top bit is set where it was zero, or less than 0x20; the lowest such bit is exact */
        uint64_t hit = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((x - ones * 0x20) & ~x)) & tops;
        if (hit) return p + (__builtin_ctzll(hit) >> 3);
        p += 8;
    }
#endif
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    return p;
}
/* json_string_end from a byte on that a plain run ended with. Apart, since most strings have no escape. */
const char *json_escaped_end(const char *p, const char *end);
/* The closing quote of the string whose first byte is `p`; NULL when it does not end or breaks the grammar. */
static inline const char *json_string_end(const char *p, const char *end, bool *ret_escaped)
{
    p = json_plain_run(p, end);
    *ret_escaped = p == end || *p != '"';
    return *ret_escaped ? json_escaped_end(p, end) : p;
}
/* n bytes are one JSON document. */
bool json_valid(const char *text, size_t n);
/* n bytes are no JSON document, and more bytes could make them one. */
bool json_is_cut(const char *text, size_t n);
/* n bytes are a JSON document with something after it. */
bool json_has_more(const char *text, size_t n);
