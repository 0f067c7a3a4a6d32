/* An agent's side of the conversation: a state machine in one table (SESSION_NEXT in session.c). Pure: messages, engine
 * events and `now` go in; messages and orders to the engine go out through struct session_io. It touches no socket,
 * clock or thread.
 *
 * Snapshots are kept until the coordinator has acknowledged them and are sent again after a reconnect. When
 * OUTBOX_WINDOW of them are out, later ones are added up into one that waits. Nothing is dropped: a slow coordinator
 * slows reports, never load. An agent that hears nothing for the lease stops its load, keeps what it has, and dials
 * again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/engine.h"
#include "common/wire.h"

enum session_state {
    SESSION_DIAL,   /* HELLO is out */
    SESSION_JOINED, /* welcomed; answers clock exchanges, waits for the plan */
    SESSION_IDLE,   /* has a plan, waits for a shard */
    SESSION_ARMING, /* the engine prepares */
    SESSION_READY,  /* waits for GO */
    SESSION_LOAD,   /* runs, or waits for T0 */
    SESSION_REPORT, /* the stage has ended here; last snapshots and DONE are out until the coordinator continues */
    SESSION_OVER,
    SESSION_STATE_N
};

struct session_io {
    void *arg;
    bool (*send)(void *arg, const struct wire_msg *m); /* false: not now; it is sent again */
    void (*redial)(void *arg);                         /* a new socket with a new identity */
    ERR_CHECKED int (*plan)(void *arg, const struct wire_msg *m, const char *run_id,
                            struct err *e); /* 1: not yet, ask again */
    ERR_CHECKED int (*arm)(void *arg, const struct shard *s, struct err *e);
    ERR_CHECKED int (*go)(void *arg, int64_t t0_ns, struct err *e);
    void (*stop)(void *arg, bool now);
    void (*recycle)(void *arg, struct snapshot **s);
    void (*event)(void *arg, const char *text); /* for the log */
};

struct session_options {
    struct wire_msg hello; /* strings are borrowed for the session's life; stage and epoch are the session's to fill */
    int64_t patience_ns;   /* give up after this long without any coordinator; 0 = never */
};

struct session;
struct session *session_new(const struct session_options *o, const struct session_io *io, int64_t now);
void session_destroy(struct session **s);

void session_message(struct session *s, const struct wire_msg *m, int64_t now);
void session_engine(struct session *s, struct engine_event *ev, int64_t now); /* takes the event's snapshot over */
void session_tick(struct session *s, int64_t now);                            /* at the latest at session_deadline */
int64_t session_deadline(const struct session *s);
/* The guard ends the stage: what was recorded is kept and reported with the reason. */
void session_refuse(struct session *s, const struct err *why);
void session_leave(struct session *s, const char *why, int64_t now); /* the user ends this agent */

/* Load may be made until then: the lease, from the coordinator's last message. Once it has run out in a stage, a moment
 * long past, until that stage has ended. */
int64_t session_lease_until(const struct session *s);

enum session_state session_state(const struct session *s);
uint32_t session_stage(const struct session *s); /* the one that is armed or runs; 0 without any, and the first one's */
const char *session_state_name(enum session_state s);
const struct err *session_error(const struct session *s); /* why it is over; ERR_NONE after a coordinator's BYE */
/* What this agent would not do in this run, and has not done since (status 2); else why its coordinator ended the run
 * as failed; ERR_NONE: neither. */
const struct err *session_refused(const struct session *s);
size_t session_unacknowledged(const struct session *s); /* snapshots kept, the one that is added up included */
