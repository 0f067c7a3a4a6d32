#include "agent/stream/openai_chunk.h"

#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

/* Members of a delta that are neither text nor strange. */
static bool is_beside(const struct json *j)
{
    return JSON_IS(j, "role") || JSON_IS(j, "annotations") || JSON_IS(j, "citations") ||
           JSON_IS(j, "provider_specific_fields") || JSON_IS(j, "channel") || JSON_IS(j, "name") || JSON_IS(j, "id") ||
           JSON_IS(j, "type");
}

/* What the messages of an event held. */
struct message {
    uint32_t flags;
    size_t from, to; /* of the text */
};

/* A delta, or the message of an answer that is not a stream. An empty one, or one with an empty text, is as the API has
 * it; text in a member that it does not know is not, whatever stands beside it. */
static inline __attribute__((always_inline)) void take_delta(struct event_scan *s)
{
    bool fine = false, strange = false, text = false, empty = true;
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    for (; event_scan_key(s); empty = false) {
        if (JSON_IS(&s->j, "content"))
            strange |= !event_scan_content(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "reasoning_content") || JSON_IS(&s->j, "reasoning") ||
                 JSON_IS(&s->j, "reasoning_details") || JSON_IS(&s->j, "reasoning_text") || JSON_IS(&s->j, "thinking"))
            strange |= !event_scan_content(s, EVENT_REASONING);
        else if (JSON_IS(&s->j, "tool_calls"))
            event_scan_tool_calls(s);
        else if (JSON_IS(&s->j, "function_call"))
            event_scan_function(s);
        else if (JSON_IS(&s->j, "refusal"))
            event_scan_text(s, EVENT_CONTENT | EVENT_REFUSAL);
        else if (JSON_IS(&s->j, "error"))
            event_scan_error(s);
        else if (is_beside(&s->j))
            fine |= event_scan_skip(s);
        else
            strange |= event_scan_skip_text(s, &text);
    }
    s->known |= empty || !strange || (fine && !text);
}

static size_t text_so_far(const struct event_scan *s)
{
    return s->text ? s->text->len : 0;
}

/* In a stream some send the whole answer so far beside each delta (Perplexity), or all of it at the end (MiniMax). What
 * it holds is kept apart until it is known whether the event has a delta with text too. */
static __attribute__((noinline)) void take_message(struct event_scan *s, struct message *m)
{
    uint32_t before = s->ev->flags & EVENT_TOKEN;
    s->ev->flags &= ~(uint32_t)EVENT_TOKEN;
    m->from = text_so_far(s);
    take_delta(s);
    m->to = text_so_far(s);
    m->flags |= s->ev->flags & EVENT_TOKEN;
    s->ev->flags = (s->ev->flags & ~(uint32_t)EVENT_TOKEN) | before;
}

static __attribute__((noinline)) void settle_message(struct event_scan *s, const struct message *m, bool whole)
{
    bool again = !whole && !(s->ev->flags & EVENT_TOKEN);
    if (!whole && !again && s->text) buf_take_out(s->text, m->from, m->to);
    if (whole || again) s->ev->flags |= m->flags;
    if (!again) return;
    s->ev->flags |= EVENT_AGAIN;
    s->ev->again = (uint32_t)(m->to - m->from);
}

/* Together writes each piece of a chat's text twice, in the delta and beside it: it is the same text. */
static void take_choice(struct event_scan *s, struct message *m)
{
    size_t in_delta = 0, beside_from = 0, beside_to = 0;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "delta")) {
            size_t before = text_so_far(s);
            take_delta(s);
            in_delta += text_so_far(s) - before;
        } else if (JSON_IS(&s->j, "message"))
            take_message(s, m);
        else if (JSON_IS(&s->j, "text")) {
            beside_from = text_so_far(s);
            s->known |= event_scan_content(s, EVENT_CONTENT);
            beside_to = text_so_far(s);
        } else if (JSON_IS(&s->j, "finish_reason"))
            event_scan_finish(s);
        else if (JSON_IS(&s->j, "error"))
            event_scan_error(s);
        else if (JSON_IS(&s->j, "usage"))
            event_scan_usage(s);
        else if (s->apart && JSON_IS(&s->j, "index"))
            (void)event_scan_number(s, JSON_NOTE_CHOICE, &s->ev->choice);
        else if (JSON_IS(&s->j, "content_filter_results"))
            s->known |= event_scan_skip(s);
        else
            (void)json_skip(&s->j);
    }
    if (in_delta && beside_to > beside_from && !m->flags) buf_take_out(s->text, beside_from, beside_to);
}

static void take_choices(struct event_scan *s, bool whole)
{
    struct message m;
    m.flags = 0; /* the rest is set with it */
    if (!json_enter(&s->j, JSON_ARRAY)) return;
    while (event_scan_item(s))
        take_choice(s, &m);
    if (m.flags) settle_message(s, &m, whole);
}

/* With the words of others the whole stream may be another API's, so those are kept apart. */
static void take_usage(struct event_scan *s, struct event_usage *other)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    for (; event_scan_key(s); s->known = true)
        if (!event_scan_usage_member(s, other)) (void)json_skip(&s->j);
}

static bool is_done(const char *data, size_t len)
{
    for (; len > 0 && data[len - 1] == ' '; len--) {
    }
    for (; len > 0 && *data == ' '; len--)
        data++;
    return (len == 6 && memcmp(data, "[DONE]", 6) == 0) || (len == 8 && memcmp(data, "\"[DONE]\"", 8) == 0);
}

/* Of an event with choices, which no other API has. */
static void take_other_usage(const struct event_usage *other, struct event *ev)
{
    if (ev->flags & EVENT_USAGE) return;
    if (other->has_input) ev->input_tokens = other->input;
    if (!other->has_output) return;
    ev->output_tokens = other->output;
    ev->flags |= EVENT_USAGE;
}

void openai_chunk_scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    if (is_done(e->data, e->len)) {
        *ret = (struct event){.flags = EVENT_END};
        return;
    }
    if (!event_scan_begin(&s, e, ret)) return;
    struct event_usage other = {0};
    bool choices = false;
    s.apart = d->choices > 1;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "choices")) {
            choices = true;
            take_choices(&s, d->whole);
        } else if (JSON_IS(&s.j, "usage"))
            take_usage(&s, &other);
        else if (JSON_IS(&s.j, "prompt_filter_results"))
            s.known |= event_scan_skip(&s);
        else
            event_scan_other(&s);
    }
    if (choices) take_other_usage(&other, ret);
    if (ret->flags & (EVENT_TOKEN | EVENT_FINISH | EVENT_USAGE)) s.known = true;
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
