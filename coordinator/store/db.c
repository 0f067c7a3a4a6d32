#include "coordinator/store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"

/* SQLite may have lost the system's reason for a failed write. File sizes then show it. */
static bool at_size_limit(const struct db *d)
{
    struct rlimit limit;
    struct stat st;
    char wal[sizeof d->path + 4];
    (void)snprintf(wal, sizeof wal, "%s-wal", d->path);
    if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY) return false;
    for (int i = 0; i < 2; i++)
        if (stat(i ? wal : d->path, &st) == 0 && (rlim_t)st.st_size + 65536 > limit.rlim_cur) return true;
    return false;
}

int db_fail(struct db *d, const char *doing, struct err *e)
{
    int code = d->handle ? sqlite3_extended_errcode(d->handle) : SQLITE_NOMEM;
    int sys = d->handle ? sqlite3_system_errno(d->handle) : 0;
    const char *why = d->handle ? sqlite3_errmsg(d->handle) : "out of memory";
    bool io = (code & 0xff) == SQLITE_IOERR;
    if ((code & 0xff) == SQLITE_FULL || (io && (sys == ENOSPC || sys == EDQUOT)))
        return err_set(e, ERR_IO, "%s: cannot %s: the disk is full; what was written before is kept", d->path, doing);
    if (io && (sys == EFBIG || (sys == 0 && at_size_limit(d))))
        return err_set(
            e, ERR_IO,
            "%s: cannot %s: the file reached this process's size limit (ulimit -f); what was written before is kept",
            d->path, doing);
    if ((code & 0xff) == SQLITE_NOTADB || (code & 0xff) == SQLITE_CORRUPT)
        return err_set(e, ERR_IO, "%s: cannot %s: the file is damaged or not a run's file (%s)", d->path, doing, why);
    if ((code & 0xff) == SQLITE_NOMEM) return err_set(e, ERR_NOMEM, "%s: cannot %s: out of memory", d->path, doing);
    return err_set(e, ERR_IO, "%s: cannot %s: %s%s%s", d->path, doing, why, sys ? ": " : "", sys ? strerror(sys) : "");
}

/* A path as a URI, whatever it looks like: a name that begins with "file:" would be taken for one. */
static void put_uri(char *ret, size_t size, const char *path, enum db_mode mode)
{
    static const char HEX[] = "0123456789abcdef";
    size_t n = (size_t)snprintf(ret, size, "%s", *path == '/' ? "file://" : "file:");
    for (; *path && n + 4 < size; path++) {
        unsigned char c = (unsigned char)*path;
        if (c > ' ' && c < 0x7f && !strchr("%?#", c))
            ret[n++] = (char)c;
        else {
            ret[n++] = '%';
            ret[n++] = HEX[c >> 4];
            ret[n++] = HEX[c & 15];
        }
    }
    (void)snprintf(ret + n, size - n, "%s", mode == DB_FIXED ? "?immutable=1" : "");
}

/* SQLite tries again to read only, so that its reason is that of the second try. */
static int fail_open(struct db *d, const char *path, enum db_mode mode, struct err *e)
{
    const char *doing = mode == DB_CREATE ? "be made" : "be opened";
    int flags = mode == DB_FIXED ? O_RDONLY : mode == DB_WRITE ? O_RDWR : O_RDWR | O_CREAT;
    int code = d->handle ? sqlite3_errcode(d->handle) : SQLITE_NOMEM;
    int fd = code == SQLITE_CANTOPEN || code == SQLITE_READONLY ? open(path, flags | O_CLOEXEC, 0666) : -1;
    int why = errno;
    if (fd >= 0) (void)close(fd);
    if (fd >= 0 || (code != SQLITE_CANTOPEN && code != SQLITE_READONLY)) return db_fail(d, doing, e);
    return err_set(e, ERR_IO, "%s: cannot %s: %s", path, doing, strerror(why));
}

