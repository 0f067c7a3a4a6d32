#include "coordinator/corpus/draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

void draft_reset(struct draft *d)
{
    buf_reset(&d->text);
    buf_reset(&d->body);
    buf_reset(&d->tree);
    d->record = (struct corpus_record){0};
    d->time_ns = 0;
    d->images = 0;
    d->bare = d->no_answer = false;
    d->line = 0;
    d->why[0] = 0;
}

void draft_clear(struct draft *d)
{
    buf_clear(&d->text);
    buf_clear(&d->body);
    buf_clear(&d->tree);
    free(d->messages);
    free(d->text_at);
    free(d->blocks);
    *d = (struct draft){0};
}

void draft_finish(struct draft *d)
{
    for (uint32_t i = 0; i < d->record.n_messages; i++)
        d->messages[i].text = buf_str(&d->text) + d->text_at[i];
    d->record.body = d->body.len ? buf_str(&d->body) : NULL;
    d->record.tree = d->tree.len ? (const uint8_t *)d->tree.data : NULL;
    d->record.tree_n = (uint32_t)d->tree.len;
}

enum draft_result draft_broken(struct draft *d, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(d->why, sizeof d->why, fmt, ap);
    va_end(ap);
    return DRAFT_BROKEN;
}

/* Well-formed UTF-8; control characters may be in it, for they are escaped in a body. */
static bool is_utf8(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint64_t eight;
        if (n - i >= sizeof eight) { /* ASCII, as most text is for long stretches */
            memcpy(&eight, s + i, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        unsigned char c = (unsigned char)s[i];
        bool control = c == 0xc2 && i + 1 < n && ((unsigned char)s[i + 1] & 0xe0) == 0x80;
        size_t len = c < 0x80 ? 1 : control ? 2 : text_char(s + i, n - i);
        if (len == 0) return false;
        i += len;
    }
    return true;
}

static bool room_for_message(struct draft *d)
{
    if (d->record.n_messages < d->messages_cap) return true;
    uint32_t cap = d->messages_cap ? d->messages_cap * 2 : 16;
    if (d->record.n_messages >= CORPUS_MESSAGES_MAX) return false;
    struct corpus_message *m = realloc(d->messages, cap * sizeof *m);
    if (m) d->messages = m;
    size_t *at = realloc(d->text_at, cap * sizeof *at);
    if (at) d->text_at = at;
    if (m && at) d->messages_cap = cap;
    return m && at;
}

static bool end_message(struct draft *d, enum corpus_role role, size_t at)
{
    if (d->text.bad || !room_for_message(d)) {
        (void)draft_broken(d, "it has more than %u messages, or more text than %u MiB", CORPUS_MESSAGES_MAX,
                           CORPUS_RECORD_MAX >> 20);
        return false;
    }
    size_t len = d->text.len - at;
    if (!is_utf8(buf_str(&d->text) + at, len)) {
        (void)draft_broken(d, "its text is not UTF-8");
        return false;
    }
    d->text_at[d->record.n_messages] = at;
    d->messages[d->record.n_messages++] = (struct corpus_message){.role = role, .len = len};
    return true;
}

bool draft_message(struct draft *d, enum corpus_role role, const char *text, size_t n)
{
    size_t at = d->text.len;
    if (n) (void)buf_put(&d->text, text, n);
    return end_message(d, role, at);
}

static bool put_decoded(struct draft *d, const struct json *string)
{
    size_t n;
    char *room = buf_room(&d->text, string->len);
    if (room && !json_decode(string, room, &n)) {
        (void)draft_broken(d, "its text has half of a surrogate pair");
        return false;
    }
    if (room) d->text.len += n;
    return true;
}

bool draft_message_json(struct draft *d, enum corpus_role role, const struct json *string)
{
    size_t at = d->text.len;
    return put_decoded(d, string) && end_message(d, role, at);
}

bool draft_more_json(struct draft *d, const struct json *string)
{
    uint32_t last = d->record.n_messages - 1;
    enum corpus_role role = d->messages[last].role;
    (void)buf_putc(&d->text, '\n');
    if (!put_decoded(d, string)) return false;
    d->record.n_messages = last;
    return end_message(d, role, d->text_at[last]);
}

bool draft_block(struct draft *d, uint32_t id)
{
    if (d->record.n_blocks == d->blocks_cap) {
        uint32_t cap = d->blocks_cap ? d->blocks_cap * 2 : 256;
        uint32_t *more = cap <= (1u << 24) ? realloc(d->blocks, cap * sizeof *more) : NULL;
        if (!more) {
            (void)draft_broken(d, "it has too many hash ids");
            return false;
        }
        d->blocks = more;
        d->blocks_cap = cap;
    }
    d->blocks[d->record.n_blocks++] = id;
    return true;
}

const char *draft_ids(struct draft *d, struct json *j, uint64_t below, struct draft_ids *ret)
{
    enum json_token t = json_next(j);
    uint32_t id;
    *ret = (struct draft_ids){.at = d->record.n_blocks};
    if (t == JSON_NULL) return NULL;
    if (t != JSON_ARRAY) {
        (void)json_leave(j, t);
        return "\"hash_ids\" is not a list";
    }
    ret->there = true;
    while ((t = json_next(j)) != JSON_ARRAY_END) {
        if (t != JSON_NUMBER || !json_u32(j, &id) || id >= below)
            return below > UINT32_MAX ? "a hash id is not a whole number below 2^32"
                                      : "a hash id is not a whole number below 2^28";
        if (!draft_block(d, id)) return d->why;
        ret->n++;
    }
    return NULL;
}

enum draft_result draft_lengths(struct draft *d, const struct plan_data *p, double input, double output)
{
    if (!(input >= 0 && input <= 1e8) || !(output >= 0 && output <= 1e8))
        return draft_broken(d, "lengths of %g and %g tokens cannot be", input, output);
    bool zero = input < 1 || output < 1;
    if (zero && p->zero_output == ZERO_DROP) return DRAFT_ZERO;
    d->record.input_tokens = input < 1 ? 1 : (uint32_t)input;
    d->record.output_tokens = output < 1 ? 1 : (uint32_t)output;
    return DRAFT_REQUEST;
}
