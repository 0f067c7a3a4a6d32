#include "agent/transport/proxy.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/addr.h"
#include "common/hex.h"

/* "me:a%40b" as "me:a@b"; false: too long, or not to be sent in a header. */
static bool take_login(const char *p, const char *end, char ret[static PROXY_LOGIN_MAX])
{
    size_t n = 0;
    for (; p < end && n < PROXY_LOGIN_MAX - 1; n++) {
        bool coded = *p == '%' && end - p > 2 && hex_value(p[1]) >= 0 && hex_value(p[2]) >= 0;
        ret[n] = *p;
        if (coded) ret[n] = (char)(hex_value(p[1]) << 4 | hex_value(p[2]));
        p += coded ? 3 : 1;
        if ((unsigned char)ret[n] < 0x20 || ret[n] == 0x7f) return false;
    }
    ret[n] = '\0';
    return p == end;
}

/* The value is not repeated in an error: it may hold a password. */
static int take_value(const char *name, const char *value, struct proxy *ret, struct err *e)
{
    char text[URL_AUTHORITY_MAX + 16];
    const char *after = strstr(value, "://"), *host = after ? after + 3 : value;
    const char *end = host + strcspn(host, "/?#"), *at = NULL;
    struct err why = {0};
    if (after && strncasecmp(value, "http://", 7) != 0)
        return err_set(e, ERR_PLAN,
                       "target.proxy: environment: %s is not an HTTP proxy in the clear (http://HOST:PORT)", name);
    for (const char *c = host; c < end; c++)
        if (*c == '@') at = c;
    if (at && !take_login(host, at, ret->login))
        return err_set(e, ERR_SECRET, "target.proxy: environment: the login in %s cannot be sent in a header", name);
    if (at) host = at + 1;
    int len = snprintf(text, sizeof text, "http://%.*s", (int)(end - host), host);
    if (len < 0 || (size_t)len >= sizeof text || url_parse(text, &ret->url, &why) < 0)
        return err_set(e, ERR_PLAN, "target.proxy: environment: %s is not a proxy (http://HOST:PORT)%s%s", name,
                       why.text[0] ? ": " : "", why.text);
    ret->url.path = "";
    return 1;
}

static bool is_address(const char *host, uint8_t ret[16])
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list = NULL;
    char shown[INET6_ADDRSTRLEN];
    if (getaddrinfo(host, NULL, &hints, &list) != 0) return false;
    bool good = addr_of(list->ai_addr, ret, shown) == 0;
    freeaddrinfo(list);
    return good;
}

/* One word of no_proxy. */
static bool is_meant(const char *word, size_t n, const char *host)
{
    char name[URL_HOST_MAX + 1];
    struct addr_net net;
    uint8_t a[16];
    size_t have = strlen(host);
    if (n == 1 && *word == '*') return true;
    if (n > 0 && *word == '.') word++, n--;
    if (n == 0 || n >= sizeof name) return false;
    memcpy(name, word, n);
    name[n] = '\0';
    if (strchr(name, '/')) return addr_net_parse(name, &net) == 0 && is_address(host, a) && addr_in_net(a, &net);
    if (have < n || strcasecmp(host + have - n, name) != 0) return false;
    return have == n || host[have - n - 1] == '.';
}

static bool is_left_out(const char *list, const char *host)
{
    static const char BETWEEN[] = ", \t";
    for (; list && *list; list += strspn(list, BETWEEN)) {
        size_t n = strcspn(list, BETWEEN);
        if (is_meant(list, n, host)) return true;
        list += n;
    }
    return false;
}

int proxy_choose(const struct plan_target *p, const struct url *to, char *(*env)(const char *name), struct proxy *ret,
                 struct err *e)
{
    static const char *const HTTP_NAMES[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const HTTPS_NAMES[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
    memset(ret, 0, sizeof *ret);
    if (!p->proxy) return 0;
    if (strcmp(p->proxy, PLAN_PROXY_ENVIRONMENT) != 0)
        return url_parse(p->proxy, &ret->url, e) < 0 ? err_context(e, "target.proxy") : 1;
    const char *without = env("no_proxy");
    if (!without) without = env("NO_PROXY");
    if (is_left_out(without, to->host)) return 0;
    for (const char *const *name = to->tls ? HTTPS_NAMES : HTTP_NAMES; *name; name++) {
        const char *value = env(*name);
        if (value && *value) return take_value(*name, value, ret, e);
    }
    return 0;
}
