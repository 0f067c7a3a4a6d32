#include "common/failure_sample.h"

#include <string.h>

#include "common/hex.h"
#include "common/text.h"

enum { SECRET_LEAST = 4 }; /* cutting out shorter ones would damage words and hide nothing */
#define MORE "…"
#define HIDDEN "***"

static uint32_t place_of(const struct failure_samples *f, enum failure label)
{
    uint32_t i = 0;
    while (i < f->n && f->row[i].label < label)
        i++;
    return i;
}

const struct failure_sample *failure_samples_find(const struct failure_samples *f, enum failure label)
{
    uint32_t i = place_of(f, label);
    return i < f->n && f->row[i].label == label ? &f->row[i] : NULL;
}

static bool is_better(const struct failure_sample *s, const struct failure_sample *than)
{
    if (!s->text[0] != !than->text[0]) return s->text[0] != 0;
    return s->at_ns < than->at_ns;
}

bool failure_samples_put(struct failure_samples *to, const struct failure_sample *s)
{
    uint32_t i = place_of(to, s->label);
    bool known = i < to->n && to->row[i].label == s->label;
    if (known && !is_better(s, &to->row[i])) return false;
    if (!known) {
        memmove(&to->row[i + 1], &to->row[i], (to->n - i) * sizeof to->row[0]);
        to->n++;
    }
    to->row[i] = *s;
    return true;
}

void failure_samples_add(struct failure_samples *to, const struct failure_samples *from)
{
    for (uint32_t i = 0; i < from->n; i++)
        (void)failure_samples_put(to, &from->row[i]);
}

static bool is_hex(const char *p, unsigned char c)
{
    return hex_value(p[0]) == c >> 4 && hex_value(p[1]) == (c & 15);
}

/* The bytes that stand for this character: itself, \/ and \" of JSON, \u002f, %2F; 0: they do not. */
static size_t take_char(const char *p, size_t n, char c)
{
    if (n >= 1 && p[0] == c) return 1;
    if (n >= 2 && p[0] == '\\' && p[1] == c) return 2;
    if (n >= 3 && p[0] == '%' && is_hex(p + 1, (unsigned char)c)) return 3;
    if (n >= 6 && memcmp(p, "\\u00", 4) == 0 && is_hex(p + 4, (unsigned char)c)) return 6;
    return 0;
}

/* The length of the secret that begins here, in whatever escapes; 0: none does. */
static size_t secret_at(const char *bytes, size_t n, const char *secret, size_t secret_n)
{
    size_t at = 0;
    for (size_t i = 0; i < secret_n; i++) {
        size_t took = take_char(bytes + at, n - at, secret[i]);
        if (took == 0) return 0;
        at += took;
    }
    return at;
}

size_t failure_hide(char *bytes, size_t n, const char *secret, size_t secret_n)
{
    if (secret_n < SECRET_LEAST) return n;
    for (size_t at = 0; at < n;) {
        size_t found = secret_at(bytes + at, n - at, secret, secret_n);
        if (found == 0) {
            at++;
            continue;
        }
        memcpy(bytes + at, HIDDEN, sizeof HIDDEN - 1);
        at += sizeof HIDDEN - 1;
        size_t gone = found - (sizeof HIDDEN - 1);
        memmove(bytes + at, bytes + at + gone, n - at - gone);
        n -= gone;
    }
    return n;
}

void failure_words(char *ret, size_t size, const char *bytes, size_t n)
{
    size_t out = 0, last = 0, shown = 0; /* last: where the last character begins; the ellipsis replaces it */
    bool blank = false;
    for (size_t at = 0; at < n;) {
        size_t len = text_char(bytes + at, n - at), room = size - 1 - (sizeof MORE - 1);
        unsigned char c = (unsigned char)bytes[at];
        if (c <= ' ' || c == 0x7f) {
            blank = shown > 0;
            at++;
            continue;
        }
        size_t width = (len ? len : 1) + blank;
        if (shown + 1 + blank > FAILURE_WORDS || out + width > room) {
            if (shown + 1 > FAILURE_WORDS) out = last;
            memcpy(ret + out, MORE, sizeof MORE - 1);
            out += sizeof MORE - 1;
            break;
        }
        if (blank) ret[out++] = ' ';
        last = out;
        shown += 1u + blank;
        blank = false;
        if (len)
            memcpy(ret + out, bytes + at, len);
        else
            ret[out] = '?';
        out += len ? len : 1;
        at += len ? len : 1;
    }
    ret[out] = '\0';
}
