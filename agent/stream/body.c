#include "agent/stream/body.h"

#include <string.h>

#include "common/json_scan.h"

/* Finds a member of the plan's body. With `key` NULL it only checks that the body is an object. */
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

int body_begin(struct body_writer *w, const struct dialect *d, const char *plan_body, struct buf *out)
{
    bool found;
    *w = (struct body_writer){
        .out = out, .dialect = d, .omit = d->omit, .plan_body = plan_body && plan_body[0] ? plan_body : NULL};
    if (w->plan_body && plan_body_find(w->plan_body, NULL, &found) != 0) return -1;
    return buf_putc(out, '{');
}

bool body_has(const struct body_writer *w, const char *key)
{
    bool found = false;
    return w->plan_body && plan_body_find(w->plan_body, key, &found) == 0 && found;
}

static bool is_omitted(const struct body_writer *w, const char *key)
{
    size_t n = strlen(key);
    for (const char *word = w->omit; word && *word; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        if (len == n && memcmp(word, key, n) == 0) return true;
        word += len;
    }
    return false;
}

bool body_key(struct body_writer *w, const char *key)
{
    if (is_omitted(w, key) || body_has(w, key)) return false;
    if (w->any) (void)buf_putc(w->out, ',');
    w->any = true;
    (void)buf_putc(w->out, '"');
    (void)buf_puts(w->out, key);
    (void)buf_puts(w->out, "\":");
    return true;
}

void body_put_part(struct buf *out, const char *text, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    for (const char *end = text + n, *run; text < end; text = run + 1) {
        run = json_plain_run(text, end);
        if (run > text) (void)buf_put(out, text, (size_t)(run - text));
        if (run == end) return;
        unsigned char c = (unsigned char)*run;
        if (c == '"' || c == '\\')
            (void)buf_put(out, (char[]){'\\', (char)c}, 2);
        else
            (void)buf_put(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
}

void body_put_string(struct buf *out, const char *text, size_t n)
{
    (void)buf_putc(out, '"');
    body_put_part(out, text, n);
    (void)buf_putc(out, '"');
}

static void put_message_text(struct buf *out, const struct dialect_message *m)
{
    if (m->n_words)
        payload_put_words(payload_of(out), m->words, m->n_words);
    else if (m->escaped)
        (void)buf_put(out, m->text, m->len);
    else
        body_put_part(out, m->text, m->len);
}

void body_put_message(struct buf *out, const struct dialect_message *m)
{
    (void)buf_putc(out, '"');
    put_message_text(out, m);
    (void)buf_putc(out, '"');
}

void body_message(struct body_writer *w, const char *key, const struct dialect_message *m)
{
    if (body_key(w, key)) body_put_message(w->out, m);
}

void body_member(struct body_writer *w, const char *key, const char *json)
{
    if (body_key(w, key)) (void)buf_puts(w->out, json);
}

void body_text(struct body_writer *w, const char *key, const char *text, size_t n)
{
    if (body_key(w, key)) body_put_string(w->out, text, n);
}

void body_number(struct body_writer *w, const char *key, uint32_t n)
{
    if (body_key(w, key)) (void)buf_printf(w->out, "%u", n);
}

void body_put_data_url(struct buf *out, const struct dialect_media *m)
{
    (void)buf_printf(out, "data:%s;base64,", m->type);
    (void)buf_put(out, m->base64, m->len);
}

/* [{"type": "text", "text": …}, …] */
static void put_parts(const struct dialect *d, struct buf *out, const struct dialect_message *m,
                      const struct dialect_request *r)
{
    (void)buf_printf(out, "[{\"type\":\"%s\",\"text\":", d->text_part ? d->text_part : "text");
    body_put_message(out, m);
    (void)buf_putc(out, '}');
    for (size_t i = 0; i < r->n_media; i++) {
        (void)buf_putc(out, ',');
        d->media_part(&r->media[i], out);
    }
    (void)buf_putc(out, ']');
}

void body_put_messages(const struct dialect *d, struct buf *out, const struct dialect_request *r)
{
    (void)buf_putc(out, '[');
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct dialect_message *m = &r->messages[i];
        (void)buf_puts(out, i ? ",{\"role\":\"" : "{\"role\":\"");
        (void)buf_puts(out, m->role);
        (void)buf_puts(out, "\",\"content\":");
        if (i + 1 == r->n_messages && r->n_media > 0 && d->media_part)
            put_parts(d, out, m, r);
        else
            body_put_message(out, m);
        (void)buf_putc(out, '}');
    }
    (void)buf_putc(out, ']');
}

void body_put_prompt(struct buf *out, const struct dialect_request *r)
{
    for (size_t i = 0; i < r->n_messages; i++) {
        if (i) (void)buf_puts(out, "\\n\\n");
        put_message_text(out, &r->messages[i]);
    }
}

void body_messages(struct body_writer *w, const char *key, const struct dialect_request *r)
{
    if (body_key(w, key)) body_put_messages(w->dialect, w->out, r);
}

void body_prompt(struct body_writer *w, const char *key, const struct dialect_request *r)
{
    if (!body_key(w, key)) return;
    (void)buf_putc(w->out, '"');
    body_put_prompt(w->out, r);
    (void)buf_putc(w->out, '"');
}

void body_limit(struct body_writer *w, uint32_t tokens)
{
    if (tokens > 0 && !body_has(w, "max_completion_tokens")) body_number(w, "max_tokens", tokens);
}

/* The value of a key of the plan's body, as it is written; NULL when it has none. */
static const char *plan_value(const struct body_writer *w, const char *key, size_t *ret_len, enum json_token *ret_kind)
{
    struct json j;
    if (!w->plan_body) return NULL;
    json_begin(&j, w->plan_body, strlen(w->plan_body));
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY) {
        bool found = json_is(&j, key, strlen(key));
        const char *from = j.at;
        enum json_token t = json_next(&j);
        (void)json_leave(&j, t);
        if (!found) continue;
        from += strspn(from, " \t\r\n");
        *ret_len = (size_t)(j.at - from);
        *ret_kind = t;
        return from;
    }
    return NULL;
}

