#include "agent/stream/stream.h"

#include <stdio.h>
#include <string.h>

#include "agent/stream/cache_header.h"
#include "agent/stream/error_header.h"
#include "agent/stream/finish_word.h"
#include "agent/stream/model_name.h"
#include "agent/stream/stranger.h"
#include "common/failure_sample.h"

#define TOKENS_PER_EVENT_MAX 65536u /* a server that claims more is not believed */

void stream_begin(struct stream *s, const struct dialect *d, struct gap_pool *pool, int64_t window_from,
                  int64_t window_to)
{
    memset(s, 0, offsetof(struct stream, shape));
    shape_init(&s->shape);
    s->dialect = d;
    s->window_from = window_from;
    s->window_to = window_to;
    s->counted = s->counted_first = STREAM_NOT_SAID;
    s->t.dns_ns = s->t.tcp_ns = s->t.tls_ns = -1;
    gaps_init(&s->gaps, pool);
    gaps_init(&s->blurred, pool);
    carry_init(&s->carry, &pool->carries);
    carry_init(&s->apart, &pool->carries);
    if (d->choices > 1) s->choice = (void *)carry_room(&s->apart, 0, STREAM_CHOICES * sizeof *s->choice);
    for (uint32_t i = 0; s->choice && i < STREAM_CHOICES; i++)
        s->choice[i] = (struct stream_choice){.counted = STREAM_NOT_SAID};
    sse_init(&s->sse, &s->carry);
    lines_init(&s->lines, &s->carry);
}

void stream_clear(struct stream *s)
{
    gaps_clear(&s->gaps);
    gaps_clear(&s->blurred);
    sse_clear(&s->sse);
    carry_clear(&s->carry);
    carry_clear(&s->apart);
    s->choice = NULL;
}

/* Tokens that the server's running usage gives this token event: what was added since the token event before. */
static uint32_t event_tokens(uint32_t *counted, const struct event *ev)
{
    uint32_t now = ev->flags & EVENT_USAGE ? ev->output_tokens : STREAM_NOT_SAID, before = *counted;
    *counted = now;
    if (now == STREAM_NOT_SAID || before == STREAM_NOT_SAID || now <= before || now - before > TOKENS_PER_EVENT_MAX)
        return 1;
    return now - before;
}

static void take_first_content(struct stream *s, uint32_t flags, int64_t at)
{
    s->t.first_content = at;
    s->refused = flags & EVENT_REFUSAL;
}

/* This and take() are what a token costs: inline, which -O2 leaves out. */
static inline __attribute__((always_inline)) void take_token(struct stream *s, uint32_t flags, uint32_t tokens,
                                                             int64_t at)
{
    if (s->events++ == 0) {
        s->t.first_token = at;
        s->counted_first = s->counted;
    } else
        gaps_put(&s->gaps, at - s->t.last_token, tokens);
    s->t.last_token = at;
    if ((flags & EVENT_TOKEN) == EVENT_REASONING) s->thoughts++;
    if (s->t.first_content == 0 && (flags & EVENT_CONTENT)) take_first_content(s, flags, at);
    if (at >= s->window_from && at < s->window_to) s->window_events++;
}

/* A token of one of several answers: its gap is to the one before of the same answer, its count that of its answer. */
static void take_choice(struct stream *s, const struct event *ev, int64_t at)
{
    struct stream_choice *c = &s->choice[ev->choice < STREAM_CHOICES ? ev->choice : STREAM_CHOICES - 1];
    uint32_t tokens = event_tokens(&c->counted, ev);
    if (s->events++ == 0) s->t.first_token = at;
    if (c->events++ == 0)
        c->first = at;
    else
        gaps_put(&s->gaps, at - c->last, tokens);
    s->pieces += c->last != at || ev->choice >= STREAM_CHOICES; /* in the last place, it may be another's */
    c->last = s->t.last_token = at;
    if ((ev->flags & EVENT_TOKEN) == EVENT_REASONING) s->thoughts++;
    if (s->t.first_content == 0 && (ev->flags & EVENT_CONTENT)) take_first_content(s, ev->flags, at);
    if (at >= s->window_from && at < s->window_to) s->window_events++;
}

