/* A run's file read back. The file may be damaged or made by somebody else: what is read is bounded and checked. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/store/store.h"
#include "coordinator/store/store_db.h"
#include "coordinator/answer/server_side.h"

#define PLAN_TEXT_MAX (2u << 20)
#define ROWS_MAX (1u << 20) /* of one kind in one stage, or of agents, events and stages in a run */

/* One more element at the end of an array; NULL without memory or beyond the limit. */
static void *grow(struct store *s, void *array, size_t n, size_t size, struct err *e)
{
    if (n >= ROWS_MAX) {
        (void)err_set(e, ERR_IO, "%s: more than %u rows of a kind", s->db.path, ROWS_MAX);
        return NULL;
    }
    if (n && (n & (n - 1))) return array; /* capacity doubles at each power of two */
    void *p = realloc(array, (n ? n * 2 : 1) * size);
    if (!p) (void)err_set(e, ERR_NOMEM, "%s: no memory to read it", s->db.path);
    return p;
}

/* Walks the rows of a statement. */
typedef int row_fn(struct store *s, sqlite3_stmt *st, void *to, struct err *e);
static int each(struct store *s, sqlite3_stmt *st, row_fn *fn, void *to, struct err *e)
{
    int rc = st ? 1 : -1;
    while (rc == 1 && (rc = db_step(&s->db, st, e)) == 1)
        if (fn(s, st, to, e)) {
            (void)sqlite3_reset(st);
            return -1;
        }
    return rc;
}

static int row_run(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct run_data *r = to;
    char seed[24];
    db_text(st, 0, r->run_id, sizeof r->run_id);
    db_text(st, 1, r->version, sizeof r->version);
    db_text(st, 2, r->plan_hash, sizeof r->plan_hash);
    db_text(st, 3, seed, sizeof seed);
    r->seed = strtoull(seed, NULL, 10);
    r->insecure = sqlite3_column_int(st, 4) != 0;
    r->started_wall_ns = sqlite3_column_int64(st, 5);
    r->ended_wall_ns = sqlite3_column_int64(st, 6);
    r->signal = sqlite3_column_int(st, 7);
    int n = sqlite3_column_bytes(st, 9);
    if (buf_put(&r->plan_text, sqlite3_column_blob(st, 9), (size_t)n))
        return err_set(e, ERR_IO, "%s: the plan's text has %d bytes, more than %u", s->db.path, n, PLAN_TEXT_MAX);
    const char *json = (const char *)sqlite3_column_text(st, 8);
    if (!json || !*json) return 0; /* a run that began without a plan */
    r->plan = plan_load(s->db.path, json, (size_t)sqlite3_column_bytes(st, 8), NULL, 0, e);
    return r->plan ? 0 : -1;
}

static int row_agent(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct run_data *r = to;
    struct run_agent *p = grow(s, r->agents, r->n_agents, sizeof *p, e);
    if (!p) return -1;
    r->agents = p;
    struct run_agent *a = &p[r->n_agents++];
    *a = (struct run_agent){0};
    a->agent = (uint32_t)sqlite3_column_int64(st, 0);
    db_text(st, 1, a->name, sizeof a->name);
    db_text(st, 2, a->host, sizeof a->host);
    db_text(st, 3, a->boot_id, sizeof a->boot_id);
    db_text(st, 4, a->version, sizeof a->version);
    db_text(st, 5, a->stamps, sizeof a->stamps);
    db_text(st, 6, a->addresses, sizeof a->addresses);
    a->cores = (uint32_t)sqlite3_column_int64(st, 7);
    a->weight = (uint32_t)sqlite3_column_int64(st, 8);
    a->quota = sqlite3_column_double(st, 9);
    a->lost = sqlite3_column_int(st, 10) != 0;
    a->clock_offset_ns = sqlite3_column_int64(st, 11);
    a->clock_bound_ns = sqlite3_column_int64(st, 12);
    return 0;
}

static int row_event(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct run_data *r = to;
    struct run_event *p = grow(s, r->events, r->n_events, sizeof *p, e);
    if (!p) return -1;
    r->events = p;
    struct run_event *v = &p[r->n_events++];
    v->wall_ns = sqlite3_column_int64(st, 0);
    db_text(st, 1, v->name, sizeof v->name);
    v->kind = run_event_find(v->name);
    db_text(st, 2, v->text, sizeof v->text);
    return 0;
}

