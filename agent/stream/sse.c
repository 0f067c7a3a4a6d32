#include "agent/stream/sse.h"

#include <string.h>

void sse_init(struct sse *s, struct carry *carry)
{
    *s = (struct sse){.carry = carry};
    carry_init(&s->noise_text, carry->pool);
}

void sse_clear(struct sse *s)
{
    carry_clear(&s->noise_text);
    s->noise_len = 0;
}

static int fail(struct sse *s)
{
    s->bad = true;
    return -1;
}

static int too_long(struct sse *s)
{
    s->too_long = true;
    return fail(s);
}

/* Appends bytes to the carry. */
static int carry_put(struct sse *s, const char *bytes, size_t n)
{
    size_t used = (size_t)s->data_len + s->part_len;
    char *to = n > CARRY_MAX ? NULL : carry_room(s->carry, used, used + n);
    if (!to) return too_long(s);
    memcpy(to + used, bytes, n);
    s->part_len += (uint32_t)n;
    return 0;
}

static void clear_event(struct sse *s)
{
    s->sent = s->has_data = s->has_name = s->error = false;
    s->data_len = s->part_len = 0;
    s->name_len = 0;
    carry_clear(s->carry);
}

static bool is_word(const char *p, size_t n)
{
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!word) return false;
    }
    return true;
}

enum field { FIELD_DATA, FIELD_ERROR, FIELD_EVENT, FIELD_OTHER, FIELD_IGNORE, FIELD_NOISE, FIELD_BAD };

static bool field_is(const char *line, size_t name, const char *word)
{
    return name == strlen(word) && memcmp(line, word, name) == 0;
}

/* Splits a line that is not empty into its field and value. */
static enum field split_line(const char *line, size_t n, const char **ret_value, size_t *ret_len)
{
    size_t name = 4;
    if (n < 5 || memcmp(line, "data:", 5) != 0) {
        const char *colon = memchr(line, ':', n);
        name = colon ? (size_t)(colon - line) : n;
    }
    size_t from = name < n ? name + 1 : n;
    if (from < n && line[from] == ' ') from++;
    *ret_value = line + from;
    *ret_len = n - from;
    if (name == 0) return FIELD_OTHER; /* comment */
    if (field_is(line, name, "data")) return FIELD_DATA;
    if (field_is(line, name, "event")) return FIELD_EVENT;
    if (field_is(line, name, "error") && name < n) return FIELD_ERROR;
    if (field_is(line, name, "id") || field_is(line, name, "retry")) return FIELD_OTHER;
    if (line[0] == '{') {
        *ret_value = line;
        *ret_len = n;
        return FIELD_DATA;
    }
    if (is_word(line, name)) return FIELD_IGNORE;
    for (size_t i = 0; i < name; i++)
        if ((unsigned char)line[i] < 0x20 && line[i] != '\t') return FIELD_BAD; /* not text */
    return FIELD_NOISE;
}

/* Appends a data line's value to the event's data. The value lies in the carry's unfinished line or in the caller's
 * bytes. */
static int keep_value(struct sse *s, const char *value, size_t len, bool from_carry, bool join)
{
    if (from_carry) { /* the field's name before the value leaves room for the LF; a bare brace has none */
        size_t at = (size_t)(value - carry_bytes(s->carry)), used = (size_t)s->data_len + s->part_len;
        char *bytes = carry_room(s->carry, used, used + (join && at == s->data_len));
        if (!bytes) return too_long(s);
        char *to = bytes + s->data_len;
        s->part_len = 0;
        if (join) to++;
        memmove(to, bytes + at, len);
        if (join) to[-1] = '\n';
        s->data_len += (uint32_t)len + (join ? 1 : 0);
        return 0;
    }
    if (join && carry_put(s, "\n", 1) != 0) return -1;
    if (carry_put(s, value, len) != 0) return -1;
    s->data_len += s->part_len;
    s->part_len = 0;
    return 0;
}

static void take_noise(struct sse *s, const char *line, size_t n)
{
    char *text = carry_room(&s->noise_text, s->noise_len, SSE_NOISE_MAX);
    s->noise++;
    if (!text) return;
    if (s->noise_len > 0 && s->noise_len < SSE_NOISE_MAX) text[s->noise_len++] = ' ';
    size_t room = SSE_NOISE_MAX - s->noise_len, take = n < room ? n : room;
    memcpy(text + s->noise_len, line, take);
    s->noise_len = (uint8_t)(s->noise_len + take);
}

/* Takes one line that is not empty. A first data line in the caller's bytes is only pointed at (*direct): most events
 * end after it. */
