#include "coordinator/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/store/store_db.h"

#define SCHEMA_VERSION 2
#define APPLICATION_ID 0x706c7475 /* "pltu", so that file(1) and this program recognise a run's file */
#define FILE_NAME "run.sqlite"
#define PLAN_MAX (4u << 20)
#define JOURNAL_KEPT                                                                                                   \
    (UINT64_C(4) << 20) /* bytes of a stage's journal; a larger one is dropped whole, and no more of it is written */

extern const unsigned char schema_sql[]; /* schema.sql, embedded by the build */

/* As mkdir -p. */
static int make_dirs(const char *dir, struct err *e)
{
    char path[1024];
    int n = snprintf(path, sizeof path, "%s", dir);
    if (n <= 0 || (size_t)n >= sizeof path) return err_set(e, ERR_USAGE, "%.100s: not a usable folder name", dir);
    for (char *p = path + 1;; p++) {
        if (*p && *p != '/') continue;
        char was = *p;
        *p = 0;
        if (mkdir(path, 0777) && errno != EEXIST)
            return err_set(e, ERR_IO, "%s: cannot make the folder: %s", path, strerror(errno));
        *p = was;
        if (!was) break;
    }
    struct stat st;
    if (stat(dir, &st) || !S_ISDIR(st.st_mode)) return err_set(e, ERR_IO, "%s: is not a folder", dir);
    return 0;
}

int store_check_file(const struct store *s, struct err *e)
{
    struct stat st;
    if (stat(s->db.path, &st) == 0 && (uint64_t)st.st_ino == s->inode && (uint64_t)st.st_dev == s->device) return 0;
    return err_set(e, ERR_IO,
                   "%s: was removed or replaced while the run was writing it; what the run measures since then is kept "
                   "nowhere",
                   s->db.path);
}

static int remember_file(struct store *s, struct err *e)
{
    struct stat st;
    if (stat(s->db.path, &st)) return err_set(e, ERR_IO, "%s: cannot be found: %s", s->db.path, strerror(errno));
    s->inode = (uint64_t)st.st_ino;
    s->device = (uint64_t)st.st_dev;
    return 0;
}

