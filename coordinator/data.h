/* What a run is made of once it is merged: the data between the store (run.sqlite), the points and the reports. Plain
 * values; each struct is freed by its owner's *_clear. All times of series are in the coordinator's frame, seconds from
 * the stage's T0. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/counter.h"
#include "common/failure_sample.h"
#include "common/group.h"
#include "common/remark.h"
#include "common/hist.h"
#include "common/metric.h"
#include "common/per_address.h"
#include "common/plan/plan.h"
#include "common/request_row.h"
#include "coordinator/run_event.h"
#include "coordinator/server_sample.h"

enum verdict_status { VERDICT_VALID, VERDICT_SUSPECT, VERDICT_INVALID };
#define VERDICT_REASONS 8
#define VERDICT_REASON_MAX 280
/* Figures that stand or fall together: the load that was offered, throughput, ttft, what counts from due, tpot, gaps
 * (itl, chunk_gap), e2e. */
enum verdict_aspect {
    ASPECT_LOAD,
    ASPECT_THROUGHPUT,
    ASPECT_TTFT,
    ASPECT_DUE,
    ASPECT_TPOT,
    ASPECT_ITL,
    ASPECT_E2E,
    ASPECT_N
};
#define VERDICT_Q 5 /* percentiles with a verdict of their own: POINT_QS of coordinator/answer/stat.h */
struct verdict {
    enum verdict_status status; /* the worst of the figures that the answer and the plan's gates use */
    /* Of each figure separately, the worst of its percentiles, and of each of those; not kept in the run's file, but
     * computed anew. */
    enum verdict_status aspect[ASPECT_N], at[ASPECT_N][VERDICT_Q];
    char reason[VERDICT_REASONS][VERDICT_REASON_MAX]; /* the worst first */
    enum verdict_status weight[VERDICT_REASONS]; /* what each makes of the point; as aspect, not kept in the file */
    uint32_t n_reasons;
};

/* A histogram as bytes (hist.h's wire form): a twentieth of the memory, for thousands of agents. Empty: n is 0. */
struct packed_hist {
    uint8_t *bytes; /* owned */
    size_t n;
};
int packed_hist_set(struct packed_hist *p, const void *bytes, size_t n); /* copies; -1 without memory */
ERR_CHECKED int packed_hist_add_to(const struct packed_hist *p, struct hist *to, struct err *e); /* -1 without memory */
struct hist *packed_hist_unpack(const struct packed_hist *p); /* the caller's; NULL when empty or without memory */
void packed_hist_clear(struct packed_hist *p);

/* One agent's part of a stage: the sum of its accepted snapshots. */
struct agent_data {
    uint32_t agent; /* its number in the run */
    char name[64];
    uint32_t weight;
    uint64_t slots; /* of its shard */
    bool lost;      /* died in this stage; its open requests are `lost_requests` */
    uint64_t lost_requests;
    uint64_t counters[COUNTER_N];
    struct packed_hist hist[METRIC_N];
    int64_t start_skew_ns, clock_offset_ns, clock_bound_ns;
    uint64_t snapshots;
    struct verdict verdict;
};

/* A second of the cluster (or of one agent when `agent` >= 0). */
struct series_row {
    int32_t agent;
    double t_s, span_s;
    double tokens, done, failed, due, in_flight;             /* tokens: token events in the span; in_flight: mean */
    double itl_p50_ms, itl_p99_ms, ttft_p50_ms, ttft_p99_ms; /* NaN when empty */
};

/* One block for resampling: what one agent recorded in one second (metrics whose samples are not independent). Of long
 * or wide stages blocks are coarser: span_s is their length, and agent the first of those put together. */
struct block {
    uint32_t agent;
    double t_s, span_s;
    struct hist *itl, *chunk_gap, *ttft, *tpot; /* tpot: of answers that ended then, after their first event */
    double tokens;
};

struct stage_data {
    uint32_t stage, repeat, epoch;
    struct plan_stage plan;                 /* what was asked for (search makes its own) */
    int64_t started_wall_ns, ended_wall_ns; /* ended: drain included; 0 when it is not known */
    bool degraded, aborted;                 /* an agent was lost; cut short by the user or the coordinator */
    uint64_t counters[COUNTER_N];           /* merged */
    bool uncounted[COUNTER_N];              /* the build that measured it did not know this counter (store_old.c) */
    struct per_address addresses;           /* of all agents, by name */
    struct failure_samples failures;        /* the first failed request of each label, of all agents */
    struct groups groups;                   /* of a mix, of all agents */
    struct remarks remarks;                 /* the first of each kind, of all agents */
    uint64_t request_rows;                  /* rows of single requests in the run's file */
    uint64_t lost;                          /* requests of dead agents */
    struct hist *hist[METRIC_N];            /* merged; NULL when empty */
    struct agent_data *agents;
    size_t n_agents;
    struct series_row *series;
    size_t n_series;
    struct block *blocks;
    size_t n_blocks;
    struct server_sample *server; /* the server's metrics page while it ran; where there is one, also the last before
                                     its start and the first after its end */
    size_t n_server;
};
void stage_data_clear(struct stage_data *s);

/* One request, of the rows that `record` asks for. Texts are borrowed. */
struct request_data {
    uint32_t stage, repeat, agent;
    const char *agent_name, *outcome, *address; /* outcome: the name of its counter */
    int64_t started_wall_ns;                    /* of the stage */
    struct request_row row;                     /* without outcome and address */
};

struct run_agent {
    uint32_t agent, cores, weight;
    char name[64], host[64], boot_id[64], version[32], stamps[16], addresses[128];
    double quota;
    bool lost;
    int64_t clock_offset_ns, clock_bound_ns;
};
struct run_event {
    int64_t wall_ns;
    enum run_event_kind kind;
    char name[32]; /* of its kind; of one that this release does not know, as it stands in the file */
    char text[1000];
};

struct run_data {
    char run_id[40], version[32], plan_hash[65];
    int64_t started_wall_ns, ended_wall_ns;
    uint64_t seed;
    bool insecure;
    int signal;           /* 0, or the signal that ended it */
    struct plan *plan;    /* owned */
    struct buf plan_text; /* the file as it was given */
    struct run_agent *agents;
    size_t n_agents;
    struct run_event *events;
    size_t n_events;
    struct stage_data *stages; /* finished ones, in order of execution; superseded epochs are left out */
    size_t n_stages;
};
void run_data_clear(struct run_data *r);
bool run_data_finished(const struct run_data *r); /* an event says that it ended on purpose */
/* The error that ended the run; NULL: none did. One that agents joined after is of an earlier try. */
const char *run_data_error(const struct run_data *r);
