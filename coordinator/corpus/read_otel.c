/* Calls of models in OpenTelemetry traces, by the GenAI conventions: what a collector's file exporter writes (OTLP as
 * JSON: {"resourceSpans": …}, one object after another), or {"spans": […]} with flat attributes. The spans of a trace
 * may lie in any of a file's objects; traces that share a gen_ai.conversation.id are one session.
 *
 * - A request is a span whose gen_ai.operation.name is chat, text_completion or generate_content; without that name,
 *   one that has a request's model and its tokens. Its tokens are gen_ai.usage.input_tokens and output_tokens (or
 *   prompt_tokens and completion_tokens, as older libraries write). One that failed has none: it is left out.
 * - An agent is what happened within a span of invoke_agent. Within that of another it is a sub-agent, started after
 * the latest request of that one that had begun. The next request of that one waits for it if it had ended by then;
 * else it went on in the background.
 * - Of a prompt, as many tokens are those of the request before as gen_ai.usage.cache_read.input_tokens says: spans
 *   hold no hash ids, and seldom any text. Without it nothing is shared.
 * - 64-bit numbers are text in OTLP, or numbers where a library writes them so. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/fingerprint.h"
#include "coordinator/corpus/format.h"
#include "coordinator/corpus/read_number.h"
#include "coordinator/corpus/tree_draft.h"

enum { BLOCK = 64, DEPTH_MAX = 16 };

struct span {
    uint64_t id, parent;  /* fingerprints; parent 0: none */
    int64_t began, ended; /* ns */
    bool has_began, has_ended, failed, agent, model_call, other_call;
    double input, output, cached; /* NaN: not there */
    const char *model;
    size_t model_n;
    const char *text; /* order of the file */
};

/* ---- where the spans are ---- */

static bool is_list_of_spans(const struct json *j)
{
    return JSON_IS(j, "resourceSpans") || JSON_IS(j, "resource_spans") || JSON_IS(j, "scopeSpans") ||
           JSON_IS(j, "scope_spans") || JSON_IS(j, "instrumentationLibrarySpans") || JSON_IS(j, "batches") ||
           JSON_IS(j, "spans");
}

static uint64_t text_key(struct json *j)
{
    return json_enter(j, JSON_STRING) && j->len ? fingerprint_bytes(FINGERPRINT_INIT, j->text, j->len) | 1 : 0;
}

/* The value of an attribute as a number or as text, in all the shapes that it is written in. */
struct value {
    double number; /* NaN: none */
    const char *text;
    size_t n;
};

static struct value scalar(struct json *j, enum json_token t)
{
    struct value v = {.number = NAN};
    if (t != JSON_NUMBER && t != JSON_STRING) {
        (void)json_leave(j, t);
        return v;
    }
    if (!read_decimal(j->text, j->len, &v.number)) v.number = NAN;
    if (t == JSON_STRING) {
        v.text = j->text;
        v.n = j->len;
    }
    return v;
}

/* {"stringValue": "chat"}, {"intValue": "12"}, "chat", 12 */
static struct value value_next(struct json *j)
{
    enum json_token t = json_next(j);
    struct value v = {.number = NAN};
    if (t != JSON_OBJECT) return scalar(j, t);
    while (json_next(j) == JSON_KEY)
        v = scalar(j, json_next(j));
    return v;
}

static bool value_is(const struct value *v, const char *word)
{
    return v->text && v->n == strlen(word) && memcmp(v->text, word, v->n) == 0;
}

static bool key_is(const char *key, size_t n, const char *word)
{
    return n == strlen(word) && memcmp(key, word, n) == 0;
}

static void attribute(struct span *s, const char *key, size_t n, const struct value *v, uint64_t *conversation)
{
    static const char *const CALLS[] = {"chat", "text_completion", "generate_content"};
    if (key_is(key, n, "gen_ai.operation.name")) {
        s->agent = value_is(v, "invoke_agent");
        for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
            s->model_call |= value_is(v, CALLS[i]);
        s->other_call = v->text && !s->agent && !s->model_call;
    } else if (key_is(key, n, "gen_ai.usage.input_tokens") || key_is(key, n, "gen_ai.usage.prompt_tokens")) {
        s->input = v->number;
    } else if (key_is(key, n, "gen_ai.usage.output_tokens") || key_is(key, n, "gen_ai.usage.completion_tokens")) {
        s->output = v->number;
    } else if (key_is(key, n, "gen_ai.usage.cache_read.input_tokens") ||
               key_is(key, n, "gen_ai.usage.cache_read_input_tokens")) {
        s->cached = v->number;
    } else if (key_is(key, n, "gen_ai.request.model") && v->text) {
        s->model = v->text;
        s->model_n = v->n;
    } else if (key_is(key, n, "gen_ai.conversation.id") && v->text && v->n) {
        *conversation = fingerprint_bytes(FINGERPRINT_INIT + 2, v->text, v->n);
    }
}

