#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_clear(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->bad = false;
    if (b->data) b->data[0] = 0;
}

void buf_take_out(struct buf *b, size_t from, size_t to)
{
    if (to <= from || to > b->len) return;
    memmove(b->data + from, b->data + to, b->len - to + 1); /* with the NUL */
    b->len -= to - from;
}

static int reserve(struct buf *b, size_t n)
{
    if (b->bad) return -1;
    if (n > b->max - b->len) goto bad;
    size_t need = b->len + n + 1;
    if (need <= b->cap) return 0;
    size_t cap = b->cap ? b->cap * 2 : 256;
    if (cap < need) cap = need;
    uint8_t *p = realloc(b->data, cap);
    if (!p) goto bad;
    b->data = p;
    b->cap = cap;
    return 0;
bad:
    b->bad = true;
    return -1;
}

int buf_put(struct buf *b, const void *bytes, size_t n)
{
    if (reserve(b, n)) return -1;
    if (n) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = 0;
    return 0;
}

void *buf_room(struct buf *b, size_t n)
{
    return reserve(b, n) ? NULL : b->data + b->len;
}

int buf_puts(struct buf *b, const char *s)
{
    return buf_put(b, s, strlen(s));
}
int buf_putc(struct buf *b, char c)
{
    return buf_put(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || reserve(b, (size_t)n)) {
        b->bad = true;
        return -1;
    }
    va_start(ap, fmt);
    (void)vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return 0;
}

const char *buf_str(const struct buf *b)
{
    return b->data ? (const char *)b->data : "";
}

int buf_pack(void *out, const char *bytes, size_t n)
{
    return buf_put(out, bytes, n);
}
