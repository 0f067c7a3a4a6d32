#include "coordinator/tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#include "common/json_scan.h"

#define TEXT_MAX (1u << 20) /* of one string */
#define DEPTH 4u            /* of processors within processors */

struct reading {
    struct tokenizer *t;
    const char *name;
    struct buf a, b;     /* decoded strings */
    struct buf patterns; /* that the pre_tokenizer splits by */
    struct err *e;
};

/* ---- values: a place is a scanner that stands before one; `start` NULL: it is not there ---- */

/* The members of an object by name. False: it is none. */
static bool members(const struct json *object, const char *const *names, struct json *ret)
{
    struct json j = *object;
    for (size_t i = 0; names[i]; i++)
        ret[i] = (struct json){0};
    if (!object->start || json_next(&j) != JSON_OBJECT) return false;
    enum json_token t;
    while ((t = json_next(&j)) == JSON_KEY) {
        for (size_t i = 0; names[i]; i++)
            if (json_is(&j, names[i], strlen(names[i]))) ret[i] = j;
        if (json_skip(&j) < 0) return false;
    }
    return t == JSON_OBJECT_END;
}

/* The next item of a list that `list` stands in: false at its end. */
static bool next_item(struct json *list, struct json *ret)
{
    *ret = *list;
    enum json_token t = json_next(list);
    return t != JSON_ARRAY_END && t != JSON_BAD && t != JSON_END && json_leave(list, t) == 0;
}

static bool enter_list(const struct json *at, struct json *ret)
{
    *ret = *at;
    return at->start && json_next(ret) == JSON_ARRAY;
}

static bool is_null(const struct json *at)
{
    struct json j = *at;
    return !at->start || json_next(&j) == JSON_NULL;
}

static bool flag_of(const struct json *at, bool standard)
{
    struct json j = *at;
    enum json_token t = at->start ? json_next(&j) : JSON_NULL;
    return t == JSON_TRUE || (standard && t != JSON_FALSE);
}

static bool decode(const struct json *string, struct buf *out)
{
    size_t n = 0;
    buf_reset(out);
    char *room = buf_room(out, string->len + 1);
    if (!room || !json_decode(string, room, &n)) return false;
    room[n] = '\0';
    out->len = n;
    return true;
}

static bool text_of(const struct json *at, struct buf *out)
{
    struct json j = *at;
    return at->start && json_next(&j) == JSON_STRING && decode(&j, out);
}

static int refuse(const struct reading *r, const char *what, const char *text)
{
    return err_set(r->e, ERR_PLAN, "%.200s: %s%.120s", r->name, what, text);
}

static int not_json(const struct reading *r)
{
    return refuse(r, "it is not the tokenizer.json of a model, or it is cut off", "");
}

/* The "type" of a part, into r->a. */
static const char *type_of(struct reading *r, const struct json *part)
{
    static const char *const TYPE[] = {"type", NULL};
    struct json type;
    return members(part, TYPE, &type) && text_of(&type, &r->a) ? buf_str(&r->a) : "";
}

/* ---- the model ---- */

/* A token as it is written stands for bytes: those that can be seen for themselves, the others for the characters from
 * U+0100 on. False: it is no text of such characters. */
static bool bytes_of(const char *text, size_t n, struct buf *out)
{
    buf_reset(out);
    for (size_t i = 0; i < n; i++) {
        unsigned c = (unsigned char)text[i];
        if (c >= 0x80) {
            if (c < 0xc2 || c > 0xc5 || i + 1 == n) return false;
            c = (c & 0x1f) << 6 | ((unsigned char)text[++i] & 0x3f);
        }
        if (c >= 0x100) { /* 0 to 32, 127 to 160, 173 */
            c -= 0x100;
            if (c > 67) return false;
            c = c <= 32 ? c : c < 67 ? c - 33 + 127 : 173;
        } else if (c < 33 || (c >= 127 && c <= 160) || c == 173)
            return false;
        (void)buf_putc(out, (char)c);
    }
    return !out->bad;
}

static size_t count_members(const struct json *object)
{
    struct json j = *object;
    size_t n = 0;
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY && json_skip(&j) == 0)
        n++;
    return n;
}

static size_t count_items(const struct json *list)
{
    struct json j, item;
    size_t n = 0;
    if (!enter_list(list, &j)) return 0;
    while (next_item(&j, &item))
        n++;
    return n;
}

