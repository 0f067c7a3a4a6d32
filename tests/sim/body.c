#include "tests/sim/body.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_scan.h"

enum { DEPTH_MAX = 64 };

/* Where in the body a value stands: what it means to us. */
enum place {
    OTHER,
    TOP,
    MESSAGES,
    CONTENT,
    PROMPT,
    OPTIONS,
    LIMITS,
    STREAM,
    MAX_TOKENS,
    MODEL,
    INCLUDE_USAGE,
    CONTINUOUS_USAGE
};

struct scan {
    const char *at, *end;
    struct sim_body *body;
    struct tokenizer *tokenizer; /* NULL: nothing is counted */
    unsigned depth;
};

static const struct {
    enum place in;
    const char *key;
    enum place is;
} KEYS[] = {
    {TOP, "messages", MESSAGES},
    {TOP, "prompt", PROMPT},
    {TOP, "contents", MESSAGES},
    {TOP, "inputs", PROMPT},
    {TOP, "input", PROMPT},
    {TOP, "text_input", PROMPT},
    {TOP, "query", PROMPT},
    {TOP, "documents", PROMPT},
    {TOP, "system", CONTENT},
    {TOP, "stream", STREAM},
    {TOP, "options", LIMITS},
    {TOP, "parameters", LIMITS},
    {TOP, "generationConfig", LIMITS},
    {TOP, "max_output_tokens", MAX_TOKENS},
    {TOP, "n_predict", MAX_TOKENS},
    {LIMITS, "num_predict", MAX_TOKENS},
    {LIMITS, "max_new_tokens", MAX_TOKENS},
    {LIMITS, "maxOutputTokens", MAX_TOKENS},
    {PROMPT, "content", CONTENT}, /* input as a list of messages */
    {MESSAGES, "parts", CONTENT},
    {TOP, "stream_options", OPTIONS},
    {TOP, "max_tokens", MAX_TOKENS},
    {TOP, "max_completion_tokens", MAX_TOKENS},
    {TOP, "model", MODEL},
    {MESSAGES, "content", CONTENT},
    {CONTENT, "text", CONTENT}, /* content as a list of parts */
    {OPTIONS, "include_usage", INCLUDE_USAGE},
    {OPTIONS, "continuous_usage_stats", CONTINUOUS_USAGE},
};

static int scan_value(struct scan *s, enum place where);

static void skip_blank(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t'))
        s->at++;
}

