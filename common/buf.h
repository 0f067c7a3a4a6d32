/* A growing byte buffer with a declared maximum size. Zero-initialise with BUF_INIT(max). Once an append fails (no
 * memory or over the limit) the buffer is `bad` and further appends do nothing, so that a writer checks once at its
 * end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data; /* NUL-terminated after len bytes when not NULL */
    size_t len, cap, max;
    bool bad;
};
#define BUF_INIT(limit)                                                                                                \
    {                                                                                                                  \
        .max = (limit)                                                                                                 \
    }

void buf_clear(struct buf *b); /* releases and zeroes, keeps max; also for __attribute__((cleanup)) */
void buf_reset(struct buf *b); /* empties, keeps memory */
void buf_take_out(struct buf *b, size_t from, size_t to); /* of its bytes those of [from, to) */
int buf_put(struct buf *b, const void *bytes, size_t n);  /* 0 or -1 */
/* Room for n bytes at the end, NULL when there is none; the caller writes them and adds to `len` (and no NUL follows).
 */
void *buf_room(struct buf *b, size_t n);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_str(const struct buf *b); /* "" when empty */

/* msgpack-c's packer writes into a buf by this callback: msgpack_packer_init(&pk, out, buf_pack). */
int buf_pack(void *out, const char *bytes, size_t n);
