#include "agent/guard.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/url.h"

static int check_socket(const struct guard *guard, const char *path, struct err *e)
{
    for (size_t i = 0; i < guard->n_sockets; i++)
        if (strcmp(guard->socket[i], path) == 0) return 0;
    return err_set(e, ERR_REFUSED,
                   "the guard of this agent refuses the socket %.108s: it is not allowed (--allow %s%.108s)", path,
                   PLAN_UNIX, path);
}

int guard_check_address(const struct guard *guard, const struct sockaddr *sa, struct err *e)
{
    uint8_t a[16];
    char shown[INET6_ADDRSTRLEN] = "?";
    if (sa->sa_family == AF_UNIX)
        return check_socket(guard, ((const struct sockaddr_un *)(const void *)sa)->sun_path, e);
    if (addr_of(sa, a, shown))
        return err_set(e, ERR_REFUSED, "the guard of this agent refuses addresses that are neither IPv4 nor IPv6");
    const char *why = addr_forbidden(a);
    if (why) return err_set(e, ERR_REFUSED, "the guard of this agent refuses the address %s: %s", shown, why);
    if (guard->n_nets == 0) return 0;
    for (size_t i = 0; i < guard->n_nets; i++)
        if (addr_in_net(a, &guard->net[i])) return 0;
    return err_set(e, ERR_REFUSED,
                   "the guard of this agent refuses the address %s: it is in none of the allowed networks", shown);
}

int guard_allow(struct guard *guard, const char *rule, struct err *e)
{
    struct addr_net net;
    const char *scheme_end = strstr(rule, "://");
    if (strncmp(rule, PLAN_UNIX, strlen(PLAN_UNIX)) == 0) {
        if (rule[strlen(PLAN_UNIX)] != '/')
            return err_set(e, ERR_USAGE, "\"%s\": write unix: and the whole path of the socket", rule);
        if (guard->n_sockets == GUARD_RULES) return err_set(e, ERR_USAGE, "more than %d sockets", GUARD_RULES);
        guard->socket[guard->n_sockets++] = rule + strlen(PLAN_UNIX);
        return 0;
    }
    if (!scheme_end && strchr(rule, '/')) {
        if (addr_net_parse(rule, &net))
            return err_set(e, ERR_USAGE, "\"%s\" is not a network; write 10.0.0.0/8 or fd00::/8", rule);
        if (guard->n_nets == GUARD_RULES) return err_set(e, ERR_USAGE, "more than %d networks", GUARD_RULES);
        guard->net[guard->n_nets++] = net;
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
        t.port = url_port(colon + 1, strlen(colon + 1));
        if (!t.port) return err_set(e, ERR_USAGE, "\"%s\": the port is 1 to 65535", rule);
        len = (size_t)(colon - host);
    }
    if (len == 0 || len >= sizeof t.host || memchr(host, '/', len))
        return err_set(
            e, ERR_USAGE,
            "\"%s\" is not a rule; write https://*.example.com, http://10.1.2.3:8000 or a network such as 10.0.0.0/8",
            rule);
    memcpy(t.host, host, len);
    if (guard->n_targets == GUARD_RULES) return err_set(e, ERR_USAGE, "more than %d targets", GUARD_RULES);
    guard->target[guard->n_targets++] = t;
    return 0;
}

static bool host_matches(const char *pattern, const struct url *u)
{
    const char *host = u->host;
    if (strcmp(pattern, "*") == 0) return true;
    if (u->literal6) {
        size_t n = strlen(host);
        return pattern[0] == '[' && strncasecmp(pattern + 1, host, n) == 0 && strcmp(pattern + 1 + n, "]") == 0;
    }
    if (strncmp(pattern, "*.", 2) == 0) { /* one or more labels before the suffix */
        size_t p = strlen(pattern + 1), h = strlen(host);
        return h > p && strcasecmp(host + h - p, pattern + 1) == 0;
    }
    return strcasecmp(pattern, host) == 0;
}

/* `what`: of the plan, "target". */
static int check_url(const struct guard *guard, const char *text, const char *what, struct err *e)
{
    struct url u;
    struct err why = {0};
    if (url_parse(text, &u, &why) < 0)
        return err_set(e, ERR_REFUSED, "the guard of this agent cannot read the URL: %s", why.text);
    const char *scheme = u.tls ? "https" : "http";
    for (size_t i = 0; i < guard->n_targets; i++) {
        const struct guard_target *t = &guard->target[i];
        if ((!t->scheme[0] || strcasecmp(t->scheme, scheme) == 0) && host_matches(t->host, &u) &&
            (!t->port || t->port == u.port))
            return 0;
    }
    if (guard->n_targets == 0) return 0;
    return err_set(e, ERR_REFUSED,
                   "the guard of this agent refuses the %s %s://%s:%u: it is not among those allowed (--allow)", what,
                   scheme, u.host, u.port);
}

int guard_check_plan(const struct guard *guard, const struct plan *p, struct err *e)
{
    const struct plan_target *t = &p->target;
    if (t->address) return check_socket(guard, t->address + strlen(PLAN_UNIX), e);
    if (check_url(guard, t->url, "target", e)) return -1;
    bool named =
        t->proxy && strcmp(t->proxy, PLAN_PROXY_ENVIRONMENT) != 0; /* the environment is not the coordinator's */
    return named ? check_url(guard, t->proxy, "proxy", e) : 0;
}

