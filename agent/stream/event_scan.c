#include "agent/stream/event_scan.h"

#include <string.h>
#include <strings.h>

#include "common/text.h"

/* An event's name that says error: "error", "exception", "Error", "stream_error", "failed". In "response.x.failed" a
 * part has failed, and the dialect knows of which. */
static bool names_error(const char *name, size_t n)
{
    static const char *const WORDS[] = {"error", "exception"}, *const ALONE[] = {"failed", "failure", "fail", "fatal"};
    for (size_t i = 0; i < sizeof ALONE / sizeof *ALONE; i++)
        if (text_is_word(name, n, ALONE[i])) return true;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        size_t len = strlen(WORDS[i]);
        if (n >= len && strncasecmp(name + n - len, WORDS[i], len) == 0) return true;
    }
    return false;
}

/* What servers and gateways send while nothing else is ready, whatever their API. */
static bool is_sign_of_life(const char *word, size_t n)
{
    static const char *const WORDS[] = {"ping", "heartbeat", "keepalive", "keep-alive", "keep_alive"};
    if (n < 4 || n > 10) return false; /* as the type of nearly all events */
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (text_is_word(word, n, WORDS[i])) return true;
    return false;
}

bool event_scan_begin(struct event_scan *s, const struct dialect_event *e, struct event *ret)
{
    *ret = (struct event){0};
    *s = (struct event_scan){.ev = ret, .text = e->text};
    if (e->name_len > 0 && is_sign_of_life(e->name, e->name_len)) return false;
    if (e->name_len > 0 && names_error(e->name, e->name_len)) {
        ret->flags = EVENT_ERROR; /* whatever its text is */
        return false;
    }
    if (e->len == 0 || (e->len == 4 && memcmp(e->data, "null", 4) == 0)) return false;
    json_begin(&s->j, e->data, e->len);
    s->j.notes = e->notes;
    if (json_enter(&s->j, JSON_OBJECT)) return true;
    ret->flags = EVENT_MALFORMED;
    return false;
}

void event_scan_end(struct event_scan *s)
{
    if (json_next(&s->j) != JSON_END)
        *s->ev = (struct event){.flags = EVENT_MALFORMED};
    else if (!s->known && !(s->ev->flags & EVENT_ERROR))
        s->ev->flags |= s->suspect && !s->fine ? EVENT_ERROR : EVENT_UNKNOWN;
}

bool event_scan_item(struct event_scan *s)
{
    enum json_token t;
    while ((t = json_next(&s->j)) != JSON_ARRAY_END && t != JSON_BAD && t != JSON_END) {
        if (t == JSON_OBJECT) return true;
        (void)json_leave(&s->j, t);
    }
    return false;
}

static void note_text(struct event_scan *s, uint32_t flag)
{
    if (s->j.len == 0) return;
    s->ev->flags |= flag;
    json_note(&s->j, JSON_NOTE_TEXT);
    if (s->text && (flag & EVENT_CONTENT)) (void)buf_put(s->text, s->j.text, s->j.len);
}

void event_scan_text(struct event_scan *s, uint32_t flag)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING)
        note_text(s, flag);
    else
        (void)json_leave(&s->j, t);
}

/* Entered. Parts nest once: a thinking block has a list of its own. */
static void take_parts(struct event_scan *s, uint32_t flag, bool nested)
{
    while (event_scan_item(s)) {
        while (event_scan_key(s)) {
            bool thought = JSON_IS(&s->j, "thinking") || JSON_IS(&s->j, "summary");
            bool refused = JSON_IS(&s->j, "refusal");
            if (!thought && !refused && !JSON_IS(&s->j, "text")) {
                (void)json_skip(&s->j);
                continue;
            }
            uint32_t what = thought ? EVENT_REASONING : refused ? EVENT_CONTENT | EVENT_REFUSAL : flag;
            enum json_token t = json_next(&s->j);
            if (t == JSON_STRING)
                note_text(s, what);
            else if (t == JSON_ARRAY && !nested)
                take_parts(s, what, true);
            else
                (void)json_leave(&s->j, t);
        }
    }
}

bool event_scan_content(struct event_scan *s, uint32_t flag)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING)
        note_text(s, flag);
    else if (t == JSON_ARRAY)
        take_parts(s, flag, false);
    else
        (void)json_leave(&s->j, t);
    return t == JSON_STRING || t == JSON_ARRAY || t == JSON_NULL;
}

