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

#define SECRET_MAX 16384u
/* HTTP/2 with prior knowledge: libcurl before 8.0 fails each request but the first of a connection (CURLE_HTTP2). */
#define H2C_SINCE 0x080000

static const char *const API_PATH[API_N] = {
#define X(id, name, path) [API_##id] = path,
#include "common/plan/api.def"
#undef X
};

/* buf_free with what it held wiped, for secrets. */
static void buf_wipe(struct buf *b)
{
    if (b->data) explicit_bzero(b->data, b->cap);
    buf_free(b);
}

/* Grown before the secret comes, so that no copy stays behind where realloc has moved it from. */
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

int secret_read(const struct plan_secret *s, struct buf *ret, struct err *e)
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

static void base64(const uint8_t *in, size_t n, struct buf *out)
{
    static const char A[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
        buf_putc(out, A[v >> 18]);
        buf_putc(out, A[v >> 12 & 63]);
        buf_putc(out, i + 1 < n ? A[v >> 6 & 63] : '=');
        buf_putc(out, i + 2 < n ? A[v & 63] : '=');
    }
}

static int header_add(struct target *t, const struct buf *line, struct err *e)
{
    struct curl_slist *more = line->bad ? NULL : curl_slist_append(t->headers, buf_str(line));
    if (!more) return err_set(e, ERR_NOMEM, "no memory for the request's headers");
    t->headers = more;
    return 0;
}

static void auth_line(const struct plan_auth *a, const struct buf *secret, struct buf *line)
{
    if (a->kind == AUTH_HEADER) {
        buf_printf(line, "%s: ", a->header);
        buf_put(line, secret->data, secret->len);
        return;
    }
    buf_puts(line, a->kind == AUTH_BEARER ? "Authorization: Bearer " : "Authorization: Basic ");
    if (a->kind == AUTH_BEARER) {
        buf_put(line, secret->data, secret->len);
        return;
    }
    struct buf pair = BUF_INIT(2 * SECRET_MAX);
    make_room(&pair);
    buf_puts(&pair, a->user);
    buf_putc(&pair, ':');
    buf_put(&pair, secret->data, secret->len);
    base64(pair.data, pair.len, line);
    buf_wipe(&pair);
}

static int add_auth(struct target *t, const struct plan_auth *a, struct err *e)
{
    if (a->kind == AUTH_NONE) return 0;
    struct buf secret = BUF_INIT(SECRET_MAX), line = BUF_INIT(4 * SECRET_MAX);
    make_room(&secret);
    make_room(&line);
    int rc = secret_read(&a->secret, &secret, e);
    if (rc == 0) {
        auth_line(a, &secret, &line);
        rc = header_add(t, &line, e);
    }
    buf_wipe(&secret);
    buf_wipe(&line);
    return rc;
}

static int make_headers(struct target *t, struct err *e)
{
    static const char *const OURS[] = {"Content-Type: application/json", "Accept: text/event-stream",
                                       "Expect:", ("User-Agent: plateau/" PLATEAU_VERSION)};
    for (size_t i = 0; i < sizeof OURS / sizeof *OURS; i++) {
        struct buf line = BUF_INIT(256);
        buf_puts(&line, OURS[i]);
        int rc = header_add(t, &line, e);
        buf_free(&line);
        if (rc < 0) return -1;
    }
    for (size_t i = 0; i < t->plan->n_headers; i++) {
        struct buf line = BUF_INIT(SECRET_MAX);
        const struct plan_pair *h = &t->plan->headers[i];
        if (*h->value)
            buf_printf(&line, "%s: %s", h->key, h->value);
        else
            buf_printf(&line, "%s;", h->key); /* how libcurl writes an empty header */
        int rc = header_add(t, &line, e);
        buf_free(&line);
        if (rc < 0) return -1;
    }
    return add_auth(t, &t->plan->auth, e);
}

/* Moves one part of a URL out of libcurl's memory. */
static int url_part(CURLU *u, CURLUPart part, unsigned flags, char **ret)
{
    char *text = NULL;
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK) return -1;
    *ret = strdup(text);
    curl_free(text);
    return *ret ? 0 : -1;
}

