#include "common/unpack.h"

#include <math.h>
#include <string.h>

#include "common/text.h"

static size_t left(const struct unpack *u)
{
    return (size_t)(u->end - u->at);
}

/* A big-endian number of n bytes after the tag byte. The caller has checked that they are there. */
static uint64_t big_endian(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* Reads a tag of the family first, first + 1, … whose numbers have 1 << i bytes; `widest` is the maximum i. */
static int sized(struct unpack *u, uint8_t first, unsigned least, unsigned widest, uint64_t *ret, unsigned *ret_bytes)
{
    if (left(u) == 0 || *u->at < first || *u->at > first + (widest - least)) return -1;
    unsigned bytes = 1u << (*u->at - first + least);
    if (left(u) - 1 < bytes) return -1;
    *ret = big_endian(u->at + 1, bytes);
    *ret_bytes = bytes;
    return 0;
}

int unpack_array(struct unpack *u, uint32_t *ret_n)
{
    uint64_t n;
    unsigned bytes = 0;
    if (left(u) && (*u->at & 0xf0) == 0x90)
        n = *u->at & 0x0f;
    else if (sized(u, 0xdc, 1, 2, &n, &bytes))
        return -1;
    if (n > left(u) - 1 - bytes) return -1;
    u->at += 1 + bytes;
    *ret_n = (uint32_t)n;
    return 0;
}

int unpack_u64(struct unpack *u, uint64_t *ret)
{
    uint64_t v;
    unsigned bytes = 0;
    if (left(u) && *u->at < 0x80)
        v = *u->at;
    else if (sized(u, 0xcc, 0, 3, &v, &bytes))
        return -1;
    u->at += 1 + bytes;
    *ret = v;
    return 0;
}

int unpack_u32(struct unpack *u, uint32_t *ret)
{
    struct unpack was = *u;
    uint64_t v;
    if (unpack_u64(u, &v)) return -1;
    if (v > UINT32_MAX) {
        *u = was;
        return -1;
    }
    *ret = (uint32_t)v;
    return 0;
}

int unpack_i64(struct unpack *u, int64_t *ret)
{
    struct unpack was = *u;
    uint64_t v;
    unsigned bytes = 0;
    if (unpack_u64(u, &v) == 0) {
        if (v <= INT64_MAX) {
            *ret = (int64_t)v;
            return 0;
        }
        *u = was;
        return -1;
    }
    if (left(u) && *u->at >= 0xe0)
        v = *u->at | ~UINT64_C(0xff);
    else {
        if (sized(u, 0xd0, 0, 3, &v, &bytes)) return -1;
        unsigned unused = 64 - 8 * bytes;
        if (v >> (8 * bytes - 1)) v |= unused ? UINT64_MAX << (64 - unused) : 0;
    }
    u->at += 1 + bytes;
    memcpy(ret, &v, sizeof *ret);
    return 0;
}

int unpack_double(struct unpack *u, double *ret)
{
    if (left(u) < 9 || *u->at != 0xcb) return -1;
    uint64_t bits = big_endian(u->at + 1, 8);
    double v;
    memcpy(&v, &bits, sizeof v);
    if (!isfinite(v)) return -1;
    u->at += 9;
    *ret = v;
    return 0;
}

int unpack_bool(struct unpack *u, bool *ret)
{
    if (left(u) == 0 || (*u->at != 0xc2 && *u->at != 0xc3)) return -1;
    *ret = *u->at++ == 0xc3;
    return 0;
}

static int slice(struct unpack *u, uint64_t n, unsigned head, uint32_t max, const uint8_t **ret, uint32_t *ret_n)
{
    if (n > max || n > left(u) - head) return -1;
    *ret = u->at + head;
    *ret_n = (uint32_t)n;
    u->at += head + n;
    return 0;
}

int unpack_text(struct unpack *u, uint32_t max, const char **ret, uint32_t *ret_n)
{
    struct unpack was = *u;
    uint64_t n;
    unsigned bytes = 0;
    const uint8_t *p;
    if (left(u) && (*u->at & 0xe0) == 0xa0)
        n = *u->at & 0x1f;
    else if (sized(u, 0xd9, 0, 2, &n, &bytes))
        return -1;
    if (slice(u, n, 1 + bytes, max, &p, ret_n)) return -1;
    *ret = (const char *)p;
    for (size_t i = 0, len; i < n; i += len) {
        len = text_char(*ret + i, n - i);
        if (len == 0) {
            *u = was;
            return -1;
        }
    }
    return 0;
}

int unpack_bytes(struct unpack *u, uint32_t max, const uint8_t **ret, uint32_t *ret_n)
{
    uint64_t n;
    unsigned bytes = 0;
    if (sized(u, 0xc4, 0, 2, &n, &bytes)) return -1;
    return slice(u, n, 1 + bytes, max, ret, ret_n);
}
