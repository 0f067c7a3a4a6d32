/* The time axis of a stage while it is merged: one row per second of the cluster and of each agent, in seconds from T0.
 * Pure.
 *
 * All sums are whole numbers and all histograms are sums, so that the result does not depend on the order in which
 * agents' snapshots come. Memory is bounded: rows of agents beyond SERIES_AGENT_ROWS are folded into longer ones (which
 * then carry no percentiles: those of two rows cannot be put together), the cluster's rows are at most SERIES_BINS, and
 * only the newest keep their histograms unpacked. */
#pragma once
#include "common/snapshot.h"
#include "coordinator/data.h"

#define SERIES_AGENT_ROWS 65536u
#define SERIES_BINS 86400u

struct series;
struct series *series_new(int64_t bin_ns); /* length of the cluster's rows; NULL without memory */
void series_destroy(struct series **s);
/* `part`: a small number of the agent's own, the same each time. Its snapshots come in the order of their spans; a span
 * must begin at 0 or later and be bounded by the caller. `hist`: the snapshot's histograms. -1 only without memory. */
int series_add(struct series *s, uint32_t part, uint32_t agent, const struct snapshot *snap,
               const struct hist_sparse hist[METRIC_N]);
/* Token events per second of the last full row that ends at or before `until_ns`; 0 when there is none. */
double series_tokens_per_s(const struct series *s, int64_t until_ns);
/* Rows of the cluster as they stand now, without percentiles; the last one may still grow. The caller frees *ret. */
int series_peek(const struct series *s, struct series_row **ret, size_t *ret_n);
/* Rows of the cluster first (agent -1), then of each agent, each ascending in time. The caller frees *ret. */
int series_finish(struct series *s, struct series_row **ret, size_t *ret_n);
