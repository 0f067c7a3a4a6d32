#include "common/plan/plan_api.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_scan.h"

/* /serving-endpoints/NAME/invocations; the model's name is the endpoint's unless given. */
static int check_databricks(struct reader *r, const struct node *map, struct plan_target *t)
{
    const struct node *url = node_get(map, "url");
    const char *name = strstr(t->url, "/serving-endpoints/");
    size_t n = name ? strcspn(name += strlen("/serving-endpoints/"), "/?") : 0;
    if (n == 0 || strncmp(name + n, "/invocations", 12) != 0 || (name[n + 12] && name[n + 12] != '?'))
        return node_refuse(url, false, r->e,
                           "databricks needs a URL such as https://HOST/serving-endpoints/NAME/invocations");
    if (t->auth.kind != AUTH_BEARER)
        return node_refuse(node_get(map, "auth") ? node_get(map, "auth") : map, false, r->e,
                           "databricks needs auth: {bearer: {env: NAME}} or {bearer: {file: PATH}}");
    if (t->n_models) return 0;
    t->models = read_keep_array(r, map, 1, sizeof *t->models);
    char *copy = arena_text(r->arena, name, n);
    if (!t->models || !copy) return node_refuse(map, false, r->e, "the plan is too large");
    *t->models = (struct plan_model){.name = copy, .weight = 1};
    t->n_models = 1;
    return 0;
}

/* Without alt=sse the answer is one array. */
static int check_gemini(struct reader *r, const struct node *map, struct plan_target *t)
{
    const char *query = strchr(t->url, '?');
    if (t->whole || (query && strstr(query, "alt=sse"))) return 0;
    return node_refuse(node_get(map, "url"), false, r->e,
                       "gemini streams events only with ?alt=sse, such as "
                       "https://HOST/v1beta/models/NAME:streamGenerateContent?alt=sse");
}

/* What the template says, the other keys of the target may not say otherwise. */
static int check_template(struct reader *r, const struct node *map, struct plan_target *t)
{
    const struct node *body = node_get(map, "body"), *omit = node_get(map, "omit"), *end = node_get(map, "end");
    if (!t->template.body)
        return node_refuse(map, false, r->e,
                           "api: template needs \"template\", such as template: {body: '{\"q\": {prompt}}', text: "
                           "out.text, end: close}");
    if (body && body->n)
        return node_refuse(body, true, r->e, "has no meaning with api: template: write it into template.body");
    if (omit)
        return node_refuse(omit, true, r->e, "has no meaning with api: template: template.body is all that is sent");
    if (t->whole && t->template.framing != TEMPLATE_WHOLE)
        return node_refuse(node_get(map, "stream"), false, r->e,
                           "with api: template a whole answer is template.framing: json");
    t->whole = t->template.framing == TEMPLATE_WHOLE;
    if (t->end == END_FINISH && t->template.paths[PLACE_FINISH].n == 0)
        return node_refuse(end, false, r->e, "needs template.finish, the path of the finish reason");
    return 0;
}

static int check_none(struct reader *r, const struct node *map, struct plan_target *t)
{
    if (!strstr(t->url, "/serving-endpoints/")) return 0;
    return node_refuse(node_get(map, "url"), false, r->e, "this path is of databricks: say api: databricks");
}

const struct plan_api_row PLAN_APIS[API_N] = {
#define X(id, symbol, name, path, whole, header, value, keys, media, check)                                            \
    [API_##id] = {name, path, whole, header, value, keys, media, check},
#include "common/plan/api.def"
#undef X
};

static bool has_word(const char *words, const char *want)
{
    size_t n = strlen(want);
    for (const char *word = words; *word; word += strspn(word, " ")) {
        size_t len = strcspn(word, " ");
        if (len == n && memcmp(word, want, n) == 0) return true;
        word += len;
    }
    return false;
}

bool plan_target_limits(const struct plan_target *t)
{
    static const char *const LIMITS[] = {"max_", "num_predict", "n_predict", "maxOutputTokens"};
    for (size_t i = 0; i < sizeof LIMITS / sizeof *LIMITS; i++)
        if ((t->omit && strstr(t->omit, LIMITS[i])) || (t->body && strstr(t->body, LIMITS[i]))) return false;
    return !t->template.body || strstr(t->template.body, "{output_tokens}");
}

bool plan_api_has_tokens(enum plan_api api)
{
    return api != API_OPENAI_EMBEDDINGS && api != API_RERANK;
}

bool plan_api_owns(enum plan_api api, const char *key)
{
    return has_word(PLAN_APIS[api].keys, key);
}

bool plan_api_takes(enum plan_api api, const char *media)
{
    return has_word(PLAN_APIS[api].media, media);
}

static const char *const LIMIT_KEYS[] = {"max_tokens",     "max_completion_tokens", "max_output_tokens",
                                         "max_new_tokens", "maxOutputTokens",       "num_predict",
                                         "n_predict"};
#define N_LIMITS (sizeof LIMIT_KEYS / sizeof *LIMIT_KEYS)

/* The number after `"name":` in a text with places, which is no JSON yet; 0: none. */
static uint32_t number_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + n, name)) {
        if (at == text || at[-1] != '"' || at[n] != '"') continue;
        const char *value = at + n + 1 + strspn(at + n + 1, " \t\r\n");
        if (*value == ':') value += 1 + strspn(value + 1, " \t\r\n");
        size_t digits = strspn(value, "0123456789");
        if (digits > 0 && digits < 10) return (uint32_t)strtoul(value, NULL, 10);
    }
    return 0;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

