#include "coordinator/corpus/shelf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/plan/plan_api.h"
#include "common/text.h"
#include "coordinator/corpus/compile.h"
#include "coordinator/corpus/lengths.h"
#include "coordinator/tokenizer/tokenizer.h"

enum { PATH = 1024 };

struct shelf {
    size_t n;
    struct corpus **corpora; /* one for each workload; NULL where none is needed */
    char (*hashes)[CORPUS_HASH_HEX];
};

int shelf_default_dir(char *ret, size_t n)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int len = -1;
    if (cache && cache[0] == '/')
        len = snprintf(ret, n, "%s/plateau", cache);
    else if (home && home[0] == '/')
        len = snprintf(ret, n, "%s/.cache/plateau", home);
    return len > 0 && (size_t)len < n ? 0 : -1;
}

static int make_dirs(const char *dir, struct err *e)
{
    char path[PATH];
    size_t len = strlen(dir);
    if (len == 0 || len >= sizeof path)
        return err_set(e, ERR_USAGE, "the folder for data has no name, or too long a one");
    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++)
        if (path[i] == '/' || path[i] == 0) {
            char was = path[i];
            path[i] = 0;
            if (mkdir(path, 0777) && errno != EEXIST)
                return err_set(e, ERR_IO,
                               "%.200s, the folder for data sets, cannot be made (%.200s: %s): name one that can be "
                               "written with --data DIR",
                               dir, path, strerror(errno));
            path[i] = was;
        }
    return 0;
}

static int name_of(char ret[PATH], const char *dir, const char *hash, struct err *e)
{
    int len = snprintf(ret, PATH, "%s/%s.corpus", dir, hash);
    return len > 0 && len < PATH ? 0 : err_set(e, ERR_USAGE, "the folder for data has too long a name");
}

/* A relative name starts at the folder of the plan. */
static int file_of(char ret[PATH], const char *plan_path, const char *file, struct err *e)
{
    const char *slash = plan_path ? strrchr(plan_path, '/') : NULL;
    int len = file[0] == '/' || !slash ? snprintf(ret, PATH, "%s", file)
                                       : snprintf(ret, PATH, "%.*s/%s", (int)(slash - plan_path), plan_path, file);
    return len > 0 && len < PATH ? 0 : err_set(e, ERR_USAGE, "%.200s: the name is too long", file);
}

static void report(const struct compile_result *r, const struct plan_workload *w,
                   void (*tell)(void *arg, const char *text), void *arg)
{
    char text[600];
    bool trees = plan_workload_has_trees(w);
    size_t n = (size_t)snprintf(text, sizeof text, "workload %.60s: %.120s: %" PRIu64 " %s%s", w->name, w->data.file,
                                r->records, trees ? "session tree" : "request", r->records == 1 ? "" : "s");
    if (trees) n += (size_t)snprintf(text + n, sizeof text - n, " of %" PRIu64 " requests", r->requests);
    const struct {
        uint64_t n;
        const char *words;
    } PARTS[] = {{r->zero, " without an answer or a prompt left out"},
                 {r->outside, " outside from and to left out"},
                 {r->images, " had images, which are not sent"},
                 {r->bare, " had tools or further members of a request, which are not sent"},
                 {r->broken, " broken and left out"}};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        if (PARTS[i].n && n < sizeof text)
            n += (size_t)snprintf(text + n, sizeof text - n, ", %" PRIu64 "%s", PARTS[i].n, PARTS[i].words);
    tell(arg, text);
    for (size_t i = 0; i < r->broken && i < COMPILE_TOLD; i++) {
        (void)snprintf(text, sizeof text, "workload %.60s: %.120s: %s", w->name, w->data.file, r->told[i]);
        tell(arg, text);
    }
}

/* One line of UTF-8 that a plan may hold, whatever the file had. */
static const char *keep_text(struct plan *p, const char *text)
{
    char line[sizeof((struct compile_result *)0)->told[0]];
    size_t n = 0;
    for (const char *s = text; *s && n + 4 < sizeof line;) {
        size_t len = text_char(s, strlen(s));
        bool plain = len > 0 && !(s[0] == '$' && s[1] == '{');
        if (plain) memcpy(line + n, s, len);
        if (!plain) line[n] = '?', len = 1;
        n += len;
        s += len;
    }
    return arena_text(p->arena, line, n);
}

/* What was found becomes part of the plan, for reports. */
static int keep_found(struct plan *p, struct plan_workload *w, const struct compile_result *r, struct err *e)
{
    struct plan_found *f = &w->data.found;
    *f = (struct plan_found){r->records, r->broken, r->zero, r->outside, r->broken ? keep_text(p, r->told[0]) : NULL};
    return r->broken && !f->first_broken ? err_set(e, ERR_NOMEM, "the plan is too large") : 0;
}

