/* What becomes of an accepted snapshot. It is added to the cluster's sums at once; their histograms are open. The
 * histograms of each agent are kept as bytes: a packed sum, and a tail of what has come since. There may be thousands
 * of agents, and an open histogram takes about twenty times the memory of its bytes.
 *
 *   snapshot ──┬── counters, gauges, span ──> the agent's (counters are cumulative: the new ones replace the old)
 *              ├── rows, blocks ────────────> series, blocks
 *              ├── addresses, failures ─────> merge.addresses, merge.failures
 *              ├── groups ──────────────────> merge.groups, open
 *              └── histograms (deltas) ──┬──> merge.hist[metric], open: added at once, decoded
 *                                        └──> part.recent, a tail of the agent: kept as the bytes that came
 *
 *   data.hist[metric]           part.recent
 *   ┌─────────────────────┐     ┌───┬────────────┬───┬────────────┬───┬────────────┐
 *   │ packed sum, 1 … k   │     │ n │ bytes, k+1 │ n │ bytes, k+2 │ n │ bytes, k+3 │   n: length, 4 bytes
 *   └─────────────────────┘     └───┴────────────┴───┴────────────┴───┴────────────┘
 *
 * Folding decodes the packed sum, adds the tail, packs the result again and frees the tail. It has to walk through the
 * whole sum. So it waits until the tail is longer than the sum by RECENT, by up to three times that for some agents:
 * the longer the walk, the rarer it is. merge_settle and merge_finish fold too. */
#include "coordinator/run/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/snapshot.h"
#include "coordinator/run/blocks.h"
#include "coordinator/run/series.h"

#define AGENTS_MAX 65536u
#define SPAN_MAX (3600 * NS_PER_S)
#define TIME_MAX (INT64_C(366) * 86400 * NS_PER_S)
/* No agent counts more than this, so that sums over agents cannot overflow. */
#define COUNT_MAX (UINT64_C(1) << 56)
#define COUNT_PER_S UINT64_C(1000000000) /* no count of an agent rises faster than this */
#define RECENT (12u << 10) /* bytes of the tail, beyond the length of the packed sum, that are not worth folding */
#define RECENT_MAX (64u << 20)
#define PACKED_MAX (1u << 20)

struct part {
    uint32_t number; /* in the order in which they were added */
    uint64_t seq;
    int64_t from_ns, to_ns; /* span of the last snapshot */
    uint64_t in_flight, waiting;
    /* The tail: histograms of the latest snapshots, as they came, each after its length. */
    struct buf recent;
    size_t packed; /* bytes of the packed sums, all metrics together */
};

struct merge {
    uint32_t stage, repeat, epoch;
    struct plan_stage plan;
    /* One of each for an agent, ascending by its number: the result does not depend on the order of arrival. */
    uint32_t *agents;
    struct part *parts;
    struct agent_data *data; /* leaves with merge_finish */
    size_t n_parts, cap_parts;
    uint64_t counters[COUNTER_N]; /* of all */
    struct hist *hist[METRIC_N];
    struct per_address addresses;
    struct failure_samples failures;
    struct groups groups;
    struct remarks remarks;
    struct series *series;
    struct blocks *blocks;
    struct snapshot *snap;               /* scratch: a snapshot's numbers … */
    struct hist_sparse sparse[METRIC_N]; /* … and its histograms */
    struct snapshot *sum;                /* scratch: an agent's histograms, while they are added up */
    struct buf pack;                     /* scratch */
    uint64_t in_flight, waiting;         /* sums over the parts */
    bool broken;                         /* memory ran out in the middle of a snapshot: the sums cannot be trusted */
};

/* The cluster's rows are a second long, longer for stages of more than four hours. */
static int64_t bin_length(const struct plan_stage *p)
{
    return NS_PER_S * (1 + p->duration_ns / (14400 * NS_PER_S));
}

struct merge *merge_new(uint32_t stage, uint32_t repeat, uint32_t epoch, const struct plan_stage *asked)
{
    struct merge *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->stage = stage;
    m->repeat = repeat;
    m->epoch = epoch;
    m->plan = *asked;
    m->series = series_new(bin_length(asked));
    m->blocks = blocks_new();
    m->snap = snapshot_new(false);
    m->sum = snapshot_new(false);
    m->pack = (struct buf)BUF_INIT(PACKED_MAX);
    if (!m->series || !m->blocks || !m->snap || !m->sum) merge_destroy(&m);
    return m;
}

