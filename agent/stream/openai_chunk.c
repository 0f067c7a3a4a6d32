#include "agent/stream/openai_chunk.h"

#include <string.h>

#include "agent/stream/json_scan.h"

struct scan {
    struct json j;
    struct event *ev;
    const char *data;
    unsigned texts; /* token strings seen; with exactly one, the event says where it is */
};

static void note_text(struct scan *s, uint32_t flag)
{
    if (s->j.len == 0) return;
    s->ev->flags |= flag;
    s->texts++;
    s->ev->text_at = (uint32_t)(s->j.text - s->data);
    s->ev->text_len = (uint32_t)s->j.len;
}

static void take_text(struct scan *s, uint32_t flag)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING)
        note_text(s, flag);
    else
        (void)json_leave(&s->j, t);
}

/* A list of parts, as some gateways send it: {type: text, text: …}, {type: reasoning, summary: [{text: …}]}. Entered.
 */
static void take_parts(struct scan *s, uint32_t flag, bool nested)
{
    enum json_token t;
    while ((t = json_next(&s->j)) != JSON_ARRAY_END && t != JSON_BAD) {
        if (t != JSON_OBJECT) {
            (void)json_leave(&s->j, t);
            continue;
        }
        while (json_next(&s->j) == JSON_KEY) {
            if (JSON_IS(&s->j, "text")) {
                take_text(s, flag);
            } else if (!nested && JSON_IS(&s->j, "summary")) {
                if (json_enter(&s->j, JSON_ARRAY)) take_parts(s, EVENT_REASONING, true);
            } else {
                (void)json_skip(&s->j);
            }
        }
    }
}

static void take_content(struct scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_STRING)
        note_text(s, EVENT_CONTENT);
    else if (t == JSON_ARRAY)
        take_parts(s, EVENT_CONTENT, false);
    else
        (void)json_leave(&s->j, t);
}

static void take_function(struct scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (json_next(&s->j) == JSON_KEY) {
        if (JSON_IS(&s->j, "name") || JSON_IS(&s->j, "arguments"))
            take_text(s, EVENT_TOOL);
        else
            (void)json_skip(&s->j);
    }
}

static void take_tool_calls(struct scan *s)
{
    if (!json_enter(&s->j, JSON_ARRAY)) return;
    enum json_token t;
    while ((t = json_next(&s->j)) != JSON_ARRAY_END && t != JSON_BAD) {
        if (t != JSON_OBJECT) {
            (void)json_leave(&s->j, t);
            continue;
        }
        while (json_next(&s->j) == JSON_KEY) {
            if (JSON_IS(&s->j, "function"))
                take_function(s);
            else
                (void)json_skip(&s->j);
        }
    }
}

static void take_delta(struct scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (json_next(&s->j) == JSON_KEY) {
        if (JSON_IS(&s->j, "content"))
            take_content(s);
        else if (JSON_IS(&s->j, "reasoning_content") || JSON_IS(&s->j, "reasoning"))
            take_text(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "tool_calls"))
            take_tool_calls(s);
        else if (JSON_IS(&s->j, "function_call"))
            take_function(s);
        else if (JSON_IS(&s->j, "refusal"))
            take_text(s, EVENT_CONTENT);
        else
            (void)json_skip(&s->j);
    }
}

static void take_choice(struct scan *s)
{
    while (json_next(&s->j) == JSON_KEY) {
        if (JSON_IS(&s->j, "delta")) {
            take_delta(s);
        } else if (JSON_IS(&s->j, "text")) {
            take_text(s, EVENT_CONTENT);
        } else if (JSON_IS(&s->j, "finish_reason")) {
            enum json_token t = json_next(&s->j);
            if (t == JSON_STRING && s->j.len > 0) s->ev->flags |= EVENT_FINISH;
            (void)json_leave(&s->j, t);
        } else {
            (void)json_skip(&s->j);
        }
    }
}

static void take_choices(struct scan *s)
{
    if (!json_enter(&s->j, JSON_ARRAY)) return;
    enum json_token t;
    while ((t = json_next(&s->j)) != JSON_ARRAY_END && t != JSON_BAD) {
        if (t == JSON_OBJECT)
            take_choice(s);
        else
            (void)json_leave(&s->j, t);
    }
}

static bool take_number(struct scan *s, uint32_t *ret)
{
    enum json_token t = json_next(&s->j);
    (void)json_leave(&s->j, t);
    return t == JSON_NUMBER && json_u32(&s->j, ret);
}

static void take_usage(struct scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (json_next(&s->j) == JSON_KEY) {
        if (JSON_IS(&s->j, "completion_tokens")) {
            if (take_number(s, &s->ev->output_tokens)) s->ev->flags |= EVENT_USAGE;
        } else if (JSON_IS(&s->j, "prompt_tokens")) {
            (void)take_number(s, &s->ev->input_tokens);
        } else if (JSON_IS(&s->j, "prompt_tokens_details")) {
            if (!json_enter(&s->j, JSON_OBJECT)) continue;
            while (json_next(&s->j) == JSON_KEY) {
                if (JSON_IS(&s->j, "cached_tokens"))
                    (void)take_number(s, &s->ev->cached_tokens);
                else
                    (void)json_skip(&s->j);
            }
        } else {
            (void)json_skip(&s->j);
        }
    }
}

