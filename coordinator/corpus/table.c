#include "coordinator/corpus/table.h"

#include <string.h>

static const char *end_of_line(const char *s, const char *end)
{
    const char *lf = memchr(s, '\n', (size_t)(end - s));
    return lf ? lf : end;
}

/* A quoted cell whose first quote is at s. Cells with doubled quotes are put together in `unquoted`, whose place is
 * kept as an offset until the row is complete. Returns the byte after the last quote, NULL when there is none. */
static const char *quoted(struct table *t, const char *s, const char *end, struct table_cell *c, size_t *ret_offset)
{
    const char *from = ++s;
    bool doubled = false;
    *ret_offset = SIZE_MAX;
    for (;; s++) {
        s = memchr(s, '"', (size_t)(end - s));
        if (!s) return NULL;
        if (s + 1 == end || s[1] != '"') break;
        doubled = true;
        s++;
    }
    *c = (struct table_cell){from, (size_t)(s - from)};
    if (!doubled) return s + 1;
    *ret_offset = t->unquoted.len;
    for (const char *p = from; p < s; p++) {
        (void)buf_putc(&t->unquoted, *p);
        if (*p == '"') p++;
    }
    c->len = t->unquoted.len - *ret_offset;
    return t->unquoted.bad ? NULL : s + 1;
}

enum table_got table_next(struct table *t, const char **at, const char *end, uint64_t *line)
{
    size_t offset[TABLE_COLUMNS_MAX];
    const char *s = *at, *from = s;
    t->n = 0;
    buf_reset(&t->unquoted);
    if (s == end) return TABLE_END;
    for (bool more = true; more;) {
        if (t->n == TABLE_COLUMNS_MAX) break;
        struct table_cell *c = &t->cell[t->n];
        offset[t->n] = SIZE_MAX;
        const char *stop = NULL;
        if (s < end && *s == '"') {
            stop = quoted(t, s, end, c, &offset[t->n]);
            if (!stop || !(stop == end || *stop == ',' || *stop == '\n' || *stop == '\r')) break;
            if (stop < end && *stop == '\r') stop++;
        } else {
            const char *lf = end_of_line(s, end);
            stop = memchr(s, ',', (size_t)(lf - s));
            if (!stop) stop = lf;
            *c = (struct table_cell){s, (size_t)(stop - s)};
            if (stop == lf && c->len > 0 && c->text[c->len - 1] == '\r') c->len--;
        }
        t->n++;
        more = stop < end && *stop == ',';
        s = stop < end ? stop + 1 : end;
        if (more) continue;
        for (size_t i = 0; i < t->n; i++)
            if (offset[i] != SIZE_MAX) t->cell[i].text = buf_str(&t->unquoted) + offset[i];
        for (const char *p = from; (p = memchr(p, '\n', (size_t)(s - p))); p++)
            ++*line;
        *at = s;
        return t->n == 1 && t->cell[0].len == 0 ? TABLE_BLANK : TABLE_ROW;
    }
    s = end_of_line(from, end);
    *at = s < end ? s + 1 : end;
    ++*line;
    return TABLE_BROKEN;
}

int table_find(const struct table *t, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < t->n; i++)
        if (t->cell[i].len == n && memcmp(t->cell[i].text, name, n) == 0) return (int)i;
    return -1;
}
