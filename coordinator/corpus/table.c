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
    while ((s = memchr(s, '"', (size_t)(end - s))) && s + 1 < end && s[1] == '"') {
        doubled = true;
        s += 2;
    }
    if (!s) return NULL;
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

/* One cell at s; returns the comma or the line end after it, NULL when a quote is wrong. */
static const char *next_cell(struct table *t, const char *s, const char *end, struct table_cell *c, size_t *ret_offset)
{
    *ret_offset = SIZE_MAX;
    if (s < end && *s == '"') {
        const char *stop = quoted(t, s, end, c, ret_offset);
        if (stop && stop < end && *stop == '\r') stop++;
        return stop && (stop == end || *stop == ',' || *stop == '\n') ? stop : NULL;
    }
    const char *lf = end_of_line(s, end), *comma = memchr(s, ',', (size_t)(lf - s)), *stop = comma ? comma : lf;
    *c = (struct table_cell){s, (size_t)(stop - s)};
    if (!comma && c->len > 0 && c->text[c->len - 1] == '\r') c->len--;
    return stop;
}

static void count_lines(const char *from, const char *to, uint64_t *line)
{
    for (; (from = memchr(from, '\n', (size_t)(to - from))); from++)
        ++*line;
}

enum table_got table_next(struct table *t, const char **at, const char *end, uint64_t *line)
{
    size_t offset[TABLE_COLUMNS_MAX];
    const char *from = *at, *s = from, *stop = NULL;
    t->n = 0;
    buf_reset(&t->unquoted);
    if (s == end) return TABLE_END;
    while (t->n < TABLE_COLUMNS_MAX && (stop = next_cell(t, s, end, &t->cell[t->n], &offset[t->n]))) {
        t->n++;
        s = stop < end ? stop + 1 : end;
        if (stop == end || *stop != ',') break;
        stop = NULL; /* one more cell follows, even an empty one at the file's end */
    }
    if (!stop) {
        s = end_of_line(from, end);
        *at = s < end ? s + 1 : end;
        ++*line;
        return TABLE_BROKEN;
    }
    for (size_t i = 0; i < t->n; i++)
        if (offset[i] != SIZE_MAX) t->cell[i].text = buf_str(&t->unquoted) + offset[i];
    count_lines(from, s, line);
    *at = s;
    return t->n == 1 && t->cell[0].len == 0 ? TABLE_BLANK : TABLE_ROW;
}

int table_find(const struct table *t, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < t->n; i++)
        if (t->cell[i].len == n && memcmp(t->cell[i].text, name, n) == 0) return (int)i;
    return -1;
}
