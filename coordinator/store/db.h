/* SQLite with our errors: a connection, its prepared statements, and calls that say which file and what went wrong. One
 * thread. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define DB_STATEMENTS 64 /* more than the room has */

struct db {
    sqlite3 *handle;
    char path[1024];
    bool in_tx;
    int64_t tx_began_ns; /* CLOCK_MONOTONIC */
    struct {             /* prepared on first use, found by the address of their text */
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[DB_STATEMENTS];
};

enum db_mode {
    DB_CREATE,
    DB_WRITE,
    DB_FIXED /* in a place where we may only read: nothing beside the file itself is looked at */
};
ERR_CHECKED int db_open(struct db *d, const char *path, enum db_mode mode, struct err *e);
void db_close(struct db *d);                                 /* an open transaction is given up */
int db_fail(struct db *d, const char *doing, struct err *e); /* the sentence for SQLite's last error; -1 */
ERR_CHECKED int db_exec(struct db *d, const char *sql, struct err *e);

/* Binds one argument per letter: i int64_t · u uint64_t · d double (NaN is stored as NULL) · s const char * (NULL is
 * NULL) · b const void * and size_t (NULL is NULL). The statement stays the cache's. `sql` must be a string that lives
 * as long as `d`. */
ERR_CHECKED sqlite3_stmt *db_prepare(struct db *d, struct err *e, const char *sql, const char *kinds, ...);
ERR_CHECKED int db_run(struct db *d, struct err *e, const char *sql, const char *kinds,
                       ...); /* a statement that gives no rows */
ERR_CHECKED int db_step(struct db *d, sqlite3_stmt *st,
                        struct err *e); /* 1 a row, 0 the end (reset), -1 error (reset) */

ERR_CHECKED int db_begin(struct db *d, struct err *e); /* nothing when one is open */
ERR_CHECKED int db_commit(struct db *d, struct err *e);
void db_rollback(struct db *d);

double db_double(sqlite3_stmt *st, int column); /* NULL is NaN */
uint64_t db_u64(sqlite3_stmt *st, int column);
void db_text(sqlite3_stmt *st, int column, char *out, size_t n); /* cut to fit; NULL is "" */
