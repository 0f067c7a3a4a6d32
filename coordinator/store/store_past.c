/* What a run that continues must know of its earlier part beside the finished stages. */
#include "coordinator/store/store.h"
#include "coordinator/store/store_db.h"

static int64_t number(struct store *s, const char *sql, struct err *e)
{
    sqlite3_stmt *st = db_prepare(&s->db, e, sql, "");
    if (!st || db_step(&s->db, st, e) != 1) return -1;
    int64_t n = sqlite3_column_int64(st, 0);
    (void)sqlite3_reset(st);
    return n;
}

int store_past(struct store *s, struct store_past *ret, struct err *e)
{
    int64_t epoch = number(s, "SELECT coalesce(max(epoch), 0) FROM stage", e);
    int64_t agents = epoch < 0 ? -1
                               : number(s,
                                        "SELECT max((SELECT coalesce(max(agent) + 1, 0) FROM agent),"
                                        " (SELECT coalesce(max(agent) + 1, 0) FROM stage_agent))",
                                        e);
    int64_t unclean = agents < 0 ? -1
                                 : number(s,
                                          "SELECT count(*) FROM stage WHERE epoch = (SELECT max(epoch) FROM stage)"
                                          " AND (ended_wall_ns IS NULL OR degraded OR aborted)",
                                          e);
    if (unclean < 0) return -1;
    if (epoch > UINT32_MAX / 2 || agents > INT32_MAX / 2)
        return err_set(e, ERR_IO, "%s: its epochs or agents have absurd numbers", s->db.path);
    *ret = (struct store_past){.last_epoch = (uint32_t)epoch, .agents = (uint32_t)agents, .unclean = unclean > 0};
    return 0;
}

int store_go_on(struct store *s, bool insecure, struct err *e)
{
    if (db_begin(&s->db, e)) return -1;
    if (db_run(&s->db, e, "UPDATE run SET ended_wall_ns = NULL, signal = 0, insecure = max(insecure, ?)", "i",
               (int64_t)insecure)) {
        db_rollback(&s->db);
        return -1;
    }
    return db_commit(&s->db, e);
}