static int row_stage(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct run_data *r = to;
    struct stage_data *p = grow(s, r->stages, r->n_stages, sizeof *p, e);
    if (!p) return -1;
    r->stages = p;
    int c = 0;
    struct stage_data *d = &p[r->n_stages++];
    *d = (struct stage_data){.stage = (uint32_t)sqlite3_column_int64(st, c++)};
    d->repeat = (uint32_t)sqlite3_column_int64(st, c++);
    d->epoch = (uint32_t)sqlite3_column_int64(st, c++);
    int kind = sqlite3_column_int(st, c++);
    d->plan.concurrency = (uint32_t)sqlite3_column_int64(st, c++);
    d->plan.max_concurrency = (uint32_t)sqlite3_column_int64(st, c++);
    d->plan.rate_from = sqlite3_column_double(st, c++);
    d->plan.rate_to = sqlite3_column_double(st, c++);
    int arrivals = sqlite3_column_int(st, c++);
    d->plan.burstiness = sqlite3_column_double(st, c++);
    d->plan.duration_ns = sqlite3_column_int64(st, c++);
    d->plan.requests = db_u64(st, c++);
    d->plan.warmup_ns = sqlite3_column_int64(st, c++);
    d->plan.ramp_ns = sqlite3_column_int64(st, c++);
    d->plan.warmup_auto = sqlite3_column_int(st, c++) != 0;
    d->plan.duration_auto = sqlite3_column_int(st, c++) != 0;
    d->plan.steady_ns = sqlite3_column_int64(st, c++);
    d->started_wall_ns = sqlite3_column_int64(st, c++);
    d->degraded = sqlite3_column_int(st, c++) != 0;
    d->aborted = sqlite3_column_int(st, c++) != 0;
    d->lost = db_u64(st, c++);
    d->ended_wall_ns = sqlite3_column_int64(st, c++);
    if (kind < LOAD_CLOSED || kind > LOAD_OPEN || arrivals < ARRIVALS_CONSTANT || arrivals > ARRIVALS_RECORDED)
        return err_set(e, ERR_IO, "%s: stage %" PRIu32 " is of an unknown kind", s->db.path, d->stage);
    d->plan.kind = (enum load_kind)kind;
    d->plan.arrivals = (enum arrivals_kind)arrivals;
    return 0;
}

static int row_stage_agent(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct stage_data *d = to;
    struct agent_data *p = grow(s, d->agents, d->n_agents, sizeof *p, e);
    if (!p) return -1;
    d->agents = p;
    struct agent_data *a = &p[d->n_agents++];
    *a = (struct agent_data){.agent = (uint32_t)sqlite3_column_int64(st, 0)};
    db_text(st, 1, a->name, sizeof a->name);
    a->weight = (uint32_t)sqlite3_column_int64(st, 2);
    a->slots = db_u64(st, 3);
    a->lost = sqlite3_column_int(st, 4) != 0;
    a->lost_requests = db_u64(st, 5);
    a->start_skew_ns = sqlite3_column_int64(st, 6);
    a->clock_offset_ns = sqlite3_column_int64(st, 7);
    a->clock_bound_ns = sqlite3_column_int64(st, 8);
    a->snapshots = db_u64(st, 9);
    return 0;
}

/* Agents are ascending. NULL: none of that number. */
static struct agent_data *agent_of(struct stage_data *d, int64_t agent)
{
    size_t lo = 0, hi = d->n_agents;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->agents[mid].agent < agent)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < d->n_agents && d->agents[lo].agent == agent ? &d->agents[lo] : NULL;
}

static int row_counter(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    (void)s;
    (void)e;
    struct stage_data *d = to;
    int64_t agent = sqlite3_column_int64(st, 0);
    struct agent_data *a = agent_of(d, agent);
    const char *name = (const char *)sqlite3_column_text(st, 1);
    if (!name || (agent != -1 && !a)) return 0;
    uint64_t *counters = a ? a->counters : d->counters;
    for (int i = 0; i < COUNTER_N; i++) {
        if (strcmp(COUNTERS[i].name, name) != 0) continue;
        counters[i] = db_u64(st, 2);
        if (!a) d->uncounted[i] = false; /* of agents a missing row is 0 */
    }
    return 0;
}