bool event_scan_count(struct event_scan *s, uint32_t *to)
{
    enum json_token t = json_next(&s->j);
    bool good = (t == JSON_NUMBER || t == JSON_STRING) && json_u32(&s->j, to);
    if (!good && t != JSON_NULL) s->ev->flags |= EVENT_UNREAD;
    (void)json_leave(&s->j, t);
    return good;
}

bool event_scan_number(struct event_scan *s, enum json_note_kind kind, uint32_t *to)
{
    bool good = event_scan_count(s, to);
    if (good && s->j.text[-1] != '"') json_note(&s->j, kind);
    return good;
}

bool event_scan_is(struct event_scan *s, const char *word)
{
    enum json_token t = json_next(&s->j);
    bool is = t == JSON_STRING && json_is(&s->j, word, strlen(word));
    (void)json_leave(&s->j, t);
    return is;
}

static bool is_vector(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t != JSON_ARRAY) {
        bool is = t == JSON_NUMBER || (t == JSON_STRING && s->j.len > 0);
        (void)json_leave(&s->j, t);
        return is;
    }
    bool good = true;
    uint32_t inside = s->j.depth, n = 0;
    for (; (t = json_next(&s->j)) != JSON_BAD && s->j.depth >= inside; n++)
        good &= t == JSON_NUMBER || t == JSON_ARRAY || t == JSON_ARRAY_END; /* several vectors a text are lists in it */
    return good && n > 0 && t != JSON_BAD;
}

void event_scan_results(struct event_scan *s, const char *name, const char *other)
{
    bool good = true;
    if (!json_enter(&s->j, JSON_ARRAY)) return;
    for (; event_scan_item(s); s->known = good)
        while (event_scan_key(s)) {
            if (json_is(&s->j, name, strlen(name)) || json_is(&s->j, other, strlen(other)))
                good &= is_vector(s);
            else
                (void)json_skip(&s->j);
        }
}

bool event_scan_is_true(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    (void)json_leave(&s->j, t);
    return t == JSON_TRUE;
}

void event_scan_function(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "name") || JSON_IS(&s->j, "arguments") || JSON_IS(&s->j, "input"))
            event_scan_text(s, EVENT_TOOL);
        else
            (void)json_skip(&s->j);
    }
}

static void take_tool_call(struct event_scan *s)
{
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "function") || JSON_IS(&s->j, "custom"))
            event_scan_function(s);
        else
            (void)json_skip(&s->j);
    }
}

void event_scan_tool_calls(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT) {
        take_tool_call(s);
    } else if (t == JSON_ARRAY) {
        while (event_scan_item(s))
            take_tool_call(s);
    } else {
        (void)json_leave(&s->j, t);
    }
}

#define DETAILS 255 /* no number: an object with some */

/* What the members of usage are, whoever writes it; the only list of these names. `other`: OpenAI's chunks name this
 * number otherwise, so that an event which has this name alone may be another API's. */
static const struct usage_name {
    const char *name;
    uint8_t len, kind;
    bool other;
} USAGE[] = {
#define NAME(name, kind, other)                                                                                        \
    {                                                                                                                  \
        name, sizeof(name) - 1, kind, other                                                                            \
    }
    NAME("completion_tokens", JSON_NOTE_OUTPUT, false),
    NAME("prompt_tokens", JSON_NOTE_INPUT, false),
    NAME("prompt_tokens_details", DETAILS, false),
    NAME("completion_tokens_details", DETAILS, false),
    NAME("input_tokens_details", DETAILS, false),
    NAME("output_tokens_details", DETAILS, false),
    NAME("completionTokens", JSON_NOTE_OUTPUT, false),
    NAME("promptTokens", JSON_NOTE_INPUT, false),
    NAME("output_tokens", JSON_NOTE_OUTPUT, true),
    NAME("input_tokens", JSON_NOTE_INPUT, true),
    NAME("outputTokens", JSON_NOTE_OUTPUT, true), /* Bedrock */
    NAME("inputTokens", JSON_NOTE_INPUT, true),
    NAME("outputTokenCount", JSON_NOTE_OUTPUT, true), /* Bedrock, around a model's own stream */
    NAME("inputTokenCount", JSON_NOTE_INPUT, true),
    NAME("cacheReadInputTokenCount", JSON_NOTE_CACHED, false),
    NAME("candidatesTokenCount", JSON_NOTE_OUTPUT, true), /* Gemini */
    NAME("promptTokenCount", JSON_NOTE_INPUT, true),
    NAME("thoughtsTokenCount", JSON_NOTE_THOUGHT, false),
    NAME("cachedContentTokenCount", JSON_NOTE_CACHED, false),
    NAME("prompt_cache_hit_tokens", JSON_NOTE_CACHED, false), /* DeepSeek */
    NAME("cached_tokens", JSON_NOTE_CACHED, false),           /* Moonshot; else in the details */
    NAME("reasoning_tokens", JSON_NOTE_THOUGHT, false),       /* SGLang; else in the details */
    NAME("thinking_tokens", JSON_NOTE_THOUGHT, false),        /* Anthropic, in the details */
    NAME("total_tokens", JSON_NOTE_TOTAL, false),
    NAME("totalTokens", JSON_NOTE_TOTAL, false),
    NAME("totalTokenCount", JSON_NOTE_TOTAL, false),
#undef NAME
};

