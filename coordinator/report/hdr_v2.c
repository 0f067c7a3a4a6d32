#include "coordinator/report/hdr_v2.h"

#include <string.h>
#include <zlib.h>

#define COOKIE_V2 0x1c849313u /* base 0x1c849303, word size as ZigZag LEB128 */
#define COOKIE_V2_COMPRESSED 0x1c849314u
#define DIGITS 3u
#define PLAIN_MAX (HIST_BUCKETS * 9u + 40u)

static void big32(struct buf *b, uint32_t v)
{
    for (int s = 24; s >= 0; s -= 8)
        (void)buf_putc(b, (char)(uint8_t)(v >> s));
}

static void big64(struct buf *b, uint64_t v)
{
    big32(b, (uint32_t)(v >> 32));
    big32(b, (uint32_t)v);
}

/* LEB128 of at most nine bytes: the ninth carries eight bits. */
static void zigzag(struct buf *b, int64_t value)
{
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (int i = 0; i < 8; i++) {
        if (v < 0x80) {
            (void)buf_putc(b, (char)(uint8_t)v);
            return;
        }
        (void)buf_putc(b, (char)(uint8_t)(0x80 | (v & 0x7f)));
        v >>= 7;
    }
    (void)buf_putc(b, (char)(uint8_t)v);
}

static uint64_t count_at(const struct hist *h, uint32_t i)
{
    return i >= h->lo && i - h->lo < h->n ? h->counts[i - h->lo] : 0;
}

static void counts(const struct hist *h, struct buf *b)
{
    uint32_t end = h->count ? h->used_hi : 0;
    while (end > 0 && !count_at(h, end - 1))
        end--;
    for (uint32_t i = 0; i < end;) {
        uint32_t zeros = 0;
        while (i + zeros < end && !count_at(h, i + zeros))
            zeros++;
        if (zeros)
            zigzag(b, -(int64_t)zeros);
        else
            zigzag(b, (int64_t)count_at(h, i));
        i += zeros ? zeros : 1;
    }
}

int hdr_v2_encode(const struct hist *h, struct buf *out)
{
    struct buf payload = BUF_INIT(PLAIN_MAX);
    const double one = 1.0;
    uint64_t ratio;
    memcpy(&ratio, &one, sizeof ratio);
    counts(h, &payload);
    big32(out, COOKIE_V2);
    big32(out, (uint32_t)payload.len);
    big32(out, 0); /* normalizing index offset */
    big32(out, DIGITS);
    big64(out, (uint64_t)HIST_LOWEST);
    big64(out, (uint64_t)HIST_HIGHEST);
    big64(out, ratio);
    (void)buf_put(out, payload.data, payload.len);
    out->bad |= payload.bad;
    buf_clear(&payload);
    return out->bad ? -1 : 0;
}

int hdr_v2_encode_compressed(const struct hist *h, struct buf *out)
{
    struct buf plain = BUF_INIT(PLAIN_MAX), packed = BUF_INIT(PLAIN_MAX * 2);
    int rc = hdr_v2_encode(h, &plain);
    if (!rc) {
        uLong bound = compressBound((uLong)plain.len);
        static const char zeros[1024];
        for (uLong n = bound; n > 0 && !packed.bad;) {
            uLong part = n < sizeof zeros ? n : sizeof zeros;
            (void)buf_put(&packed, zeros, part);
            n -= part;
        }
        uLongf n = bound;
        rc =
            packed.bad || compress2(packed.data, &n, plain.data, (uLong)plain.len, Z_BEST_COMPRESSION) != Z_OK ? -1 : 0;
        if (!rc) {
            big32(out, COOKIE_V2_COMPRESSED);
            big32(out, (uint32_t)n);
            rc = buf_put(out, packed.data, n);
        }
    }
    buf_clear(&plain);
    buf_clear(&packed);
    return rc;
}
