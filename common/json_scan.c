#include "common/json_scan.h"

#include <string.h>

#include "common/hex.h"

/* What each token of an event goes through, as one function: -O2 makes several of it. */
#define INLINE inline __attribute__((always_inline))

enum expect {
    EXPECT_BAD,
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END,
    EXPECT_KEY,
    EXPECT_KEY_OR_END,
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING
};

void json_begin(struct json *j, const char *text, size_t n)
{
    *j = (struct json){.start = text, .at = text, .end = text + n, .text = text, .expect = EXPECT_VALUE};
}

static enum json_token bad(struct json *j)
{
    j->expect = EXPECT_BAD;
    return JSON_BAD;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

const char *json_escaped_end(const char *p, const char *end)
{
    for (;;) {
        if (p == end) return NULL;
        if (*p == '"') return p;
        if (*p != '\\' || end - p < 2) return NULL;
        if (p[1] == 'u') {
            if (end - p < 6) return NULL;
            for (int i = 2; i < 6; i++)
                if (hex_value(p[i]) < 0) return NULL;
            p += 6;
        } else {
            if (p[1] == '\0' || !strchr("\"\\/bfnrt", p[1])) return NULL;
            p += 2;
        }
        p = json_plain_run(p, end);
    }
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

const char *json_number_end(const char *p, const char *end)
{
    if (p < end && *p == '-') p++;
    if (p == end || !is_digit(*p)) return NULL;
    p = *p == '0' ? p + 1 : skip_digits(p, end);
    if (p < end && *p == '.') {
        const char *from = p + 1;
        p = skip_digits(from, end);
        if (p == from) return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        const char *from = p + 1;
        if (from < end && (*from == '+' || *from == '-')) from++;
        p = skip_digits(from, end);
        if (p == from) return NULL;
    }
    return p;
}

static INLINE const char *skip_space(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static void after_value(struct json *j)
{
    j->expect = j->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
}

static bool in_object(const struct json *j)
{
    return j->depth > 0 && (j->objects >> (j->depth - 1) & 1) != 0;
}

static INLINE enum json_token open_container(struct json *j, bool object)
{
    if (j->depth == JSON_DEPTH_MAX) return bad(j);
    j->at++;
    uint64_t bit = UINT64_C(1) << j->depth++;
    j->objects = object ? j->objects | bit : j->objects & ~bit;
    j->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static INLINE enum json_token close_container(struct json *j)
{
    bool object = in_object(j);
    if (*j->at != (object ? '}' : ']')) return bad(j);
    j->at++;
    j->depth--;
    after_value(j);
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_token word(struct json *j, const char *text, size_t n, enum json_token t)
{
    if ((size_t)(j->end - j->at) < n || memcmp(j->at, text, n) != 0) return bad(j);
    j->at += n;
    after_value(j);
    return t;
}

static INLINE bool take_string(struct json *j)
{
    const char *from = j->at + 1, *to = json_string_end(from, j->end, &j->escaped);
    if (!to) return false;
    j->text = from;
    j->len = (size_t)(to - from);
    j->at = to + 1;
    return true;
}

static INLINE enum json_token key(struct json *j)
{
    if (*j->at != '"' || !take_string(j)) return bad(j);
    j->at = skip_space(j->at, j->end);
    if (j->at == j->end || *j->at != ':') return bad(j);
    j->at++;
    j->expect = EXPECT_VALUE;
    return JSON_KEY;
}

static INLINE enum json_token value(struct json *j)
{
    switch (*j->at) {
    case '"':
        if (!take_string(j)) return bad(j);
        after_value(j);
        return JSON_STRING;
    case '{':
        return open_container(j, true);
    case '[':
        return open_container(j, false);
    case 't':
        return word(j, "true", 4, JSON_TRUE);
    case 'f':
        return word(j, "false", 5, JSON_FALSE);
    case 'n':
        return word(j, "null", 4, JSON_NULL);
    default:;
        const char *to = json_number_end(j->at, j->end);
        if (!to) return bad(j);
        j->text = j->at;
        j->len = (size_t)(to - j->at);
        j->escaped = false;
        j->at = to;
        after_value(j);
        return JSON_NUMBER;
    }
}

enum json_token json_next(struct json *j)
{
    j->at = skip_space(j->at, j->end);
    if (j->at == j->end) return j->expect == EXPECT_NOTHING ? JSON_END : bad(j);
    switch (j->expect) {
    case EXPECT_VALUE:
        return value(j);
    case EXPECT_VALUE_OR_END:
        return *j->at == ']' ? close_container(j) : value(j);
    case EXPECT_KEY:
        return key(j);
    case EXPECT_KEY_OR_END:
        return *j->at == '}' ? close_container(j) : key(j);
    case EXPECT_COMMA_OR_END:
        if (*j->at != ',') return close_container(j);
        j->at = skip_space(j->at + 1, j->end);
        if (j->at == j->end) return bad(j);
        return in_object(j) ? key(j) : value(j);
    default: /* an earlier error, or something after the value */
        return bad(j);
    }
}

int json_leave(struct json *j, enum json_token t)
{
    if (t == JSON_OBJECT || t == JSON_ARRAY) {
        for (uint32_t outside = j->depth - 1; j->depth > outside;)
            if (json_next(j) == JSON_BAD) return -1;
    }
    return t == JSON_BAD ? -1 : 0;
}

static void note_skipped(struct json *j, enum json_token t)
{
    if (t == JSON_STRING || t == JSON_NUMBER) json_note(j, t == JSON_STRING ? JSON_NOTE_STRING : JSON_NOTE_NUMBER);
}

int json_skip(struct json *j)
{
    enum json_token t = json_next(j);
    return j->notes || t == JSON_OBJECT || t == JSON_ARRAY ? json_skip_from(j, t) : t == JSON_BAD ? -1 : 0;
}

int json_skip_from(struct json *j, enum json_token t)
{
    if (!j->notes) return json_leave(j, t);
    note_skipped(j, t);
    if (t == JSON_OBJECT || t == JSON_ARRAY) {
        for (uint32_t outside = j->depth - 1; j->depth > outside;) {
            t = json_next(j);
            if (t == JSON_BAD) break;
            note_skipped(j, t);
        }
    }
    return t == JSON_BAD ? -1 : 0;
}

bool json_enter(struct json *j, enum json_token want)
{
    enum json_token t = json_next(j);
    if (t == want) return true;
    (void)json_leave(j, t);
    return false;
}

/* The character of the escape at p (a backslash), and where it ends. */
static const char *unescape(const char *p, unsigned *ret)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (p[1] != 'u') {
        *ret = (unsigned char)to[strchr(from, p[1]) - from];
        return p + 2;
    }
    *ret = 0;
    for (int i = 2; i < 6; i++)
        *ret = *ret << 4 | (unsigned)hex_value(p[i]); /* digits, as json_escaped_end has seen */
    return p + 6;
}

bool json_is_escaped(const struct json *j, const char *text, size_t n)
{
    const char *p = j->text, *end = j->text + j->len;
    for (size_t i = 0; i < n; i++) {
        if (p == end) return false;
        unsigned c = (unsigned char)*p;
        p = c == '\\' ? unescape(p, &c) : p + 1;
        if (c != (unsigned char)text[i]) return false;
    }
    return p == end;
}

/* c as UTF-8; returns the byte after it. */
static char *put_utf8(char *out, unsigned c)
{
    if (c < 0x80)
        *out++ = (char)c;
    else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        if (c < 0x10000)
            *out++ = (char)(0xe0 | c >> 12);
        else {
            *out++ = (char)(0xf0 | c >> 18);
            *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

bool json_decode(const struct json *j, char *out, size_t *ret_len)
{
    const char *p = j->text, *end = j->text + j->len;
    char *to = out;
    while (p < end) {
        const char *slash = j->escaped ? memchr(p, '\\', (size_t)(end - p)) : NULL;
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (p == end) break;
        unsigned c, low;
        p = unescape(p, &c);
        if (c >= 0xd800 && c < 0xe000) {
            if (c >= 0xdc00 || end - p < 6 || p[0] != '\\' || p[1] != 'u') return false;
            p = unescape(p, &low);
            if (low < 0xdc00 || low >= 0xe000) return false;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        to = put_utf8(to, c);
    }
    *ret_len = (size_t)(to - out);
    return true;
}

/* Digits alone, few enough for any sum of them: nearly all numbers that come. */
static bool whole_plain(const char *p, size_t n, uint32_t *ret)
{
    uint32_t v = 0;
    if (n == 0 || n > 9 || (*p == '0' && n > 1)) return false;
    for (const char *end = p + n; p < end; p++) {
        if (!is_digit(*p)) return false;
        v = v * 10 + (uint32_t)(*p - '0');
    }
    *ret = v;
    return true;
}

/* v × 10^n; false where it is too large. */
static bool whole_grow(uint64_t *v, int64_t n)
{
    for (; *v > 0 && n > 0; n--) {
        if (*v > UINT32_MAX) return false;
        *v *= 10;
    }
    return true;
}

/* The digits in front of an exponent, with at most one point among them: *ret_v × 10^*ret_scale, where *ret_v does not
 * end with zeros. Returns where they end; NULL: too large. */
static const char *whole_digits(const char *p, const char *end, uint64_t *ret_v, int64_t *ret_scale)
{
    int64_t zeros = 0, scale = 0; /* zeros: after the last other digit */
    bool fraction = false;
    uint64_t v = 0;
    for (; p < end && (is_digit(*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        scale -= fraction;
        if (*p == '0') {
            zeros += v > 0;
            continue;
        }
        if (!whole_grow(&v, zeros + 1)) return NULL;
        zeros = 0;
        v += (uint64_t)(*p - '0');
    }
    *ret_v = v;
    *ret_scale = scale + zeros;
    return p;
}

/* After e or E; bounded. */
static int64_t whole_exponent(const char *p, const char *end)
{
    bool minus = *p == '-';
    int64_t e = 0;
    for (p += *p == '-' || *p == '+'; p < end; p++)
        e = e < 100000 ? e * 10 + (*p - '0') : e;
    return minus ? -e : e;
}

/* Digits with at most one point among them and an exponent: m × 10^e. Trailing zeros of m are taken into e, so that
 * 20.0, 2e1 and 200e-1 are all 2 × 10^1. */
bool json_whole(const char *text, size_t n, uint32_t *ret)
{
    const char *end = text + n;
    uint64_t v;
    int64_t scale;
    if (whole_plain(text, n, ret)) return true;
    if (n == 0 || !is_digit(*text) || json_number_end(text, end) != end) return false;
    const char *p = whole_digits(text, end, &v, &scale);
    if (!p) return false;
    if (p < end) scale += whole_exponent(p + 1, end);
    if (!whole_grow(&v, scale) || v > UINT32_MAX || (v > 0 && scale < 0)) return false;
    *ret = (uint32_t)v;
    return true;
}

bool json_valid(const char *text, size_t n)
{
    struct json j;
    json_begin(&j, text, n);
    for (;;) {
        enum json_token t = json_next(&j);
        if (t == JSON_BAD || t == JSON_END) return t == JSON_END;
    }
}

/* The bytes up to `end` are the beginning of a string, after its first quote. */
static bool half_string(const char *p, const char *end)
{
    while (p < end) {
        if ((unsigned char)*p < 0x20 || *p == '"') return false;
        if (*p++ != '\\' || p == end) continue;
        if (*p == '\0' || !strchr("\"\\/bfnrtu", *p)) return false;
        bool hex = *p++ == 'u';
        for (int i = 0; hex && i < 4 && p < end; i++)
            if (hex_value(*p++) < 0) return false;
    }
    return true;
}

static bool half_word(const char *p, size_t n)
{
    static const char *const WORDS[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (n < strlen(WORDS[i]) && memcmp(p, WORDS[i], n) == 0) return true;
    return false;
}

/* "-", "1.", "1e+": a digit would end it. */
static bool half_number(const char *p, size_t n)
{
    char whole[40];
    if (n >= sizeof whole) return false;
    memcpy(whole, p, n);
    whole[n] = '0';
    return json_number_end(whole, whole + n + 1) == whole + n + 1;
}

bool json_is_cut(const char *text, size_t n)
{
    struct json j;
    enum json_token t;
    json_begin(&j, text, n);
    for (;;) {
        const char *p = skip_space(j.at, j.end);
        uint8_t expect = j.expect;
        if ((t = json_next(&j)) == JSON_END) return false;
        if (t != JSON_BAD) continue;
        if (expect == EXPECT_NOTHING) return false;
        if (j.at == j.end) return true;
        if (expect == EXPECT_COMMA_OR_END && *p != ',') return false;
        bool comma = expect == EXPECT_COMMA_OR_END,
             names = expect == EXPECT_KEY || expect == EXPECT_KEY_OR_END || (comma && in_object(&j));
        size_t left = (size_t)(j.end - j.at);
        if (j.at != (comma ? skip_space(p + 1, j.end) : p)) return false; /* a whole key, and no colon */
        if (*j.at == '"') return half_string(j.at + 1, j.end);
        return !names && (half_word(j.at, left) || half_number(j.at, left));
    }
}

bool json_has_more(const char *text, size_t n)
{
    struct json j;
    json_begin(&j, text, n);
    while (j.expect != EXPECT_NOTHING)
        if (json_next(&j) == JSON_BAD) return false;
    return json_next(&j) == JSON_BAD;
}
