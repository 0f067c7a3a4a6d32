#include "agent/media.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/base64.h"
#include "common/clock.h"
#include "common/rng.h"

enum { COLOURS = 256, LEVEL = 1, WAV_HEAD = 44 };
enum purpose { PURPOSE_PIXELS = 1, PURPOSE_COLOURS, PURPOSE_SOUND };
#define PIECE_MAX (64u << 20)

struct media {
    const struct plan_workload *load;
    uint8_t *idat; /* compressed rows of pixels */
    uLong idat_n;
    struct buf raw, *text; /* one file; as base64, one for each image and one for the sound */
    struct dialect_media *item;
    size_t n;
};

static void put_u32(struct buf *out, uint32_t v)
{
    (void)buf_put(out, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

/* A part of a PNG (https://www.w3.org/TR/png-3/, 5.3): length, type, data, CRC of type and data. */
static void put_chunk(struct buf *out, const char *type, const uint8_t *data, size_t n)
{
    put_u32(out, (uint32_t)n);
    uLong crc = crc32(0, (const Bytef *)type, 4);
    if (n > 0) crc = crc32(crc, data, (uInt)n);
    (void)buf_put(out, type, 4);
    (void)buf_put(out, data, n);
    put_u32(out, (uint32_t)crc);
}

/* Slopes with a little noise, which compress about as well as a photograph. */
static int make_pixels(struct media *m)
{
    uint32_t w = m->load->image_width, h = m->load->image_height;
    size_t n = ((size_t)w + 1) * h;
    uint8_t *rows = malloc(n);
    m->idat_n = compressBound((uLong)n);
    m->idat = malloc(m->idat_n);
    struct rng r;
    rng_seed(&r, PURPOSE_PIXELS);
    uint64_t noise = 0;
    for (uint32_t y = 0; rows && y < h; y++) {
        uint8_t *row = rows + (size_t)y * (w + 1);
        row[0] = 0; /* no filter */
        for (uint32_t x = 0; x < w; x++, noise >>= 3) {
            if (x % 21 == 0) noise = rng_u64(&r);
            row[x + 1] = (uint8_t)((x / 3 + y / 2 + (noise & 7)) % COLOURS);
        }
    }
    int bad = !rows || !m->idat || compress2(m->idat, &m->idat_n, rows, (uLong)n, LEVEL) != Z_OK;
    free(rows);
    return bad ? -1 : 0;
}

struct media *media_new(const struct plan_workload *load, struct err *e)
{
    size_t n = load->image_count + (load->audio_ns > 0);
    struct media *m = calloc(1, sizeof *m);
    if (m) {
        *m = (struct media){.load = load, .n = n, .raw = BUF_INIT(PIECE_MAX)};
        m->text = calloc(n, sizeof *m->text);
        m->item = calloc(n, sizeof *m->item);
    }
    if (!m || !m->text || !m->item || (load->image_count > 0 && make_pixels(m))) {
        (void)err_set(e, ERR_NOMEM, "no memory for images or sound");
        media_destroy(&m);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        m->text[i].max = PIECE_MAX;
    return m;
}

void media_destroy(struct media **pm)
{
    struct media *m = *pm;
    if (!m) return;
    for (size_t i = 0; m->text && i < m->n; i++)
        buf_clear(&m->text[i]);
    buf_clear(&m->raw);
    free(m->text);
    free(m->item);
    free(m->idat);
    free(m);
    *pm = NULL;
}

/* Eight bits a pixel, each of which is a number in the table of colours. */
static void put_png(struct media *m, uint64_t seed)
{
    struct buf *out = &m->raw;
    struct rng r;
    uint8_t colours[3 * COLOURS], head[13] = {0};
    rng_seed(&r, seed);
    for (size_t i = 0; i < sizeof colours; i++)
        colours[i] = (uint8_t)rng_u64(&r);
    for (int i = 0; i < 4; i++) {
        head[i] = (uint8_t)(m->load->image_width >> (24 - 8 * i));
        head[4 + i] = (uint8_t)(m->load->image_height >> (24 - 8 * i));
    }
    head[8] = 8;
    head[9] = 3;
    (void)buf_put(out, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(out, "IHDR", head, sizeof head);
    put_chunk(out, "PLTE", colours, sizeof colours);
    put_chunk(out, "IDAT", m->idat, m->idat_n);
    put_chunk(out, "IEND", NULL, 0);
}

static void put_le(struct buf *out, uint32_t v, size_t bytes)
{
    (void)buf_put(out, (uint8_t[]){(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)}, bytes);
}

/* One channel of 16-bit samples. */
static void put_wav(struct media *m, uint64_t seed)
{
    struct buf *out = &m->raw;
    struct rng r;
    uint32_t rate = m->load->audio_rate, n = (uint32_t)((double)m->load->audio_ns / 1e9 * rate);
    rng_seed(&r, seed);
    (void)buf_puts(out, "RIFF");
    put_le(out, WAV_HEAD - 8 + 2 * n, 4);
    (void)buf_puts(out, "WAVEfmt ");
    put_le(out, 16, 4);
    put_le(out, 1, 2); /* PCM */
    put_le(out, 1, 2);
    put_le(out, rate, 4);
    put_le(out, 2 * rate, 4);
    put_le(out, 2, 2);
    put_le(out, 16, 2);
    (void)buf_puts(out, "data");
    put_le(out, 2 * n, 4);
    for (uint32_t i = 0; i < n; i++) /* a quiet hiss */
        put_le(out, (uint32_t)(rng_u64(&r) & 0x0fff), 2);
}

int media_make(struct media *m, uint64_t seed, struct dialect_request *ret)
{
    for (size_t i = 0; i < m->n; i++) {
        bool image = i < m->load->image_count;
        struct buf *text = &m->text[i];
        buf_reset(&m->raw);
        buf_reset(text);
        if (image)
            put_png(m, rng_mix(seed, PURPOSE_COLOURS, i, 0));
        else
            put_wav(m, rng_mix(seed, PURPOSE_SOUND, i, 0));
        if (m->raw.bad || base64_put(text, m->raw.data, m->raw.len)) return -1;
        m->item[i] = (struct dialect_media){.kind = image ? MEDIA_IMAGE : MEDIA_AUDIO,
                                            .type = image ? "image/png" : "audio/wav",
                                            .base64 = buf_str(text),
                                            .len = text->len};
    }
    ret->media = m->item;
    ret->n_media = m->n;
    return 0;
}