static int read_hist(struct store *s, sqlite3_stmt *st, int column, struct hist **to, struct err *e)
{
    if (sqlite3_column_type(st, column) == SQLITE_NULL) return 0;
    if (!*to && !(*to = hist_new())) return err_set(e, ERR_NOMEM, "%s: no memory for a histogram", s->db.path);
    const void *bytes = sqlite3_column_blob(st, column);
    if (hist_decode_add(*to, bytes, (size_t)sqlite3_column_bytes(st, column), e))
        return err_context(e, "%s: a histogram", s->db.path);
    return 0;
}

/* Kept as bytes, and opened once to see that they are what they should be. */
static int read_packed(struct store *s, sqlite3_stmt *st, int column, struct packed_hist *to, struct err *e)
{
    struct hist *h = NULL;
    int rc = read_hist(s, st, column, &h, e);
    if (!rc && h && h->count &&
        packed_hist_set(to, sqlite3_column_blob(st, column), (size_t)sqlite3_column_bytes(st, column)))
        rc = err_set(e, ERR_NOMEM, "%s: no memory for a histogram", s->db.path);
    hist_destroy(&h);
    return rc;
}

static int row_hist(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct stage_data *d = to;
    int64_t agent = sqlite3_column_int64(st, 0);
    struct agent_data *a = agent_of(d, agent);
    const char *name = (const char *)sqlite3_column_text(st, 1);
    enum metric m = name ? metric_find(name) : METRIC_N;
    if (m == METRIC_N) return 0; /* a metric this version does not know stays in the file */
    if (agent == -1) return read_hist(s, st, 2, &d->hist[m], e);
    return a ? read_packed(s, st, 2, &a->hist[m], e) : 0;
}

static int row_series(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct stage_data *d = to;
    struct series_row *p = grow(s, d->series, d->n_series, sizeof *p, e);
    if (!p) return -1;
    d->series = p;
    p[d->n_series++] = (struct series_row){
        .agent = sqlite3_column_int(st, 0),
        .t_s = db_double(st, 1),
        .span_s = db_double(st, 2),
        .tokens = db_double(st, 3),
        .done = db_double(st, 4),
        .failed = db_double(st, 5),
        .due = db_double(st, 6),
        .in_flight = db_double(st, 7),
        .itl_p50_ms = db_double(st, 8),
        .itl_p99_ms = db_double(st, 9),
        .ttft_p50_ms = db_double(st, 10),
        .ttft_p99_ms = db_double(st, 11),
    };
    return 0;
}

static int row_block(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct stage_data *d = to;
    struct block *p = grow(s, d->blocks, d->n_blocks, sizeof *p, e);
    if (!p) return -1;
    d->blocks = p;
    struct block *b = &p[d->n_blocks++];
    *b = (struct block){.agent = (uint32_t)sqlite3_column_int64(st, 0),
                        .t_s = db_double(st, 1),
                        .span_s = db_double(st, 2),
                        .tokens = db_double(st, 3)};
    return read_hist(s, st, 4, &b->itl, e) || read_hist(s, st, 5, &b->chunk_gap, e) ||
           read_hist(s, st, 6, &b->ttft, e) || read_hist(s, st, 7, &b->tpot, e);
}

static int row_verdict(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct stage_data *d = to;
    int64_t agent = sqlite3_column_int64(st, 0);
    int status = sqlite3_column_int(st, 1);
    if (status < VERDICT_VALID || status > VERDICT_INVALID)
        return err_set(e, ERR_IO, "%s: an unknown verdict", s->db.path);
    for (size_t i = 0; i < d->n_agents; i++) {
        if (d->agents[i].agent != agent) continue;
        struct verdict *v = &d->agents[i].verdict;
        v->status = (enum verdict_status)status;
        const char *p = (const char *)sqlite3_column_text(st, 2);
        while (p && *p && v->n_reasons < VERDICT_REASONS) {
            size_t n = strcspn(p, "\n");
            (void)snprintf(v->reason[v->n_reasons++], sizeof v->reason[0], "%.*s", (int)n, p);
            p += n + (p[n] == '\n');
        }
    }
    return 0;
}

