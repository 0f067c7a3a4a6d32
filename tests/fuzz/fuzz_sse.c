/* Any bytes, split anyhow, give the events that they give in one piece; every slice is readable; memory goes back. */
#include <string.h>

#include "agent/stream/sse.h"
#include "tests/fuzz/fuzz_util.h"

#define OUT_MAX (1u << 18)
static char one[OUT_MAX], two[OUT_MAX];

struct out {
    char *text;
    size_t n;
};

static void put(struct out *o, const char *p, size_t n)
{
    if (n > OUT_MAX - o->n) n = OUT_MAX - o->n;
    memcpy(o->text + o->n, p, n);
    o->n += n;
}

static void put_event(struct out *o, const struct sse_event *e)
{
    put(o, e->name, e->name_len);
    put(o, "|", 1);
    put(o, e->data, e->len);
    put(o, ";", 1);
}

/* The piece has memory of its own, so that a byte read too many is seen. */
static bool feed(struct sse *s, const uint8_t *data, size_t n, struct out *o)
{
    char *piece = malloc(n ? n : 1);
    MUST(piece);
    memcpy(piece, data, n);
    const char *p = piece, *end = piece + n;
    struct sse_event e;
    int r;
    while ((r = sse_next(s, &p, end, &e)) == 1)
        put_event(o, &e);
    MUST(r < 0 || p == end);
    free(piece);
    return r == 0;
}

static void finish(struct sse *s, struct carry_pool *pool, bool good, struct out *o)
{
    struct sse_event e;
    put(o, good ? "." : "!", 1);
    if (sse_last(s, &e) == 1) put_event(o, &e);
    sse_clear(s);
    carry_clear(s->carry);
    MUST(carry_pool_out(pool) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct carry_pool pool;
    static struct sse s;
    static struct carry carry;
    if (!pool.small.size) MUST(carry_pool_init(&pool, 1, NULL) == 0);
    struct out a = {.text = one}, b = {.text = two};
    carry_init(&carry, &pool);
    sse_init(&s, &carry);
    bool good = feed(&s, data, size, &a);
    finish(&s, &pool, good, &a);
    for (uint64_t round = 0; round < 3; round++) {
        struct rng r;
        split_seed(&r, data, size, round);
        b.n = 0;
        good = true;
        carry_init(&carry, &pool);
        sse_init(&s, &carry);
        for (size_t at = 0, n; at < size && good; at += n) {
            n = split_next(&r, size - at);
            good = feed(&s, data + at, n, &b);
        }
        finish(&s, &pool, good, &b);
        MUST(a.n == b.n && memcmp(one, two, a.n) == 0);
    }
    return 0;
}
