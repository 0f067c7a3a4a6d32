#include "tests/sim/http.h"

#include <string.h>
#include <strings.h>

bool sim_slice_is(struct sim_slice s, const char *text)
{
    return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool same_word(struct sim_slice s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

/* The next line without its end; false when there is none. A bare LF ends a line too (RFC 9112, 2.2). */
static bool next_line(const char **at, const char *end, struct sim_slice *ret)
{
    const char *lf = memchr(*at, '\n', (size_t)(end - *at));
    if (!lf) return false;
    *ret = (struct sim_slice){*at, (size_t)(lf - *at)};
    if (ret->n && ret->p[ret->n - 1] == '\r') ret->n--;
    *at = lf + 1;
    return true;
}

static long parse_request_line(struct sim_slice line, struct sim_request *r)
{
    const char *end = line.p + line.n, *sp = memchr(line.p, ' ', line.n);
    if (!sp || sp == line.p) return -400;
    r->method = (struct sim_slice){line.p, (size_t)(sp - line.p)};
    const char *path = sp + 1, *sp2 = memchr(path, ' ', (size_t)(end - path));
    if (!sp2 || *path != '/') return -400;
    const char *query = memchr(path, '?', (size_t)(sp2 - path));
    r->path = (struct sim_slice){path, (size_t)((query ? query : sp2) - path)};
    struct sim_slice version = {sp2 + 1, (size_t)(end - sp2 - 1)};
    if (version.n < 7 || memcmp(version.p, "HTTP/1.", 7) != 0) return -400;
    return sim_slice_is(version, "HTTP/1.1") ? 0 : -505;
}

static long parse_length(struct sim_slice v, size_t *ret)
{
    size_t n = 0;
    if (v.n == 0) return -400;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return -400;
        n = n * 10 + (size_t)(v.p[i] - '0');
        if (n > SIM_BODY_MAX) return -413;
    }
    *ret = n;
    return 0;
}

struct fields {
    bool has_length;
    size_t length;
};

static long parse_field(struct sim_slice line, struct sim_request *r, struct fields *f)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon || colon == line.p || line.p[0] == ' ' || line.p[0] == '\t') return -400;
    struct sim_slice name = {line.p, (size_t)(colon - line.p)}, v = {colon + 1, (size_t)(line.p + line.n - colon - 1)};
    while (v.n && (*v.p == ' ' || *v.p == '\t'))
        v.p++, v.n--;
    while (v.n && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
        v.n--;
    if (same_word(name, "content-length")) {
        size_t was = f->length;
        long bad = parse_length(v, &f->length);
        if (!bad && f->has_length && was != f->length) bad = -400; /* two lengths: request smuggling */
        f->has_length = true;
        return bad;
    }
    if (same_word(name, "transfer-encoding")) return -411;
    if (same_word(name, "connection") && same_word(v, "close")) r->keep_alive = false;
    if (same_word(name, "authorization")) r->authorization = v;
    if (same_word(name, "x-plateau-probe")) r->probe = true;
    if (same_word(name, "expect") && same_word(v, "100-continue")) r->wants_continue = true;
    return 0;
}

long sim_http_parse(const char *p, size_t n, struct sim_request *ret)
{
    const char *at = p, *end = p + n;
    struct sim_slice line;
    struct fields f = {false, 0};
    *ret = (struct sim_request){.keep_alive = true};
    while (at < end && (*at == '\r' || *at == '\n'))
        at++; /* empty lines before a request are skipped */
    bool more = next_line(&at, end, &line);
    long bad = more ? parse_request_line(line, ret) : 0;
    while (more && !bad) {
        more = next_line(&at, end, &line);
        if (!more || line.n == 0) break;
        bad = parse_field(line, ret, &f);
    }
    if (bad) return bad;
    if (!more) {
        ret->wants_continue = false; /* not before the whole head is there */
        return n > SIM_HEAD_MAX ? -431 : 0;
    }
    if (at - p > SIM_HEAD_MAX) return -431;
    if ((size_t)(end - at) < f.length) return 0;
    ret->body = (struct sim_slice){at, f.length};
    return (long)((size_t)(at - p) + f.length);
}