static int row_server(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    struct stage_data *d = to;
    struct server_sample *p = grow(s, d->server, d->n_server, sizeof *p, e);
    char name[32];
    if (!p) return -1;
    d->server = p;
    struct server_sample *v = &p[d->n_server++];
    db_text(st, 1, name, sizeof name);
    v->t_s = (double)(sqlite3_column_int64(st, 0) - d->started_wall_ns) / 1e9;
    v->server = server_known(name);
    for (int f = 0; f < SERVER_FIELD_N; f++)
        v->value[f] = 2 + f < sqlite3_column_count(st) ? db_double(st, 2 + f) : (double)NAN;
    return 0;
}

static int row_address(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    (void)s, (void)e;
    struct stage_data *d = to;
    char name[sizeof d->addresses.row->address];
    db_text(st, 0, name, sizeof name);
    struct address_count *a = per_address_row(&d->addresses, name); /* a table that is too long ends in the others */
    a->requests += db_u64(st, 1);
    a->ok += db_u64(st, 2);
    a->failed += db_u64(st, 3);
    return 0;
}

static int load_addresses(struct store *s, int64_t id, struct stage_data *d, struct err *e)
{
    int has = store_has_table(s, "stage_address", e);
    if (has <= 0) return has;
    return each(
        s,
        db_prepare(&s->db, e,
                   "SELECT address, requests, ok, failed FROM stage_address WHERE stage_id = ? ORDER BY address", "i",
                   id),
        row_address, d, e);
}

/* NULL: of a kind or a number that this program does not know, or without memory. */
static struct mix_group *group_of(sqlite3_stmt *st, struct stage_data *d, bool *ret_known)
{
    const char *kind = (const char *)sqlite3_column_text(st, 0);
    int64_t number = sqlite3_column_int64(st, 1);
    *ret_known = false;
    for (int k = 0; kind && k < GROUP_KIND_N; k++)
        if (strcmp(kind, group_kind_name((enum group_kind)k)) == 0 && number >= 0 && number <= GROUP_OTHERS) {
            *ret_known = true;
            return groups_at(&d->groups, (enum group_kind)k, (uint32_t)number);
        }
    return NULL;
}

static int row_group(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    bool known;
    struct mix_group *g = group_of(st, to, &known);
    const char *name = (const char *)sqlite3_column_text(st, 2);
    if (!g) return known ? err_set(e, ERR_NOMEM, "%s: no memory to read it", s->db.path) : 0;
    for (int c = 0; name && c < GROUP_COUNT_N; c++)
        if (strcmp(COUNTERS[GROUP_COUNTERS[c]].name, name) == 0) g->counters[c] = db_u64(st, 3);
    return 0;
}

static int row_group_hist(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    bool known;
    struct mix_group *g = group_of(st, to, &known);
    const char *name = (const char *)sqlite3_column_text(st, 2);
    if (!g) return known ? err_set(e, ERR_NOMEM, "%s: no memory to read it", s->db.path) : 0;
    for (int m = 0; name && m < GROUP_METRIC_N; m++)
        if (strcmp(METRICS[GROUP_METRICS[m]].name, name) == 0) return read_hist(s, st, 3, &g->hist[m], e);
    return 0;
}

static int load_groups(struct store *s, int64_t id, struct stage_data *d, struct err *e)
{
    int has = store_has_table(s, "stage_group", e);
    if (has <= 0) return has;
    return each(s,
                db_prepare(&s->db, e, "SELECT kind, number, counter, value FROM stage_group WHERE stage_id = ?", "i",
                           id),
                row_group, d, e) ||
           each(s,
                db_prepare(&s->db, e, "SELECT kind, number, metric, bytes FROM stage_group_hist WHERE stage_id = ?",
                           "i", id),
                row_group_hist, d, e);
}

