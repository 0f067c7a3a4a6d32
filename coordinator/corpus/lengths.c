#include "coordinator/corpus/lengths.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/corpus/read_number.h"
#include "coordinator/corpus/sniff.h"
#include "coordinator/corpus/table.h"

#define TOKENS_MAX 1e6

/* What a file may call them; the first that is there counts. */
static const char *const INPUT[] = {"input_tokens", "input", "prompt_tokens", "ContextTokens", "Request tokens", NULL};
static const char *const OUTPUT[] = {"output_tokens",   "output",          "completion_tokens",
                                     "GeneratedTokens", "Response tokens", NULL};
static const char *const VALUE[] = {"tokens", "value", "length", NULL};
static const char *const COUNT[] = {"count", "weight", NULL};

struct pair {
    double a, b, weight;
};

struct file {
    const char *path;
    struct pair *pairs; /* of LENGTHS_MAX, sorted by values while it is read */
    size_t n;
    struct table table;
    struct err *e;
};

static int column_of(const struct table *t, const char *const *names)
{
    int c = -1;
    for (; *names && c < 0; names++)
        c = table_find(t, *names);
    return c;
}

static bool number_of(const struct table *t, int column, double least, double *ret)
{
    if (column < 0) {
        *ret = 1;
        return true;
    }
    const struct table_cell *c = &t->cell[column];
    return read_decimal(c->text, c->len, ret) && *ret >= least && *ret <= 1e15;
}