static FILE *open_draft(const char *dir, char ret_path[PATH], struct err *e)
{
    FILE *f = NULL;
    ret_path[0] = 0;
    if (!dir)
        f = tmpfile();
    else if (make_dirs(dir, e))
        return NULL;
    else if (snprintf(ret_path, PATH, "%s/.draft-XXXXXX", dir) < PATH) {
        int fd = mkstemp(ret_path);
        if (fd >= 0 && fchmod(fd, 0644) == 0) f = fdopen(fd, "w+");
        if (!f && fd >= 0) (void)close(fd);
    }
    if (!f)
        (void)err_set(e, ERR_IO, "%.200s: data sets cannot be kept there: %s; --data DIR names another folder",
                      dir ? dir : "the folder for temporary files", strerror(errno));
    return f;
}

/* Compiles one workload's file; its corpus has its name in `dir` afterwards. */
static struct corpus *compile_one(struct plan *p, struct plan_workload *w, const struct compile_count *count,
                                  const char *plan_path, const char *dir, struct compile_result *r, struct err *e)
{
    char file[PATH], draft[PATH], name[PATH];
    if (file_of(file, plan_path, w->data.file, e)) return NULL;
    FILE *f = open_draft(dir, draft, e);
    if (!f) return NULL;
    struct corpus *c = NULL;
    if (compile_run(w, count, file, f, r, e) == 0) {
        if (w->data.corpus && strcmp(w->data.corpus, r->hash) != 0)
            (void)err_set(e, ERR_PLAN,
                          "%.200s: its requests are not those that the plan names (corpus %.12s, not %.12s)", file,
                          r->hash, w->data.corpus);
        else if (dir && (name_of(name, dir, r->hash, e) || rename(draft, name)))
            (void)err_set(e, ERR_IO, "%.300s: cannot be renamed: %s", draft, strerror(errno));
        else if (!(w->data.corpus = arena_text(p->arena, r->hash, strlen(r->hash))))
            (void)err_set(e, ERR_NOMEM, "the plan is too large");
        else if (keep_found(p, w, r, e) == 0)
            c = corpus_open(fileno(f), e);
    }
    if (dir && !c) (void)unlink(draft);
    (void)fclose(f);
    return c;
}

static struct corpus *find_one(const struct plan_workload *w, const char *dir, struct err *e)
{
    char name[PATH];
    if (!w->data.corpus || name_of(name, dir, w->data.corpus, e)) return NULL;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)err_set(e, ERR_PLAN,
                      "%.300s: the data of workload %.60s cannot be opened: %s; --data DIR says where they are", name,
                      w->name, strerror(errno));
        return NULL;
    }
    struct corpus *c = corpus_open(fd, e);
    (void)close(fd);
    if (c && !corpus_is(c, w->data.corpus)) {
        (void)err_set(e, ERR_PLAN, "%.300s: the file is damaged: its bytes are not those that its name stands for",
                      name);
        corpus_close(&c);
    }
    return c;
}

/* What the stages ask of a plan's one file: its passes as a count, a trace's rows and their mean rate. */
static int fill_stages(struct plan *p, const struct corpus *c, struct err *e)
{
    uint64_t n = corpus_count(c);
    if (p->curve.kind != CURVE_NONE) {
        p->curve.samples = n;
        return plan_curve_place(p, e);
    }
    struct corpus_record last = {0};
    double span = corpus_get(c, n - 1, &last) == 0 ? (double)last.at_ns / (double)NS_PER_S : 0;
    for (size_t i = 0; i < p->n_stages; i++) {
        struct plan_stage *s = &p->stages[i];
        bool recorded = s->kind == LOAD_OPEN && s->arrivals == ARRIVALS_RECORDED;
        uint64_t most = recorded ? n : s->passes ? n * s->passes : 0;
        if (most && (!s->requests || s->requests > most)) s->requests = most;
        if (recorded) s->rate_from = s->rate_to = fmin(n > 1 && span > 0 ? (double)(n - 1) / span : 1, 1e7);
    }
    return 0;
}

/* What follows from the plan's tokenizer becomes part of the plan. */
static int keep_tokenizer(struct plan *p, struct tokenizer *t, const char *hash, struct err *e)
{
    struct plan_tokenizer *k = &p->target.tokenizer;
    uint8_t mask[32];
    char words[65];
    uint32_t n = tokenizer_words(t, mask);
    if (n < TOKENIZER_WORDS_LEAST)
        return err_set(e, ERR_PLAN,
                       "%.200s: of the words that prompts are made of only %u are one token, and %u are needed: "
                       "target.lengths: measured needs no tokenizer",
                       k->file, n, TOKENIZER_WORDS_LEAST);
    (void)sodium_bin2hex(words, sizeof words, mask, sizeof mask);
    if ((k->sha256 && strcmp(k->sha256, hash) != 0) || (k->words && strcmp(k->words, words) != 0))
        return err_set(e, ERR_PLAN, "%.200s: it is not the tokenizer that the plan wants: its SHA-256 is %s, not %s",
                       k->file, hash, k->sha256 ? k->sha256 : "that of the words in the plan");
    k->sha256 = arena_text(p->arena, hash, strlen(hash));
    k->words = arena_text(p->arena, words, strlen(words));
    k->beside = tokenizer_beside(t);
    return k->sha256 && k->words ? 0 : err_set(e, ERR_NOMEM, "the plan is too large");
}

