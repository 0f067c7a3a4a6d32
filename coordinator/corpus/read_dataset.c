/* Data sets: the messages of a request, and how long an answer is wanted. */
#include <stdio.h>
#include <string.h>

#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"

#define NAMES_MAX 12
#define CHARS_PER_TOKEN 4 /* of English text, roughly */
#define WORD "the "       /* of an answer that is not in the file: a token */
#define MEMBERS_MAX 64    /* of a body */
#define AIPERF_MEDIA "image", "images", "audio", "audios", "video", "videos"
_Static_assert(sizeof WORD - 1 == CHARS_PER_TOKEN, "a word of an answer is a token");

/* What a format calls our fields, in the order in which they are looked for: the first that is there counts. */
struct names {
    const char *prompt[NAMES_MAX], *system[NAMES_MAX], *messages[NAMES_MAX], *input[NAMES_MAX], *output[NAMES_MAX];
};

static int place_of(const char *const names[NAMES_MAX], const struct json *j)
{
    for (int i = 0; i < NAMES_MAX && names[i]; i++)
        if (json_is(j, names[i], strlen(names[i]))) return i;
    return -1;
}

/* The place of one value: found at a name that comes earlier in the list than what was found before, and of a name that
 * is there twice at the last, as JSON's own readers have it. */
struct found {
    struct json at; /* before the value */
    int place;      /* -1: not there */
};

static void look(struct found *f, const char *const names[NAMES_MAX], const struct json *j)
{
    int place = place_of(names, j);
    if (place >= 0 && (f->place < 0 || place <= f->place)) *f = (struct found){*j, place};
}

/* A whole number of tokens; -1: it is not there, or null. */
static bool tokens_at(const struct found *f, double *ret, struct draft *d, const char *what)
{
    struct json j = f->at;
    double v;
    *ret = -1;
    if (f->place < 0) return true;
    enum json_token t = json_next(&j);
    if (t == JSON_NULL) return true;
    if (t != JSON_NUMBER || !read_decimal(j.text, j.len, &v) || !(v >= 0 && v <= 1e8)) {
        (void)draft_broken(d, "its %s is not a number of tokens", what);
        return false;
    }
    *ret = v;
    return true;
}

static bool is_one_of(const struct json *j, const char *const *words)
{
    for (; *words; words++)
        if (json_is(j, *words, strlen(*words))) return true;
    return false;
}

/* A text, or a list that holds one. Of AIPerf's (`parts`) several are the lines of one message, as chat templates put
 * its parts together; elsewhere they are several prompts, or tokens, and a record is one request. */
static bool text_at(const struct found *f, enum corpus_role role, bool parts, struct draft *d, const char *what)
{
    struct json j = f->at;
    enum json_token t = json_next(&j);
    bool list = t == JSON_ARRAY;
    if (list) t = json_next(&j);
    if (t != JSON_STRING) {
        (void)draft_broken(d,
                           list && t == JSON_NUMBER      ? "its %s is a list of token ids, and only text can be sent"
                           : list && t == JSON_ARRAY_END ? "its %s is empty"
                                                         : "its %s is not text",
                           what);
        return false;
    }
    if (!draft_message_json(d, role, &j)) return false;
    while (list && (t = json_next(&j)) == JSON_STRING && parts)
        if (!draft_more_json(d, &j)) return false;
    if (!list || t == JSON_ARRAY_END) return true;
    (void)draft_broken(d,
                       t == JSON_STRING ? "its %s is a list of several, and a record is one request"
                                        : "its %s is a list with something that is not text",
                       what);
    return false;
}

/* NULL, or what is wrong with the messages that come next: what a server would refuse of every one of them. */
static const char *messages_wrong(struct json j)
{
    enum json_token t;
    bool any = false;
    if (!json_enter(&j, JSON_ARRAY)) return "its messages are not a list";
    while ((t = json_next(&j)) == JSON_OBJECT) {
        bool role = false;
        any = true;
        while ((t = json_next(&j)) == JSON_KEY) {
            bool is_role = JSON_IS(&j, "role");
            if (is_role ? !json_enter(&j, JSON_STRING) : json_skip(&j) < 0) return "a message's role is not text";
            role |= is_role;
        }
        if (!role) return "a message has no role";
    }
    if (t != JSON_ARRAY_END) return "a message is not an object";
    return any ? NULL : "its messages are an empty list";
}