static int row_failure(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    (void)s, (void)e;
    struct stage_data *d = to;
    struct failure_sample f = {0};
    char label[32];
    db_text(st, 0, label, sizeof label);
    int64_t status = sqlite3_column_int64(st, 1);
    double t = db_double(st, 2);
    if (status > 0 && status <= 999) f.status = (uint32_t)status;
    if (t > -1e9 && t < 1e9) f.at_ns = (int64_t)(t * 1e9);
    db_text(st, 3, f.address, sizeof f.address);
    db_text(st, 4, f.text, sizeof f.text);
    for (int i = 0; i < FAILURE_N; i++) {
        f.label = (enum failure)i;
        if (strcmp(FAILURES[i].name, label) == 0) (void)failure_samples_put(&d->failures, &f);
    }
    return 0;
}

static int load_failures(struct store *s, int64_t id, struct stage_data *d, struct err *e)
{
    int has = store_has_table(s, "stage_failure", e);
    if (has <= 0) return has;
    return each(s,
                db_prepare(&s->db, e, "SELECT label, status, t_s, address, text FROM stage_failure WHERE stage_id = ?",
                           "i", id),
                row_failure, d, e);
}

static int row_remark(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    (void)s, (void)e;
    struct stage_data *d = to;
    struct remark r = {0};
    char kind[32];
    db_text(st, 0, kind, sizeof kind);
    double t = db_double(st, 1);
    if (t > -1e9 && t < 1e9) r.at_ns = (int64_t)(t * 1e9);
    db_text(st, 2, r.text, sizeof r.text);
    for (int k = 0; k < REMARK_N; k++)
        if (strcmp(REMARK_NAMES[k], kind) == 0) remark_put(&d->remarks, (enum remark_kind)k, &r);
    return 0;
}

static int load_remarks(struct store *s, int64_t id, struct stage_data *d, struct err *e)
{
    int has = store_has_table(s, "stage_remark", e);
    if (has <= 0) return has;
    return each(s, db_prepare(&s->db, e, "SELECT kind, t_s, text FROM stage_remark WHERE stage_id = ?", "i", id),
                row_remark, d, e);
}

#define READINGS(columns, join)                                                                                        \
    "WITH this AS (SELECT started_wall_ns AS t0, ended_wall_ns AS t1,"                                                 \
    " coalesce((SELECT min(n.started_wall_ns) FROM stage AS n WHERE n.id > s.id), 9223372036854775807) AS next,"       \
    " coalesce((SELECT max(b.ended_wall_ns) FROM stage AS b WHERE b.id < s.id), 0) AS before FROM stage AS s "         \
    "WHERE s.id = ?)"                                                                                                  \
    " SELECT wall_ns, server, running, waiting, kv_use, prefix_hits, prefix_queries, preemptions, prompt_tokens,"      \
    " generation_tokens, ttft_sum_s, ttft_count, queue_sum_s, queue_count" columns " FROM this, server" join " WHERE"  \
    " wall_ns >= coalesce((SELECT max(wall_ns) FROM server WHERE wall_ns <= t0 AND wall_ns >= before), t0) AND"        \
    " wall_ns <= coalesce((SELECT min(wall_ns) FROM server WHERE wall_ns >= t1 AND wall_ns <= next), t1)"              \
    " ORDER BY wall_ns, server.id"

/* The readings while the stage ran, and also the last one before its start and the first after its end, if no other
 * stage ran then. */
static int load_server(struct store *s, int64_t id, struct stage_data *d, struct err *e)
{
    static const char WITHOUT_DRAFTS[] = READINGS("", ""),
                      ALL[] = READINGS(", drafts, draft_tokens, accepted, accepted_0, accepted_1, accepted_2,"
                                       " accepted_3, accepted_4, accepted_5, accepted_6, accepted_7, accept_rate,"
                                       " accept_length",
                                       " LEFT JOIN server_draft ON reading = server.id");
    int has = store_has_table(s, "server", e);
    if (has <= 0) return has;
    int drafts = store_has_table(s, "server_draft", e);
    if (drafts < 0) return -1;
    return each(s, db_prepare(&s->db, e, drafts ? ALL : WITHOUT_DRAFTS, "i", id), row_server, d, e);
}

static int row_count(struct store *s, sqlite3_stmt *st, void *to, struct err *e)
{
    (void)s, (void)e;
    ((struct stage_data *)to)->request_rows = db_u64(st, 0);
    return 0;
}

