/* A stage as one worker runs it: the pacer decides when, the workload decides what, the transport carries it, the
 * recorder counts it. Knows no epoll and no thread; the worker (worker.h) calls it with `now`.
 *
 * The measured window is [T0 + warm-up, T0 + duration). A stage that ends by its count alone is measured from the end
 * of the warm-up to the end of its last request, drain included: all its tokens over all its time. That of an open loop
 * lasts at least as long as its schedule (arrivals_over): its last answer may come before the next arrival would. A
 * stage that is stopped early is measured up to the stop. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/ahead.h"
#include "agent/evidence.h"
#include "agent/stream/gaps.h"
#include "agent/pacer.h"
#include "agent/recorder.h"
#include "agent/due_heap.h"
#include "agent/retry.h"
#include "agent/row.h"
#include "agent/tail.h"
#include "agent/talk.h"
#include "agent/tree.h"
#include "agent/wording.h"
#include "agent/transport/transport.h"
#include "agent/workload.h"

struct stage;

/* One request's place. Places are made when a stage is armed and used again and again. */
struct request {
    struct transfer transfer;
    struct stage *stage;
    struct payload body;
    uint32_t at;            /* in the list of open requests */
    int64_t cancel_at;      /* when its user goes away; INT64_MAX: never */
    uint64_t number;        /* as the pacer gave it */
    uint32_t tries;         /* how often it was sent */
    int64_t tried;          /* when this try was */
    int64_t after_ns;       /* what the Retry-After of its answer said; -1: nothing */
    struct due_entry again; /* when it is sent again */
    struct workload_choice choice;
    struct talk *talk;           /* the conversation that it is a turn of; NULL: none */
    struct tree_node *node;      /* its place in a session tree; NULL: none */
    char session[TALK_NAME + 1]; /* its name in headers, where they hold one */
    struct buf answer;           /* of a turn that the next one sends back */
    bool waits;                  /* handed over before its connection was ready */
    struct tail tail;
    bool ended;       /* its end marker was seen and its slot is free; only the tail is left */
    bool tail_counts; /* … and counts */
    struct stream stream;
};

struct stage {
    struct shard shard; /* owned */
    const struct plan *plan;
    struct dialect dialect;
    struct dialect_ends ends; /* learnt in this stage … */
    struct shapes shapes;     /* … as these */
    struct transport *tr;
    struct workload *workload;
    struct gap_pool *pool;
    struct recorder rec;
    struct pacer pacer;
    uint32_t cap; /* maximum of requests in flight in an open loop */

    struct request **places; /* all; idle ones are a stack in `idle`, open ones listed in `open` */
    struct request **idle, **open;
    uint32_t n_places, n_idle, n_open, room;
    struct talks talks;         /* conversations; those under way belong to their request */
    bool has_talks, names;      /* … there are some; headers hold a session's name */
    struct trees trees;         /* session trees, one in each lane */
    bool has_trees;             /* all requests are of such */
    uint64_t tree_requests;     /* sent so far */
    struct ahead ahead;         /* recorded arrivals whose bodies are written before they are due */
    struct due_heap again;      /* open requests that wait to be sent again */
    struct tails ending, tails; /* responses after their end marker: with their slot, and without */
    uint32_t tails_max;         /* set before stage_arm */
    uint32_t usable[TARGET_ADDRESS_MAX], n_usable, next_usable; /* addresses that accept connections */

    const _Atomic int64_t *allowed; /* no request is started at or after this moment; NULL = always */
    int64_t t0;
    bool closed;         /* no request starts any more */
    int64_t drain_until; /* when what is open is aborted */
    int64_t cancel_next; /* the earliest of the open requests' cancel_at, or earlier */
    int64_t sweep_at, sweep_every;
    int64_t flight_at; /* up to where in-flight time is accounted */
    int64_t span_from; /* of the snapshot being recorded, from T0 */
    uint64_t in_flight_max;
    uint64_t wakes, steps_base, throttled_base;
    bool counts_throttling; /* one worker of an agent does */
    /* Requests that failed since the last one that did not, of all workers of the agent: a worker of few slots sees too
     * few requests to know that a server answers some of them. */
    _Atomic uint64_t *failed_on_end;
    uint64_t agent_slots;          /* of a closed loop, in all workers; set before stage_arm */
    double recorded;               /* the part of the requests of which a row is kept */
    struct failure_samples firsts; /* the first failure of each label, of the whole stage */
    struct wording wording;        /* what the server says of failures */
    struct stream_look look;
    int refusal; /* the first status that was not 2xx; 0 = none */
};

/* Everything that must not be allocated later; takes the shard over (also on failure). The transport has its target. */
ERR_CHECKED int stage_arm(struct stage *st, struct shard *shard, const struct plan *plan,
                          const struct corpus *const *corpora, struct transport *tr, uint32_t cap, struct err *e);
/* Addresses found usable, before the first request. */
void stage_use_addresses(struct stage *st, const bool *good);
/* At T0 or after it. `snap` is dense and empty. */
ERR_CHECKED int stage_begin(struct stage *st, struct snapshot *snap, int64_t t0, struct err *e);
/* Starts what is due, ends what took too long, closes the stage when its time is over. */
void stage_advance(struct stage *st, int64_t now);
/* Starts what is due, nothing else; cheap, for the middle of a long batch of reads. */
void stage_pump(struct stage *st, int64_t now);
/* No new requests; now: nor open ones. */
void stage_stop(struct stage *st, bool now_too, int64_t now);
/* When stage_advance has something to do next. */
int64_t stage_next(const struct stage *st);
/* Whether the lease still holds: checked before each request with a fresh clock, since this process may have stood
 * still. */
