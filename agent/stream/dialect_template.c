/* An API that the plan describes (target.template): the request's body has places for what changes, and paths say where
 * in an event something stands. The paths are one tree, so that an event is read once. */
#include <string.h>

#include "agent/stream/body.h"
#include "agent/stream/event_scan.h"

static void open_template(const struct plan_target *t, struct dialect *d)
{
    d->template = &t->template;
    d->framing = t->template.framing == TEMPLATE_LINES ? FRAMING_LINES : FRAMING_SSE;
    d->whole = t->template.framing == TEMPLATE_WHOLE;
    d->ends_with_body = d->ends_with_body || t->template.end == TEMPLATE_END_CLOSE;
}

static void put_place(const struct dialect *d, struct buf *out, const struct template_part *p,
                      const struct dialect_request *r)
{
    const char *quote = p->quoted ? "" : "\"", *model = r->model ? r->model : "";
    switch (p->fill) {
    case FILL_NOTHING:
        (void)buf_put(out, p->text, p->len);
        break;
    case FILL_PROMPT:
        (void)buf_puts(out, quote);
        body_put_prompt(out, r);
        (void)buf_puts(out, quote);
        break;
    case FILL_MESSAGES:
        body_put_messages(d, out, r);
        break;
    case FILL_OUTPUT_TOKENS:
        if (r->output_tokens > 0)
            (void)buf_printf(out, "%u", r->output_tokens);
        else if (!p->quoted)
            (void)buf_puts(out, "null"); /* as long as the server likes */
        break;
    case FILL_MODEL:
        (void)buf_puts(out, quote);
        body_put_part(out, model, strlen(model));
        (void)buf_puts(out, quote);
        break;
    }
}

static int write_body(const struct dialect *d, const struct dialect_request *r, struct buf *out)
{
    if (!d->template) return -1;
    for (const struct template_part *p = d->template->parts; p < d->template->parts + d->template->n_parts; p++)
        put_place(d, out, p, r);
    return out->bad ? -1 : 0;
}

/* A call's arguments or its name, or the call as an object. */
static void take_tool(struct event_scan *s)
{
    enum json_token t = json_next(&s->j);
    if (t == JSON_OBJECT || (t == JSON_STRING && s->j.len > 0)) s->ev->flags |= EVENT_TOOL;
    if (t == JSON_STRING && s->j.len > 0) json_note(&s->j, JSON_NOTE_TEXT);
    (void)json_leave(&s->j, t);
}

static void take_count(struct event_scan *s, enum json_note_kind kind, uint32_t *to)
{
    if (event_scan_number(s, kind, to)) s->ev->flags |= EVENT_USAGE;
}

static void take_place(struct event_scan *s, uint32_t places)
{
    struct event *ev = s->ev;
    switch (places) {
    case 1u << PLACE_TEXT:
        event_scan_content(s, EVENT_CONTENT);
        break;
    case 1u << PLACE_REASONING:
        event_scan_content(s, EVENT_REASONING);
        break;
    case 1u << PLACE_TOOLS:
        take_tool(s);
        break;
    case 1u << PLACE_INPUT:
        take_count(s, JSON_NOTE_INPUT, &ev->input_tokens);
        break;
    case 1u << PLACE_OUTPUT:
        take_count(s, JSON_NOTE_OUTPUT, &ev->output_tokens);
        break;
    case 1u << PLACE_CACHED:
        take_count(s, JSON_NOTE_CACHED, &ev->cached_tokens);
        break;
    case 1u << PLACE_THOUGHT:
        take_count(s, JSON_NOTE_THOUGHT, &ev->thought_tokens);
        break;
    case 1u << PLACE_ERROR:
        event_scan_error(s);
        break;
    case TEMPLATE_ENDS:
        if (event_scan_is_something(s)) ev->flags |= EVENT_END;
        break;
    default: /* the finish reason, which may end the answer too */
        event_scan_finish(s);
        if ((places & TEMPLATE_ENDS) && (ev->flags & EVENT_FINISH)) ev->flags |= EVENT_END;
        break;
    }
}