int64_t stream_tpot(const struct stream *s, uint32_t seen)
{
    int64_t span = s->t.last_token - s->t.first_token;
    uint32_t answers = 1;
    if (s->choice) {
        span = answers = 0;
        for (const struct stream_choice *c = s->choice; c < s->choice + STREAM_CHOICES; c++) {
            span += c->last - c->first;
            answers += c->events > 0;
        }
    }
    return seen > answers ? (span + (int64_t)(seen - answers) / 2) / (int64_t)(seen - answers) : -1;
}

/* Running usage may end a little lower, and some servers send zeros in between. Of several answers, and where thoughts
 * are counted apart, each number may be of another part. */
static bool falls(const struct stream *s, uint32_t now)
{
    bool one = s->dialect->choices <= 1 && !s->dialect->thoughts_apart;
    return one && now > 0 && (uint64_t)now + now / 10 + STREAM_FALLS_LEAST < s->usage_out;
}

#define PIECE_EVENTS 4u  /* from so many events in a read on, reads are pieces … */
#define PIECE_SHARE 100u /* … where all of them came within this part of the answer's time */

bool stream_came_at_once(const struct stream *s, uint32_t seen)
{
    int64_t span = s->t.last_token - s->t.first_token, e2e = s->t.last_token - s->t.sent;
    uint32_t answers = s->dialect->choices > 1 ? s->dialect->choices : 1;
    if (s->dialect->whole || seen <= answers) return false;
    return span == 0 || (!s->late && s->pieces * PIECE_EVENTS <= s->events && span * PIECE_SHARE < e2e);
}

static void take_usage(struct stream *s, const struct event *ev)
{
    s->usage = true;
    s->usage_at = s->events;
    if (ev->input_tokens > s->usage_in || (s->guessed && ev->input_tokens > 0)) s->usage_in = ev->input_tokens;
    s->guessed = ev->flags & EVENT_GUESS;
    if (ev->output_tokens > s->usage_out)
        s->usage_out = ev->output_tokens;
    else if (falls(s, ev->output_tokens))
        s->fell = true;
    if (ev->cached_tokens > s->usage_cached) s->usage_cached = ev->cached_tokens;
    if (ev->thought_tokens > s->usage_thought) s->usage_thought = ev->thought_tokens;
    if (ev->total_tokens > s->usage_total) s->usage_total = ev->total_tokens;
}

static inline __attribute__((always_inline)) void take(struct stream *s, const struct event *ev, int64_t at)
{
    if (ev->flags & EVENT_TOKEN) {
        if (s->choice)
            take_choice(s, ev, at);
        else
            take_token(s, ev->flags, event_tokens(&s->counted, ev), at);
    }
    if (!(ev->flags & EVENT_USAGE)) return;
    struct event all = *ev;
    if (s->dialect->thoughts_apart) /* which no event shows, but perhaps a summary of them */
        all.output_tokens += ev->thought_tokens < UINT32_MAX - all.output_tokens ? ev->thought_tokens : 0;
    take_usage(s, &all);
}

static void scan(const struct stream *s, const struct sse_event *e, struct json_notes *notes, struct event *ret)
{
    s->dialect->scan(s->dialect, &(struct dialect_event){e->name, e->data, e->name_len, e->len, s->text, notes}, ret);
}

/* The event by which the stream fails, for its sample. */
static void keep_said(struct stream *s, const struct sse_event *e)
{
    struct gap_pool *pool = s->gaps.pool;
    pool->said_n = (uint32_t)(e->len < GAP_POOL_SAID ? e->len : GAP_POOL_SAID);
    memcpy(pool->said, e->data, pool->said_n);
}