static const struct usage_name *usage_name_of(const struct json *j)
{
    for (size_t i = 0; i < sizeof USAGE / sizeof *USAGE; i++)
        if (json_is(j, USAGE[i].name, USAGE[i].len)) return &USAGE[i];
    return NULL;
}

static bool take_number(struct event_scan *s, enum json_note_kind kind)
{
    uint32_t *to = kind == JSON_NOTE_OUTPUT   ? &s->ev->output_tokens
                   : kind == JSON_NOTE_INPUT  ? &s->ev->input_tokens
                   : kind == JSON_NOTE_CACHED ? &s->ev->cached_tokens
                   : kind == JSON_NOTE_TOTAL  ? &s->ev->total_tokens
                                              : &s->ev->thought_tokens;
    return event_scan_number(s, kind, to);
}

/* Of the prompt or of the answer: what else they hold is a part of them. */
static void take_details(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        const struct usage_name *name = usage_name_of(&s->j);
        if (name && (name->kind == JSON_NOTE_CACHED || name->kind == JSON_NOTE_THOUGHT))
            (void)take_number(s, (enum json_note_kind)name->kind);
        else
            (void)json_skip(&s->j);
    }
}

bool event_scan_usage_member(struct event_scan *s, struct event_usage *other)
{
    const struct usage_name *name = usage_name_of(&s->j);
    if (!name) return false;
    if (name->kind == DETAILS) {
        take_details(s);
    } else if (name->other && other) {
        if (name->kind == JSON_NOTE_OUTPUT)
            other->has_output = event_scan_count(s, &other->output);
        else
            other->has_input = event_scan_count(s, &other->input);
    } else if (take_number(s, (enum json_note_kind)name->kind) && name->kind == JSON_NOTE_OUTPUT) {
        s->ev->flags |= EVENT_USAGE;
    }
    return true;
}

enum around { AROUND_NOTHING, AROUND_USAGE, AROUND_GROQ /* {"x_groq": {"usage": …, "error": …}} */ };

static void take_usage(struct event_scan *s, enum around around)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (event_scan_usage_member(s, NULL))
            s->known = true;
        else if (around != AROUND_NOTHING && JSON_IS(&s->j, "usage"))
            take_usage(s, AROUND_NOTHING);
        else if (around == AROUND_GROQ && JSON_IS(&s->j, "error"))
            event_scan_error(s);
        else
            (void)json_skip(&s->j);
    }
}

void event_scan_usage(struct event_scan *s)
{
    take_usage(s, AROUND_NOTHING);
}

/* The last key or string is this word, case aside. */
#define ANY_CASE(j, word) ((j)->len == sizeof(word) - 1 && strncasecmp((j)->text, word, sizeof(word) - 1) == 0)

static bool is_bad_word(const struct json *j)
{
    return ANY_CASE(j, "error") || ANY_CASE(j, "failed") || ANY_CASE(j, "failure") || ANY_CASE(j, "fail") ||
           ANY_CASE(j, "exception") || ANY_CASE(j, "timeout");
}

