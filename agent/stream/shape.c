#include "agent/stream/shape.h"

#include <string.h>

#include "common/json_scan.h"

/* After TRIES attempts to learn only one event in TRY_EVERY is tried, since learning costs a walk over its notes. */
#define TRIES 12u
#define TRY_EVERY 64u
#define SHARED_TRIES 64u
#define FIELD 6u        /* bytes of "data: " */
#define SHARED_LOOKS 3u /* shared shapes that an event is compared with */

void shape_init(struct shape *sh)
{
    sh->size = 0;
    sh->tries = 0;
    sh->n_notes = sh->n_holes = 0;
}

static bool teaches(uint32_t flags)
{
    return (flags & EVENT_TOKEN) && !(flags & ~(uint32_t)(EVENT_TOKEN | EVENT_USAGE));
}

static bool is_line_end(const char *p, size_t n)
{
    return (n == 1 && *p == '\n') || (n == 2 && memcmp(p, "\r\n", 2) == 0);
}

static bool is_blank_line(const char *p, size_t n)
{
    return (n == 2 && memcmp(p, "\n\n", 2) == 0) || (n == 4 && memcmp(p, "\r\n\r\n", 4) == 0);
}

/* One data line, after at most an event: line, and the blank line. `field`: bytes in front of the data. */
static bool is_plain_sse(const char *raw, size_t field, const char *rest, size_t n_rest)
{
    const char *data = raw;
    if (field > 6 && memcmp(raw, "event:", 6) == 0) {
        const char *lf = memchr(raw, '\n', field);
        if (!lf || memchr(raw, '\r', (size_t)(lf - raw) - (lf[-1] == '\r'))) return false;
        data = lf + 1;
    }
    size_t n = field - (size_t)(data - raw);
    return (n == 5 || n == 6) && memcmp(data, "data: ", n) == 0 && is_blank_line(rest, n_rest);
}

static bool is_plain(const struct dialect *d, const char *raw, const char *raw_end, const struct sse_event *e)
{
    if ((uintptr_t)e->data < (uintptr_t)raw || (uintptr_t)e->data > (uintptr_t)raw_end) return false;
    size_t size = (size_t)(raw_end - raw), field = (size_t)(e->data - raw);
    if (size > SHAPE_MAX || field + e->len > size) return false;
    const char *rest = e->data + e->len;
    size_t n = (size_t)(raw_end - rest);
    return d->framing == FRAMING_LINES ? field == 0 && is_line_end(rest, n) : is_plain_sse(raw, field, rest, n);
}

/* Do the events agree outside their notes, and in the kinds of their notes? Skipped values that differ are marked, in
 * `now` too. */
static bool is_alike(const struct shape *sh, const char *raw, size_t size, struct shape_note *now, uint32_t n)
{
    size_t a = 0, b = 0;
    if (sh->size == 0 || sh->n_notes != n) return false;
    for (uint32_t i = 0; i <= n; i++) {
        size_t stop_a = i < n ? sh->note[i].at : sh->size, stop_b = i < n ? now[i].at : size;
        if (stop_a - a != stop_b - b || memcmp(sh->bytes + a, raw + b, stop_a - a) != 0) return false;
        if (i == n) break;
        const struct shape_note *before = &sh->note[i];
        if (before->kind != now[i].kind) return false;
        now[i].differs = before->differs || before->len != now[i].len ||
                         memcmp(sh->bytes + before->at, raw + now[i].at, now[i].len) != 0;
        a = stop_a + before->len;
        b = stop_b + now[i].len;
    }
    return true;
}

static bool is_hole(const struct shape_note *n)
{
    return n->differs || (n->kind != JSON_NOTE_STRING && n->kind != JSON_NOTE_NUMBER);
}

/* A number that occurs twice: the later one counts, so the earlier one may not differ. */
static bool counts_once(const struct json_notes *notes, uint32_t i)
{
    enum json_note_kind kind = notes->note[i].kind;
    if (kind < JSON_NOTE_INPUT) return true;
    for (uint32_t k = 0; k < notes->n; k++)
        if (k != i && notes->note[k].kind == kind) return false;
    return true;
}

