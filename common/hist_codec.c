/* A histogram as bytes. A run of empty buckets costs one varint. There is exactly one way to write a histogram.
 *
 *   ┌─────────┬────────┬────────────┬───────────┬────────────────┬──────────────┬────────────────┐
 *   │ version │ count  │ min        │ max - min │ sum            │ first bucket │ buckets …      │
 *   │ 1 byte  │ varint │ zig-zag    │ varint    │ 16 bytes,      │ varint: that │ varints, up to │
 *   │ = 1     │        │ varint     │           │ little endian, │ of min       │ that of max    │
 *   │         │        │            │           │ two's compl.   │              │                │
 *   └─────────┴────────┴────────────┴───────────┴────────────────┴──────────────┴────────────────┘
 *                      ^ with count 0 it ends here
 *
 * A varint is LEB128: 7 bits per byte, low bits first, the top bit says that another byte follows. The low bits of a
 * varint of the buckets say what it is:
 *
 *   c ……………… 0     the next bucket holds c samples, c > 0
 *   z - 1 … 0 1   z empty buckets, z > 0; a varint with a count of at least 2 follows
 *   z - 1 … 1 1   z empty buckets, then one that holds 1 sample: the most frequent case among few samples
 *
 * Example: counts 5, 0, 0, 1, 1, 0, 7 from the bucket of min on
 *   varint    10   7     2   1   14
 *   means     5    0 0 1 1   0   7
 *
 * The first bucket is that of min and the last that of max, so both hold samples and no end mark is needed. Decoding
 * refuses any other form: a varint that is longer than it must be, two runs of empty buckets in a row, counts whose
 * sum is not `count`, bytes after the last bucket. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/hist.h"

enum { VERSION = 1, SUM_BYTES = 16, VARINT_MAX = 10, CHUNK = 512 };
__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

static size_t put_varint(uint8_t *at, uint64_t v)
{
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        at[n++] = (uint8_t)(v | 0x80);
    at[n++] = (uint8_t)v;
    return n;
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}
static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

int hist_encode(const struct hist *h, struct buf *out)
{
    uint8_t chunk[CHUNK];
    size_t n = 0;
    chunk[n++] = VERSION;
    n += put_varint(chunk + n, h->count);
    if (h->count == 0) return buf_put(out, chunk, n);
    n += put_varint(chunk + n, zigzag(h->min));
    n += put_varint(chunk + n, (uint64_t)h->max - (uint64_t)h->min);
    for (unsigned i = 0; i < SUM_BYTES; i++)
        chunk[n++] = (uint8_t)((i < 8 ? h->sum_lo : h->sum_hi) >> (i % 8 * 8));
    n += put_varint(chunk + n, hist_index(h->min));
    uint64_t zeros = 0;
    for (uint32_t i = hist_index(h->min); i < h->used_hi; i++) {
        uint64_t count = h->counts[i - h->lo];
        if (count > INT64_MAX) return -1;
        if (count == 0) {
            zeros++;
            continue;
        }
        if (n > CHUNK - 2 * VARINT_MAX) {
            if (buf_put(out, chunk, n)) return -1;
            n = 0;
        }
        if (zeros) n += put_varint(chunk + n, (zeros - 1) << 2 | (count == 1 ? 3 : 1));
        if (!zeros || count != 1) n += put_varint(chunk + n, count << 1);
        zeros = 0;
    }
    return buf_put(out, chunk, n);
}

struct reader {
    const uint8_t *at, *end;
};

/* 0 or -1: cut off, longer than 64 bits, or not the shortest form. */
static int get_long_varint(struct reader *r, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end) return -1;
        uint8_t byte = *r->at++;
        if (shift == 63 && byte > 1) return -1;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        if (byte == 0 && shift) return -1;
        *ret = v;
        return 0;
    }
    return -1;
}

/* Most are one byte. */
static inline int get_varint(struct reader *r, uint64_t *ret)
{
    if (r->at == r->end || *r->at >= 0x80) return get_long_varint(r, ret);
    *ret = *r->at++;
    return 0;
}