static void look_keep(struct stream_look *look, enum remark_kind kind, const char *bytes, size_t n)
{
    if (look->kept[kind] || n == 0) return;
    look->n[kind] = (uint32_t)(n < STREAM_LOOK_BYTES ? n : STREAM_LOOK_BYTES);
    memcpy(look->bytes[kind], bytes, look->n[kind]);
    look->is_new = true;
}

static void look_at(struct stream *s, const struct sse_event *e, const struct event *ev)
{
    struct stream_look *look = s->look;
    uint32_t flags = ev->flags;
    size_t n;
    if (flags & EVENT_UNKNOWN) look_keep(look, REMARK_UNKNOWN_EVENT, e->data, e->len);
    if (flags & EVENT_UNREAD) look_keep(look, REMARK_USAGE_UNREAD, e->data, e->len);
    if ((flags & EVENT_FINISH) && ev->finish == FINISH_OTHER && !look->kept[REMARK_FINISH_OTHER]) {
        const char *word = finish_word_find(e->data, e->len, &n);
        look_keep(look, REMARK_FINISH_OTHER, word, n);
    }
    if (s->named || look->models == 0) return;
    const char *name = model_name_find(e->data, e->len, &n);
    s->named = name != NULL;
    if (!name)
        look->models--;
    else
        look_keep(look, REMARK_OTHER_MODEL, name, n);
}

static void take_flags(struct stream *s, const struct sse_event *e, const struct event *ev)
{
    uint32_t flags = ev->flags;
    bool bad = flags & (EVENT_ERROR | EVENT_MALFORMED);
    if ((bad || ((flags & EVENT_FINISH) && s->events == 0)) && !s->error && !s->malformed)
        keep_said(s, e); /* of an answer that ends before its first token: it may say why */
    if (flags & EVENT_MALFORMED) {
        s->malformed = true;
        s->why = stranger_event(e->data, e->len);
    }
    if (flags & EVENT_ERROR) s->error = true;
    if (flags & EVENT_UNREAD) s->unread = true;
    if (flags & EVENT_FINISH) s->finish = true;
    if (ev->finish > s->finish_by) s->finish_by = ev->finish;
    if (flags & EVENT_UNKNOWN)
        s->unknown++;
    else
        s->known = true;
}

/* Learnt: the finish reason is the last that comes, and the body stays open after it. */
static bool is_held(const struct dialect *d)
{
    return d->ends_as_learnt && d->ends && d->ends->marked == 0 && d->ends->held > 0;
}

/* `e`: its bytes, for a sample. */
static void take_said(struct stream *s, const struct sse_event *e, const struct event *ev, int64_t at)
{
    if (s->t.first_event == 0) s->t.first_event = at;
    take(s, ev, at);
    if (!(ev->flags & EVENT_TOKEN)) s->beside += e->len;
    take_flags(s, e, ev);
    if (s->look) look_at(s, e, ev);
    bool held = is_held(s->dialect), last = (s->dialect->ends_with_finish || held) && (ev->flags & EVENT_FINISH);
    if (last || (ev->flags & EVENT_END)) {
        s->end = true;
        s->t.done = at;
        if (held && !(ev->flags & EVENT_END)) s->ended_by = STREAM_END_FINISH;
    }
}

/* The answer so far is new where no other event had text. */
static __attribute__((noinline)) void take_again(struct stream *s, struct event *ev)
{
    if (s->events == s->repeats) {
        s->repeats++;
        return;
    }
    ev->flags &= ~(uint32_t)EVENT_TOKEN;
    if (s->text) buf_take_out(s->text, s->text->len - ev->again, s->text->len);
}

static inline __attribute__((always_inline)) void take_event(struct stream *s, const struct sse_event *e,
                                                             struct json_notes *notes, struct event *ret, int64_t at)
{
    scan(s, e, notes, ret);
    if (ret->flags & EVENT_AGAIN) take_again(s, ret);
    take_said(s, e, ret, at);
}

static void note_frame(struct stream *s)
{
    uint32_t frame = shape_frame(&s->shape);
    if (frame > 0 && (s->frame == 0 || frame < s->frame)) s->frame = frame;
}

