/* The run's file: run.sqlite in the run's folder, written while the run is under way (WAL), so it is the journal too.
 * Any call fails with a sentence when the disk is full; what was written stays readable. One thread. */
#pragma once
#include "coordinator/data.h"

struct store;
/* The folder of the run that a person means: `word` itself, or the folder of a file that lies beside a run.sqlite, such
 * as report.html. `buf` of n holds it. */
const char *store_folder(const char *word, char *buf, size_t n);
ERR_CHECKED struct store *store_create(const char *dir, const struct run_data *meta,
                                       struct err *e);                /* dir is made; refuses one that holds a run */
ERR_CHECKED struct store *store_open(const char *dir, struct err *e); /* for resume and reports */
void store_close(struct store **s);
/* Another process that holds a run's folder is refused with a sentence (ERR_USAGE). Held until the descriptor is
 * closed; -1: refused. */
ERR_CHECKED int store_lock(const char *dir, struct err *e);

struct store_past {
    uint32_t last_epoch; /* highest of all attempts, finished or not; 0 = none */
    uint32_t agents;     /* numbers below may be taken */
    bool unclean; /* the last attempt did not end as a whole: some agent may load the target until its lease has run out
                   */
};
ERR_CHECKED int store_past(struct store *s, struct store_past *ret, struct err *e);
ERR_CHECKED int store_go_on(struct store *s, bool insecure, struct err *e); /* continues a run that was cut short */

/* Committed by store_settle, or with whatever else is written before: when thousands join at once, a transaction for
 * each is most of what they cost. */
ERR_CHECKED int store_agent(struct store *s, const struct run_agent *a, struct err *e); /* insert or update */
ERR_CHECKED int store_event(struct store *s, enum run_event_kind kind, const char *text, struct err *e);
/* At the end of each turn of the loop. An error is that of the next store_agent, store_event or store_run_end. */
void store_settle(struct store *s);
ERR_CHECKED int store_stage_begin(struct store *s, const struct stage_data *d,
                                  struct err *e); /* stage, repeat, epoch, what is asked */
/* Journal of accepted snapshots, each given once, batched in a transaction that is committed at least once a second and
 * before anything else is written. `bytes`: as on the wire. A stage's journal is kept up to 4 MiB; beyond that it is
 * dropped whole, and no more of it is written. */
ERR_CHECKED int store_snapshot(struct store *s, uint32_t stage, uint32_t repeat, uint32_t epoch, uint32_t agent,
                               uint64_t seq, const void *bytes, size_t n, struct err *e);
/* Rows of single requests in the snapshots to come are kept until the file holds so many; 0, as at first: none are. */
ERR_CHECKED int store_keep_requests(struct store *s, uint64_t most, struct err *e);
/* Walks the rows of the finished stages, in the order in which they came. */
ERR_CHECKED int store_each_request(struct store *s, int (*each)(void *arg, const struct request_data *r, struct err *e),
                                   void *arg, struct err *e);
/* A reading of the server's metrics page; t_s is not looked at. Committed as snapshots are. */
ERR_CHECKED int store_server(struct store *s, int64_t wall_ns, const struct server_sample *sample, struct err *e);
/* A stage has ended: merged and per-agent histograms, counters, series, verdicts. */
ERR_CHECKED int store_stage_end(struct store *s, const struct stage_data *d, struct err *e);
/* The same in pieces of about `most` rows of the time axis, an agent counting as 32 of them: thousands of agents take
 * most of a second, in which a coordinator has to be heard. Starts with *at all 0; every call gets the same stage. 1:
 * there is more; 0: the stage is in the file. Until then it counts as not ended. */
struct store_saving {
    int64_t id, ended_wall_ns;
    bool cluster, done;
    size_t agents, series, blocks;
};
struct store_saving *store_saving_of(struct store *s); /* the store's own, for its one stage at a time */
ERR_CHECKED int store_stage_save(struct store *s, const struct stage_data *d, struct store_saving *at, uint64_t most,
                                 struct err *e);
ERR_CHECKED int store_run_end(struct store *s, int signal, struct err *e);
ERR_CHECKED int store_load(struct store *s, struct run_data *ret, struct err *e);