static int take_line(struct sse *s, const char *line, size_t n, bool from_carry, struct sse_event *direct)
{
    const char *value;
    size_t len;
    enum field f = split_line(line, n, &value, &len);
    if (f == FIELD_BAD) return fail(s);
    if (f == FIELD_NOISE) take_noise(s, line, n);
    if (f != FIELD_NOISE && f != FIELD_IGNORE) s->spoke = true;
    if (f == FIELD_EVENT) {
        s->has_name = true;
        s->name_len = (uint8_t)(len < SSE_NAME_MAX ? len : SSE_NAME_MAX);
        memcpy(s->name, value, s->name_len);
    }
    if (f != FIELD_DATA && f != FIELD_ERROR) {
        if (from_carry) s->part_len = 0;
        return 0;
    }
    if (f == FIELD_ERROR) s->error = true;
    bool first = !s->has_data;
    s->has_data = true;
    if (first && !from_carry) {
        direct->data = value;
        direct->len = len;
        return 0;
    }
    if (direct->data) { /* a second line: the first must be copied now, to be joined */
        const char *data = direct->data;
        direct->data = NULL;
        if (keep_value(s, data, direct->len, false, false) != 0) return -1;
    }
    return keep_value(s, value, len, from_carry, !first);
}

/* A blank line: the event is whole if it has data. */
static int end_event(struct sse *s, struct sse_event *direct, struct sse_event *ret)
{
    size_t len = direct->data ? direct->len : s->data_len;
    if (!s->has_data || (len == 0 && !s->error && s->name_len == 0)) {
        s->has_data = s->has_name = false; /* an event without data is none */
        s->name_len = 0;
        direct->data = NULL;
        return 0;
    }
    if (direct->data)
        *ret = *direct;
    else
        *ret = (struct sse_event){.data = carry_bytes(s->carry), .len = s->data_len};
    ret->name = s->error ? "error" : s->name;
    ret->name_len = s->error ? 5 : s->name_len;
    s->sent = true;
    return 1;
}

/* The byte order mark that may open a stream, even in pieces. Returns false when all bytes are taken. */
static bool skip_bom(struct sse *s, const char **at, const char *end)
{
    static const char mark[3] = {'\xef', '\xbb', '\xbf'};
    while (s->bom < 3) {
        if (*at == end) return false;
        if (**at != mark[s->bom]) {
            if (s->bom > 0) s->bad = true; /* half a byte order mark is not text */
            break;
        }
        (*at)++;
        s->bom++;
    }
    s->bom = 3;
    return true;
}

/* The end of the line that begins at p: its LF or CR, or NULL. */
static const char *line_end(const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    const char *cr = memchr(p, '\r', (size_t)((lf ? lf : end) - p));
    return cr ? cr : lf;
}

/* Takes the LF of a line end whose CR came before. */
static const char *settle_lf(struct sse *s, const char *p, const char *end)
{
    if (!s->skip_lf || p == end) return p;
    s->skip_lf = false;
    return *p == '\n' ? p + 1 : p;
}

enum line { LINE_NONE, LINE_TAKEN, LINE_EVENT, LINE_BAD };

/* One whole line from *at on, when there is one. */
static enum line next_line(struct sse *s, const char **at, const char *end, struct sse_event *direct,
                           struct sse_event *ret)
{
    const char *line = *at, *stop = line_end(line, end);
    if (s->part_len == 0 && line < end && *line == ':') s->in_comment = s->spoke = true;
    if (!stop) return LINE_NONE;
    if (s->in_comment) {
        s->in_comment = false;
        s->skip_lf = *stop == '\r';
        *at = settle_lf(s, stop + 1, end);
        return LINE_TAKEN;
    }
    size_t n = (size_t)(stop - line);
    bool from_carry = s->part_len > 0;
    if (from_carry) {
        if (carry_put(s, line, n) != 0) return LINE_BAD;
        line = carry_bytes(s->carry) + s->data_len;
        n = s->part_len;
    }
    if (n > CARRY_MAX - (direct->data ? direct->len : s->data_len)) { /* the same limit, split or whole */
        (void)too_long(s);
        return LINE_BAD;
    }
    s->skip_lf = *stop == '\r';
    *at = settle_lf(s, stop + 1, end); /* at once if it is there, so that nothing of an event is left over */
    if (n == 0) return end_event(s, direct, ret) == 1 ? LINE_EVENT : LINE_TAKEN;
    return take_line(s, line, n, from_carry, direct) == 0 ? LINE_TAKEN : LINE_BAD;
}

int sse_next(struct sse *s, const char **at, const char *end, struct sse_event *ret)
{
    if (s->sent) clear_event(s);
    if (s->bom < 3 && !skip_bom(s, at, end)) return 0;
    if (s->bad) return -1;
    struct sse_event direct = {0};
    enum line line = LINE_TAKEN;
    *at = settle_lf(s, *at, end);
    while (line == LINE_TAKEN)
        line = next_line(s, at, end, &direct, ret);
    if (line != LINE_NONE) return line == LINE_EVENT ? 1 : -1;
    if (direct.data && keep_value(s, direct.data, direct.len, false, false) != 0) return -1;
    if (*at < end && !s->in_comment && carry_put(s, *at, (size_t)(end - *at)) != 0) return -1;
    *at = end;
    return 0;
}

int sse_last(struct sse *s, struct sse_event *ret)
{
    if (s->sent) clear_event(s);
    if (s->bad) return 0;
    struct sse_event direct = {0};
    if (s->part_len > 0 && take_line(s, carry_bytes(s->carry) + s->data_len, s->part_len, true, &direct) != 0) return 0;
    return end_event(s, &direct, ret);
}
