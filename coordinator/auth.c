#include "coordinator/auth.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/handshake.h"
#include "common/log.h"

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93 /* a draft in the header, and built into the library */
#endif
#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define WATCH_ENDPOINT "inproc://plateau.handshakes"
#define DOMAIN_NAME "plateau"
#define SELF_TEST_NS (5 * NS_PER_S)

enum { FRAMES = 8, FRAME_MAX = 256, RAW_KEY = 32 };

struct auth {
    char dir[512]; /* "": keys of this run only */
    struct key_pair server;
    struct key_pair stranger; /* of the self-test: refused without a line in the log */
    void *context, *zap, *watch;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* of the list */
    struct key_list list;
    struct handshake_log refused, failed;
};

/* ---- the list ---- */

bool auth_name(struct auth *a, const char *user, char *ret, size_t n)
{
    pthread_mutex_lock(&a->lock);
    const struct key_allowed *k = key_list_find(&a->list, user);
    if (k) (void)snprintf(ret, n, "%s", k->name);
    pthread_mutex_unlock(&a->lock);
    return k != NULL;
}

bool auth_may_use(struct auth *a, const char *user, const char *name)
{
    pthread_mutex_lock(&a->lock);
    const struct key_allowed *k = key_list_find(&a->list, user);
    bool may = k && key_allowed_name(k, name);
    pthread_mutex_unlock(&a->lock);
    return may;
}

int auth_reload(struct auth *a, size_t *ret_n, struct err *e)
{
    struct key_list fresh, old;
    if (a->dir[0]) {
        if (key_list_load(a->dir, &fresh, e)) return -1;
        pthread_mutex_lock(&a->lock);
        old = a->list;
        a->list = fresh;
        pthread_mutex_unlock(&a->lock);
        key_list_clear(&old);
    }
    *ret_n = a->list.n; /* only this thread changes it */
    return 0;
}

bool auth_has_folder(const struct auth *a)
{
    return a->dir[0] != 0;
}

void auth_server_key(const struct auth *a, char ret_public[KEY_TEXT])
{
    memcpy(ret_public, a->server.public_key, KEY_TEXT);
}

/* ---- the handler ---- */

struct request {
    char version[8], id[FRAME_MAX], domain[FRAME_MAX], address[FRAME_MAX], mechanism[16];
    int id_n;
    unsigned char key[RAW_KEY];
    bool has_key;
};

static void text(char *to, size_t n, const char *from, int len)
{
    (void)snprintf(to, n, "%.*s", len < 0 ? 0 : len, from);
}

/* version, request id, domain, address, routing id, mechanism, credentials … */
static bool read_request(void *zap, struct request *r)
{
    int more = 1;
    memset(r, 0, sizeof *r);
    for (int i = 0; more; i++) {
        char frame[FRAME_MAX];
        size_t size = sizeof more;
        int n = zmq_recv(zap, frame, sizeof frame, i == 0 ? ZMQ_DONTWAIT : 0);
        if (n < 0) return false;
        if (n > FRAME_MAX) n = FRAME_MAX;
        if (i == 0) text(r->version, sizeof r->version, frame, n);
        if (i == 1) memcpy(r->id, frame, (size_t)(r->id_n = n));
        if (i == 2) text(r->domain, sizeof r->domain, frame, n);
        if (i == 3) text(r->address, sizeof r->address, frame, n);
        if (i == 5) text(r->mechanism, sizeof r->mechanism, frame, n);
        if (i == 6 && n == RAW_KEY) {
            memcpy(r->key, frame, RAW_KEY);
            r->has_key = true;
        }
        if (zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &size)) return false;
    }
    return true;
}

static void tell(struct handshake_log *l, const char *what, const char *detail)
{
    uint32_t held;
    if (!handshake_log_pass(l, detail, clock_mono_ns(), &held)) return;
    if (held) log_warn("%u more like the following were not logged", held);
    log_warn("%s %s", what, detail);
}