void merge_destroy(struct merge **m)
{
    if (!*m) return;
    for (size_t i = 0; i < (*m)->n_parts; i++) {
        buf_clear(&(*m)->parts[i].recent);
        for (int k = 0; k < METRIC_N; k++)
            packed_hist_clear(&(*m)->data[i].hist[k]);
    }
    for (int k = 0; k < METRIC_N; k++) {
        hist_destroy(&(*m)->hist[k]);
        hist_sparse_clear(&(*m)->sparse[k]);
    }
    groups_clear(&(*m)->groups);
    series_destroy(&(*m)->series);
    blocks_destroy(&(*m)->blocks);
    snapshot_destroy(&(*m)->snap);
    snapshot_destroy(&(*m)->sum);
    buf_clear(&(*m)->pack);
    free((*m)->agents);
    free((*m)->parts);
    free((*m)->data);
    free(*m);
    *m = NULL;
}

/* First part whose agent is not before `agent`. */
static size_t part_at(const struct merge *m, uint32_t agent)
{
    size_t lo = 0, hi = m->n_parts;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (m->agents[mid] < agent)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct part *part_of(const struct merge *m, uint32_t agent)
{
    size_t at = part_at(m, agent);
    return at < m->n_parts && m->agents[at] == agent ? &m->parts[at] : NULL;
}
static struct agent_data *data_of(const struct merge *m, const struct part *p)
{
    return &m->data[p - m->parts];
}

static int reserve(struct merge *m, size_t n)
{
    uint32_t *agents = realloc(m->agents, n * sizeof *agents);
    if (agents) m->agents = agents;
    struct part *parts = realloc(m->parts, n * sizeof *parts);
    if (parts) m->parts = parts;
    struct agent_data *data = realloc(m->data, n * sizeof *data);
    if (data) m->data = data;
    if (!agents || !parts || !data) return -1;
    m->cap_parts = n;
    return 0;
}

int merge_add_agent(struct merge *m, uint32_t agent, const char *name, uint32_t weight, uint64_t slots, struct err *e)
{
    if (part_of(m, agent))
        return err_set(e, ERR_INTERNAL, "agent %" PRIu32 " is in stage %" PRIu32 " already", agent, m->stage);
    if (m->n_parts == AGENTS_MAX || agent > INT32_MAX)
        return err_set(e, ERR_LIMIT, "a stage takes at most %u agents", AGENTS_MAX);
    if (m->n_parts == m->cap_parts && reserve(m, m->n_parts ? m->n_parts * 2 : 8))
        return err_set(e, ERR_NOMEM, "no memory for agent %" PRIu32, agent);
    size_t at = part_at(m, agent);
    for (size_t i = m->n_parts; i > at; i--) {
        m->agents[i] = m->agents[i - 1];
        m->parts[i] = m->parts[i - 1];
        m->data[i] = m->data[i - 1];
    }
    m->agents[at] = agent;
    m->parts[at] = (struct part){.number = (uint32_t)m->n_parts++, .recent = BUF_INIT(RECENT_MAX)};
    struct agent_data *d = &m->data[at];
    *d = (struct agent_data){.agent = agent, .weight = weight, .slots = slots};
    (void)snprintf(d->name, sizeof d->name, "%s", name);
    return 0;
}

/* Requests that have an outcome. */
static uint64_t ended(const uint64_t c[COUNTER_N])
{
    return c[COUNTER_OK] + counters_failed(c) + c[COUNTER_CANCELLED] + c[COUNTER_ABORTED];
}

static int check_counters(const uint64_t *was, const struct snapshot *s, struct err *e)
{
    const uint64_t *now = s->counters;
    uint64_t most = COUNT_PER_S * (uint64_t)((s->to_ns - s->from_ns) / NS_PER_S + 1);
    for (int i = 0; i < COUNTER_N; i++) {
        /* Estimates may fall: tokens of open requests settle when they end; a request that is found to have ended
         * before the last snapshot gives its time in flight back. */
        if (now[i] < was[i] && COUNTERS[i].kind != COUNTER_IS_ESTIMATE)
            return err_set(e, ERR_WIRE, "counter %s falls from %" PRIu64 " to %" PRIu64, COUNTERS[i].name, was[i],
                           now[i]);
        if (now[i] > COUNT_MAX || (COUNTERS[i].kind == COUNTER_IS_COUNT && now[i] - was[i] > most))
            return err_set(e, ERR_WIRE, "counter %s jumps from %" PRIu64 " to %" PRIu64, COUNTERS[i].name, was[i],
                           now[i]);
    }
    if (ended(now) > now[COUNTER_DUE])
        return err_set(e, ERR_WIRE, "%" PRIu64 " requests ended but only %" PRIu64 " were due", ended(now),
                       now[COUNTER_DUE]);
    return 0;
}

static int check_groups(const struct groups *g, struct err *e)
{
    for (uint32_t i = 0; i < g->n; i++) {
        bool absurd = false;
        for (int c = 0; c < GROUP_COUNT_N; c++)
            absurd |= g->row[i].counters[c] > COUNT_MAX;
        for (int k = 0; k < GROUP_METRIC_N; k++)
            absurd |= g->row[i].hist[k] && g->row[i].hist[k]->count > COUNT_MAX;
        if (absurd)
            return err_set(e, ERR_WIRE, "the counts of %s %" PRIu32 " are absurd", group_kind_name(g->row[i].kind),
                           g->row[i].number + 1);
    }
    return 0;
}

static int check(const struct part *p, const uint64_t *was, const struct merge *m, struct err *e)
{
    const struct snapshot *s = m->snap;
    /* Spans of two workers differ by a moment, so that neighbouring spans of an agent may overlap a little; they never
     * go back. */
    if (s->from_ns < p->from_ns || s->to_ns < p->to_ns || s->to_ns < s->from_ns || s->to_ns - s->from_ns > SPAN_MAX ||
        s->to_ns > TIME_MAX)
        return err_set(e, ERR_WIRE, "span %" PRId64 " … %" PRId64 " ns does not follow %" PRId64 " … %" PRId64,
                       s->from_ns, s->to_ns, p->from_ns, p->to_ns);
    const uint64_t sums[] = {s->series_tokens, s->series_done, s->series_failed,
                             s->series_due,    s->in_flight,   s->waiting};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        if (sums[i] > COUNT_MAX) return err_set(e, ERR_WIRE, "a number of the series is absurd: %" PRIu64, sums[i]);
    for (uint32_t i = 0; i < s->addresses.n; i++) {
        const struct address_count *a = &s->addresses.row[i];
        if (a->requests > COUNT_MAX || a->ok > COUNT_MAX || a->failed > COUNT_MAX)
            return err_set(e, ERR_WIRE, "the counts of address %s are absurd", a->address);
    }
    if (s->series_inflight_ns > COUNT_MAX)
        return err_set(e, ERR_WIRE, "the in-flight integral is absurd: %" PRIu64, s->series_inflight_ns);
    for (int k = 0; k < METRIC_N; k++)
        if (m->sparse[k].whole.count > COUNT_MAX)
            return err_set(e, ERR_WIRE, "histogram %s has %" PRIu64 " samples", METRICS[k].name,
                           m->sparse[k].whole.count);
    return check_groups(&s->groups, e) || check_counters(was, s, e) ? -1 : 0;
}

/* Adds the tail to the packed sum. */
static int fold(struct merge *m, struct part *p)
{
    struct packed_hist *packed = data_of(m, p)->hist;
    struct err e;
    uint32_t n;
    if (!p->recent.len) return 0;
    snapshot_reset(m->sum);
    for (int k = 0; k < METRIC_N; k++) {
        if (!packed[k].n) continue;
        if (!m->sum->hist[k] && !(m->sum->hist[k] = hist_new())) return -1;
        if (packed_hist_add_to(&packed[k], m->sum->hist[k], &e)) return -1;
    }
    for (size_t at = 0; at < p->recent.len; at += sizeof n + n) {
        memcpy(&n, p->recent.data + at, sizeof n);
        if (snapshot_add_hists(m->sum, p->recent.data + at + sizeof n, n, &e)) return -1;
    }
    p->packed = 0;
    for (int k = 0; k < METRIC_N; k++) {
        const struct hist *h = m->sum->hist[k];
        if (!h || !h->count) continue;
        buf_reset(&m->pack);
        if (hist_encode(h, &m->pack) || packed_hist_set(&packed[k], m->pack.data, m->pack.len)) return -1;
        p->packed += m->pack.len;
    }
    buf_clear(&p->recent);
    return 0;
}

/* It depends on the part's number: otherwise all agents, whose snapshots come at the same pace, would be folded in the
 * same second. */
static size_t recent_most(const struct part *p)
{
    return RECENT + p->packed + p->number % 16 * (RECENT / 8);
}

static int keep(struct merge *m, struct part *p, const struct snapshot_bytes *hists)
{
    uint32_t len = (uint32_t)hists->n;
    if (buf_put(&p->recent, &len, sizeof len) || buf_put(&p->recent, hists->data, hists->n)) return -1;
    return p->recent.len > recent_most(p) ? fold(m, p) : 0;
}

static int take(struct merge *m, struct part *p, uint32_t agent, const struct snapshot_bytes *hists)
{
    const struct snapshot *s = m->snap;
    for (int k = 0; k < METRIC_N; k++) {
        if (!m->sparse[k].whole.count) continue;
        if (!m->hist[k] && !(m->hist[k] = hist_new())) return -1;
        if (hist_add_sparse(m->hist[k], &m->sparse[k])) return -1;
    }
    per_address_add(&m->addresses, &s->addresses);
    failure_samples_add(&m->failures, &s->failures);
    if (groups_add(&m->groups, &s->groups)) return -1;
    remarks_add(&m->remarks, &s->remarks);
    if (keep(m, p, hists)) return -1;
    if (series_add(m->series, p->number, agent, s, m->sparse)) return -1;
    return blocks_add(m->blocks, agent, s, m->sparse);
}

/* Counters and gauges: the new ones replace the old. */
static void replace(struct merge *m, struct part *p, uint64_t was[COUNTER_N])
{
    const struct snapshot *s = m->snap;
    for (int i = 0; i < COUNTER_N; i++) {
        if (COUNTERS[i].kind != COUNTER_IS_MAXIMUM)
            m->counters[i] += s->counters[i] - was[i];
        else if (s->counters[i] > m->counters[i])
            m->counters[i] = s->counters[i];
        was[i] = s->counters[i];
    }
    m->in_flight += s->in_flight - p->in_flight;
    m->waiting += s->waiting - p->waiting;
    p->in_flight = s->in_flight;
    p->waiting = s->waiting;
    p->from_ns = s->from_ns;
    p->to_ns = s->to_ns;
}

enum merge_result merge_accept(struct merge *m, uint32_t agent, uint64_t seq, const void *bytes, size_t n,
                               struct err *e)
{
    struct part *p = part_of(m, agent);
    if (!p) {
        (void)err_set(e, ERR_WIRE, "snapshot of agent %" PRIu32 ", which has no part in stage %" PRIu32, agent,
                      m->stage);
        return MERGE_REFUSED;
    }
    if (seq <= p->seq && seq > 0) return MERGE_DUPLICATE;
    struct agent_data *d = data_of(m, p);
    struct snapshot_bytes hists;
    if (d->lost || m->broken) {
        (void)err_set(e, ERR_WIRE,
                      d->lost ? "snapshot of agent %s, which was given up" : "agent %s: memory ran out before",
                      d->name);
        return MERGE_REFUSED;
    }
    if (seq != p->seq + 1) {
        (void)err_set(e, ERR_WIRE, "snapshot %" PRIu64 " of agent %s, but %" PRIu64 " is the next", seq, d->name,
                      p->seq + 1);
        return MERGE_REFUSED;
    }
    if (snapshot_decode_sparse(m->snap, m->sparse, bytes, n, &hists, e) || check(p, d->counters, m, e)) {
        (void)err_context(e, "snapshot %" PRIu64 " of agent %s", seq, d->name);
        return MERGE_REFUSED;
    }
    if (take(m, p, agent, &hists)) {
        m->broken = true;
        (void)err_set(e, ERR_NOMEM, "no memory to merge snapshot %" PRIu64 " of agent %s", seq, d->name);
        return MERGE_REFUSED;
    }
    replace(m, p, d->counters);
    d->snapshots++;
    p->seq = seq;
    return MERGE_ACCEPTED;
}

uint64_t merge_last_seq(const struct merge *m, uint32_t agent)
{
    const struct part *p = part_of(m, agent);
    return p ? p->seq : 0;
}

void merge_settle(struct merge *m, uint32_t agent)
{
    struct part *p = part_of(m, agent);
    if (p && fold(m, p)) m->broken = true;
}

void merge_mark_lost(struct merge *m, uint32_t agent)
{
    struct part *p = part_of(m, agent);
    struct agent_data *d = p ? data_of(m, p) : NULL;
    if (!d || d->lost) return;
    d->lost = true;
    d->lost_requests = d->counters[COUNTER_DUE] - ended(d->counters);
    m->in_flight -= p->in_flight;
    m->waiting -= p->waiting;
    p->in_flight = p->waiting = 0;
}

const struct failure_samples *merge_failures(const struct merge *m)
{
    return &m->failures;
}

uint64_t merge_in_flight(const struct merge *m)
{
    return m->in_flight;
}

void merge_live(const struct merge *m, struct merge_live *ret)
{
    *ret = (struct merge_live){.ttft = m->hist[METRIC_TTFT],
                               .itl = m->hist[METRIC_ITL],
                               .lag = m->hist[METRIC_LAG],
                               .lateness = m->hist[METRIC_LATENESS]};
    int64_t until = 0;
    memcpy(ret->counters, m->counters, sizeof ret->counters);
    ret->in_flight = m->in_flight;
    ret->waiting = m->waiting;
    for (size_t i = 0; i < m->n_parts; i++) {
        const struct part *p = &m->parts[i];
        if (p->to_ns && (!until || p->to_ns < until) && !m->data[i].lost) until = p->to_ns;
    }
    ret->tokens_per_s = series_tokens_per_s(m->series, until);
}

static void summed(const struct merge *m, struct stage_data *ret)
{
    memcpy(ret->counters, m->counters, sizeof ret->counters);
    for (size_t i = 0; i < m->n_parts; i++) {
        ret->lost += m->data[i].lost_requests;
        ret->degraded |= m->data[i].lost;
    }
}

int merge_finish(struct merge *m, struct stage_data *ret, struct err *e)
{
    *ret = (struct stage_data){.stage = m->stage, .repeat = m->repeat, .epoch = m->epoch, .plan = m->plan};
    if (m->broken) return err_set(e, ERR_NOMEM, "memory ran out while stage %" PRIu32 " was merged", m->stage);
    for (size_t i = 0; i < m->n_parts; i++)
        if (fold(m, &m->parts[i])) return err_set(e, ERR_NOMEM, "no memory for the result of stage %" PRIu32, m->stage);
    if (series_finish(m->series, &ret->series, &ret->n_series) ||
        blocks_finish(m->blocks, &ret->blocks, &ret->n_blocks)) {
        stage_data_clear(ret);
        return err_set(e, ERR_NOMEM, "no memory for the result of stage %" PRIu32, m->stage);
    }
    summed(m, ret);
    ret->agents = m->data;
    ret->n_agents = m->n_parts;
    ret->addresses = m->addresses;
    ret->failures = m->failures;
    ret->groups = m->groups;
    m->groups = (struct groups){0};
    ret->remarks = m->remarks;
    per_address_sort(&ret->addresses);
    for (int k = 0; k < METRIC_N; k++) {
        ret->hist[k] = m->hist[k];
        m->hist[k] = NULL;
    }
    m->data = NULL;
    m->n_parts = m->cap_parts = 0;
    return 0;
}

int merge_peek(const struct merge *m, struct stage_data *ret, struct err *e)
{
    *ret = (struct stage_data){.stage = m->stage, .repeat = m->repeat, .epoch = m->epoch, .plan = m->plan};
    int rc = m->broken ? -1 : 0;
    ret->failures = m->failures;
    summed(m, ret);
    for (int k = 0; k < METRIC_N && rc == 0; k++)
        if (m->hist[k] && !(ret->hist[k] = hist_copy(m->hist[k]))) rc = -1;
    if (rc == 0) rc = series_peek(m->series, &ret->series, &ret->n_series);
    if (rc == 0) rc = blocks_peek(m->blocks, &ret->blocks, &ret->n_blocks);
    if (rc == 0) return 0;
    stage_data_clear(ret);
    return err_set(e, ERR_NOMEM, "no memory to look at stage %" PRIu32, m->stage);
}
