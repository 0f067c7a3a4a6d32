#include "agent/stream/shape.h"

#include <string.h>

#include "common/json_scan.h"

static bool one_kind(uint32_t flags)
{
    return flags == EVENT_CONTENT || flags == EVENT_REASONING || flags == EVENT_TOOL;
}

static bool is_blank_line(const char *p, size_t n)
{
    return (n == 2 && memcmp(p, "\n\n", 2) == 0) || (n == 4 && memcmp(p, "\r\n\r\n", 4) == 0);
}

void shape_learn(struct shape *sh, const char *raw, const char *raw_end, const struct sse_event *e,
                 const struct event *ev)
{
    if (!one_kind(ev->flags) || ev->text_len == 0 || e->name_len > 0) return;
    /* the data is a slice of these very bytes, with nothing but its field in front and the blank line behind */
    if ((uintptr_t)e->data < (uintptr_t)raw || (uintptr_t)e->data > (uintptr_t)raw_end) return;
    size_t field = (size_t)(e->data - raw), size = (size_t)(raw_end - raw);
    if (field < 5 || field > 6 || memcmp(raw, "data: ", field) != 0) return;
    if (!is_blank_line(e->data + e->len, size - field - e->len)) return;
    size_t prefix = field + ev->text_at, suffix = size - prefix - ev->text_len;
    if (prefix + suffix > SHAPE_MAX) return;
    sh->flags = ev->flags;
    sh->prefix = (uint16_t)prefix;
    sh->suffix = (uint16_t)suffix;
    memcpy(sh->bytes, raw, prefix);
    memcpy(sh->bytes + prefix, raw_end - suffix, suffix);
}

const char *shape_match(const struct shape *sh, const char *p, const char *end)
{
    if ((size_t)(end - p) <= (size_t)sh->prefix + sh->suffix || memcmp(p, sh->bytes, sh->prefix) != 0) return NULL;
    bool escaped;
    const char *text = p + sh->prefix, *quote = json_string_end(text, end, &escaped);
    if (!quote || quote == text || (size_t)(end - quote) < sh->suffix) return NULL;
    if (memcmp(quote, sh->bytes + sh->prefix, sh->suffix) != 0) return NULL;
    const char *behind = quote + sh->suffix;
    return behind - p <= (ptrdiff_t)SSE_CARRY_MAX ? behind : NULL; /* near the limit the parser decides */
}