/* Members of a body, as they stand in the file. */
struct members {
    struct {
        struct json key;
        const char *end;
    } of[MEMBERS_MAX];
    size_t n;
};

static bool same_key(const struct json *a, const struct json *b)
{
    if (!a->escaped) return json_is(b, a->text, a->len);
    return b->escaped ? a->len == b->len && memcmp(a->text, b->text, a->len) == 0 : json_is(a, b->text, b->len);
}

/* Of a name that is there twice the last counts, as JSON's own readers have it: servers differ in which they take. */
static bool members_put(struct members *m, const struct json *key, const char *end)
{
    size_t i = 0;
    while (i < m->n && !same_key(&m->of[i].key, key))
        i++;
    if (i == MEMBERS_MAX) return false;
    m->of[i].key = *key;
    m->of[i].end = end;
    m->n += i == m->n;
    return true;
}

static void members_write(const struct members *m, struct draft *d)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *from = m->of[i].key.text - 1;
        (void)buf_putc(&d->body, d->body.len ? ',' : '{');
        (void)buf_put(&d->body, from, (size_t)(m->of[i].end - from));
    }
}

static enum draft_result end_body(struct draft *d)
{
    if (d->body.len) (void)buf_putc(&d->body, '}');
    return d->body.bad ? draft_broken(d, "its body is larger than %u MiB", CORPUS_RECORD_MAX >> 20) : DRAFT_REQUEST;
}

/* A record without an output length has the server's; one that says 0 has no answer. */
static void take_output(struct draft *d, double tokens)
{
    d->record.output_tokens = (uint32_t)tokens;
    d->no_answer = tokens < 1;
}

/* Members of a request's body that go into ours as they are: all but those that this program sets itself. The lengths
 * are taken out of them. */
static enum draft_result take_body(struct json *j, struct draft *d)
{
    static const char *const OURS[] = {"model", "stream", "stream_options", NULL};
    static const char *const LIMITS[] = {"max_tokens", "max_completion_tokens", "max_output_tokens", NULL};
    struct members members = {.n = 0};
    enum json_token t;
    bool asks = false;
    double v;
    while ((t = json_next(j)) == JSON_KEY) {
        struct json key = *j;
        if (is_one_of(&key, LIMITS)) {
            if (json_enter(j, JSON_NUMBER) && read_decimal(j->text, j->len, &v) && v >= 0 && v <= 1e8)
                take_output(d, v);
            continue;
        }
        bool messages = JSON_IS(&key, "messages");
        const char *wrong = messages ? messages_wrong(*j) : NULL;
        asks |= messages || JSON_IS(&key, "prompt") || JSON_IS(&key, "input");
        bool ours = is_one_of(&key, OURS);
        if (json_skip(j) < 0) return draft_broken(d, "it is not JSON");
        if (wrong) return draft_broken(d, "%s", wrong);
        if (!ours && !members_put(&members, &key, j->at))
            return draft_broken(d, "its body has more than %d members", MEMBERS_MAX);
    }
    if (t != JSON_OBJECT_END) return draft_broken(d, "it is not JSON");
    if (!asks) return draft_broken(d, "its body has no messages, prompt or input");
    members_write(&members, d);
    return end_body(d);
}

/* Says what is there instead. */
static enum draft_result no_prompt(const struct names *names, const char *text, size_t n, struct draft *d)
{
    struct json j;
    char there[100] = "";
    size_t at = 0;
    json_begin(&j, text, n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY && at + 24 < sizeof there) {
        at += (size_t)snprintf(there + at, sizeof there - at, "%s\"%.*s\"", at ? ", " : "",
                               j.len < 20 ? (int)j.len : 20, j.text);
        if (json_skip(&j) < 0) break;
    }
    return draft_broken(d, "it has no \"%s\"; what it has: %s", names->prompt[0], at ? there : "nothing");
}

