#include "agent/stream/stranger.h"

#include <string.h>

#include "common/json_scan.h"
#include "common/text.h"

struct sign {
    const char *bytes;
    size_t n;
    const char *name;
};

#define SIGN(bytes, name)                                                                                              \
    {                                                                                                                  \
        bytes, sizeof(bytes) - 1, name                                                                                 \
    }
static const struct sign PROTOCOLS[] = {
    SIGN("\x15\x03", "TLS is spoken there, and the URL says http: write https:// into target.url"),
    SIGN("\x16\x03", "TLS is spoken there, and the URL says http: write https:// into target.url"),
    SIGN("HTTP/", "an HTTP answer whose first line is none of HTTP/1: is something between that breaks it?"),
    SIGN("SSH-", "an SSH server: is the port of target.url right?"),
    SIGN("RFB ", "a VNC server: is the port of target.url right?"),
    SIGN("-ERR", "a Redis server: is the port of target.url right?"),
    SIGN("220 ", "a mail or FTP server: is the port of target.url right?"),
};
static const struct sign BODIES[] = {
    SIGN("\x1f\x8b", "a body compressed with gzip, which nobody asked for"),
    SIGN("\x28\xb5\x2f\xfd", "a body compressed with zstd, which nobody asked for"),
    SIGN("\x78\x01", "a body compressed with deflate, which nobody asked for"),
    SIGN("\x78\x9c", "a body compressed with deflate, which nobody asked for"),
    SIGN("\x78\xda", "a body compressed with deflate, which nobody asked for"),
    SIGN("\xff\xfe", "text in UTF-16, where UTF-8 is asked for"),
    SIGN("\xfe\xff", "text in UTF-16, where UTF-8 is asked for"),
    SIGN("\x89PNG", "a PNG image: is target.url that of the API?"),
    SIGN("\xff\xd8\xff", "a JPEG image: is target.url that of the API?"),
    SIGN("GIF8", "a GIF image: is target.url that of the API?"),
    SIGN("RIFF", "sound or an image: is target.url that of the API?"),
    SIGN("%PDF", "a PDF document: is target.url that of the API?"),
    SIGN("PK\x03\x04", "a zip archive: is target.url that of the API?"),
    SIGN("data:", "server-sent events, where target.api and target.stream ask for something else"),
    SIGN("event:", "server-sent events, where target.api and target.stream ask for something else"),
    SIGN("<?xml", "an XML document: is target.url that of the API?"),
    SIGN("<", "an HTML page: is target.url that of the API?"),
};
#undef SIGN

static const char *find(const struct sign *signs, size_t n_signs, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n_signs; i++)
        if (n >= signs[i].n && memcmp(bytes, signs[i].bytes, signs[i].n) == 0) return signs[i].name;
    return NULL;
}

/* A tenth of it may be no text: a wrong character, or one that the end has cut. */
static bool is_text(const char *bytes, size_t n)
{
    size_t odd = 0;
    for (size_t at = 0; at < n;) {
        size_t len = text_char(bytes + at, n - at);
        odd += len == 0 && !memchr("\t\n\r", bytes[at], 3);
        at += len ? len : 1;
    }
    return odd * 10 <= n;
}

static const char *skip_blank(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    return p;
}

/* The first value is over and another begins. */
static bool has_second(const char *bytes, size_t n)
{
    const char *end = bytes + n, *lf = memchr(bytes, '\n', n);
    if (!lf || !json_valid(bytes, (size_t)(lf - bytes))) return false;
    const char *next = skip_blank(lf, end);
    return next < end && *next == '{';
}

/* The word stands as a value, not in a text. */
static bool has_value(const char *data, size_t n, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 1; i + len <= n; i++)
        if (memcmp(data + i, word, len) == 0 && memchr(":,[- ", data[i - 1], 5)) return true;
    return false;
}

/* What is wrong with JSON. */
enum fault { FAULT_NAN, FAULT_INFINITY, FAULT_CUT, FAULT_MORE, FAULT_OTHER };

