/* The target: models, headers, body. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plan/plan_api.h"
#include "common/plan/plan_key.h"
#include "common/plan/plan_secret.h"
#include "common/text.h"

static int model_read(struct reader *r, const struct node *n, struct plan_model *m)
{
    static const struct plan_key WEIGHT = {.name = "weight", .least = 1e-6, .most = 1e6};
    m->weight = 1;
    if (n->kind != NODE_MAP) return scalar_read_text(r, n, "the name of a model, or {name, weight}", &m->name);
    const struct node *name = node_get(n, "name"), *weight = node_get(n, "weight");
    for (const struct node *c = n->first; c; c = c->next)
        if (c != name && c != weight) return node_refuse(c, true, r->e, "unknown key; known here: name, weight");
    if (!name) return node_refuse(n, false, r->e, "needs \"name\"");
    if (weight && scalar_read_number(r, &WEIGHT, weight, &m->weight)) return -1;
    return scalar_read_text(r, name, "the name of a model", &m->name);
}

#define MODELS_MAX 1024
#define MODELS_FORMS "the name of a model, a list of {name, weight}, or {zipf: {prefix, count, exponent}}"

/* prefix1, prefix2 …, each asked for in proportion to 1 / its number to the power of the exponent: a few are common,
 * most are rare, as adapters are. The plan keeps the list that this makes. */
static int zipf_read(struct reader *r, const struct node *n, struct plan_target *t)
{
    static const struct plan_key COUNT = {.name = "count", .least = 1, .most = MODELS_MAX},
                                 EXPONENT = {.name = "exponent", .least = 0, .most = 2};
    const struct node *prefix = node_get(n, "prefix"), *count = node_get(n, "count"),
                      *exponent = node_get(n, "exponent");
    const char *text;
    double how_many, power = 1;
    if (n->kind != NODE_MAP) return read_expected(r, n, "{prefix: lora-, count: 100, exponent: 1}");
    for (const struct node *c = n->first; c; c = c->next)
        if (c != prefix && c != count && c != exponent)
            return node_refuse(c, true, r->e, "unknown key; known here: prefix, count, exponent");
    if (!prefix || !count) return node_refuse(n, false, r->e, "needs \"prefix\" and \"count\"");
    if (scalar_read_text(r, prefix, "the beginning of the models' names", &text) ||
        scalar_read_number(r, &COUNT, count, &how_many) ||
        (exponent && scalar_read_number(r, &EXPONENT, exponent, &power)))
        return -1;
    t->n_models = (size_t)how_many;
    if ((double)t->n_models < how_many) return read_expected(r, count, "a whole number of models");
    t->models = read_keep_array(r, n, t->n_models, sizeof *t->models);
    if (!t->models) return -1;
    for (size_t i = 0; i < t->n_models; i++) {
        char name[310];
        (void)snprintf(name, sizeof name, "%.280s%zu", text, i + 1);
        t->models[i] = (struct plan_model){.name = read_keep(r, n, name), .weight = pow((double)(i + 1), -power)};
        if (!t->models[i].name) return -1;
        if (t->models[i].weight < 1e-6) t->models[i].weight = 1e-6; /* the least weight of a list */
    }
    return 0;
}

static int models_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_target *t = at;
    (void)k;
    if (!n) return 0; /* target_check decides */
    bool list = n->kind == NODE_SEQ;
    if (list && (n->n == 0 || n->n > MODELS_MAX))
        return node_refuse(n, false, r->e, "expected 1 to %d models, got %zu", MODELS_MAX, n->n);
    const struct node *zipf = node_get(n, "zipf");
    if (n->kind == NODE_MAP && n->n == 1 && zipf) return zipf_read(r, zipf, t);
    if (n->kind == NODE_MAP) return read_expected(r, n, MODELS_FORMS);
    t->n_models = list ? n->n : 1;
    t->models = read_keep_array(r, n, t->n_models, sizeof *t->models);
    if (!t->models) return -1;
    if (!list) return model_read(r, n, t->models);
    for (const struct node *c = n->first; c; c = c->next)
        if (model_read(r, c, &t->models[c->index])) return -1;
    return 0;
}
static struct node *models_write(struct tree *tr, const struct plan_key *k, const void *at)
{
    const struct plan_target *t = at;
    (void)k;
    if (t->n_models == 1) return node_new_text(tr, t->models[0].name);
    struct node *all = node_new(tr, NODE_SEQ);
    for (size_t i = 0; i < t->n_models; i++) {
        struct node *one = node_new(tr, NODE_MAP);
        node_put(tr, one, "name", node_new_text(tr, t->models[i].name));
        node_put(tr, one, "weight", node_new_number(tr, t->models[i].weight));
        node_add(tr, all, one);
    }
    return all;
}
const struct key_type KEY_MODELS = {"text, list of {name, weight}, or {zipf}", "\"$ref\": \"#/$defs/models\"",
                                    models_read, models_write};