static enum draft_result named_read(const struct names *names, bool parts, const char *text, size_t n, struct draft *d)
{
    struct json j;
    enum json_token t;
    struct found prompt = {.place = -1}, system = prompt, messages = prompt, input = prompt, output = prompt;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    while ((t = json_next(&j)) == JSON_KEY) {
        look(&prompt, names->prompt, &j);
        look(&system, names->system, &j);
        look(&messages, names->messages, &j);
        look(&input, names->input, &j);
        look(&output, names->output, &j);
        if (json_skip(&j) < 0) break;
    }
    if (t != JSON_OBJECT_END || json_next(&j) != JSON_END) return draft_broken(d, "it is not JSON");
    double in, out;
    if (!tokens_at(&input, &in, d, "input length") || !tokens_at(&output, &out, d, "output length"))
        return DRAFT_BROKEN;
    if (in > 0) d->record.input_tokens = (uint32_t)in;
    if (out >= 0) take_output(d, out);
    if (messages.place >= 0) {
        static const char KEY[] = "\"messages\":";
        struct json value = messages.at;
        const char *wrong = messages_wrong(value);
        if (wrong) return draft_broken(d, "%s", wrong);
        (void)json_enter(&value, JSON_ARRAY);
        const char *from = value.at - 1;
        (void)json_leave(&value, JSON_ARRAY);
        (void)buf_putc(&d->body, '{');
        (void)buf_put(&d->body, KEY, sizeof KEY - 1);
        (void)buf_put(&d->body, from, (size_t)(value.at - from));
        return end_body(d);
    }
    if (prompt.place < 0) return no_prompt(names, text, n, d);
    if (system.place >= 0 && !text_at(&system, ROLE_SYSTEM, parts, d, "system prompt")) return DRAFT_BROKEN;
    if (!text_at(&prompt, ROLE_USER, parts, d, "prompt")) return DRAFT_BROKEN;
    return d->messages[d->record.n_messages - 1].len ? DRAFT_REQUEST : draft_broken(d, "its prompt is empty");
}

static const char *field(const struct plan_data *p, const char *name)
{
    for (size_t i = 0; i < p->n_fields; i++)
        if (strcmp(p->fields[i].key, name) == 0) return p->fields[i].value;
    return name;
}

static enum draft_result jsonl_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    const struct names names = {.prompt = {field(p, "prompt")},
                                .system = {field(p, "system")},
                                .messages = {field(p, "messages")},
                                .input = {field(p, "input_tokens")},
                                .output = {field(p, "output_tokens")}};
    return named_read(&names, false, text, n, d);
}

static enum draft_result vllm_custom_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    static const struct names NAMES = {.prompt = {"prompt"}, .output = {"output_tokens"}};
    (void)p;
    return named_read(&NAMES, false, text, n, d);
}

/* Words in the place of an answer that the file does not hold, as long as it says: the length asked for follows. */
static bool aiperf_answer(struct draft *d, uint32_t tokens)
{
    buf_reset(&d->body); /* scratch: such a record has no body */
    for (uint32_t n = 0; n < tokens && !d->body.bad; n++)
        (void)buf_puts(&d->body, WORD);
    bool ok = !d->body.bad && draft_message(d, ROLE_ASSISTANT, buf_str(&d->body), d->body.len);
    if (!ok && !d->why[0]) (void)draft_broken(d, "its answers are too long");
    buf_reset(&d->body);
    return ok;
}

/* A turn of AIPerf's multi_turn: its role, text and length; false: `why` says what is wrong. */
static bool aiperf_members(struct json *j, struct draft *d, struct found *text, struct found *output,
                           struct found *role)
{
    static const char *const TEXT[NAMES_MAX] = {"text", "texts"}, *const OUTPUT[NAMES_MAX] = {"output_length"},
                             *const ROLE[NAMES_MAX] = {"role"}, *const MEDIA[] = {AIPERF_MEDIA, NULL};
    enum json_token t;
    while ((t = json_next(j)) == JSON_KEY) {
        if (is_one_of(j, MEDIA)) {
            (void)draft_broken(d, "a turn's \"%.*s\" cannot be sent: only text can", (int)j->len, j->text);
            return false;
        }
        look(text, TEXT, j);
        look(output, OUTPUT, j);
        look(role, ROLE, j);
        if (json_skip(j) < 0) break;
    }
    if (t == JSON_OBJECT_END && text->place >= 0) return true;
    (void)draft_broken(d, t == JSON_OBJECT_END ? "a turn has no \"text\"" : "it is not JSON");
    return false;
}

