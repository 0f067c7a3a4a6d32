#include "coordinator/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"
#include "common/handshake.h"
#include "common/human.h"
#include "common/log.h"
#include "coordinator/auth.h"

enum { QUEUE = 64, HANDSHAKE_MS = 20000, KEEPALIVE_S = 10, UNSENT_MS = 30000, BACKLOG = 1024, LINK_FDS = 8 };

/* Agents that dialled while this process stood still for so long have hung up by themselves, and what they left is read
 * within a moment. */
#define STOOD_STILL_NS (2 * NS_PER_S)
#define FORGIVE_NS (2 * NS_PER_S)

struct link {
    void *context, *router;
    struct auth *auth; /* NULL: anybody may speak */
    void *watch;       /* handshakes, where auth does not look at them */
    struct handshake_log failed;
    int64_t turned_ns, forgive_ns; /* when link_wait was last done; until when handshakes that fail are our own fault */
    char endpoint[256], dialled[280];
    bool loopback;
    struct buf out;
};

static const char ANY6[] = "tcp://[::]:";

/* The host of tcp://HOST:PORT; -1 when it is no such thing. */
static int host_of(const char *listen, char *ret, size_t n)
{
    if (strncmp(listen, "tcp://", 6) != 0) return -1;
    const char *host = listen + 6, *colon = strrchr(host, ':');
    if (!colon || colon == host || !colon[1] || (size_t)(colon - host) >= n) return -1;
    (void)snprintf(ret, n, "%.*s", (int)(colon - host), host);
    return 0;
}

static bool host_is_loopback(const char *host)
{
    unsigned a, b, c, d;
    char rest;
    if (strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 || strcmp(host, "lo") == 0) return true;
    return sscanf(host, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &rest) == 4 && a == 127 && b < 256 && c < 256 && d < 256;
}

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

/* All before bind. HANDOVER stays off: nobody takes over a connection by claiming its id. ZeroMQ's own heartbeats stay
 * off: the protocol has its own, and each of theirs cancels a timer by walking over those of all connections (4.3.4);
 * connections that are dead are closed by TCP. */
static int configure(void *router, bool v6)
{
    int64_t max = WIRE_MESSAGE_MAX;
    return set_int(router, ZMQ_IPV6, v6) || set_int(router, ZMQ_ROUTER_MANDATORY, 1) ||
           set_int(router, ZMQ_ROUTER_HANDOVER, 0) || set_int(router, ZMQ_SNDHWM, QUEUE) ||
           set_int(router, ZMQ_RCVHWM, QUEUE) || set_int(router, ZMQ_LINGER, 0) ||
           set_int(router, ZMQ_BACKLOG, BACKLOG) || set_int(router, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS) ||
           set_int(router, ZMQ_TCP_KEEPALIVE, 1) || set_int(router, ZMQ_TCP_KEEPALIVE_IDLE, KEEPALIVE_S) ||
           set_int(router, ZMQ_TCP_KEEPALIVE_INTVL, KEEPALIVE_S) || set_int(router, ZMQ_TCP_KEEPALIVE_CNT, 3) ||
           set_int(router, ZMQ_TCP_MAXRT, UNSENT_MS) || zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &max, sizeof max);
}

static struct auth *make_auth(struct link *l, const struct link_options *o, struct err *e)
{
    struct key_pair server;
    if (o->keys) return auth_open(l->context, o->keys, e);
    if (key_pair_new(&server, e) || key_pair_new(o->local, e)) return NULL;
    return auth_open_with(l->context, &server, o->local->public_key, "local-*", e);
}

/* The handler of keys starts before the first peer can connect, and the self-test shows that it refuses before the run
 * begins. */
static int listen_on(struct link *l, const struct link_options *o, struct err *e)
{
    size_t n = sizeof l->endpoint;
    bool keys = o->keys || o->local;
    if (keys && (!(l->auth = make_auth(l, o, e)) || auth_protect(l->auth, l->router, e))) return -1;
    if (!keys && !(l->watch = handshake_watch(l->context, l->router, "inproc://plateau.handshakes", e))) return -1;
    if (zmq_bind(l->router, o->listen) || zmq_getsockopt(l->router, ZMQ_LAST_ENDPOINT, l->endpoint, &n))
        return err_set(e, ERR_NET, "cannot listen on %s: %s", o->listen, zmq_strerror(errno));
    bool any6 = strncmp(l->endpoint, ANY6, strlen(ANY6)) == 0; /* takes IPv4 too, and lo may be without IPv6 */
    (void)snprintf(l->dialled, sizeof l->dialled, "%s%s", any6 ? "tcp://127.0.0.1:" : "",
                   l->endpoint + (any6 ? strlen(ANY6) : 0));
    return l->auth ? auth_self_test(l->auth, l->dialled, e) : 0;
}

