#include "coordinator/tokenizer/added.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/tokenizer/split.h"

int added_put(struct added *a, struct added_token t)
{
    if (a->n == a->room) {
        size_t room = a->room ? 2 * a->room : 64;
        struct added_token *more = room <= ADDED_MAX ? realloc(a->token, room * sizeof *more) : NULL;
        if (!more) return -1;
        a->token = more;
        a->room = room;
    }
    a->token[a->n++] = t;
    return 0;
}

/* By first byte, the longest first. */
static int compare(const void *x, const void *y)
{
    const struct added_token *a = x, *b = y;
    int by_byte = (unsigned char)a->text[0] - (unsigned char)b->text[0];
    return by_byte ? by_byte : (a->len < b->len) - (a->len > b->len);
}

void added_seal(struct added *a)
{
    size_t i = 0;
    if (a->n) qsort(a->token, a->n, sizeof *a->token, compare);
    for (unsigned c = 0; c < 257; c++) {
        while (i < a->n && (unsigned char)a->token[i].text[0] < c)
            i++;
        a->first[c] = i;
    }
    a->first[256] = a->n;
}

void added_clear(struct added *a)
{
    for (size_t i = 0; i < a->n; i++)
        free(a->token[i].text);
    free(a->token);
    *a = (struct added){0};
}

static const struct added_token *token_at(const struct added *a, bool normalized, const char *text, size_t left)
{
    unsigned char c = (unsigned char)text[0];
    for (size_t i = a->first[c]; i < a->first[c + 1]; i++) {
        const struct added_token *t = &a->token[i];
        if (t->normalized == normalized && t->len <= left && memcmp(t->text, text, t->len) == 0) return t;
    }
    return NULL;
}

const struct added_token *added_next(const struct added *a, bool normalized, const char *text, size_t n, size_t last,
                                     size_t *from, size_t *ret_begin, size_t *ret_end)
{
    if (a->n == 0) return NULL;
    for (size_t at = *from; at < n; at++) {
        const struct added_token *t = token_at(a, normalized, text + at, n - at);
        if (!t) continue;
        *from = at + t->len;
        *ret_begin = t->left ? split_blank_before(text, at) : at;
        *ret_end = t->right ? split_blank_after(text, n, *from) : *from;
        if (*ret_begin < last) *ret_begin = last;
        return t;
    }
    return NULL;
}