static struct tokenizer *read_tokenizer(struct plan *p, const char *plan_path,
                                        void (*tell)(void *arg, const char *text), void *arg, struct err *e)
{
    char path[PATH], hash[65];
    struct buf text = BUF_INIT(600);
    if (file_of(path, plan_path, p->target.tokenizer.file, e)) return NULL;
    struct tokenizer *t = tokenizer_read(path, hash, e);
    if (t && keep_tokenizer(p, t, hash, e)) tokenizer_destroy(&t);
    if (!t) {
        (void)err_context(e, "target.tokenizer");
        return NULL;
    }
    (void)buf_printf(&text, "tokenizer %.120s: ", p->target.tokenizer.file);
    tokenizer_describe(t, &text);
    if (tell) tell(arg, buf_str(&text));
    buf_clear(&text);
    return t;
}

static bool is_read(const struct plan_workload *w)
{
    return workload_reads_file(w);
}

static int length_file(void *arg, const char *file, char *ret, size_t n, struct err *e)
{
    char path[PATH];
    if (file_of(path, arg, file, e)) return -1;
    (void)snprintf(ret, n, "%s", path);
    return 0;
}

/* One workload's lengths and data. */
static int fill_one(struct shelf *s, struct plan *p, size_t i, const struct compile_count *count, const char *plan_path,
                    const char *dir, bool known, void (*tell)(void *arg, const char *text), void *arg, struct err *e)
{
    struct plan_workload *w = &p->workloads[i];
    struct compile_result r;
    char from[PATH];
    (void)snprintf(from, sizeof from, "%s", plan_path ? plan_path : "");
    if (lengths_fill(p, w, length_file, plan_path ? from : NULL, e)) return err_context(e, "workload %.60s", w->name);
    if (!is_read(w)) return 0;
    s->corpora[i] = known ? find_one(w, dir, e) : compile_one(p, w, count, plan_path, dir, &r, e);
    if (!s->corpora[i]) return err_context(e, "workload %.60s", w->name);
    memcpy(s->hashes[i], w->data.corpus, CORPUS_HASH_HEX);
    if (!known && tell) report(&r, w, tell, arg);
    return 0;
}

struct shelf *shelf_fill(struct plan *p, const char *plan_path, const char *dir, bool known,
                         void (*tell)(void *arg, const char *text), void *arg, struct err *e)
{
    struct shelf *s = calloc(1, sizeof *s);
    struct tokenizer *t = NULL;
    if (s) *s = (struct shelf){.n = p->n_workloads, .corpora = calloc(p->n_workloads, sizeof *s->corpora)};
    if (!s || !s->corpora || !(s->hashes = calloc(p->n_workloads, sizeof *s->hashes))) {
        (void)err_set(e, ERR_NOMEM, "no memory for the data of the plan");
        shelf_destroy(&s);
        return NULL;
    }
    bool wanted = p->target.tokenizer.file && !known;
    int rc = wanted && !(t = read_tokenizer(p, plan_path, tell, arg, e)) ? -1 : 0;
    const struct compile_count count = {t, plan_target_sends_text(&p->target)};
    for (size_t i = 0; i < p->n_workloads && rc == 0; i++)
        rc = fill_one(s, p, i, t ? &count : NULL, plan_path, dir, known, tell, arg, e);
    if (rc == 0 && p->n_workloads == 1 && s->corpora[0]) rc = fill_stages(p, s->corpora[0], e);
    tokenizer_destroy(&t);
    if (rc) shelf_destroy(&s);
    return s;
}

void shelf_destroy(struct shelf **s)
{
    if (!*s) return;
    for (size_t i = 0; (*s)->corpora && i < (*s)->n; i++)
        corpus_close(&(*s)->corpora[i]);
    free((*s)->corpora);
    free((*s)->hashes);
    free(*s);
    *s = NULL;
}

bool shelf_is_empty(const struct shelf *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->corpora[i]) return false;
    return true;
}

bool shelf_answer(const struct shelf *s, const struct wire_msg *want, struct buf *out, struct wire_msg *ret)
{
    for (size_t i = 0; s && want->u.want.hash && i < s->n; i++) {
        uint64_t size, at = want->u.want.offset;
        if (!s->corpora[i] || strcmp(s->hashes[i], want->u.want.hash) != 0) continue;
        const uint8_t *bytes = corpus_bytes(s->corpora[i], &size);
        if (at >= size) return false;
        uint64_t piece = size - at < WIRE_PIECE ? size - at : WIRE_PIECE;
        uLongf packed = compressBound((uLong)piece);
        buf_reset(out);
        uint8_t *room = packed <= out->max ? malloc(packed) : NULL;
        bool ok = room && compress2(room, &packed, bytes + at, (uLong)piece, Z_BEST_SPEED) == Z_OK &&
                  buf_put(out, room, packed) == 0;
        free(room);
        *ret = (struct wire_msg){
            .type = WIRE_DATA,
            .u.data = {.hash = s->hashes[i], .offset = at, .size = size, .bytes = {out->data, out->len}}};
        return ok;
    }
    return false;
}
