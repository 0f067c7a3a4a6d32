#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "coordinator/store/store.h"
#include "coordinator/store/store_db.h"
#include "tests/unit/fake_run.h"

/* Of the test that runs. */
static char dir[64], file[96];
static struct run_data meta;
static struct store *store;

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(dir)) return -1;
    (void)snprintf(file, sizeof file, "%s/run.sqlite", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(&store);
    run_data_clear(&meta);
    memset(&meta, 0, sizeof meta);
    static const char *const FILES[] = {"deep/run/run.sqlite", "deep/run",       "deep",
                                        "run.sqlite",          "run.sqlite-wal", "run.sqlite-shm"};
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", dir, FILES[i]);
        (void)remove(path);
    }
    return rmdir(dir);
}

static struct hist *filled(int64_t value, uint64_t n)
{
    struct hist *h = hist_new();
    assert_int_equal(hist_record(h, value, n), 0);
    return h;
}

static void assert_hist(const struct hist *a, const struct hist *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a) assert_true(hist_equal(a, b));
}

static void assert_double(double a, double b)
{
    assert_true((isnan(a) && isnan(b)) || !(a < b || a > b));
}

static void assert_stage(const struct stage_data *a, const struct stage_data *b)
{
    assert_int_equal(a->stage, b->stage);
    assert_int_equal(a->repeat, b->repeat);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->started_wall_ns, b->started_wall_ns);
    assert_int_equal(a->degraded, b->degraded);
    assert_int_equal(a->aborted, b->aborted);
    assert_int_equal(a->lost, b->lost);
    assert_int_equal(a->plan.kind, b->plan.kind);
    assert_int_equal(a->plan.concurrency, b->plan.concurrency);
    assert_int_equal(a->plan.max_concurrency, b->plan.max_concurrency);
    assert_double(a->plan.rate_from, b->plan.rate_from);
    assert_double(a->plan.rate_to, b->plan.rate_to);
    assert_int_equal(a->plan.arrivals, b->plan.arrivals);
    assert_double(a->plan.burstiness, b->plan.burstiness);
    assert_int_equal(a->plan.duration_ns, b->plan.duration_ns);
    assert_int_equal(a->plan.requests, b->plan.requests);
    assert_int_equal(a->plan.warmup_ns, b->plan.warmup_ns);
    assert_int_equal(a->plan.ramp_ns, b->plan.ramp_ns);
    assert_int_equal(a->plan.warmup_auto, b->plan.warmup_auto);
    assert_int_equal(a->plan.duration_auto, b->plan.duration_auto);
    assert_int_equal(a->plan.steady_ns, b->plan.steady_ns);
    assert_memory_equal(a->counters, b->counters, sizeof a->counters);
    assert_memory_equal(&a->addresses, &b->addresses, sizeof a->addresses);
    for (int k = 0; k < METRIC_N; k++)
        assert_hist(a->hist[k], b->hist[k]);
    assert_int_equal(a->groups.n, b->groups.n);
    for (uint32_t i = 0; i < a->groups.n; i++) {
        const struct mix_group *x = &a->groups.row[i], *y = &b->groups.row[i];
        assert_int_equal(x->kind, y->kind);
        assert_int_equal(x->number, y->number);
        assert_memory_equal(x->counters, y->counters, sizeof x->counters);
        for (int k = 0; k < GROUP_METRIC_N; k++)
            assert_hist(x->hist[k], y->hist[k]);
    }
    assert_int_equal(a->n_agents, b->n_agents);
    for (size_t i = 0; i < a->n_agents; i++) {
        const struct agent_data *x = &a->agents[i], *y = &b->agents[i];
        assert_int_equal(x->agent, y->agent);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->weight, y->weight);
        assert_int_equal(x->slots, y->slots);
        assert_int_equal(x->lost, y->lost);
        assert_int_equal(x->lost_requests, y->lost_requests);
        assert_int_equal(x->start_skew_ns, y->start_skew_ns);
        assert_int_equal(x->clock_offset_ns, y->clock_offset_ns);
        assert_int_equal(x->clock_bound_ns, y->clock_bound_ns);
        assert_int_equal(x->snapshots, y->snapshots);
        assert_memory_equal(x->counters, y->counters, sizeof x->counters);
        for (int k = 0; k < METRIC_N; k++) {
            assert_int_equal(x->hist[k].n, y->hist[k].n);
            if (x->hist[k].n) assert_memory_equal(x->hist[k].bytes, y->hist[k].bytes, x->hist[k].n);
        }
        assert_int_equal(x->verdict.status, y->verdict.status);
        assert_int_equal(x->verdict.n_reasons, y->verdict.n_reasons);
        for (uint32_t r = 0; r < x->verdict.n_reasons; r++)
            assert_string_equal(x->verdict.reason[r], y->verdict.reason[r]);
    }
    assert_int_equal(a->n_series, b->n_series);
    for (size_t i = 0; i < a->n_series; i++) {
        const struct series_row *x = &a->series[i], *y = &b->series[i];
        const double *p = &x->t_s, *q = &y->t_s;
        assert_int_equal(x->agent, y->agent);
        for (int k = 0; k < 11; k++)
            assert_double(p[k], q[k]);
    }
    assert_int_equal(a->n_blocks, b->n_blocks);
    for (size_t i = 0; i < a->n_blocks; i++) {
        const struct block *x = &a->blocks[i], *y = &b->blocks[i];
        assert_int_equal(x->agent, y->agent);
        assert_double(x->t_s, y->t_s);
        assert_double(x->span_s, y->span_s);
        assert_double(x->tokens, y->tokens);
        assert_hist(x->itl, y->itl);
        assert_hist(x->chunk_gap, y->chunk_gap);
        assert_hist(x->ttft, y->ttft);
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 1, .lose = true, .mix = true};
    struct run_data made, read;
    struct err e = {0};
    fake_run(&f, dir, &made);
    store_close(&f.store);
    struct store *s = store_open(dir, &e);
    if (!s || store_load(s, &read, &e)) fail_msg("%s", e.text);
    assert_string_equal(read.run_id, made.run_id);
    assert_string_equal(read.version, made.version);
    assert_string_equal(read.plan_hash, made.plan_hash);
    assert_int_equal(read.started_wall_ns, made.started_wall_ns);
    assert_true(read.ended_wall_ns > 0);
    assert_true(read.seed == made.seed); /* all 64 bits */
    assert_int_equal(read.insecure, made.insecure);
    char hash[65];
    assert_int_equal(plan_hash(read.plan, hash), 0);
    assert_string_equal(hash, made.plan_hash);
    assert_string_equal(buf_str(&read.plan_text), buf_str(&made.plan_text));
    assert_int_equal(read.n_agents, made.n_agents);
    for (size_t i = 0; i < made.n_agents; i++) {
        const struct run_agent *x = &made.agents[i], *y = &read.agents[i];
        assert_string_equal(x->name, y->name);
        assert_string_equal(x->host, y->host);
        assert_string_equal(x->boot_id, y->boot_id);
        assert_string_equal(x->version, y->version);
        assert_string_equal(x->stamps, y->stamps);
        assert_string_equal(x->addresses, y->addresses);
        assert_int_equal(x->agent, y->agent);
        assert_int_equal(x->cores, y->cores);
        assert_int_equal(x->weight, y->weight);
        assert_double(x->quota, y->quota);
        assert_int_equal(x->lost, y->lost);
        assert_int_equal(x->clock_offset_ns, y->clock_offset_ns);
        assert_int_equal(x->clock_bound_ns, y->clock_bound_ns);
    }
    assert_int_equal(read.n_events, 1);
    assert_string_equal(read.events[0].text, "all agents are ready");
    assert_int_equal(read.n_stages, made.n_stages);
    for (size_t i = 0; i < made.n_stages; i++)
        assert_stage(&made.stages[i], &read.stages[i]);
    assert_int_equal(read.stages[0].addresses.n, 2);
    assert_int_equal(read.stages[0].groups.n, 5);
    run_data_clear(&read);
    if (sqlite3_exec(s->db.handle, "DROP TABLE stage_address; DROP TABLE stage_group", NULL, NULL, NULL))
        fail(); /* a file of before they were counted */
    assert_int_equal(store_load(s, &read, &e), 0);
    assert_int_equal(read.stages[0].addresses.n, 0);
    assert_int_equal(read.stages[0].groups.n, 0);
    store_close(&s);
    run_data_clear(&read);
    run_data_clear(&made);
}