static void answer(struct auth *a, const struct request *r)
{
    char user[KEY_TEXT] = "", name[64], detail[400];
    bool ok = strcmp(r->version, "1.0") == 0 && strcmp(r->domain, DOMAIN_NAME) == 0 &&
              strcmp(r->mechanism, "CURVE") == 0 && r->has_key && zmq_z85_encode(user, r->key, RAW_KEY) &&
              auth_name(a, user, name, sizeof name);
    const char *code = ok ? "200" : "400", *words = ok ? "OK" : "not allowed";
    (void)zmq_send(a->zap, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(a->zap, r->id, (size_t)r->id_n, ZMQ_SNDMORE);
    (void)zmq_send(a->zap, code, 3, ZMQ_SNDMORE);
    (void)zmq_send(a->zap, words, strlen(words), ZMQ_SNDMORE);
    (void)zmq_send(a->zap, user, ok ? strlen(user) : 0, ZMQ_SNDMORE);
    (void)zmq_send(a->zap, "", 0, 0);
    if (ok) {
        log_debug("admitted: %s, key %s, from %s", name, user, r->address);
        return;
    }
    if (user[0] && strcmp(user, a->stranger.public_key) == 0) return;
    (void)snprintf(detail, sizeof detail, "%s: key %s is not on the list", r->address, user[0] ? user : "(none)");
    tell(&a->refused, "refused a peer from", detail);
}

static void *serve(void *arg)
{
    struct auth *a = arg;
    zmq_pollitem_t item[] = {{.socket = a->zap, .events = ZMQ_POLLIN}, {.socket = a->watch, .events = ZMQ_POLLIN}};
    while (zmq_poll(item, a->watch ? 2 : 1, -1) >= 0 || errno == EINTR) {
        struct request r;
        char words[200];
        enum handshake_event ev;
        while (read_request(a->zap, &r))
            answer(a, &r);
        if (errno == ETERM) break;
        while (a->watch && (ev = handshake_next(a->watch, words, sizeof words)) != HANDSHAKE_NOTHING)
            if (ev == HANDSHAKE_FAILED) tell(&a->failed, "a handshake failed:", words); /* refusals are logged above */
    }
    zmq_close(a->zap);
    if (a->watch) zmq_close(a->watch);
    return NULL;
}

/* ---- life ---- */

static int listen_zap(struct auth *a, void *context, struct err *e)
{
    int none = 0;
    a->context = context;
    a->zap = zmq_socket(context, ZMQ_REP);
    if (!a->zap || zmq_setsockopt(a->zap, ZMQ_LINGER, &none, sizeof none) || zmq_bind(a->zap, ZAP_ENDPOINT))
        return err_set(e, ERR_NET, "cannot start the handler of keys: %s", zmq_strerror(errno));
    return 0;
}

static struct auth *make(struct err *e)
{
    struct auth *a = calloc(1, sizeof *a);
    if (!a)
        (void)err_set(e, ERR_NOMEM, "no memory");
    else
        pthread_mutex_init(&a->lock, NULL);
    return a;
}

struct auth *auth_open(void *context, const char *dir, struct err *e)
{
    struct auth *a = make(e);
    if (!a) return NULL;
    int rc = (size_t)snprintf(a->dir, sizeof a->dir, "%s", dir) < sizeof a->dir
                 ? 0
                 : err_set(e, ERR_USAGE, "--keys: the folder's name is too long");
    if (rc == 0) rc = key_pair_load(dir, "coordinator", &a->server, e);
    if (rc == 0) rc = key_list_load(dir, &a->list, e);
    if (rc == 0) rc = listen_zap(a, context, e);
    if (rc) auth_close(&a);
    return a;
}

struct auth *auth_open_with(void *context, struct key_pair *server, const char *allowed_public, const char *name,
                            struct err *e)
{
    struct auth *a = make(e);
    if (!a) return NULL;
    char line[200];
    int n = snprintf(line, sizeof line, "%s %s agent\n", allowed_public, name);
    a->server = *server;
    key_pair_clear(server);
    if (key_list_parse("keys of this run", line, (size_t)n, &a->list, e) || listen_zap(a, context, e)) auth_close(&a);
    return a;
}

int auth_protect(struct auth *a, void *socket, struct err *e)
{
    int on = 1;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on) ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, a->server.secret_key, KEY_TEXT) ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, DOMAIN_NAME, sizeof DOMAIN_NAME - 1) ||
        zmq_setsockopt(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &on, sizeof on))
        return err_set(e, ERR_NET, "cannot protect a socket by keys: %s", zmq_strerror(errno));
    sodium_memzero(a->server.secret_key, sizeof a->server.secret_key);
    if (key_pair_new(&a->stranger, e)) return -1;
    if (!(a->watch = handshake_watch(a->context, socket, WATCH_ENDPOINT, e))) return -1;
    a->started = pthread_create(&a->thread, NULL, serve, a) == 0;
    return a->started ? 0 : err_set(e, ERR_NOMEM, "no thread for the handler of keys");
}