/* The members of an object without its braces. */
static void put_members(struct buf *out, const char *object, size_t n, bool comma)
{
    const char *from = object + 1, *to = object + n - 1;
    while (from < to && strchr(" \t\r\n", *from))
        from++;
    if (from < to && comma) (void)buf_putc(out, ',');
    (void)buf_put(out, from, (size_t)(to - from));
}

static bool object_has(const char *object, size_t n, const char *key)
{
    struct json j;
    bool found = false;
    json_begin(&j, object, n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY) {
        found = found || json_is(&j, key, strlen(key));
        (void)json_skip(&j);
    }
    return found;
}

void body_nested(struct body_writer *w, const char *key, const char *member, uint32_t n, const char *more)
{
    size_t len = 0;
    enum json_token kind = JSON_BAD;
    const char *theirs = plan_value(w, key, &len, &kind);
    if (theirs && kind != JSON_OBJECT) return; /* the plan's own value will be written */
    if (!theirs && is_omitted(w, key)) return;
    if (w->any) (void)buf_putc(w->out, ',');
    (void)buf_printf(w->out, "\"%s\":{", key);
    bool ours = n > 0 && !is_omitted(w, member) && !(theirs && object_has(theirs, len, member));
    if (ours) (void)buf_printf(w->out, "\"%s\":%u", member, n);
    if (ours && *more) (void)buf_putc(w->out, ',');
    (void)buf_puts(w->out, more);
    if (theirs) put_members(w->out, theirs, len, ours || *more);
    (void)buf_putc(w->out, '}');
    w->any = true;
    w->merged = theirs ? key : NULL;
}

/* Writes the plan's members except the merged one. */
static void put_others(struct body_writer *w)
{
    struct json j;
    json_begin(&j, w->plan_body, strlen(w->plan_body));
    (void)json_next(&j);
    for (const char *from = j.at; json_next(&j) == JSON_KEY; from = j.at + strspn(j.at, ", \t\r\n")) {
        bool merged = json_is(&j, w->merged, strlen(w->merged));
        (void)json_skip(&j);
        if (merged) continue;
        from += strspn(from, " \t\r\n");
        if (w->any) (void)buf_putc(w->out, ',');
        w->any = true;
        (void)buf_put(w->out, from, (size_t)(j.at - from));
    }
}

int body_end(struct body_writer *w)
{
    if (w->merged) {
        put_others(w);
    } else if (w->plan_body) {
        const char *from = strchr(w->plan_body, '{'), *to = strrchr(w->plan_body, '}');
        put_members(w->out, from, (size_t)(to + 1 - from), w->any);
    }
    (void)buf_putc(w->out, '}');
    return w->out->bad ? -1 : 0;
}
