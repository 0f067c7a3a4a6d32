/* A snapshot: what was recorded in a stage since the one before. Counters are cumulative, histograms are deltas. */
#pragma once
#include <stdint.h>

#include "common/buf.h"
#include "common/counter.h"
#include "common/err.h"
#include "common/failure_sample.h"
#include "common/group.h"
#include "common/hist.h"
#include "common/metric.h"
#include "common/per_address.h"
#include "common/remark.h"
#include "common/request_row.h"

struct snapshot {
    int64_t from_ns, to_ns;      /* span it covers, from the stage's T0, agent's clock */
    uint64_t in_flight, waiting; /* at to_ns: sent and not ended; due and not sent */
    uint64_t series_tokens;      /* token events that arrived in the span, inside the window or not */
    uint64_t series_done, series_failed, series_due; /* in the span */
    uint64_t series_inflight_ns;                     /* time integral of requests in flight over the span */
    uint64_t counters[COUNTER_N];                    /* cumulative over the stage */
    struct per_address addresses;                    /* delta */
    struct remarks remarks;                          /* the first of each kind in this span */
    struct hist *hist[METRIC_N];                     /* delta; NULL = empty */
    struct failure_samples failures;                 /* the first of each label in this span */
    struct groups groups;                            /* of a mix, by workload and by model; delta */
    struct request_rows requests;                    /* that ended in this span, where the plan wants rows of them */
};

struct snapshot *snapshot_new(bool dense); /* dense: all histograms allocated with all buckets, for recorders */
void snapshot_destroy(struct snapshot **s);
void snapshot_reset(struct snapshot *s); /* empties histograms and numbers, keeps memory */
/* Both return -1 without memory; `to` then lacks some histograms. An empty span (fresh or reset) takes the one of what
 * is added. Adds a part that covers the same span (workers of one agent): counters by counters_add, gauges, series and
 * addresses summed, histograms merged. */
int snapshot_add(struct snapshot *to, const struct snapshot *part);
/* Appends a later delta of the same agent to one not yet sent: counters replaced by the later, series and addresses
 * summed, gauges replaced, span extended, histograms merged. Rows of requests are added by both while there is room. */
int snapshot_extend(struct snapshot *to, const struct snapshot *later);

/* Bytes of the wire, wire_fingerprint first, hostile on decoding: bounded, validated, unknown metrics refused. `ret` is
 * overwritten; empty after a failure. */
int snapshot_encode(const struct snapshot *s, struct buf *out);
ERR_CHECKED int snapshot_decode(struct snapshot *ret, const void *bytes, size_t n, struct err *e);

/* Walks the rows of requests in the bytes of a snapshot that was decoded before: calls `each` with the row and the name
 * of its address until that returns something else than 0, which is returned. -1 on bytes that snapshot_decode would
 * refuse. */
int snapshot_each_request(const void *bytes, size_t n,
                          int (*each)(void *arg, const struct request_row *r, const char *address), void *arg);

/* For callers that add histograms to several others, or keep many snapshots and add them up later. */
struct snapshot_bytes {
    const void *data;
    size_t n;
};
/* As snapshot_decode, but the histograms are listed in `hist`, and `ret` has none. *ret_hists: where they are in the
 * bytes. Both are spoiled after a failure. */
ERR_CHECKED int snapshot_decode_sparse(struct snapshot *ret, struct hist_sparse hist[METRIC_N], const void *bytes,
                                       size_t n, struct snapshot_bytes *ret_hists, struct err *e);
/* Adds the bytes of ret_hists to the histograms of another. -1 on bytes that snapshot_decode would refuse. */
ERR_CHECKED int snapshot_add_hists(struct snapshot *to, const void *hists, size_t n, struct err *e);
