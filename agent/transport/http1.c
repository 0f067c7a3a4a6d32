#include "agent/transport/http1.h"

#include <string.h>

#include "common/text.h"

enum { NAME_NONE, NAME_OTHER, NAME_LENGTH, NAME_CODING, NAME_CONNECTION, NAME_ENCODING };

struct line {
    const char *p;
    size_t n; /* at most HTTP1_LINE_MAX */
    bool cut; /* it was longer */
};

void http1_begin(struct http1 *h)
{
    memset(h, 0, offsetof(struct http1, line));
}

static enum http1_result bad(struct http1 *h)
{
    if (!h->why) h->why = HTTP1_NONE;
    h->state = HTTP1_AT_BAD;
    return HTTP1_BAD;
}

/* ---- lines ---- */

static void keep_part(struct http1 *h, const char *p, size_t n)
{
    size_t room = h->line_len < sizeof h->line ? sizeof h->line - h->line_len : 0;
    memcpy(h->line + (sizeof h->line - room), p, n < room ? n : room);
    h->line_len += (uint32_t)n; /* at most HTTP1_HEAD_MAX: `taken` is checked before */
}

/* Refuses, with the reason. */
static bool no(struct http1 *h, const char *why)
{
    h->why = why;
    return false;
}

/* 1 with a whole line, without its end; 0: not whole yet; -1: bad. */
static int take_line(struct http1 *h, const char **at, const char *end, struct line *ret)
{
    const char *p = *at, *lf = memchr(p, '\n', (size_t)(end - p));
    size_t n = (size_t)((lf ? lf : end) - p), used = n + (lf != NULL);
    if (used > HTTP1_HEAD_MAX - h->taken) h->why = "a head, trailer or chunk line of more than 64 KiB";
    if (used > HTTP1_HEAD_MAX - h->taken || memchr(p, '\0', n)) return -1;
    h->taken += (uint32_t)used;
    *at = p + used;
    if (!lf || h->line_len > 0) {
        keep_part(h, p, n);
        if (!lf) return 0;
        p = h->line;
        n = h->line_len;
        h->line_len = 0;
    }
    if (n > 0 && n <= sizeof h->line && p[n - 1] == '\r') n--;
    *ret = (struct line){.p = p, .n = n < HTTP1_LINE_MAX ? n : HTTP1_LINE_MAX, .cut = n > HTTP1_LINE_MAX};
    return 1;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}
static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ---- the head ---- */

static const char VERSION[] = "HTTP/1.";

static bool take_status(struct http1 *h, const struct line *l)
{
    if (l->n < sizeof VERSION - 1 + 5 || memcmp(l->p, VERSION, sizeof VERSION - 1) != 0) return false;
    const char *p = l->p + sizeof VERSION - 1;
    if (!digit(p[0]) || p[1] != ' ' || p[2] < '1' || !digit(p[2]) || !digit(p[3]) || !digit(p[4])) return false;
    if (l->n > sizeof VERSION - 1 + 5 && p[5] != ' ') return false;
    h->old = p[0] == '0';
    h->status = (uint16_t)((p[2] - '0') * 100 + (p[3] - '0') * 10 + (p[4] - '0'));
    return h->status != 101 || no(h, "status 101: the server switches to another protocol, and nobody asked for that");
}

static bool take_length(struct http1 *h, const char *p, size_t n)
{
    uint64_t v = 0;
    if (n == 0 || n > 18) return false;
    for (size_t i = 0; i < n; i++) {
        if (!digit(p[i])) return false;
        v = v * 10 + (uint64_t)(p[i] - '0');
    }
    if (h->has_length && v != h->left) return no(h, "two Content-Lengths that differ");
    h->has_length = true;
    h->left = v;
    return true;
}

/* One word of a comma-separated list. */
static bool take_word(struct http1 *h, const char *p, size_t n)
{
    while (n > 0 && blank(*p))
        p++, n--;
    while (n > 0 && blank(p[n - 1]))
        n--;
    if (h->name == NAME_CONNECTION) {
        h->close |= text_is_word(p, n, "close");
        h->keep |= text_is_word(p, n, "keep-alive");
        return true;
    }
    if (n == 0 || text_is_word(p, n, "identity")) return true;
    if (h->name == NAME_ENCODING) {
        h->why = HTTP1_ENCODED;
        return true;
    }
    if (h->chunked) return no(h, "a second Transfer-Encoding");
    if (!text_is_word(p, n, "chunked")) return no(h, "a Transfer-Encoding other than chunked");
    h->chunked = true;
    return true;
}

