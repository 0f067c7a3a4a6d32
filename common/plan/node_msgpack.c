/* msgpack, read by a bounded walk that builds as it goes: every count is checked against the bytes that are left before
 * anything is allocated for it (msgpack-c's own unpacker allocates by the count first), and written by msgpack-c. */
#include <math.h>
#include <msgpack.h>
#include <stdio.h>
#include <string.h>

#include "common/plan/node.h"
#include "common/unpack.h"

struct walk {
    struct tree *tree;
    const uint8_t *at, *end;
    struct err *e;
};

static struct node *refuse(struct walk *w, const char *why)
{
    (void)err_set(w->e, ERR_WIRE, "%s: %s", w->tree->file, why);
    return NULL;
}

/* Big-endian number of `bytes` bytes; false when they are not there. */
static bool take(struct walk *w, unsigned bytes, uint64_t *ret)
{
    if ((size_t)(w->end - w->at) < bytes) return false;
    *ret = 0;
    for (unsigned i = 0; i < bytes; i++)
        *ret = *ret << 8 | *w->at++;
    return true;
}

static struct node *whole(struct walk *w, uint64_t v, bool negative)
{
    char s[32];
    struct node *n = node_new_whole(w->tree, v);
    if (!n || !negative) return n;
    (void)snprintf(s, sizeof s, "-%llu", (unsigned long long)v);
    n->negative = v != 0;
    n->number = -n->number;
    n->len = strlen(s);
    n->text = arena_text(w->tree->arena, s, n->len);
    if (!n->text) w->tree->failed = true;
    return n->text ? n : NULL;
}

static struct node *number(struct walk *w, unsigned bytes)
{
    uint64_t bits;
    if (!take(w, bytes, &bits)) return refuse(w, "cut short in a number");
    double v;
    if (bytes == 4) {
        uint32_t half = (uint32_t)bits;
        float f;
        memcpy(&f, &half, sizeof f);
        v = (double)f;
    } else
        memcpy(&v, &bits, sizeof v);
    if (!isfinite(v)) return refuse(w, "a number is not finite");
    char s[32];
    struct node *n = node_new_text(w->tree, number_format(v, s, sizeof s));
    if (n) {
        n->kind = NODE_NUMBER;
        n->number = v;
    }
    return n;
}

static const char *text(struct walk *w, uint64_t len)
{
    if (len > (uint64_t)(w->end - w->at)) return NULL;
    const char *s = (const char *)w->at;
    w->at += len;
    return text_valid(s, len) ? arena_text(w->tree->arena, s, len) : NULL;
}

static struct node *text_node(struct walk *w, uint64_t len)
{
    const char *s = text(w, len);
    struct node *n = s ? node_new(w->tree, NODE_TEXT) : NULL;
    if (!n) return refuse(w, "text is cut short, no plain UTF-8, or too much");
    n->text = s;
    n->len = len;
    return n;
}

/* Length of the string that starts here; -1 when none does. */
static int64_t text_head(struct walk *w)
{
    uint64_t tag, len;
    if (!take(w, 1, &tag)) return -1;
    if ((tag & 0xe0) == 0xa0) return (int64_t)(tag & 0x1f);
    if (tag < 0xd9 || tag > 0xdb || !take(w, 1u << (tag - 0xd9), &len)) return -1;
    return (int64_t)len;
}

static struct node *value(struct walk *w, unsigned depth);

static struct node *many(struct walk *w, enum node_kind kind, uint64_t n, unsigned depth)
{
    if (depth >= NODE_DEPTH_MAX) return refuse(w, "nested too deep");
    if (n > NODE_ENTRIES_MAX || n * (kind == NODE_MAP ? 2 : 1) > (uint64_t)(w->end - w->at))
        return refuse(w, "more entries announced than can be");
    struct node *all = node_new(w->tree, kind);
    if (!all) return refuse(w, "too much");
    for (uint64_t i = 0; i < n; i++) {
        const char *key = NULL;
        if (kind == NODE_MAP) {
            int64_t len = text_head(w);
            if (len < 1 || len > (int64_t)NODE_KEY_MAX || !(key = text(w, (uint64_t)len)))
                return refuse(w, "a key is no text of 1 to 128 bytes");
            if (node_get(all, key)) return refuse(w, "a key is given twice");
        }
        struct node *c = value(w, depth + 1);
        if (!c) return NULL;
        c->key = key;
        node_add(w->tree, all, c);
    }
    return all;
}

