#include "agent/stream/event_scan.h"

#include <string.h>
#include <strings.h>

/* An event's name that says error: "error", "exception", "Error", "stream_error". */
static bool names_error(const char *name, size_t n)
{
    static const char *const WORDS[] = {"error", "exception"};
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        size_t len = strlen(WORDS[i]);
        if (n >= len && strncasecmp(name + n - len, WORDS[i], len) == 0) return true;
    }
    return false;
}

bool event_scan_begin(struct event_scan *s, const struct dialect_event *e, struct event *ret)
{
    *ret = (struct event){0};
    *s = (struct event_scan){.ev = ret};
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
            if (!thought && !JSON_IS(&s->j, "text")) {
                (void)json_skip(&s->j);
                continue;
            }
            uint32_t what = thought ? EVENT_REASONING : flag;
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

void event_scan_content(struct event_scan *s, uint32_t flag)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING)
        note_text(s, flag);
    else if (t == JSON_ARRAY)
        take_parts(s, flag, false);
    else
        (void)json_leave(&s->j, t);
}

bool event_scan_count(struct event_scan *s, uint32_t *to)
{
    enum json_token t = json_next(&s->j);
    bool good = (t == JSON_NUMBER || t == JSON_STRING) && json_u32(&s->j, to);
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
        if (JSON_IS(&s->j, "name") || JSON_IS(&s->j, "arguments"))
            event_scan_text(s, EVENT_TOOL);
        else
            (void)json_skip(&s->j);
    }
}

static void take_tool_call(struct event_scan *s)
{
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "function"))
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

void event_scan_details(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "cached_tokens"))
            (void)event_scan_number(s, JSON_NOTE_CACHED, &s->ev->cached_tokens);
        else if (JSON_IS(&s->j, "reasoning_tokens"))
            (void)event_scan_number(s, JSON_NOTE_THOUGHT, &s->ev->thought_tokens);
        else
            (void)json_skip(&s->j);
    }
}

void event_scan_finish(struct event_scan *s)
{
    static const char *const FAILED[] = {"error", "abort", "aborted", "cancelled", "failed", "ERROR", "TIMEOUT"};
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING && s->j.len > 0) s->ev->flags |= EVENT_FINISH;
    for (size_t i = 0; t == JSON_STRING && i < sizeof FAILED / sizeof *FAILED; i++)
        if (json_is(&s->j, FAILED[i], strlen(FAILED[i]))) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
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

void event_scan_error(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (!is_nothing(s, t)) s->ev->flags |= EVENT_ERROR;
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

static bool is_one_of(const struct json *j, const char *const *words)
{
    for (; *words; words++)
        if (j->len == strlen(*words) && strncasecmp(j->text, *words, j->len) == 0) return true;
    return false;
}

/* A status or code, by number or by word. */
static void take_status(struct event_scan *s)
{
    static const char *const BAD[] = {"error", "failed", "failure", "fail", "exception", "timeout", NULL};
    static const char *const GOOD[] = {"ok", "success", "succeeded", NULL};
    uint32_t n;
    enum json_token t = json_next(&s->j);
    bool number = (t == JSON_NUMBER || t == JSON_STRING) && json_u32(&s->j, &n);
    if (number ? n >= 400 : t == JSON_STRING && is_one_of(&s->j, BAD)) s->suspect = true;
    if (number ? n == 0 || (n >= 200 && n < 300) : t == JSON_STRING && is_one_of(&s->j, GOOD)) s->fine = true;
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
        if (status && t == JSON_NUMBER && !(json_u32(&s->j, &n) && n == 0)) s->ev->flags |= EVENT_ERROR;
        (void)json_leave(&s->j, t);
    }
}

/* error, errors, error_message, errorCode, errmsg, Error, exception … */
static bool is_error_key(const struct json *j)
{
    static const char *const WORDS[] = {"err", "errmsg", "errcode", "exception", "fault", NULL};
    return (j->len >= 5 && strncasecmp(j->text, "error", 5) == 0) || is_one_of(j, WORDS);
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
    static const char *const STATUS[] = {"status", "status_code", "statusCode", "code", NULL};
    static const char *const WORDS[] = {"detail", "message", NULL};
    struct json *j = &s->j;
    if (is_error_key(j)) {
        event_scan_error(s);
    } else if (JSON_IS(j, "base_resp")) {
        take_base_resp(s);
    } else if (JSON_IS(j, "object") || JSON_IS(j, "type")) {
        enum json_token t = json_next(j);
        if (t == JSON_STRING && JSON_IS(j, "error")) s->ev->flags |= EVENT_ERROR;
        (void)json_leave(j, t);
    } else if (is_one_of(j, WORDS)) {
        bool message =
            j->text[0] == 'm' || j->text[0] == 'M'; /* an object by this name is what other APIs begin with */
        enum json_token t = json_next(j);
        if (!is_nothing(s, t) && !(message && t == JSON_OBJECT)) s->suspect = true;
        (void)json_leave(j, t);
    } else if (is_one_of(j, STATUS)) {
        take_status(s);
    } else if (JSON_IS(j, "success")) {
        take_success(s);
    } else {
        (void)json_skip(j);
    }
}