/* Where a pair stands, or would stand. */
static size_t place_of(const struct file *f, double a, double b)
{
    size_t lo = 0, hi = f->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct pair *p = &f->pairs[mid];
        if (p->a < a || (p->a <= a && p->b < b))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int add(struct file *f, uint64_t line, double a, double b, double weight)
{
    size_t i = place_of(f, a, b);
    if (i < f->n && f->pairs[i].a <= a && f->pairs[i].b <= b) {
        f->pairs[i].weight += weight;
        return 0;
    }
    if (f->n == LENGTHS_MAX)
        return err_set(f->e, ERR_PLAN,
                       "%.200s: line %" PRIu64
                       ": more than %u different lengths: put neighbouring ones together (round "
                       "them), or make a data set of it",
                       f->path, line, LENGTHS_MAX);
    memmove(&f->pairs[i + 1], &f->pairs[i], (f->n - i) * sizeof *f->pairs);
    f->pairs[i] = (struct pair){a, b, weight};
    f->n++;
    return 0;
}

static int bad_row(const struct file *f, uint64_t line, int column)
{
    const struct table_cell *c = &f->table.cell[column];
    return err_set(f->e, ERR_PLAN, "%.200s: line %" PRIu64 ": \"%.*s\" is not a number of %s", f->path, line,
                   c->len < 40 ? (int)c->len : 40, c->text, "tokens from 1 to 1000000, or a count above 0");
}

/* Where the columns are; second: -1 where lengths come alone. */
struct columns {
    int first, second, count;
    size_t n;
};

static int read_row(struct file *f, const struct columns *c, uint64_t line, bool broken)
{
    const struct table *t = &f->table;
    double x, y = 0, weight;
    if (broken || t->n != c->n)
        return err_set(f->e, ERR_PLAN, "%.200s: line %" PRIu64 ": columns here: %zu, in the header: %zu", f->path, line,
                       t->n, c->n);
    if (!number_of(t, c->first, 1, &x) || x > TOKENS_MAX) return bad_row(f, line, c->first);
    if (c->second >= 0 && (!number_of(t, c->second, 1, &y) || y > TOKENS_MAX)) return bad_row(f, line, c->second);
    if (!number_of(t, c->count, 0, &weight)) return bad_row(f, line, c->count);
    return weight > 0 ? add(f, line, round(x), round(y), weight) : 0;
}

static int read_rows(struct file *f, const char *at, const char *end, const char *const *first,
                     const char *const *second)
{
    struct table *t = &f->table;
    uint64_t line = 1;
    if (table_next(t, &at, end, &line) != TABLE_ROW)
        return err_set(f->e, ERR_PLAN, "%.200s: line 1: there is no header with the names of the columns", f->path);
    int a = column_of(t, first), b = second ? column_of(t, second) : -1, count = column_of(t, COUNT);
    if (a < 0 && !second) a = column_of(t, VALUE);
    if (a < 0 || (second && b < 0))
        return err_set(f->e, ERR_PLAN, "%.200s: line 1: no column is named \"%s\"%s", f->path,
                       a < 0 ? first[0] : second[0], second ? "" : " or \"tokens\"");
    const struct columns c = {a, b, count, t->n};
    for (;;) {
        uint64_t row = line;
        enum table_got got = table_next(t, &at, end, &line);
        if (got == TABLE_END) break;
        if (got == TABLE_BLANK) continue;
        if (read_row(f, &c, row, got == TABLE_BROKEN)) return -1;
    }
    return f->n ? 0 : err_set(f->e, ERR_PLAN, "%.200s: it holds no length", f->path);
}

static int read_file(struct file *f, const char *const *first, const char *const *second)
{
    struct stat st;
    void *map = MAP_FAILED;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC), rc = -1;
    f->table.unquoted = (struct buf)BUF_INIT(1 << 20);
    f->pairs = malloc((LENGTHS_MAX + 1) * sizeof *f->pairs);
    if (fd < 0 || fstat(fd, &st))
        (void)err_set(f->e, ERR_PLAN, "%.300s: cannot be opened: %s", f->path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        (void)err_set(f->e, ERR_PLAN, "%.300s: is %s", f->path, S_ISREG(st.st_mode) ? "empty" : "not a file");
    else if (!f->pairs || (map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        (void)err_set(f->e, ERR_NOMEM, "%.300s: no memory to read it", f->path);
    else if (sniff_stranger(map, (size_t)st.st_size))
        (void)err_set(f->e, ERR_PLAN, "%.200s: %s", f->path, sniff_stranger(map, (size_t)st.st_size));
    else {
        const char *at = map, *end = at + st.st_size;
        if (st.st_size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) at += 3;
        rc = read_rows(f, at, end, first, second);
    }
    if (map != MAP_FAILED) (void)munmap(map, (size_t)st.st_size);
    if (fd >= 0) (void)close(fd);
    buf_clear(&f->table.unquoted);
    return rc;
}

static double *column(struct plan *p, const struct file *f, int which)
{
    double *to = arena_array(p->arena, f->n, sizeof *to);
    for (size_t i = 0; to && i < f->n; i++)
        to[i] = which == 0 ? f->pairs[i].a : which == 1 ? f->pairs[i].b : f->pairs[i].weight;
    return to;
}

static int fill_dist(struct plan *p, struct dist *d, struct file *f, const char *const *names)
{
    if (read_file(f, names, NULL)) return -1;
    d->value = column(p, f, 0);
    d->weight = column(p, f, 2);
    d->n = d->value && d->weight ? f->n : 0;
    return d->n ? 0 : err_set(f->e, ERR_NOMEM, "the plan is too large");
}

static int fill_pairs(struct plan *p, struct dist_pairs *d, struct file *f)
{
    if (read_file(f, INPUT, OUTPUT)) return -1;
    d->input = column(p, f, 0);
    d->output = column(p, f, 1);
    d->weight = column(p, f, 2);
    d->n = d->input && d->output && d->weight ? f->n : 0;
    return d->n ? 0 : err_set(f->e, ERR_NOMEM, "the plan is too large");
}

int lengths_fill(struct plan *p, struct plan_workload *w,
                 int (*path)(void *arg, const char *file, char *ret, size_t n, struct err *e), void *arg, struct err *e)
{
    struct {
        struct dist *d;
        const char *const *names;
    } all[] = {{&w->input_tokens, INPUT},
               {&w->output_tokens, OUTPUT},
               {&w->data.output_tokens, OUTPUT},
               {&w->sessions.turns, VALUE}};
    char name[1024];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct file f = {.path = name, .e = e};
        if (!all[i].d->file || all[i].d->n) continue;
        int rc = path(arg, all[i].d->file, name, sizeof name, e) || fill_dist(p, all[i].d, &f, all[i].names) ? -1 : 0;
        free(f.pairs);
        if (rc) return -1;
    }
    if (!w->lengths.file || w->lengths.n) return 0;
    struct file f = {.path = name, .e = e};
    int rc = path(arg, w->lengths.file, name, sizeof name, e) || fill_pairs(p, &w->lengths, &f) ? -1 : 0;
    free(f.pairs);
    return rc;
}
