/* Conversations that branch, as AIPerf reads them (dag_jsonl): a line for each, with the text of its turns.
 *
 *   {"session_id": "plan", "turns": [{"messages": […], "max_tokens": 40, "spawns": ["a", "b"]}, {…, "delay": 500}]}
 *   {"session_id": "a", "turns": […]}
 *
 * Lines that name one another are one tree; the line that none names is where it begins.
 *
 * - A turn's prompt is all that was said before in its conversation and its own messages. Where an answer stood, as
 *   many words stand as max_tokens asked for: the file does not hold answers. ("context_mode":
 *   "message_array_with_responses": its own messages only.)
 * - `forks` begin where the turn ended, with all that was said; the conversation itself ends there, unless the fork is
 *   {"child": …, "background": true}. `spawns` begin with nothing; the next turn waits for them, or that of `join_at`.
 *   Nobody waits for those of the last turn, nor for `pre_session_spawns`, which begin with the conversation.
 * - `delay` (ms) passes before a turn, after what it waits for.
 * - Tools and other members of a turn are not sent, and counted. Orchestrators (turns without a request) are refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/fingerprint.h"
#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"
#include "coordinator/corpus/tree_draft.h"

enum { DEPTH_MAX = 32, WAITS_MAX = 256, CHARS_PER_TOKEN = 4 };
#define TEXT_BROKEN "its text has half of a surrogate pair, or is too long"
#define WORD "and "
_Static_assert(sizeof WORD - 1 == CHARS_PER_TOKEN, "a word of an answer is a token");

struct session {
    uint64_t key;
    const struct bundle_part *part;
    bool named, played;
};

/* What was said so far: numbers of the draft's messages. */
struct said {
    uint32_t *id;
    uint32_t n, room;
    double chars;
};

/* Conversations that a turn waits for. */
struct waits {
    struct {
        uint32_t thread, turn;
        double end_s;
    } of[WAITS_MAX];
    uint32_t n;
};

struct dag {
    struct tree_draft *t;
    struct draft *d;
    struct session *session; /* by key */
    size_t n;
    struct buf text; /* of a message in parts */
};

/* A turn before its messages are read: its members may come in any order. */
struct turn {
    struct json messages, forks, spawns; /* before their values */
    bool has_messages, has_forks, has_spawns, has_model;
    double max_tokens, delay_ms;
    uint32_t model;
};

static bool wrong(struct dag *g, const struct session *s, const char *what)
{
    if (what != g->d->why) (void)draft_broken(g->d, "%s", what);
    g->d->line = s->part->line;
    return false;
}

/* ---- which lines belong together ---- */

static uint64_t key_of(const struct json *j)
{
    return fingerprint_bytes(FINGERPRINT_INIT, j->text, j->len);
}

/* Calls `each` for every name in a list: text, {"child": text} or {"children": [text …]}. What else an object says is
 * in `o`. False: `each` said so. */
struct branch {
    bool background;
    double join_at; /* NaN: not said */
};
typedef bool each_branch(void *arg, const struct json *name, const struct branch *o);

static bool branch_object(struct json *j, each_branch *each, void *arg)
{
    struct json names = *j, all = *j;
    struct branch o = {.join_at = NAN};
    enum json_token t;
    while (json_next(&all) == JSON_KEY) {
        if (JSON_IS(&all, "background"))
            o.background = json_enter(&all, JSON_TRUE);
        else if (JSON_IS(&all, "join_at"))
            (void)read_json_number(&all, &o.join_at);
        else
            (void)json_skip(&all);
    }
    while ((t = json_next(&names)) == JSON_KEY) {
        bool child = JSON_IS(&names, "child"), children = JSON_IS(&names, "children");
        t = json_next(&names);
        if (child && t == JSON_STRING && !each(arg, &names, &o)) return false;
        if (t != JSON_ARRAY || !children) {
            (void)json_leave(&names, t);
            continue;
        }
        while ((t = json_next(&names)) != JSON_ARRAY_END && t != JSON_BAD)
            if (t != JSON_STRING)
                (void)json_leave(&names, t);
            else if (!each(arg, &names, &o))
                return false;
    }
    *j = names;
    return true;
}

static bool each_of_list(struct json *j, each_branch *each, void *arg)
{
    enum json_token t = json_next(j);
    if (t != JSON_ARRAY) return json_leave(j, t) == 0;
    while ((t = json_next(j)) != JSON_ARRAY_END && t != JSON_BAD) {
        const struct branch plain = {.join_at = NAN};
        if (t == JSON_STRING   ? !each(arg, j, &plain)
            : t == JSON_OBJECT ? !branch_object(j, each, arg)
                               : json_leave(j, t) < 0)
            return false;
    }
    return true;
}