struct head {
    uint64_t count, sum_lo, sum_hi;
    int64_t min, max;
    uint32_t lo, hi; /* buckets of min and max */
};

static int read_head(struct reader *r, struct head *ret, struct err *e)
{
    uint64_t min, span, lo;
    if (get_varint(r, &min) || get_varint(r, &span)) return err_set(e, ERR_WIRE, "histogram: cut off in min and max");
    ret->min = unzigzag(min);
    if (span > (uint64_t)INT64_MAX - (uint64_t)ret->min) return err_set(e, ERR_WIRE, "histogram: max overflows");
    ret->max = (int64_t)((uint64_t)ret->min + span);
    if (r->end - r->at < SUM_BYTES) return err_set(e, ERR_WIRE, "histogram: cut off in the sum");
    for (unsigned i = 0; i < 8; i++) {
        ret->sum_lo |= (uint64_t)r->at[i] << (i * 8);
        ret->sum_hi |= (uint64_t)r->at[i + 8] << (i * 8);
    }
    r->at += SUM_BYTES;
    wide sum = (wide)((uwide)ret->sum_hi << 64 | ret->sum_lo);
    if (sum < (wide)ret->min * (wide)ret->count || sum > (wide)ret->max * (wide)ret->count)
        return err_set(e, ERR_WIRE, "histogram: the sum does not fit min, max and count");
    ret->lo = hist_index(ret->min);
    ret->hi = hist_index(ret->max);
    if (get_varint(r, &lo) || lo != ret->lo)
        return err_set(e, ERR_WIRE, "histogram: the first bucket is not the one of min");
    return 0;
}

/* Walks the counts: adds them to counts[] (bucket head->lo first), or lists them in cells[], or only checks them. */
static inline __attribute__((always_inline)) int walk(struct reader r, const struct head *head, uint64_t *counts,
                                                      struct hist_cell *cells, uint32_t *ret_cells, struct err *e)
{
    uint64_t total = 0, bucket = head->lo, v;
    uint32_t n = 0;
    bool after_zeros = false;
    while (bucket <= head->hi) {
        if (get_varint(&r, &v))
            return err_set(e, ERR_WIRE, "histogram: cut off or malformed at bucket %" PRIu64, bucket);
        uint64_t count = v >> 1, zeros = (v >> 2) + 1;
        if (v & 1) {
            if (after_zeros || bucket == head->lo || zeros > head->hi - bucket)
                return err_set(e, ERR_WIRE, "histogram: a run of %" PRIu64 " empty buckets at bucket %" PRIu64, zeros,
                               bucket);
            bucket += zeros;
            after_zeros = !(v & 2);
            if (after_zeros) continue;
            count = 1;
        } else if (count == 0 || (after_zeros && count == 1))
            return err_set(e, ERR_WIRE, "histogram: bucket %" PRIu64 " is not written in the shortest form", bucket);
        if (count > head->count - total)
            return err_set(e, ERR_WIRE, "histogram: bucket %" PRIu64 " does not fit the count", bucket);
        total += count;
        if (counts) counts[bucket - head->lo] += count;
        if (cells) cells[n++] = (struct hist_cell){count, (uint32_t)bucket};
        after_zeros = false;
        bucket++;
    }
    if (total != head->count)
        return err_set(e, ERR_WIRE, "histogram: buckets hold %" PRIu64 " samples, the count says %" PRIu64, total,
                       head->count);
    if (r.at != r.end) return err_set(e, ERR_WIRE, "histogram: bytes after its end");
    if (cells) *ret_cells = n;
    return 0;
}

static int check_counts(struct reader r, const struct head *head, struct err *e)
{
    return walk(r, head, NULL, NULL, NULL, e);
}
static int add_counts(struct reader r, const struct head *head, uint64_t *counts, struct err *e)
{
    return walk(r, head, counts, NULL, NULL, e);
}
static int list_counts(struct reader r, const struct head *head, struct hist_sparse *ret, struct err *e)
{
    return walk(r, head, NULL, ret->cell, &ret->n, e);
}

