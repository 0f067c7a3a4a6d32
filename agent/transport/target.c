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
#include <sys/un.h>
#include <unistd.h>

#include "agent/transport/proxy.h"
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
static int header_make(struct target_header *h, const char *name, const void *value, size_t n, bool secret,
                       struct err *e)
{
    h->name = strdup(name);
    h->value = malloc(n + 1);
    h->secret = secret;
    if (!h->name || !h->value) return err_set(e, ERR_NOMEM, "no memory for the request's headers");
    memcpy(h->value, value, n);
    h->value[n] = '\0';
    return 0;
}

static int header_add(struct target *t, const char *name, const void *value, size_t n, struct err *e)
{
    return header_make(&t->headers[t->n_headers++], name, value, n, false, e); /* counted also when it fails: freed */
}

/* "user:password" as a header's value; `bad` is looked at by the caller. */
static void login_value(const void *pair, size_t n, struct buf *value)
{
    buf_puts(value, "Basic ");
    (void)base64_put(value, pair, n);
}

static void auth_value(const struct plan_auth *a, const struct buf *secret, struct buf *value)
{
    if (a->kind == AUTH_BASIC) {
        struct buf pair = BUF_INIT(2 * SECRET_MAX);
        make_room(&pair);
        buf_puts(&pair, a->user);
        buf_putc(&pair, ':');
        buf_put(&pair, secret->data, secret->len);
        login_value(pair.data, pair.len, value);
        buf_wipe(&pair);
        return;
    }
    if (a->kind == AUTH_BEARER) buf_puts(value, "Bearer ");
    buf_put(value, secret->data, secret->len);
}

/* `name`: of the header, where the plan names none. */
static int make_auth(struct target_header *ret, const char *name, const struct plan_auth *a, struct err *e)
{
    struct buf secret = BUF_INIT(SECRET_MAX), value = BUF_INIT(4 * SECRET_MAX);
    make_room(&secret);
    make_room(&value);
    int rc = target_secret_read(&a->secret, &secret, e);
    if (rc == 0) {
        auth_value(a, &secret, &value);
        rc = value.bad ? err_set(e, ERR_NOMEM, "no memory for the request's headers")
                       : header_make(ret, a->kind == AUTH_HEADER ? a->header : name, value.data, value.len, true, e);
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
    if (!word) return header_add(t, h->key, h->value, strlen(h->value), e);
    struct buf value = BUF_INIT(1 << 16);
    size_t at = (size_t)(word - h->value);
    (void)buf_put(&value, h->value, at);
    for (size_t i = 0; i < TARGET_SESSION; i++)
        (void)buf_putc(&value, '0');
    (void)buf_puts(&value, word + strlen(TARGET_SESSION_WORD));
    int rc = value.bad ? err_set(e, ERR_NOMEM, "no memory for the request's headers")
                       : header_add(t, h->key, value.data, value.len, e);
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
            header_add(t, OURS[i][0], OURS[i][1], strlen(OURS[i][1]), e) < 0)
            return -1;
    for (size_t i = 0; i < t->plan->n_headers; i++) {
        if (add_own_header(t, &t->plan->headers[i], e) < 0) return -1;
    }
    if (t->plan->auth.kind == AUTH_NONE) return 0;
    return make_auth(&t->headers[t->n_headers++], "Authorization", &t->plan->auth, e);
}

static int parse_url(struct target *t, struct err *e)
{
    if (url_parse(t->plan->url, &t->url, e) < 0) return err_context(e, "target.url");
    url_authority(&t->url, t->authority);
    if (t->plan->host) (void)snprintf(t->authority, sizeof t->authority, "%s", t->plan->host);
    return 0;
}

/* ---- the way ---- */

static const char PROXY_HEADER[] = "Proxy-Authorization";

/* The plan's login, or that of the environment's URL. */
static int make_proxy_auth(struct target *t, const struct proxy *proxy, struct err *e)
{
    if (t->plan->proxy_auth.kind != AUTH_NONE)
        return make_auth(&t->proxy_auth, PROXY_HEADER, &t->plan->proxy_auth, e) < 0
                   ? err_context(e, "target.proxy_auth")
                   : 0;
    if (!proxy->login[0]) return 0;
    struct buf value = BUF_INIT(4 * SECRET_MAX);
    make_room(&value);
    login_value(proxy->login, strlen(proxy->login), &value);
    int rc = value.bad ? err_set(e, ERR_NOMEM, "no memory for the request's headers")
                       : header_make(&t->proxy_auth, PROXY_HEADER, value.data, value.len, true, e);
    buf_wipe(&value);
    return rc;
}

