/* What ended requests add to a snapshot: every metric of metric.def, and the counters of requests and tokens.
 * Pure, one per worker; nothing is allocated (the snapshot's histograms are dense).
 *
 * The engine itself counts what does not belong to a request: SENT apart, READS, WAKES, UNSTAMPED, CLOCK_STEPS,
 * CONNECTIONS, CAPPED, CPU, WIN_INFLIGHT_NS, INFLIGHT_MAX, MEASURED_NS and so on, the gauges, and the snapshot's
 * series_tokens and series_inflight_ns.
 *
 * The rules, n = output tokens made, m = those that came in events (stream_count):
 *
 * - Latencies (ttft … user_speed, itl, chunk_gap): requests due inside the window that ended ok.
 * - tpot, user_speed: by m, only with m >= 2; user_speed only when tpot > 0.
 * - tpot_suffix: up to the end marker, by the tokens after the first event; none where there are no such.
 * - itl: gap / k, k times; k = tokens of the later event where running usage tells, else 1.
 * - itl_blurred, itl_least, itl_most: the gaps of late reads (s->blurred), as they are in itl, and their limits.
 * - held: up to the moment the slot is free (`now`). tail: up to the end of the response (s->t.closed, or
 * recorder_tail).
 * - cut_age, cut_wait: requests due inside the window that were still open when the drain ended, by their age since
 * they were sent, and those that were never sent, by their age since they were due (ABORTED both); and those that
 * load.cancel took back (CANCELLED). So are requests due before the window whose first token (or end, of a whole
 * answer) had not come by its end, however they ended later, by their age then; WIN_EARLIER_HUNG counts them. A user
 * who left is no error, so cancelled ones are not among them. cut_ttft: of them, where a first token had come.
 * cancel_age: of CANCELLED ones.
 * - Whole answers: no ttft, ttft_due, ttfc, tpot, user_speed, tokens_per_event and no gaps; e2e ends with the body.
 * - lateness, dispatch: requests due inside the window that were sent, however they ended.
 * - dns, tcp, tls, connect: requests that made a new connection.
 * - fail_age, fail_wait: requests due inside the window that failed, by how long they are known to have waited.
 * - fail_time: failed requests that were sent; cancelled and aborted ones have none.
 * - WIN_EVENTS, WIN_TOKENS_MICRO, WIN_INPUT_TOKENS: every request, failed and open ones too: what arrived, arrived.
 * - WIN_TOKENS_MICRO: window events × n / events where the request says n (usage, or it ended ok); else by the ratio
 *   of the worker's ok requests so far (1 before the first).
 * - FAILED_TOKENS: token events of all that is not ok.
 *
 * Identity: e2e = ttft + tpot × (m − 1), to the rounding of tpot to whole ns. */
#pragma once
#include "agent/session_sum.h"
#include "agent/stream/stream.h"
#include "common/counter.h"
#include "common/plan/plan.h"
#include "common/snapshot.h"

struct recorder {
    struct snapshot *snap;                 /* borrowed */
    int64_t window_from, window_to;        /* CLOCK_MONOTONIC ns, [from, to) */
    int64_t slo_ns[SLO_REQUEST_N];         /* 0: none */
    uint64_t ok_tokens, ok_events;         /* of ok requests, for the ratio */
    struct mix_group *group[GROUP_KIND_N]; /* of the request that ends; NULL: no mix */
};

/* At a stage's start. `snap` is dense and empty; `slo_ns` as plan.slo_request_ns, or NULL. */
void recorder_begin(struct recorder *r, struct snapshot *snap, int64_t window_from, int64_t window_to,
                    const int64_t *slo_ns);

bool recorder_in_window(const struct recorder *r, int64_t at);
void recorder_due(struct recorder *r, int64_t due); /* a request became due */
void recorder_sent(struct recorder *r);             /* … and was handed to the transport */
/* A read brought token events. Inline: each token pays for it. */
static inline void recorder_lag(const struct recorder *r, int64_t lag, uint32_t events)
{
    (void)hist_record(r->snap->hist[METRIC_LAG], lag < 0 ? 0 : lag, events); /* dense: cannot fail */
}
/* The request that ends next is of this workload and this model of the plan. */
void recorder_of(struct recorder *r, uint32_t workload, uint32_t model);
/* … and ended, `outcome` by stream_outcome, at `now`. Requests that were due and never sent end here too (s->t.sent 0).
 * Before stream_clear. */
void recorder_end(struct recorder *r, const struct stream *s, enum counter outcome, int64_t now);

/* The request that ends next failed with this status. */
void recorder_status(struct recorder *r, enum counter outcome, uint32_t status);

/* A try has failed as `outcome`, and its request will be sent again: it has no output yet and does not end here. */
void recorder_retry(struct recorder *r, const struct stream *s, enum counter outcome);

/* A conversation has had all its turns. */
void recorder_session(struct recorder *r, uint32_t turns, const struct session_sum *sum, int64_t first_due, int64_t at);

/* The tail of an ok request that ended before its response did is over. */
void recorder_tail(struct recorder *r, const struct stream *s, int64_t at);

/* Hands out the snapshot recorded so far and continues in `empty` (dense, reset): counters are carried over, since they
 * are cumulative. The caller sets span and gauges of what it gets. */
struct snapshot *recorder_swap(struct recorder *r, struct snapshot *empty);
