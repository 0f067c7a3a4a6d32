/* Any bytes, split anyhow and with whole chunks taken at once or not, give the body, the status and the end that they
 * give in one piece; every slice is readable. */
#include <string.h>

#include "agent/transport/http1.h"
#include "tests/fuzz/fuzz_util.h"

#define OUT_MAX (1u << 18)

struct out {
    struct http1 h;
    enum http1_result last;
    size_t n, used;
    char body[OUT_MAX];
};
static struct out one, two;

static bool next(struct out *o, bool chunks, const char **at, const char *end, const char **slice, size_t *len)
{
    *slice = chunks ? http1_chunk(&o->h, at, end, len) : NULL;
    if (*slice) return true;
    o->last = http1_next(&o->h, at, end, slice, len);
    return o->last == HTTP1_BODY;
}

/* The piece has memory of its own, so that a byte read too many is seen. `chunks`: whole ones are taken at once. */
static void feed(struct out *o, const uint8_t *data, size_t n, bool chunks)
{
    char *piece = malloc(n ? n : 1);
    MUST(piece);
    memcpy(piece, data, n);
    const char *at = piece, *end = piece + n, *slice;
    size_t len;
    while (next(o, chunks, &at, end, &slice, &len)) {
        MUST(len > 0 && slice >= piece && slice + len <= end);
        if (len > OUT_MAX - o->n) len = OUT_MAX - o->n;
        memcpy(o->body + o->n, slice, len);
        o->n += len;
    }
    MUST(o->last != HTTP1_MORE || at == end);
    o->used += (size_t)(at - piece);
    free(piece);
}

static void begin(struct out *o)
{
    memset(&o->h, 0xa5, sizeof o->h);
    http1_begin(&o->h);
    o->n = o->used = 0;
    o->last = HTTP1_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    begin(&one);
    feed(&one, data, size, false);
    enum http1_result closed = http1_closed(&one.h);
    for (uint64_t round = 0; round < 4; round++) {
        struct rng r;
        split_seed(&r, data, size, round);
        begin(&two);
        for (size_t at = 0, n; at < size && two.last == HTTP1_MORE; at += n) {
            n = round == 3 ? size : split_next(&r, size - at);
            feed(&two, data + at, n, round > 0);
        }
        MUST(one.last == two.last && one.n == two.n && memcmp(one.body, two.body, one.n) == 0);
        MUST(one.last == HTTP1_BAD || (one.used == two.used && one.h.status == two.h.status));
        MUST(closed == http1_closed(&two.h) && http1_keep_alive(&one.h) == http1_keep_alive(&two.h));
    }
    return 0;
}
