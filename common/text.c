#include "common/text.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

size_t text_utf8(const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    if (*p < 0x80) return 1;
    size_t len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    if (*p < 0xc2 || *p > 0xf4 || len > n) return 0;
    uint32_t c = *p & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    /* not the shortest form, a surrogate, or beyond Unicode */
    if ((len == 3 && c < 0x800) || (len == 4 && (c < 0x10000 || c > 0x10ffff)) || (c >= 0xd800 && c < 0xe000)) return 0;
    return len;
}

size_t text_char(const char *s, size_t n)
{
    const uint8_t *p = (const uint8_t *)s;
    if (*p < 0x20 || *p == 0x7f) return 0;
    size_t len = text_utf8(s, n);
    return len == 2 && *p == 0xc2 && p[1] < 0xa0 ? 0 : len; /* the C1 controls */
}

bool text_is_header_name(const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i])) return false;
    return n > 0 && n <= 100;
}

bool text_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        bool blank = s[i] == '\n' || s[i] == '\t' || s[i] == '\r';
        size_t k = blank ? 1 : text_char(s + i, n - i);
        if (k == 0) return false;
        i += k;
    }
    return true;
}

const char *text_cut(const char *s, size_t most, char *buf)
{
    static const char MORE[] = "…";
    size_t all = strlen(s), n = 0;
    if (all <= most) return s;
    for (size_t len; n < most; n += len) {
        len = text_char(s + n, all - n);
        if (len == 0) len = 1;
        if (n + len > most) break;
    }
    memcpy(buf, s, n);
    memcpy(buf + n, MORE, sizeof MORE);
    return buf;
}
