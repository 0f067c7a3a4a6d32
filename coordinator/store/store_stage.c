/* The end of a stage, written piece by piece. The row that makes it an ended one comes last. */
#include <string.h>

#include "common/clock.h"
#include "coordinator/store/store.h"
#include "coordinator/store/store_db.h"

#define HIST_MAX (1u << 20)

static int put_packed(struct store *s, int64_t id, int32_t agent, enum metric m, const struct hist *h,
                      const void *bytes, size_t n, struct err *e)
{
    return db_run(&s->db, e,
                  "INSERT INTO stage_hist(stage_id, agent, metric, count, mean, min, max, bytes) VALUES (?, ?, ?, ?, "
                  "?, ?, ?, ?)",
                  "iisudiib", id, (int64_t)agent, METRICS[m].name, h->count, hist_mean(h), h->min, h->max, bytes, n);
}

static int put_hist(struct store *s, int64_t id, int32_t agent, enum metric m, const struct hist *h, struct err *e)
{
    struct buf b = BUF_INIT(HIST_MAX);
    int rc = hist_encode(h, &b) ? err_set(e, ERR_NOMEM, "%s: no memory for a histogram", s->db.path) : 0;
    if (!rc) rc = put_packed(s, id, agent, m, h, b.data, b.len, e);
    buf_clear(&b);
    return rc;
}

static int put_counters(struct store *s, int64_t id, int32_t agent, const uint64_t counters[COUNTER_N], struct err *e)
{
    for (int i = 0; i < COUNTER_N; i++)
        if ((counters[i] || agent < 0) && /* of thousands of agents most are 0: a missing row is 0 */
            db_run(&s->db, e, "INSERT INTO stage_counter(stage_id, agent, counter, value) VALUES (?, ?, ?, ?)", "iisu",
                   id, (int64_t)agent, COUNTERS[i].name, counters[i]))
            return -1;
    return 0;
}

static int put_addresses(struct store *s, int64_t id, const struct per_address *p, struct err *e)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const struct address_count *a = &p->row[i];
        if (db_run(&s->db, e,
                   "INSERT INTO stage_address(stage_id, address, requests, ok, failed) VALUES (?, ?, ?, ?, ?)", "isuuu",
                   id, a->address, a->requests, a->ok, a->failed))
            return -1;
    }
    return 0;
}

static int put_group_hist(struct store *s, int64_t id, const struct mix_group *g, int m, struct err *e)
{
    struct buf b __attribute__((cleanup(buf_clear))) = BUF_INIT(HIST_MAX);
    const struct hist *h = g->hist[m];
    if (!h || h->count == 0) return 0;
    if (hist_encode(h, &b)) return err_set(e, ERR_NOMEM, "%s: no memory for a histogram", s->db.path);
    return db_run(&s->db, e,
                  "INSERT INTO stage_group_hist(stage_id, kind, number, metric, count, mean, min, max, bytes) VALUES "
                  "(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "isisudiib", id, group_kind_name(g->kind), (int64_t)g->number, METRICS[GROUP_METRICS[m]].name,
                  h->count, hist_mean(h), h->min, h->max, (const void *)b.data, b.len);
}

static int put_groups(struct store *s, int64_t id, const struct groups *groups, struct err *e)
{
    int has = store_has_table(s, "stage_group", e); /* as in put_remarks */
    for (uint32_t i = 0; has > 0 && i < groups->n; i++) {
        const struct mix_group *g = &groups->row[i];
        for (int c = 0; c < GROUP_COUNT_N; c++)
            if (db_run(&s->db, e,
                       "INSERT INTO stage_group(stage_id, kind, number, counter, value) VALUES (?, ?, ?, ?, ?)",
                       "isisu", id, group_kind_name(g->kind), (int64_t)g->number, COUNTERS[GROUP_COUNTERS[c]].name,
                       g->counters[c]))
                return -1;
        for (int m = 0; m < GROUP_METRIC_N; m++)
            if (put_group_hist(s, id, g, m, e)) return -1;
    }
    return has < 0 ? -1 : 0;
}

static int put_failures(struct store *s, int64_t id, const struct failure_samples *f, struct err *e)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (db_run(&s->db, e,
                   "INSERT INTO stage_failure(stage_id, label, status, t_s, address, text) VALUES (?, ?, ?, ?, ?, ?)",
                   "isidss", id, FAILURES[f->row[i].label].name, (int64_t)f->row[i].status,
                   (double)f->row[i].at_ns / 1e9, f->row[i].address, f->row[i].text))
            return -1;
    return 0;
}