static int header_check(struct reader *r, const struct node *n)
{
    static const char *const SECRET[] = {"authorization", "proxy-authorization", "x-api-key", "api-key",
                                         "cookie",        "x-auth-token"};
    static const char *const OURS[] = {"content-length", "transfer-encoding", "connection",      "expect",
                                       "host",           "content-type",      "keep-alive",      "te",
                                       "trailer",        "upgrade",           "proxy-connection"};
    if (!text_is_header_name(n->key)) return node_refuse(n, true, r->e, "is not the name of a header");
    for (size_t i = 0; i < sizeof SECRET / sizeof *SECRET; i++)
        if (strcasecmp(n->key, SECRET[i]) == 0)
            return node_refuse(n, true, r->e,
                               "carries a secret: use target.auth, such as auth: {header: %s, env: NAME}", SECRET[i]);
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++)
        if (strcasecmp(n->key, OURS[i]) == 0)
            return node_refuse(n, true, r->e, "is set by %s",
                               strcmp(OURS[i], "host") == 0 ? "target.host" : "the agent itself");
    if (node_is_scalar(n) && secret_is_likely(n->text))
        return node_refuse(n, false, r->e,
                           "looks like a secret: use target.auth, such as auth: {header: NAME, env: NAME}");
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct plan_pair *)a)->key, ((const struct plan_pair *)b)->key);
}

static int headers_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_target *t = at;
    (void)k;
    if (n->kind != NODE_MAP) return read_expected(r, n, "a mapping of names to values");
    if (n->n > 64) return node_refuse(n, false, r->e, "expected at most 64 headers, got %zu", n->n);
    t->headers = read_keep_array(r, n, n->n, sizeof *t->headers);
    if (!t->headers) return -1;
    for (const struct node *c = n->first; c; c = c->next) {
        struct plan_pair *p = &t->headers[t->n_headers++];
        if (header_check(r, c) || scalar_read_text(r, c, "the value of a header", &p->value)) return -1;
        p->key = read_keep(r, c, c->key);
        if (!p->key) return -1;
    }
    qsort(t->headers, t->n_headers, sizeof *t->headers,
          by_key); /* their order means nothing: the hash must not see it */
    return 0;
}
static struct node *headers_write(struct tree *tr, const struct plan_key *k, const void *at)
{
    const struct plan_target *t = at;
    (void)k;
    struct node *n = t->n_headers ? node_new(tr, NODE_MAP) : NULL;
    for (size_t i = 0; i < t->n_headers; i++)
        node_put(tr, n, t->headers[i].key, node_new_text(tr, t->headers[i].value));
    return n;
}
const struct key_type KEY_HEADERS = {
    "mapping", "\"type\": \"object\", \"additionalProperties\": {\"type\": [\"string\", \"number\", \"boolean\"]}",
    headers_read, headers_write};

/* A copy whose texts lie in the tree's own arena. */
static struct node *copy(struct tree *t, const struct node *n)
{
    struct node *c = node_is_scalar(n) ? node_new_text(t, n->text) : node_new(t, n->kind);
    if (!c) return NULL;
    c->kind = n->kind, c->flag = n->flag, c->negative = n->negative, c->whole = n->whole, c->number = n->number;
    for (const struct node *x = n->first; x; x = x->next)
        node_put(t, c, x->key ? arena_text(t->arena, x->key, strlen(x->key)) : NULL, copy(t, x));
    return c;
}