/* `error` (OpenAI, vLLM, llama.cpp), `error_code` (Databricks), `object: "error"` (older vLLM). */
static void take_error(struct scan *s, bool object)
{
    enum json_token t = json_next(&s->j);
    bool none = t == JSON_NULL || t == JSON_FALSE || (t == JSON_STRING && s->j.len == 0);
    if (object ? t == JSON_STRING && JSON_IS(&s->j, "error") : !none) s->ev->flags |= EVENT_ERROR;
    (void)json_leave(&s->j, t);
}

static void take_chunk(struct scan *s)
{
    while (json_next(&s->j) == JSON_KEY) {
        if (JSON_IS(&s->j, "choices"))
            take_choices(s);
        else if (JSON_IS(&s->j, "usage"))
            take_usage(s);
        else if (JSON_IS(&s->j, "error") || JSON_IS(&s->j, "error_code"))
            take_error(s, false);
        else if (JSON_IS(&s->j, "object"))
            take_error(s, true);
        else
            (void)json_skip(&s->j);
    }
}

static bool is_done(const char *data, size_t len)
{
    while (len > 0 && data[len - 1] == ' ')
        len--;
    return len == 6 && memcmp(data, "[DONE]", 6) == 0;
}

void openai_chunk_scan(const char *name, size_t name_len, const char *data, size_t len, struct event *ret)
{
    *ret = (struct event){0};
    if (is_done(data, len)) {
        ret->flags = EVENT_END;
        return;
    }
    bool error = name_len == 5 && memcmp(name, "error", 5) == 0;
    struct scan s = {.ev = ret, .data = data};
    json_begin(&s.j, data, len);
    bool object = json_enter(&s.j, JSON_OBJECT);
    if (object) take_chunk(&s);
    if (!object || json_next(&s.j) != JSON_END) *ret = (struct event){.flags = EVENT_MALFORMED};
    if (s.texts != 1) ret->text_at = ret->text_len = 0;
    if (error) *ret = (struct event){.flags = EVENT_ERROR}; /* whatever its text is */
}

/* --- requests --- */

/* Finds a member of the plan's body; `key` NULL: only checks that it is an object. */
static int plan_body_find(const char *body, const char *key, bool *ret_found)
{
    struct json j;
    json_begin(&j, body, strlen(body));
    *ret_found = false;
    if (json_next(&j) != JSON_OBJECT) return -1;
    while (json_next(&j) == JSON_KEY) {
        if (key && json_is(&j, key, strlen(key))) *ret_found = true;
        (void)json_skip(&j);
    }
    return json_next(&j) == JSON_END ? 0 : -1;
}

int body_begin(struct body_writer *w, const char *plan_body, struct buf *out)
{
    bool found;
    *w = (struct body_writer){.out = out, .plan_body = plan_body && plan_body[0] ? plan_body : NULL};
    if (w->plan_body && plan_body_find(w->plan_body, NULL, &found) != 0) return -1;
    return buf_putc(out, '{');
}

bool body_has(const struct body_writer *w, const char *key)
{
    bool found = false;
    return w->plan_body && plan_body_find(w->plan_body, key, &found) == 0 && found;
}

/* The comma and the key; false when the plan's own value will stand. */
static bool member_key(struct body_writer *w, const char *key)
{
    if (body_has(w, key)) return false;
    if (w->any) (void)buf_putc(w->out, ',');
    w->any = true;
    (void)buf_putc(w->out, '"');
    (void)buf_puts(w->out, key);
    (void)buf_puts(w->out, "\":");
    return true;
}

static void put_string(struct buf *out, const char *text, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    (void)buf_putc(out, '"');
    for (size_t from = 0, i = 0; i <= n; i++) {
        unsigned char c = i < n ? (unsigned char)text[i] : '"';
        if (c != '"' && c != '\\' && c >= 0x20) continue;
        if (i > from) (void)buf_put(out, text + from, i - from);
        from = i + 1;
        if (i == n) break;
        if (c == '"' || c == '\\')
            (void)buf_put(out, (char[]){'\\', (char)c}, 2);
        else
            (void)buf_put(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
    (void)buf_putc(out, '"');
}

void body_member(struct body_writer *w, const char *key, const char *json)
{
    if (member_key(w, key)) (void)buf_puts(w->out, json);
}

void body_text(struct body_writer *w, const char *key, const char *text, size_t n)
{
    if (member_key(w, key)) put_string(w->out, text, n);
}

void body_number(struct body_writer *w, const char *key, uint32_t n)
{
    if (member_key(w, key)) (void)buf_printf(w->out, "%u", n);
}

void body_messages(struct body_writer *w, const char *prompt, size_t n)
{
    if (!member_key(w, "messages")) return;
    (void)buf_puts(w->out, "[{\"role\":\"user\",\"content\":");
    put_string(w->out, prompt, n);
    (void)buf_puts(w->out, "}]");
}

void body_limit(struct body_writer *w, uint32_t tokens)
{
    if (tokens > 0 && !body_has(w, "max_completion_tokens")) body_number(w, "max_tokens", tokens);
}

int body_end(struct body_writer *w)
{
    if (w->plan_body) {
        const char *from = strchr(w->plan_body, '{') + 1, *to = strrchr(w->plan_body, '}');
        while (from < to && strchr(" \t\r\n", *from))
            from++;
        if (from < to && w->any) (void)buf_putc(w->out, ',');
        (void)buf_put(w->out, from, (size_t)(to - from));
    }
    (void)buf_putc(w->out, '}');
    return w->out->bad ? -1 : 0;
}