static int put_remarks(struct store *s, int64_t id, const struct remarks *r, struct err *e)
{
    int has = store_has_table(s, "stage_remark", e); /* a run of an earlier version that is resumed has none */
    for (int k = 0; has > 0 && k < REMARK_N; k++)
        if (r->of[k].text[0] &&
            db_run(&s->db, e, "INSERT INTO stage_remark(stage_id, kind, t_s, text) VALUES (?, ?, ?, ?)", "isds", id,
                   REMARK_NAMES[k], (double)r->of[k].at_ns / 1e9, r->of[k].text))
            return -1;
    return has < 0 ? -1 : 0;
}

static int put_cluster(struct store *s, int64_t id, const struct stage_data *d, struct err *e)
{
    if (put_counters(s, id, -1, d->counters, e) || put_addresses(s, id, &d->addresses, e) ||
        put_failures(s, id, &d->failures, e) || put_remarks(s, id, &d->remarks, e) || put_groups(s, id, &d->groups, e))
        return -1;
    for (int k = 0; k < METRIC_N; k++)
        if (d->hist[k] && d->hist[k]->count && put_hist(s, id, -1, (enum metric)k, d->hist[k], e)) return -1;
    return 0;
}

/* `scratch` is opened here for count, mean, min and max. */
static int put_agent_hists(struct store *s, int64_t id, const struct agent_data *a, struct hist *scratch, struct err *e)
{
    for (int k = 0; k < METRIC_N; k++) {
        const struct packed_hist *p = &a->hist[k];
        if (!p->n) continue;
        hist_reset(scratch);
        if (packed_hist_add_to(p, scratch, e) ||
            put_packed(s, id, (int32_t)a->agent, (enum metric)k, scratch, p->bytes, p->n, e))
            return -1;
    }
    return 0;
}

static int put_verdict(struct store *s, int64_t id, const struct agent_data *a, struct err *e)
{
    char reasons[VERDICT_REASONS * (sizeof a->verdict.reason[0] + 1)];
    size_t at = 0;
    for (uint32_t i = 0; i < a->verdict.n_reasons && i < VERDICT_REASONS; i++) {
        size_t n = strnlen(a->verdict.reason[i], sizeof a->verdict.reason[i] - 1);
        if (at) reasons[at++] = '\n';
        memcpy(reasons + at, a->verdict.reason[i], n);
        at += n;
    }
    reasons[at] = 0;
    return db_run(&s->db, e, "INSERT INTO verdict(stage_id, agent, status, reasons) VALUES (?, ?, ?, ?)", "iiis", id,
                  (int64_t)a->agent, (int64_t)a->verdict.status, reasons);
}

static int put_agent(struct store *s, int64_t id, const struct agent_data *a, struct hist *scratch, struct err *e)
{
    if (db_run(&s->db, e,
               "INSERT INTO stage_agent(stage_id, agent, name, weight, slots, lost, lost_requests, start_skew_ns, "
               "clock_offset_ns,"
               " clock_bound_ns, snapshots) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               "iisiuiuiiiu", id, (int64_t)a->agent, a->name, (int64_t)a->weight, a->slots, (int64_t)a->lost,
               a->lost_requests, a->start_skew_ns, a->clock_offset_ns, a->clock_bound_ns, a->snapshots))
        return -1;
    if (put_counters(s, id, (int32_t)a->agent, a->counters, e) || put_agent_hists(s, id, a, scratch, e)) return -1;
    return put_verdict(s, id, a, e);
}

static int put_series(struct store *s, int64_t id, const struct series_row *r, struct err *e)
{
    return db_run(
        &s->db, e,
        "INSERT INTO series(stage_id, agent, t_s, span_s, tokens, done, failed, due, in_flight, itl_p50_ms, itl_p99_ms,"
        " ttft_p50_ms, ttft_p99_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iiddddddddddd", id, (int64_t)r->agent, r->t_s, r->span_s, r->tokens, r->done, r->failed, r->due, r->in_flight,
        r->itl_p50_ms, r->itl_p99_ms, r->ttft_p50_ms, r->ttft_p99_ms);
}