static int load_request_count(struct store *s, int64_t id, struct stage_data *d, struct err *e)
{
    int has = store_has_table(s, "request", e);
    if (has <= 0) return has;
    return each(s, db_prepare(&s->db, e, "SELECT count(*) FROM request WHERE stage_id = ?", "i", id), row_count, d, e);
}

static int load_stage(struct store *s, struct stage_data *d, struct err *e)
{
    int64_t id = store_stage_id(s, d->stage, d->repeat, d->epoch, e);
    if (id < 0) return -1;
    static const struct {
        const char *sql;
        row_fn *fn;
    } PARTS[] = {
        {"SELECT agent, name, weight, slots, lost, lost_requests, start_skew_ns, clock_offset_ns, clock_bound_ns, "
         "snapshots"
         " FROM stage_agent WHERE stage_id = ? ORDER BY agent",
         row_stage_agent},
        {"SELECT agent, counter, value FROM stage_counter WHERE stage_id = ?", row_counter},
        {"SELECT agent, metric, bytes FROM stage_hist WHERE stage_id = ?", row_hist},
        {"SELECT agent, t_s, span_s, tokens, done, failed, due, in_flight, itl_p50_ms, itl_p99_ms, ttft_p50_ms, "
         "ttft_p99_ms"
         " FROM series WHERE stage_id = ? ORDER BY id",
         row_series},
        {"SELECT agent, t_s, span_s, tokens, itl, chunk_gap, ttft, tpot FROM block WHERE stage_id = ? ORDER BY id",
         row_block},
        {"SELECT agent, status, reasons FROM verdict WHERE stage_id = ?", row_verdict},
    };
    for (int i = 0; i < COUNTER_N; i++)
        d->uncounted[i] = true;
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        if (each(s, db_prepare(&s->db, e, PARTS[i].sql, "i", id), PARTS[i].fn, d, e)) return -1;
    if (store_fill_old(d, e)) return err_context(e, "%s", s->db.path);
    return load_addresses(s, id, d, e) || load_failures(s, id, d, e) || load_remarks(s, id, d, e) ||
           load_groups(s, id, d, e) || load_server(s, id, d, e) || load_request_count(s, id, d, e);
}

static int load(struct store *s, struct run_data *r, struct err *e)
{
    if (each(s,
             db_prepare(&s->db, e,
                        "SELECT run_id, version, plan_hash, seed, insecure, started_wall_ns, ended_wall_ns, signal, "
                        "plan, plan_text FROM run",
                        ""),
             row_run, r, e) ||
        each(s,
             db_prepare(&s->db, e,
                        "SELECT agent, name, host, boot_id, version, stamps, addresses, cores, weight, quota, lost,"
                        " clock_offset_ns, clock_bound_ns FROM agent ORDER BY agent",
                        ""),
             row_agent, r, e) ||
        each(s, db_prepare(&s->db, e, "SELECT wall_ns, kind, text FROM event ORDER BY id", ""), row_event, r, e) ||
        each(s,
             db_prepare(
                 &s->db, e,
                 "SELECT stage, repeat, epoch, kind, concurrency, max_concurrency, rate_from, rate_to, arrivals, "
                 "burstiness,"
                 " duration_ns, requests, warmup_ns, ramp_ns, warmup_auto, duration_auto, steady_ns, started_wall_ns, "
                 "degraded, "
                 "aborted, lost, ended_wall_ns"
                 " FROM stage AS s WHERE ended_wall_ns IS NOT NULL AND epoch = (SELECT max(epoch) FROM stage AS t WHERE"
                 " t.stage = s.stage AND t.repeat = s.repeat AND t.ended_wall_ns IS NOT NULL) ORDER BY id",
                 ""),
             row_stage, r, e))
        return -1;
    for (size_t i = 0; i < r->n_stages; i++)
        if (load_stage(s, &r->stages[i], e)) return -1;
    return 0;
}

int store_load(struct store *s, struct run_data *ret, struct err *e)
{
    *ret = (struct run_data){.plan_text = BUF_INIT(PLAN_TEXT_MAX)};
    if (db_commit(&s->db, e) == 0 && load(s, ret, e) == 0) return 0;
    run_data_clear(ret);
    return -1;
}
