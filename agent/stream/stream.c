#include "agent/stream/stream.h"

#include <string.h>

#define NOT_SAID UINT32_MAX
#define TOKENS_PER_EVENT_MAX 65536u /* a server that claims more is not believed */

void stream_begin(struct stream *s, const struct dialect *d, struct gap_pool *pool, int64_t window_from,
                  int64_t window_to)
{
    memset(s, 0, offsetof(struct stream, shape));
    s->shape.prefix = 0;
    s->dialect = d;
    s->window_from = window_from;
    s->window_to = window_to;
    s->counted = NOT_SAID;
    s->t.dns_ns = s->t.tcp_ns = s->t.tls_ns = -1;
    gaps_init(&s->gaps, pool);
    sse_init(&s->sse, &pool->carries);
}

void stream_release(struct stream *s)
{
    gaps_release(&s->gaps);
    sse_release(&s->sse);
}

/* Tokens that the server's running usage gives this token event: what was added since the token event before. */
static uint32_t event_tokens(struct stream *s, const struct event *ev)
{
    uint32_t now = ev->flags & EVENT_USAGE ? ev->output_tokens : NOT_SAID, before = s->counted;
    s->counted = now;
    if (now == NOT_SAID || before == NOT_SAID || now <= before || now - before > TOKENS_PER_EVENT_MAX) return 1;
    return now - before;
}

static void take_token(struct stream *s, uint32_t flags, uint32_t tokens, int64_t at)
{
    if (s->events++ == 0)
        s->t.first_token = at;
    else
        gaps_put(&s->gaps, at - s->t.last_token, tokens);
    s->t.last_token = at;
    if (s->t.first_content == 0 && (flags & EVENT_CONTENT)) s->t.first_content = at;
    if (at >= s->window_from && at < s->window_to) s->window_events++;
}

static void take_usage(struct stream *s, const struct event *ev)
{
    s->usage = true;
    if (ev->input_tokens > s->usage_in) s->usage_in = ev->input_tokens;
    if (ev->output_tokens > s->usage_out) s->usage_out = ev->output_tokens;
    if (ev->cached_tokens > s->usage_cached) s->usage_cached = ev->cached_tokens;
}

static void take_event(struct stream *s, const struct sse_event *e, struct event *ret, int64_t at)
{
    if (s->t.first_event == 0) s->t.first_event = at;
    s->dialect->scan(e->name, e->name_len, e->data, e->len, ret);
    if (ret->flags & EVENT_TOKEN) take_token(s, ret->flags, event_tokens(s, ret), at);
    if (ret->flags & EVENT_USAGE) take_usage(s, ret);
    if (ret->flags & EVENT_FINISH) s->finish = true;
    if (ret->flags & EVENT_ERROR) s->error = true;
    if (ret->flags & EVENT_MALFORMED) s->malformed = true;
    if (ret->flags & EVENT_END) {
        s->end = true;
        s->t.done = at;
    }
}

/* The events from p on that have the learnt shape; returns where they end. */
static const char *take_shaped(struct stream *s, const char *p, const char *end, int64_t at)
{
    for (const char *behind; (behind = shape_match(&s->shape, p, end)) != NULL; p = behind) {
        take_token(s, s->shape.flags, 1, at);
        s->counted = NOT_SAID;
        s->shaped++;
    }
    return p;
}

/* Finds out at the body's first visible byte whether this is an event stream: no line of one begins with a bracket. */
static const char *begin_body(struct stream *s, const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    if (p < end) {
        s->begun = true;
        s->plain = *p == '{' || *p == '[';
    }
    return p;
}

uint32_t stream_feed(struct stream *s, const char *bytes, size_t n, int64_t arrival_ns)
{
    if (n == 0) return 0;
    s->bytes += n;
    s->last_read = arrival_ns;
    if (s->t.first_byte == 0) s->t.first_byte = arrival_ns;
    const char *p = bytes, *end = bytes + n;
    if (!s->begun) p = begin_body(s, p, end);
    if (s->plain) {
        if (sse_keep(&s->sse, p, (size_t)(end - p)) != 0) s->malformed = true;
        return 0;
    }
    uint32_t before = s->events;
    while (p < end && !s->end && !s->malformed) {
        if (s->shape.prefix > 0 && sse_at_start(&s->sse)) p = take_shaped(s, p, end, arrival_ns);
        struct sse_event e;
        struct event ev;
        const char *raw = p;
        int found = sse_next(&s->sse, &p, end, &e);
        if (found < 0) s->malformed = true;
        if (found <= 0) continue;
        take_event(s, &e, &ev, arrival_ns);
        if (!s->full_only) shape_learn(&s->shape, raw, p, &e, &ev);
    }
    return s->events - before;
}

/* What the body's end tells: a whole body that is one JSON value, or a last event that no blank line ended. Of such an
 * event only an end marker or an error counts; half an event is what a cut leaves. */
static void settle(struct stream *s)
{
    struct event ev = {0};
    struct sse_event last;
    size_t n;
    if (s->plain && !s->malformed) {
        const char *body = sse_kept(&s->sse, &n);
        s->dialect->scan("", 0, body, n, &ev);
        if (ev.flags & EVENT_ERROR)
            s->error = true;
        else
            s->malformed = true;
    } else if (!s->plain && !s->end && !s->malformed && sse_last(&s->sse, &last) == 1) {
        s->dialect->scan(last.name, last.name_len, last.data, last.len, &ev);
        if (ev.flags & EVENT_ERROR) s->error = true;
        if (ev.flags & EVENT_END) {
            s->end = true;
            s->t.done = s->last_read;
        }
    } else if (s->sse.bad && s->t.first_event == 0) {
        s->malformed = true; /* a page of HTML on one line */
    }
}

static enum counter transport_label(enum transport_end end)
{
    if (end == END_CANCELLED) return COUNTER_CANCELLED;
    if (end == END_ABORTED) return COUNTER_ABORTED;
    if (end <= END_FAILED_BEFORE) return COUNTER_FAILED_TRUNCATED;
    return (enum counter)(COUNTER_FAILED_FIRST + (end - END_FAILED_BEFORE - 1));
}

/* The transport's word stands whatever the server said. */
static bool transport_first(enum transport_end end)
{
    if (end <= END_FAILED_BEFORE) return end == END_CANCELLED || end == END_ABORTED;
    return FAILURES[end - END_FAILED_BEFORE - 1].by == FAILURE_BY_CONNECTION;
}

static enum counter status_label(int status)
{
    if (status == 429) return COUNTER_FAILED_HTTP_429;
    return status >= 400 && status < 500 ? COUNTER_FAILED_HTTP_4XX : COUNTER_FAILED_HTTP_5XX;
}

enum counter stream_outcome(struct stream *s, enum transport_end end, int http_status)
{
    bool success = http_status >= 200 && http_status < 300;
    if (end == END_COMPLETE) settle(s);
    if (success && s->end && !s->error && !s->malformed && s->events > 0) return COUNTER_OK;
    if (transport_first(end)) return transport_label(end);
    if (http_status != 0 && !success) return status_label(http_status);
    if (s->error) return COUNTER_FAILED_STREAM_ERROR;
    if (s->malformed) return COUNTER_FAILED_MALFORMED;
    if (s->end) return COUNTER_FAILED_EMPTY;
    if (end == END_CUT && http_status == 0) return COUNTER_FAILED_RESET;
    if (end == END_COMPLETE && http_status == 0) return COUNTER_FAILED_MALFORMED;
    return transport_label(end);
}
