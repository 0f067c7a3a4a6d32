/* URLs of the target and of its metrics page. */
#include <stdio.h>
#include <string.h>

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
