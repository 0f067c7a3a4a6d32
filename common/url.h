/* A URL taken apart, once for the whole house: http(s)://HOST[:PORT][/PATH][?QUERY]. Strict: what two parsers could
 * read in two ways is refused (a user, a fragment, a character that must be percent-encoded), so that connections go
 * exactly where the guard has allowed. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define URL_HOST_MAX 255u

struct url {
    bool tls;                    /* https */
    bool literal6;               /* the host was written in brackets: an IPv6 address */
    char host[URL_HOST_MAX + 1]; /* without brackets, as written */
    uint16_t port;               /* the scheme's own where none is written */
    const char *path;            /* of the parsed text, from its / or ? on; "" when it has neither */
};

/* `ret` is valid as long as `text`. An error's sentence does not repeat the URL, which may hold a secret. */
ERR_CHECKED int url_parse(const char *text, struct url *ret, struct err *e);

/* A port from `n` characters: a number from 1 to 65535, digits only. 0 when it is none. */
uint16_t url_port(const char *text, size_t n);

/* HOST or HOST:PORT as a request names it: in brackets where needed, without the port of its own scheme. */
#define URL_AUTHORITY_MAX (URL_HOST_MAX + 9u)
void url_authority(const struct url *u, char ret[static URL_AUTHORITY_MAX]);