/* An event with a shape that other streams' events had; returns where it ends, p: it is none. */
static const char *take_shared(struct stream *s, const char *p, const char *end, int64_t at)
{
    struct event ev;
    const char *next = shapes_match(s->dialect->shapes, &s->shape_hint, &s->shape, p, end, &ev);
    if (!next) return p;
    note_frame(s);
    sse_passed(&s->sse);
    s->shaped += (ev.flags & EVENT_TOKEN) != 0;
    const char *data = memchr(p, '{', (size_t)(next - p)); /* what is looked at is JSON, and the end marker is not */
    if (!data) data = p;
    take_said(s, &(struct sse_event){.data = data, .len = (size_t)(next - data)}, &ev, at);
    return next;
}

/* The events from p on that have the learnt shape; returns where they end. */
static const char *take_shaped(struct stream *s, const char *p, const char *end, int64_t at)
{
    struct event ev = s->shape.event;
    const char *next;
    for (; p < end && (next = shape_match(&s->shape, p, end, &ev)) != NULL; p = next, s->shaped++)
        take(s, &ev, at);
    return p;
}

/* Of an event with the learnt shape everything is known before it comes, but the moment. */
static bool is_plain_shape(const struct stream *s)
{
    uint32_t flags = s->shape.event.flags;
    return !(flags & EVENT_USAGE) && !s->shape.numbers && !s->choice && s->events > 0 &&
           (s->t.first_content != 0 || !(flags & EVENT_CONTENT));
}

/* take_shaped where is_plain_shape holds: as nearly all tokens come. Does what take_token does, once for all of them.
 */
static inline __attribute__((always_inline)) const char *take_plain(struct stream *s, const char *p, const char *end,
                                                                    int64_t at)
{
    const struct shape *sh = &s->shape;
    int64_t gap = at - s->t.last_token;
    uint32_t n = 0;
    for (const char *next; p < end && (next = shape_match(sh, p, end, NULL)) != NULL; p = next, n++, gap = 0)
        gaps_put(&s->gaps, gap, 1);
    if (n == 0) return p;
    s->events += n;
    s->shaped += n;
    s->counted = STREAM_NOT_SAID;
    s->t.last_token = at;
    if ((sh->event.flags & EVENT_TOKEN) == EVENT_REASONING) s->thoughts += n;
    if (at >= s->window_from && at < s->window_to) s->window_events += n;
    return p;
}

/* Finds out at the body's first visible byte whether this is a stream at all: no line of server-sent events begins with
 * a bracket, and none of either framing with that of a page. */
static const char *begin_body(struct stream *s, const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
        p++;
    if (p < end) {
        s->begun = true;
        s->plain = *p == '[' || (*p == '{' && (s->dialect->framing == FRAMING_SSE || s->dialect->whole));
        if (*p == '<' || (s->dialect->whole && !s->plain)) s->malformed = true;
    }
    return p;
}

/* A body that is not a stream is read when it is complete. */
static void keep_body(struct stream *s, const char *p, size_t n)
{
    char *to = n > CARRY_MAX ? NULL : carry_room(&s->carry, s->body, s->body + n);
    if (!to) {
        s->malformed = true;
        s->why = "a body of more than 8 MiB that is not a stream of events";
        return;
    }
    memcpy(to + s->body, p, n);
    s->body += (uint32_t)n;
}

static bool at_start(const struct stream *s)
{
    return s->dialect->framing == FRAMING_LINES ? lines_at_start(&s->lines) : sse_at_start(&s->sse);
}

static int next_event(struct stream *s, const char **at, const char *end, struct sse_event *ret)
{
    return s->dialect->framing == FRAMING_LINES ? lines_next(&s->lines, at, end, ret) : sse_next(&s->sse, at, end, ret);
}

/* Does the next byte begin an event that may be judged by its shape? */
static bool may_be_shaped(const struct stream *s)
{
    return at_start(s) && !s->full_only && !s->text;
}

