/* What run.c (states, losses, time), run_progress.c (what it says of itself), run_talk.c (messages to agents) and
 * run_message.c (messages from agents) share; no other file includes this. run_message.c calls both others, run.c calls
 * run_talk.c. */
#pragma once
#include "coordinator/run/registry.h"
#include "coordinator/run/run_io.h"

enum run_trigger {
    EV_ENOUGH,   /* agents are there, and the target is known */
    EV_PROBE,    /* agents are there; the target is looked at first */
    EV_READY,    /* all armed, clocks known */
    EV_SPOIL,    /* this attempt is of no more use */
    EV_DONE,     /* all living parts are done and their data is here */
    EV_NEXT,     /* the pause is over */
    EV_MISSING,  /* no agent is left to run it, or to probe */
    EV_STOP,     /* the user asks for the end, or the stage is known well enough */
    EV_END,      /* complete, or cannot continue */
    EV_FAREWELL, /* all have sent BYE, or the wait is over */
    EV_ABORT,    /* the user insists */
    EV_N
};

struct run {
    struct run_options o;
    struct run_io io;
    struct registry *agents;
    enum run_state state;
    int64_t now_ns; /* of the call under way */
    int64_t deadline_ns, tick_ns, beat_ns;
    int64_t read_ns;            /* when all messages that had come were read for the last time */
    size_t beat_at;             /* the agent that is looked at first for the next heartbeat */
    bool beats_left;            /* the last tick had more to send than one may: the next comes sooner */
    size_t due_at;              /* agents before this one have been told what they have to do */
    bool due_left, losses_left; /* not all were told, or given up, in this turn: the next tick comes at once */
    uint64_t beat;
    struct agent *prober;    /* while one is asked for the probe */
    bool probed;             /* as far as it can be */
    struct word_costs costs; /* that it found */
    struct run_step step;
    struct attempt *attempt;
    uint32_t epoch, tries, wanted;
    bool deciding; /* the pause goes on until it is known what follows */
    bool have_step, stop_now, spoiled, incomplete, gave_up;
    bool store_broken;     /* nothing more is written while the rest is collected */
    int64_t fence_ns;      /* a lost agent may be loading the target until then */
    uint64_t progress;     /* stages by count: requests that have ended */
    uint64_t first_weight; /* of the cluster that began */
    int signal;
    uint32_t streams;            /* a connection, as the target allows; that has been reported */
    bool chosen;                 /* … and which version of HTTP it chose */
    bool failed[FAILURE_N];      /* a request that failed so has been reported */
    uint32_t malformed, refused; /* reported so far: a peer cannot fill the run's file */
    uint32_t planned;            /* times that an agent has taken the plan */
    size_t can_come;             /* agents that exist at all, as far as is known */
    char no_more[200];
    struct err err;
};

/* What an agent's probe has said. */
#define RUN_PROBE_LINES 24u
struct run_probe {
    char line[RUN_PROBE_LINES][1000]; /* clean */
    size_t n_lines;
    const char *error; /* "" = good */
    uint32_t code;
    bool final;
    struct word_costs costs;
};

/* run.c */
void run_probed(struct run *r, const struct run_probe *p, int64_t now); /* NULL: nothing came of it */
void run_step_to(struct run *r, enum run_trigger ev, int64_t now);
void run_note(struct run *r, enum run_event_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void run_fail(struct run *r, const struct err *e, int64_t now);
void run_spoil(struct run *r, const char *why, int64_t now);
void run_lose(struct run *r, struct agent *a, bool known_dead, const char *why, int64_t now);
void run_tell_agent(struct run *r, struct agent *a, int64_t now);
void run_check_gathered(struct run *r, int64_t now);
void run_check_ready(struct run *r, int64_t now);
void run_check_done(struct run *r, int64_t now);
uint64_t run_living_weight(const struct run *r);

/* run_talk.c */
void talk_to(struct run *r, struct agent *a, const struct wire_msg *m);
void talk_clock(struct run *r, struct agent *a, int64_t now);
void talk_ack(struct run *r, struct agent *a, uint32_t stage, uint32_t epoch, uint64_t seq);
void talk_stop_one(struct run *r, struct agent *a, uint32_t stage, uint32_t epoch, bool now);
void talk_ask(struct run *r, struct agent *a, int64_t now); /* (re)sends what the agent has still to answer */
void talk_refuse(struct run *r, const struct peer *to, const char *why, bool retry);
void talk_dismiss(struct run *r, int64_t now); /* an attempt that will not begin: as talk_all */
void talk_bye(struct run *r);
/* Tells all living agents what they have to do, or those of the attempt alone: so many at once, the others in the next
 * ticks. */
void talk_all(struct run *r, int64_t now);
void talk_due(struct run *r, int64_t now);
void talk_heartbeat(
    struct run *r,
    int64_t now); /* to agents that were sent nothing for a while; what was not answered, again. So many a tick */
void talk_again(struct run *r); /* once a second: which clocks are compared anew */
