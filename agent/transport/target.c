#include "agent/transport/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/plan/plan_api.h"

#define SECRET_MAX 16384u

/* buf_clear with what it held wiped, for secrets. */
static void buf_wipe(struct buf *b)
{
    if (b->data) explicit_bzero(b->data, b->cap);
    buf_clear(b);
}

/* Grown before the secret comes: realloc would leave a copy of it in freed memory. */
static void make_room(struct buf *b)
{
    static const char ZEROS[1024];
    for (size_t n = 0; n < b->max; n += sizeof ZEROS)
        buf_put(b, ZEROS, sizeof ZEROS);
    buf_reset(b);
}

static int secret_from_file(const char *path, struct buf *ret, struct err *e)
{
    char chunk[1024];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_set(e, ERR_SECRET, "secret file %s: %s", path, strerror(errno));
    while ((n = read(fd, chunk, sizeof chunk)) > 0)
        buf_put(ret, chunk, (size_t)n);
    explicit_bzero(chunk, sizeof chunk);
    close(fd);
    if (n < 0) return err_set(e, ERR_SECRET, "secret file %s: cannot be read", path);
    if (ret->bad) return err_set(e, ERR_SECRET, "secret file %s: longer than %u bytes", path, SECRET_MAX);
    return 0;
}

int target_secret_read(const struct plan_secret *s, struct buf *ret, struct err *e)
{
    const char *kind = s->kind == SECRET_FILE ? "secret file" : "environment variable";
    if (s->kind == SECRET_FILE) {
        if (secret_from_file(s->name, ret, e) < 0) return -1;
    } else {
        const char *value = getenv(s->name);
        if (!value) return err_set(e, ERR_SECRET, "environment variable %s is not set on this agent", s->name);
        buf_puts(ret, value);
    }
    while (ret->len > 0 && (ret->data[ret->len - 1] == '\n' || ret->data[ret->len - 1] == '\r'))
        ret->data[--ret->len] = '\0';
    if (ret->bad) return err_set(e, ERR_SECRET, "%s %s: longer than %u bytes", kind, s->name, SECRET_MAX);
    if (ret->len == 0) return err_set(e, ERR_SECRET, "%s %s is empty", kind, s->name);
    for (size_t i = 0; i < ret->len; i++)
        if (ret->data[i] < 0x20 || ret->data[i] == 0x7f)
            return err_set(e, ERR_SECRET, "%s %s holds a control character: no header can carry it", kind, s->name);
    return 0;
}

/* One copy of the value, in memory of its own. */
static int header_add(struct target *t, const char *name, const void *value, size_t n, bool secret, struct err *e)
{
    struct target_header *h = &t->headers[t->n_headers];
    h->name = strdup(name);
    h->value = malloc(n + 1);
    h->secret = secret;
    t->n_headers++; /* so that it is freed */
    if (!h->name || !h->value) return err_set(e, ERR_NOMEM, "no memory for the request's headers");
    memcpy(h->value, value, n);
    h->value[n] = '\0';
    return 0;
}

static void auth_value(const struct plan_auth *a, const struct buf *secret, struct buf *value)
{
    if (a->kind == AUTH_BASIC) {
        struct buf pair = BUF_INIT(2 * SECRET_MAX);
        make_room(&pair);
        buf_puts(&pair, a->user);
        buf_putc(&pair, ':');
        buf_put(&pair, secret->data, secret->len);
        buf_puts(value, "Basic ");
        (void)base64_put(value, pair.data, pair.len); /* `bad` is looked at by the caller */
        buf_wipe(&pair);
        return;
    }
    if (a->kind == AUTH_BEARER) buf_puts(value, "Bearer ");
    buf_put(value, secret->data, secret->len);
}

static int add_auth(struct target *t, const struct plan_auth *a, struct err *e)
{
    if (a->kind == AUTH_NONE) return 0;
    struct buf secret = BUF_INIT(SECRET_MAX), value = BUF_INIT(4 * SECRET_MAX);
    make_room(&secret);
    make_room(&value);
    int rc = target_secret_read(&a->secret, &secret, e);
    if (rc == 0) {
        auth_value(a, &secret, &value);
        rc = value.bad
                 ? err_set(e, ERR_NOMEM, "no memory for the request's headers")
                 : header_add(t, a->kind == AUTH_HEADER ? a->header : "Authorization", value.data, value.len, true, e);
    }
    buf_wipe(&secret);
    buf_wipe(&value);
    return rc;
}

static bool plan_has_header(const struct plan_target *p, const char *name)
{
    for (size_t i = 0; i < p->n_headers; i++)
        if (strcasecmp(p->headers[i].key, name) == 0) return true;
    return false;
}

/* {session} becomes as many zeros as a session's name has characters. */
static int add_own_header(struct target *t, const struct plan_pair *h, struct err *e)
{
    const char *word = strstr(h->value, TARGET_SESSION_WORD);
    if (!word) return header_add(t, h->key, h->value, strlen(h->value), false, e);
    struct buf value = BUF_INIT(1 << 16);
    size_t at = (size_t)(word - h->value);
    (void)buf_put(&value, h->value, at);
    for (size_t i = 0; i < TARGET_SESSION; i++)
        (void)buf_putc(&value, '0');
    (void)buf_puts(&value, word + strlen(TARGET_SESSION_WORD));
    int rc = value.bad ? err_set(e, ERR_NOMEM, "no memory for the request's headers")
                       : header_add(t, h->key, value.data, value.len, false, e);
    buf_clear(&value);
    if (rc) return -1;
    t->headers[t->n_headers - 1].session = true;
    t->headers[t->n_headers - 1].at = at;
    t->sessions = true;
    return 0;
}