static bool take_words(struct http1 *h, const char *p, size_t n)
{
    for (const char *end = p + n;;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        if (!take_word(h, p, (size_t)((comma ? comma : end) - p))) return false;
        if (!comma) return true;
        p = comma + 1;
    }
}

static void tell_header(const struct http1 *h, const struct line *l, size_t name_n)
{
    const char *value = l->p + name_n + 1, *end = l->p + l->n;
    while (value < end && blank(*value))
        value++;
    while (end > value && blank(end[-1]))
        end--;
    h->header(h->header_arg, l->p, name_n, value, (size_t)(end - value));
}

/* What comes after a body ends nothing: a line that is no header is passed over. */
static void take_trailer(const struct http1 *h, const struct line *l)
{
    const char *colon = memchr(l->p, ':', l->n);
    if (h->header && colon && colon > l->p) tell_header(h, l, (size_t)(colon - l->p));
}

static uint8_t name_of(const char *p, size_t n)
{
    return text_is_word(p, n, "content-length")      ? NAME_LENGTH
           : text_is_word(p, n, "transfer-encoding") ? NAME_CODING
           : text_is_word(p, n, "connection")        ? NAME_CONNECTION
           : text_is_word(p, n, "content-encoding")  ? NAME_ENCODING
                                                     : NAME_OTHER;
}

static bool take_header(struct http1 *h, const struct line *l)
{
    const char *p = l->p, *end = p + l->n;
    if (blank(*p)) return h->name == NAME_OTHER; /* a folded line, of a header that does not matter */
    const char *colon = memchr(p, ':', l->n);
    if (!colon) return no(h, "a header line without a colon");
    if (colon == p) return no(h, "a header line without a name");
    if (memchr(p, ' ', (size_t)(colon - p)) || memchr(p, '\t', (size_t)(colon - p)))
        return no(h, "a header with a blank in its name, or before its colon");
    size_t n = (size_t)(colon - p);
    h->name = name_of(p, n);
    if (h->header) tell_header(h, l, n);
    if (h->name == NAME_OTHER) return true;
    if (l->cut && h->name == NAME_CONNECTION) h->close = true; /* the part that was cut off may have said "close" */
    if (l->cut && h->name != NAME_CONNECTION && h->name != NAME_ENCODING)
        return no(h, "a Content-Length or Transfer-Encoding of more than 256 bytes");
    for (p = colon + 1; p < end && blank(*p);)
        p++;
    while (end > p && blank(end[-1]))
        end--;
    if (h->name == NAME_LENGTH) return take_length(h, p, (size_t)(end - p));
    return take_words(h, p, (size_t)(end - p));
}

/* The empty line: how does the body end? */
static void end_head(struct http1 *h)
{
    if (h->status < 200) { /* an interim response, the real one follows; `taken` keeps counting, so that a server cannot
                              send them for ever */
        struct http1 was = {.taken = h->taken, .header = h->header, .header_arg = h->header_arg, .connect = h->connect};
        memcpy(h, &was, offsetof(struct http1, line));
        return;
    }
    h->taken = 0;
    if (h->chunked && h->has_length) h->close = true; /* the coding counts, the connection is not trusted */
    if (h->status == 204 || h->status == 304 || (h->connect && h->status < 300))
        h->state = HTTP1_AT_END;
    else if (h->chunked)
        h->state = HTTP1_AT_CHUNK;
    else if (h->has_length)
        h->state = h->left > 0 ? HTTP1_AT_LENGTH : HTTP1_AT_END;
    else
        h->state = HTTP1_AT_CLOSE;
    if (h->state == HTTP1_AT_CLOSE) h->close = true;
}

/* ---- the body ---- */

const uint8_t HTTP1_HEX[256] = {
    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22, ['7'] = 23,
    ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
    ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31};

static bool take_chunk_size(struct http1 *h, const struct line *l)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < l->n; i++) {
        unsigned d = HTTP1_HEX[(unsigned char)l->p[i]];
        if (d == 0) break;
        v = v << 4 | (d & 15);
        if (v >> 60) return no(h, "a chunk of more than 2^60 bytes"); /* leading zeros do not count */
    }
    if (i == 0 || (i < l->n && l->p[i] != ';' && !blank(l->p[i]))) return no(h, "a chunk without a size");
    h->left = v;
    h->taken = 0;
    h->state = v > 0 ? HTTP1_AT_CHUNK_BYTES : HTTP1_AT_TRAILER;
    return true;
}

