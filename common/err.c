#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int status;
} TABLE[] = {
#define X(name, status, text) {#name, status},
#include "common/err.def"
#undef X
};

#undef err_set /* the analyzer's macros */
#undef err_context
int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    if (!e) return -1;
    e->code = code;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return -1;
}

int err_context(struct err *e, const char *fmt, ...)
{
    if (!e) return -1;
    char was[sizeof e->text];
    memcpy(was, e->text, sizeof was);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    if (n < 0) n = 0;
    size_t at = (size_t)n < sizeof e->text ? (size_t)n : sizeof e->text - 1;
    for (const char *s = ": "; *s && at + 1 < sizeof e->text;)
        e->text[at++] = *s++;
    for (const char *s = was; *s && at + 1 < sizeof e->text;)
        e->text[at++] = *s++;
    e->text[at] = 0;
    return -1;
}

int err_exit_status(const struct err *e)
{
    return e->code < ERR_N ? TABLE[e->code].status : 1;
}

const char *err_code_name(enum err_code code)
{
    return code < ERR_N ? TABLE[code].name : "?";
}