static bool is_good_word(const struct json *j)
{
    return ANY_CASE(j, "ok") || ANY_CASE(j, "success") || ANY_CASE(j, "succeeded");
}

/* A code that is no success, by number or by word. */
static bool is_bad_code(const struct json *j, enum json_token t)
{
    uint32_t n;
    bool number = (t == JSON_NUMBER || t == JSON_STRING) && json_u32(j, &n);
    if (number) return n != 0 && (n < 200 || n >= 300);
    return t == JSON_NUMBER || (t == JSON_STRING && j->len > 0 && !is_good_word(j));
}

/* The first token of a value that means nothing: null, false, "", 0, []. */
static bool is_nothing(const struct event_scan *s, enum json_token t)
{
    uint32_t n;
    const char *next = s->j.at;
    if (t == JSON_NUMBER) return json_u32(&s->j, &n) && n == 0;
    if (t == JSON_ARRAY) {
        while (next < s->j.end && *next == ' ')
            next++;
        return next < s->j.end && *next == ']';
    }
    return t == JSON_NULL || t == JSON_FALSE || t == JSON_BAD || (t == JSON_STRING && s->j.len == 0);
}

/* {"data": {"error": …}}, {"data": {"success": false}} */
static bool takes_error_of_part(struct event_scan *s)
{
    bool error = ANY_CASE(&s->j, "error") || ANY_CASE(&s->j, "errors");
    if (!error && !JSON_IS(&s->j, "success")) return false;
    enum json_token t = json_next(&s->j);
    s->suspect |= error ? !is_nothing(s, t) : t == JSON_FALSE;
    (void)json_leave(&s->j, t);
    return true;
}

/* {"header": {"code": 10013, "message": …}}: a code and words about it, in an object by whatever name. Entered. Where
 * it is a finish reason, as SGLang gives it to its own API, {"type": "abort", "message": …}, that is returned; a type
 * that is missing, or no word, is a reason all the same, but a code is none. */
static enum finish take_part(struct event_scan *s)
{
    enum finish finish = FINISH_OTHER;
    bool code = false, words = false;
    while (event_scan_key(s)) {
        if (takes_error_of_part(s)) continue;
        bool is_code = JSON_IS(&s->j, "code"), is_words = JSON_IS(&s->j, "message") || JSON_IS(&s->j, "msg"),
             is_type = JSON_IS(&s->j, "type");
        if (!is_code && !is_words && !is_type) {
            (void)json_skip(&s->j);
            continue;
        }
        enum json_token t = json_next(&s->j);
        code |= is_code && is_bad_code(&s->j, t);
        words |= is_words && t == JSON_STRING && s->j.len > 0;
        if (is_code) finish = FINISH_NONE;
        if (is_type && finish != FINISH_NONE && t == JSON_STRING && s->j.len > 0)
            finish = finish_of(s->j.text, s->j.len);
        (void)json_leave(&s->j, t);
    }
    if (code && words) s->suspect = true;
    return finish;
}

/* A word, an object, or a number or true, which no table has. */
static enum finish finish_value(struct event_scan *s, enum json_token t)
{
    uint32_t n;
    if (t == JSON_OBJECT) return take_part(s);
    if (t == JSON_STRING) return finish_of(s->j.text, s->j.len);
    if (t == JSON_NUMBER) return json_u32(&s->j, &n) && n == 0 ? FINISH_NONE : FINISH_OTHER;
    (void)json_leave(&s->j, t);
    return t == JSON_TRUE ? FINISH_OTHER : FINISH_NONE;
}

void event_scan_finish(struct event_scan *s)
{
    enum finish finish = FINISH_NONE, one;
    enum json_token t = json_next(&s->j);
    if (t != JSON_ARRAY) finish = finish_value(s, t);
    while (t == JSON_ARRAY) { /* of each answer, or of each part of one */
        enum json_token item = json_next(&s->j);
        if (item == JSON_ARRAY_END || item == JSON_BAD || item == JSON_END) break;
        one = finish_value(s, item);
        if (one > finish) finish = one;
    }
    if (finish != FINISH_NONE) s->ev->flags |= EVENT_FINISH;
    if (finish == FINISH_FAILED) s->ev->flags |= EVENT_ERROR;
    if (finish > s->ev->finish) s->ev->finish = finish;
}