uint32_t plan_target_limit(const struct plan_target *t)
{
    enum { DEEPEST = 2 }; /* within options, parameters or generationConfig; below that are schemas of tools */
    struct json j;
    uint32_t least = 0, n;
    for (size_t i = 0; t->template.body && !strstr(t->template.body, "{output_tokens}") && i < N_LIMITS; i++)
        least = lesser(least, number_of(t->template.body, LIMIT_KEYS[i]));
    if (!t->body) return least;
    json_begin(&j, t->body, strlen(t->body));
    for (enum json_token k = json_next(&j); k != JSON_END && k != JSON_BAD;) {
        bool is = false;
        for (size_t i = 0; k == JSON_KEY && j.depth <= DEEPEST && i < N_LIMITS; i++)
            is = is || json_is(&j, LIMIT_KEYS[i], strlen(LIMIT_KEYS[i]));
        k = json_next(&j);
        if (is && k == JSON_NUMBER && json_u32(&j, &n)) least = lesser(least, n);
    }
    return least;
}

/* The path's end, or what follows {model} in it. */
static bool ends_with(const char *s, const char *end)
{
    const char *rest = strchr(end, '}');
    if (rest) end = rest + 1;
    size_t n = strcspn(s, "?"), k = strcspn(end, "?");
    return n >= k && strncmp(s + n - k, end, k) == 0;
}

/* The API's path with the model's name in it. */
static char *path_of(struct reader *r, const struct node *map, const struct plan_target *t, const char *path)
{
    static const char PLACE[] = "{model}";
    const char *at = strstr(path, PLACE);
    if (t->n_models != 1) {
        (void)node_refuse(map, false, r->e, "the model is part of %s's path: needs one \"model\"",
                          PLAN_APIS[t->api].name);
        return NULL;
    }
    const char *name = t->models[0].name;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._~", *c)) {
            (void)node_refuse(node_get(map, "model"), false, r->e,
                              "the model is part of the URL, where \"%c\" must be percent-encoded: give the whole URL",
                              *c);
            return NULL;
        }
    size_t size = strlen(path) + strlen(name) + 1;
    char *s = read_keep_array(r, map, size, 1);
    if (s) (void)snprintf(s, size, "%.*s%s%s", (int)(at - path), path, name, at + sizeof PLACE - 1);
    return s;
}

/* The URL has a path of its own. */
static bool has_path(const char *url)
{
    const char *host = strstr(url, "://"), *path = host ? strpbrk(host + 3, "/?") : NULL;
    return path && strcmp(path, "/") != 0;
}

/* The path of another API, and not of this one too. */
static int refuse_other_path(struct reader *r, const struct node *url, const struct plan_target *t)
{
    const struct plan_api_row *row = &PLAN_APIS[t->api];
    if (t->api == API_TEMPLATE) return 0; /* any API may be written as one */
    for (const struct plan_api_row *other = PLAN_APIS; other < PLAN_APIS + API_N; other++)
        if (other != row && other->path[0] && ends_with(t->url, other->path) && !ends_with(t->url, row->path) &&
            !(row->path_whole[0] && ends_with(t->url, row->path_whole)))
            return node_refuse(url, false, r->e, "the path %s is of %s, but api is %s", other->path, other->name,
                               row->name);
    return 0;
}

int plan_api_check(struct reader *r, const struct node *map, struct plan_target *t)
{
    const struct plan_api_row *row = &PLAN_APIS[t->api];
    const struct node *url = node_get(map, "url");
    const char *path = t->whole && row->path_whole[0] ? row->path_whole : row->path[0] ? row->path : "/";
    if (!has_path(t->url) && strchr(path, '{')) {
        path = path_of(r, map, t, path);
        if (!path) return -1;
    }
    if (plan_url_add_path(r, url, &t->url, path) || row->check(r, map, t)) return -1;
    return refuse_other_path(r, url, t);
}

uint32_t plan_body_number(const char *body, const char *key)
{
    struct json j;
    uint32_t n = 0;
    if (!body) return 0;
    json_begin(&j, body, strlen(body));
    if (json_next(&j) != JSON_OBJECT) return 0;
    while (json_next(&j) == JSON_KEY) {
        bool is = json_is(&j, key, strlen(key));
        enum json_token t = json_next(&j);
        if (is && t == JSON_NUMBER && !json_u32(&j, &n)) n = 0;
        (void)json_leave(&j, t);
    }
    return n;
}

bool plan_target_sends_text(const struct plan_target *t)
{
    switch (t->api) {
    case API_OPENAI_COMPLETIONS:
    case API_DATABRICKS_COMPLETIONS:
    case API_OPENAI_EMBEDDINGS:
    case API_LLAMACPP:
    case API_TGI:
    case API_TRITON:
        return true;
    case API_TEMPLATE:
        for (size_t i = 0; i < t->template.n_parts; i++)
            if (t->template.parts[i].fill == FILL_PROMPT) return true;
        return false;
    default:
        return false;
    }
}
