/* The agents of a run: for each its identity, its connection, its state, and when it was last heard. Pure: time comes
 * in as an argument. An agent is one process (its boot id); its number is its identity within the run and is never
 * given twice. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "coordinator/run/clocksync.h"
#include "coordinator/data.h"
#include "coordinator/run/peer.h"

#define REGISTRY_MAX 16384u /* agents ever seen in one run, the lost ones included */

enum agent_state {
    AGENT_CLOCKING, /* welcomed; its clock is being compared */
    AGENT_PLANNING, /* was given the plan */
    AGENT_IDLE,     /* takes part in the next stage */
    AGENT_ARMING,   /* was given a shard */
    AGENT_READY,    /* waits for the start */
    AGENT_RUNNING,
    AGENT_DONE, /* its part of the stage has ended and is all here */
    AGENT_LOST, /* silent for too long, exited, or broke the protocol; stays so, a process that comes back gets a new
                   number */
    AGENT_LEFT, /* said goodbye */
    AGENT_STATE_N
};
enum agent_event {
    AGENT_EV_CLOCKED,
    AGENT_EV_PLANNED,
    AGENT_EV_ARM,
    AGENT_EV_READY,
    AGENT_EV_GO,
    AGENT_EV_DONE,
    AGENT_EV_RELEASE, /* the stage is over or given up */
    AGENT_EV_LOSE,
    AGENT_EV_BYE,
    AGENT_EVENT_N
};

struct agent {
    uint32_t number; /* index in the registry, after the numbers of an earlier part of the run */
    enum agent_state state;
    struct peer peer;
    struct run_agent info; /* what it reported of itself; info.lost, clock fields kept up to date */
    struct clocksync clock;
    int64_t heard_ns;                /* when its last message came */
    int64_t said_ns;                 /* when the last one was sent to it */
    int64_t asked_ns;                /* when the last command was sent that it has not answered; 0 = none open */
    int64_t clock_ns;                /* when the last clock exchange was sent */
    uint32_t said_weight;            /* by HELLO; 0 = none */
    uint64_t capacity;               /* calibrated token/s; 0 = none */
    uint32_t clock_jumps;            /* of these clock.jumps were reported */
    bool told_limit;                 /* its limit was reported, once */
    uint32_t release_stage, release; /* it is to be told that this attempt (its epoch) will not begin; 0 = none */
    bool due;                        /* it is to be told what it has to do, as soon as its turn comes */
    uint32_t part;                   /* index in the stage, UINT32_MAX = takes no part in it */
    uint32_t chain;                  /* index of the next agent in its hash bucket, by connection */
    uint32_t name_chain;             /* … and by name */
};

struct registry;
struct registry *registry_new(void);
void registry_number_from(struct registry *r, uint32_t first); /* before the first HELLO; else from 0 */
void registry_destroy(struct registry **r);
size_t registry_count(const struct registry *r);                             /* all ever seen */
struct agent *registry_at(const struct registry *r, size_t i);               /* i < count; stays valid */
struct agent *registry_find(const struct registry *r, const struct peer *p); /* by connection; NULL */
struct agent *registry_named(const struct registry *r, const char *name);    /* a living one; NULL */

/* A HELLO. New: a process not seen before, or one that was lost, gets a number. Back: a living one on a new connection;
 * keeps its number and state. Again: on the connection that it has, because no WELCOME had come; as back. Refused:
 * *ret_reason says why and ret_retry whether it may come again. */
enum registry_hello { REGISTRY_NEW, REGISTRY_BACK, REGISTRY_AGAIN, REGISTRY_REFUSED };
enum registry_hello registry_hello(struct registry *r, const struct peer *from, const struct wire_msg *hello,
                                   int64_t now, struct agent **ret, const char **ret_reason, bool *ret_retry);

/* Sets every living agent's info.weight. If any agent has a weight of its own: those weights, and 1 for the others.
 * Else, if all are calibrated: their capacity in thousands of token/s, at least 1. Else all are equal. The first call
 * decides which of these holds for the whole run. An agent without a capacity that joins calibrated ones later counts
 * as their mean. */
void registry_weigh(struct registry *r);

/* The transition table. False when the event has no meaning in the agent's state: nothing has changed then. */
bool agent_step(struct agent *a, enum agent_event ev);
bool agent_alive(const struct agent *a);
bool agent_in_stage(const struct agent *a); /* arming … done */
bool agent_silent(const struct agent *a, int64_t now, int64_t limit_ns);
const char *agent_state_name(enum agent_state s);