struct link *link_open(const struct link_options *o, struct err *e)
{
    char host[200];
    if (host_of(o->listen, host, sizeof host)) {
        (void)err_set(e, ERR_USAGE, "cannot listen on \"%s\": expected tcp://ADDR:PORT", o->listen);
        return NULL;
    }
    bool loopback = host_is_loopback(host);
    if (!loopback && !o->insecure && !o->keys) {
        (void)err_set(e, ERR_USAGE,
                      "%s can be reached from other machines and connections are not authenticated; give --keys DIR "
                      "(made by plateau keys), listen on 127.0.0.1, or say --insecure",
                      o->listen);
        return NULL;
    }
    struct link *l = calloc(1, sizeof *l);
    if (l) l->context = zmq_ctx_new();
    if (l && l->context) l->router = zmq_socket(l->context, ZMQ_ROUTER);
    if (!l || !l->router || configure(l->router, host[0] == '[' || strcmp(host, "*") == 0)) {
        (void)err_set(e, ERR_NET, "cannot make a socket: %s", zmq_strerror(errno));
        link_close(&l);
        return NULL;
    }
    l->loopback = loopback;
    l->out = (struct buf)BUF_INIT(WIRE_MESSAGE_MAX);
    if (listen_on(l, o, e)) link_close(&l);
    return l;
}

void link_close(struct link **l)
{
    if (!*l) return;
    if ((*l)->router) zmq_close((*l)->router);
    if ((*l)->context) (void)zmq_ctx_shutdown((*l)->context);
    auth_close(&(*l)->auth);
    if ((*l)->watch) zmq_close((*l)->watch);
    if ((*l)->context) zmq_ctx_term((*l)->context);
    buf_clear(&(*l)->out);
    free(*l);
    *l = NULL;
}

const char *link_endpoint(const struct link *l)
{
    return l->endpoint;
}
const char *link_dialled(const struct link *l)
{
    return l->dialled;
}
bool link_is_loopback(const struct link *l)
{
    return l->loopback;
}

bool link_is_authenticated(const struct link *l)
{
    return l->auth != NULL;
}
bool link_has_list(const struct link *l)
{
    return l->auth && auth_has_folder(l->auth);
}
void link_server_key(const struct link *l, char ret_public[KEY_TEXT])
{
    auth_server_key(l->auth, ret_public);
}
int link_reload(struct link *l, size_t *ret_n, struct err *e)
{
    return l->auth ? auth_reload(l->auth, ret_n, e) : err_set(e, ERR_USAGE, "there is no list of keys");
}

/* Drops the frames after the payload, if a peer sent more than it should. */
static bool drain_rest(void *socket, const zmq_msg_t *last)
{
    bool more = zmq_msg_more(last), any = false;
    while (more) {
        zmq_msg_t extra;
        zmq_msg_init(&extra);
        if (zmq_msg_recv(&extra, socket, ZMQ_DONTWAIT) < 0)
            more = false;
        else {
            more = zmq_msg_more(&extra);
            any = true;
        }
        zmq_msg_close(&extra);
    }
    return any;
}

static void identify(struct peer *p, zmq_msg_t *id)
{
    memset(p, 0, sizeof *p);
    size_t n = zmq_msg_size(id);
    p->n = (uint8_t)(n <= PEER_ID_MAX ? n : 0);
    if (p->n) memcpy(p->id, zmq_msg_data(id), p->n);
}

/* The peer's name, if the transport has authenticated it and its key is still on the list. */
static int authenticate(struct link *l, struct peer *p, zmq_msg_t *body, struct err *e)
{
    char name[64];
    const char *user = l->auth ? zmq_msg_gets(body, "User-Id") : "";
    (void)snprintf(p->user, sizeof p->user, "%s", user ? user : "");
    if (!l->auth || auth_name(l->auth, p->user, name, sizeof name)) return 0;
    return err_set(e, ERR_REFUSED, "the key %s is not on the list of those allowed", p->user);
}