/* What an earlier build did not count is unknown, and not 0. */
static void test_earlier_build(void **state)
{
    (void)state;
    struct fake f = {.agents = 2, .seed = 1};
    struct run_data made, read;
    struct err e = {0};
    fake_run(&f, dir, &made);
    store_close(&f.store);
    struct store *s = store_open(dir, &e);
    if (!s || store_load(s, &read, &e)) fail_msg("%s", e.text);
    for (int c = 0; c < COUNTER_N; c++)
        assert_false(read.stages[0].uncounted[c]);
    run_data_clear(&read);
    if (sqlite3_exec(
            s->db.handle,
            "DELETE FROM stage_counter WHERE counter IN ('blurred_first', 'tokens_seen', 'at_once', "
            "'window_cancelled_early');"
            "UPDATE stage_counter SET value = 3 WHERE counter IN ('window_closed') AND agent = -1;"
            "UPDATE stage_counter SET value = 2 WHERE counter IN ('cancelled') AND agent = -1;"
            "INSERT INTO stage_counter(stage_id, agent, counter, value) SELECT stage_id, agent, 'blurred', value / 10 "
            "FROM stage_counter WHERE counter = 'events' AND agent >= 0;"
            "UPDATE stage_counter AS t SET value = (SELECT value / 10 FROM stage_counter AS u WHERE u.stage_id = "
            "t.stage_id AND u.agent = t.agent AND u.counter = 'events') WHERE counter = 'blurred'",
            NULL, NULL, NULL))
        fail_msg("%s", sqlite3_errmsg(s->db.handle));
    if (store_load(s, &read, &e)) fail_msg("%s", e.text);
    const struct stage_data *d = &read.stages[0];
    uint64_t answers = d->hist[METRIC_TTFT]->count;
    assert_true(d->uncounted[COUNTER_BLURRED_FIRST] && d->uncounted[COUNTER_AT_ONCE] && !d->uncounted[COUNTER_BLURRED]);
    assert_int_equal(d->counters[COUNTER_BLURRED_FIRST], (answers + 5) / 10); /* as often as any token */
    assert_true(d->agents[1].counters[COUNTER_BLURRED_FIRST] > 0);
    assert_int_equal(d->counters[COUNTER_TOKENS_SEEN], d->counters[COUNTER_TOKENS]);
    assert_int_equal(d->counters[COUNTER_AT_ONCE], 0);
    assert_int_equal(d->hist[METRIC_CUT_AGE]->count, 3); /* of any age */
    assert_int_equal(d->hist[METRIC_CANCEL_AGE]->count, 2);
    assert_int_equal(d->hist[METRIC_CUT_AGE]->max, 0);
    store_close(&s);
    run_data_clear(&read);
    run_data_clear(&made);
}