static int set_up(struct db *d, struct err *e)
{
    return db_exec(d, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;", e);
}

static int write_meta(struct db *d, const struct run_data *r, struct err *e)
{
    struct buf json = BUF_INIT(PLAN_MAX);
    char seed[24];
    (void)snprintf(seed, sizeof seed, "%" PRIu64, r->seed);
    int rc = r->plan ? plan_to_json(r->plan, false, &json) : 0;
    if (rc || json.bad) rc = err_set(e, ERR_NOMEM, "%s: no memory for the plan", d->path);
    if (!rc)
        rc = db_run(d, e,
                    "INSERT INTO run(id, run_id, version, plan_hash, seed, insecure, started_wall_ns, plan, plan_text)"
                    " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
                    "ssssiisb", r->run_id, r->version, r->plan_hash, seed, (int64_t)r->insecure, r->started_wall_ns,
                    buf_str(&json), (const void *)buf_str(&r->plan_text), r->plan_text.len);
    buf_clear(&json);
    return rc;
}

static int make_tables(struct db *d, const struct run_data *meta, struct err *e)
{
    char pragma[96];
    (void)snprintf(pragma, sizeof pragma, "PRAGMA application_id=%d; PRAGMA user_version=%d;", APPLICATION_ID,
                   SCHEMA_VERSION);
    if (set_up(d, e) || db_begin(d, e)) return -1;
    if (db_exec(d, (const char *)schema_sql, e) || db_exec(d, pragma, e) || write_meta(d, meta, e)) {
        db_rollback(d);
        return -1;
    }
    /* Into the file itself, where a nearly full disk must not lose it: only the file is renamed. */
    return db_commit(d, e) || db_exec(d, "PRAGMA wal_checkpoint(TRUNCATE)", e) ? -1 : 0;
}

/* Under another name until it is whole, so that a process that is killed here leaves no half file in the way of the
 * next try.
 */
static int make_file(struct store *s, const char *path, const struct run_data *meta, struct err *e)
{
    static const char *const LEFT[] = {".new-wal", ".new-shm", ".new"}; /* left by a process that was killed here */
    char half[1120];
    int rc = -1;
    for (size_t i = 0; i < sizeof LEFT / sizeof *LEFT; i++) {
        (void)snprintf(half, sizeof half, "%s%s", path, LEFT[i]);
        (void)unlink(half);
    }
    if (db_open(&s->db, half, DB_CREATE, e) == 0) {
        rc = make_tables(&s->db, meta, e);
        db_close(&s->db);
    }
    if (rc == 0 && rename(half, path)) rc = err_set(e, ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
    for (size_t i = 0; rc && i < sizeof LEFT / sizeof *LEFT; i++) {
        (void)snprintf(half, sizeof half, "%s%s", path, LEFT[i]);
        (void)unlink(half);
    }
    return rc;
}

struct store *store_create(const char *dir, const struct run_data *meta, struct err *e)
{
    char path[1100];
    if (make_dirs(dir, e)) return NULL;
    (void)snprintf(path, sizeof path, "%s/%s", dir, FILE_NAME);
    if (access(path, F_OK) == 0) {
        (void)err_set(e, ERR_USAGE, "%s: holds a run already (%s); give another folder", dir, FILE_NAME);
        return NULL;
    }
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        (void)err_set(e, ERR_NOMEM, "no memory for the run's file");
        return NULL;
    }
    if (make_file(s, path, meta, e) == 0 && db_open(&s->db, path, DB_WRITE, e) == 0) {
        if (set_up(&s->db, e) == 0 && remember_file(s, e) == 0) return s;
        db_close(&s->db);
    }
    free(s);
    return NULL;
}

static int check_version(struct db *d, struct err *e)
{
    int64_t id = 0, version = 0;
    sqlite3_stmt *st =
        db_prepare(d, e, "SELECT application_id, user_version FROM pragma_application_id, pragma_user_version", "");
    if (!st || db_step(d, st, e) != 1) return -1;
    id = sqlite3_column_int64(st, 0);
    version = sqlite3_column_int64(st, 1);
    (void)sqlite3_reset(st);
    if (id != APPLICATION_ID) return err_set(e, ERR_USAGE, "%s: is not a run's file", d->path);
    if (version != SCHEMA_VERSION)
        return err_set(e, ERR_USAGE, "%s: has schema %" PRId64 ", this program reads %d", d->path, version,
                       SCHEMA_VERSION);
    return 0;
}

/* SQLite writes beside a file that it only reads. Where it may not, the file is read as it stands, which is all there
 * is unless a run was cut short. */
static int mode_for(const char *dir, const char *path, enum db_mode *ret, struct err *e)
{
    char wal[1120];
    struct stat st;
    *ret = DB_WRITE;
    if (access(dir, W_OK) == 0 && access(path, W_OK) == 0) return 0;
    *ret = DB_FIXED;
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    if (stat(wal, &st) || st.st_size == 0) return 0;
    return err_set(
        e, ERR_IO,
        "%s: a part of it still stands in %s-wal, and this folder cannot be written: copy the folder to where "
        "you may write",
        path, FILE_NAME);
}

const char *store_folder(const char *word, char *buf, size_t n)
{
    char path[1100];
    struct stat st;
    const char *slash = strrchr(word, '/');
    if (stat(word, &st) || !S_ISREG(st.st_mode)) return word;
    int len = slash ? snprintf(buf, n, "%.*s", (int)(slash - word) + (slash == word), word) : snprintf(buf, n, ".");
    if (len < 0 || (size_t)len >= n) return word;
    len = snprintf(path, sizeof path, "%s/%s", buf, FILE_NAME);
    return len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0 ? buf : word;
}

struct store *store_open(const char *dir, struct err *e)
{
    enum db_mode mode;
    char path[1100];
    int n = snprintf(path, sizeof path, "%s/%s", dir, FILE_NAME);
    if (n < 0 || (size_t)n >= sizeof path) {
        (void)err_set(e, ERR_USAGE, "%.100s…: the path is too long", dir);
        return NULL;
    }
    if (access(path, F_OK)) {
        if (errno == ENOENT && access(dir, F_OK) == 0)
            (void)err_set(e, ERR_USAGE, "%.300s: holds no run (%s is not there)", dir, FILE_NAME);
        else if (errno == ENOTDIR && access(dir, F_OK) == 0)
            (void)err_set(e, ERR_USAGE, "%.300s is a file and in no run's folder: give the folder that holds %s", dir,
                          FILE_NAME);
        else
            (void)err_set(e, ERR_USAGE, "%.300s: holds no run that can be read: %s", dir, strerror(errno));
        return NULL;
    }
    if (mode_for(dir, path, &mode, e)) return NULL;
    struct store *s = calloc(1, sizeof *s);
    if (!s) {
        (void)err_set(e, ERR_NOMEM, "no memory for the run's file");
        return NULL;
    }
    if (db_open(&s->db, path, mode, e) == 0) {
        if (check_version(&s->db, e) == 0 && (mode == DB_FIXED || set_up(&s->db, e) == 0) && remember_file(s, e) == 0)
            return s;
        db_close(&s->db);
    }
    free(s);
    return NULL;
}

/* Locks the folder itself, so that no lock file is left over. Where a file system cannot lock folders, the run is not
 * protected. */
int store_lock(const char *dir, struct err *e)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return err_set(e, ERR_USAGE, "%.300s: holds no run: %s", dir, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return fd;
    (void)close(fd);
    return err_set(e, ERR_USAGE, "%.300s: another coordinator is at work on this run", dir);
}

void store_close(struct store **s)
{
    if (!*s) return;
    err_ignore(db_commit(&(*s)->db, NULL)); /* store_run_end and store_stage_end have committed and checked */
    db_close(&(*s)->db);
    free(*s);
    *s = NULL;
}

struct store_saving *store_saving_of(struct store *s)
{
    return &s->saving;
}

/* Ends a write: all or nothing of what was not yet committed. */
static int finish(struct store *s, int rc, struct err *e)
{
    if (!rc) return db_commit(&s->db, e);
    db_rollback(&s->db);
    return -1;
}

/* Before a write that store_settle commits. */
static int begin_row(struct store *s, struct err *e)
{
    if (s->failed.code != ERR_NONE) {
        *e = s->failed;
        s->failed = (struct err){0};
        return -1;
    }
    s->unsettled = true;
    return db_begin(&s->db, e);
}

static int keep_row(struct store *s, int rc)
{
    if (rc) db_rollback(&s->db);
    return rc;
}

void store_settle(struct store *s)
{
    if (s->unsettled) err_ignore(db_commit(&s->db, &s->failed));
    s->unsettled = false;
}

int store_agent(struct store *s, const struct run_agent *a, struct err *e)
{
    if (begin_row(s, e)) return -1;
    return keep_row(
        s, db_run(&s->db, e,
                  "INSERT OR REPLACE INTO agent(agent, name, host, boot_id, version, stamps, addresses, cores, "
                  "weight, quota, lost,"
                  " clock_offset_ns, clock_bound_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "issssssiidiii", (int64_t)a->agent, a->name, a->host, a->boot_id, a->version, a->stamps, a->addresses,
                  (int64_t)a->cores, (int64_t)a->weight, a->quota, (int64_t)a->lost, a->clock_offset_ns,
                  a->clock_bound_ns));
}

int store_event(struct store *s, enum run_event_kind kind, const char *text, struct err *e)
{
    if (begin_row(s, e)) return -1;
    return keep_row(s, db_run(&s->db, e, "INSERT INTO event(wall_ns, kind, text) VALUES (?, ?, ?)", "iss",
                              clock_wall_ns(), RUN_EVENTS[kind].name, text));
}

int store_run_end(struct store *s, int signal, struct err *e)
{
    if (store_check_file(s, e) || begin_row(s, e)) return -1;
    return finish(
        s, db_run(&s->db, e, "UPDATE run SET ended_wall_ns = ?, signal = ?", "ii", clock_wall_ns(), (int64_t)signal),
        e);
}

int store_stage_begin(struct store *s, const struct stage_data *d, struct err *e)
{
    const struct plan_stage *p = &d->plan;
    if (db_begin(&s->db, e)) return -1;
    int rc =
        db_run(&s->db, e,
               "INSERT INTO stage(stage, repeat, epoch, kind, concurrency, max_concurrency, rate_from, rate_to, "
               "arrivals, burstiness,"
               " duration_ns, requests, warmup_ns, ramp_ns, warmup_auto, duration_auto, steady_ns, started_wall_ns)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
               "iiiiiiddidiuiiiiii", (int64_t)d->stage, (int64_t)d->repeat, (int64_t)d->epoch, (int64_t)p->kind,
               (int64_t)p->concurrency, (int64_t)p->max_concurrency, p->rate_from, p->rate_to, (int64_t)p->arrivals,
               p->burstiness, p->duration_ns, p->requests, p->warmup_ns, p->ramp_ns, (int64_t)p->warmup_auto,
               (int64_t)p->duration_auto, p->steady_ns, d->started_wall_ns ? d->started_wall_ns : clock_wall_ns());
    return finish(s, rc, e);
}

/* Of the reading that was just put in. */
static int put_drafts(struct store *s, const double *v, struct err *e)
{
    bool any = false;
    for (int f = SERVER_SPEC_FIRST; f < SERVER_FIELD_N; f++)
        any |= !isnan(v[f]);
    int has =
        any ? store_has_table(s, "server_draft", e) : 0; /* a run of an earlier version that is resumed has none */
    if (has <= 0) return has;
    const double *at = &v[SERVER_ACCEPTED_AT];
    return db_run(&s->db, e,
                  "INSERT INTO server_draft VALUES (last_insert_rowid(), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "ddddddddddddd", v[SERVER_DRAFTS], v[SERVER_DRAFT_TOKENS], v[SERVER_ACCEPTED], at[0], at[1], at[2],
                  at[3], at[4], at[5], at[6], at[7], v[SERVER_ACCEPT_RATE], v[SERVER_ACCEPT_LENGTH]);
}

int store_server(struct store *s, int64_t wall_ns, const struct server_sample *sample, struct err *e)
{
    const double *v = sample->value;
    if (db_begin(&s->db, e)) return -1;
    if (db_run(&s->db, e,
               "INSERT INTO server(wall_ns, server, running, waiting, kv_use, prefix_hits, prefix_queries, "
               "preemptions, prompt_tokens,"
               " generation_tokens, ttft_sum_s, ttft_count, queue_sum_s, queue_count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, "
               "?, ?, ?, ?, ?, ?)",
               "isdddddddddddd", wall_ns, sample->server, v[SERVER_RUNNING], v[SERVER_WAITING], v[SERVER_KV_USE],
               v[SERVER_PREFIX_HITS], v[SERVER_PREFIX_QUERIES], v[SERVER_PREEMPTIONS], v[SERVER_PROMPT_TOKENS],
               v[SERVER_GENERATION_TOKENS], v[SERVER_TTFT_SUM], v[SERVER_TTFT_COUNT], v[SERVER_QUEUE_SUM],
               v[SERVER_QUEUE_COUNT]) ||
        put_drafts(s, v, e)) {
        db_rollback(&s->db);
        return -1;
    }
    return clock_mono_ns() - s->db.tx_began_ns >= NS_PER_S ? db_commit(&s->db, e) : 0;
}

int64_t store_stage_id(struct store *s, uint32_t stage, uint32_t repeat, uint32_t epoch, struct err *e)
{
    if (s->stage_id && s->stage == stage && s->repeat == repeat && s->epoch == epoch) return s->stage_id;
    sqlite3_stmt *st = db_prepare(&s->db, e, "SELECT id FROM stage WHERE stage = ? AND repeat = ? AND epoch = ?", "iii",
                                  (int64_t)stage, (int64_t)repeat, (int64_t)epoch);
    int rc = st ? db_step(&s->db, st, e) : -1;
    if (rc == 0)
        rc = err_set(e, ERR_INTERNAL, "%s: stage %" PRIu32 ".%" PRIu32 " of epoch %" PRIu32 " was not begun",
                     s->db.path, stage, repeat, epoch);
    if (rc < 0) return -1;
    s->stage_id = sqlite3_column_int64(st, 0);
    (void)sqlite3_reset(st);
    s->journal = 0;
    s->stage = stage;
    s->repeat = repeat;
    s->epoch = epoch;
    return s->stage_id;
}

/* The journal serves to check the sums. A large stage has its results only. */
static int drop_journal(struct store *s, int64_t id, struct err *e)
{
    return finish(s, db_run(&s->db, e, "DELETE FROM snapshot WHERE stage_id = ?", "i", id), e);
}

int store_snapshot(struct store *s, uint32_t stage, uint32_t repeat, uint32_t epoch, uint32_t agent, uint64_t seq,
                   const void *bytes, size_t n, struct err *e)
{
    int64_t id = store_stage_id(s, stage, repeat, epoch, e);
    if (id < 0 || (s->rows_most && store_put_requests(s, id, agent, bytes, n, e))) return -1;
    bool full = s->journal > JOURNAL_KEPT;
    s->journal += n;
    if (!full && db_begin(&s->db, e)) return -1;
    if (!full && s->journal > JOURNAL_KEPT) return drop_journal(s, id, e);
    if (!full && db_run(&s->db, e, "INSERT INTO snapshot(stage_id, agent, seq, bytes) VALUES (?, ?, ?, ?)", "iiub", id,
                        (int64_t)agent, seq, bytes, n)) {
        db_rollback(&s->db);
        return -1;
    }
    return s->db.in_tx && clock_mono_ns() - s->db.tx_began_ns >= NS_PER_S ? db_commit(&s->db, e) : 0;
}