/* Refuses a message that its sender may not send. */
static int check_word(struct link *l, const struct peer *p, struct wire_msg *m, struct err *e)
{
    if (wire_type_direction(m->type) == 'C') {
        (void)err_set(e, ERR_WIRE, "%s is not a message of an agent", wire_type_name(m->type));
        wire_msg_clear(m);
        return -1;
    }
    if (!l->auth || m->type != WIRE_HELLO || auth_may_use(l->auth, p->user, m->u.hello.name)) return 0;
    (void)err_set(e, ERR_REFUSED, "the key %s may not call itself \"%s\"", p->user, m->u.hello.name);
    wire_msg_clear(m);
    return -1;
}

enum link_got link_receive(struct link *l, struct peer *ret_from, struct wire_msg *ret, struct err *e)
{
    zmq_msg_t id, body;
    enum link_got got = LINK_NOTHING;
    zmq_msg_init(&id);
    zmq_msg_init(&body);
    if (zmq_msg_recv(&id, l->router, ZMQ_DONTWAIT) >= 0) {
        identify(ret_from, &id);
        got = LINK_MALFORMED;
        bool came = zmq_msg_more(&id) && zmq_msg_recv(&body, l->router, ZMQ_DONTWAIT) >= 0;
        bool parts = came && drain_rest(l->router, &body);
        if (!came)
            (void)err_set(e, ERR_WIRE, "a message without a body");
        else if (authenticate(l, ret_from, &body, e))
            got = LINK_MALFORMED;
        else if (parts)
            (void)err_set(e, ERR_WIRE, "a message of more than one part");
        else if (ret_from->n == 0)
            (void)err_set(e, ERR_WIRE, "a routing id of more than %u bytes", PEER_ID_MAX);
        else if (wire_decode(ret, zmq_msg_data(&body), zmq_msg_size(&body), e) == 0 &&
                 check_word(l, ret_from, ret, e) == 0)
            got = LINK_MESSAGE;
    }
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    return got;
}

bool link_send(struct link *l, const struct peer *to, const struct wire_msg *m)
{
    buf_reset(&l->out);
    if (to->n == 0 || wire_encode(m, &l->out)) return false;
    if (zmq_send(l->router, to->id, to->n, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) return false;
    return zmq_send(l->router, l->out.data, l->out.len, ZMQ_DONTWAIT) >= 0;
}

/* An agent with keys that connects to a run without keys would look like one that never came. It often hangs up first,
 * so any handshake that fails may be from such an agent. ZeroMQ 4.3 does not report whose handshake failed: the event
 * names our own address. */
static void tell_failures(struct link *l)
{
    enum handshake_event ev;
    char words[200];
    uint32_t held;
    while ((ev = handshake_next(l->watch, words, sizeof words)) != HANDSHAKE_NOTHING)
        if (ev == HANDSHAKE_FAILED && clock_mono_ns() >= l->forgive_ns &&
            handshake_log_pass(&l->failed, "", clock_mono_ns(), &held)) {
            if (held) log_warn("%" PRIu32 " more like the following were not logged", held);
            log_warn("somebody was turned away: %s%s This run has no keys: if it was an agent with keys, give plateau "
                     "run --keys DIR, or start the agent without",
                     words, human_stop(words));
        }
}

void link_wait(struct link *l, struct pollfd *fds, unsigned n, int64_t wait_ns)
{
    zmq_pollitem_t item[LINK_FDS + 2] = {{.socket = l->router, .events = ZMQ_POLLIN}};
    if (n > LINK_FDS) n = LINK_FDS;
    for (unsigned i = 0; i < n; i++)
        item[i + 1] = (zmq_pollitem_t){.fd = fds[i].fd, .events = ZMQ_POLLIN};
    if (l->watch) item[n + 1] = (zmq_pollitem_t){.socket = l->watch, .events = ZMQ_POLLIN};
    if (wait_ns < 0) wait_ns = 0;
    (void)zmq_poll(item, (int)n + (l->watch ? 2 : 1), (long)((wait_ns + NS_PER_MS - 1) / NS_PER_MS));
    int64_t now = clock_mono_ns();
    if (l->turned_ns && now - l->turned_ns - wait_ns > STOOD_STILL_NS) l->forgive_ns = now + FORGIVE_NS;
    l->turned_ns = now;
    for (unsigned i = 0; i < n; i++)
        fds[i].revents = item[i + 1].revents & ZMQ_POLLIN ? POLLIN : 0;
    if (l->watch) tell_failures(l);
}
