#include "agent/stream/lines.h"

#include <string.h>

void lines_init(struct lines *l, struct carry *carry)
{
    *l = (struct lines){.carry = carry};
}

static void clear(struct lines *l)
{
    l->sent = false;
    l->part = 0;
    carry_clear(l->carry);
}

static int keep(struct lines *l, const char *bytes, size_t n)
{
    char *to = n > CARRY_MAX ? NULL : carry_room(l->carry, l->part, l->part + n);
    if (!to) {
        l->bad = true;
        return -1;
    }
    memcpy(to + l->part, bytes, n);
    l->part += (uint32_t)n;
    return 0;
}

static bool is_blank(const char *p, size_t n)
{
    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t'))
        n--;
    return n == 0;
}

/* The line without its CR; false when it is blank. */
static bool whole(const char *p, size_t n, struct sse_event *ret)
{
    if (n > 0 && p[n - 1] == '\r') n--;
    *ret = (struct sse_event){.name = "", .data = p, .len = n};
    return !is_blank(p, n);
}

int lines_next(struct lines *l, const char **at, const char *end, struct sse_event *ret)
{
    if (l->sent) clear(l);
    while (!l->bad && *at < end) {
        const char *from = *at, *lf = memchr(from, '\n', (size_t)(end - from));
        *at = lf ? lf + 1 : end;
        if (!lf) return keep(l, from, (size_t)(end - from));
        if (l->part == 0) {
            if ((size_t)(lf - from) > CARRY_MAX) l->bad = true;
            if (!l->bad && whole(from, (size_t)(lf - from), ret)) return 1;
            continue;
        }
        if (keep(l, from, (size_t)(lf - from)) != 0) break;
        if (whole(carry_bytes(l->carry), l->part, ret)) {
            l->sent = true;
            return 1;
        }
        clear(l);
    }
    return l->bad ? -1 : 0;
}

int lines_last(struct lines *l, struct sse_event *ret)
{
    if (l->sent) clear(l);
    return !l->bad && l->part > 0 && whole(carry_bytes(l->carry), l->part, ret);
}