static bool aiperf_turn(struct json *j, struct draft *d)
{
    struct found text = {.place = -1}, output = text, role = text;
    double out;
    if (!aiperf_members(j, d, &text, &output, &role)) return false;
    struct json who = role.at;
    bool named = role.place >= 0 && json_next(&who) == JSON_STRING, system = named && JSON_IS(&who, "system");
    if ((named && !system && !JSON_IS(&who, "user")) || (system && d->record.n_messages)) {
        (void)draft_broken(d, "a turn's role is neither user nor, of the first, system");
        return false;
    }
    if (!tokens_at(&output, &out, d, "output length") ||
        !text_at(&text, system ? ROLE_SYSTEM : ROLE_USER, true, d, "text"))
        return false;
    return out < 1 || system || aiperf_answer(d, (uint32_t)out);
}

/* All turns of a conversation, or the first where the plan wants none. */
static enum draft_result aiperf_turns(const struct plan_data *p, struct json *j, struct draft *d)
{
    enum json_token t;
    uint32_t first = 0;
    if (!json_enter(j, JSON_ARRAY)) return draft_broken(d, "its turns are not a list");
    while ((t = json_next(j)) == JSON_OBJECT) {
        if (!aiperf_turn(j, d)) return DRAFT_BROKEN;
        uint32_t users = d->messages[0].role == ROLE_SYSTEM ? 1 : 0;
        if (!first && d->record.n_messages > users) first = users + 1;
    }
    if (t != JSON_ARRAY_END) return draft_broken(d, "a turn is not an object");
    if (!first) return draft_broken(d, "it has no turn of a user");
    if (p->conversations) return DRAFT_REQUEST;
    if (d->record.n_messages > first && d->messages[first].role == ROLE_ASSISTANT)
        d->record.output_tokens = (uint32_t)(d->messages[first].len / CHARS_PER_TOKEN);
    d->record.n_messages = first;
    return DRAFT_REQUEST;
}

/* AIPerf's single_turn and multi_turn. */
static enum draft_result aiperf_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    static const struct names NAMES = {.prompt = {"text", "texts"}, .output = {"output_length"}};
    static const char *const MEDIA[] = {AIPERF_MEDIA, NULL};
    struct json j;
    json_begin(&j, text, n);
    if (json_next(&j) == JSON_OBJECT)
        while (json_next(&j) == JSON_KEY) {
            if (is_one_of(&j, MEDIA))
                return draft_broken(d, "its \"%.*s\" cannot be sent: only text can", (int)j.len, j.text);
            if (JSON_IS(&j, "turns")) return aiperf_turns(p, &j, d);
            (void)json_skip(&j);
        }
    return named_read(&NAMES, true, text, n, d);
}

static enum draft_result guidellm_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    static const struct names NAMES = {
        .prompt = {"prompt", "instruction", "question", "input", "context", "content", "conversation", "turn", "text"},
        .system = {"system_prompt", "system", "prefix"},
        .messages = {"messages", "chat_messages"},
        .input = {"prompt_tokens_count", "input_tokens_count"},
        .output = {"output_tokens_count", "completion_tokens_count"}};
    (void)p;
    return named_read(&NAMES, false, text, n, d);
}

/* {"custom_id", "method", "url", "body"}: the body is the request. */
static enum draft_result openai_batch_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    struct json j;
    enum json_token t;
    bool body = false;
    (void)p;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    while ((t = json_next(&j)) == JSON_KEY) {
        if (!JSON_IS(&j, "body")) {
            if (json_skip(&j) < 0) break;
            continue;
        }
        if (body) return draft_broken(d, "it has two bodies");
        if (!json_enter(&j, JSON_OBJECT)) return draft_broken(d, "its body is not an object");
        if (take_body(&j, d) == DRAFT_BROKEN) return DRAFT_BROKEN;
        body = true;
    }
    if (t != JSON_OBJECT_END || json_next(&j) != JSON_END) return draft_broken(d, "it is not JSON");
    return body ? DRAFT_REQUEST : draft_broken(d, "it has no body");
}

/* {"messages": […], "tools": […], "max_tokens": …}: the line is the body. */
static enum draft_result messages_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    struct json j;
    (void)p;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    enum draft_result result = take_body(&j, d);
    if (result == DRAFT_REQUEST && json_next(&j) != JSON_END) return draft_broken(d, "it is not JSON");
    return result;
}

/* ---- ShareGPT ---- */

enum speaker { HUMAN, ASSISTANT, SYSTEM, STRANGER };

