/* Session trees of agents as one worker plays them (common/corpus_tree.h says what a tree is): which of its requests
 * may begin, and when. A request that others wait for and that has ended, however it ended, lets them begin after their
 * recorded pause. Requests that may begin lie in a heap by their moment. Ended trees keep their memory for the next.
 * Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/due_heap.h"
#include "agent/session_sum.h"
#include "common/corpus_tree.h"

struct session_tree;
struct tree_node {
    struct due_entry due;
    struct session_tree *tree;
    uint32_t index;           /* in the tree */
    int64_t may;              /* when it may begin, by those that have ended */
    uint32_t left;            /* so many that it waits for have not ended */
    uint32_t next_at, n_next; /* those that wait for it, in the tree's `next` */
    uint32_t told;            /* of its prompt, the first blocks that went out in any request of this play */
    bool gone;                /* ended, or left out since the tree began after it */
};

struct session_tree {
    struct corpus_record record;
    struct corpus_tree data;
    struct tree_node *node;
    uint32_t *next; /* numbers of requests */
    uint32_t room, next_room;
    uint32_t left; /* requests that have not ended */
    uint32_t ok;   /* ended ok */
    struct session_sum sum;
    uint64_t play;       /* its number in its part of the stage, from 0 */
    uint32_t address;    /* of all its requests … */
    bool placed, failed; /* … once the first was sent; one has failed */
    int64_t from_ns;     /* where in its recorded time it began */
    int64_t hold;        /* nothing but what warms the cache begins before this moment */
    uint32_t warming;    /* requests that warm the cache and have not ended */
    int64_t began_due;
    struct session_tree *other; /* in the list of ended ones, or of those under way */
    struct session_tree **link;
};

struct trees {
    struct due_heap due;
    struct session_tree *ended, *open_first;
    uint32_t open, nodes; /* trees under way, and their requests together */
};

/* A tree begins at `now`, at `share` (0 to 1) of its recorded length: 0 is its first request. Further in, what lies
 * before is left out but for the latest request of each agent that has something left to do, which is due at once and
 * warms the server's cache. What follows these begins no sooner than at `hold`, with what is left then of its pause.
 * NULL without memory, or when the record holds no tree. */
struct session_tree *trees_begin(struct trees *t, const struct corpus_record *r, double share, int64_t hold,
                                 int64_t now);
/* The first request that may begin by `now`, taken out of the heap; NULL: none. */
struct tree_node *trees_due(struct trees *t, int64_t now);
static inline int64_t trees_next(const struct trees *t)
{
    return due_heap_next(&t->due);
}
/* It is sent: the first blocks of its prompt that an earlier request of this play had too. What lies before the play's
 * beginning was never sent. */
uint32_t trees_tell(struct tree_node *n);
/* A request ended at `at`; what waits for it begins no sooner than `pause` later. True: it was the tree's last. */
bool trees_ended(struct trees *t, struct tree_node *n, int64_t at, int64_t pause);
void trees_drop(struct trees *t, struct session_tree *tree); /* it is over; its memory stays */
void trees_restart(struct trees *t);                         /* all are */
void trees_clear(struct trees *t);