/* A list of {"key": …, "value": …}, or an object. */
static void read_attributes(struct json *j, struct span *s, uint64_t *conversation)
{
    enum json_token t = json_next(j);
    struct value v;
    if (t == JSON_OBJECT) {
        while (json_next(j) == JSON_KEY) {
            const char *key = j->text;
            size_t n = j->len;
            v = value_next(j);
            attribute(s, key, n, &v, conversation);
        }
        return;
    }
    if (t != JSON_ARRAY) {
        (void)json_leave(j, t);
        return;
    }
    while ((t = json_next(j)) == JSON_OBJECT) {
        const char *key = "";
        size_t n = 0;
        v = (struct value){.number = NAN};
        while (json_next(j) == JSON_KEY) {
            if (JSON_IS(j, "key")) {
                if (!json_enter(j, JSON_STRING)) continue;
                key = j->text;
                n = j->len;
            } else if (JSON_IS(j, "value"))
                v = value_next(j);
            else
                (void)json_skip(j);
        }
        attribute(s, key, n, &v, conversation);
    }
    if (t != JSON_ARRAY_END) (void)json_leave(j, t);
}

/* Nanoseconds since 1970 as text or a number, or a time such as 2026-02-25T10:00:00.5Z. */
static bool read_time(struct json *j, int64_t *ret)
{
    enum json_token t = json_next(j);
    *ret = 0;
    if (t != JSON_STRING && t != JSON_NUMBER) return json_leave(j, t) < 0;
    if (t == JSON_STRING && read_timestamp(j->text, j->len, ret)) return true;
    if (j->len == 0 || j->len > 19) return false;
    for (size_t i = 0; i < j->len; i++) {
        if (j->text[i] < '0' || j->text[i] > '9' || *ret > (INT64_MAX - 9) / 10) return false;
        *ret = *ret * 10 + (j->text[i] - '0');
    }
    return *ret > 0;
}

/* Code 2, or a word that ends in ERROR. */
static bool read_status(struct json *j)
{
    enum json_token t = json_next(j);
    bool failed = false;
    if (t != JSON_OBJECT) {
        (void)json_leave(j, t);
        return false;
    }
    while (json_next(j) == JSON_KEY) {
        bool code = JSON_IS(j, "code");
        struct value v = scalar(j, json_next(j));
        if (code) failed = v.number == 2 || (v.n >= 5 && memcmp(v.text + v.n - 5, "ERROR", 5) == 0);
    }
    return failed;
}

static void span_member(struct json *j, struct span *s, uint64_t *trace, uint64_t *conversation)
{
    if (JSON_IS(j, "spanId") || JSON_IS(j, "span_id"))
        s->id = text_key(j);
    else if (JSON_IS(j, "traceId") || JSON_IS(j, "trace_id"))
        *trace = text_key(j);
    else if (JSON_IS(j, "parentSpanId") || JSON_IS(j, "parent_span_id"))
        s->parent = text_key(j);
    else if (JSON_IS(j, "startTimeUnixNano") || JSON_IS(j, "start_time_unix_nano") || JSON_IS(j, "start_time"))
        s->has_began = read_time(j, &s->began);
    else if (JSON_IS(j, "endTimeUnixNano") || JSON_IS(j, "end_time_unix_nano") || JSON_IS(j, "end_time"))
        s->has_ended = read_time(j, &s->ended);
    else if (JSON_IS(j, "attributes"))
        read_attributes(j, s, conversation);
    else if (JSON_IS(j, "status"))
        s->failed = read_status(j);
    else
        (void)json_skip(j);
}

static void read_span(const char *text, size_t n, struct span *s, uint64_t *trace, uint64_t *conversation)
{
    struct json j;
    *s = (struct span){.input = NAN, .output = NAN, .cached = NAN};
    *trace = *conversation = 0;
    json_begin(&j, text, n);
    (void)json_next(&j);
    while (json_next(&j) == JSON_KEY)
        span_member(&j, s, trace, conversation);
    if (!s->model_call && !s->agent && !s->other_call) /* it does not say what it was */
        s->model_call = s->model && !isnan(s->input) && !isnan(s->output);
}

struct split {
    struct bundles *g;
    struct draft *d;
    const char *seen; /* its line is `line` */
    uint64_t line;
};