/* A run in the test's folder. */
static void create(void)
{
    struct fake f = {.agents = 1};
    struct err e = {0};
    fake_meta(&f, &meta);
    if (!(store = store_create(dir, &meta, &e))) fail_msg("%s", e.text);
}

static void test_refuses_a_run(void **state)
{
    (void)state;
    struct err e = {0};
    char deep[96];
    create();
    store_close(&store);
    assert_null(store_create(dir, &meta, &e));
    assert_int_equal(e.code, ERR_USAGE);
    assert_non_null(strstr(e.text, dir));
    assert_non_null(strstr(e.text, "holds a run already"));
    (void)snprintf(deep, sizeof deep, "%s/deep/run", dir);
    assert_null(store_open(deep, &e));
    assert_non_null(strstr(e.text, "holds no run"));
    store = store_create(deep, &meta, &e); /* the folder is made */
    assert_non_null(store);
}

/* A stage is run again under a new epoch: the result is the last that ended. */
static void test_epochs(void **state)
{
    (void)state;
    struct run_data read;
    struct err e = {0};
    create();
    for (uint32_t epoch = 1; epoch <= 3; epoch++) {
        struct stage_data d = {.stage = 0, .epoch = epoch, .plan = meta.plan->stages[0], .lost = epoch};
        d.hist[METRIC_TTFT] = filled(5000000, epoch);
        assert_int_equal(store_stage_begin(store, &d, &e), 0);
        assert_int_equal(store_snapshot(store, 0, 0, epoch, 0, 1, "bytes", 5, &e), 0);
        if (epoch < 3) assert_int_equal(store_stage_end(store, &d, &e), 0);
        stage_data_clear(&d);
    }
    assert_int_equal(store_snapshot(store, 9, 0, 1, 0, 1, "bytes", 5, &e), -1);
    assert_int_equal(store_load(store, &read, &e), 0);
    assert_int_equal(read.n_stages, 1);
    assert_int_equal(read.stages[0].epoch, 2);
    assert_int_equal(read.stages[0].hist[METRIC_TTFT]->count, 2);
    run_data_clear(&read);
}

