#include "agent/stream/event_scan.h"

#include <string.h>

static bool name_is(const struct dialect_event *e, const char *word)
{
    return e->name_len == strlen(word) && memcmp(e->name, word, e->name_len) == 0;
}

bool event_scan_begin(struct event_scan *s, const struct dialect_event *e, struct event *ret)
{
    *ret = (struct event){0};
    *s = (struct event_scan){.ev = ret};
    if (name_is(e, "error") || name_is(e, "exception")) {
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
        s->ev->flags |= s->suspect ? EVENT_ERROR : EVENT_UNKNOWN;
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

void event_scan_finish(struct event_scan *s)
{
    static const char *const FAILED[] = {"error", "abort", "aborted", "cancelled", "failed", "ERROR", "TIMEOUT"};
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING && s->j.len > 0) s->ev->flags |= EVENT_FINISH;
    for (size_t i = 0; t == JSON_STRING && i < sizeof FAILED / sizeof *FAILED; i++)
        if (json_is(&s->j, FAILED[i], strlen(FAILED[i]))) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
}

/* The first token of a value that means nothing: null, false, "". */
static bool is_nothing(const struct event_scan *s, enum json_token t)
{
    return t == JSON_NULL || t == JSON_FALSE || t == JSON_BAD || (t == JSON_STRING && s->j.len == 0);
}

void event_scan_error(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (!is_nothing(s, t)) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
}

static bool is_failure(const struct event_scan *s, enum json_token t)
{
    uint32_t n;
    if (t == JSON_NUMBER) return json_u32(&s->j, &n) && n >= 400;
    return t == JSON_STRING && (JSON_IS(&s->j, "error") || JSON_IS(&s->j, "failed") || JSON_IS(&s->j, "fail"));
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

void event_scan_other(struct event_scan *s)
{
    struct json *j = &s->j;
    if (JSON_IS(j, "error") || JSON_IS(j, "error_code") || JSON_IS(j, "errors")) {
        event_scan_error(s);
    } else if (JSON_IS(j, "base_resp")) {
        take_base_resp(s);
    } else if (JSON_IS(j, "object") || JSON_IS(j, "type")) {
        enum json_token t = json_next(j);
        if (t == JSON_STRING && JSON_IS(j, "error")) s->ev->flags |= EVENT_ERROR;
        (void)json_leave(j, t);
    } else if (JSON_IS(j, "detail") || JSON_IS(j, "message")) {
        bool message = JSON_IS(j, "message"); /* an object by this name is what other APIs begin with */
        enum json_token t = json_next(j);
        if (!is_nothing(s, t) && !(message && t == JSON_OBJECT)) s->suspect = true;
        (void)json_leave(j, t);
    } else if (JSON_IS(j, "status") || JSON_IS(j, "status_code") || JSON_IS(j, "code")) {
        enum json_token t = json_next(j);
        if (is_failure(s, t)) s->suspect = true;
        (void)json_leave(j, t);
    } else if (JSON_IS(j, "success")) {
        enum json_token t = json_next(j);
        if (t == JSON_FALSE) s->suspect = true;
        (void)json_leave(j, t);
    } else {
        (void)json_skip(j);
    }
}