static enum fault fault_of(const char *p, size_t n)
{
    if (json_is_cut(p, n)) return FAULT_CUT;
    if (json_has_more(p, n)) return FAULT_MORE;
    if (has_value(p, n, "NaN")) return FAULT_NAN;
    return has_value(p, n, "Infinity") ? FAULT_INFINITY : FAULT_OTHER;
}

/* A body that begins as an object does. */
static const char *object_name(const char *p, size_t n, enum stranger_place at, bool all)
{
    static const char *const FAULTS[] = {
        [FAULT_NAN] = "a body with NaN in it, which is no JSON",
        [FAULT_INFINITY] = "a body with Infinity in it, which is no JSON",
        [FAULT_CUT] = "one JSON object that is cut off",
        [FAULT_MORE] = "one JSON object and something after it",
        [FAULT_OTHER] = "a body that begins as JSON does and breaks its rules",
    };
    if (has_second(p, n))
        return at == STRANGER_ANSWER
                   ? "lines of JSON, where one answer is asked for: are target.api and target.stream right?"
                   : "lines of JSON and no server-sent events: is target.api right?";
    if (all && !json_valid(p, n)) return FAULTS[fault_of(p, n)];
    return at == STRANGER_ANSWER
               ? "one JSON object without an answer of this API: is target.api right, is its list empty, or are its "
                 "values null?"
               : "one JSON object and no stream of events: is target.url that of the API? target.stream: false "
                 "measures answers that are not streamed";
}

static const char *body_name(const char *bytes, size_t n, enum stranger_place at, bool all, bool text)
{
    const char *end = bytes + n, *p = skip_blank(bytes, end);
    const char *name = find(BODIES, sizeof BODIES / sizeof *BODIES, p, (size_t)(end - p));
    if (name) return name;
    if (p < end && *p == '{') return object_name(p, (size_t)(end - p), at, all);
    bool list = p < end && *p == '[';
    if (at == STRANGER_ANSWER)
        return list   ? "a list in JSON that is no answer of this API: is target.api right?"
               : text ? "text that is no JSON: is target.url that of the API?"
                      : "bytes that are not text: is target.url that of the API?";
    return list   ? "a list in JSON and no stream of events: is target.api right?"
           : text ? "text that is not a stream of events: is target.url that of the API?"
                  : "bytes that are not text: is target.url that of the API?";
}

/* A frame of HTTP/2: SETTINGS or GOAWAY of stream 0. */
static bool is_http2(const char *bytes, size_t n)
{
    return n >= 9 && bytes[0] == 0 && (bytes[3] == 4 || bytes[3] == 7) && memcmp(bytes + 5, "\0\0\0", 4) == 0;
}

const char *stranger_name(const char *bytes, size_t n, enum stranger_place at, bool all, bool *ret_text)
{
    *ret_text = is_text(bytes, n);
    if (n == 0) return NULL;
    if (at != STRANGER_HEAD) return body_name(bytes, n, at, all, *ret_text);
    if (is_http2(bytes, n)) return "HTTP/2 is spoken there: write target.http: \"2\"";
    const char *name = find(PROTOCOLS, sizeof PROTOCOLS / sizeof *PROTOCOLS, bytes, n);
    return name ? name : "no HTTP answer: is the port of target.url right?";
}

const char *stranger_event(const char *data, size_t n)
{
    static const char *const FAULTS[] = {
        [FAULT_NAN] = "an event with NaN in it, which is no JSON",
        [FAULT_INFINITY] = "an event with Infinity in it, which is no JSON",
        [FAULT_CUT] = "an event whose JSON is cut off",
        [FAULT_MORE] = "an event with something after its JSON object",
        [FAULT_OTHER] = "an event that begins as JSON does and breaks its rules",
    };
    const char *end = data + n, *p = skip_blank(data, end);
    size_t left = (size_t)(end - p);
    if (left >= 5 && memcmp(p, "data:", 5) == 0)
        return "server-sent events, where lines of JSON are expected: is target.api right?";
    if (left >= 6 && memcmp(p, "[DONE]", 6) == 0) return "an end marker of OpenAI's APIs: is target.api right?";
    if (p == end || *p != '{') return "an event that is no JSON object";
    return FAULTS[fault_of(p, (size_t)(end - p))];
}