static int read_vocabulary(struct reading *r, const struct json *vocab)
{
    struct json j = *vocab;
    uint32_t id;
    enum json_token t;
    (void)json_next(&j);
    while ((t = json_next(&j)) == JSON_KEY) {
        if (!decode(&j, &r->a)) return not_json(r);
        if (json_next(&j) != JSON_NUMBER || !json_u32(&j, &id) || id == BPE_NONE)
            return refuse(r, "a token has no number: ", buf_str(&r->a));
        if (!bytes_of(buf_str(&r->a), r->a.len, &r->b)) continue; /* no merge can make it: an added token */
        if (bpe_add_token(r->t->bpe, buf_str(&r->b), r->b.len, id))
            return err_set(r->e, ERR_NOMEM, "%.200s: no memory for its vocabulary", r->name);
    }
    return t == JSON_OBJECT_END ? 0 : not_json(r);
}

static int bad_merge(const struct reading *r, size_t number, const char *what)
{
    return err_set(r->e, ERR_PLAN, "%.200s: merge %zu %s", r->name, number, what);
}

/* "a b", or ["a", "b"]: both in r->a, one after the other. */
static bool merge_parts(struct reading *r, const struct json *at, size_t *ret_left)
{
    struct json j = *at;
    enum json_token t = json_next(&j);
    if (t == JSON_STRING && decode(&j, &r->a)) {
        char *s = (char *)r->a.data, *blank = memchr(s, ' ', r->a.len);
        if (!blank || memchr(blank + 1, ' ', r->a.len - (size_t)(blank + 1 - s))) return false;
        *ret_left = (size_t)(blank - s);
        memmove(blank, blank + 1, r->a.len - *ret_left);
        r->a.len--;
        return true;
    }
    if (t != JSON_ARRAY || json_next(&j) != JSON_STRING || !decode(&j, &r->b)) return false;
    buf_reset(&r->a);
    (void)buf_put(&r->a, r->b.data, r->b.len);
    *ret_left = r->a.len;
    if (json_next(&j) != JSON_STRING || !decode(&j, &r->b) || json_next(&j) != JSON_ARRAY_END) return false;
    return buf_put(&r->a, r->b.data, r->b.len) == 0;
}

static int read_merges(struct reading *r, const struct json *merges)
{
    struct json j, item;
    size_t left, number = 0;
    (void)enter_list(merges, &j);
    while (next_item(&j, &item)) {
        struct buf second = BUF_INIT(TEXT_MAX);
        number++;
        if (!merge_parts(r, &item, &left)) return bad_merge(r, number, "is not two tokens");
        const char *both = buf_str(&r->a);
        bool good = bytes_of(both, left, &r->b) && bytes_of(both + left, r->a.len - left, &second) &&
                    bpe_add_merge(r->t->bpe, buf_str(&r->b), r->b.len, buf_str(&second), second.len) == 0;
        buf_clear(&second);
        if (!good) return bad_merge(r, number, "names a token, or makes one, that is not in the vocabulary");
    }
    return 0;
}

/* What the model has beside its vocabulary and would count otherwise. */
static int check_model(struct reading *r, const struct json *dropout, const struct json *before,
                       const struct json *after, const struct json *fallback)
{
    struct json j = *dropout;
    if (!is_null(dropout) && (json_next(&j) != JSON_NUMBER || strspn(j.text, "0.") < j.len))
        return refuse(r, "its model drops merges by chance (dropout)", "");
    if ((!is_null(before) && (!text_of(before, &r->a) || r->a.len)) ||
        (!is_null(after) && (!text_of(after, &r->a) || r->a.len)))
        return refuse(r,
                      "its model marks parts of words (continuing_subword_prefix, end_of_word_suffix), which is not ",
                      "byte-level BPE");
    if (flag_of(fallback, false))
        return refuse(r,
                      "its model falls back to bytes (byte_fallback), as SentencePiece does: only byte-level BPE is ",
                      "read (GPT-2, Llama 3, Qwen and their kin)");
    return 0;
}

static int read_model(struct reading *r, const struct json *model)
{
    static const char *const NAMES[] = {"type",
                                        "vocab",
                                        "merges",
                                        "ignore_merges",
                                        "dropout",
                                        "continuing_subword_prefix",
                                        "end_of_word_suffix",
                                        "byte_fallback",
                                        NULL};
    struct json m[8], list;
    unsigned byte;
    if (!members(model, NAMES, m)) return refuse(r, "it has no \"model\": is it a tokenizer.json?", "");
    if (m[0].start && (!text_of(&m[0], &r->a) || strcmp(buf_str(&r->a), "BPE") != 0))
        return refuse(r, "only byte-level BPE is read, and its model is of type ", buf_str(&r->a));
    struct json first = m[1];
    if (!m[1].start || json_next(&first) != JSON_OBJECT) return refuse(r, "its model has no \"vocab\"", "");
    if (!enter_list(&m[2], &list)) return refuse(r, "its model has no \"merges\"", "");
    if (check_model(r, &m[4], &m[5], &m[6], &m[7])) return -1;
    struct tokenizer *t = r->t;
    t->n_tokens = count_members(&m[1]);
    t->n_merges = count_items(&m[2]);
    if (t->n_tokens > BPE_TOKENS_MAX || t->n_merges > BPE_MERGES_MAX)
        return refuse(r, "its vocabulary or its merges are more than 4 million", "");
    if (!(t->bpe = bpe_new(t->n_tokens, t->n_merges, flag_of(&m[3], false), r->e)) || read_vocabulary(r, &m[1]))
        return -1;
    if (!bpe_has_bytes(t->bpe, &byte))
        return err_set(r->e, ERR_PLAN, "%.200s: it is not byte-level BPE: no token stands for byte 0x%02x", r->name,
                       byte);
    return read_merges(r, &m[2]);
}

