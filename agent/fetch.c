#include "agent/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/clock.h"

#define CHECK_AT_ONCE (32u << 20) /* bytes hashed in one step: some 30 ms */
#define AHEAD 4u                  /* pieces that are asked for at once */
#define SILENCE_NS (3 * NS_PER_S) /* after this long, pieces that did not come are asked for again */

enum item_state { ITEM_NONE, ITEM_CHECK, ITEM_LOAD, ITEM_READY };

/* A corpus that a workload needs. */
struct item {
    enum item_state state;
    char hash[CORPUS_HASH_HEX];
    struct corpus *corpus;
    FILE *file;               /* CHECK, LOAD */
    char draft[1024];         /* LOAD: its name until it is whole; "" without */
    uint64_t at, size, asked; /* bytes hashed or written; of all, 0 = not known; asked for up to here */
    int64_t heard_ns;
    crypto_generichash_state sum;
};

/* Corpora of an earlier plan, which workers may still read. */
struct earlier_plan {
    struct earlier_plan *next;
    size_t n;
    struct item *items;
    const struct corpus **corpora;
};

struct fetch {
    const char *dir;
    bool checked; /* what lies there */
    struct earlier_plan *earlier;
    size_t n;
    struct item *items; /* one for each workload of the plan */
    const struct corpus **corpora;
    uint8_t *piece;
    struct err err; /* why it cannot be had */
};

struct fetch *fetch_new(const char *dir, bool checked, struct err *e)
{
    struct fetch *f = calloc(1, sizeof *f);
    if (f)
        *f = (struct fetch){
            .dir = dir, .checked = checked, .piece = malloc(CHECK_AT_ONCE > WIRE_PIECE ? CHECK_AT_ONCE : WIRE_PIECE)};
    if (f && f->piece) return f;
    (void)err_set(e, ERR_NOMEM, "no memory for the data of a plan");
    fetch_destroy(&f);
    return NULL;
}

/* Stops reading and asking for pieces. What is mapped stays. */
static void item_stop(struct item *it)
{
    if (it->file) (void)fclose(it->file);
    if (it->draft[0]) (void)unlink(it->draft);
    it->file = NULL;
    it->draft[0] = 0;
}

static void item_clear(struct item *it)
{
    item_stop(it);
    corpus_close(&it->corpus);
    *it = (struct item){.state = ITEM_NONE};
}

void fetch_drop_earlier(struct fetch *f)
{
    for (struct earlier_plan *r; (r = f->earlier) != NULL; free(r)) {
        f->earlier = r->next;
        for (size_t i = 0; i < r->n; i++)
            item_clear(&r->items[i]);
        free(r->items);
        free(r->corpora);
    }
}

/* Without memory for the note the corpora stay mapped for good. Unmapping them could crash a worker that still reads
 * them. */
static void keep_earlier(struct fetch *f)
{
    struct earlier_plan *r = malloc(sizeof *r);
    for (size_t i = 0; i < f->n; i++)
        item_stop(&f->items[i]);
    if (!r) return;
    *r = (struct earlier_plan){.next = f->earlier, .n = f->n, .items = f->items, .corpora = f->corpora};
    f->earlier = r;
}

static void drop(struct fetch *f)
{
    if (f->n > 0)
        keep_earlier(f);
    else {
        free(f->items);
        free(f->corpora);
    }
    f->items = NULL;
    f->corpora = NULL;
    f->n = 0;
    f->err = (struct err){0};
}

void fetch_destroy(struct fetch **f)
{
    if (!*f) return;
    drop(*f);
    fetch_drop_earlier(*f);
    free((*f)->piece);
    free(*f);
    *f = NULL;
}

const struct corpus *const *fetch_corpora(const struct fetch *f)
{
    return f->corpora;
}

static int path_of(const struct fetch *f, const struct item *it, char *ret, size_t n)
{
    int len = f->dir ? snprintf(ret, n, "%s/%s.corpus", f->dir, it->hash) : -1;
    return len > 0 && (size_t)len < n ? 0 : -1;
}

