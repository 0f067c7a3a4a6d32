#include "common/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PORT_HTTP 80
#define PORT_HTTPS 443

uint16_t url_port(const char *text, size_t n)
{
    uint32_t port = 0;
    if (n == 0 || n > 5) return 0;
    for (size_t i = 0; i < n; i++) {
        if (!isdigit((unsigned char)text[i])) return 0;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static int take_host(struct url *u, const char *host, size_t n, struct err *e)
{
    if (n > URL_HOST_MAX) return err_set(e, ERR_PLAN, "the URL's host is longer than %u characters", URL_HOST_MAX);
    memcpy(u->host, host, n);
    u->host[n] = '\0';
    return 0;
}

/* [ADDRESS]; *ret_end is after the bracket. */
static int take_literal6(struct url *u, const char *host, const char *end, const char **ret_end, struct err *e)
{
    const char *close = memchr(host, ']', (size_t)(end - host));
    size_t n = close ? (size_t)(close - host - 1) : 0;
    if (n < 2 || strspn(host + 1, "0123456789abcdefABCDEF:.") != n)
        return err_set(e, ERR_PLAN, "expected an IPv6 address in brackets, such as [::1]");
    if (close + 1 != end && close[1] != ':') return err_set(e, ERR_PLAN, "expected a port or a path after the ]");
    u->literal6 = true;
    *ret_end = close + 1;
    return take_host(u, host + 1, n, e);
}

static int take_name(struct url *u, const char *host, const char *end, const char **ret_end, struct err *e)
{
    const char *colon = memchr(host, ':', (size_t)(end - host)), *stop = colon ? colon : end;
    if (stop == host) return err_set(e, ERR_PLAN, "the URL has no host");
    for (const char *c = host; c < stop; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-._", *c))
            return err_set(e, ERR_PLAN, "the URL's host holds a \"%c\"", *c);
    *ret_end = stop;
    return take_host(u, host, (size_t)(stop - host), e);
}

int url_parse(const char *text, struct url *ret, struct err *e)
{
    size_t scheme = strncmp(text, "http://", 7) == 0 ? 7 : strncmp(text, "https://", 8) == 0 ? 8 : 0;
    *ret = (struct url){.tls = scheme == 8, .port = scheme == 8 ? PORT_HTTPS : PORT_HTTP};
    if (!scheme) return err_set(e, ERR_PLAN, "expected a URL that begins with http:// or https://");
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c >= 0x7f || strchr("\"<>\\^`{|}", *c))
            return err_set(e, ERR_PLAN, "the URL holds a character that must be percent-encoded");
    const char *host = text + scheme, *end = host + strcspn(host, "/?#"), *colon;
    if (memchr(host, '@', (size_t)(end - host)))
        return err_set(e, ERR_PLAN, "a URL must not hold a user or password: use target.auth");
    if (strchr(end, '#')) return err_set(e, ERR_PLAN, "a URL with #... is for browsers");
    if ((*host == '[' ? take_literal6 : take_name)(ret, host, end, &colon, e) < 0) return -1;
    if (colon != end && !(ret->port = url_port(colon + 1, (size_t)(end - colon - 1))))
        return err_set(e, ERR_PLAN, "the URL's port must be a number from 1 to 65535");
    ret->path = end;
    return 0;
}

void url_authority(const struct url *u, char ret[static URL_AUTHORITY_MAX])
{
    const char *open = u->literal6 ? "[" : "", *close = u->literal6 ? "]" : "";
    if (u->port == (u->tls ? PORT_HTTPS : PORT_HTTP))
        (void)snprintf(ret, URL_AUTHORITY_MAX, "%s%s%s", open, u->host, close);
    else
        (void)snprintf(ret, URL_AUTHORITY_MAX, "%s%s%s:%u", open, u->host, close, u->port);
}