int guard_check_beyond(const struct guard *guard, const struct url *u, struct err *e)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list = NULL;
    if (getaddrinfo(u->host, NULL, &hints, &list) == 0) { /* an address, in whatever spelling */
        int rc = guard_check_address(guard, list->ai_addr, e);
        freeaddrinfo(list);
        return rc;
    }
    if (guard->n_nets == 0 || guard->n_targets > 0) return 0;
    return err_set(e, ERR_REFUSED,
                   "the guard of this agent refuses the target %s behind a proxy: it allows networks, and the proxy "
                   "alone knows the address (--allow %s allows the name)",
                   u->host, u->host);
}

int guard_check_shard(const struct guard *guard, const struct shard *s, struct err *e)
{
    if (guard->max_connections && s->slots > guard->max_connections)
        return err_set(e, ERR_REFUSED,
                       "the guard of this agent refuses %" PRIu32 " requests in flight: at most %" PRIu64
                       " (--max-connections)",
                       s->slots, guard->max_connections);
    if (guard->max_connections && s->kind == LOAD_OPEN && s->slots == 0)
        return err_set(e, ERR_REFUSED,
                       "the guard of this agent refuses an open load without max_concurrency: at most %" PRIu64
                       " in flight (--max-connections)",
                       guard->max_connections);
    if (s->kind == LOAD_OPEN && guard->max_requests_per_s > 0) {
        double rate = (s->rate_from > s->rate_to ? s->rate_from : s->rate_to) * s->n_turns / (s->cycle ? s->cycle : 1);
        if (rate > guard->max_requests_per_s)
            return err_set(e, ERR_REFUSED,
                           "the guard of this agent refuses %.6g requests/s: at most %.6g (--max-requests-per-s)", rate,
                           guard->max_requests_per_s);
    }
    if (guard->max_duration_ns) {
        char has[32], most[32];
        if (s->duration_ns == 0)
            return err_set(e, ERR_REFUSED,
                           "the guard of this agent refuses a stage without a duration: at most %s (--max-duration)",
                           clock_duration_text(guard->max_duration_ns, most, sizeof most));
        if (s->duration_ns > guard->max_duration_ns)
            return err_set(e, ERR_REFUSED, "the guard of this agent refuses a stage of %s: at most %s (--max-duration)",
                           clock_duration_text(s->duration_ns, has, sizeof has),
                           clock_duration_text(guard->max_duration_ns, most, sizeof most));
    }
    return 0;
}

int guard_check_rate(const struct guard *guard, uint64_t requests, uint64_t tokens, int64_t span_ns, struct err *e)
{
    if (span_ns <= 0) return 0;
    double s = (double)span_ns / (double)NS_PER_S;
    if (guard->max_requests_per_s > 0 && (double)requests / s > guard->max_requests_per_s)
        return err_set(e, ERR_REFUSED,
                       "the guard of this agent ended the stage: %.6g requests/s, at most %.6g (--max-requests-per-s)",
                       (double)requests / s, guard->max_requests_per_s);
    if (guard->max_tokens_per_s > 0 && (double)tokens / s > guard->max_tokens_per_s)
        return err_set(e, ERR_REFUSED,
                       "the guard of this agent ended the stage: %.6g token/s, at most %.6g (--max-tokens-per-s)",
                       (double)tokens / s, guard->max_tokens_per_s);
    return 0;
}

/* Where a description is written: what no longer fits is left out whole. */
struct words {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void words_put(struct words *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(w->at, w->left, fmt, args);
    va_end(args);
    if (n <= 0) return;
    if ((size_t)n >= w->left) {
        *w->at = 0;
        return;
    }
    w->at += n;
    w->left -= (size_t)n;
}

void guard_describe(const struct guard *guard, char *buf, size_t n)
{
    char most[32];
    struct words w = {buf, n};
    if (n == 0) return;
    *buf = 0;
    if (guard->n_targets == 0) words_put(&w, "any host");
    for (size_t i = 0; i < guard->n_targets; i++)
        words_put(&w, "%s%s%s%s", i ? ", " : "", guard->target[i].scheme, guard->target[i].scheme[0] ? "://" : "",
                  guard->target[i].host);
    if (guard->n_nets) words_put(&w, " in %zu network%s", guard->n_nets, guard->n_nets == 1 ? "" : "s");
    for (size_t i = 0; i < guard->n_sockets; i++)
        words_put(&w, ", unix:%s", guard->socket[i]);
    if (guard->max_connections) words_put(&w, "; at most %" PRIu64 " connections", guard->max_connections);
    if (guard->max_requests_per_s > 0) words_put(&w, "; at most %.6g requests/s", guard->max_requests_per_s);
    if (guard->max_tokens_per_s > 0) words_put(&w, "; at most %.6g token/s", guard->max_tokens_per_s);
    if (guard->max_duration_ns)
        words_put(&w, "; stages of at most %s", clock_duration_text(guard->max_duration_ns, most, sizeof most));
}
