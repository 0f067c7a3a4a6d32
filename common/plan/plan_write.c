/* Writing: a plan into a tree of nodes, by the table of keys, and from there into JSON, YAML and the hash. */
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/plan/plan_key.h"

struct node *write_section(struct tree *t, const char *section, const void *base, unsigned skip)
{
    struct node *map = node_new(t, NODE_MAP);
    for (size_t i = 0; i < PLAN_KEYS_N && !t->failed; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        if (strcmp(k->section, section) != 0 || k->flags & (KEY_LATER | KEY_ELSEWHERE | skip)) continue;
        const void *at = k->offset == SIZE_MAX ? NULL : (const char *)base + k->offset; /* checked, not kept */
        node_put(t, map, k->name, k->type->write(t, k, at));
    }
    return map;
}

struct node *plan_to_node(const struct plan *p, struct tree *t)
{
    struct node *root = write_section(t, "", p, 0);
    return t->failed ? NULL : root;
}

static int to_json(const struct node *n, struct buf *out)
{
    return node_to_json(n, false, out);
}
static int to_pretty_json(const struct node *n, struct buf *out)
{
    return node_to_json(n, true, out) || buf_putc(out, '\n') ? -1 : 0;
}

static int write_with(const struct plan *p, int (*writer)(const struct node *, struct buf *), struct buf *out)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = p->name};
    const struct node *root = plan_to_node(p, &t);
    int bad = root ? writer(root, out) : -1;
    arena_destroy(&t.arena);
    return bad;
}

int plan_to_json(const struct plan *p, bool pretty, struct buf *out)
{
    return write_with(p, pretty ? to_pretty_json : to_json, out);
}
int plan_to_yaml(const struct plan *p, struct buf *out)
{
    return write_with(p, node_to_yaml, out);
}

void plan_hash_json(const void *json, size_t n, char ret_hex[65])
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(sum, json, n);
    sodium_bin2hex(ret_hex, 65, sum, sizeof sum);
}

int plan_hash(const struct plan *p, char ret_hex[65])
{
    struct buf json = BUF_INIT(8u << 20);
    int bad = plan_to_json(p, false, &json);
    if (!bad) plan_hash_json(json.data, json.len, ret_hex);
    buf_clear(&json);
    return bad;
}