/* ---- what is done before and after ---- */

static int read_normalizer(struct reading *r, const struct json *at, unsigned depth)
{
    static const char *const PARTS[] = {"normalizers", NULL};
    struct json parts, list, item;
    if (is_null(at)) return 0;
    const char *type = type_of(r, at);
    if (strcmp(type, "NFC") == 0) {
        r->t->nfc = true;
        return 0;
    }
    if (strcmp(type, "Sequence") != 0 || depth == DEPTH || !members(at, PARTS, &parts) || !enter_list(&parts, &list))
        return refuse(r, "its normalizer is not known here (NFC and none are): ", type);
    while (next_item(&list, &item))
        if (read_normalizer(r, &item, depth + 1)) return -1;
    return 0;
}

static void add_pattern(struct reading *r, const char *text)
{
    if (r->patterns.len) (void)buf_puts(&r->patterns, SPLIT_THEN);
    (void)buf_puts(&r->patterns, text);
}

static int read_split(struct reading *r, const struct json *at)
{
    static const char *const NAMES[] = {"pattern", "behavior", "invert", NULL}, *const REGEX[] = {"Regex", NULL};
    struct json m[3], regex;
    if (!members(at, NAMES, m) || !members(&m[0], REGEX, &regex) || !text_of(&regex, &r->a))
        return refuse(r, "its pre_tokenizer splits by something else than a regular expression", "");
    add_pattern(r, buf_str(&r->a));
    bool invert = flag_of(&m[2], false),
         good = text_of(&m[1], &r->a) && strcmp(buf_str(&r->a), invert ? "Removed" : "Isolated") == 0;
    return good ? 0 : refuse(r, "its pre_tokenizer does not keep the pieces of its pattern apart: ", buf_str(&r->a));
}

static int read_digits(struct reading *r, const struct json *at)
{
    static const char *const NAMES[] = {"individual_digits", NULL};
    struct json each;
    add_pattern(r, members(at, NAMES, &each) && flag_of(&each, false) ? SPLIT_DIGIT : SPLIT_DIGIT "+");
    return 0;
}

/* The last part: bytes become the characters of the vocabulary. Before that it may split as GPT-2 does. */
static int read_byte_level(struct reading *r, const struct json *at)
{
    static const char *const NAMES[] = {"add_prefix_space", "use_regex", NULL};
    struct json m[2];
    bool split = r->patterns.len > 0;
    if (!members(at, NAMES, m)) return not_json(r);
    r->t->prefix_space = flag_of(&m[0], true);
    if (split && r->t->prefix_space) return refuse(r, "its pre_tokenizer puts a blank before each piece", "");
    if (flag_of(&m[1], true)) add_pattern(r, SPLIT_BYTE_LEVEL);
    if (!r->patterns.len) return refuse(r, "its pre_tokenizer splits nothing: words would not be told apart", "");
    r->t->split = split_of_pattern(buf_str(&r->patterns), r->patterns.len);
    if (r->t->split < SPLIT_N) return 0;
    return refuse(r, "its pre_tokenizer splits by a pattern that is not known here: ", buf_str(&r->patterns));
}

static int read_pre_tokenizer(struct reading *r, const struct json *at)
{
    static const char *const PARTS[] = {"pretokenizers", NULL};
    struct json parts, list, item;
    if (is_null(at)) return refuse(r, "it has no pre_tokenizer: it is not byte-level BPE", "");
    const char *type = type_of(r, at);
    if (strcmp(type, "ByteLevel") == 0) return read_byte_level(r, at);
    if (strcmp(type, "Sequence") != 0 || !members(at, PARTS, &parts) || !enter_list(&parts, &list))
        return refuse(r, "its pre_tokenizer is not byte-level: ", type);
    bool done = false;
    while (next_item(&list, &item)) {
        type = type_of(r, &item);
        int (*read)(struct reading * r, const struct json *at) = done                             ? NULL
                                                                 : strcmp(type, "Split") == 0     ? read_split
                                                                 : strcmp(type, "Digits") == 0    ? read_digits
                                                                 : strcmp(type, "ByteLevel") == 0 ? read_byte_level
                                                                                                  : NULL;
        if (!read) return refuse(r, "its pre_tokenizer has a part that is not known here: ", type);
        if (read(r, &item)) return -1;
        done = read == read_byte_level;
    }
    return done ? 0 : refuse(r, "its pre_tokenizer is not byte-level", "");
}

