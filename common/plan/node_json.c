/* Writers for people and machines: canonical JSON, and YAML in blocks. Order is the tree's; numbers are the shortest
 * that read back. */
#include <stdio.h>
#include <string.h>

#include "common/plan/node.h"

/* Length of the character at s if JSON must escape it, or YAML would fold, refuse or drop it when it stands bare; else
 * 0. */
static size_t must_escape(const unsigned char *s, size_t n, uint32_t *ret_code)
{
    uint32_t c = s[0];
    size_t k = 1;
    if (c >= 0xc0 && c < 0xe0 && n > 1) {
        c = (c & 0x1f) << 6 | (s[1] & 0x3f);
        k = 2;
    } else if (c >= 0xe0 && c < 0xf0 && n > 2) {
        c = (c & 0x0f) << 12 | (uint32_t)(s[1] & 0x3f) << 6 | (s[2] & 0x3f);
        k = 3;
    }
    *ret_code = c;
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f && (k == 2 || c == 0x7f))) return k;
    return c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff ? k : 0;
}

void json_text(struct buf *out, const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    buf_putc(out, '"');
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t k = must_escape(s + i, n - i, &code);
        if (s[i] == '"' || s[i] == '\\')
            buf_printf(out, "\\%c", s[i]);
        else if (s[i] == '\n')
            buf_puts(out, "\\n");
        else if (s[i] == '\t')
            buf_puts(out, "\\t");
        else if (k)
            buf_printf(out, "\\u%04x", code);
        else
            buf_putc(out, text[i]);
        i += k ? k : 1;
    }
    buf_putc(out, '"');
}

static void scalar(const struct node *n, struct buf *out)
{
    char s[32];
    switch (n->kind) {
    case NODE_NULL:
        buf_puts(out, "null");
        break;
    case NODE_BOOL:
        buf_puts(out, n->flag ? "true" : "false");
        break;
    case NODE_INT:
        buf_printf(out, "%s%llu", n->negative ? "-" : "", (unsigned long long)n->whole);
        break;
    case NODE_NUMBER:
        buf_puts(out, node_number_text(n->number, s, sizeof s));
        if (!strpbrk(s, ".e")) buf_puts(out, ".0"); /* stays a real number when read again */
        break;
    case NODE_TEXT:
        json_text(out, n->text, n->len);
        break;
    case NODE_SEQ:
    case NODE_MAP:
        break;
    }
}

static void line(struct buf *out, bool pretty, unsigned depth)
{
    if (!pretty) return;
    buf_putc(out, '\n');
    for (unsigned i = 0; i < depth; i++)
        buf_puts(out, "  ");
}

static bool all_scalars(const struct node *n)
{
    for (const struct node *c = n->first; c; c = c->next)
        if (!node_is_scalar(c)) return false;
    return true;
}

static void json(const struct node *n, bool pretty, unsigned depth, struct buf *out)
{
    if (node_is_scalar(n)) {
        scalar(n, out);
        return;
    }
    bool map = n->kind == NODE_MAP, open = pretty && n->n && (map || !all_scalars(n));
    buf_putc(out, map ? '{' : '[');
    for (const struct node *c = n->first; c; c = c->next) {
        line(out, open, depth + 1);
        if (map) {
            json_text(out, c->key, strlen(c->key));
            buf_puts(out, pretty ? ": " : ":");
        }
        json(c, pretty, depth + 1, out);
        if (c->next) buf_puts(out, pretty && !open ? ", " : ",");
    }
    line(out, open, depth);
    buf_putc(out, map ? '}' : ']');
}

int node_to_json(const struct node *n, bool pretty, struct buf *out)
{
    json(n, pretty, 0, out);
    return out->bad ? -1 : 0;
}

/* Text that needs no quotes in YAML: it starts with a letter or digit, resolves to text, and holds nothing with a
 * meaning. */
static bool is_plain(const struct node *n)
{
    struct node again = {.text = n->text};
    if (n->len == 0 || n->len > 100 ||
        strspn(n->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "._-/ <>=%()+") != n->len)
        return false;
    if (strchr("-=<>%()+ ", n->text[0]) || n->text[n->len - 1] == ' ') return false;
    return node_resolve(&again) == 0 && again.kind == NODE_TEXT;
}

static void yaml(const struct node *n, unsigned depth, struct buf *out);

static void yaml_value(const struct node *n, unsigned depth, bool in_list, struct buf *out)
{
    if (n->kind == NODE_TEXT && is_plain(n))
        buf_puts(out, n->text);
    else if (node_is_scalar(n) || n->n == 0 || (n->kind == NODE_SEQ && all_scalars(n)))
        json(n, true, depth, out);
    else {
        if (!in_list) line(out, true, depth);
        yaml(n, depth, out);
    }
}

static void yaml(const struct node *n, unsigned depth, struct buf *out)
{
    for (const struct node *c = n->first; c; c = c->next) {
        if (n->kind == NODE_MAP) {
            const struct node key = {.kind = NODE_TEXT, .text = c->key, .len = strlen(c->key)};
            yaml_value(&key, 0, false, out);
            buf_puts(out, ":");
            if (node_is_scalar(c) || c->n == 0 || (c->kind == NODE_SEQ && all_scalars(c))) buf_putc(out, ' ');
        } else
            buf_puts(out, "- ");
        yaml_value(c, depth + 1, n->kind == NODE_SEQ, out);
        if (c->next) line(out, true, depth);
    }
}

int node_to_yaml(const struct node *n, struct buf *out)
{
    yaml_value(n, 0, true, out);
    buf_putc(out, '\n');
    return out->bad ? -1 : 0;
}