/* The next event by the parser; with `start` its shape may be learnt. */
static inline __attribute__((always_inline)) void take_next(struct stream *s, const char **at, const char *end,
                                                            bool start, int64_t arrival)
{
    struct sse_event e;
    struct event ev;
    struct json_notes notes;
    const char *raw = *at;
    int found = next_event(s, at, end, &e);
    if (found < 0) {
        s->malformed = true;
        s->why = sse_is_too_long(&s->sse) || s->lines.bad ? "an event of more than 8 MiB" : NULL;
    }
    if (found <= 0) return;
    bool apart = !start && !s->full_only && !s->text; /* it came in pieces */
    if (apart && shape_match_data(&s->shape, &e, &ev)) {
        take(s, &ev, arrival);
        s->shaped++;
        return;
    }
    notes.n = 0;
    take_event(s, &e, start || apart ? &notes : NULL, &ev, arrival);
    if (start)
        shape_learn(&s->shape, s->dialect, raw, *at, &e, &ev, &notes);
    else if (apart)
        shape_learn_data(&s->shape, s->dialect, &e, &ev, &notes);
    note_frame(s);
}

static inline __attribute__((always_inline)) void note_plain(struct stream *s)
{
    s->at_plain = shape_is_learnt(&s->shape) && !s->end && !s->error && !s->malformed && !s->carry.held &&
                  may_be_shaped(s) && is_plain_shape(s);
}

/* stream_feed of bytes that are not all plain events. Apart, so that it costs those nothing. */
static __attribute__((noinline)) void feed(struct stream *s, const char *p, const char *end, int64_t at)
{
    if (s->t.first_byte == 0) s->t.first_byte = at;
    if (!s->begun) p = begin_body(s, p, end);
    if (s->plain && !s->malformed) {
        keep_body(s, p, (size_t)(end - p));
        return;
    }
    while (p < end && !s->end && !s->malformed) {
        bool start = may_be_shaped(s);
        if (start && shape_is_learnt(&s->shape))
            p = is_plain_shape(s) ? take_plain(s, p, end, at) : take_shaped(s, p, end, at);
        if (p == end && !s->carry.held) break; /* the parser has no buffer to give back */
        const char *raw = p;
        if (start && s->dialect->shapes && !s->carry.held && (p = take_shared(s, p, end, at)) != raw) continue;
        take_next(s, &p, end, start, at);
    }
    note_plain(s);
}

uint32_t stream_feed(struct stream *s, const char *bytes, size_t n, int64_t arrival_ns)
{
    const char *p = bytes, *end = bytes + n;
    uint32_t before = s->events;
    int64_t last = s->t.last_token;
    if (n == 0) return 0;
    s->bytes += n;
    s->last_read = arrival_ns;
    if (s->at_plain && (p = take_plain(s, p, end, arrival_ns)) == end) { /* as nearly always */
        s->pieces += last != arrival_ns;                                 /* a read may be fed in parts */
        return s->events - before;
    }
    feed(s, p, end, arrival_ns);
    s->pieces += s->events > before && last != arrival_ns && !s->choice; /* take_choice has counted */
    return s->events - before;
}

/* A whole answer is one event, at its last byte. Where a stream was asked for, only an error is looked for. */
static void settle_plain(struct stream *s)
{
    struct event ev;
    const struct sse_event all = {.name = "", .data = carry_bytes(&s->carry), .len = s->body};
    scan(s, &all, NULL, &ev);
    bool answer = s->dialect->whole && !(ev.flags & (EVENT_MALFORMED | EVENT_UNKNOWN));
    if (ev.flags & EVENT_ERROR) {
        keep_said(s, &all);
        s->error = true;
    } else if (!answer)
        s->malformed = true;
    if (!answer) return;
    if (s->look) look_at(s, &all, &ev);
    s->t.first_event = s->t.done = s->last_read;
    s->end = true;
    s->finish = ev.flags & EVENT_FINISH;
    s->unread = ev.flags & EVENT_UNREAD;
    s->finish_by = ev.finish;
    take(s, &ev, s->last_read);
}

