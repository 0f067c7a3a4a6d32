#include "common/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define LINES 3 /* levels whose members have lines of their own when pretty */

static void line(struct json_out *j)
{
    if (!j->pretty || j->depth > LINES) {
        if (j->pretty && j->more) (void)buf_putc(j->out, ' ');
        return;
    }
    (void)buf_putc(j->out, '\n');
    for (unsigned i = 0; i < j->depth; i++)
        (void)buf_puts(j->out, "  ");
}

static bool must_escape(const struct json_out *j, unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f || (j->html && (c == '<' || c == '>' || c == '&'));
}

static void quoted(struct json_out *j, const char *p, size_t n)
{
    (void)buf_putc(j->out, '"');
    for (size_t i = 0; i < n;) {
        size_t len = text_utf8(p + i, n - i);
        if (!len) {
            (void)buf_puts(j->out, "\xef\xbf\xbd");
            i++;
            continue;
        }
        if (len > 1 || !must_escape(j, (unsigned char)p[i]))
            (void)buf_put(j->out, p + i, len);
        else if (p[i] == '"' || p[i] == '\\')
            (void)buf_printf(j->out, "\\%c", p[i]);
        else if (p[i] == '\n')
            (void)buf_puts(j->out, "\\n");
        else
            (void)buf_printf(j->out, "\\u%04x", (unsigned)p[i]);
        i += len;
    }
    (void)buf_putc(j->out, '"');
}

static void begin(struct json_out *j, const char *key)
{
    if (j->more) (void)buf_putc(j->out, ',');
    if (j->depth) line(j);
    if (key) {
        quoted(j, key, strlen(key));
        (void)buf_puts(j->out, j->pretty ? ": " : ":");
    }
    j->more = true;
}

static void open(struct json_out *j, const char *key, char c)
{
    begin(j, key);
    (void)buf_putc(j->out, c);
    j->depth++;
    j->more = false;
}

static void close(struct json_out *j, char c)
{
    bool any = j->more;
    j->depth--;
    j->more = false;
    if (any && j->depth < LINES) line(j);
    (void)buf_putc(j->out, c);
    j->more = true;
}

void json_object(struct json_out *j, const char *key)
{
    open(j, key, '{');
}
void json_array(struct json_out *j, const char *key)
{
    open(j, key, '[');
}
void json_end_object(struct json_out *j)
{
    close(j, '}');
}
void json_end_array(struct json_out *j)
{
    close(j, ']');
}

void json_string_n(struct json_out *j, const char *key, const void *value, size_t n)
{
    begin(j, key);
    quoted(j, value, n);
}

void json_string(struct json_out *j, const char *key, const char *value)
{
    if (value)
        json_string_n(j, key, value, strlen(value));
    else
        json_null(j, key);
}

void json_double(struct json_out *j, const char *key, double value)
{
    begin(j, key);
    if (!isfinite(value)) {
        (void)buf_puts(j->out, "null");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (back >= value && back <= value) break;
    }
    (void)buf_puts(j->out, text);
}

void json_u64(struct json_out *j, const char *key, uint64_t value)
{
    begin(j, key);
    (void)buf_printf(j->out, "%" PRIu64, value);
}

void json_known_u64(struct json_out *j, const char *key, bool known, uint64_t value)
{
    if (known)
        json_u64(j, key, value);
    else
        json_null(j, key);
}

void json_i64(struct json_out *j, const char *key, int64_t value)
{
    begin(j, key);
    (void)buf_printf(j->out, "%" PRId64, value);
}

void json_bool(struct json_out *j, const char *key, bool value)
{
    begin(j, key);
    (void)buf_puts(j->out, value ? "true" : "false");
}

void json_null(struct json_out *j, const char *key)
{
    begin(j, key);
    (void)buf_puts(j->out, "null");
}

void json_raw(struct json_out *j, const char *key, const char *json)
{
    begin(j, key);
    if (!j->html) {
        (void)buf_puts(j->out, json);
        return;
    }
    /* Outside of strings these characters do not occur in JSON, so that escaping them is right wherever they stand. */
    for (const char *p = json; *p; p++) {
        if (*p == '<' || *p == '>' || *p == '&')
            (void)buf_printf(j->out, "\\u%04x", (unsigned)(unsigned char)*p);
        else
            (void)buf_putc(j->out, *p);
    }
}
