/* What a run is made of and how it touches the world: its states, its options, the functions that it calls. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/wire.h"
#include "coordinator/data.h"
#include "coordinator/run/merge.h"
#include "coordinator/run/attempt.h"

#define RUN_HEARTBEAT_NS (1 * NS_PER_S)
#define RUN_BEATS_A_TICK                                                                                               \
    1000u /* heartbeats and questions of one tick, about 8 ms: messages of agents are read in between */
#define RUN_LOSSES_A_TICK 100u /* each is written to the run's file */
#define RUN_LIVENESS_NS                                                                                                \
    (7 * NS_PER_S /                                                                                                    \
     2) /* an agent that is silent for longer is lost: three heartbeats have not come, and half of one for the way */
/* Messages that wait unread excuse silent agents for so long: a peer that floods excuses nobody. */
#define RUN_UNREAD_NS (30 * NS_PER_S)
#define RUN_LEASE_NS (10 * NS_PER_S) /* an agent that hears nothing for this long stops its load */
#define RUN_CLOCK_NS (4 * NS_PER_S)  /* an agent's clock is compared this often, in a stage half as often */
#define RUN_FRESH_NS (10 * NS_PER_S) /* and must have been within this before a stage begins */
#define RUN_ATTEMPTS 3u              /* a stage is begun this many times at most */

enum run_state {
    RUN_GATHER, /* waits for agents that have a clock and the plan */
    RUN_PROBE,  /* one agent sends one short request; waits for what came of it */
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
    enum run_word (*watch)(void *arg, const struct attempt *s, int64_t elapsed_ns);
    /* The step after the stage that has ended is not known yet: next_step is called later. May be NULL: it always is.
     */
    bool (*deciding)(void *arg);
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
    uint32_t probe;       /* number of the probe before the first stage; 0 = none */
    bool only_probe;      /* no stage follows, and any answer that is not as the plan wants it is an error */
    uint32_t wanted;      /* agents to wait for; 0 = as many as the plan says */
};
