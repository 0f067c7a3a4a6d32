/* URLs of the target and of its metrics page; the way to it: proxy, socket, names. */
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/plan/plan_key.h"
#include "common/url.h"

/* *ret_path is where the path or query begins. */
static int url_check(struct reader *r, const struct node *n, const char *s, const char **ret_path)
{
    struct url u;
    struct err why = {0};
    if (url_parse(s, &u, &why) < 0) return node_refuse(n, false, r->e, "%s", why.text);
    *ret_path = u.path;
    return 0;
}

/* Queries are logged by every proxy on the way. */
static int no_secret_query(struct reader *r, const struct node *n, const char *path)
{
    static const char *const NAMES[] = {
        "key=", "api_key=", "api-key=", "apikey=", "token=", "access_token=", "sig=", "password="};
    for (const char *q = strchr(path, '?'); q; q = strchr(q + 1, '&'))
        for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
            if (strncasecmp(q + 1, NAMES[i], strlen(NAMES[i])) == 0)
                return node_refuse(n, false, r->e, "a URL must not hold a secret: use target.auth");
    return 0;
}

static int url_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    const char *path;
    (void)k;
    if (scalar_read_text(r, n, "a URL", at) || url_check(r, n, *(const char **)at, &path)) return -1;
    return no_secret_query(r, n, path);
}
static struct node *url_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const char *s = *(const char *const *)at;
    (void)k;
    return s ? node_new_text(t, s) : NULL;
}
const struct key_type KEY_URL = {"URL", "\"type\": \"string\", \"pattern\": \"^https?://\"", url_read, url_write};

int plan_url_add_path(struct reader *r, const struct node *n, const char **url, const char *standard)
{
    const char *path;
    if (url_check(r, n, *url, &path)) return -1;
    if (*path && strcmp(path, "/") != 0) return 0;
    size_t host = (size_t)(path - *url), size = host + strlen(standard) + 1;
    char *s = read_keep_array(r, n, size, 1);
    if (!s) return -1;
    (void)snprintf(s, size, "%.*s%s", (int)host, *url, standard);
    *url = s;
    return 0;
}

static int page_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    return url_read(r, k, n, at) ? -1 : plan_url_add_path(r, n, at, "/metrics");
}
const struct key_type KEY_PAGE_URL = {"URL", "\"type\": \"string\", \"pattern\": \"^https?://\"", page_read, url_write};

static int proxy_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    const char *path, *colon;
    (void)k;
    if (scalar_read_text(r, n, "a proxy, such as http://proxy.example.com:3128, or environment", at)) return -1;
    const char *s = *(const char **)at;
    if (strcmp(s, PLAN_PROXY_ENVIRONMENT) == 0) return 0;
    if ((colon = strstr(s, "://")) && strncmp(s, "http://", 7) != 0)
        return node_refuse(n, false, r->e,
                           "expected an HTTP proxy in the clear, such as http://proxy.example.com:3128 (%.*s is not "
                           "built)",
                           (int)(colon - s), s);
    if (strchr(s, '@'))
        return node_refuse(n, false, r->e, "a URL must not hold a user or password: use target.proxy_auth");
    if (url_check(r, n, s, &path)) return -1;
    return *path && strcmp(path, "/") != 0 ? node_refuse(n, false, r->e, "a proxy has no path: http://HOST:PORT") : 0;
}
const struct key_type KEY_PROXY = {"URL, or `environment`", "\"type\": \"string\"", proxy_read, url_write};

static int unix_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct sockaddr_un a;
    (void)k;
    if (scalar_read_text(r, n, "a socket, such as unix:/run/llm.sock", at)) return -1;
    const char *s = *(const char **)at, *path = s + strlen(PLAN_UNIX);
    if (strncmp(s, PLAN_UNIX, strlen(PLAN_UNIX)) != 0 || *path != '/')
        return node_refuse(n, false, r->e,
                           "expected unix: and the whole path of a socket, such as unix:/run/llm.sock (another host "
                           "belongs into url, with host and sni)");
    return strlen(path) < sizeof a.sun_path
               ? 0
               : node_refuse(n, false, r->e, "a socket's path has at most %zu characters", sizeof a.sun_path - 1);
}
const struct key_type KEY_UNIX = {"`unix:` and a path", "\"type\": \"string\", \"pattern\": \"^unix:/\"", unix_read,
                                  url_write};

/* HOST or HOST:PORT, by the rules of a URL. */
static int host_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    char both[URL_AUTHORITY_MAX + 8];
    struct url u;
    if (scalar_read_text(r, n, "the name of a host", at)) return -1;
    const char *s = *(const char **)at;
    int len = snprintf(both, sizeof both, "http://%s", s);
    bool fits = len > 0 && (size_t)len < sizeof both && !url_parse(both, &u, NULL) && !*u.path;
    if (fits && k->type == &KEY_SERVER_NAME) fits = strcmp(u.host, s) == 0; /* no port */
    return fits ? 0
                : node_refuse(n, false, r->e, "expected the name of a host, such as llm.example.com%s",
                              k->type == &KEY_HOST ? " or llm.example.com:8443" : "");
}
const struct key_type KEY_HOST = {"host", "\"type\": \"string\"", host_read, url_write};
const struct key_type KEY_SERVER_NAME = {"host", "\"type\": \"string\"", host_read, url_write};

int plan_way_check(struct reader *r, const struct node *map, const struct plan_target *t)
{
    struct url u;
    if (t->proxy && t->address)
        return node_refuse(node_get(map, "address"), true, r->e, "a socket is not reached through a proxy");
    if (t->proxy_auth.kind != AUTH_NONE && !t->proxy)
        return node_refuse(node_get(map, "proxy_auth"), true, r->e, "is for a proxy: target.proxy");
    if (t->sni && !url_parse(t->url, &u, NULL) && !u.tls)
        return node_refuse(node_get(map, "sni"), true, r->e, "is for https");
    return 0;
}