static enum speaker speaker_of(const struct json *j)
{
    if (JSON_IS(j, "human") || JSON_IS(j, "user")) return HUMAN;
    if (JSON_IS(j, "gpt") || JSON_IS(j, "assistant") || JSON_IS(j, "chatgpt") || JSON_IS(j, "bing") ||
        JSON_IS(j, "bard"))
        return ASSISTANT;
    return JSON_IS(j, "system") ? SYSTEM : STRANGER;
}

/* {"from": …, "value": …} */
static bool turn_read(struct json *j, enum speaker *ret_who, struct json *ret_value, char *name, size_t size)
{
    bool from = false, value = false;
    enum json_token t;
    *ret_who = STRANGER;
    while ((t = json_next(j)) == JSON_KEY) {
        bool is_from = JSON_IS(j, "from"), is_value = JSON_IS(j, "value");
        if (!is_from && !is_value) {
            if (json_skip(j) < 0) return false;
            continue;
        }
        if (!json_enter(j, JSON_STRING)) return false;
        from |= is_from;
        value |= is_value;
        if (is_value) {
            *ret_value = *j;
            continue;
        }
        *ret_who = speaker_of(j);
        (void)snprintf(name, size, "%.*s", (int)(j->len < 40 ? j->len : 40), j->text);
    }
    return t == JSON_OBJECT_END && from && value;
}

/* Every turn of a conversation, from the human's first on and to the last that is answered: empty turns are dropped,
 * and of several in a row by one speaker the first counts. */
static enum draft_result take_turn(struct draft *d, enum speaker who, const struct json *value)
{
    uint32_t n = d->record.n_messages;
    enum corpus_role last = n ? d->messages[n - 1].role : ROLE_SYSTEM;
    if (value->len == 0) return DRAFT_REQUEST;
    if (who == SYSTEM && n == 0) return draft_message_json(d, ROLE_SYSTEM, value) ? DRAFT_REQUEST : DRAFT_BROKEN;
    if (who == HUMAN && last != ROLE_USER)
        return draft_message_json(d, ROLE_USER, value) ? DRAFT_REQUEST : DRAFT_BROKEN;
    if (who == ASSISTANT && last == ROLE_USER)
        return draft_message_json(d, ROLE_ASSISTANT, value) ? DRAFT_REQUEST : DRAFT_BROKEN;
    return DRAFT_REQUEST;
}

static enum draft_result whole_conversation_read(struct json *j, struct draft *d)
{
    enum json_token t;
    char name[48] = "";
    while ((t = json_next(j)) == JSON_OBJECT) {
        enum speaker who;
        struct json value;
        if (!turn_read(j, &who, &value, name, sizeof name))
            return draft_broken(d, "a turn has no \"from\" and \"value\"");
        if (who == STRANGER) return draft_broken(d, "a turn is from \"%s\", which is neither human nor gpt", name);
        if (take_turn(d, who, &value) == DRAFT_BROKEN) return DRAFT_BROKEN;
    }
    if (t != JSON_ARRAY_END) return draft_broken(d, "a turn is not an object");
    while (d->record.n_messages && d->messages[d->record.n_messages - 1].role != ROLE_ASSISTANT)
        d->record.n_messages--;
    return d->record.n_messages ? DRAFT_REQUEST : draft_broken(d, "nobody answers a human in it");
}

/* The request is everything up to the human's first turn. The length asked for is that of the answer to it. Turns
 * before the human's first are dropped, but for a system prompt. */
static enum draft_result conversation_read(struct json *j, struct draft *d)
{
    enum json_token t;
    bool asked = false, answered = false;
    char name[48] = "";
    while ((t = json_next(j)) == JSON_OBJECT) {
        enum speaker who;
        struct json value;
        if (!turn_read(j, &who, &value, name, sizeof name))
            return draft_broken(d, "a turn has no \"from\" and \"value\"");
        if (answered) continue;
        if (who == STRANGER) return draft_broken(d, "a turn is from \"%s\", which is neither human nor gpt", name);
        if (who == SYSTEM && !asked && value.len && !draft_message_json(d, ROLE_SYSTEM, &value)) return DRAFT_BROKEN;
        if (who == HUMAN && !asked && value.len) {
            if (!draft_message_json(d, ROLE_USER, &value)) return DRAFT_BROKEN;
            asked = true;
        } else if (who == ASSISTANT && asked && value.len) {
            d->record.output_tokens = (uint32_t)((value.len + CHARS_PER_TOKEN - 1) / CHARS_PER_TOKEN);
            answered = true;
        }
    }
    if (t != JSON_ARRAY_END) return draft_broken(d, "a turn is not an object");
    if (!asked) return draft_broken(d, "no human says anything in it");
    return answered ? DRAFT_REQUEST : draft_broken(d, "nobody answers in it");
}

