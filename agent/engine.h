/* The engine: all worker threads of one agent behind one handle. The control thread owns the handle and never blocks in
 * it; notes of the workers arrive as events on a descriptor.
 *
 *   engine_new → engine_plan → (engine_arm → READY → engine_go → SNAPSHOT… → DONE)… → engine_destroy
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/terms.h"
#include "common/corpus.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/shard.h"
#include "common/snapshot.h"

struct probe_result;
struct guard; /* agent/guard.h: local limits that no message can change; NULL = the built-in defaults */

struct engine_options {
    uint32_t workers; /* 0: one per usable core (affinity mask, cgroup quota) */
    const struct guard *guard;
    const char *const *source_addresses; /* local addresses to spread connections over; NULL-terminated, may be NULL */
};

enum engine_event_kind { ENGINE_READY, ENGINE_SNAPSHOT, ENGINE_DONE, ENGINE_PROBED };
struct engine_event {
    enum engine_event_kind kind;
    struct err err; /* READY, DONE: code ERR_NONE when well */
    struct snapshot
        *snapshot;         /* SNAPSHOT: merged over the workers; owned by the receiver, hand back by engine_recycle */
    bool last;             /* SNAPSHOT: the stage's last one */
    int64_t start_skew_ns; /* DONE */
    char addresses[256];   /* READY: resolved addresses of the target */
    char limit[256];       /* READY: what holds an open loop without a cap below what it may ask for; "" = nothing */
    struct target_terms terms; /* READY, when well */
};

ERR_CHECKED struct engine *engine_new(const struct engine_options *o, struct err *e);
void engine_destroy(struct engine **e);

/* Takes a plan for the stages to come: guard check, secrets read, name resolved once and pinned, dialect chosen. The
 * plan is borrowed until the next engine_plan or engine_destroy. Returns 0, -1, or 1 while the resolver has no answer:
 * nothing was taken, and the caller calls again with the same plan (resolver.h). */
ERR_CHECKED int engine_plan(struct engine *eng, const struct plan *p, struct err *e);
/* The data of that plan: a corpus for each of its workloads, NULL for those that need none. Borrowed like the plan;
 * given after each engine_plan and before the first stage. */
void engine_corpora(struct engine *eng, const struct corpus *const *corpora);

/* Begins a probe of the plan's target (probe.h) in place of one before it; ENGINE_PROBED follows, and engine_probed has
 * its result until the next plan or probe; NULL until then. */
ERR_CHECKED int engine_probe(struct engine *eng, struct err *e);
const struct probe_result *engine_probed(const struct engine *eng);

/* Prepares a stage in the workers: streams, prompts, histograms, descriptors and ports checked, connections warmed.
 * ENGINE_READY follows. The shard is copied. */
ERR_CHECKED int engine_arm(struct engine *eng, const struct shard *s, struct err *e);
/* Starts the armed stage at t0 (CLOCK_MONOTONIC). A snapshot about once a second, then ENGINE_DONE after the last one.
 */
ERR_CHECKED int engine_go(struct engine *eng, int64_t t0_ns, struct err *e);
/* now: aborts what is open at once; else no request starts and the open ones drain. After engine_go (also before T0)
 * the last SNAPSHOT and ENGINE_DONE always follow, and engine_arm must wait for them. A stage that is only armed is
 * disarmed, and none of its events comes any more. May be called again. */
void engine_stop(struct engine *eng, bool now);
/* Load may be made until then (CLOCK_MONOTONIC; at first without end). The workers check it before each request, so
 * that even a process that stood still sends none later. A stage that reaches it is stopped at once, as by
 * engine_stop. */
void engine_allow(struct engine *eng, int64_t until_ns);

int engine_fd(const struct engine *eng); /* poll for input, then call engine_next until it is false */
bool engine_next(struct engine *eng, struct engine_event *ret); /* false when none waits */
void engine_recycle(struct engine *eng, struct snapshot **s);

uint32_t engine_workers(const struct engine *eng);
const char *engine_stamps(const struct engine *eng); /* "kernel" or "program" */
