/* A worker: one thread with an event loop of its own. It owns everything it touches; orders come and snapshots go
 * through pipes.
 *
 *   idle ──arm──▶ warming ──connections made──▶ preparing ──they can carry requests──▶ armed
 *   armed ──go, T0──▶ running ──last request ended──▶ idle
 *
 * NOTE_READY answers every arming (also a failed one, which then waits, armed, to be stopped), and one NOTE_OVER ends
 * it. A stop leads there from any state.
 *
 * The loop: sleep · wait for sockets · read all that is ready · start what is due · hand over a snapshot once a second.
 * It wakes at most once in the plan's quantum unless something is due: tokens wait in the kernel, which has stamped
 * them, and one wake serves many. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/evidence.h"
#include "agent/laze.h"
#include "agent/stage.h"
#include "agent/terms.h"
#include "agent/transport/target.h"
#include "agent/transport/transport.h"
#include "agent/transport/warm.h"
#include "common/snapshot.h"

/* A target in use by several threads, freed by the last. */
struct target_ref {
    struct target *target;
    atomic_uint refs;
};
void worker_drop_target(struct target_ref **r);

/* What a worker has to prepare; handed over whole, freed by the worker. */
struct worker_stage {
    struct shard shard;
    const struct plan *plan;
    const struct corpus *const *corpora; /* one for each workload of the plan; NULL: none */
    struct target_ref *target;
    const struct sockaddr_storage *sources;
    uint32_t n_sources;
    uint32_t cap;    /* maximum of requests in flight in an open loop */
    uint32_t ready;  /* requests for which connections are made before T0; in an open loop for so many beside those
                        in flight */
    uint64_t slots;  /* of a closed loop, in all workers */
    uint32_t tails;  /* responses that may stay open after their end marker */
    bool stamps;     /* see struct transport_options */
    uint64_t arming; /* number of this order, in all notes about it */
};

enum worker_order_kind { ORDER_ARM, ORDER_GO, ORDER_STOP, ORDER_BACK, ORDER_QUIT };
struct worker_order {
    enum worker_order_kind kind;
    bool now;   /* STOP */
    int64_t t0; /* GO */
    union {
        struct worker_stage *stage; /* ARM */
        struct snapshot *snapshot;  /* BACK */
    } u;
};

enum worker_note_kind { NOTE_READY, NOTE_SNAPSHOT, NOTE_OVER, NOTE_PROBED /* of the engine's probe, no worker's */ };
struct worker_note {
    enum worker_note_kind kind;
    uint32_t worker;
    uint64_t arming;
    struct snapshot *snapshot; /* SNAPSHOT: to be returned by ORDER_BACK */
    bool last;                 /* SNAPSHOT: of the stage */
    int refusal;               /* SNAPSHOT: the first status of the stage that was not 2xx; 0 = none */
    bool began;                /* OVER: it ran */
    int64_t skew_ns;           /* OVER: when the worker began, minus T0 */
    /* READY and OVER: the worker's `err` says how it went */
};

enum worker_state { WORKER_IDLE, WORKER_WARMING, WORKER_PREPARING, WORKER_ARMED, WORKER_RUNNING };

struct worker {
    uint32_t index;
    pthread_t thread;
    int orders[2];  /* pipe to the worker */
    int notes;      /* writing end of the engine's pipe */
    struct err err; /* written before a note is sent, read by the control thread after it */

    int epoll;
    enum worker_state state;
    bool quit;
    struct target_ref *target;
    bool has_transport;
    struct transport transport;
    struct warm warm;
    struct stage stage;
    struct evidence evidence;
    struct snapshot *current, *spare; /* two in all; one may be with the control thread */
    int64_t quantum_ns, woke;
    int64_t looked;            /* when the loop woke last and was told what waits */
    struct laze laze;          /* whether sleeping out the quantum pays */
    uint64_t sent, blurred;    /* counters of the snapshot when that was asked last */
    int64_t calm_until;        /* it does not: tokens were read late and together */
    uint32_t ready, reserve;   /* as in struct worker_stage; reserve: of an open loop */
    bool grown;                /* more connections were made since the server wants them */
    struct target_terms terms; /* written and read as `err` is */
    int64_t t0, skew, tick_at, ended;
    bool begun;
    uint64_t arming;
};

/* Shared by all workers: load may be made until `allowed`, which is read before each request; `failed_on_end` is
 * stage.h's. */
ERR_CHECKED int worker_start(struct worker *w, uint32_t index, int notes, const _Atomic int64_t *allowed,
                             _Atomic uint64_t *failed_on_end, struct err *e);
void worker_join(struct worker *w); /* after ORDER_QUIT */
void worker_order(struct worker *w, struct worker_order o);
