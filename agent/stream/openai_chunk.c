#include "agent/stream/openai_chunk.h"

#include <string.h>

#include "common/json_scan.h"

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