/* The last event when nothing has closed it. A line of JSON still counts. Of a server-sent event only an end marker or
 * an error counts, since a cut may have left half of it. */
static void settle_last(struct stream *s)
{
    struct event ev;
    struct sse_event last;
    if (s->dialect->framing == FRAMING_LINES) {
        if (lines_last(&s->lines, &last)) take_event(s, &last, NULL, &ev, s->last_read);
    } else if (sse_last(&s->sse, &last) == 1) {
        scan(s, &last, NULL, &ev);
        if (ev.flags & EVENT_ERROR) take_flags(s, &last, &(struct event){.flags = EVENT_ERROR});
        if (ev.flags & EVENT_END) {
            s->end = true;
            s->t.done = s->last_read;
        }
    }
}

/* Settles what only the body's end can show. */
static void settle(struct stream *s)
{

    if (s->plain && !s->malformed)
        settle_plain(s);
    else if (!s->plain && !s->end && !s->malformed)
        settle_last(s);
    bool text = s->dialect->framing == FRAMING_SSE && s->begun && !s->sse.spoke;
    if (s->t.first_event == 0 && !s->plain && (s->sse.noise > 0 || text)) s->malformed = true; /* nothing of a stream */
}

/* Hidden reasoning counts as output: where it takes all of the limit, none is left for text. */
static const char *used_up(const struct stream *s)
{
    char *why = s->gaps.pool->why;
    if (s->usage_out == 0) return s->usage ? NULL : FAILURE_LIMIT_REACHED ", and none of them came";
    (void)snprintf(why, GAP_POOL_WHY,
                   FAILURE_LIMIT_REACHED " before any text: usage counts %u output tokens, %u of them as "
                                         "reasoning, and none came",
                   s->usage_out, s->usage_thought);
    return why;
}

/* What is missing of an answer that came whole. */
static const char *missing(const struct stream *s)
{
    const char *used = s->finish_by == FINISH_LENGTH && s->events == 0 ? used_up(s) : NULL;
    if (s->bytes == 0) return "no body";
    if (used) return used;
    if (s->end && s->finish_by == FINISH_FILTER) return FAILURE_FILTERED;
    if (s->end && s->finish) return "a finish reason, and no token before it";
    if (s->end) return "an end marker, and no token before it";
    if (s->dialect->framing == FRAMING_SSE && s->t.first_event == 0 && s->sse.has_data)
        return "half an event: the body ended in the middle of it";
    if (s->t.first_event == 0) return "no event: comments or blank lines only";
    if (!s->known) return "events came, but none that target.api knows: is it right?";
    return s->finish ? "a finish reason and no end marker: target.end: finish is for servers that send none"
                     : "neither a finish reason nor the end marker";
}

void stream_header(struct stream *s, const char *name, size_t name_n, const char *value, size_t value_n)
{
    if (!s->end && error_header_is(name, name_n, value, value_n, s->bytes > 0)) s->error = true;
    if (cache_header_hits(name, name_n, value, value_n)) s->from_cache = true;
}

static enum counter transport_label(enum transport_end end)
{
    if (end == END_CANCELLED) return COUNTER_CANCELLED;
    if (end == END_ABORTED) return COUNTER_ABORTED;
    if (end <= END_FAILED_BEFORE) return COUNTER_FAILED_TRUNCATED;
    return (enum counter)(COUNTER_FAILED_FIRST + (end - END_FAILED_BEFORE - 1));
}

/* Does the transport's label hold, whatever the server sent? */
static bool transport_first(enum transport_end end)
{
    if (end <= END_FAILED_BEFORE) return end == END_CANCELLED || end == END_ABORTED;
    return FAILURES[end - END_FAILED_BEFORE - 1].by == FAILURE_BY_CONNECTION;
}

static enum counter status_label(int status)
{
    if (status == 407) return COUNTER_FAILED_PROXY;
    if (status == 429) return COUNTER_FAILED_HTTP_429;
    if (status >= 300 && status < 400) return COUNTER_FAILED_HTTP_3XX;
    return status >= 400 && status < 500 ? COUNTER_FAILED_HTTP_4XX : COUNTER_FAILED_HTTP_5XX;
}