/* Tokens of a template beside the text: each {"SpecialToken": {"id": NAME}} of "single" is the "ids" of that name. */
static int read_template(struct reading *r, const struct json *at)
{
    static const char *const NAMES[] = {"single", "special_tokens", NULL}, *const SPECIAL[] = {"SpecialToken", NULL},
                             *const ID[] = {"id", NULL}, *const IDS[] = {"ids", NULL};
    struct json m[2], list, item, special, id, ids;
    if (!members(at, NAMES, m) || !enter_list(&m[0], &list)) return not_json(r);
    while (next_item(&list, &item)) {
        if (!members(&item, SPECIAL, &special)) return not_json(r);
        if (!special.start) continue;
        if (!members(&special, ID, &id) || !text_of(&id, &r->a)) return not_json(r);
        const char *const name[] = {buf_str(&r->a), NULL};
        struct json token;
        if (!members(&m[1], name, &token) || !members(&token, IDS, &ids)) return not_json(r);
        r->t->beside += (uint32_t)count_items(&ids);
    }
    return 0;
}

static int read_post_processor(struct reading *r, const struct json *at, unsigned depth)
{
    static const char *const PARTS[] = {"processors", NULL};
    struct json parts, list, item;
    if (is_null(at)) return 0;
    const char *type = type_of(r, at);
    if (strcmp(type, "ByteLevel") == 0) return 0; /* offsets only */
    if (strcmp(type, "TemplateProcessing") == 0) return read_template(r, at);
    if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
        r->t->beside += 2;
        return 0;
    }
    if (strcmp(type, "Sequence") != 0 || depth == DEPTH || !members(at, PARTS, &parts) || !enter_list(&parts, &list))
        return refuse(r, "its post_processor is not known here: ", type);
    while (next_item(&list, &item))
        if (read_post_processor(r, &item, depth + 1)) return -1;
    return 0;
}

static int read_added_one(struct reading *r, const struct json *at)
{
    static const char *const NAMES[] = {"content", "id", "single_word", "lstrip", "rstrip", "normalized", NULL};
    struct json m[6], id;
    uint32_t number;
    if (!members(at, NAMES, m) || !text_of(&m[0], &r->a)) return not_json(r);
    id = m[1];
    if (!id.start || json_next(&id) != JSON_NUMBER || !json_u32(&id, &number))
        return refuse(r, "an added token has no number: ", buf_str(&r->a));
    if (r->a.len == 0) return 0; /* it is never found */
    if (flag_of(&m[2], false))
        return refuse(r, "an added token is a word of its own only (single_word): ", buf_str(&r->a));
    struct added_token t = {.text = malloc(r->a.len),
                            .len = r->a.len,
                            .id = number,
                            .left = flag_of(&m[3], false),
                            .right = flag_of(&m[4], false),
                            .normalized = flag_of(&m[5], false)};
    if (t.text) memcpy(t.text, r->a.data, t.len);
    if (t.text && added_put(&r->t->added, t) == 0) return 0;
    free(t.text);
    return err_set(r->e, ERR_NOMEM, "%.200s: no room for its added tokens (at most %u)", r->name, ADDED_MAX);
}

static int read_added(struct reading *r, const struct json *at)
{
    struct json list, item;
    if (!is_null(at)) {
        if (!enter_list(at, &list)) return not_json(r);
        while (next_item(&list, &item))
            if (read_added_one(r, &item)) return -1;
    }
    added_seal(&r->t->added);
    return 0;
}

int tokenizer_json_read(struct tokenizer *t, const char *json, size_t n, const char *name, struct err *e)
{
    static const char *const NAMES[] = {"model", "normalizer", "pre_tokenizer", "post_processor", "added_tokens", NULL};
    struct reading r = {
        .t = t, .name = name, .a = BUF_INIT(TEXT_MAX), .b = BUF_INIT(TEXT_MAX), .patterns = BUF_INIT(TEXT_MAX), .e = e};
    struct json j, m[5];
    json_begin(&j, json, n);
    int rc = members(&j, NAMES, m) ? 0 : not_json(&r);
    if (!rc) rc = read_pre_tokenizer(&r, &m[2]);
    if (!rc) rc = read_normalizer(&r, &m[1], 0);
    if (!rc) rc = read_post_processor(&r, &m[3], 0);
    if (!rc) rc = read_added(&r, &m[4]);
    if (!rc) rc = read_model(&r, &m[0]);
    buf_clear(&r.a);
    buf_clear(&r.b);
    buf_clear(&r.patterns);
    return rc;
}