/* `to` was empty: removes what the refused histogram added, and the memory that was allocated for it. */
static void take_back(struct hist *to, const struct head *head, bool had_memory)
{
    if (had_memory)
        memset(to->counts + (head->lo - to->lo), 0, (head->hi + 1 - head->lo) * sizeof *to->counts);
    else {
        free(to->counts);
        *to = (struct hist){0};
    }
}

/* Up to the counts, of which there may be so many. A count of 0: it ends here. */
static int begin(struct reader *r, uint64_t most, struct head *ret, struct err *e)
{
    if (r->at == r->end) return err_set(e, ERR_WIRE, "histogram: empty");
    if (*r->at != VERSION) return err_set(e, ERR_WIRE, "histogram: version %u, this program reads %d", *r->at, VERSION);
    r->at++;
    if (get_varint(r, &ret->count)) return err_set(e, ERR_WIRE, "histogram: cut off in the count");
    if (ret->count == 0) return r->at == r->end ? 0 : err_set(e, ERR_WIRE, "histogram: bytes after its end");
    if (ret->count > most) return err_set(e, ERR_WIRE, "histogram: the count overflows");
    return read_head(r, ret, e);
}

static struct hist totals_of(const struct head *h)
{
    return (struct hist){.count = h->count,
                         .min = h->min,
                         .max = h->max,
                         .sum_lo = h->sum_lo,
                         .sum_hi = h->sum_hi,
                         .used_lo = h->lo,
                         .used_hi = h->hi + 1};
}

static int decode_add(struct hist *to, const void *bytes, size_t n, bool known, struct err *e)
{
    struct reader r = {bytes, (const uint8_t *)bytes + n};
    struct head head = {0};
    bool empty = to->count == 0, had_memory = to->n != 0;
    if (begin(&r, UINT64_MAX - to->count, &head, e)) return -1;
    if (head.count == 0) return 0;
    /* One walk is enough where what it adds can be taken back, or where the bytes are known. */
    if (!empty && !known && check_counts(r, &head, e)) return -1;
    if (hist_reserve(to, head.lo, head.hi + 1)) return err_set(e, ERR_NOMEM, "out of memory for a histogram");
    if (add_counts(r, &head, to->counts + (head.lo - to->lo), e)) {
        if (empty) take_back(to, &head, had_memory);
        return -1;
    }
    struct hist added = totals_of(&head);
    hist_add_totals(to, &added);
    return 0;
}

/* A bucket with samples takes at least a byte. */
static int sparse_reserve(struct hist_sparse *h, size_t bytes)
{
    if (bytes > HIST_BUCKETS) bytes = HIST_BUCKETS;
    if (bytes <= h->room) return 0;
    struct hist_cell *grown = realloc(h->cell, bytes * sizeof *grown);
    if (!grown) return -1;
    h->cell = grown;
    h->room = (uint32_t)bytes;
    return 0;
}

int hist_sparse_decode(struct hist_sparse *ret, const void *bytes, size_t n, struct err *e)
{
    struct reader r = {bytes, (const uint8_t *)bytes + n};
    struct head head = {0};
    ret->whole = (struct hist){0};
    ret->n = 0;
    if (begin(&r, UINT64_MAX, &head, e)) return -1;
    if (head.count == 0) return 0;
    if (sparse_reserve(ret, (size_t)(r.end - r.at))) return err_set(e, ERR_NOMEM, "out of memory for a histogram");
    if (list_counts(r, &head, ret, e)) return -1;
    ret->whole = totals_of(&head);
    return 0;
}

int hist_decode_add(struct hist *to, const void *bytes, size_t n, struct err *e)
{
    return decode_add(to, bytes, n, false, e);
}
int hist_decode_add_known(struct hist *to, const void *bytes, size_t n, struct err *e)
{
    return decode_add(to, bytes, n, true, e);
}
