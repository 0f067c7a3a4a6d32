/* Conversations (the plan's workload.sessions) as one worker holds them: what was said so far, whose turn it is, and
 * when. Pure.
 *
 *   talks_begin ──▶ talk_turn ──▶ the request is under way ──▶ talk_answered ──┬─▶ talks_wait ──▶ talks_due ──▶
 * talk_turn … └── it failed ────────────────────────┴─▶ talks_end
 *
 * A conversation that thinks lies in a heap by the moment of its next turn, so that ten thousand of them cost no more
 * than their logarithm. Ended ones keep their memory for the next. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/due_heap.h"
#include "agent/session_sum.h"
#include "agent/stream/dialect.h"
#include "common/rng.h"

#define TALK_ANSWER_MAX (1u << 20) /* bytes of an answer that is sent back */
#define TALK_NAME 16u              /* characters of its name in headers */

struct talk_message {
    const char *role; /* constant */
    size_t at, len;   /* in the conversation's text */
    bool escaped;
};

struct talk {
    struct due_entry due; /* its next turn, while its user thinks */
    uint64_t number;      /* in its part of the stage, from 1 */
    char name[TALK_NAME + 1];
    const struct plan_sessions *plan;
    uint32_t workload, model; /* numbers in the plan, the same for all its turns */
    uint32_t turn, turns;     /* the latest, from 1; of so many (0: not known before the first) */
    uint32_t tokens;          /* of all that was said so far */
    uint32_t sent, known;     /* of the latest prompt; of this one and its answer, where that goes out again as it is */
    uint32_t counted;         /* the same as `known`, as usage counts it, with all that templates add; 0: not known */
    uint32_t address;         /* where it goes … */
    uint64_t own;             /* … and its connection */
    int64_t began_due;        /* due of its first turn */
    struct session_sum sum;
    struct rng rng; /* of its turns and think times */
    struct buf text;
    struct talk_message *messages;
    struct dialect_message *said; /* the same, as a request takes them */
    uint32_t n, room;
    struct talk *next; /* in the list of ended ones */
};

struct talks {
    struct due_heap thinking;
    struct talk *ended;
    uint64_t begun; /* in this stage */
    uint32_t open, made;
};

/* A new conversation; NULL without memory. `seed`: of the stage and part. */
struct talk *talks_begin(struct talks *t, const struct plan_sessions *p, uint64_t seed);
/* The next request: `r` holds the source's messages (a prompt, or the whole recorded conversation), and gets those of
 * this turn, which live until the next call, and how many of its tokens are known; `input` is their number of tokens,
 * of which the source's is known already. -1 without memory. */
int talk_turn(struct talk *k, struct dialect_request *r, uint32_t *input);
/* The turn was answered: with history: own by `answer`, as JSON writes it. Returns whether another turn follows. */
bool talk_answered(struct talk *k, const struct buf *answer, uint32_t output_tokens);
/* The answer that goes out is not all that the server made: what it keeps of it does not begin as the next prompt. */
void talk_forget(struct talk *k);
/* How long its user thinks now. */
int64_t talk_think(struct talk *k);
/* It is to go on at `at`. */
void talks_wait(struct talks *t, struct talk *k, int64_t at);
/* The one whose turn was first, by `now`, taken out of the heap; NULL: none. */
struct talk *talks_due(struct talks *t, int64_t now);
void talks_end(struct talks *t, struct talk *k);
void talks_restart(struct talks *t); /* all end; memory stays. For a new stage */
void talks_clear(struct talks *t);   /* no conversation is under way outside the heap */