struct link_to {
    struct bundles *g;
    uint64_t from;
};

static bool link_branch(void *arg, const struct json *name, const struct branch *o)
{
    struct link_to *l = arg;
    (void)o;
    bundles_link(l->g, l->from, key_of(name));
    return true;
}

/* The members of each turn that name others. */
static void each_of_turns(struct json *j, each_branch *each, void *arg)
{
    enum json_token t = json_next(j);
    if (t != JSON_ARRAY) {
        (void)json_leave(j, t);
        return;
    }
    while ((t = json_next(j)) == JSON_OBJECT)
        while (json_next(j) == JSON_KEY)
            if (JSON_IS(j, "forks") || JSON_IS(j, "spawns"))
                (void)each_of_list(j, each, arg);
            else
                (void)json_skip(j);
    if (t != JSON_ARRAY_END) (void)json_leave(j, t);
}

/* Every conversation that a line names. */
static void each_named(const char *line, size_t n, each_branch *each, void *arg)
{
    struct json j;
    json_begin(&j, line, n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY)
        if (JSON_IS(&j, "turns"))
            each_of_turns(&j, each, arg);
        else if (JSON_IS(&j, "pre_session_spawns"))
            (void)each_of_list(&j, each, arg);
        else
            (void)json_skip(&j);
}

enum draft_result dag_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d)
{
    if (bundles_add_line(g, "session_id", false, line, text, n, d) == DRAFT_BROKEN) return DRAFT_BROKEN;
    if (g->bad) return DRAFT_REQUEST; /* bundles_seal says so */
    struct link_to l = {g, g->part[g->n - 1].key};
    each_named(text, n, link_branch, &l);
    return DRAFT_REQUEST;
}

/* ---- messages ---- */

static bool refuse(struct dag *g, const char *what)
{
    (void)draft_broken(g->d, "%s", what);
    return false;
}

static bool room_to_say(struct dag *g, struct said *said, uint32_t n)
{
    if (n <= said->room) return true;
    uint32_t room = 2 * n;
    uint32_t *more = realloc(said->id, room * sizeof *more);
    if (!more) return refuse(g, "there is no memory for it");
    said->id = more;
    said->room = room;
    return true;
}

/* The draft's latest message. */
static bool say(struct dag *g, struct said *said, size_t chars)
{
    if (!room_to_say(g, said, said->n + 1)) return false;
    said->id[said->n++] = g->d->record.n_messages - 1;
    said->chars += (double)chars;
    return true;
}

static bool say_again(struct dag *g, struct said *said, const struct said *before)
{
    if (before->n == 0) return true;
    if (!room_to_say(g, said, before->n)) return false;
    memcpy(said->id, before->id, before->n * sizeof *before->id);
    said->n = before->n;
    said->chars = before->chars;
    return true;
}

static bool put_decoded(struct dag *g, const struct json *string)
{
    size_t at = g->text.len, n;
    if (buf_put(&g->text, string->text, string->len)) return false;
    if (!json_decode(string, (char *)g->text.data + at, &n)) return false;
    g->text.len = at + n;
    return true;
}

/* A list of parts: their text as one message; pictures and the like are counted. */
static bool read_parts(struct dag *g, struct json *j)
{
    enum json_token t;
    while ((t = json_next(j)) == JSON_OBJECT) {
        bool text = false;
        while (json_next(j) == JSON_KEY) {
            if (!JSON_IS(j, "text")) {
                (void)json_skip(j);
                continue;
            }
            text = json_enter(j, JSON_STRING);
            if (text && !put_decoded(g, j)) return refuse(g, TEXT_BROKEN);
        }
        g->d->images += !text;
    }
    return t == JSON_ARRAY_END || json_leave(j, t) == 0;
}

static enum corpus_role role_of(const struct json *name)
{
    if (JSON_IS(name, "assistant")) return ROLE_ASSISTANT;
    return JSON_IS(name, "system") || JSON_IS(name, "developer") ? ROLE_SYSTEM : ROLE_USER;
}

static bool read_content(struct dag *g, struct json *j)
{
    enum json_token t = json_next(j);
    buf_reset(&g->text); /* of a member that is there twice the last counts */
    if (t == JSON_STRING) return put_decoded(g, j) || refuse(g, TEXT_BROKEN);
    return t == JSON_ARRAY ? read_parts(g, j) : json_leave(j, t) == 0;
}