/* A stage in pieces: a call writes about as much as it may, the stage is none before the last, and then it is what one
 * call would have written. */
static void test_pieces(void **state)
{
    (void)state;
    struct fake fake = {.agents = 40, .seed = 3, .duration_s = 8, .warmup_s = 2};
    struct run_data made, read;
    struct store_saving at = {0};
    struct err e = {0};
    fake_run(&fake, NULL, &made);
    create();
    struct stage_data *d = &made.stages[0];
    assert_true(d->n_agents == 40 && d->n_series > 100);
    assert_int_equal(store_stage_begin(store, d, &e), 0);
    unsigned calls = 0;
    for (int more = 1; more; calls++) {
        int before = sqlite3_total_changes(store->db.handle);
        assert_int_equal(store_load(store, &read, &e), 0);
        assert_int_equal(read.n_stages, 0);
        run_data_clear(&read);
        more = store_stage_save(store, d, &at, 200, &e);
        assert_true(more >= 0);
        int rows = sqlite3_total_changes(store->db.handle) - before;
        assert_true(calls == 0 ||
                    rows <= 200 + 100); /* the first has the cluster's rows; the last agent may go beyond */
    }
    assert_true(calls >= 8);
    assert_int_equal(store_load(store, &read, &e), 0);
    assert_int_equal(read.n_stages, 1);
    d->started_wall_ns = read.stages[0].started_wall_ns;
    assert_stage(d, &read.stages[0]);
    assert_int_equal(store_stage_save(store, d, &at, 200, &e), 0); /* asked again, nothing is written twice */
    run_data_clear(&read);
    run_data_clear(&made);
}

/* Readings of the server's page belong to the run; each stage gets those of its time, the last before it and the first
 * after it. */
