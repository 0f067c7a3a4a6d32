#include "coordinator/answer/prom_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const char *at, *end; /* of a line */
};

static bool name_first(char c, bool metric)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (metric && c == ':');
}
static bool name_char(char c, bool metric)
{
    return name_first(c, metric) || (c >= '0' && c <= '9');
}

static void blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static size_t name_take(struct cursor *c, bool metric)
{
    const char *from = c->at;
    if (c->at == c->end || !name_first(*c->at, metric)) return 0;
    while (c->at < c->end && name_char(*c->at, metric))
        c->at++;
    return (size_t)(c->at - from);
}

/* "…" with \\, \" and \n; the cursor ends after the closing quote. */
static bool quoted_take(struct cursor *c, const char **ret, size_t *ret_n)
{
    if (c->at == c->end || *c->at != '"') return false;
    *ret = ++c->at;
    for (; c->at < c->end && *c->at != '"'; c->at++)
        if (*c->at == '\\' && ++c->at == c->end) return false;
    if (c->at == c->end) return false;
    *ret_n = (size_t)(c->at++ - *ret);
    return true;
}

/* One `name="value"`, and the comma after it if there is one. */
static bool label_take(struct cursor *c, const char **name, size_t *name_n, const char **value, size_t *value_n)
{
    blanks(c);
    *name = c->at;
    *name_n = name_take(c, false);
    blanks(c);
    if (!*name_n || c->at == c->end || *c->at++ != '=') return false;
    blanks(c);
    if (!quoted_take(c, value, value_n)) return false;
    blanks(c);
    if (c->at < c->end && *c->at == ',') c->at++;
    blanks(c);
    return true;
}

static bool labels_take(struct cursor *c, struct prom_line *s)
{
    const char *name, *value;
    size_t name_n, value_n;
    c->at++;
    s->labels = c->at;
    blanks(c);
    while (c->at < c->end && *c->at != '}')
        if (!label_take(c, &name, &name_n, &value, &value_n)) return false;
    if (c->at == c->end) return false;
    s->labels_n = (size_t)(c->at++ - s->labels);
    return true;
}

static bool word(const char *s, size_t n, const char *what)
{
    return strlen(what) == n && memcmp(s, what, n) == 0;
}

/* A Go float: decimal, +Inf, -Inf, NaN. strtod would also take hexadecimal; no exporter writes it, so it is refused. */
static bool number_take(struct cursor *c, double *ret)
{
    char text[64], *end;
    const char *from = c->at;
    while (c->at < c->end && *c->at != ' ' && *c->at != '\t')
        c->at++;
    size_t n = (size_t)(c->at - from);
    if (n == 0 || n >= sizeof text) return false;
    if (word(from, n, "NaN"))
        *ret = NAN;
    else if (word(from, n, "+Inf") || word(from, n, "Inf"))
        *ret = INFINITY;
    else if (word(from, n, "-Inf"))
        *ret = -INFINITY;
    else {
        for (size_t i = 0; i < n; i++)
            if (!strchr("0123456789+-.eE", from[i]) || !from[i]) return false;
        memcpy(text, from, n);
        text[n] = '\0';
        *ret = strtod(text, &end);
        return end == text + n;
    }
    return true;
}

/* After the value: nothing, a timestamp, or an exemplar. */
static bool tail_ok(struct cursor *c)
{
    double when;
    blanks(c);
    if (c->at < c->end && *c->at != '#' && !number_take(c, &when)) return false;
    blanks(c);
    return c->at == c->end || *c->at == '#';
}

static bool sample_take(struct cursor *c, struct prom_line *s)
{
    *s = (struct prom_line){.name = c->at};
    s->name_n = name_take(c, true);
    if (!s->name_n) return false;
    blanks(c);
    if (c->at < c->end && *c->at == '{' && !labels_take(c, s)) return false;
    blanks(c);
    return number_take(c, &s->value) && tail_ok(c);
}

int prom_read(const char *text, size_t n, prom_fn *fn, void *arg, struct err *e)
{
    const char *at = text, *end = text + n;
    while (at < end && strchr(" \t\r\n", *at) && *at)
        at++;
    if (at < end && *at == '<') return err_set(e, ERR_WIRE, "the page is HTML or XML, and no metrics");
    at = text;
    for (size_t line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) return err_set(e, ERR_WIRE, "metrics line %zu: the page was cut", line);
        struct cursor c = {at, stop > at && stop[-1] == '\r' ? stop - 1 : stop};
        struct prom_line s;
        if ((size_t)(stop - at) > PROM_LINE_MAX)
            return err_set(e, ERR_WIRE, "metrics line %zu: longer than %u bytes", line, PROM_LINE_MAX);
        at = stop + 1;
        blanks(&c);
        if (c.at == c.end || *c.at == '#') continue;
        if (!sample_take(&c, &s))
            return err_set(e, ERR_WIRE, "metrics line %zu: expected a sample such as name{label=\"value\"} 1", line);
        if (!fn(arg, &s)) return 0;
    }
    return 0;
}

bool prom_read_label(const struct prom_line *s, const char *name, char *buf, size_t size)
{
    struct cursor c = {s->labels, s->labels ? s->labels + s->labels_n : s->labels};
    const char *key, *value;
    size_t key_n, value_n, out = 0;
    while (c.at < c.end && label_take(&c, &key, &key_n, &value, &value_n)) {
        if (!word(key, key_n, name)) continue;
        for (size_t i = 0; i < value_n && out + 1 < size; i++) {
            bool escaped = value[i] == '\\' && i + 1 < value_n;
            if (escaped) i++;
            buf[out++] = escaped && value[i] == 'n' ? '\n' : value[i];
        }
        if (size) buf[out] = '\0';
        return true;
    }
    return false;
}
