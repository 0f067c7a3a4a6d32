/* The scanner says of any bytes what a plain recursive reader of RFC 8259 says; and the chunk scanner calls malformed
 * exactly what is no JSON object. */
#include <string.h>

#include "common/json_scan.h"
#include "agent/stream/openai_chunk.h"
#include "tests/fuzz/fuzz_util.h"

struct text {
    const char *p, *end;
};

static void space(struct text *t)
{
    while (t->p < t->end && memchr(" \t\r\n", *t->p, 4))
        t->p++;
}

static bool eat(struct text *t, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(t->end - t->p) < n || memcmp(t->p, word, n) != 0) return false;
    t->p += n;
    return true;
}

static size_t digits(struct text *t)
{
    const char *from = t->p;
    while (t->p < t->end && *t->p >= '0' && *t->p <= '9')
        t->p++;
    return (size_t)(t->p - from);
}

static bool number(struct text *t)
{
    (void)eat(t, "-");
    const char *from = t->p;
    size_t n = digits(t);
    if (n == 0 || (n > 1 && *from == '0')) return false;
    if (eat(t, ".") && digits(t) == 0) return false;
    if (eat(t, "e") || eat(t, "E")) {
        if (!eat(t, "+")) (void)eat(t, "-");
        if (digits(t) == 0) return false;
    }
    return true;
}

static bool string(struct text *t)
{
    if (!eat(t, "\"")) return false;
    while (t->p < t->end) {
        unsigned char c = (unsigned char)*t->p++;
        if (c == '"') return true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        if (t->p == t->end) return false;
        c = (unsigned char)*t->p++;
        if (c == 'u') {
            for (int i = 0; i < 4; i++, t->p++)
                if (t->p == t->end || !memchr("0123456789abcdefABCDEF", *t->p, 22)) return false;
        } else if (!memchr("\"\\/bfnrt", c, 8)) {
            return false;
        }
    }
    return false;
}

static bool value(struct text *t, unsigned depth)
{
    space(t);
    if (t->p == t->end) return false;
    char c = *t->p;
    bool object = c == '{';
    if (c == '"') return string(t);
    if (c == 't') return eat(t, "true");
    if (c == 'f') return eat(t, "false");
    if (c == 'n') return eat(t, "null");
    if (!object && c != '[') return number(t);
    if (depth == JSON_DEPTH_MAX) return false;
    t->p++;
    space(t);
    if (eat(t, object ? "}" : "]")) return true;
    for (;;) {
        space(t);
        if (object && !string(t)) return false;
        space(t);
        if (object && !eat(t, ":")) return false;
        if (!value(t, depth + 1)) return false;
        space(t);
        if (eat(t, object ? "}" : "]")) return true;
        if (!eat(t, ",")) return false;
    }
}

static bool reference(const char *text, size_t n)
{
    struct text t = {text, text + n};
    if (!value(&t, 0)) return false;
    space(&t);
    return t.p == t.end;
}

/* A document that is an object is never malformed to any API, another never anything else; and what a scanner notes
 * lies within the text. */
static void scan(const struct dialect *d, const char *text, size_t size, bool object)
{
    struct event ev, noted;
    struct json_notes notes = {0};
    d->scan(d, &(struct dialect_event){.name = "", .data = text, .len = size}, &ev);
    d->scan(d, &(struct dialect_event){.name = "", .data = text, .len = size, .notes = &notes}, &noted);
    MUST(memcmp(&ev, &noted, sizeof ev) == 0);
    bool special = ev.flags == EVENT_END || size == 0 || (size == 4 && memcmp(text, "null", 4) == 0);
    if (!special) MUST(object == !(ev.flags & EVENT_MALFORMED));
    for (uint32_t i = 0; i < notes.n && i < JSON_NOTES_MAX; i++)
        MUST(notes.note[i].at <= size && notes.note[i].len <= size - notes.note[i].at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size ? size : 1);
    MUST(text);
    memcpy(text, data, size);
    bool valid = json_valid(text, size);
    MUST(valid == reference(text, size));
    struct json j;
    json_begin(&j, text, size);
    bool object = valid && json_next(&j) == JSON_OBJECT;
    for (int api = 0; api < API_N; api++)
        scan(dialect_for((enum plan_api)api), text, size, object);
    free(text);
    return 0;
}
