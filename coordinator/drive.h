/* Drives a run: the loop between the sockets, the signals, the agents' processes, the sinks that follow the run and the
 * pure machine of run.h. */
#pragma once
#include "coordinator/data.h"
#include "coordinator/link.h"
#include "coordinator/local.h"
#include "coordinator/run/run.h"
#include "coordinator/sink.h"
#include "coordinator/store/store.h"

struct shelf;
struct drive_options {
    const struct run_data *meta; /* the run's identity and plan; stages that are finished already */
    struct store_past past;      /* of a run that continues; else zero */
    uint32_t wanted;             /* agents to wait for; 0 = as many as the plan says */
    struct link *link;
    struct wire_bytes signature; /* of the plan; empty = not signed */
    struct sinks sinks;          /* called in this order */
    const struct shelf *shelf;   /* the plan's data */
    struct local *local;         /* NULL: agents come by themselves */
    bool probe;                  /* one short request before the first stage */
    bool only_probe;             /* … and no stage */
    bool leave_on_term; /* SIGTERM leaves the run as it is, for the coordinator that will be started in its place */
    int signal_fd;      /* SIGINT, SIGTERM, SIGHUP, SIGCHLD are blocked and read here */
};
struct drive_result {
    struct err err; /* why the run ended early; ERR_NONE when it did not */
    int signal;
    bool left;                  /* as leave_on_term says: unfinished, no agent was asked to end */
    bool incomplete;            /* a point is missing or not what the plan asked for */
    struct stage_data *unsaved; /* the stage that a sink could not take; owned by the caller, NULL = none */
};
/* Blocks the signals that drive_run reads, and returns the descriptor for them, or -1. Before any thread exists, so
 * that all inherit the mask. */
ERR_CHECKED int drive_signals(struct err *e);
/* Agents of this machine, which may use the plan's Unix socket, by the keys of a folder, or by some that only live as
 * long as the run (`own`, which is wiped); NULL: without. */
ERR_CHECKED struct local *drive_start_local(size_t n, const struct link *l, const char *keys, struct key_pair *own,
                                            const char *data, const struct plan *plan, struct err *e);
/* Returns when the run is over: 0, or -1 when it could not even begin. */
ERR_CHECKED int drive_run(const struct drive_options *o, struct drive_result *ret, struct err *e);
