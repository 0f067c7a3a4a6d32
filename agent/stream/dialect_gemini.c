/* Gemini's streamGenerateContent with alt=sse. https://ai.google.dev/api/generate-content
 *
 * Each event is a whole response with the parts that are new and usage so far, in which thoughts are counted apart. The
 * event with a finish reason is the last. */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static void media_part(const struct dialect_media *m, struct buf *out)
{
    (void)buf_printf(out, "{\"inlineData\":{\"mimeType\":\"%s\",\"data\":\"", m->type);
    (void)buf_put(out, m->base64, m->len);
    (void)buf_puts(out, "\"}}");
}

/* `r`: of the message that has its media too; NULL: another one. */
static void put_parts(struct buf *out, const struct dialect_message *m, const struct dialect_request *r)
{
    (void)buf_puts(out, "\"parts\":[{\"text\":");
    body_put_message(out, m);
    (void)buf_putc(out, '}');
    for (size_t i = 0; r && i < r->n_media; i++) {
        (void)buf_putc(out, ',');
        media_part(&r->media[i], out);
    }
    (void)buf_puts(out, "]}");
}

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    struct body_writer w;
    size_t first = r->n_messages > 1 && strcmp(r->messages[0].role, "system") == 0;
    if (body_begin(&w, d, r->body, out) != 0) return -1;
    if (first && body_key(&w, "systemInstruction")) {
        (void)buf_putc(out, '{');
        put_parts(out, &r->messages[0], NULL);
    }
    if (body_key(&w, "contents")) {
        for (size_t i = first; i < r->n_messages; i++) {
            bool model = strcmp(r->messages[i].role, "assistant") == 0;
            (void)buf_printf(out, "%s{\"role\":\"%s\",", i > first ? "," : "[", model ? "model" : "user");
            put_parts(out, &r->messages[i], i + 1 == r->n_messages ? r : NULL);
        }
        (void)buf_putc(out, ']');
    }
    body_nested(&w, "generationConfig", "maxOutputTokens", r->output_tokens, "");
    return body_end(&w);
}

/* {"language": "PYTHON", "code": …}, which the model wrote for a tool of the server's. */
static void take_code(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "code"))
            event_scan_text(s, EVENT_TOOL);
        else
            (void)json_skip(&s->j);
    }
}

/* {"text": …, "thought": true}, in either order, {"functionCall": {…}} or {"executableCode": {…}}. Entered. */
static void take_part(struct event_scan *s)
{
    uint32_t before = s->ev->flags & EVENT_TOKEN;
    bool thought = false;
    s->ev->flags &= ~(uint32_t)EVENT_TOKEN;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "text"))
            event_scan_text(s, EVENT_CONTENT);
        else if (JSON_IS(&s->j, "thought"))
            thought = event_scan_is_true(s);
        else if (JSON_IS(&s->j, "functionCall"))
            event_scan_function(s);
        else if (JSON_IS(&s->j, "executableCode"))
            take_code(s);
        else
            (void)json_skip(&s->j);
    }
    if (thought && (s->ev->flags & EVENT_CONTENT)) s->ev->flags ^= EVENT_CONTENT | EVENT_REASONING;
    s->ev->flags |= before;
}

static void take_content(struct event_scan *s)
{
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (!JSON_IS(&s->j, "parts")) {
            (void)json_skip(&s->j);
        } else if (json_enter(&s->j, JSON_ARRAY)) {
            while (event_scan_item(s))
                take_part(s);
        }
    }
}

static void take_candidates(struct event_scan *s)
{
    s->known = true;
    if (!json_enter(&s->j, JSON_ARRAY)) return;
    while (event_scan_item(s)) {
        while (event_scan_key(s)) {
            if (JSON_IS(&s->j, "content"))
                take_content(s);
            else if (JSON_IS(&s->j, "finishReason"))
                event_scan_finish(s);
            else
                (void)json_skip(&s->j);
        }
    }
}

/* While the model thinks, thoughts are all that is counted. */
static void take_usage(struct event_scan *s)
{
    s->known = true;
    event_scan_usage(s);
    if (s->ev->thought_tokens > 0) s->ev->flags |= EVENT_USAGE;
}

/* A prompt that is blocked gets no candidate: this is then how the answer ends. */
static void take_feedback(struct event_scan *s)
{
    s->known = true;
    if (!json_enter(&s->j, JSON_OBJECT)) return;
    while (event_scan_key(s)) {
        if (JSON_IS(&s->j, "blockReason"))
            event_scan_finish(s);
        else
            (void)json_skip(&s->j);
    }
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    (void)d;
    if (!event_scan_begin(&s, e, ret)) return;
    while (event_scan_key(&s)) {
        if (JSON_IS(&s.j, "candidates")) {
            take_candidates(&s);
        } else if (JSON_IS(&s.j, "usageMetadata")) {
            take_usage(&s);
        } else if (JSON_IS(&s.j, "promptFeedback")) {
            take_feedback(&s);
        } else {
            event_scan_other(&s);
        }
    }
    event_scan_end(&s);
    if ((ret->flags & EVENT_FINISH) && !(ret->flags & EVENT_MALFORMED)) ret->flags |= EVENT_END;
}

const struct dialect dialect_gemini = {
    .thoughts_apart = true, .write_body = write_body, .media_part = media_part, .scan = scan};
