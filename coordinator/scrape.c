#include "coordinator/scrape.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/addr.h"
#include "common/buf.h"
#include "common/clock.h"

struct held {
    struct server_sample sample;
    int64_t mono_ns;
};

struct scrape {
    const struct plan_target *target;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t wake;
    bool running, stop, now;
    struct scrape_state state;
    struct held held[SCRAPE_HELD]; /* a ring */
    size_t first, n;
};

/* What one reading may touch: the thread's own. */
struct reading {
    struct buf page;
    char refused[200];
};

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    struct reading *r = arg;
    return buf_put(&r->page, bytes, size * n) ? 0 : size * n;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct reading *r = arg;
    uint8_t a[16];
    char shown[INET6_ADDRSTRLEN] = "?";
    const char *why = addr_of(&to->addr, a, shown) ? "neither IPv4 nor IPv6" : addr_forbidden(a);
    (void)purpose;
    if (!why) return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    (void)snprintf(r->refused, sizeof r->refused, "the address %s is refused: %s", shown, why);
    return CURL_SOCKET_BAD;
}

/* The target's own: the proxy of the plan, whatever the environment says; or that of the environment, where the plan
 * says so, which curl reads by itself; or none. */
static void set_way(CURL *c, const struct plan_target *t)
{
    if (t->proxy && strcmp(t->proxy, PLAN_PROXY_ENVIRONMENT) == 0) return;
    curl_easy_setopt(c, CURLOPT_PROXY, t->proxy ? t->proxy : "");
    curl_easy_setopt(c, CURLOPT_NOPROXY, "");
}

static void set_up(CURL *c, const struct plan_target *t, struct reading *r)
{
    curl_easy_setopt(c, CURLOPT_URL, t->metrics_url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    set_way(c, t);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L); /* does not wait for a resolver that hangs */
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, SCRAPE_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, r);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "plateau/" PLATEAU_VERSION);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, t->tls_verify ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, t->tls_verify ? 2L : 0L);
    if (t->tls_ca_file) curl_easy_setopt(c, CURLOPT_CAINFO, t->tls_ca_file);
    if (t->tls_cert_file) curl_easy_setopt(c, CURLOPT_SSLCERT, t->tls_cert_file);
    if (t->tls_key_file) curl_easy_setopt(c, CURLOPT_SSLKEY, t->tls_key_file);
}

static int refused(const struct plan_target *t, long status, const char *by, struct err *e)
{
    return err_set(e, ERR_NET, "%sHTTP status %ld%s", by, status,
                   status == 407 && t->proxy ? ": the proxy wants a login, which the coordinator does not have" : "");
}

static int read_page(CURL *c, const struct plan_target *t, struct reading *r, struct server_sample *ret, struct err *e)
{
    long status = 0, tunnel = 0;
    const char *by = t->proxy ? "by the proxy: " : "";
    buf_reset(&r->page);
    r->refused[0] = 0;
    CURLcode rc = curl_easy_perform(c);
    if (r->refused[0]) return err_set(e, ERR_REFUSED, "%s", r->refused);
    if (r->page.bad) return err_set(e, ERR_WIRE, "the page is longer than %u bytes", SERVER_PAGE_MAX);
    (void)curl_easy_getinfo(c, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (rc != CURLE_OK && tunnel && tunnel / 100 != 2) return refused(t, tunnel, by, e);
    if (rc != CURLE_OK) return err_set(e, ERR_NET, "%s%s", by, curl_easy_strerror(rc));
    (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return refused(t, status, by, e);
    return server_read(buf_str(&r->page), r->page.len, ret, e);
}

static bool says_something(const struct server_sample *s)
{
    for (int f = 0; f < SERVER_FIELD_N; f++)
        if (s->value[f] >= 0) return true;
    return false;
}

static void keep(struct scrape *s, const struct server_sample *sample, int64_t when, const struct err *why)
{
    s->state.readings++;
    if (!why && s->n == SCRAPE_HELD) {
        s->state.failed++; /* nothing takes the readings: this one is dropped */
    } else if (!why) {
        s->held[(s->first + s->n++) % SCRAPE_HELD] = (struct held){*sample, when};
        s->state.blank = !says_something(sample);
    } else if (s->state.failed++ == 0) {
        (void)snprintf(s->state.first, sizeof s->state.first, "%.250s", why->text);
    }
}

/* Waits for the next second, a request, or the end. False: the end, with no reading asked for. */
static bool wait_turn(struct scrape *s, int64_t until)
{
    struct timespec ts = {.tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S)};
    while (!s->now && !s->stop && clock_mono_ns() < until)
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &ts);
    bool go = s->now || !s->stop;
    s->now = false;
    return go;
}

static void *loop(void *arg)
{
    struct scrape *s = arg;
    struct reading r = {.page = BUF_INIT(SERVER_PAGE_MAX)};
    CURL *c = curl_easy_init();
    if (c) set_up(c, s->target, &r);
    int64_t next = clock_mono_ns();
    (void)pthread_mutex_lock(&s->lock);
    while (wait_turn(s, next)) {
        struct server_sample sample = {0};
        struct err e = {0};
        (void)pthread_mutex_unlock(&s->lock);
        int64_t when = clock_mono_ns();
        int rc = c ? read_page(c, s->target, &r, &sample, &e) : err_set(&e, ERR_NOMEM, "no memory");
        (void)pthread_mutex_lock(&s->lock);
        keep(s, &sample, when, rc ? &e : NULL);
        while (next <= when)
            next += NS_PER_S; /* on the grid of seconds, whatever was read in between */
    }
    (void)pthread_mutex_unlock(&s->lock);
    curl_easy_cleanup(c);
    buf_clear(&r.page);
    return NULL;
}

struct scrape *scrape_start(const struct plan_target *t, struct err *e)
{
    pthread_condattr_t attr;
    struct scrape *s = calloc(1, sizeof *s);
    if (!s || curl_global_init(CURL_GLOBAL_DEFAULT)) {
        free(s);
        (void)err_set(e, ERR_NOMEM, "no memory to read metrics_url");
        return NULL;
    }
    s->target = t;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    s->running = pthread_create(&s->thread, NULL, loop, s) == 0;
    if (s->running) return s;
    scrape_destroy(&s);
    (void)err_set(e, ERR_LIMIT, "no thread to read metrics_url");
    return NULL;
}

void scrape_now(struct scrape *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->now = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

bool scrape_take(struct scrape *s, struct server_sample *ret, int64_t *ret_mono_ns)
{
    (void)pthread_mutex_lock(&s->lock);
    bool any = s->n > 0;
    if (any) {
        *ret = s->held[s->first].sample;
        *ret_mono_ns = s->held[s->first].mono_ns;
        s->first = (s->first + 1) % SCRAPE_HELD;
        s->n--;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return any;
}

void scrape_state(struct scrape *s, struct scrape_state *ret)
{
    (void)pthread_mutex_lock(&s->lock);
    *ret = s->state;
    (void)pthread_mutex_unlock(&s->lock);
}

void scrape_finish(struct scrape *s)
{
    if (!s->running) return;
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    s->running = false;
}

void scrape_destroy(struct scrape **s)
{
    if (!*s) return;
    scrape_finish(*s);
    (void)pthread_cond_destroy(&(*s)->wake);
    (void)pthread_mutex_destroy(&(*s)->lock);
    curl_global_cleanup();
    free(*s);
    *s = NULL;
}
