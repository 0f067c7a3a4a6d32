#include "agent/guard.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"

/* Networks that are never a target. */
static const struct {
    const char *net, *why;
} FORBIDDEN[] = {
    {"169.254.0.0/16", "link-local, where clouds keep their metadata service"},
    {"fe80::/10", "link-local"},
    {"fd00:ec2::/32", "a cloud's metadata service"},
    {"100.100.100.200/32", "a cloud's metadata service"},
    {"192.0.0.192/32", "a cloud's metadata service"},
    {"168.63.129.16/32", "a cloud's metadata service"},
    {"0.0.0.0/8", "\"this network\", not an address"},
    {"::/128", "the unspecified address"},
    {"224.0.0.0/4", "multicast"},
    {"ff00::/8", "multicast"},
    {"255.255.255.255/32", "broadcast"},
};

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map4(const uint8_t v4[4], uint8_t out[16])
{
    memcpy(out, MAPPED, 12);
    memcpy(out + 12, v4, 4);
}

static int parse_net(const char *text, struct guard_net *ret)
{
    char host[64];
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof host) return -1;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = 0;
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (!isdigit((unsigned char)slash[1]) || *end) return -1;
    uint8_t v4[4];
    if (inet_pton(AF_INET, host, v4) == 1) {
        if (bits > 32) return -1;
        map4(v4, ret->addr);
        ret->bits = (uint8_t)(bits + 96);
        return 0;
    }
    if (inet_pton(AF_INET6, host, ret->addr) != 1 || bits > 128) return -1;
    ret->bits = (uint8_t)bits;
    return 0;
}

static bool in_net(const uint8_t a[16], const struct guard_net *net)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(a, net->addr, whole) != 0) return false;
    if (!rest) return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return (a[whole] & mask) == (net->addr[whole] & mask);
}

/* An IPv6 address that only carries an IPv4 one is judged as that: mapped, compatible, 6to4, NAT64. */
static bool embedded4(const uint8_t a[16], uint8_t out[16])
{
    static const uint8_t ZERO[12] = {0}, NAT64[12] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(a, ZERO, 12) == 0 && (a[12] || a[13] || a[14] || a[15] > 1)) map4(a + 12, out);
    else if (memcmp(a, NAT64, 12) == 0) map4(a + 12, out);
    else if (a[0] == 0x20 && a[1] == 0x02) map4(a + 2, out);
    else return false;
    return true;
}

static int forbidden(const uint8_t a[16], const char *shown, struct err *e)
{
    for (size_t i = 0; i < sizeof FORBIDDEN / sizeof *FORBIDDEN; i++) {
        struct guard_net net;
        if (parse_net(FORBIDDEN[i].net, &net) == 0 && in_net(a, &net))
            return err_set(e, ERR_REFUSED, "the guard of this agent refuses the address %s: %s", shown, FORBIDDEN[i].why);
    }
    return 0;
}

int guard_check_address(const struct guard *g, const struct sockaddr *sa, struct err *e)
{
    uint8_t a[16], inner[16];
    char shown[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        map4((const uint8_t *)&in.sin_addr, a);
        (void)inet_ntop(AF_INET, &in.sin_addr, shown, sizeof shown);
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        memcpy(a, &in6.sin6_addr, 16);
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, shown, sizeof shown);
    } else
        return err_set(e, ERR_REFUSED, "the guard of this agent refuses addresses that are neither IPv4 nor IPv6");

    if (forbidden(a, shown, e)) return -1;
    if (embedded4(a, inner) && forbidden(inner, shown, e)) return -1;
    if (g->n_nets == 0) return 0;
    for (size_t i = 0; i < g->n_nets; i++)
        if (in_net(a, &g->net[i])) return 0;
    return err_set(e, ERR_REFUSED, "the guard of this agent refuses the address %s: it is in none of the allowed networks", shown);
}

int guard_allow(struct guard *g, const char *rule, struct err *e)
{
    struct guard_net net;
    const char *scheme_end = strstr(rule, "://");
    if (!scheme_end && strchr(rule, '/')) {
        if (parse_net(rule, &net)) return err_set(e, ERR_USAGE, "\"%s\" is no network; write 10.0.0.0/8 or fd00::/8", rule);
        if (g->n_nets == GUARD_RULES) return err_set(e, ERR_USAGE, "more than %d networks", GUARD_RULES);
        g->net[g->n_nets++] = net;
        return 0;
    }
    struct guard_target t = {0};
    const char *host = rule;
    if (scheme_end) {
        size_t n = (size_t)(scheme_end - rule);
        if (!(n == 4 && strncasecmp(rule, "http", 4) == 0) && !(n == 5 && strncasecmp(rule, "https", 5) == 0))
            return err_set(e, ERR_USAGE, "\"%s\": the scheme is http or https", rule);
        memcpy(t.scheme, rule, n);
        host = scheme_end + 3;
    }
    const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');
    size_t len = strlen(host);
    if (colon && (!bracket || colon > bracket)) {
        char *end;
        unsigned long port = strtoul(colon + 1, &end, 10);
        if (!isdigit((unsigned char)colon[1]) || *end || port == 0 || port > 65535) return err_set(e, ERR_USAGE, "\"%s\": the port is 1 to 65535", rule);
        t.port = (uint16_t)port;
        len = (size_t)(colon - host);
    }
    if (len == 0 || len >= sizeof t.host || memchr(host, '/', len))
        return err_set(e, ERR_USAGE, "\"%s\" is no rule; write https://*.example.com, http://10.1.2.3:8000 or a network such as 10.0.0.0/8", rule);
    memcpy(t.host, host, len);
    if (g->n_targets == GUARD_RULES) return err_set(e, ERR_USAGE, "more than %d targets", GUARD_RULES);
    g->target[g->n_targets++] = t;
    return 0;
}

