/* Blocks for resampling: what one agent recorded in one second. Token gaps of a request are not independent, so their
 * intervals come from drawing whole blocks.
 *
 * Memory is bounded: beyond BLOCKS_MAX blocks or BLOCKS_BYTES of buckets, neighbours are put together, by turns in time
 * (twice the seconds) and across agents (numbers that differ in the last bit). How coarse they get depends on what was
 * recorded, not on the order in which it came. Pure. */
#pragma once
#include "common/snapshot.h"
#include "coordinator/data.h"

#define BLOCKS_MAX 4096u
#define BLOCKS_BYTES (8u << 20)

struct blocks;
struct blocks *blocks_new(void);
void blocks_destroy(struct blocks **b);
/* `hist`: the snapshot's histograms. -1 only without memory. */
int blocks_add(struct blocks *b, uint32_t agent, const struct snapshot *snap, const struct hist_sparse hist[METRIC_N]);
/* The same as they stand now, as copies; -1 without memory, and nothing is left then. */
int blocks_peek(const struct blocks *b, struct block **ret, size_t *ret_n);
/* Ascending in time, then agent. Moved out; the caller frees *ret and its histograms. */
int blocks_finish(struct blocks *b, struct block **ret, size_t *ret_n);