bool event_scan_is_something(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    bool is = !is_nothing(s, t);
    (void)json_leave(&s->j, t);
    return is;
}

bool event_scan_skip_text(struct event_scan *s, bool *ret_text)
{
    enum json_token t = json_next(&s->j);
    bool is = !is_nothing(s, t);
    if (is && t == JSON_STRING) *ret_text = true;
    (void)json_skip_from(&s->j, t);
    return is;
}

bool event_scan_skip(struct event_scan *s)
{
    bool text;
    return event_scan_skip_text(s, &text);
}

/* Entered. All of its members mean nothing, as where a program writes its empty record of an error into each answer. */
static bool is_blank_object(struct event_scan *s)
{
    bool blank = true;
    while (event_scan_key(s)) {
        enum json_token t = json_next(&s->j);
        blank &= is_nothing(s, t);
        (void)json_leave(&s->j, t);
    }
    return blank;
}

void event_scan_error(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT) {
        if (is_blank_object(s))
            s->suspect = true; /* what else would such an event say? */
        else
            s->ev->flags |= EVENT_ERROR;
        return;
    }
    bool none = t == JSON_STRING && (!is_bad_code(&s->j, t) || ANY_CASE(&s->j, "none") || ANY_CASE(&s->j, "null"));
    if (!none && !is_nothing(s, t)) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
}

bool event_scan_message(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT) return true;
    if (!is_nothing(s, t)) s->suspect = true;
    (void)json_leave(&s->j, t);
    return false;
}

/* A status or code, by number or by word. */
static void take_status(struct event_scan *s)
{
    uint32_t n;
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT) {
        (void)take_part(s);
        return;
    }
    bool number = (t == JSON_NUMBER || t == JSON_STRING) && json_u32(&s->j, &n);
    if (number ? n >= 400 : t == JSON_STRING && is_bad_word(&s->j)) s->suspect = true;
    if (t == JSON_STRING && is_sign_of_life(s->j.text, s->j.len)) s->known = true; /* "event" */
    if (number ? n == 0 || (n >= 200 && n < 300) : t == JSON_STRING && is_good_word(&s->j)) s->fine = true;
    (void)json_leave(&s->j, t);
}

static inline void take_other(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT)
        (void)take_part(s);
    else if (s->j.notes || t == JSON_ARRAY)
        (void)json_skip_from(&s->j, t);
}

static void take_error_of(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT || (t == JSON_STRING && s->j.len > 0)) s->suspect = true;
    (void)json_leave(&s->j, t);
}

/* {"base_resp": {"status_code": 1004, …}}: 0 is success. */
static void take_base_resp(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        bool status = JSON_IS(&s->j, "status_code");
        uint32_t n = 0;
        enum json_token t = json_next(&s->j);
        if (status && t == JSON_NUMBER) {
            bool good = json_u32(&s->j, &n) && n == 0;
            if (good)
                s->known = true;
            else
                s->ev->flags |= EVENT_ERROR;
        }
        (void)json_leave(&s->j, t);
    }
}

enum member {
    MEMBER_OTHER,
    MEMBER_ERROR,
    MEMBER_BASE_RESP,
    MEMBER_TYPE,
    MEMBER_DETAIL,
    MEMBER_STATUS,
    MEMBER_SUCCESS,
    MEMBER_USAGE
};

/* error, errors, error_message, errorCode, errmsg, err_no, Error, exception … */
static bool is_error_key(const struct json *j)
{
    return (j->len >= 3 && strncasecmp(j->text, "err", 3) == 0) || ANY_CASE(j, "exception");
}

/* Of keys that begin with b, o or t, or with an escape, which words are compared without. */
static enum member rare_member_of(const struct json *j)
{
    if (JSON_IS(j, "object") || JSON_IS(j, "type")) return MEMBER_TYPE;
    if (JSON_IS(j, "base_resp")) return MEMBER_BASE_RESP;
    return JSON_IS(j, "success") || JSON_IS(j, "ok") ? MEMBER_SUCCESS : MEMBER_OTHER;
}

/* Where others than the API's own place hold usage: Groq, Bedrock, gateways. */
static bool is_usage_key(const struct json *j)
{
    return JSON_IS(j, "usage") || JSON_IS(j, "usageMetadata") || JSON_IS(j, "usage_metadata") || JSON_IS(j, "meta") ||
           JSON_IS(j, "metadata") || JSON_IS(j, "x_groq") || JSON_IS(j, "amazon-bedrock-invocationMetrics");
}