static bool host_matches(const char *pattern, const char *host)
{
    if (strcmp(pattern, "*") == 0) return true;
    if (strncmp(pattern, "*.", 2) == 0) { /* one or more labels before the suffix */
        size_t p = strlen(pattern + 1), h = strlen(host);
        return h > p && strcasecmp(host + h - p, pattern + 1) == 0;
    }
    return strcasecmp(pattern, host) == 0;
}

static int check_url(const struct guard *g, const char *url, struct err *e)
{
    int status = -1;
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *u = curl_url();
    if (!u) return err_set(e, ERR_NOMEM, "no memory to read a URL");
    if (curl_url_set(u, CURLUPART_URL, url, 0) || curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(u, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
        (void)err_set(e, ERR_REFUSED, "the guard of this agent cannot read the URL %s", url);
        goto out;
    }
    if (strcasecmp(scheme, "http") != 0 && strcasecmp(scheme, "https") != 0) {
        (void)err_set(e, ERR_REFUSED, "the guard of this agent refuses the scheme of %s: only http and https", url);
        goto out;
    }
    for (size_t i = 0; i < g->n_targets; i++) {
        const struct guard_target *t = &g->target[i];
        if ((!t->scheme[0] || strcasecmp(t->scheme, scheme) == 0) && host_matches(t->host, host) && (!t->port || t->port == strtoul(port, NULL, 10))) {
            status = 0;
            goto out;
        }
    }
    if (g->n_targets == 0) status = 0;
    else (void)err_set(e, ERR_REFUSED, "the guard of this agent refuses the target %s://%s:%s: it is not among those allowed (--allow)", scheme, host, port);
out:
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return status;
}

int guard_check_plan(const struct guard *g, const struct plan *p, struct err *e)
{
    return check_url(g, p->target.url, e);
}

int guard_check_shard(const struct guard *g, const struct shard *s, struct err *e)
{
    if (g->max_connections && s->slots > g->max_connections)
        return err_set(e, ERR_REFUSED, "the guard of this agent refuses %" PRIu32 " requests in flight: at most %" PRIu64 " (--max-connections)", s->slots,
                       g->max_connections);
    if (g->max_connections && s->kind == LOAD_OPEN && s->slots == 0)
        return err_set(e, ERR_REFUSED, "the guard of this agent refuses an open load without max_concurrency: at most %" PRIu64 " in flight (--max-connections)",
                       g->max_connections);
    if (s->kind == LOAD_OPEN && g->max_requests_per_s > 0) {
        double rate = (s->rate_from > s->rate_to ? s->rate_from : s->rate_to) * s->n_own / (s->cycle ? s->cycle : 1);
        if (rate > g->max_requests_per_s)
            return err_set(e, ERR_REFUSED, "the guard of this agent refuses %.6g requests/s: at most %.6g (--max-requests-per-s)", rate, g->max_requests_per_s);
    }
    if (g->max_duration_ns) {
        char has[32], most[32];
        if (s->duration_ns == 0)
            return err_set(e, ERR_REFUSED, "the guard of this agent refuses a stage without a duration: at most %s (--max-duration)",
                           duration_format(g->max_duration_ns, most, sizeof most));
        if (s->duration_ns > g->max_duration_ns)
            return err_set(e, ERR_REFUSED, "the guard of this agent refuses a stage of %s: at most %s (--max-duration)",
                           duration_format(s->duration_ns, has, sizeof has), duration_format(g->max_duration_ns, most, sizeof most));
    }
    return 0;
}

int guard_check_rate(const struct guard *g, uint64_t requests, uint64_t tokens, int64_t span_ns, struct err *e)
{
    if (span_ns <= 0) return 0;
    double s = (double)span_ns / (double)NS_PER_S;
    if (g->max_requests_per_s > 0 && (double)requests / s > g->max_requests_per_s)
        return err_set(e, ERR_REFUSED, "the guard of this agent ended the stage: %.6g requests/s, at most %.6g (--max-requests-per-s)", (double)requests / s,
                       g->max_requests_per_s);
    if (g->max_tokens_per_s > 0 && (double)tokens / s > g->max_tokens_per_s)
        return err_set(e, ERR_REFUSED, "the guard of this agent ended the stage: %.6g token/s, at most %.6g (--max-tokens-per-s)", (double)tokens / s,
                       g->max_tokens_per_s);
    return 0;
}

void guard_describe(const struct guard *g, char *buf, size_t n)
{
    char most[32];
    struct {
        char *at;
        size_t left;
    } w = {buf, n};
#define SAY(...)                                                                                                                                     \
    do {                                                                                                                                             \
        int did = snprintf(w.at, w.left, __VA_ARGS__);                                                                                               \
        if (did > 0 && (size_t)did < w.left) w.at += did, w.left -= (size_t)did;                                                                     \
    } while (0)
    if (n == 0) return;
    if (g->n_targets == 0) SAY("any host");
    for (size_t i = 0; i < g->n_targets; i++) SAY("%s%s%s%s", i ? ", " : "", g->target[i].scheme, g->target[i].scheme[0] ? "://" : "", g->target[i].host);
    if (g->n_nets) SAY(" in %zu network%s", g->n_nets, g->n_nets == 1 ? "" : "s");
    if (g->max_connections) SAY("; at most %" PRIu64 " connections", g->max_connections);
    if (g->max_requests_per_s > 0) SAY("; at most %.6g requests/s", g->max_requests_per_s);
    if (g->max_tokens_per_s > 0) SAY("; at most %.6g token/s", g->max_tokens_per_s);
    if (g->max_duration_ns) SAY("; stages of at most %s", duration_format(g->max_duration_ns, most, sizeof most));
#undef SAY
}