bool stage_may_load(const struct stage *st);
bool stage_done(const struct stage *st);
/* Closes the snapshot's span and numbers at `now`; hands it out and continues in `empty`. With empty NULL the stage
 * is over. */
struct snapshot *stage_snapshot(struct stage *st, struct snapshot *empty, const struct evidence *v, int64_t now);
/* Frees the stage but keeps the places for the next one. */
void stage_clear(struct stage *st);
void stage_drop_places(struct stage *st); /* before its transport goes */

enum { STAGE_SECRETS = 4 };
/* The secrets that a target's headers hold, without the word for their scheme. Returns how many. */
size_t stage_secrets(const struct target *t, struct wording_secret ret[static STAGE_SECRETS]);

extern const struct transport_calls STAGE_CALLS;
/* Of stage_place.c. */

#define STAGE_BODY_MAX (64u << 20)
ERR_CHECKED struct request *stage_place_new(struct stage *st, struct err *e);
/* A place that is not in use; NULL: no memory. */
struct request *stage_take_place(struct stage *st);
/* Of stage_span.c, which stage.c calls. */
/* What the transport knows of a request that has ended: how long its phases took. */
void stage_take_times(struct request *r);
/* Time in flight is accounted up to `now`. */
void stage_flight_to(struct stage *st, int64_t now);
/* A request ended at `at` but was seen to end only now: it was not in flight in between. */
void stage_flight_correct(struct stage *st, int64_t at, int64_t now);
/* Requests that became due by `now` are counted. */
void stage_tell_due(struct stage *st, int64_t now);

/* The part of [from, to) that lies in the window (stage_span.c). */
int64_t stage_in_window(const struct stage *st, int64_t from, int64_t to);

/* Of stage_late.c: token events that a late read brought. `before`: the token event before these; 0: none. */
void stage_take_late(struct stage *st, struct request *r, uint32_t events, int64_t arrival, int64_t before);

/* Of stage_remark.c: a stage begins; … */
void stage_begin_remarks(struct stage *st);
/* … and a request failed: the first of its label is kept, and the first with another status than that one. */
void stage_take_failure(struct stage *st, struct request *r, enum failure label, int64_t at);
/* … and one of its attempts failed, and is made again: the first of each label is kept. */
void stage_take_retry(struct stage *st, struct request *r, enum failure label, int64_t at);
/* … and something new was found in an answer of `r`. */
void stage_take_remarks(struct stage *st, const struct request *r, int64_t at);
/* … and its stream has just failed by an event, or ended before its first token; or lines came that are no events. */
void stage_hear_event(struct stage *st, struct request *r);
/* … and bytes of it came, for the words of a failure. `good`: nothing had failed before them. Where they were token
 * events of the learnt shape alone (at_plain), only words that are kept of `r` need this. */
void stage_hear(struct stage *st, struct request *r, const char *bytes, size_t n, bool good);

/* Of stage_talk.c: conversations. */

/* Which conversation the next request continues, when one is due by `due`. */
struct talk *stage_talk_due(struct stage *st, int64_t due);
/* The request's body: of a conversation's next turn, or of a request of its own; -1: it cannot be written. */
int stage_write_body(struct stage *st, struct request *r, uint64_t number);
/* Can the first request be written? It is not sent. -1: no. */
int stage_try_body(struct stage *st);
/* The number of its conversation or session tree in rows, which no other of the agent has; 0: it is part of none. */
uint64_t stage_session(const struct stage *st, const struct request *r);
/* Before the request is sent: where to, on which connection, under which name. */
void stage_talk_send(struct stage *st, struct request *r);
/* A request ended at `at`, its slot rests for `rest`; returns how long the slot is taken by its conversation, at least
 * `rest`. */
int64_t stage_talk_ended(struct stage *st, struct request *r, enum counter outcome, int64_t at, int64_t rest);
/* Of stage_ahead.c. */

/* Makes the body of one more recorded arrival that will be due, where there is room for it; false: nothing was to do.
 * To be called where there is time until stage_next, from stage_begin on. */
bool stage_make_ahead(struct stage *st);
/* The place that has the body of this arrival; NULL: it was not made. */
struct request *stage_take_made(struct stage *st, uint64_t number);
/* Of stage_tree.c: session trees. */

/* A lane takes its next tree; -1 without memory, or when the corpus is broken. */
int stage_tree_begin(struct stage *st, const struct pacer_item *item);
/* The next request of a tree that may begin, and counts as due. */
bool stage_tree_due(struct stage *st, int64_t now, struct pacer_item *ret, struct tree_node **ret_node);
/* What it asks, before its body is written; where it goes and under which name, before it is sent. */
void stage_tree_choose(const struct stage *st, struct request *r);
void stage_tree_send(struct stage *st, struct request *r);
/* It ended at `at`; its lane would rest for `rest`. */
void stage_tree_ended(struct stage *st, struct tree_node *n, const struct stream *s, enum counter outcome, int64_t at,
                      int64_t rest); /* s: NULL: it was not sent */

/* The stage ends at `now`: conversations that think do so no longer. */
void stage_talk_stop(struct stage *st, int64_t now);