static void test_server(void **state)
{
    (void)state;
    struct run_data read;
    struct err e = {0};
    create();
    int64_t now = clock_wall_ns();
    for (uint32_t stage = 0; stage < 2;
         stage++) { /* 0: an hour that ends now; 1: begins in an hour, so that nothing is read after its "end" */
        struct stage_data d = {.stage = stage,
                               .epoch = 1,
                               .plan = meta.plan->stages[stage],
                               .started_wall_ns = now + (stage ? 3600 : -3600) * NS_PER_S};
        assert_int_equal(store_stage_begin(store, &d, &e), 0);
        if (stage == 0) assert_int_equal(store_stage_end(store, &d, &e), 0);
        stage_data_clear(&d);
    }
    static const int AT[] = {-3700, -3601, -3000, -1, 60, 61}; /* seconds from now */
    for (size_t i = 0; i < sizeof AT / sizeof *AT; i++) {
        struct server_sample v = {.server = i ? "vllm" : "made up"};
        for (int f = 0; f < SERVER_FIELD_N; f++)
            v.value[f] = (double)(10 * i) + f;
        v.value[SERVER_QUEUE_SUM] = NAN;
        assert_int_equal(store_server(store, now + AT[i] * NS_PER_S, &v, &e), 0);
    }
    if (store_load(store, &read, &e)) fail_msg("%s", e.text);
    assert_int_equal(read.n_stages, 1);
    const struct stage_data *d = &read.stages[0];
    assert_true(d->ended_wall_ns >= now);
    assert_int_equal(d->n_server, 4);
    static const double T[] = {-1, 600, 3599, 3660};
    for (size_t i = 0; i < 4; i++) {
        assert_true(fabs(d->server[i].t_s - T[i]) < 1e-6);
        assert_string_equal(d->server[i].server, "vllm");
        assert_double(d->server[i].value[SERVER_WAITING], (double)(10 * (i + 1)) + SERVER_WAITING);
        assert_double(d->server[i].value[SERVER_QUEUE_COUNT], (double)(10 * (i + 1)) + SERVER_QUEUE_COUNT);
        for (int f = SERVER_SPEC_FIRST; f < SERVER_FIELD_N; f++)
            assert_double(d->server[i].value[f], (double)(10 * (i + 1)) + f);
        assert_true(isnan(d->server[i].value[SERVER_QUEUE_SUM]));
    }
    run_data_clear(&read);
    if (sqlite3_exec(store->db.handle, "DROP TABLE server_draft", NULL, NULL, NULL))
        fail(); /* a file of before there were drafts: it is read, and written by a run that is resumed */
    assert_int_equal(store_load(store, &read, &e), 0);
    assert_int_equal(read.stages[0].n_server, 4);
    assert_double(read.stages[0].server[0].value[SERVER_WAITING], 10 + SERVER_WAITING);
    assert_true(isnan(read.stages[0].server[0].value[SERVER_DRAFTS]));
    struct server_sample drafting = {.server = "vllm", .value = {[SERVER_DRAFTS] = 1}};
    assert_int_equal(store_server(store, now + 3600 * NS_PER_S, &drafting, &e), 0);
    run_data_clear(&read);
    if (sqlite3_exec(store->db.handle, "DROP TABLE server", NULL, NULL, NULL))
        fail(); /* a file of before there were readings */
    assert_int_equal(store_load(store, &read, &e), 0);
    assert_int_equal(read.stages[0].n_server, 0);
    run_data_clear(&read);
}

static int64_t query(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    (void)sqlite3_close(db);
    return v;
}

/* What is written after the journal commits it too, so that others can read it; a journal that grows too large goes at
 * once and whole, a small one stays. */
static void test_journal(void **state)
{
    (void)state;
    struct err e = {0};
    create();
    static char large[1 << 20];
    for (uint32_t stage = 0; stage < 2; stage++) {
        struct stage_data d = {.stage = stage, .epoch = 1, .plan = meta.plan->stages[stage]};
        assert_int_equal(store_stage_begin(store, &d, &e), 0);
        for (uint64_t seq = 1; seq <= (stage ? 3 : 5); seq++)
            assert_int_equal(store_snapshot(store, stage, 0, 1, 0, seq, large, stage ? sizeof large : 100, &e), 0);
        assert_int_equal(store_event(store, RUN_EVENT_CLOCK_JUMP, "", &e), 0);
        store_settle(store); /* the turn in which it happened is over */
        assert_int_equal(query("SELECT count(*) FROM event"), 1 + stage);
        assert_int_equal(query("SELECT count(*) FROM snapshot"), 5 + (stage ? 3 : 0));
        for (uint64_t seq = 4; seq <= 6 && stage; seq++)
            assert_int_equal(store_snapshot(store, stage, 0, 1, 0, seq, large, sizeof large, &e), 0);
        assert_int_equal(query("SELECT count(*) FROM snapshot"), 5);
        assert_int_equal(store_stage_end(store, &d, &e), 0);
        assert_int_equal(query("SELECT count(*) FROM snapshot"), 5);
    }
    assert_int_equal(query("SELECT count(*) FROM snapshot JOIN stage ON stage_id = stage.id WHERE stage = 0"), 5);
}