static bool split_span(struct split *s, const char *from, size_t n)
{
    struct span span;
    uint64_t trace, conversation;
    read_span(from, n, &span, &trace, &conversation);
    if (!trace) return (void)draft_broken(s->d, "a span has no \"traceId\""), false;
    while ((s->seen = memchr(s->seen, '\n', (size_t)(from - s->seen)))) {
        s->line++;
        s->seen++;
    }
    s->seen = from;
    bundles_add(s->g, trace, s->line, from, n);
    if (conversation) bundles_link(s->g, trace, conversation);
    return true;
}

/* The object that begins with the cursor's last token is a span, or holds lists of such objects. */
static bool split_object(struct split *s, struct json *j, int depth)
{
    struct json inside = *j;
    const char *from = j->at - 1;
    enum json_token t;
    bool span = false;
    while ((t = json_next(j)) == JSON_KEY) {
        span |= JSON_IS(j, "spanId") || JSON_IS(j, "span_id");
        (void)json_skip(j);
    }
    if (t != JSON_OBJECT_END) return (void)draft_broken(s->d, "it is not JSON"), false;
    if (span) return split_span(s, from, (size_t)(j->at - from));
    while (depth < DEPTH_MAX && json_next(&inside) == JSON_KEY) {
        bool list = is_list_of_spans(&inside);
        t = json_next(&inside);
        if (!list || t != JSON_ARRAY) {
            (void)json_leave(&inside, t);
            continue;
        }
        while ((t = json_next(&inside)) != JSON_ARRAY_END)
            if (t != JSON_OBJECT)
                (void)json_leave(&inside, t);
            else if (!split_object(s, &inside, depth + 1))
                return false;
    }
    return true;
}

enum draft_result otel_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d)
{
    struct json j;
    struct split s = {.g = g, .d = d, .seen = text, .line = line};
    size_t had = g->n;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    if (!split_object(&s, &j, 0)) return DRAFT_BROKEN;
    if (g->n > had || g->bad) return DRAFT_REQUEST;
    return draft_broken(d, "it holds no span: {\"resourceSpans\": …} or {\"spans\": …} is wanted");
}

/* ---- what waits for what ---- */

struct named {
    uint64_t id;
    size_t at; /* of the spans */
};

/* An agent that has called a model. Its number is its thread's, less one. */
struct agent {
    size_t span;
    uint32_t outer;  /* thread of the agent around it */
    uint32_t joined; /* the request that waits for its end; TREE_NONE: none so far */
};

struct reading {
    struct span *span; /* by their beginning */
    struct named *named;
    size_t n;
    struct agent *agent;
    uint32_t n_agents;
    struct tree_draft *t;
    struct draft *d;
    int64_t origin;
    bool outside; /* models were called outside of all agents */
};

static int by_beginning(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->began != y->began) return x->began < y->began ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* The nearest agent around a span; SIZE_MAX: none. */
static size_t agent_around(const struct reading *r, size_t at)
{
    for (int hop = 0; hop < 256 && r->span[at].parent; hop++) {
        struct named want = {.id = r->span[at].parent};
        const struct named *found = bsearch(&want, r->named, r->n, sizeof want, by_id);
        if (!found) break; /* of another process, or not sampled */
        at = found->at;
        if (r->span[at].agent) return at;
    }
    return SIZE_MAX;
}

static uint32_t thread_of_agent(const struct reading *r, size_t span)
{
    for (uint32_t i = 0; i < r->n_agents; i++)
        if (r->agent[i].span == span) return i + 1;
    return TREE_NONE;
}

/* The thread of an agent's span, made when it first calls a model. */
static uint32_t thread_of(struct reading *r, size_t span)
{
    size_t around = span == SIZE_MAX ? SIZE_MAX : agent_around(r, span);
    uint32_t outer = 0, after = TREE_NONE;
    if (span == SIZE_MAX || (around == SIZE_MAX && !r->outside)) return 0;
    uint32_t thread = thread_of_agent(r, span);
    if (thread != TREE_NONE) return thread;
    for (int depth = 0; around != SIZE_MAX && depth < 256; depth++) {
        uint32_t of = thread_of_agent(r, around);
        if (of != TREE_NONE) outer = of;
        around = of != TREE_NONE ? SIZE_MAX : agent_around(r, around);
    }
    double began = (double)(r->span[span].began - r->origin) / NS_PER_S;
    for (uint32_t i = r->t->n; i-- > 0 && after == TREE_NONE;)
        if (r->t->request[i].thread == outer && r->t->request[i].start_s <= began) after = i;
    thread = tree_draft_thread(r->t, after);
    if (thread != TREE_NONE) r->agent[r->n_agents++] = (struct agent){span, outer, TREE_NONE};
    return thread;
}