static bool read_message(struct dag *g, struct json *j, struct said *said)
{
    enum corpus_role role = ROLE_USER;
    bool has_role = false;
    buf_reset(&g->text);
    while (json_next(j) == JSON_KEY) {
        if (JSON_IS(j, "role")) {
            has_role = json_enter(j, JSON_STRING);
            if (has_role) role = role_of(j);
        } else if (JSON_IS(j, "content")) {
            if (!read_content(g, j)) return false;
        } else {
            g->d->bare |= JSON_IS(j, "tool_calls");
            (void)json_skip(j);
        }
    }
    if (!has_role) return refuse(g, "a message has no \"role\"");
    size_t n = g->text.len;
    return draft_message(g->d, role, buf_str(&g->text), n) && say(g, said, n);
}

static bool read_messages(struct dag *g, struct json j, struct said *said)
{
    enum json_token t = json_next(&j);
    uint32_t had = said->n;
    if (t != JSON_ARRAY) return refuse(g, "\"messages\" is not a list");
    while ((t = json_next(&j)) == JSON_OBJECT)
        if (!read_message(g, &j, said)) return false;
    if (t != JSON_ARRAY_END) return refuse(g, "a message is not an object");
    return said->n > had || refuse(g, "a turn has no message");
}

/* What the answer will be as long as. */
static bool say_answer(struct dag *g, struct said *said, uint32_t tokens)
{
    buf_reset(&g->text);
    for (uint32_t i = 0; i < tokens; i++)
        if (buf_puts(&g->text, WORD)) break;
    return draft_message(g->d, ROLE_ASSISTANT, buf_str(&g->text), g->text.len) && say(g, said, g->text.len);
}

/* ---- playing it ---- */

static bool read_turn(struct dag *g, struct json *j, struct turn *u)
{
    *u = (struct turn){.max_tokens = NAN};
    enum json_token t;
    while ((t = json_next(j)) == JSON_KEY) {
        struct json at = *j;
        if (JSON_IS(j, "messages")) {
            u->messages = at;
            u->has_messages = true;
        } else if (JSON_IS(j, "forks")) {
            u->forks = at;
            u->has_forks = true;
        } else if (JSON_IS(j, "spawns")) {
            u->spawns = at;
            u->has_spawns = true;
        } else if (JSON_IS(j, "max_tokens")) {
            if (!read_json_number(j, &u->max_tokens)) u->max_tokens = NAN;
            continue;
        } else if (JSON_IS(j, "delay")) {
            if (!read_json_number(j, &u->delay_ms)) u->delay_ms = -1;
            continue;
        } else if (JSON_IS(j, "model")) {
            if (json_enter(j, JSON_STRING)) u->model = tree_draft_model(g->t, j->text, j->len);
            continue;
        } else
            g->d->bare |= JSON_IS(j, "tools") || JSON_IS(j, "extra");
        (void)json_skip(j);
    }
    if (t != JSON_OBJECT_END) return refuse(g, "a turn is not an object");
    if (!u->has_messages) return refuse(g, "a turn has no \"messages\"");
    if (!(u->max_tokens >= 1 && u->max_tokens <= 1e7))
        return refuse(g, "a turn has no \"max_tokens\": nothing says how long its answer is");
    return u->delay_ms >= 0 || refuse(g, "a \"delay\" is no number of milliseconds");
}

