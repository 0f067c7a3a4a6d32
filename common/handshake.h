/* Why connections fail before the first message: ZeroMQ reports it on a monitor socket only. Without one a wrong key
 * looks like silence. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum handshake_event {
    HANDSHAKE_NOTHING,
    HANDSHAKE_CONNECTED, /* dialing side: there is a peer; the handshake begins */
    HANDSHAKE_DONE,
    HANDSHAKE_REFUSED, /* the other side's list does not have our key (seen on the dialing side) */
    HANDSHAKE_FAILED,
};
/* Watches `socket`; returns a socket to be polled, which may be given to another thread, and closed by zmq_close; NULL
 * without one. `endpoint` is an inproc:// name that nothing else in the context uses. */
ERR_CHECKED void *handshake_watch(void *context, void *socket, const char *endpoint, struct err *e);
/* The next thing that has happened, in words. Does not wait. */
enum handshake_event handshake_next(void *watch, char *words, size_t n);

/* A limit on log lines that peers can cause: LOG_LIMIT_LINES in 10 s, and no line twice in that span. */
enum { LOG_LIMIT_LINES = 10 };
struct handshake_log {
    int64_t from_ns;
    uint32_t said, held_back;
    uint64_t seen[LOG_LIMIT_LINES]; /* hashes of what was logged in this span */
};
/* True: log `words`, and that *ret_held_back lines like it were held back before. */
bool handshake_log_pass(struct handshake_log *l, const char *words, int64_t now, uint32_t *ret_held_back);