static bool at_crlf(const char *p, const char *end)
{
    return end - p >= 2 && p[0] == '\r' && p[1] == '\n';
}

/* A chunk's size as it nearly always is: the line whole in this read, and nothing but digits. All others are left to
 * take_line. */
static void take_plain_size(struct http1 *h, const char **at, const char *end)
{
    const char *p = *at, *most = end - p > 8 ? p + 8 : end;
    uint64_t v = 0;
    for (unsigned d; p < most && (d = HTTP1_HEX[(unsigned char)*p]) != 0; p++)
        v = v << 4 | (d & 15);
    if (v == 0 || !at_crlf(p, end) || h->line_len > 0) return;
    h->left = v;
    h->taken = 0;
    h->state = HTTP1_AT_CHUNK_BYTES;
    *at = p + 2;
}

static bool take_whole_line(struct http1 *h, const struct line *l)
{
    switch (h->state) {
    case HTTP1_AT_STATUS:
        h->state = HTTP1_AT_HEADER;
        return take_status(h, l);
    case HTTP1_AT_HEADER:
        if (l->n > 0) return take_header(h, l);
        end_head(h);
        return true;
    case HTTP1_AT_CHUNK:
        return take_chunk_size(h, l);
    case HTTP1_AT_CHUNK_END:
        h->state = HTTP1_AT_CHUNK;
        return l->n == 0 || no(h, "a chunk that does not end where it said");
    default: /* HTTP1_AT_TRAILER */
        take_trailer(h, l);
        if (l->n == 0) h->state = HTTP1_AT_END;
        return true;
    }
}

static inline enum http1_result take_body(struct http1 *h, const char **at, const char *end, const char **ret,
                                          size_t *ret_n)
{
    size_t n = (size_t)(end - *at);
    if (h->state != HTTP1_AT_CLOSE && n > h->left) n = (size_t)h->left;
    *ret = *at;
    *ret_n = n;
    *at += n;
    if (h->state == HTTP1_AT_CLOSE) return HTTP1_BODY;
    h->left -= n;
    if (h->left > 0) return HTTP1_BODY;
    if (h->state == HTTP1_AT_LENGTH) {
        h->state = HTTP1_AT_END;
    } else if (at_crlf(*at, end)) { /* as nearly always */
        h->state = HTTP1_AT_CHUNK;
        h->taken = 2;
        *at += 2;
    } else {
        h->state = HTTP1_AT_CHUNK_END;
    }
    return HTTP1_BODY;
}

/* Apart from http1_next, which nearly always needs none of it. */
static __attribute__((noinline)) enum http1_result take_lines(struct http1 *h, const char **at, const char *end,
                                                              const char **ret, size_t *ret_n)
{
    for (;;) {
        struct line l;
        if (h->state == HTTP1_AT_END) return HTTP1_DONE;
        if (h->state == HTTP1_AT_BAD) return HTTP1_BAD;
        if (*at == end) return HTTP1_MORE;
        if (h->state == HTTP1_AT_LENGTH || h->state == HTTP1_AT_CLOSE || h->state == HTTP1_AT_CHUNK_BYTES)
            return take_body(h, at, end, ret, ret_n);
        int whole = take_line(h, at, end, &l);
        if (whole < 0 || (whole > 0 && !take_whole_line(h, &l))) return bad(h);
        /* another protocol is recognised before its line ends */
        if (whole == 0 && h->state == HTTP1_AT_STATUS &&
            memcmp(h->line, VERSION, h->line_len < sizeof VERSION - 1 ? h->line_len : sizeof VERSION - 1) != 0)
            return bad(h);
    }
}

enum http1_result http1_next(struct http1 *h, const char **at, const char *end, const char **ret, size_t *ret_n)
{
    if (h->state == HTTP1_AT_CHUNK) {
        if (*at == end) return HTTP1_MORE;
        take_plain_size(h, at, end);
    }
    if (h->state == HTTP1_AT_CHUNK_BYTES && *at < end) return take_body(h, at, end, ret, ret_n);
    return take_lines(h, at, end, ret, ret_n);
}

enum http1_result http1_closed(struct http1 *h)
{
    if (h->state == HTTP1_AT_CLOSE) h->state = HTTP1_AT_END;
    return h->state == HTTP1_AT_END ? HTTP1_DONE : h->state == HTTP1_AT_BAD ? HTTP1_BAD : HTTP1_MORE;
}

bool http1_keep_alive(const struct http1 *h)
{
    return h->state == HTTP1_AT_END && !h->close && (!h->old || h->keep);
}