/* What the event teaches becomes the shape. */
static void put(struct shape *sh, const char *raw, size_t size, struct shape_note *now, uint32_t n,
                const struct event *ev, struct shape_line line)
{
    if (!is_alike(sh, raw, size, now, n))
        for (uint32_t i = 0; i < n; i++)
            now[i].differs = false;
    sh->size = 0;
    sh->n_holes = 0;
    sh->numbers = false;
    size_t from = 0; /* the byte after the hole before */
    for (uint32_t i = 0; i < n; i++) {
        if (!is_hole(&now[i])) continue;
        if (sh->n_holes == SHAPE_HOLES) return;
        sh->hole[sh->n_holes++] = (struct shape_hole){(uint16_t)(now[i].at - from), now[i].len, now[i].kind};
        sh->numbers |= now[i].kind >= JSON_NOTE_INPUT;
        from = (size_t)now[i].at + now[i].len;
    }
    sh->hole[sh->n_holes] = (struct shape_hole){.before = (uint16_t)(size - from)};
    sh->size = (uint16_t)size;
    sh->n_notes = (uint8_t)n;
    sh->event = *ev;
    sh->line = line;
    memcpy(sh->note, now, n * sizeof *now);
    memcpy(sh->bytes, raw, size);
}

static bool tries(uint16_t *tried, uint32_t most)
{
    return ++*tried <= most || *tried % TRY_EVERY == 0;
}

static void put_shared(struct shapes *all, const char *raw, size_t size, struct shape_note *now, uint32_t n,
                       const struct event *ev, struct shape_line line)
{
    if ((ev->flags & (EVENT_ERROR | EVENT_MALFORMED | EVENT_AGAIN)) || !tries(&all->tries, SHARED_TRIES)) return;
    uint32_t i = 0;
    while (i < SHAPES_N && !is_alike(&all->at[i], raw, size, now, n))
        i++;
    if (i == SHAPES_N) i = all->next++ % SHAPES_N;
    put(&all->at[i], raw, size, now, n, ev, line);
}

bool shape_match_data(const struct shape *sh, const struct sse_event *e, struct event *ev)
{
    const char *end = e->data + e->len;
    if (sh->size == 0 || sh->line.field == 0 || e->name_len > 0) return false;
    *ev = sh->event;
    return shape_match_inside(sh, sh->line.field, sh->line.rest, e->data, end, ev) == end;
}

void shape_learn(struct shape *sh, const struct dialect *d, const char *raw, const char *raw_end,
                 const struct sse_event *e, const struct event *ev, const struct json_notes *notes)
{
    struct shape_note now[SHAPE_NOTES];
    size_t field = (size_t)(e->data - raw), size = (size_t)(raw_end - raw);
    if ((!d->shapes && !teaches(ev->flags)) || notes->n > SHAPE_NOTES || !is_plain(d, raw, raw_end, e)) return;
    for (uint32_t i = 0; i < notes->n; i++) {
        const struct json_note *note = &notes->note[i];
        if (!counts_once(notes, i)) return;
        now[i] = (struct shape_note){(uint16_t)(field + note->at), (uint16_t)note->len, (uint8_t)note->kind, false};
    }
    struct shape_line line = {0};
    if (d->framing == FRAMING_SSE && field <= 6)
        line = (struct shape_line){(uint8_t)field, (uint8_t)(size - field - e->len)};
    if (d->shapes) put_shared(d->shapes, raw, size, now, notes->n, ev, line);
    if (teaches(ev->flags) && tries(&sh->tries, TRIES)) put(sh, raw, size, now, notes->n, ev, line);
}