static struct node *tagged(struct walk *w, uint64_t tag, unsigned depth)
{
    uint64_t v;
    struct node *n;
    switch (tag) {
    case 0xc0:
        return node_new(w->tree, NODE_NULL);
    case 0xc2:
    case 0xc3:
        return node_new_bool(w->tree, tag == 0xc3);
    case 0xca:
        return number(w, 4);
    case 0xcb:
        return number(w, 8);
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return take(w, 1u << (tag - 0xcc), &v) ? whole(w, v, false) : refuse(w, "cut short in a number");
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: {
        unsigned bytes = 1u << (tag - 0xd0), up = 64 - 8 * bytes;
        if (!take(w, bytes, &v)) return refuse(w, "cut short in a number");
        bool negative = v >> (8 * bytes - 1);
        if (negative) v = 0 - (up ? v | ~UINT64_C(0) << (8 * bytes) : v); /* sign-extended, then its magnitude */
        return whole(w, v, negative);
    }
    case 0xd9:
    case 0xda:
    case 0xdb:
        return take(w, 1u << (tag - 0xd9), &v) ? text_node(w, v) : refuse(w, "cut short in a text");
    case 0xdc:
    case 0xdd:
        n = take(w, tag == 0xdc ? 2 : 4, &v) ? many(w, NODE_SEQ, v, depth) : refuse(w, "cut short in a list");
        return n;
    case 0xde:
    case 0xdf:
        n = take(w, tag == 0xde ? 2 : 4, &v) ? many(w, NODE_MAP, v, depth) : refuse(w, "cut short in a mapping");
        return n;
    default:
        return refuse(w, "a type that plans do not have");
    }
}

static struct node *value(struct walk *w, unsigned depth)
{
    uint64_t tag;
    if (w->tree->failed || !take(w, 1, &tag)) return refuse(w, "cut short");
    struct node *n;
    if (tag < 0x80)
        n = whole(w, tag, false);
    else if (tag < 0x90)
        n = many(w, NODE_MAP, tag & 0x0f, depth);
    else if (tag < 0xa0)
        n = many(w, NODE_SEQ, tag & 0x0f, depth);
    else if (tag < 0xc0)
        n = text_node(w, tag & 0x1f);
    else if (tag >= 0xe0)
        n = whole(w, 0x100 - tag, true);
    else
        n = tagged(w, tag, depth);
    if (!n && w->tree->failed) return refuse(w, "too much");
    return n;
}

struct node *node_from_msgpack(struct tree *t, const void *bytes, size_t n, struct err *e)
{
    struct walk w = {.tree = t, .at = bytes, .end = (const uint8_t *)bytes + n, .e = e};
    if (n == 0 || n > NODE_INPUT_MAX) return refuse(&w, n ? "more than 1 MiB" : "empty");
    struct node *root = value(&w, 0);
    if (root && w.at != w.end) return refuse(&w, "bytes behind the end");
    return root;
}

static void pack(const struct node *n, msgpack_packer *p)
{
    switch (n->kind) {
    case NODE_NULL:
        msgpack_pack_nil(p);
        break;
    case NODE_BOOL:
        if (n->flag)
            msgpack_pack_true(p);
        else
            msgpack_pack_false(p);
        break;
    case NODE_INT:
        if (n->negative && n->whole <= (uint64_t)INT64_MAX + 1)
            msgpack_pack_int64(p, (int64_t)(0 - n->whole));
        else if (n->negative)
            msgpack_pack_double(p, n->number);
        else
            msgpack_pack_uint64(p, n->whole);
        break;
    case NODE_NUMBER:
        msgpack_pack_double(p, n->number);
        break;
    case NODE_TEXT:
        msgpack_pack_str_with_body(p, n->text, n->len);
        break;
    case NODE_SEQ:
    case NODE_MAP:
        if (n->kind == NODE_MAP)
            msgpack_pack_map(p, n->n);
        else
            msgpack_pack_array(p, n->n);
        for (const struct node *c = n->first; c; c = c->next) {
            if (n->kind == NODE_MAP) msgpack_pack_str_with_body(p, c->key, strlen(c->key));
            pack(c, p);
        }
        break;
    }
}

int node_to_msgpack(const struct node *n, struct buf *out)
{
    msgpack_packer p;
    msgpack_packer_init(&p, out, pack_to_buf);
    pack(n, &p);
    return out->bad ? -1 : 0;
}
