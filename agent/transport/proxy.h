/* Which HTTP proxy a target's requests go through: the plan's, or what this machine's environment says, where the plan
 * asks for that. Pure. */
#pragma once
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/url.h"

#define PROXY_LOGIN_MAX 1024u

struct proxy {
    struct url url;              /* its path is not set */
    char login[PROXY_LOGIN_MAX]; /* "user:password" of the environment's URL, a secret; "" when it has none */
};

/* `env`: as getenv. Of the environment are read: for http http_proxy (in lower case only: HTTP_PROXY may come from a
 * request where the agent runs under a web server), for https https_proxy and HTTPS_PROXY, then all_proxy and
 * ALL_PROXY; no_proxy or NO_PROXY lists hosts that are reached without: names with all below them, addresses,
 * networks, "*". 1: through *ret, 0: straight, -1: the environment's value is no HTTP proxy. */
ERR_CHECKED int proxy_choose(const struct plan_target *p, const struct url *to, char *(*env)(const char *name),
                             struct proxy *ret, struct err *e);
