/* OpenAI's responses, as vLLM, llama.cpp and Ollama serve them too.
 * https://platform.openai.com/docs/api-reference/responses-streaming
 *
 * The type of an event is its name and a member of its data, which may come last. Text comes in events whose type ends
 * in ".delta"; the type tells what kind of text it is. The last event has the whole response, with usage. An answer
 * that was cut by its limit ends as `response.completed` on some servers and as `response.incomplete` on others. */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static void media_part(const struct dialect_media *m, struct buf *out)
{
    (void)buf_puts(out, "{\"type\":\"input_image\",\"image_url\":\"");
    body_put_data_url(out, m);
    (void)buf_puts(out, "\"}");
}

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (r->model && r->model[0]) body_text(&w, "model", r->model, strlen(r->model));
    if (r->n_messages == 1 && r->n_media == 0)
        body_message(&w, "input", &r->messages[0]);
    else
        body_messages(&w, "input", r);
    if (r->output_tokens > 0) body_number(&w, "max_output_tokens", r->output_tokens);
    body_member(&w, "stream", dialect_stream_word(d));
    return body_end(&w);
}

struct type {
    const char *text;
    size_t len;
};

static bool ends_with(struct type t, const char *end)
{
    size_t n = strlen(end);
    return t.len >= n && memcmp(t.text + t.len - n, end, n) == 0;
}

static bool holds(struct type t, const char *word)
{
    return memmem(t.text, t.len, word, strlen(word)) != NULL;
}

static bool is(struct type t, const char *word)
{
    return t.len == strlen(word) && memcmp(t.text, word, t.len) == 0;
}

/* The event's name, or without one the member `type` of its data. */
static struct type type_of(const struct dialect_event *e)
{
    struct json j;
    struct type none = {"", 0};
    if (e->name_len > 0) return (struct type){e->name, e->name_len};
    json_begin(&j, e->data, e->len);
    if (json_next(&j) != JSON_OBJECT) return none;
    while (json_next(&j) == JSON_KEY) {
        bool type = JSON_IS(&j, "type");
        enum json_token t = json_next(&j);
        if (type && t == JSON_STRING) return (struct type){j.text, j.len};
        if (json_leave(&j, t) != 0) break;
    }
    return none;
}

static uint32_t flag_of(struct type t)
{
    if (!ends_with(t, ".delta")) return 0;
    if (holds(t, "reasoning")) return EVENT_REASONING;
    if (holds(t, "refusal")) return EVENT_CONTENT | EVENT_REFUSAL;
    return holds(t, "_call") || holds(t, "arguments") ? EVENT_TOOL : EVENT_CONTENT;
}

/* An item of a whole answer's output: content or summary with texts, or a call with arguments. */
static void take_item(struct event_scan *s)
{
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "content"))
            event_scan_content(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "summary"))
            event_scan_content(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "arguments") || JSON_IS(&s->j, "name"))
            event_scan_text(s, EVENT_TOOL);
        else
            (void)json_skip(&s->j);
    }
}

/* {"reason": "max_output_tokens"} or "content_filter". */
static void take_incomplete(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "reason"))
            event_scan_finish(s);
        else
            (void)json_skip(&s->j);
    }
}

/* A member of a response. `whole`: the answer is not a stream, so its output is read as what came. */
static void take_member(struct event_scan *s, bool whole)
{
    if (JSON_IS(&s->j, "usage"))
        event_scan_usage(s);
    else if (JSON_IS(&s->j, "status"))
        event_scan_finish(s);
    else if (JSON_IS(&s->j, "incomplete_details"))
        take_incomplete(s);
    else if (JSON_IS(&s->j, "error"))
        event_scan_error(s);
    else if (whole && JSON_IS(&s->j, "output")) {
        s->known = true;
        if (!json_enter(&s->j, JSON_ARRAY)) return;
        while (event_scan_item(s))
            take_item(s);
    } else if (whole)
        event_scan_other(s);
    else
        (void)json_skip(&s->j);
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (e->len == 6 && memcmp(e->data, "[DONE]", 6) == 0) {
        *ret = (struct event){.flags = EVENT_END};
        return;
    }
    if (!event_scan_begin(&s, e, ret)) return;
    struct type t = type_of(e);
    uint32_t flag = flag_of(t);
    bool whole = t.len == 0, last = is(t, "response.completed") || is(t, "response.incomplete");
    s.known = t.len > 9 && memcmp(t.text, "response.", 9) == 0;
    while (event_scan_key(&s)) {
        if (flag && JSON_IS(&s.j, "delta")) {
            event_scan_text(&s, flag);
        } else if (JSON_IS(&s.j, "response")) {
            if (!json_enter(&s.j, JSON_OBJECT)) continue;
            while (event_scan_key(&s))
                take_member(&s, false);
        } else if (whole) {
            take_member(&s, true);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
    if (ret->flags & EVENT_MALFORMED) return;
    if (!last && !whole) { /* "in_progress" */
        ret->flags &= ~(uint32_t)EVENT_FINISH;
        ret->finish = FINISH_NONE;
    }
    if (last) ret->flags |= EVENT_END;
    if (is(t, "response.failed") || is(t, "response.cancelled") || is(t, "error")) ret->flags |= EVENT_ERROR;
}

const struct dialect dialect_openai_responses = {
    .write_body = write_body, .media_part = media_part, .text_part = "input_text", .scan = scan};
