/* Secrets are named in a plan, never contained in it. A value where a name belongs is refused without being repeated:
 * messages end in logs. */
#include <ctype.h>
#include <string.h>

#include "common/plan/plan_key.h"
#include "common/plan/plan_secret.h"
#include "common/text.h"

#define FORMS                                                                                                          \
    "{bearer: {env: NAME}}, {bearer: {file: PATH}}, {header: x-api-key, env: NAME}, {basic: {user: NAME, env: NAME}} " \
    "or none"

bool secret_is_likely(const char *s)
{
    static const char *const BEGIN[] = {"sk-",  "sk_",  "dapi", "hf_", "ghp_",
                                        "gsk_", "xai-", "AIza", "eyJ", "AKIA"}; /* public prefixes of providers' keys */
    static const char *const SCHEMES[] = {"bearer ", "basic ", "token "};
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++)
        if (strncasecmp(s, SCHEMES[i], strlen(SCHEMES[i])) == 0) return true;
    for (size_t i = 0; i < sizeof BEGIN / sizeof *BEGIN; i++)
        if (strncmp(s, BEGIN[i], strlen(BEGIN[i])) == 0 && strlen(s) >= 12) return true;
    return false;
}

static int contained(struct reader *r, const struct node *n)
{
    return node_refuse(n, false, r->e,
                       "a secret is named in a plan, never written into it: use {env: NAME} or {file: PATH}");
}

static bool is_variable(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_') return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_') return false;
    return true;
}

/* The env or file that stands in `map`; other keys of it are the caller's. */
static int secret_read(struct reader *r, const struct node *map, struct plan_secret *ret)
{
    const struct node *env = node_get(map, "env"), *file = node_get(map, "file"), *n = env ? env : file;
    if (!n || (env && file)) return node_refuse(map, false, r->e, "needs either env: NAME or file: PATH");
    if (n->kind != NODE_TEXT || n->len == 0 || n->len > 1000)
        return node_refuse(n, false, r->e, "expected the %s",
                           env ? "name of an environment variable" : "path of a file");
    if (env ? !is_variable(n->text) || n->len > 128 || secret_is_likely(n->text)
            : secret_is_likely(n->text) || strpbrk(n->text, "\n\r${}"))
        return node_refuse(n, false, r->e,
                           env ? "is not the name of an environment variable (letters, digits, _)"
                               : "is not the path of a file");
    ret->kind = env ? SECRET_ENV : SECRET_FILE;
    ret->name = read_keep(r, n, n->text);
    return ret->name ? 0 : -1;
}

/* All keys of the map are among the words given; an unknown key is not repeated, it may be the secret. */
static int only(struct reader *r, const struct node *map, const char *const *words, const char *known)
{
    for (const struct node *c = map->first; c; c = c->next) {
        bool found = false;
        for (const char *const *w = words; *w && !found; w++)
            found = strcmp(c->key, *w) == 0;
        if (!found) {
            struct node place = *map; /* the map's path, the key's place */
            place.line = c->key_line;
            place.column = c->key_column;
            if (!place.line) place.file = map->file;
            return node_refuse(&place, false, r->e, "unknown key; known here: %s", known);
        }
    }
    return 0;
}

static int header_read(struct reader *r, const struct node *n, struct plan_auth *a)
{
    static const char *const KEYS[] = {"header", "env", "file", NULL};
    const struct node *name = node_get(n, "header");
    if (only(r, n, KEYS, "header, env, file") || secret_read(r, n, &a->secret)) return -1;
    if (name->kind != NODE_TEXT || !text_is_header_name(name->text) || secret_is_likely(name->text))
        return node_refuse(name, false, r->e, "expected the name of a header, such as x-api-key");
    a->kind = AUTH_HEADER;
    a->header = read_keep(r, name, name->text);
    return a->header ? 0 : -1;
}

static int basic_read(struct reader *r, const struct node *n, struct plan_auth *a)
{
    static const char *const KEYS[] = {"user", "env", "file", NULL};
    if (n->kind != NODE_MAP) return contained(r, n);
    const struct node *user = node_get(n, "user");
    if (node_get(n, "password")) return contained(r, node_get(n, "password"));
    if (only(r, n, KEYS, "user, env, file")) return -1;
    if (!user) return node_refuse(n, false, r->e, "needs \"user\"");
    if (scalar_read_text(r, user, "the name of a user", &a->user)) return -1;
    if (strchr(a->user, ':')) return node_refuse(user, false, r->e, "must not contain a colon");
    a->kind = AUTH_BASIC;
    return secret_read(r, n, &a->secret);
}

static int auth_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const char *const BEARER[] = {"bearer", NULL}, *const BASIC[] = {"basic", NULL},
                             *const SECRET[] = {"env", "file", NULL};
    struct plan_auth *a = at;
    (void)k;
    *a = (struct plan_auth){.kind = AUTH_NONE};
    if (n->kind == NODE_NULL || (n->kind == NODE_TEXT && strcmp(n->text, "none") == 0)) return 0;
    if (n->kind != NODE_MAP) return node_refuse(n, false, r->e, "expected " FORMS);
    const struct node *bearer = node_get(n, "bearer"), *basic = node_get(n, "basic");
    if (node_get(n, "header")) return header_read(r, n, a);
    if (basic) return only(r, n, BASIC, "bearer, header, basic") ? -1 : basic_read(r, basic, a);
    if (!bearer) return node_refuse(n, false, r->e, "expected " FORMS);
    if (only(r, n, BEARER, "bearer, header, basic")) return -1;
    if (bearer->kind != NODE_MAP) return contained(r, bearer);
    a->kind = AUTH_BEARER;
    return only(r, bearer, SECRET, "env, file") ? -1 : secret_read(r, bearer, &a->secret);
}

static void put_secret(struct tree *t, struct node *map, const struct plan_secret *s)
{
    node_put(t, map, s->kind == SECRET_ENV ? "env" : "file", node_new_text(t, s->name));
}

static struct node *auth_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_auth *a = at;
    if (a->kind == AUTH_NONE) return *k->standard ? node_new_text(t, "none") : NULL;
    struct node *n = node_new(t, NODE_MAP), *inner = node_new(t, NODE_MAP);
    if (a->kind == AUTH_HEADER) {
        node_put(t, n, "header", node_new_text(t, a->header));
        put_secret(t, n, &a->secret);
        return n;
    }
    if (a->kind == AUTH_BASIC) node_put(t, inner, "user", node_new_text(t, a->user));
    put_secret(t, inner, &a->secret);
    node_put(t, n, a->kind == AUTH_BASIC ? "basic" : "bearer", inner);
    return n;
}
const struct key_type KEY_AUTH = {"auth", "\"$ref\": \"#/$defs/auth\"", auth_read, auth_write};