static void take_value(struct event_scan *s, const struct template_step *at);

static const struct template_step *item_of(const struct template_step *at, uint32_t i)
{
    const struct template_step *c = at->first;
    while (c && c->item != i && c->item != TEMPLATE_EACH)
        c = c->next;
    return c;
}

static void take_items(struct event_scan *s, const struct template_step *at)
{
    for (uint32_t i = 0;; i++) {
        struct json before = s->j;
        enum json_token t = json_next(&s->j);
        if (t == JSON_ARRAY_END || t == JSON_BAD || t == JSON_END) return;
        s->j = before;
        const struct template_step *item = item_of(at, i);
        if (item)
            take_value(s, item);
        else
            (void)json_skip(&s->j);
    }
}

static const struct template_step *named(const struct template_step *at, const struct json *j)
{
    const struct template_step *c = at->first;
    while (c && !json_is(j, c->name, c->len))
        c = c->next;
    return c;
}

/* The next value, by the paths that lead into it: as deep as they are at most. */
static void take_value(struct event_scan *s, const struct template_step *at)
{
    if (!at->first) {
        take_place(s, at->places);
    } else if (!at->first->name) {
        if (json_enter(&s->j, JSON_ARRAY)) take_items(s, at);
    } else if (json_enter(&s->j, JSON_OBJECT)) {
        while (event_scan_key(s)) {
            const struct template_step *step = named(at, &s->j);
            if (step)
                take_value(s, step);
            else
                (void)json_skip(&s->j);
        }
    }
}

static void scan_object(struct event_scan *s, const struct plan_template *t)
{
    while (event_scan_key(s)) {
        const struct template_step *step = t ? named(t->steps, &s->j) : NULL;
        if (!step) {
            event_scan_other(s);
            continue;
        }
        if (step->places != 1u << PLACE_ERROR) s->known = true;
        take_value(s, step);
    }
    event_scan_end(s);
}

static bool is_text(const char *data, size_t n, const char *text)
{
    while (n > 0 && data[n - 1] == ' ')
        n--;
    return n == strlen(text) && memcmp(data, text, n) == 0;
}

/* A list of answers, each of which may be of any shape; an error is an object and comes here too. */
static bool scan_list(const struct plan_template *t, const struct dialect_event *e, struct event *ret)
{
    size_t blank = 0;
    while (blank < e->len && memchr(" \t\r\n", e->data[blank], 4))
        blank++;
    if (blank == e->len || e->data[blank] != '[' || t->steps->first->name) return false;
    struct event_scan s = {.ev = ret};
    *ret = (struct event){0};
    json_begin(&s.j, e->data, e->len);
    s.known = true;
    take_value(&s, t->steps);
    event_scan_end(&s);
    return true;
}

static void scan(const struct dialect *d, const struct dialect_event *e, struct event *ret)
{
    struct event_scan s;
    const struct plan_template *t = d->template;
    bool ends = t && ((t->end == TEMPLATE_END_DATA && is_text(e->data, e->len, t->end_text)) ||
                      (t->end == TEMPLATE_END_EVENT && is_text(e->name, e->name_len, t->end_text)));
    if (ends && t->end == TEMPLATE_END_DATA) {
        *ret = (struct event){.flags = EVENT_END};
        return;
    }
    if (t && d->whole && scan_list(t, e, ret)) return;
    bool object = event_scan_begin(&s, e, ret);
    if (object && t && !t->steps->first->name) t = NULL; /* an object where a list is wanted: only an error is known */
    if (object) scan_object(&s, t);
    if (!ends) return;
    if (ret->flags & EVENT_MALFORMED) ret->flags = 0; /* its name is all that is wanted */
    ret->flags = (ret->flags & ~(uint32_t)EVENT_UNKNOWN) | EVENT_END;
}

const struct dialect dialect_template = {.open = open_template, .write_body = write_body, .scan = scan};