static int make_headers(struct target *t, struct err *e)
{
    const struct plan_api_row *api = &PLAN_APIS[t->plan->api];
    const char *const OURS[][2] = {{"Content-Type", "application/json"},
                                   {"Accept", "text/event-stream"},
                                   {"User-Agent", "plateau/" PLATEAU_VERSION},
                                   {api->header, api->header_value}};
    enum { N_OURS = sizeof OURS / sizeof *OURS };
    t->headers = calloc(N_OURS + t->plan->n_headers + 1, sizeof *t->headers);
    if (!t->headers) return err_set(e, ERR_NOMEM, "no memory for the request's headers");
    for (size_t i = 0; i < N_OURS; i++)
        if (OURS[i][0][0] && !plan_has_header(t->plan, OURS[i][0]) &&
            header_add(t, OURS[i][0], OURS[i][1], strlen(OURS[i][1]), false, e) < 0)
            return -1;
    for (size_t i = 0; i < t->plan->n_headers; i++) {
        if (add_own_header(t, &t->plan->headers[i], e) < 0) return -1;
    }
    return add_auth(t, &t->plan->auth, e);
}

static int parse_url(struct target *t, struct err *e)
{
    if (url_parse(t->plan->url, &t->url, e) < 0) return err_context(e, "target.url");
    url_authority(&t->url, t->authority);
    return 0;
}

static int add_address(struct target *t, const struct addrinfo *ai, struct err *e)
{
    struct target_address *a = &t->address[t->n_addresses];
    char ip[64];
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) != 0) return 0;
    char text[sizeof a->text + 64];
    if (guard_check_address(&t->guard, ai->ai_addr, e) < 0) return -1;
    if (ai->ai_family == AF_INET6)
        snprintf(text, sizeof text, "[%s]:%u", ip, t->url.port);
    else
        snprintf(text, sizeof text, "%s:%u", ip, t->url.port);
    for (uint32_t i = 0; i < t->n_addresses; i++)
        if (strcmp(t->address[i].text, text) == 0) return 0;
    if (strlen(text) >= sizeof a->text) return 0;
    memcpy(a->text, text, strlen(text) + 1);
    a->sa = malloc(sizeof *a->sa);
    t->n_addresses++;
    if (!a->sa) return err_set(e, ERR_NOMEM, "no memory for the target's addresses");
    memcpy(a->sa, ai->ai_addr, ai->ai_addrlen);
    a->sa_len = ai->ai_addrlen;
    return 0;
}

/* 1: not yet. */
static int resolve(struct target *t, struct resolver *r, struct err *e)
{
    struct addrinfo *list = NULL;
    char port[8];
    const char *host = t->url.host;
    snprintf(port, sizeof port, "%u", t->url.port);
    int rc = resolver_ask(r, host, port, &list, e);
    if (rc < 0) return err_context(e, "target.url");
    if (rc > 0) return rc;
    for (const struct addrinfo *ai = list; ai && t->n_addresses < TARGET_ADDRESS_MAX; ai = ai->ai_next) {
        if (ai->ai_addrlen > sizeof(struct sockaddr_storage) || add_address(t, ai, e) == 0) continue;
        freeaddrinfo(list);
        return -1;
    }
    freeaddrinfo(list);
    return t->n_addresses ? 0 : err_set(e, ERR_NET, "target.url: %s has no address", host);
}

int target_new(const struct plan_target *p, const struct guard *guard, struct resolver *r, struct target **ret,
               struct err *e)
{
    struct target *t = calloc(1, sizeof *t);
    *ret = NULL;
    if (!t) return err_set(e, ERR_NOMEM, "no memory for the target");
    t->plan = p;
    t->guard = *guard;
    int rc = parse_url(t, e) < 0 || make_headers(t, e) < 0 ? -1 : resolve(t, r, e);
    if (rc == 0)
        *ret = t;
    else
        target_destroy(&t);
    return rc;
}

void target_destroy(struct target **pt)
{
    struct target *t = *pt;
    if (!t) return;
    for (size_t i = 0; i < t->n_headers; i++) {
        struct target_header *h = &t->headers[i];
        if (h->value && h->secret) explicit_bzero(h->value, strlen(h->value));
        free(h->value);
        free(h->name);
    }
    free(t->headers);
    for (uint32_t i = 0; i < t->n_addresses; i++)
        free(t->address[i].sa);
    free(t);
    *pt = NULL;
}

bool target_address_is(const struct target_address *a, const struct sockaddr *sa)
{
    if (sa->sa_family != a->sa->ss_family) return false;
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in x, y;
        memcpy(&x, sa, sizeof x);
        memcpy(&y, a->sa, sizeof y);
        return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
    }
    struct sockaddr_in6 x, y;
    memcpy(&x, sa, sizeof x);
    memcpy(&y, a->sa, sizeof y);
    return x.sin6_port == y.sin6_port && memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
}

void target_addresses(const struct target *t, char *ret, size_t n)
{
    size_t len = 0;
    ret[0] = '\0';
    for (uint32_t i = 0; i < t->n_addresses; i++) {
        const char *a = t->address[i].text;
        size_t need = strlen(a) + (i ? 2 : 0);
        if (len + need + 8 > n) {
            snprintf(ret + len, n - len, ", …");
            return;
        }
        len += (size_t)snprintf(ret + len, n - len, "%s%s", i ? ", " : "", a);
    }
}