static int parse_url(struct target *t, struct err *e)
{
    CURLU *u = curl_url();
    char *port = NULL, *path = NULL;
    int rc = -1;
    if (!u) return err_set(e, ERR_NOMEM, "no memory for the target's URL");
    if (curl_url_set(u, CURLUPART_URL, t->plan->url, 0) != CURLUE_OK ||
        url_part(u, CURLUPART_SCHEME, 0, &t->scheme) < 0 || url_part(u, CURLUPART_HOST, 0, &t->host) < 0 ||
        url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) < 0 || url_part(u, CURLUPART_PATH, 0, &path) < 0) {
        err_set(e, ERR_PLAN, "target.url: %s is not a URL", t->plan->url);
        goto out;
    }
    t->port = (uint16_t)strtoul(port, NULL, 10);
    t->tls = strcmp(t->scheme, "https") == 0;
    if (!t->tls && strcmp(t->scheme, "http") != 0) {
        err_set(e, ERR_PLAN, "target.url: scheme must be http or https, got %s", t->scheme);
        goto out;
    }
    const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
    if (t->plan->http2 && !t->tls && v->version_num < H2C_SINCE) {
        err_set(e, ERR_PLAN,
                "target.http: \"2\" without TLS needs libcurl 8.0 on the agent, which has %s: use https, or \"1.1\"",
                v->version);
        goto out;
    }
    if (strcmp(path, "/") == 0 && *API_PATH[t->plan->api] &&
        curl_url_set(u, CURLUPART_PATH, API_PATH[t->plan->api], 0) != CURLUE_OK) {
        err_set(e, ERR_NOMEM, "no memory for the target's URL");
        goto out;
    }
    if (url_part(u, CURLUPART_URL, 0, &t->url) == 0) rc = 0;
out:
    curl_url_cleanup(u);
    free(port);
    free(path);
    return rc;
}

static int add_address(struct target *t, const struct addrinfo *ai, struct err *e)
{
    struct target_address *a = &t->address[t->n_addresses];
    char ip[64], line[160];
    if (getnameinfo(ai->ai_addr, ai->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST) != 0) return 0;
    char text[sizeof a->text + 64];
    if (guard_check_address(&t->guard, ai->ai_addr, e) < 0) return -1;
    if (ai->ai_family == AF_INET6)
        snprintf(text, sizeof text, "[%s]:%u", ip, t->port);
    else
        snprintf(text, sizeof text, "%s:%u", ip, t->port);
    for (uint32_t i = 0; i < t->n_addresses; i++)
        if (strcmp(t->address[i].text, text) == 0) return 0;
    if (strlen(text) >= sizeof a->text) return 0;
    memcpy(a->text, text, strlen(text) + 1);
    snprintf(line, sizeof line, "::%s", a->text);
    a->connect = curl_slist_append(NULL, line);
    a->sa = malloc(sizeof *a->sa);
    t->n_addresses++;
    if (!a->connect || !a->sa) return err_set(e, ERR_NOMEM, "no memory for the target's addresses");
    memcpy(a->sa, ai->ai_addr, ai->ai_addrlen);
    a->sa_len = ai->ai_addrlen;
    return 0;
}

/* 1: not yet. */
static int resolve(struct target *t, struct resolver *r, struct err *e)
{
    struct addrinfo *list = NULL;
    char host[256], port[8];
    size_t len = strlen(t->host);
    bool literal6 = len > 2 && t->host[0] == '[';
    if (len >= sizeof host) return err_set(e, ERR_PLAN, "target.url: host name is too long");
    snprintf(host, sizeof host, "%.*s", (int)(literal6 ? len - 2 : len), literal6 ? t->host + 1 : t->host);
    snprintf(port, sizeof port, "%u", t->port);
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
    for (struct curl_slist *h = t->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(t->headers);
    for (uint32_t i = 0; i < t->n_addresses; i++) {
        curl_slist_free_all(t->address[i].connect);
        free(t->address[i].sa);
    }
    free(t->url);
    free(t->scheme);
    free(t->host);
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