static FILE *open_draft(const struct fetch *f, struct item *it)
{
    FILE *file = NULL;
    if ((size_t)snprintf(it->draft, sizeof it->draft, "%s/.draft-XXXXXX", f->dir) >= sizeof it->draft) {
        it->draft[0] = 0;
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = mkstemp(it->draft);
    if (fd < 0)
        it->draft[0] = 0;
    else if (!(file = fdopen(fd, "w+")))
        (void)close(fd);
    return file;
}

/* A folder that many agents share may be one that is only read; what it lacks then goes with the agent. */
static int begin_load(const struct fetch *f, struct item *it, struct err *e)
{
    it->state = ITEM_LOAD;
    it->at = it->size = it->asked = 0;
    it->heard_ns = 0;
    it->file = f->dir ? open_draft(f, it) : NULL;
    if (!it->file && (!f->dir || errno == EROFS || errno == EACCES || errno == EPERM)) it->file = tmpfile();
    if (!it->file)
        return err_set(e, ERR_IO, "the plan's data cannot be kept in %.200s: %s", f->dir ? f->dir : "a temporary file",
                       strerror(errno));
    (void)crypto_generichash_init(&it->sum, NULL, 0, crypto_generichash_BYTES);
    return 0;
}

/* Maps the file, which is whole and right. */
static int use_item(const struct fetch *f, struct item *it, struct err *e)
{
    it->corpus = corpus_open(fileno(it->file), e);
    if (!it->corpus) return -1;
    (void)fclose(it->file);
    it->file = NULL;
    it->state = ITEM_READY;
    f->corpora[it - f->items] = it->corpus;
    return 0;
}

static int begin_item(const struct fetch *f, struct item *it, struct err *e)
{
    char path[1024];
    struct stat st;
    it->file = path_of(f, it, path, sizeof path) == 0 ? fopen(path, "re") : NULL;
    if (!it->file) return begin_load(f, it, e);
    if (f->checked) return use_item(f, it, e);
    it->state = ITEM_CHECK;
    it->size = fstat(fileno(it->file), &st) == 0 ? (uint64_t)st.st_size : 0;
    (void)crypto_generichash_init(&it->sum, NULL, 0, crypto_generichash_BYTES);
    return 0;
}

/* The same data for the same workloads as before. */
static bool is_same(const struct fetch *f, const struct plan *p)
{
    bool same = f->n == p->n_workloads;
    for (size_t i = 0; same && i < f->n; i++)
        same = strcmp(f->items[i].hash, p->workloads[i].data.corpus ? p->workloads[i].data.corpus : "") == 0;
    return same;
}

int fetch_plan(struct fetch *f, const struct plan *p, struct err *e)
{
    if (!is_same(f, p)) {
        drop(f);
        f->items = calloc(p->n_workloads, sizeof *f->items);
        f->corpora = calloc(p->n_workloads, sizeof *f->corpora);
        if (!f->items || !f->corpora) return err_set(e, ERR_NOMEM, "no memory for the data of a plan");
        f->n = p->n_workloads;
        for (size_t i = 0; i < f->n; i++) {
            const struct plan_workload *w = &p->workloads[i];
            if (!workload_reads_file(w)) continue;
            if (!w->data.corpus)
                return err_set(e, ERR_PLAN, "workload %.60s: the plan does not say which data it means", w->name);
            memcpy(f->items[i].hash, w->data.corpus, CORPUS_HASH_HEX);
            if (begin_item(f, &f->items[i], e)) {
                drop(f);
                return -1;
            }
        }
    }
    if (f->err.code) {
        *e = f->err;
        drop(f); /* the next attempt starts anew */
        return -1;
    }
    return fetch_is_busy(f) ? 1 : 0;
}

bool fetch_is_busy(const struct fetch *f)
{
    for (size_t i = 0; i < f->n && !f->err.code; i++)
        if (f->items[i].state == ITEM_CHECK || f->items[i].state == ITEM_LOAD) return true;
    return false;
}

/* All bytes are there: right or wrong. */
static int end_item(struct fetch *f, struct item *it)
{
    unsigned char sum[crypto_generichash_BYTES];
    char hex[CORPUS_HASH_HEX], path[1024];
    bool loaded = it->state == ITEM_LOAD;
    (void)crypto_generichash_final(&it->sum, sum, sizeof sum);
    (void)sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    if (strcmp(hex, it->hash) != 0 && loaded)
        return err_set(&f->err, ERR_WIRE, "the data that came (%.12s) are not those that the plan names (%.12s)", hex,
                       it->hash);
    if (strcmp(hex, it->hash) != 0) { /* a damaged file in the folder counts as absent */
        (void)fclose(it->file);
        it->file = NULL;
        return begin_load(f, it, &f->err);
    }
    if (fflush(it->file)) return err_set(&f->err, ERR_IO, "the plan's data cannot be written: %s", strerror(errno));
    if (use_item(f, it, &f->err)) return -1;
    if (it->draft[0] && path_of(f, it, path, sizeof path) == 0 && rename(it->draft, path) == 0) it->draft[0] = 0;
    return 0;
}

static int check_more(struct fetch *f, struct item *it)
{
    size_t n = fread(f->piece, 1, CHECK_AT_ONCE, it->file);
    (void)crypto_generichash_update(&it->sum, f->piece, n);
    it->at += n;
    return n < CHECK_AT_ONCE ? end_item(f, it) : 0;
}

static void ask_more(struct item *it, int64_t now, bool (*send)(void *arg, const struct wire_msg *m), void *arg)
{
    if (it->heard_ns == 0 || now - it->heard_ns > SILENCE_NS) { /* the first time, or nothing comes: ask from here on */
        it->asked = it->at;
        it->heard_ns = now;
    }
    while (it->asked < it->at + AHEAD * (uint64_t)WIRE_PIECE && (it->size ? it->asked < it->size : it->asked == 0)) {
        struct wire_msg m = {.type = WIRE_WANT, .u.want = {.hash = it->hash, .offset = it->asked}};
        if (!send(arg, &m)) return;
        it->asked += WIRE_PIECE;
    }
}

int fetch_step(struct fetch *f, int64_t now, bool (*send)(void *arg, const struct wire_msg *m), void *arg,
               struct err *e)
{
    int more = 0;
    for (size_t i = 0; i < f->n && !f->err.code; i++) {
        struct item *it = &f->items[i];
        if (it->state == ITEM_CHECK) {
            (void)check_more(f, it);
            more = 1;
        } else if (it->state == ITEM_LOAD)
            ask_more(it, now, send, arg);
    }
    if (!f->err.code) return more;
    *e = f->err;
    return -1;
}

static int take_piece(struct fetch *f, struct item *it, const struct wire_msg *m)
{
    uLongf n = WIRE_PIECE;
    uint64_t size = m->u.data.size, left;
    if (size == 0 || size > CORPUS_MAX || (it->size && size != it->size))
        return err_set(&f->err, ERR_WIRE, "data of %" PRIu64 " bytes cannot be", size);
    it->size = size;
    left = size - it->at;
    if (uncompress(f->piece, &n, m->u.data.bytes.data, (uLong)m->u.data.bytes.n) != Z_OK ||
        n != (left < WIRE_PIECE ? left : WIRE_PIECE))
        return err_set(&f->err, ERR_WIRE, "a piece of data that came is damaged");
    if (fwrite(f->piece, 1, n, it->file) != n)
        return err_set(&f->err, ERR_IO, "the plan's data cannot be written: %s", strerror(errno));
    (void)crypto_generichash_update(&it->sum, f->piece, n);
    it->at += n;
    return it->at == it->size ? end_item(f, it) : 0;
}

int fetch_data(struct fetch *f, const struct wire_msg *m, struct err *e)
{
    for (size_t i = 0; i < f->n && !f->err.code; i++) {
        struct item *it = &f->items[i];
        if (it->state != ITEM_LOAD || !m->u.data.hash || strcmp(it->hash, m->u.data.hash) != 0) continue;
        it->heard_ns = clock_mono_ns();
        if (m->u.data.offset == it->at) (void)take_piece(f, it, m);
        break; /* a second workload with the same data asks for them itself */
    }
    if (!f->err.code) return 0;
    *e = f->err;
    return -1;
}