static struct session *session_of(struct dag *g, uint64_t key)
{
    size_t lo = 0, hi = g->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (g->session[mid].key < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < g->n && g->session[lo].key == key ? &g->session[lo] : NULL;
}

/* A conversation that is being played. */
struct play {
    struct dag *g;
    struct session *s;
    uint32_t thread, depth, turn, turns;
    bool ended, isolated; /* by a fork; each turn stands for itself */
    double end_s;         /* of its latest turn */
    uint32_t request;     /* which that is */
    struct said said;
    struct waits waits;
    struct waits *outer; /* what waits for it waits for its forks too; NULL: nothing does */
    uint32_t outer_turn;
};

static bool wait_for(struct play *p, struct waits *w, uint32_t thread, uint32_t turn, double end_s)
{
    if (w->n == WAITS_MAX) return wrong(p->g, p->s, "too many conversations are waited for at once");
    w->of[w->n].thread = thread;
    w->of[w->n].turn = turn;
    w->of[w->n++].end_s = end_s;
    return true;
}

static bool play(struct dag *g, struct session *s, const struct play *parent, bool fork, struct waits *outer,
                 uint32_t outer_turn);

static bool begin(struct play *p, const struct json *name, bool fork, struct waits *outer, uint32_t turn)
{
    struct session *child = session_of(p->g, key_of(name));
    if (!child) {
        (void)draft_broken(p->g->d, "it names a conversation \"%.*s\" that is not in the file",
                           (int)(name->len > 60 ? 60 : name->len), name->text);
        return wrong(p->g, p->s, p->g->d->why);
    }
    if (child->played) return wrong(p->g, child, "two turns begin this conversation, or it begins itself");
    if (p->depth == DEPTH_MAX) return wrong(p->g, child, "conversations lie too deep in one another");
    return play(p->g, child, p, fork, outer, turn);
}

static bool begin_fork(void *arg, const struct json *name, const struct branch *o)
{
    struct play *p = arg;
    if (!o->background && p->turn + 1 < p->turns)
        return wrong(p->g, p->s,
                     "a fork ends its conversation, and here turns follow it (\"background\": true lets it go on)");
    return begin(p, name, true, o->background ? NULL : p->outer, p->outer_turn);
}

static bool begin_spawn(void *arg, const struct json *name, const struct branch *o)
{
    struct play *p = arg;
    double at = isnan(o->join_at) ? p->turn + 1 : o->join_at;
    if (!isnan(o->join_at) && !(at > p->turn && at < p->turns))
        return wrong(p->g, p->s, "\"join_at\" is not a later turn of its conversation");
    return begin(p, name, false, at < p->turns ? &p->waits : NULL, at < p->turns ? (uint32_t)at : 0);
}

static bool begin_early(void *arg, const struct json *name, const struct branch *o)
{
    (void)o;
    return begin(arg, name, false, NULL, 0);
}

static bool begin_all(struct play *p, struct json list, each_branch *each)
{
    struct json at = list;
    if (json_next(&at) != JSON_ARRAY) return wrong(p->g, p->s, "the conversations that a turn begins are not a list");
    return each_of_list(&list, each, p);
}

static bool play_turn(struct play *p, const struct turn *u)
{
    struct dag *g = p->g;
    double ready = p->end_s;
    if (p->isolated) {
        p->said.n = 0;
        p->said.chars = 0;
    }
    if (!read_messages(g, u->messages, &p->said)) return wrong(g, p->s, g->d->why);
    struct tree_request *q = tree_draft_add(g->t);
    if (!q) return wrong(g, p->s, "the tree has too many requests");
    for (uint32_t i = 0; i < p->waits.n; i++) {
        if (p->waits.of[i].turn != p->turn) continue;
        ready = fmax(ready, p->waits.of[i].end_s);
        if (!tree_draft_join(g->t, q, p->waits.of[i].thread))
            return wrong(g, p->s, "too many conversations are waited for");
    }
    q->thread = p->thread;
    q->model = u->model;
    q->start_s = q->end_s =
        ready + u->delay_ms / 1e3; /* no answer's time is recorded: what counts is the wait after it */
    q->input = fmax(1, ceil(p->said.chars / CHARS_PER_TOKEN));
    q->output = u->max_tokens;
    q->ids_at = g->d->record.n_blocks;
    q->n_ids = p->said.n;
    p->request = g->t->n - 1;
    p->end_s = q->end_s;
    for (uint32_t i = 0; i < p->said.n; i++)
        if (!draft_block(g->d, p->said.id[i])) return wrong(g, p->s, g->d->why);
    if (!p->isolated && !say_answer(g, &p->said, (uint32_t)u->max_tokens)) return wrong(g, p->s, g->d->why);
    return (!u->has_forks || begin_all(p, u->forks, begin_fork)) &&
           (!u->has_spawns || begin_all(p, u->spawns, begin_spawn));
}

static uint32_t count_turns(struct json j)
{
    uint32_t n = 0;
    enum json_token t;
    if (json_next(&j) != JSON_ARRAY) return 0;
    while ((t = json_next(&j)) != JSON_ARRAY_END && t != JSON_BAD) {
        n++;
        (void)json_leave(&j, t);
    }
    return n;
}

static bool play_turns(struct play *p, struct json j)
{
    enum json_token t;
    p->turns = count_turns(j);
    if (p->turns == 0) return wrong(p->g, p->s, "\"turns\" is missing, or an empty list");
    (void)json_next(&j);
    for (p->turn = 0; (t = json_next(&j)) == JSON_OBJECT; p->turn++) {
        struct turn u;
        if (!read_turn(p->g, &j, &u)) return wrong(p->g, p->s, p->g->d->why);
        if (!play_turn(p, &u)) return false;
    }
    return t == JSON_ARRAY_END || wrong(p->g, p->s, "a turn is not an object");
}

/* The line's members; what it begins before its first turn. */
static bool read_session(struct play *p, struct json *ret_turns, bool *ret_has)
{
    struct json j;
    json_begin(&j, p->s->part->text, p->s->part->n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY) {
        struct json at = j;
        if (JSON_IS(&j, "turns")) {
            *ret_turns = at;
            *ret_has = true;
        } else if (JSON_IS(&j, "context_mode")) {
            p->isolated = json_enter(&j, JSON_STRING) && JSON_IS(&j, "message_array_with_responses");
            continue;
        } else if (JSON_IS(&j, "orchestrator")) {
            if (json_enter(&j, JSON_TRUE))
                return wrong(p->g, p->s, "it is an orchestrator, whose turns send nothing: such are not read");
            continue;
        } else if (JSON_IS(&j, "pre_session_spawns") && !begin_all(p, at, begin_early))
            return false;
        (void)json_skip(&j);
    }
    return true;
}

static bool play(struct dag *g, struct session *s, const struct play *parent, bool fork, struct waits *outer,
                 uint32_t outer_turn)
{
    struct play *p = calloc(1, sizeof *p);
    struct json turns = {0};
    bool has = false, good = p != NULL;
    if (!good) return wrong(g, s, "there is no memory for it");
    *p = (struct play){
        .g = g, .s = s, .outer = outer, .outer_turn = outer_turn, .request = parent ? parent->request : TREE_NONE};
    s->played = true;
    if (parent) p->depth = parent->depth + 1;
    if (parent) p->end_s = parent->end_s;
    if (fork && !say_again(g, &p->said, &parent->said)) good = wrong(g, s, g->d->why);
    good = good && read_session(p, &turns, &has);
    p->thread = good ? tree_draft_thread(g->t, p->request) : TREE_NONE;
    if (good && p->thread == TREE_NONE) good = wrong(g, s, "there are too many conversations in it");
    if (good && !has) good = wrong(g, s, "\"turns\" is missing, or an empty list");
    good = good && play_turns(p, turns) && (!outer || wait_for(p, outer, p->thread, outer_turn, p->end_s));
    free(p->said.id);
    free(p);
    return good;
}

/* ---- the whole ---- */

static int by_key(const void *a, const void *b)
{
    const struct session *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static bool name_branch(void *arg, const struct json *name, const struct branch *o)
{
    struct session *s = session_of(arg, key_of(name));
    (void)o;
    if (s) s->named = true;
    return true;
}

static bool play_all(struct dag *g)
{
    struct session *root = NULL;
    for (size_t i = 0; i < g->n; i++) {
        struct session *s = &g->session[i];
        if (s->named) continue;
        if (root) return wrong(g, s, "two turns begin the same conversation");
        root = s;
    }
    if (!root) return wrong(g, &g->session[0], "its conversations begin one another, and none begins the first");
    if (!play(g, root, NULL, false, NULL, 0)) return false;
    for (size_t i = 0; i < g->n; i++)
        if (!g->session[i].played) return wrong(g, &g->session[i], "nothing but itself begins this conversation");
    return true;
}

enum draft_result dag_group(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d)
{
    struct dag g = {.t = tree_draft_of(d), .d = d, .n = n, .text = BUF_INIT(CORPUS_RECORD_MAX)};
    g.session = g.t ? malloc(n * sizeof *g.session) : NULL;
    if (!g.session) return draft_broken(d, "there is no memory for it");
    for (size_t i = 0; i < n; i++)
        g.session[i] = (struct session){.key = part[i].key, .part = &part[i]};
    qsort(g.session, n, sizeof *g.session, by_key);
    bool good = true;
    for (size_t i = 1; i < n && good; i++)
        if (g.session[i].key == g.session[i - 1].key) good = wrong(&g, &g.session[i], "its session_id has come before");
    for (size_t i = 0; i < n && good; i++)
        each_named(part[i].text, part[i].n, name_branch, &g);
    good = good && play_all(&g);
    free(g.session);
    buf_clear(&g.text);
    return good ? tree_draft_finish(g.t, p, 0, true, 0, d) : DRAFT_BROKEN;
}