/* In a child whose files may not grow: the error names the file and the reason, and what was written before can be
 * read. */
static int fill_disk(void)
{
    struct err e = {0};
    create();
    struct rlimit lim = {256 << 10, 256 << 10};
    static char bytes[10000];
    struct stage_data d = {.stage = 0, .epoch = 1, .plan = meta.plan->stages[0]};
    d.hist[METRIC_TTFT] = filled(5000000, 3);
    if (store_stage_begin(store, &d, &e) || store_stage_end(store, &d, &e)) return 1;
    d.stage = 1;
    if (store_stage_begin(store, &d, &e)) return 2;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &lim)) return 3;
    int rc = 0;
    for (uint64_t seq = 1; seq < 1000 && !rc; seq++)
        rc = store_snapshot(store, 1, 0, 1, 0, seq, bytes, sizeof bytes, &e) ||
             store_event(store, RUN_EVENT_CLOCK_JUMP, "", &e);
    if (!rc || e.code != ERR_IO || !strstr(e.text, dir) || !strstr(e.text, "run.sqlite") ||
        !strstr(e.text, "size limit")) {
        (void)fprintf(stderr, "got: %s\n", e.text);
        return 4;
    }
    store_close(&store);
    return 0;
}

static void test_full_disk(void **state)
{
    (void)state;
    int status;
    struct run_data read;
    struct err e = {0};
    pid_t child = fork();
    if (child == 0) _exit(fill_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    struct store *s = store_open(dir, &e);
    assert_non_null(s);
    assert_int_equal(store_load(s, &read, &e), 0);
    assert_int_equal(read.n_stages, 1);
    assert_int_equal(read.stages[0].hist[METRIC_TTFT]->count, 3);
    run_data_clear(&read);
    store_close(&s);
}

/* As somebody who may read the folder and nothing more. */
static int read_as_guest(const char *why)
{
    struct run_data read;
    struct err e = {0};
    if (getuid() == 0 && (setgid(65534) || setuid(65534))) return 1;
    struct store *s = store_open(dir, &e);
    if (why) return !s && strstr(e.text, why) ? 0 : 2;
    if (!s || store_load(s, &read, &e)) {
        (void)fprintf(stderr, "got: %s\n", e.text);
        return 3;
    }
    int rc = read.n_stages == 1 && read.stages[0].failures.n == 1 &&
                     strcmp(read.stages[0].failures.row[0].text, "model not found") == 0 &&
                     strcmp(read.stages[0].remarks.of[REMARK_OTHER_MODEL].text, "asked for a, answered by b") == 0 &&
                     !read.stages[0].remarks.of[REMARK_UNKNOWN_EVENT].text[0]
                 ? 0
                 : 4;
    run_data_clear(&read);
    store_close(&s);
    return rc;
}

static void guest_reads(const char *why)
{
    int status;
    pid_t child = fork();
    if (child == 0) _exit(read_as_guest(why));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_read_only(void **state)
{
    (void)state;
    struct err e = {0};
    create();
    struct stage_data d = {.stage = 0, .epoch = 1, .plan = meta.plan->stages[0]};
    d.failures.n = 1;
    d.failures.row[0] =
        (struct failure_sample){.label = FAILURE_HTTP_4XX, .status = 404, .at_ns = 5, .text = "model not found"};
    d.remarks.of[REMARK_OTHER_MODEL] = (struct remark){.at_ns = 5, .text = "asked for a, answered by b"};
    assert_int_equal(store_stage_begin(store, &d, &e), 0);
    assert_int_equal(store_stage_end(store, &d, &e), 0);
    assert_int_equal(chmod(file, 0444), 0);
    assert_int_equal(chmod(dir, 0555), 0);
    guest_reads("copy the folder"); /* it is being written */
    assert_int_equal(chmod(dir, 0700), 0);
    store_close(&store);
    assert_int_equal(chmod(dir, 0555), 0);
    guest_reads(NULL);
    assert_int_equal(chmod(dir, 0000), 0);
    if (getuid() == 0) guest_reads("Permission denied");
    assert_int_equal(chmod(dir, 0700), 0);
}

/* Names that SQLite would take for something else, and folders that may not be written: the file is where it was asked
 * for, and a refusal has the system's own reason. */
static void test_names(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"file:x", "a b%20c?d#e", "%3a"};
    char from[1024], path[1200], absolute[1200];
    struct err e = {0};
    create();
    store_close(&store);
    assert_non_null(getcwd(from, sizeof from));
    assert_int_equal(chdir(dir), 0);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (!(store = store_create(NAMES[i], &meta, &e))) fail_msg("%s: %s", NAMES[i], e.text);
        store_close(&store);
        (void)snprintf(path, sizeof path, "%s/run.sqlite", NAMES[i]);
        assert_int_equal(access(path, F_OK), 0);
        store = store_open(NAMES[i], &e);
        assert_non_null(store);
        store_close(&store);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(NAMES[i]), 0);
    }
    (void)snprintf(absolute, sizeof absolute, "/%s/sub", dir); /* two slashes */
    if (!(store = store_create(absolute, &meta, &e))) fail_msg("%s", e.text);
    store_close(&store);
    (void)snprintf(path, sizeof path, "%s/sub/run.sqlite", dir);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof path, "%s/sub", dir);
    if (getuid() == 0) { /* the same folder, as somebody who may not write there */
        assert_int_equal(chmod(dir, 0755), 0);
        pid_t child = fork();
        if (child == 0) {
            if (setgid(65534) || setuid(65534)) _exit(2);
            if (store_create(path, &meta, &e) || !strstr(e.text, "cannot be made: Permission denied")) {
                (void)fprintf(stderr, "%s\n", e.text);
                _exit(1);
            }
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(chdir(from), 0);
}

static void test_file_taken_away(void **state)
{
    (void)state;
    struct err e = {0};
    create();
    struct stage_data d = {.stage = 0, .epoch = 1, .plan = meta.plan->stages[0]};
    assert_int_equal(store_stage_begin(store, &d, &e), 0);
    assert_int_equal(remove(file), 0);
    assert_int_equal(store_stage_end(store, &d, &e), -1);
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.text, "was removed or replaced"));
    FILE *f = fopen(file, "w"); /* another in its place is not it */
    assert_non_null(f);
    (void)fclose(f);
    assert_int_equal(store_run_end(store, 0, &e), -1);
}

