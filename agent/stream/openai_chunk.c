#include "agent/stream/openai_chunk.h"

#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

/* A delta, or the message of an answer that is not a stream. */
static void take_delta(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "content"))
            event_scan_content(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "reasoning_content") || JSON_IS(&s->j, "reasoning") ||
                 JSON_IS(&s->j, "reasoning_details"))
            event_scan_content(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "tool_calls"))
            event_scan_tool_calls(s);
        else if (JSON_IS(&s->j, "function_call"))
            event_scan_function(s);
        else if (JSON_IS(&s->j, "refusal"))
            event_scan_text(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "error"))
            event_scan_error(s);
        else
            (void)json_skip(&s->j);
    }
}

static void take_choices(struct event_scan *s)
{
    s->known = true;
    if (!json_enter(&s->j, JSON_ARRAY)) return;
    while (event_scan_item(s)) {
        while (event_scan_key(s)) {
            if (JSON_IS(&s->j, "delta") || JSON_IS(&s->j, "message"))
                take_delta(s);
            else if (JSON_IS(&s->j, "text"))
                event_scan_text(s, EVENT_CONTENT);
            else if (JSON_IS(&s->j, "finish_reason"))
                event_scan_finish(s);
            else if (JSON_IS(&s->j, "error"))
                event_scan_error(s);
            else if (s->apart && JSON_IS(&s->j, "index"))
                (void)event_scan_number(s, JSON_NOTE_CHOICE, &s->ev->choice);
            else
                (void)json_skip(&s->j);
        }
    }
}

static void take_usage(struct event_scan *s)
{
    s->known = true;
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "completion_tokens")) {
            if (event_scan_number(s, JSON_NOTE_OUTPUT, &s->ev->output_tokens)) s->ev->flags |= EVENT_USAGE;
        } else if (JSON_IS(&s->j, "prompt_tokens")) {
            (void)event_scan_number(s, JSON_NOTE_INPUT, &s->ev->input_tokens);
        } else if (JSON_IS(&s->j, "prompt_tokens_details") || JSON_IS(&s->j, "completion_tokens_details")) {
            event_scan_details(s);
        } else {
            (void)json_skip(&s->j);
        }
    }
}

static bool is_done(const char *data, size_t len)
{
    while (len > 0 && data[len - 1] == ' ')
        len--;
    return len == 6 && memcmp(data, "[DONE]", 6) == 0;
}

void openai_chunk_scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    if (is_done(e->data, e->len)) {
        *ret = (struct event){.flags = EVENT_END};
        return;
    }
    if (!event_scan_begin(&s, e, ret)) return;
    s.apart = d->choices > 1;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "choices"))
            take_choices(&s);
        else if (JSON_IS(&s.j, "usage"))
            take_usage(&s);
        else
            event_scan_other(&s);
    }
    event_scan_end(&s);
}

void openai_media_part(const struct dialect_media *m, struct buf *out)
{
    if (m->kind == MEDIA_IMAGE) {
        (void)buf_puts(out, "{\"type\":\"image_url\",\"image_url\":{\"url\":\"");
        body_put_data_url(out, m);
        (void)buf_puts(out, "\"}}");
    } else {
        (void)buf_puts(out, "{\"type\":\"input_audio\",\"input_audio\":{\"format\":\"wav\",\"data\":\"");
        (void)buf_put(out, m->base64, m->len);
        (void)buf_puts(out, "\"}}");
    }
}