enum { BLOCK_HISTS = 4 };
static int put_block(struct store *s, int64_t id, const struct block *b, struct err *e)
{
    const struct hist *from[BLOCK_HISTS] = {b->itl, b->chunk_gap, b->ttft, b->tpot};
    struct buf to[BLOCK_HISTS] = {BUF_INIT(HIST_MAX), BUF_INIT(HIST_MAX), BUF_INIT(HIST_MAX), BUF_INIT(HIST_MAX)};
    int rc = 0;
    for (int k = 0; k < BLOCK_HISTS; k++)
        if (from[k] && hist_encode(from[k], &to[k]))
            rc = err_set(e, ERR_NOMEM, "%s: no memory for a histogram", s->db.path);
    if (!rc)
        rc = db_run(
            &s->db, e,
            "INSERT INTO block(stage_id, agent, t_s, span_s, tokens, itl, chunk_gap, ttft, tpot) VALUES (?, ?, ?, "
            "?, ?, ?, ?, ?, ?)",
            "iidddbbbb", id, (int64_t)b->agent, b->t_s, b->span_s, b->tokens, (const void *)to[0].data, to[0].len,
            (const void *)to[1].data, to[1].len, (const void *)to[2].data, to[2].len, (const void *)to[3].data,
            to[3].len);
    for (int k = 0; k < BLOCK_HISTS; k++)
        buf_clear(&to[k]);
    return rc;
}

/* What a row of each kind costs, in rows of the time axis. */
enum { AGENT_COST = 32, BLOCK_COST = 4 };

static int put_end(struct store *s, const struct stage_data *d, struct store_saving *at, struct err *e)
{
    return db_run(&s->db, e,
                  "UPDATE stage SET started_wall_ns = CASE ?1 WHEN 0 THEN started_wall_ns ELSE ?1 END, ended_wall_ns = "
                  "?2, degraded = ?3,"
                  " aborted = ?4, lost = ?5 WHERE id = ?6",
                  "iiiiui", d->started_wall_ns, at->ended_wall_ns, (int64_t)d->degraded, (int64_t)d->aborted, d->lost,
                  at->id);
}

static int put_agents(struct store *s, const struct stage_data *d, struct store_saving *at, uint64_t *left,
                      struct err *e)
{
    struct hist *scratch = hist_new();
    int rc = scratch ? 0 : err_set(e, ERR_NOMEM, "%s: no memory for a histogram", s->db.path);
    for (; !rc && at->agents<d->n_agents && * left> 0; at->agents++) {
        rc = put_agent(s, at->id, &d->agents[at->agents], scratch, e);
        *left -= *left < AGENT_COST ? *left : AGENT_COST;
    }
    hist_destroy(&scratch);
    return rc;
}

/* As much as `left` allows, in order: the cluster, its agents, the time axis, blocks; then the row that makes it an
 * ended stage. 1: there is more. */
static int put_some(struct store *s, const struct stage_data *d, struct store_saving *at, uint64_t left, struct err *e)
{
    if (!at->cluster && put_cluster(s, at->id, d, e)) return -1;
    at->cluster = true;
    if (at->agents < d->n_agents && put_agents(s, d, at, &left, e)) return -1;
    for (; at->series < d->n_series && left > 0; at->series++, left--)
        if (put_series(s, at->id, &d->series[at->series], e)) return -1;
    for (; at->blocks < d->n_blocks && left > 0; at->blocks++) {
        if (put_block(s, at->id, &d->blocks[at->blocks], e)) return -1;
        left -= left < BLOCK_COST ? left : BLOCK_COST;
    }
    if (at->agents < d->n_agents || at->series < d->n_series || at->blocks < d->n_blocks) return 1;
    at->done = true;
    return put_end(s, d, at, e);
}

int store_stage_save(struct store *s, const struct stage_data *d, struct store_saving *at, uint64_t most, struct err *e)
{
    if (at->done) return 0;
    if (!at->id) {
        at->ended_wall_ns = clock_wall_ns();
        if (store_check_file(s, e)) return -1;
        int64_t id = store_stage_id(s, d->stage, d->repeat, d->epoch, e);
        if (id < 0) return -1;
        at->id = id;
    }
    /* The journal up to here stays, even if writing the result fails. */
    if (db_commit(&s->db, e) || db_begin(&s->db, e)) return -1;
    int rc = put_some(s, d, at, most, e);
    if (rc < 0) {
        db_rollback(&s->db);
        return -1;
    }
    return db_commit(&s->db, e) ? -1 : rc;
}

int store_stage_end(struct store *s, const struct stage_data *d, struct err *e)
{
    struct store_saving at = {0};
    return store_stage_save(s, d, &at, UINT64_MAX, e);
}
