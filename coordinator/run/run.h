/* A run: agents come, stages follow each other, agents die, it ends with whatever was measured. A state machine in one
 * table (RUN_NEXT in run.c; drawn in README.md). Pure: messages and `now` go in, messages and results go out through
 * the functions of struct run_io; it touches no socket, file or clock. Every state has a deadline, so that a run always
 * ends.
 *
 * A command that needs an answer is repeated every second until it is answered; every command and report may come
 * twice. */
#pragma once
#include "coordinator/run/run_io.h"

struct run;
struct run *run_new(const struct run_options *o, const struct run_io *io, int64_t now);
void run_destroy(struct run **r);

void run_message(struct run *r, const struct peer *from, const struct wire_msg *m, int64_t now);
void run_malformed(struct run *r, const struct peer *from, const struct err *why,
                   int64_t now); /* not a message, or (ERR_REFUSED) from a peer that may not speak */
/* At the latest at run_deadline. `all_read`: no message waits that has not been handed to run_message. What an agent
 * has not said counts against it only then. */
void run_tick(struct run *r, int64_t now, bool all_read);
int64_t run_deadline(const struct run *r);
bool run_agent_gone(
    struct run *r, const char *name, const char *how,
    int64_t now); /* known to be dead: no load is left that the lease must end. False: no agent has that name */
void run_unsaved(struct run *r, const struct err *e,
                 int64_t now); /* a stage that ended before could not be kept after all */
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
    uint32_t agents_wanted;        /* while they gather */
    int64_t left_ns;               /* of the plan, as far as is known; 0 = not known; set by callers */
    int64_t fence_left_ns;         /* until no agent of an earlier attempt can load any more; 0 = so now */
    const char *endpoint;          /* where agents dial in; NULL = they are started by themselves */
    const char *agents_hint;       /* where to look when they do not come, in place of that; NULL = nothing is known */
    bool one_row;                  /* the line is a row of a terminal: nothing may be wider than it */
    const struct attempt *attempt; /* NULL between stages; valid until the next call */
    int64_t elapsed_ns;            /* of the stage, negative before its start */
    struct merge_live live;
};
void run_progress(const struct run *r, int64_t now, struct run_progress *ret);