/* Request number `at` of a thread waits for the sub-agents that had ended, and for theirs. */
static bool join_agents(struct reading *r, uint32_t at, int64_t began)
{
    struct tree_request *q = &r->t->request[at];
    for (uint32_t i = 0; i < r->n_agents; i++) {
        struct agent *a = &r->agent[i];
        const struct span *s = &r->span[a->span];
        bool here = a->outer == q->thread || (a->outer > 0 && r->agent[a->outer - 1].joined == at);
        if (!here || a->joined != TREE_NONE || !s->has_ended || s->ended > began) continue;
        if (!tree_draft_join(r->t, q, i + 1)) return false;
        a->joined = at;
    }
    return true;
}

static const char *add_call(struct reading *r, size_t at, uint32_t *last_of)
{
    const struct span *s = &r->span[at];
    uint32_t thread = thread_of(r, agent_around(r, at));
    struct tree_request *q = thread == TREE_NONE ? NULL : tree_draft_add(r->t);
    if (!q) return "the trace has too many calls of models";
    uint32_t number = r->t->n - 1, before = last_of[thread];
    if (before == TREE_NONE) before = r->t->parent[thread];
    q->thread = thread;
    q->start_s = (double)(s->began - r->origin) / NS_PER_S;
    if (s->has_ended && s->ended >= s->began) q->end_s = (double)(s->ended - r->origin) / NS_PER_S;
    q->input = s->input;
    q->output = s->output;
    if (s->model) q->model = tree_draft_model(r->t, s->model, s->model_n);
    last_of[thread] = number;
    if (!tree_draft_prompt(r->t, r->d, q, before, s->cached, BLOCK)) return r->d->why;
    return join_agents(r, number, s->began) ? NULL : "the trace has too many calls of models";
}

static const char *wrong_with(const struct span *s)
{
    if (!s->has_began) return "a span's start is missing, or no time in nanoseconds";
    if (s->model_call && !s->failed && (isnan(s->input) || isnan(s->output)))
        return "a call of a model has no gen_ai.usage.input_tokens and output_tokens: nothing says how long it was";
    return NULL;
}

static const char *read_spans(struct reading *r, const struct bundle_part *part, size_t *ret_bad)
{
    for (size_t i = 0; i < r->n; i++) {
        uint64_t trace, conversation;
        read_span(part[i].text, part[i].n, &r->span[i], &trace, &conversation);
        r->span[i].text = part[i].text;
        const char *wrong = r->span[i].agent || r->span[i].model_call ? wrong_with(&r->span[i]) : NULL;
        *ret_bad = i;
        if (wrong) return wrong;
    }
    qsort(r->span, r->n, sizeof *r->span, by_beginning);
    for (size_t i = 0; i < r->n; i++)
        r->named[i] = (struct named){r->span[i].id, i};
    qsort(r->named, r->n, sizeof *r->named, by_id);
    return NULL;
}

static const char *make_tree(struct reading *r, uint32_t *last_of)
{
    bool first = true;
    (void)tree_draft_thread(r->t, TREE_NONE);
    for (size_t i = 0; i < r->n; i++) {
        last_of[i] = TREE_NONE;
        r->outside |= r->span[i].model_call && agent_around(r, i) == SIZE_MAX;
    }
    last_of[r->n] = TREE_NONE;
    for (size_t i = 0; i < r->n; i++) {
        const struct span *s = &r->span[i];
        if (!s->model_call) continue;
        if (first) r->origin = s->began;
        first = false;
        if (isnan(s->input) || isnan(s->output)) {
            r->t->zero++;
            continue;
        }
        const char *wrong = add_call(r, i, last_of);
        if (wrong) return wrong;
    }
    return NULL;
}

enum draft_result otel_group(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d)
{
    struct reading r = {.n = n, .d = d, .t = tree_draft_of(d)};
    size_t bad = 0;
    r.span = malloc(n * sizeof *r.span);
    r.named = malloc(n * sizeof *r.named);
    r.agent = malloc(n * sizeof *r.agent);
    uint32_t *last_of = malloc((n + 1) * sizeof *last_of); /* there are no more threads than spans, and the root's */
    const char *wrong = "there is no memory for it";
    if (r.t && r.span && r.named && r.agent && last_of) wrong = read_spans(&r, part, &bad);
    if (wrong)
        d->line = part[bad].line;
    else
        wrong = make_tree(&r, last_of);
    free(r.span);
    free(r.named);
    free(r.agent);
    free(last_of);
    if (wrong) return wrong == d->why ? DRAFT_BROKEN : draft_broken(d, "%s", wrong);
    return r.t->n ? tree_draft_finish(r.t, p, BLOCK, true, part->key | 1, d) : DRAFT_ZERO;
}