static enum draft_result sharegpt_read(const struct plan_data *p, const char *text, size_t n, struct draft *d)
{
    struct json j;
    enum json_token t;
    enum draft_result result = DRAFT_BROKEN;
    bool found = false;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    while ((t = json_next(&j)) == JSON_KEY) {
        if (JSON_IS(&j, "conversations") || JSON_IS(&j, "conversation")) {
            if (found) return draft_broken(d, "it has two conversations");
            if (!json_enter(&j, JSON_ARRAY)) return draft_broken(d, "its conversation is not a list");
            found = true;
            result = p->conversations ? whole_conversation_read(&j, d) : conversation_read(&j, d);
            if (result == DRAFT_BROKEN) return result;
        } else if (json_skip(&j) < 0)
            break;
    }
    if (t != JSON_OBJECT_END || json_next(&j) != JSON_END) return draft_broken(d, "it is not JSON");
    return found ? result : draft_broken(d, "it has no \"conversations\"");
}

/* ---- tables ---- */

enum { CSV_PROMPT, CSV_SYSTEM, CSV_INPUT, CSV_OUTPUT };

static size_t csv_columns(const struct plan_data *p, const char *ret[TABLE_WANTED_MAX], size_t *ret_needed)
{
    ret[CSV_PROMPT] = field(p, "prompt");
    ret[CSV_SYSTEM] = field(p, "system");
    ret[CSV_INPUT] = field(p, "input_tokens");
    ret[CSV_OUTPUT] = field(p, "output_tokens");
    *ret_needed = 1;
    return 4;
}

static bool csv_tokens(const struct table *t, int wanted, double *ret, struct draft *d)
{
    int c = t->column[wanted];
    double v;
    *ret = -1;
    if (c < 0 || (size_t)c >= t->n || t->cell[c].len == 0) return true;
    if (!read_decimal(t->cell[c].text, t->cell[c].len, &v) || !(v >= 0 && v <= 1e8)) {
        (void)draft_broken(d, "\"%.*s\" is not a number of tokens", (int)(t->cell[c].len > 40 ? 40 : t->cell[c].len),
                           t->cell[c].text);
        return false;
    }
    *ret = v;
    return true;
}

static enum draft_result csv_row(const struct plan_data *p, const struct table *t, struct draft *d)
{
    int prompt = t->column[CSV_PROMPT], system = t->column[CSV_SYSTEM];
    (void)p;
    if ((size_t)prompt >= t->n || t->cell[prompt].len == 0) return draft_broken(d, "its prompt is empty");
    double in, out;
    if (!csv_tokens(t, CSV_INPUT, &in, d) || !csv_tokens(t, CSV_OUTPUT, &out, d)) return DRAFT_BROKEN;
    if (in > 0) d->record.input_tokens = (uint32_t)in;
    if (out >= 0) take_output(d, out);
    if (system >= 0 && (size_t)system < t->n && t->cell[system].len &&
        !draft_message(d, ROLE_SYSTEM, t->cell[system].text, t->cell[system].len))
        return DRAFT_BROKEN;
    return draft_message(d, ROLE_USER, t->cell[prompt].text, t->cell[prompt].len) ? DRAFT_REQUEST : DRAFT_BROKEN;
}

const struct format READ_DATASET[DATASET_N] = {
    [DATASET_SHAREGPT] = {"sharegpt", FORM_ARRAY, .json = sharegpt_read},
    [DATASET_JSONL] = {"jsonl", FORM_LINES, .json = jsonl_read},
    [DATASET_CSV] = {"csv", FORM_TABLE, .columns = csv_columns, .row = csv_row},
    [DATASET_OPENAI_BATCH] = {"openai-batch", FORM_LINES, .json = openai_batch_read},
    [DATASET_VLLM_CUSTOM] = {"vllm-custom", FORM_LINES, .json = vllm_custom_read},
    [DATASET_AIPERF] = {"aiperf", FORM_LINES, .json = aiperf_read},
    [DATASET_GUIDELLM] = {"guidellm", FORM_LINES, .json = guidellm_read},
    [DATASET_MESSAGES] = {"messages", FORM_LINES, .json = messages_read},
};