/* target.end: auto, and there was no marker: may this answer end so? With its body: unless this server sends a marker,
 * or gives finish reasons and here is none. With silence after a finish reason: the server holds the body open. */
static bool ends_unmarked(const struct stream *s, enum transport_end end)
{
    const struct dialect_ends *ends = s->dialect->ends;
    if (!s->dialect->ends_as_learnt || s->end || s->error || s->malformed || s->events == 0) return false;
    if (ends && ends->marked > 0) return false;
    if (end == END_TIMEOUT_IDLE) return s->finish;
    bool reasons = ends && ends->finished > 0;
    return end == END_COMPLETE && (s->finish || !reasons);
}

static void end_unmarked(struct stream *s, enum transport_end end)
{
    s->end = true;
    s->t.done = s->last_read;
    s->ended_by = end == END_COMPLETE ? STREAM_END_BODY : STREAM_END_FINISH;
}

/* What the ok answers teach of the others' ends. */
static void learn_end(const struct stream *s)
{
    struct dialect_ends *ends = s->dialect->ends;
    if (!s->dialect->ends_as_learnt || !ends) return;
    if (s->ended_by == STREAM_END_MARKER)
        ends->marked++;
    else if (!s->finish)
        ends->bare++;
    else
        ends->finished++;
    if (s->ended_by == STREAM_END_FINISH) ends->held++;
}

/* What came of a good answer before a timeout, where that was no token; NULL: nothing worth a word. */
static const char *before_timeout(const struct stream *s, enum transport_end end)
{
    bool timeout = end == END_TIMEOUT_FIRST_TOKEN || end == END_TIMEOUT_IDLE || end == END_TIMEOUT_TOTAL;
    if (!timeout || s->events > 0 || s->dialect->whole) return NULL;
    if (s->bytes == 0) return "the head came, and nothing after it";
    return s->t.first_event == 0 ? "only comments or blank lines came, and no event"
                                 : "events came, and none with a token";
}

/* Lines between the events that are no field, such as a gateway's page after some tokens: what a failure has of words,
 * and the example of what is unknown. */
static void keep_noise(struct stream *s)
{
    const struct sse_event lines = {.data = carry_bytes(&s->sse.noise_text), .len = s->sse.noise_len};
    s->unknown += s->sse.noise;
    if (lines.len == 0) return;
    if (s->look) look_keep(s->look, REMARK_UNKNOWN_EVENT, lines.data, lines.len);
    if (!s->error && !s->malformed && s->gaps.pool->said_n == 0) keep_said(s, &lines);
}

enum counter stream_outcome(struct stream *s, enum transport_end end, int http_status)
{
    bool success = http_status >= 200 && http_status < 300;
    if (end == END_COMPLETE) settle(s);
    if (success && ends_unmarked(s, end)) end_unmarked(s, end);
    if (success && end == END_COMPLETE && s->dialect->ends_with_body && !s->end && !s->error && !s->malformed)
        end_unmarked(s, end);
    keep_noise(s);
    if (success && s->end && !s->error && !s->malformed && (s->events > 0 || s->dialect->no_tokens)) {
        learn_end(s);
        return COUNTER_OK;
    }
    if (transport_first(end)) return transport_label(end);
    if (http_status != 0 && !success) return status_label(http_status);
    if (s->error) return COUNTER_FAILED_STREAM_ERROR;
    if (s->malformed) return COUNTER_FAILED_MALFORMED;
    if (success) s->why = end == END_COMPLETE ? missing(s) : before_timeout(s, end);
    if (s->end || (end == END_COMPLETE && success && s->bytes == 0)) return COUNTER_FAILED_EMPTY;
    if (end == END_CUT && http_status == 0) return COUNTER_FAILED_RESET;
    if (end == END_COMPLETE && http_status == 0) return COUNTER_FAILED_MALFORMED;
    return transport_label(end);
}