void auth_close(struct auth **pa)
{
    struct auth *a = *pa;
    if (!a) return;
    if (a->started)
        pthread_join(a->thread, NULL);
    else {
        if (a->zap) zmq_close(a->zap);
        if (a->watch) zmq_close(a->watch);
    }
    key_pair_clear(&a->server);
    key_pair_clear(&a->stranger);
    key_list_clear(&a->list);
    pthread_mutex_destroy(&a->lock);
    free(a);
    *pa = NULL;
}

/* ---- self-test ---- */

static int knock(const struct auth *a, void *dealer, void *watch, const struct key_pair *k, const char *endpoint,
                 struct err *e)
{
    char words[200];
    int none = 0, on = 1;
    if (zmq_setsockopt(dealer, ZMQ_LINGER, &none, sizeof none) || zmq_setsockopt(dealer, ZMQ_IPV6, &on, sizeof on) ||
        zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, a->server.public_key, KEY_TEXT) ||
        zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, k->public_key, KEY_TEXT) ||
        zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, k->secret_key, KEY_TEXT) || zmq_connect(dealer, endpoint))
        return err_set(e, ERR_INTERNAL, "self-test of the keys: %s", zmq_strerror(errno));
    for (int64_t until = clock_mono_ns() + SELF_TEST_NS; clock_mono_ns() < until;) {
        zmq_pollitem_t item = {.socket = watch, .events = ZMQ_POLLIN};
        (void)zmq_poll(&item, 1, 100);
        switch (handshake_next(watch, words, sizeof words)) {
        case HANDSHAKE_REFUSED:
            return 0;
        case HANDSHAKE_DONE:
            return err_set(e, ERR_INTERNAL,
                           "self-test of the keys: a random key was admitted; nothing is started like this");
        case HANDSHAKE_FAILED:
            return err_set(e, ERR_INTERNAL, "self-test of the keys: %s", words);
        case HANDSHAKE_CONNECTED:
        case HANDSHAKE_NOTHING:
            break;
        }
    }
    return err_set(e, ERR_INTERNAL, "self-test of the keys: a random key was not refused within 5 s");
}

int auth_self_test(struct auth *a, const char *endpoint, struct err *e)
{
    void *context = zmq_ctx_new(), *dealer = context ? zmq_socket(context, ZMQ_DEALER) : NULL;
    void *watch = dealer ? handshake_watch(context, dealer, WATCH_ENDPOINT, e) : NULL;
    int rc = watch ? knock(a, dealer, watch, &a->stranger, endpoint, e)
                   : err_set(e, ERR_INTERNAL, "self-test of the keys: no socket");
    if (watch) zmq_close(watch);
    if (dealer) zmq_close(dealer);
    if (context) zmq_ctx_term(context);
    return rc;
}