static int choose_way(struct target *t, struct proxy *proxy, struct err *e)
{
    if (t->plan->address) {
        t->way = WAY_UNIX;
        return 0;
    }
    int rc = proxy_choose(t->plan, &t->url, getenv, proxy, e);
    if (rc <= 0) return rc;
    t->way = t->url.tls || t->plan->http == HTTP_2 ? WAY_TUNNEL : WAY_FORWARD;
    if (guard_check_beyond(&t->guard, &t->url, e) < 0) return -1;
    return make_proxy_auth(t, proxy, e);
}

/* ---- addresses ---- */

static int add_address(struct target *t, const struct addrinfo *ai, uint16_t port, struct err *e)
{
    const char *who = target_by_proxy(t) ? "proxy " : "";
    struct target_address *a = &t->address[t->n_addresses];
    char ip[64];
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) != 0) return 0;
    char text[sizeof a->text + 64];
    if (guard_check_address(&t->guard, ai->ai_addr, e) < 0) return -1;
    if (ai->ai_family == AF_INET6)
        snprintf(text, sizeof text, "%s[%s]:%u", who, ip, port);
    else
        snprintf(text, sizeof text, "%s%s:%u", who, ip, port);
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

/* The socket's path is the one address. */
static int add_socket(struct target *t, struct err *e)
{
    struct target_address *a = &t->address[0];
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    const char *path = t->plan->address + strlen(PLAN_UNIX);
    size_t n = strlen(path), room = sizeof a->text - sizeof PLAN_UNIX "…";
    if (n >= sizeof sa.sun_path) return err_set(e, ERR_PLAN, "target.address: the path is too long");
    memcpy(sa.sun_path, path, n);
    const char *mark = n > room ? "…" : "", *end = n > room ? path + n - room : path;
    if (snprintf(a->text, sizeof a->text, PLAN_UNIX "%s%s", mark, end) < 0) a->text[0] = '\0';
    a->sa = calloc(1, sizeof *a->sa);
    t->n_addresses = 1;
    if (!a->sa) return err_set(e, ERR_NOMEM, "no memory for the target's addresses");
    memcpy(a->sa, &sa, sizeof sa);
    a->sa_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    return guard_check_address(&t->guard, (const struct sockaddr *)a->sa, e);
}

/* 1: not yet. */
static int resolve(struct target *t, const struct proxy *proxy, struct resolver *r, struct err *e)
{
    struct addrinfo *list = NULL;
    char port[8];
    if (t->way == WAY_UNIX) return add_socket(t, e);
    const struct url *to = target_by_proxy(t) ? &proxy->url : &t->url;
    const char *key = target_by_proxy(t) ? "target.proxy" : "target.url";
    snprintf(port, sizeof port, "%u", to->port);
    int rc = resolver_ask(r, to->host, port, &list, e);
    if (rc < 0) return err_context(e, "%s", key);
    if (rc > 0) return rc;
    for (const struct addrinfo *ai = list; ai && t->n_addresses < TARGET_ADDRESS_MAX; ai = ai->ai_next) {
        if (ai->ai_addrlen > sizeof(struct sockaddr_storage) || add_address(t, ai, to->port, e) == 0) continue;
        freeaddrinfo(list);
        return -1;
    }
    freeaddrinfo(list);
    return t->n_addresses ? 0 : err_set(e, ERR_NET, "%s: %s has no address", key, to->host);
}

int target_new(const struct plan_target *p, const struct guard *guard, struct resolver *r, struct target **ret,
               struct err *e)
{
    struct target *t = calloc(1, sizeof *t);
    struct proxy proxy = {0};
    *ret = NULL;
    if (!t) return err_set(e, ERR_NOMEM, "no memory for the target");
    t->plan = p;
    t->guard = *guard;
    int rc =
        parse_url(t, e) < 0 || make_headers(t, e) < 0 || choose_way(t, &proxy, e) < 0 ? -1 : resolve(t, &proxy, r, e);
    explicit_bzero(&proxy, sizeof proxy);
    if (rc == 0)
        *ret = t;
    else
        target_destroy(&t);
    return rc;
}

static void header_clear(struct target_header *h)
{
    if (h->value && h->secret) explicit_bzero(h->value, strlen(h->value));
    free(h->value);
    free(h->name);
}

void target_destroy(struct target **pt)
{
    struct target *t = *pt;
    if (!t) return;
    for (size_t i = 0; i < t->n_headers; i++)
        header_clear(&t->headers[i]);
    header_clear(&t->proxy_auth);
    free(t->headers);
    for (uint32_t i = 0; i < t->n_addresses; i++)
        free(t->address[i].sa);
    free(t);
    *pt = NULL;
}

const char *target_peer(const struct target *t, uint32_t address, char *buf, size_t n)
{
    if (t->way != WAY_TUNNEL) return t->address[address].text;
    (void)snprintf(buf, n, "%s:%u by %s", t->url.host, t->url.port, t->address[address].text);
    return buf;
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