static bool take(struct scan *s, char c)
{
    skip_blank(s);
    if (s->at >= s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* The raw string between its quotes, and its characters. */
static int scan_string(struct scan *s, const char **ret, size_t *ret_n, uint64_t *ret_chars)
{
    if (!take(s, '"')) return -1;
    const char *from = s->at;
    uint64_t escapes = 0;
    while (s->at < s->end && *s->at != '"') {
        if ((unsigned char)*s->at < 0x20) return -1;
        if (*s->at == '\\') {
            if (s->end - s->at < 2) return -1;
            size_t more = s->at[1] == 'u' ? 5 : 1;
            if ((size_t)(s->end - s->at) <= more) return -1;
            escapes += more;
            s->at += more;
        }
        s->at++;
    }
    if (s->at >= s->end) return -1;
    *ret = from;
    *ret_n = (size_t)(s->at - from);
    *ret_chars = *ret_n - escapes;
    s->at++;
    return 0;
}

static enum place place_of(enum place in, const char *key, size_t n)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (KEYS[i].in == in && strlen(KEYS[i].key) == n && memcmp(KEYS[i].key, key, n) == 0) return KEYS[i].is;
    return OTHER;
}

static int scan_object(struct scan *s, enum place where)
{
    const char *key;
    size_t n;
    uint64_t chars;
    s->at++;
    if (take(s, '}')) return 0;
    do {
        skip_blank(s);
        if (scan_string(s, &key, &n, &chars) || !take(s, ':')) return -1;
        enum place p = place_of(where, key, n);
        if (p == MESSAGES) s->body->has_messages = true;
        if (p == PROMPT) s->body->has_prompt = true;
        if (scan_value(s, p)) return -1;
    } while (take(s, ','));
    return take(s, '}') ? 0 : -1;
}

static int scan_array(struct scan *s, enum place where)
{
    s->at++;
    if (take(s, ']')) return 0;
    do {
        if (scan_value(s, where)) return -1;
    } while (take(s, ','));
    return take(s, ']') ? 0 : -1;
}

static int count_text(struct scan *s, const char *text, size_t n)
{
    const struct json raw = {.text = text, .len = n, .escaped = memchr(text, '\\', n) != NULL};
    char *plain = malloc(n + 1);
    size_t len;
    int64_t got = plain && json_decode(&raw, plain, &len) ? tokenizer_count(s->tokenizer, plain, len) : -1;
    free(plain);
    if (got < 0) return -1;
    s->body->counted += (uint64_t)got;
    return 0;
}

static int scan_text(struct scan *s, enum place where)
{
    const char *text;
    size_t n;
    uint64_t chars;
    if (scan_string(s, &text, &n, &chars)) return -1;
    if (where == PROMPT || where == CONTENT) {
        s->body->prompt_chars += chars;
        if (s->tokenizer && count_text(s, text, n)) return -1;
    }
    if (where == MODEL) {
        if (n >= sizeof s->body->model) n = sizeof s->body->model - 1;
        while (n && text[n - 1] == '\\')
            n--; /* never cut inside an escape: it is copied raw into our JSON */
        if (memchr(text, '\\', n)) n = 0;
        memcpy(s->body->model, text, n);
        s->body->model[n] = 0;
    }
    return 0;
}

static int scan_number(struct scan *s, enum place where)
{
    uint64_t v = 0;
    bool whole = true;
    const char *from = s->at;
    for (; s->at < s->end && strchr("+-0123456789.eE", *s->at) && *s->at; s->at++) {
        if (*s->at < '0' || *s->at > '9')
            whole = false;
        else if (v < UINT32_MAX)
            v = v * 10 + (uint64_t)(*s->at - '0');
    }
    if (s->at == from) return -1;
    if (where == PROMPT) s->body->prompt_chars += 4;
    if (where == MAX_TOKENS) {
        s->body->has_max_tokens = true;
        s->body->max_tokens = whole ? v : 0;
    }
    return 0;
}

static int scan_word(struct scan *s, enum place where)
{
    static const char *const WORDS[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(WORDS[i]);
        if ((size_t)(s->end - s->at) < n || memcmp(s->at, WORDS[i], n) != 0) continue;
        s->at += n;
        if (where == STREAM) s->body->stream = i == 0;
        if (where == INCLUDE_USAGE) s->body->include_usage = i == 0;
        if (where == CONTINUOUS_USAGE) s->body->continuous_usage = i == 0;
        return 0;
    }
    return -1;
}

static int scan_value(struct scan *s, enum place where)
{
    skip_blank(s);
    if (s->at >= s->end || s->depth == DEPTH_MAX) return -1;
    int bad;
    s->depth++;
    switch (*s->at) {
    case '{':
        bad = scan_object(s, where);
        break;
    case '[':
        bad = scan_array(s, where);
        break;
    case '"':
        bad = scan_text(s, where);
        break;
    case 't':
    case 'f':
    case 'n':
        bad = scan_word(s, where);
        break;
    default:
        bad = scan_number(s, where);
    }
    s->depth--;
    return bad;
}

int sim_body_scan(const char *p, size_t n, struct sim_body *ret, struct err *e)
{
    return sim_body_count(p, n, NULL, ret, e);
}

int sim_body_count(const char *p, size_t n, struct tokenizer *t, struct sim_body *ret, struct err *e)
{
    struct scan s = {.at = p, .end = p + n, .body = ret, .tokenizer = t};
    *ret = (struct sim_body){0};
    skip_blank(&s);
    if (s.at >= s.end || *s.at != '{' || scan_value(&s, TOP))
        return err_set(e, ERR_WIRE, "JSON decode error at byte %zu", (size_t)(s.at - p));
    skip_blank(&s);
    if (s.at != s.end)
        return err_set(e, ERR_WIRE, "JSON decode error at byte %zu: more than one value", (size_t)(s.at - p));
    if (t && !ret->has_messages) ret->counted += tokenizer_beside(t);
    return 0;
}

uint32_t sim_body_prompt_tokens(const struct sim_body *b, double word_tokens, uint32_t template_tokens)
{
    double n = ceil((double)b->prompt_chars / 4 * word_tokens);
    if (b->counted) n = (double)b->counted;
    return (uint32_t)(n < 1 ? 1 : n) + template_tokens;
}