static void test_strange_files(void **state)
{
    (void)state;
    struct err e = {0};
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    for (int i = 0; i < 2000; i++)
        (void)fputs("no database ", f);
    (void)fclose(f);
    assert_null(store_open(dir, &e));
    assert_non_null(strstr(e.text, "damaged or not a run's file"));
    assert_int_equal(remove(file), 0);

    sqlite3 *db; /* somebody else's database */
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    assert_null(store_open(dir, &e));
    assert_non_null(strstr(e.text, "is not a run's file"));
    assert_int_equal(remove(file), 0);

    create(); /* a histogram that was tampered with */
    struct stage_data d = {.stage = 0, .epoch = 1, .plan = meta.plan->stages[0]};
    struct run_data read;
    d.hist[METRIC_TTFT] = filled(5000000, 3);
    assert_int_equal(store_stage_begin(store, &d, &e), 0);
    assert_int_equal(store_stage_end(store, &d, &e), 0);
    store_close(&store);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE stage_hist SET bytes = x'01ff'", NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
    store = store_open(dir, &e);
    assert_non_null(store);
    assert_int_equal(store_load(store, &read, &e), -1);
    assert_non_null(strstr(e.text, "a histogram"));
    store_close(&store);
    stage_data_clear(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_earlier_build, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_a_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_epochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strange_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_read_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file_taken_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