/* throttlingException, ServerError: named after its kind. The last letter decides for nearly all. */
static inline bool ends_as_error(const struct json *j)
{
    size_t n = j->len;
    char last = (char)(j->text[n ? n - 1 : 0] | 0x20);
    if (last == 'r') return n > 5 && strncasecmp(j->text + n - 5, "error", 5) == 0;
    return last == 'n' && n > 9 && strncasecmp(j->text + n - 9, "exception", 9) == 0;
}

static bool is_status_key(const struct json *j)
{
    return ANY_CASE(j, "status") || ANY_CASE(j, "status_code") || ANY_CASE(j, "statusCode") || ANY_CASE(j, "state");
}

/* Of keys that begin with e or l: an error, or the name of an event. */
static inline enum member named_member_of(const struct json *j)
{
    if (is_error_key(j)) return MEMBER_ERROR;
    return ANY_CASE(j, "event") || ANY_CASE(j, "level") ? MEMBER_STATUS : MEMBER_OTHER;
}

/* Which member errors have is this key? The first letter decides for nearly all: each event has a few others. */
static enum member member_of(const struct json *j)
{
    switch (j->text[0] | 0x20) {
    case 'e':
    case 'l':
        return named_member_of(j);
    case 'k':
        return ANY_CASE(j, "kind") ? MEMBER_STATUS : MEMBER_OTHER;
    case 'f':
        return ANY_CASE(j, "fault") ? MEMBER_ERROR : MEMBER_OTHER;
    case 'd':
        return ANY_CASE(j, "detail") ? MEMBER_DETAIL : MEMBER_OTHER;
    case 'm':
        if (ANY_CASE(j, "message")) return MEMBER_DETAIL;
        return is_usage_key(j) ? MEMBER_USAGE : MEMBER_OTHER;
    case 'a':
    case 'u':
    case 'x':
        return is_usage_key(j) ? MEMBER_USAGE : MEMBER_OTHER;
    case 'c':
        return ANY_CASE(j, "code") ? MEMBER_STATUS : MEMBER_OTHER;
    case 's':
        if (is_status_key(j)) return MEMBER_STATUS;
        return JSON_IS(j, "success") ? MEMBER_SUCCESS : MEMBER_OTHER;
    case 'b':
    case 'o':
    case 't':
    case '\\' | 0x20:
        return rare_member_of(j);
    default:
        return MEMBER_OTHER;
    }
}

static void take_type(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING && JSON_IS(&s->j, "error")) s->ev->flags |= EVENT_ERROR;
    if (t == JSON_STRING && ends_as_error(&s->j)) s->suspect = true;
    if (t == JSON_STRING && is_sign_of_life(s->j.text, s->j.len)) s->known = true;
    (void)json_leave(&s->j, t);
}

/* detail, message. An object by the name of message is what other APIs begin with. */
static void take_detail(struct event_scan *s)
{
    bool message = (s->j.text[0] | 0x20) == 'm';
    enum json_token t = json_next(&s->j);
    if (!is_nothing(s, t) && !(message && t == JSON_OBJECT)) s->suspect = true;
    (void)json_leave(&s->j, t);
}

static void take_success(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_FALSE) s->ev->flags |= EVENT_ERROR;
    if (t == JSON_TRUE) s->fine = true;
    (void)json_leave(&s->j, t);
}

void event_scan_other(struct event_scan *s)
{
    switch (member_of(&s->j)) {
    case MEMBER_ERROR:
        event_scan_error(s);
        break;
    case MEMBER_BASE_RESP:
        take_base_resp(s);
        break;
    case MEMBER_TYPE:
        take_type(s);
        break;
    case MEMBER_DETAIL:
        take_detail(s);
        break;
    case MEMBER_STATUS:
        take_status(s);
        break;
    case MEMBER_SUCCESS:
        take_success(s);
        break;
    case MEMBER_USAGE:
        take_usage(s, JSON_IS(&s->j, "x_groq") ? AROUND_GROQ : AROUND_USAGE);
        break;
    case MEMBER_OTHER:
        if (ends_as_error(&s->j))
            take_error_of(s);
        else
            take_other(s);
        break;
    }
}
