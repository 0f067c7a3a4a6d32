/* What follows a run while it is under way: the store, the status page, the terminal. `drive` gives all sinks of a list
 * the same things in the same order. A new follower is one kind (a table of functions) and one entry of the list in
 * cmd_run.c.
 *
 * Every function may be NULL. All are called from the loop that drives the run, so none may block for longer than a
 * disk takes. Data is borrowed for the call. */
#pragma once
#include <stdint.h>

#include "common/err.h"
#include "coordinator/data.h"

struct run;

/* A moment of the run, for sinks that show progress; run_progress (run.h) gives its figures. */
struct sink_view {
    const struct run *run;
    uint64_t step,
        steps; /* the stage that began last, from 1 (0: none yet), of so many; steps 0: not known (a search) */
    int64_t now;
    uint64_t ended;   /* stages that have ended and count, those of an earlier part of the run too */
    int64_t ended_ns; /* what the plan gives them */
    bool saving;      /* the stage that ended last is not yet all in the sinks */
};
struct sink_snapshot {
    uint32_t stage, repeat, epoch, agent;
    uint64_t seq;
    const void *bytes;
    size_t n;
};

/* Where an int is returned, -1 with an error ends the run, unless the comment says otherwise. */
struct sink_kind {
    const char *name;
    /* Once, first: the run's identity, its plan, and the stages that an earlier part of it has finished. */
    ERR_CHECKED int (*begin)(void *arg, const struct run_data *meta, struct err *e);
    ERR_CHECKED int (*stage_begin)(void *arg, const struct stage_data *s, struct err *e);
    ERR_CHECKED int (*snapshot)(void *arg, const struct sink_snapshot *s, struct err *e); /* accepted ones, each once */
    ERR_CHECKED int (*stage_end)(void *arg, const struct stage_data *s, struct err *e);   /* superseded attempts too */
    /* After stage_end, turn by turn with the same data, until it returns 0; 1: it did a piece, and asks to be called
     * again. A sink's turn comes when those before it have returned 0. No other stage begins before. */
    ERR_CHECKED int (*stage_more)(void *arg, const struct stage_data *s, struct err *e);
    ERR_CHECKED int (*agent)(void *arg, const struct run_agent *a, struct err *e); /* new or changed */
    /* An error of these two is logged, and the run continues. */
    ERR_CHECKED int (*event)(void *arg, enum run_event_kind kind, const char *text, struct err *e);
    ERR_CHECKED int (*server)(void *arg, int64_t wall_ns, const struct server_sample *s, struct err *e);
    void (*tick)(void *arg, const struct sink_view *v); /* every turn of the loop: the sink keeps its own pace */
    void (*over)(void *arg, const struct sink_view *v); /* once, last, also after an error */
};
struct sink {
    const struct sink_kind *kind;
    void *arg;
};
struct sinks {
    const struct sink *list;
    size_t n;
};

/* Each calls all sinks, also after one has failed; the first error is returned. */
ERR_CHECKED int sinks_begin(const struct sinks *s, const struct run_data *meta, struct err *e);
ERR_CHECKED int sinks_stage_begin(const struct sinks *s, const struct stage_data *d, struct err *e);
ERR_CHECKED int sinks_snapshot(const struct sinks *s, const struct sink_snapshot *snapshot, struct err *e);
ERR_CHECKED int sinks_stage_end(const struct sinks *s, const struct stage_data *d, struct err *e);
ERR_CHECKED int sinks_stage_more(const struct sinks *s, const struct stage_data *d, struct err *e); /* 1: more */
ERR_CHECKED int sinks_agent(const struct sinks *s, const struct run_agent *a, struct err *e);
ERR_CHECKED int sinks_event(const struct sinks *s, enum run_event_kind kind, const char *text, struct err *e);
ERR_CHECKED int sinks_server(const struct sinks *s, int64_t wall_ns, const struct server_sample *sample, struct err *e);
void sinks_tick(const struct sinks *s, const struct sink_view *v);
void sinks_over(const struct sinks *s, const struct sink_view *v);