static int body_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_target *target = at;
    (void)k;
    target->body = "{}";
    if (!n || (n->kind == NODE_MAP && n->n == 0)) return 0;
    if (n->kind != NODE_MAP) return read_expected(r, n, "a mapping that is merged into the request's JSON");
    for (const struct node *c = n->first; c; c = c->next)
        if (plan_api_owns(target->api, c->key))
            return node_refuse(c, true, r->e, "is set by the agent itself (workload, target.model)");
    struct tree t = {.arena = r->arena, .file = "target.body"};
    struct buf out = BUF_INIT(NODE_INPUT_MAX);
    struct node *body = copy(&t, n);
    const char *text = NULL;
    if (body && !t.failed) {
        node_sort(body); /* the order of keys means nothing: the hash must not see it */
        if (node_to_json(body, false, &out) == 0) text = read_keep(r, n, buf_str(&out));
    } else
        (void)node_refuse(n, false, r->e, "the plan is too large");
    buf_clear(&out);
    if (!text) return -1;
    target->body = text;
    target->body_tree = body;
    return 0;
}
static struct node *body_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_target *target = at;
    (void)k;
    if (target->body_tree) return copy(t, target->body_tree);
    if (strcmp(target->body, "{}") != 0)
        t->failed = true; /* a plan made by hand: better no plan than one without its body */
    return NULL;
}
const struct key_type KEY_BODY = {"mapping", "\"type\": \"object\"", body_read, body_write};

static int stream_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    bool stream = true;
    if (KEY_BOOL.read(r, k, n, &stream)) return -1;
    *(bool *)at = !stream;
    return 0;
}
static struct node *stream_write(struct tree *t, const struct plan_key *k, const void *at)
{
    (void)k;
    return node_new_bool(t, !*(const bool *)at);
}
const struct key_type KEY_STREAM = {"true or false", "\"type\": \"boolean\"", stream_read, stream_write};

static bool member_name_valid(const char *s)
{
    size_t n = strlen(s);
    return n > 0 && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == n;
}

static int omit_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct buf all __attribute__((cleanup(buf_clear))) = BUF_INIT(4096);
    (void)k;
    if (n->kind != NODE_SEQ) return read_expected(r, n, "a list of names, such as [stream_options]");
    for (const struct node *c = n->first; c; c = c->next) {
        const char *name;
        if (scalar_read_text(r, c, "the name of a member", &name)) return -1;
        if (!member_name_valid(name)) return read_expected(r, c, "the name of a member of the request");
        (void)buf_printf(&all, "%s%s", all.len ? " " : "", name);
    }
    if (all.bad) return node_refuse(n, false, r->e, "too many names");
    *(const char **)at = read_keep(r, n, buf_str(&all));
    return *(const char **)at ? 0 : -1;
}
static struct node *omit_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const char *word = *(const char *const *)at;
    (void)k;
    if (!word || !*word) return NULL;
    struct node *all = node_new(t, NODE_SEQ);
    for (; *word; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        node_add(t, all, node_new_text(t, arena_text(t->arena, word, len)));
        word += len;
    }
    return all;
}
const struct key_type KEY_OMIT = {"list of names", "\"type\": \"array\", \"items\": {\"type\": \"string\"}", omit_read,
                                  omit_write};

int target_check(struct reader *r, const struct node *map, void *base)
{
    struct plan_target *t = (struct plan_target *)base;
    if (t->template.body && t->api != API_TEMPLATE)
        return node_refuse(node_get(map, "template"), true, r->e, "is for api: template");
    if (plan_api_check(r, map, t)) return -1;
    if (!t->n_models)
        return node_refuse(map, false, r->e,
                           "needs \"model\" (a name, or a weighted mix), such as model: llama-3.1-8b");
    if (t->streams_per_connection && t->http == HTTP_1)
        return node_refuse(node_get(map, "streams_per_connection"), true, r->e,
                           "is for HTTP/2: say http: \"2\" or auto");
    if (t->http != HTTP_1 && !t->streams_per_connection) t->streams_per_connection = 100;
    if (!t->tls_cert_file != !t->tls_key_file)
        return node_refuse(node_get(map, "tls"), false, r->e, "cert_file and key_file go together");
    return plan_way_check(r, map, t);
}
