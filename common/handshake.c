#include "common/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "common/clock.h"

#define SPAN_NS (10 * NS_PER_S)
#define EVENTS                                                                                                         \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |                      \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

void *handshake_watch(void *context, void *socket, const char *endpoint, struct err *e)
{
    int none = 0, most = 1000;
    if (zmq_socket_monitor(socket, endpoint, EVENTS)) {
        (void)err_set(e, ERR_NET, "cannot watch a socket: %s", zmq_strerror(errno));
        return NULL;
    }
    void *watch = zmq_socket(context, ZMQ_PAIR);
    if (watch && zmq_setsockopt(watch, ZMQ_LINGER, &none, sizeof none) == 0 &&
        zmq_setsockopt(watch, ZMQ_RCVHWM, &most, sizeof most) == 0 && zmq_connect(watch, endpoint) == 0)
        return watch;
    (void)err_set(e, ERR_NET, "cannot watch a socket: %s", zmq_strerror(errno));
    if (watch) zmq_close(watch);
    return NULL;
}

static const char *protocol_words(uint32_t value)
{
    switch (value) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "one side has keys (CURVE) and the other has not";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "it was encrypted for another key: coordinator.pub is not of this coordinator";
    default:
        return "what came is not ZeroMQ's protocol";
    }
}

enum handshake_event handshake_next(void *watch, char *words, size_t n)
{
    unsigned char first[6];
    char where[256];
    uint16_t event;
    uint32_t value;
    if (zmq_recv(watch, first, sizeof first, ZMQ_DONTWAIT) != (int)sizeof first) return HANDSHAKE_NOTHING;
    int len = zmq_recv(watch, where, sizeof where, ZMQ_DONTWAIT);
    (void)len; /* a second frame: the endpoint, which is our own */
    memcpy(&event, first, sizeof event);
    memcpy(&value, first + 2, sizeof value);
    words[0] = 0;
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        return HANDSHAKE_CONNECTED;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return HANDSHAKE_DONE;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        (void)snprintf(words, n, "the key is not allowed");
        return HANDSHAKE_REFUSED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        (void)snprintf(words, n, "%s", protocol_words(value));
        return HANDSHAKE_FAILED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        (void)snprintf(words, n, "the connection ended in the handshake (%s): no key, or another one?",
                       zmq_strerror((int)value));
        return HANDSHAKE_FAILED;
    default:
        return HANDSHAKE_NOTHING;
    }
}

static uint64_t hash(const char *words) /* FNV-1a: words that collide are logged 10 s later */
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (; *words; words++)
        h = (h ^ (unsigned char)*words) * UINT64_C(1099511628211);
    return h;
}

bool handshake_log_pass(struct handshake_log *l, const char *words, int64_t now, uint32_t *ret_held_back)
{
    uint64_t h = hash(words);
    bool fresh = l->from_ns == 0 || now - l->from_ns >= SPAN_NS, again = false;
    *ret_held_back = fresh ? l->held_back : 0;
    if (fresh) *l = (struct handshake_log){.from_ns = now};
    for (uint32_t i = 0; i < l->said; i++)
        again = again || l->seen[i] == h;
    if (again || l->said == LOG_LIMIT_LINES) {
        l->held_back++;
        return false;
    }
    l->seen[l->said++] = h;
    return true;
}
