/* Rows of single requests: what `record` asks for. */
#include <math.h>
#include <string.h>

#include "common/snapshot.h"
#include "coordinator/store/store.h"
#include "coordinator/store/store_db.h"

/* Statements come from the table of columns, so that they cannot disagree with it. */
#define COLUMN_NUMBER(m) ", " #m
#define COLUMN_SMALL(m) ", " #m
#define COLUMN_OUTCOME(m) ", " #m
#define COLUMN_ADDRESS(m) ", " #m
#define COLUMN_MOMENT(m) ", " #m "_ns"
#define X(member, kind, meaning) COLUMN_##kind(member)
static const char INSERT[] = "INSERT INTO request(stage_id, agent, due_ns"
#include "common/request_row.def"
                             ") VALUES (?, ?, ?"
#undef X
#define X(member, kind, meaning) ", ?"
#include "common/request_row.def"
#undef X
                             ")";
#define KIND_NUMBER "i"
#define KIND_SMALL "i"
#define KIND_OUTCOME "s"
#define KIND_ADDRESS "s"
#define KIND_MOMENT "d"
#define X(member, kind, meaning) KIND_##kind
static const char KINDS[] = "iii"
#include "common/request_row.def"
    ;
#undef X
#define X(member, kind, meaning) COLUMN_##kind(member)
static const char SELECT[] =
    "SELECT s.stage, s.repeat, r.agent, coalesce(a.name, ''), s.started_wall_ns, r.due_ns"
#include "common/request_row.def"
    " FROM request AS r JOIN stage AS s ON s.id = r.stage_id LEFT JOIN agent AS a ON a.agent = r.agent"
    " WHERE s.ended_wall_ns IS NOT NULL AND s.epoch = (SELECT max(epoch) FROM stage AS t WHERE t.stage = s.stage AND"
    " t.repeat = s.repeat AND t.ended_wall_ns IS NOT NULL) ORDER BY r.id";
#undef X
enum { BEFORE = 6 }; /* columns of SELECT that are not in the table of columns */

struct put {
    struct store *s;
    int64_t id;
    uint32_t agent;
    struct err *e;
};

/* NULL in the file: it did not happen. */
static double moment(int64_t ns)
{
    return ns < 0 ? (double)NAN : (double)ns;
}

static int put_request(void *arg, const struct request_row *r, const char *address)
{
    struct put *p = arg;
    if (p->s->rows >= p->s->rows_most) return 0;
    p->s->rows++;
#define VALUE_NUMBER(m) , (int64_t)r->m
#define VALUE_SMALL(m) , (int64_t)r->m
#define VALUE_OUTCOME(m) , COUNTERS[r->m].name
#define VALUE_ADDRESS(m) , address
#define VALUE_MOMENT(m) , moment(r->m)
#define X(member, kind, meaning) VALUE_##kind(member)
    return db_run(&p->s->db, p->e, INSERT, KINDS, p->id, (int64_t)p->agent, r->due
#include "common/request_row.def"
#undef X
    );
}

int store_put_requests(struct store *s, int64_t id, uint32_t agent, const void *bytes, size_t n, struct err *e)
{
    struct put p = {s, id, agent, e};
    uint64_t before = s->rows;
    if (s->rows >= s->rows_most) return 0;
    if (db_begin(&s->db, e)) return -1;
    if (snapshot_each_request(bytes, n, put_request, &p) == 0) return 0;
    s->rows = before;
    db_rollback(&s->db);
    return -1;
}

int store_has_table(struct store *s, const char *name, struct err *e)
{
    sqlite3_stmt *any =
        db_prepare(&s->db, e, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", "s", name);
    int rc = any ? db_step(&s->db, any, e) : -1;
    if (any) (void)sqlite3_reset(any);
    return rc;
}

int store_keep_requests(struct store *s, uint64_t most, struct err *e)
{
    s->rows_most = most;
    s->rows = 0;
    if (most == 0) return 0;
    int has = store_has_table(s, "request", e);
    if (has < 0) return -1;
    if (has == 0) return err_set(e, ERR_USAGE, "%s: has no table of requests", s->db.path);
    sqlite3_stmt *st = db_prepare(&s->db, e, "SELECT count(*) FROM request", "");
    if (!st || db_step(&s->db, st, e) != 1) return -1;
    s->rows = db_u64(st, 0);
    (void)sqlite3_reset(st);
    return 0;
}

static void read_row(sqlite3_stmt *st, struct request_data *ret)
{
    ret->row.due = sqlite3_column_int64(st, BEFORE - 1);
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++) {
        int at = BEFORE + (int)c;
        switch (REQUEST_COLUMNS[c].kind) {
        case REQUEST_OUTCOME:
            ret->outcome = (const char *)sqlite3_column_text(st, at);
            break;
        case REQUEST_ADDRESS:
            ret->address = (const char *)sqlite3_column_text(st, at);
            break;
        case REQUEST_MOMENT:
        case REQUEST_NUMBER:
        case REQUEST_SMALL:
            request_row_set(&ret->row, c,
                            sqlite3_column_type(st, at) == SQLITE_NULL ? REQUEST_NONE : sqlite3_column_int64(st, at));
            break;
        }
    }
}

int store_each_request(struct store *s, int (*each)(void *arg, const struct request_data *r, struct err *e), void *arg,
                       struct err *e)
{
    int rc = store_has_table(s, "request", e);
    if (rc <= 0) return rc;
    sqlite3_stmt *st = db_prepare(&s->db, e, SELECT, "");
    rc = st ? 1 : -1;
    while (rc == 1 && (rc = db_step(&s->db, st, e)) == 1) {
        struct request_data r = {.stage = (uint32_t)sqlite3_column_int64(st, 0),
                                 .repeat = (uint32_t)sqlite3_column_int64(st, 1),
                                 .agent = (uint32_t)sqlite3_column_int64(st, 2),
                                 .agent_name = (const char *)sqlite3_column_text(st, 3),
                                 .started_wall_ns = sqlite3_column_int64(st, 4)};
        read_row(st, &r);
        if (!r.agent_name || !r.outcome || !r.address) {
            rc = err_set(e, ERR_IO, "%s: the row of a request is damaged", s->db.path);
        } else if (each(arg, &r, e) == 0)
            continue;
        (void)sqlite3_reset(st);
        return -1;
    }
    return rc;
}