void shape_learn_data(struct shape *sh, const struct dialect *d, const struct sse_event *e, const struct event *ev,
                      const struct json_notes *notes)
{
    char raw[SHAPE_MAX];
    const struct sse_event line = {.name = "", .data = raw + FIELD, .len = e->len};
    const size_t n = FIELD + e->len + 2;
    bool one = d->framing == FRAMING_SSE && e->name_len == 0 && n <= SHAPE_MAX && !memchr(e->data, '\n', e->len);
    if (!one) return;
    memcpy(raw, "data: ", FIELD);
    memcpy(raw + FIELD, e->data, e->len);
    memcpy(raw + n - 2, "\n\n", 2);
    shape_learn(sh, d, raw, raw + n, &line, ev, notes);
}

/* Learns from an event that has another shape: its notes are as those of that one, but for the lengths of what may
 * differ. */
static void shape_adopt(struct shape *sh, const struct shape *from, const char *raw, const char *raw_end,
                        const struct event *ev)
{
    struct shape_note now[SHAPE_NOTES];
    const char *p = raw;
    size_t learnt = 0;
    bool escaped;
    if (!teaches(ev->flags) || raw_end - raw > (ptrdiff_t)SHAPE_MAX || !tries(&sh->tries, TRIES)) return;
    for (uint32_t i = 0; i < from->n_notes; i++) {
        const struct shape_note *note = &from->note[i];
        p += note->at - learnt;
        const char *stop = !is_hole(note) ? p + note->len
                           : note->kind == JSON_NOTE_STRING || note->kind == JSON_NOTE_TEXT
                               ? json_string_end(p, raw_end, &escaped)
                               : json_number_end(p, raw_end);
        now[i] = (struct shape_note){(uint16_t)(p - raw), (uint16_t)(stop - p), note->kind, false};
        p = stop;
        learnt = (size_t)note->at + note->len;
    }
    put(sh, raw, (size_t)(raw_end - raw), now, from->n_notes, ev, from->line);
}

const char *shapes_match(const struct shapes *all, uint8_t *hint, struct shape *sh, const char *p, const char *end,
                         struct event *ev)
{
    for (uint32_t i = 0; i < SHARED_LOOKS; i++) {
        const struct shape *one = &all->at[(*hint + i) % SHAPES_N];
        if (!shape_is_learnt(one)) continue;
        *ev = one->event;
        const char *next = shape_match(one, p, end, ev);
        if (!next) continue;
        *hint = (uint8_t)((*hint + i + 1) % SHAPES_N);
        shape_adopt(sh, one, p, next, ev);
        return next;
    }
    return NULL;
}

static uint32_t *number_of(struct event *ev, uint8_t kind)
{
    switch (kind) {
    case JSON_NOTE_INPUT:
        return &ev->input_tokens;
    case JSON_NOTE_OUTPUT:
        return &ev->output_tokens;
    case JSON_NOTE_CACHED:
        return &ev->cached_tokens;
    case JSON_NOTE_TOTAL:
        return &ev->total_tokens;
    case JSON_NOTE_CHOICE:
        return &ev->choice;
    default:
        return &ev->thought_tokens;
    }
}

/* A count as nearly all servers write it, in one pass: at most nine digits, none too many, and nothing of a number
 * after them. NULL: it may still be one. */
static inline const char *plain_count(const char *p, const char *end, uint32_t *ret)
{
    const char *q = p, *most = end - p > 10 ? p + 10 : end;
    uint32_t v = 0;
    for (; q < most && (unsigned char)(*q - '0') < 10; q++)
        v = v * 10 + (uint32_t)(*q - '0');
    if (q == p || q == most || (*p == '0' && q - p > 1) || *q == '.' || (*q | 0x20) == 'e') return NULL;
    *ret = v;
    return q;
}

const char *shape_fill(const struct shape_hole *hole, const char *p, const char *end, struct event *ev)
{
    uint32_t count;
    const char *stop = plain_count(p, end, &count);
    if (stop) {
        if (hole->kind != JSON_NOTE_NUMBER) *number_of(ev, hole->kind) = count;
        return stop;
    }
    stop = json_number_end(p, end);
    if (!stop || hole->kind == JSON_NOTE_NUMBER) return stop;
    return json_whole(p, (size_t)(stop - p), number_of(ev, hole->kind)) ? stop : NULL;
}