int db_open(struct db *d, const char *path, enum db_mode mode, struct err *e)
{
    char uri[3 * sizeof d->path + 32];
    *d = (struct db){0};
    int n = snprintf(d->path, sizeof d->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof d->path) return err_set(e, ERR_USAGE, "%.100s…: the path is too long", path);
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI |
                (mode == DB_FIXED ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                (mode == DB_CREATE ? SQLITE_OPEN_CREATE : 0);
    put_uri(uri, sizeof uri, path, mode);
    if (sqlite3_open_v2(uri, &d->handle, flags, NULL) != SQLITE_OK) {
        (void)fail_open(d, path, mode, e);
        db_close(d);
        return -1;
    }
    (void)sqlite3_extended_result_codes(d->handle, 1);
    (void)sqlite3_busy_timeout(d->handle, 5000);
    return 0;
}

void db_close(struct db *d)
{
    for (int i = 0; i < DB_STATEMENTS; i++)
        (void)sqlite3_finalize(d->cache[i].stmt);
    if (d->in_tx) db_rollback(d);
    (void)sqlite3_close(d->handle);
    *d = (struct db){0};
}

int db_exec(struct db *d, const char *sql, struct err *e)
{
    return sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(d, "be written", e);
}

static sqlite3_stmt *cached(struct db *d, const char *sql, struct err *e)
{
    int i = 0;
    while (i < DB_STATEMENTS && d->cache[i].stmt && d->cache[i].sql != sql)
        i++;
    if (i == DB_STATEMENTS) {
        (void)err_set(e, ERR_INTERNAL, "%s: more than %d kinds of statements", d->path, DB_STATEMENTS);
        return NULL;
    }
    if (!d->cache[i].stmt) {
        if (sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &d->cache[i].stmt, NULL) != SQLITE_OK) {
            (void)db_fail(d, "be read", e);
            return NULL;
        }
        d->cache[i].sql = sql;
    }
    return d->cache[i].stmt;
}

static int bind(sqlite3_stmt *st, const char *kinds, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; kinds[i - 1] && rc == SQLITE_OK; i++) {
        switch (kinds[i - 1]) {
        case 'i':
            rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
            break;
        case 'u':
            rc = sqlite3_bind_int64(st, i, (sqlite3_int64)va_arg(ap, uint64_t));
            break;
        case 'd': {
            double v = va_arg(ap, double);
            rc = isnan(v) ? sqlite3_bind_null(st, i) : sqlite3_bind_double(st, i, v);
            break;
        }
        case 's':
            rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
            break;
        case 'b': {
            const void *data = va_arg(ap, const void *);
            size_t n = va_arg(ap, size_t);
            rc = sqlite3_bind_blob64(st, i, data, n, SQLITE_TRANSIENT);
            break;
        }
        default:
            rc = SQLITE_MISUSE;
        }
    }
    return rc;
}

static sqlite3_stmt *prepare(struct db *d, struct err *e, const char *sql, const char *kinds, va_list ap)
{
    sqlite3_stmt *st = cached(d, sql, e);
    if (!st) return NULL;
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    if (bind(st, kinds, ap) == SQLITE_OK) return st;
    (void)db_fail(d, "take a value", e);
    return NULL;
}

sqlite3_stmt *db_prepare(struct db *d, struct err *e, const char *sql, const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    sqlite3_stmt *st = prepare(d, e, sql, kinds, ap);
    va_end(ap);
    return st;
}

int db_run(struct db *d, struct err *e, const char *sql, const char *kinds, ...)
{
    va_list ap;
    va_start(ap, kinds);
    sqlite3_stmt *st = prepare(d, e, sql, kinds, ap);
    va_end(ap);
    if (!st) return -1;
    if (sqlite3_step(st) != SQLITE_DONE) {
        (void)db_fail(d, "be written", e);
        (void)sqlite3_reset(st);
        return -1;
    }
    (void)sqlite3_reset(st);
    return 0;
}

int db_step(struct db *d, sqlite3_stmt *st, struct err *e)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) return 1;
    if (rc != SQLITE_DONE) (void)db_fail(d, "be read", e);
    (void)sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : -1;
}

int db_begin(struct db *d, struct err *e)
{
    if (d->in_tx) return 0;
    if (sqlite3_exec(d->handle, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) return db_fail(d, "be written", e);
    d->in_tx = true;
    d->tx_began_ns = clock_mono_ns();
    return 0;
}

int db_commit(struct db *d, struct err *e)
{
    if (!d->in_tx) return 0;
    if (sqlite3_exec(d->handle, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        (void)db_fail(d, "be written", e);
        db_rollback(d);
        return -1;
    }
    d->in_tx = false;
    return 0;
}

void db_rollback(struct db *d)
{
    /* SQLite itself rolls back on some errors (a full disk): then this finds nothing to do. */
    if (!sqlite3_get_autocommit(d->handle)) (void)sqlite3_exec(d->handle, "ROLLBACK", NULL, NULL, NULL);
    d->in_tx = false;
}

double db_double(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL ? (double)NAN : sqlite3_column_double(st, column);
}

uint64_t db_u64(sqlite3_stmt *st, int column)
{
    return (uint64_t)sqlite3_column_int64(st, column);
}

void db_text(sqlite3_stmt *st, int column, char *out, size_t n)
{
    const char *s = (const char *)sqlite3_column_text(st, column);
    (void)snprintf(out, n, "%s", s ? s : "");
}
