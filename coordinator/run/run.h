/* A run: agents come, stages follow each other, agents die, it ends with whatever was measured. A state machine in one
 * table (RUN_NEXT in run.c; drawn in README.md). Pure: messages and `now` go in, messages and results go out through
 * the functions of struct run_io; it touches no socket, file or clock. Every state has a deadline, so that a run always
 * ends.
 *
 * A command that needs an answer is repeated every second until it is answered; every command and report may come
 * twice. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/wire.h"
#include "coordinator/data.h"
#include "coordinator/run/merge.h"
#include "coordinator/run/stage.h"

#define RUN_HEARTBEAT_NS (1 * NS_PER_S)
#define RUN_LIVENESS_NS                                                                                                \
    (7 * NS_PER_S /                                                                                                    \
     2) /* an agent that is silent for longer is lost: three heartbeats have not come, and half of one for the way */
#define RUN_LEASE_NS (10 * NS_PER_S) /* an agent that hears nothing for this long stops its load */
#define RUN_CLOCK_NS (4 * NS_PER_S)  /* an agent's clock is compared this often */
#define RUN_FRESH_NS (10 * NS_PER_S) /* and must have been within this before a stage begins */
#define RUN_ATTEMPTS 3u              /* a stage is begun this many times at most */

enum run_state {
    RUN_GATHER, /* waits for agents that have a clock and the plan */
    RUN_ARM,    /* shards are out; waits until all are ready and their clocks known anew */
    RUN_LOAD,   /* a stage runs */
    RUN_DRAIN,  /* the agents were asked to end the stage; waits for the last snapshots */
    RUN_PAUSE,  /* between stages: cool-down, or until the lease of a lost agent has run out */
    RUN_CLOSE,  /* BYE was sent */
    RUN_OVER,
    RUN_STATE_N
};

/* What is to become of a stage that runs. */
enum run_word {
    RUN_WORD_ON,
    RUN_WORD_ENOUGH, /* it is known well enough: ends as if its duration were over, the next one follows */
    RUN_WORD_GIVE_UP /* it has failed for good: ends, and so does the run */
};

/* How the run touches the world. `step`, `stage_*` and `snapshot` return 0, or -1 with an error that ends the run. */
struct run_io {
    void *arg;
    bool (*next_step)(void *arg, struct run_step *ret); /* false: the run is complete */
    void (*send)(void *arg, const struct peer *to,
                 const struct wire_msg *m); /* may fail in silence: what matters is repeated */
    ERR_CHECKED int (*stage_begin)(void *arg, const struct stage_data *d, struct err *e);
    ERR_CHECKED int (*snapshot)(void *arg, const struct run_step *step, uint32_t epoch, uint32_t agent, uint64_t seq,
                                struct wire_bytes b, struct err *e);
    ERR_CHECKED int (*stage_end)(void *arg, struct stage_data *d, bool superseded,
                                 struct err *e); /* takes `d` over, also when it fails */
    ERR_CHECKED int (*agent)(void *arg, const struct run_agent *a, struct err *e); /* new or changed */
    void (*event)(void *arg, enum run_event_kind kind, const char *text);
    /* Asked once a second while a stage runs; may be NULL. */
    enum run_word (*watch)(void *arg, const struct stage *s, int64_t elapsed_ns);
};

struct run_options {
    const struct plan *plan;     /* borrowed for the run's life, like all pointers here */
    struct wire_bytes packed;    /* the plan as agents get it */
    struct wire_bytes signature; /* its envelope; empty = not signed */
    const char *plan_hash, *run_id;
    int64_t start_lead_ns;   /* minimum time from the last READY to the start */
    int64_t wall_minus_mono; /* turns a moment of `now` into wall-clock time */
    /* Of a run that continues an earlier part: */
    uint32_t first_epoch; /* the highest that part can have used */
    uint32_t first_agent; /* numbers below are taken */
    int64_t fence_ns;     /* its agents may load the target until then; 0 = none of them does */
    uint32_t wanted;      /* agents to wait for; 0 = as many as the plan says */
};

struct run;
struct run *run_new(const struct run_options *o, const struct run_io *io, int64_t now);
void run_destroy(struct run **r);

void run_message(struct run *r, const struct peer *from, const struct wire_msg *m, int64_t now);
void run_malformed(struct run *r, const struct peer *from, const struct err *why,
                   int64_t now);           /* not a message, or (ERR_REFUSED) from a peer that may not speak */
void run_tick(struct run *r, int64_t now); /* at the latest at run_deadline */
int64_t run_deadline(const struct run *r);
bool run_agent_gone(
    struct run *r, const char *name, const char *how,
    int64_t now); /* known to be dead: no load is left that the lease must end. False: no agent has that name */
void run_limit_agents(struct run *r, size_t most, const char *why,
                      int64_t now); /* only so many exist: fewer than are needed end the run */
/* The user wants to end it. `at_once` false: drain, collect, end. True: end now, with what is here. */
void run_stop(struct run *r, int signal, bool at_once, int64_t now);

enum run_state run_state(const struct run *r);
const char *run_state_name(enum run_state s);
const struct err *run_error(const struct run *r); /* why it ended early; ERR_NONE when it did not */
int run_signal(const struct run *r);
uint32_t run_loading(const struct run *r); /* epoch of the stage whose start is agreed or past; 0 = none */
bool run_incomplete(
    const struct run *r); /* some point is not what the plan asked for: degraded, given up or never begun */

struct run_progress {
    enum run_state state;
    size_t agents, agents_ready;
    uint32_t agents_wanted;    /* while they gather */
    int64_t fence_left_ns;     /* until no agent of an earlier attempt can load any more; 0 = so now */
    const char *endpoint;      /* where agents dial in; NULL = they are started by themselves */
    const struct stage *stage; /* NULL between stages; valid until the next call */
    int64_t elapsed_ns;        /* of the stage, negative before its start */
    struct merge_live live;
};
void run_progress(const struct run *r, int64_t now, struct run_progress *ret);
