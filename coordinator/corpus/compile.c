#include "coordinator/corpus/compile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "coordinator/corpus/format.h"
#include "coordinator/corpus/prefixes.h"
#include "coordinator/corpus/sniff.h"
#include "coordinator/corpus/table.h"
#include "coordinator/corpus/tree_draft.h"

struct compile {
    const struct plan_workload *w;
    const struct format *format;
    const char *path;
    const char *first;    /* its first byte that is no white space */
    const char *at, *end; /* what is left of the file */
    uint64_t line;
    struct corpus_writer *writer;
    const struct compile_count *count;
    struct buf joined; /* scratch of counting */
    struct draft draft;
    struct table table;
    struct bundles bundles;
    struct prefixes prefixes;  /* of the rows so far that are sent */
    size_t parts;              /* of it, beside those that are looked at */
    int64_t first_ns, last_ns; /* traces */
    bool begun, folder;        /* folder: the file is one of several */
    struct compile_result *r;
    struct err *e;
};

static int broken(struct compile *c, uint64_t line, const char *why)
{
    struct compile_result *r = c->r;
    char text[sizeof r->told[0]];
    const char *slash = strrchr(c->path, '/');
    (void)snprintf(text, sizeof text, "%.60s%sline %" PRIu64 ": %s", c->folder ? slash ? slash + 1 : c->path : "",
                   c->folder ? ": " : "", line, why);
    if (r->broken < COMPILE_TOLD) memcpy(r->told[r->broken], text, sizeof text);
    r->broken++;
    if (c->w->data.skip > 0) return 0;
    if (r->records + r->zero + r->outside + c->parts > 0) /* others were good */
        return err_set(c->e, ERR_PLAN, "%.200s: %s (skip: 1%% would leave such records out, and count them)", c->path,
                       text);
    return err_set(c->e, ERR_PLAN, "%.200s: %s%s", c->path, text,
                   sniff_hint(c->format, c->first, (size_t)(c->end - c->first)));
}

/* A row's place on the time axis of the run; false when it is not wanted. */
static bool place_in_time(struct compile *c)
{
    const struct plan_data *p = &c->w->data;
    int64_t after = c->draft.time_ns - c->first_ns;
    if (after < p->from_ns || (p->to_ns && after >= p->to_ns)) return false;
    c->draft.record.at_ns = (int64_t)((double)(after - p->from_ns) / p->speed + 0.5);
    return true;
}

/* The tokens of a request's texts, in the order in which they stand in its JSON; no other members, such as tools. */
static int64_t count_body(struct compile *c, const char *body)
{
    struct json j;
    struct buf *b = &c->joined;
    int64_t all = 0, got = 0;
    uint32_t texts = 0; /* depth of the list or object whose texts count; 0: none */
    enum json_token t;
    bool text = false;
    json_begin(&j, body, strlen(body));
    while ((t = json_next(&j)) != JSON_END && t != JSON_BAD && got >= 0) {
        if (t == JSON_KEY) {
            if (j.depth == 1) texts = JSON_IS(&j, "messages") || JSON_IS(&j, "prompt") || JSON_IS(&j, "input");
            text = texts && (j.depth == 1 || JSON_IS(&j, "content") || JSON_IS(&j, "text"));
            continue;
        }
        if (t != JSON_STRING || !text) continue;
        size_t n;
        buf_reset(b);
        char *room = buf_room(b, j.len + 1);
        if (!room || !json_decode(&j, room, &n)) return -1;
        got = tokenizer_count(c->count->tokenizer, room, n);
        all += got;
    }
    return got < 0 ? -1 : all;
}

/* A record's prompt in tokens, whatever its file says. Of a conversation it is all that a record holds, and of a text
 * what goes out as one. Rows of traces have lengths of their own. */
static int count_record(struct compile *c)
{
    struct draft *d = &c->draft;
    struct corpus_record *r = &d->record;
    struct tokenizer *t = c->count->tokenizer;
    int64_t all = 0, got = 0;
    if (r->tree_n || c->w->data.conversations || (!r->n_messages && !r->body)) return 0;
    if (r->body) {
        all = got = count_body(c, r->body);
    } else if (c->count->text) {
        buf_reset(&c->joined);
        for (uint32_t i = 0; i < r->n_messages; i++)
            (void)(i ? buf_puts(&c->joined, "\n\n") : 0),
                (void)buf_put(&c->joined, d->messages[i].text, d->messages[i].len);
        all = got = c->joined.bad ? -1 : tokenizer_count(t, buf_str(&c->joined), c->joined.len);
    } else {
        for (uint32_t i = 0; i < r->n_messages && got >= 0; all += got, i++)
            got = tokenizer_count(t, d->messages[i].text, d->messages[i].len);
    }
    if (got < 0) return err_set(c->e, ERR_NOMEM, "%.200s: there is no memory to count its tokens", c->path);
    if (c->count->text) all += tokenizer_beside(t);
    r->input_tokens = (uint32_t)all;
    return 0;
}

static int keep_record(struct compile *c, uint64_t line, enum draft_result result)
{
    struct draft *d = &c->draft;
    bool trace = c->w->source == SOURCE_TRACE && !plan_workload_has_trees(c->w);
    if (result == DRAFT_BROKEN) return broken(c, d->line ? d->line : line, d->why);
    if (trace && c->begun && d->time_ns < c->last_ns)
        return broken(c, line, "its time lies before that of the row above");
    if (trace && !c->begun) c->first_ns = d->time_ns;
    c->begun = true;
    c->last_ns = d->time_ns;
    bool unanswered = d->no_answer && !(dist_mean(&c->w->data.output_tokens) > 0); /* and the plan asks for none */
    if (result == DRAFT_ZERO || unanswered) {
        c->r->zero++;
        return 0;
    }
    if (trace && !place_in_time(c)) {
        c->r->outside++;
        return 0;
    }
    c->r->images += d->images > 0;
    c->r->bare += d->bare;
    draft_finish(d);
    if (c->count && count_record(c)) return -1;
    c->r->records++;
    if (!d->record.tree_n && d->record.n_blocks)
        d->record.repeated_tokens =
            prefixes_take(&c->prefixes, d->blocks, d->record.n_blocks, d->record.block_tokens, d->record.input_tokens);
    if (d->record.tree_n) {
        c->r->requests += d->trees->n;
        c->r->zero += d->trees->zero;
    }
    return corpus_write(c->writer, &d->record, d->messages, d->blocks, c->e);
}

static int take_json(struct compile *c, uint64_t line, const char *text, size_t n)
{
    struct draft *d = &c->draft;
    draft_reset(d);
    if (!c->format->split) return keep_record(c, line, c->format->json(&c->w->data, text, n, d));
    if (c->format->split(text, n, line, &c->bundles, d) == DRAFT_BROKEN) return broken(c, line, d->why);
    c->parts = c->bundles.n;
    return 0;
}

/* What was split, each group as a record. */
static int keep_bundles(struct compile *c)
{
    struct bundles *g = &c->bundles;
    if (bundles_seal(g)) return err_set(c->e, ERR_NOMEM, "%.200s: there is no memory for its records", c->path);
    for (size_t from = 0, to; from < g->n; from = to) {
        to = bundles_end(g, from);
        draft_reset(&c->draft);
        c->parts = g->n - (to - from);
        enum draft_result got = c->format->group(&c->w->data, g->part + from, to - from, &c->draft);
        if (keep_record(c, g->part[from].line, got)) return -1;
    }
    bundles_reset(g);
    return 0;
}

/* ---- the three forms ---- */

static bool is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r", s[i]) || !s[i]) return false;
    return true;
}

static int read_lines(struct compile *c)
{
    while (c->at < c->end) {
        const char *lf = memchr(c->at, '\n', (size_t)(c->end - c->at)), *line = c->at;
        size_t n = (size_t)((lf ? lf : c->end) - line);
        c->at = lf ? lf + 1 : c->end;
        c->line++;
        if (n > 0 && line[n - 1] == '\r') n--;
        if (!is_blank(line, n) && take_json(c, c->line, line, n)) return -1;
    }
    return 0;
}

static uint64_t count_lines(const char *from, const char *to)
{
    uint64_t n = 0;
    for (; (from = memchr(from, '\n', (size_t)(to - from))); from++)
        n++;
    return n;
}

/* One JSON array. After a syntax error nothing more can be found, so reading ends there. */
static int read_array(struct compile *c)
{
    struct json j;
    enum json_token t;
    const char *seen = c->at;
    json_begin(&j, c->at, (size_t)(c->end - c->at));
    (void)json_next(&j); /* the bracket */
    c->line = 1;
    while ((t = json_next(&j)) != JSON_ARRAY_END && t != JSON_BAD) {
        const char *from = t == JSON_OBJECT || t == JSON_ARRAY ? j.at - 1 : j.at;
        if (json_leave(&j, t) < 0) break;
        c->line += count_lines(seen, from);
        seen = from;
        int rc = t == JSON_OBJECT ? take_json(c, c->line, from, (size_t)(j.at - from))
                                  : broken(c, c->line, "it is not an object");
        if (rc) return -1;
    }
    if (t == JSON_ARRAY_END && json_next(&j) == JSON_END) return 0;
    return err_set(c->e, ERR_PLAN,
                   "%.200s: line %" PRIu64 ": here it is no longer JSON; %" PRIu64 " records were read before", c->path,
                   c->line + count_lines(seen, j.at), c->r->records);
}

/* JSON objects one after the other. After a syntax error nothing more can be found in this file. */
static int read_objects(struct compile *c)
{
    const char *seen = c->at;
    c->line = 1;
    for (;;) {
        struct json j;
        while (c->at < c->end && strchr(" \t\r\n", *c->at) && *c->at)
            c->at++;
        c->line += count_lines(seen, c->at);
        seen = c->at;
        if (c->at == c->end) return 0;
        json_begin(&j, c->at, (size_t)(c->end - c->at));
        enum json_token t = json_next(&j);
        if (t != JSON_OBJECT || json_leave(&j, t) < 0) {
            uint64_t line = c->line + count_lines(seen, j.at);
            return broken(c, line, t == JSON_OBJECT ? "here it is no longer JSON" : "it is not a JSON object");
        }
        if (take_json(c, c->line, c->at, (size_t)(j.at - c->at))) return -1;
        c->at = j.at;
    }
}

static int missing_column(const struct compile *c, const char *name)
{
    struct buf there = BUF_INIT(1000);
    sniff_columns(c->w, &c->table, &there);
    (void)err_set(c->e, ERR_PLAN, "%.160s: line 1: no column is named \"%s\"%s", c->path, name, buf_str(&there));
    buf_clear(&there);
    return -1;
}

static int read_table(struct compile *c)
{
    const char *names[TABLE_WANTED_MAX];
    size_t needed, wanted = c->format->columns(&c->w->data, names, &needed);
    struct table *t = &c->table;
    c->line = 1;
    if (table_next(t, &c->at, c->end, &c->line) != TABLE_ROW)
        return err_set(c->e, ERR_PLAN, "%.200s: line 1: there is no header with the names of the columns%s", c->path,
                       c->first < c->end && *c->first == '{' ? ": the file holds JSON" : "");
    for (size_t i = 0; i < wanted; i++) {
        t->column[i] = table_find(t, names[i]);
        if (t->column[i] < 0 && i < needed) return missing_column(c, names[i]);
    }
    t->n_columns = t->n;
    for (;;) {
        uint64_t line = c->line;
        enum table_got got = table_next(t, &c->at, c->end, &c->line);
        if (got == TABLE_END) return 0;
        if (got == TABLE_BLANK) continue;
        draft_reset(&c->draft);
        enum draft_result result;
        if (got == TABLE_BROKEN)
            result = draft_broken(&c->draft, "a quote is never closed, or the row has more than %d columns",
                                  TABLE_COLUMNS_MAX);
        else if (t->n != t->n_columns)
            result = draft_broken(&c->draft, "columns here: %zu, in the header: %zu", t->n, t->n_columns);
        else
            result = c->format->row(&c->w->data, t, &c->draft);
        if (keep_record(c, line, result)) return -1;
    }
}

/* ---- the file ---- */

static int check_sum(const struct compile *c, const char *bytes, size_t n)
{
    unsigned char sum[crypto_hash_sha256_BYTES];
    char hex[65];
    if (!c->w->data.sha256) return 0;
    crypto_hash_sha256(sum, (const unsigned char *)bytes, n);
    (void)sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
    if (strcmp(hex, c->w->data.sha256) == 0) return 0;
    return err_set(c->e, ERR_PLAN, "%.200s: its SHA-256 is %s, the plan wants %s", c->path, hex, c->w->data.sha256);
}

static int nothing_left(const struct compile *c)
{
    const struct compile_result *r = c->r;
    char a[32], b[32];
    if (r->zero + r->outside == 0) return err_set(c->e, ERR_PLAN, "%.200s: it holds no record", c->path);
    if (r->outside == 0)
        return err_set(c->e, ERR_PLAN,
                       "%.200s: no request is left: no row has both an answer and a prompt, of %" PRIu64 " (%s)",
                       c->path, r->zero,
                       c->w->source == SOURCE_DATASET ? "dataset.output_tokens gives all records a length"
                                                      : "zero_output: one raises such lengths to 1");
    return err_set(c->e, ERR_PLAN,
                   "%.160s: no request is left: its times span %s, and from is %s (rows outside from and to: %" PRIu64
                   ", without an answer or a prompt: %" PRIu64 ")",
                   c->path, clock_duration_text(c->last_ns - c->first_ns, a, sizeof a),
                   clock_duration_text(c->w->data.from_ns, b, sizeof b), r->outside, r->zero);
}

static int read_bytes(struct compile *c, const char *bytes, size_t n)
{
    const char *stranger = sniff_stranger(bytes, n);
    if (stranger) return err_set(c->e, ERR_PLAN, "%.200s: %s", c->path, stranger);
    if (check_sum(c, bytes, n)) return -1;
    c->at = bytes;
    c->end = bytes + n;
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) c->at += 3;
    const char *first = c->at;
    while (first < c->end && strchr(" \t\r\n", *first))
        first++;
    c->first = first;
    enum format_form form = c->format->form;
    bool array = (form == FORM_ARRAY || form == FORM_OBJECTS) && first < c->end && *first == '[';
    int rc = array                  ? read_array(c)
             : form == FORM_TABLE   ? read_table(c)
             : form == FORM_OBJECTS ? read_objects(c)
                                    : read_lines(c);
    return !rc && c->format->split ? keep_bundles(c) : rc; /* they are of one file, whose text they borrow */
}

/* What is left of a file, or of all of a folder, becomes a corpus. */
static int finish(struct compile *c)
{
    const struct compile_result *r = c->r;
    double all = (double)(r->records + r->broken);
    if ((double)r->broken > c->w->data.skip * all)
        return err_set(c->e, ERR_PLAN,
                       "%.160s: %" PRIu64 " of %.0f records are broken, skip allows %.3g %%; the first: %.200s",
                       c->path, r->broken, all, c->w->data.skip * 100, r->told[0]);
    if (r->records == 0) return nothing_left(c);
    return corpus_finish(c->writer, c->r->hash, c->e);
}

static int read_file(struct compile *c, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
    void *map = MAP_FAILED;
    c->path = path;
    if (fd < 0 || fstat(fd, &st))
        (void)err_set(c->e, ERR_PLAN, "%.300s: cannot be opened: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        (void)err_set(c->e, ERR_PLAN, "%.300s: is %s", path, S_ISREG(st.st_mode) ? "empty" : "not a file");
    else if ((map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED)
        (void)err_set(c->e, ERR_NOMEM, "%.300s: cannot be mapped: %s", path, strerror(errno));
    else {
        (void)madvise(map, (size_t)st.st_size, MADV_SEQUENTIAL);
        rc = read_bytes(c, map, (size_t)st.st_size);
    }
    if (map != MAP_FAILED) (void)munmap(map, (size_t)st.st_size);
    if (fd >= 0) (void)close(fd);
    return rc;
}

static int is_json(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');
    return dot && d->d_name[0] != '.' && (strcmp(dot, ".json") == 0 || strcmp(dot, ".jsonl") == 0);
}

/* By name, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_folder(struct compile *c, const char *path)
{
    struct dirent **names = NULL;
    char file[2048];
    if (c->w->data.sha256) return err_set(c->e, ERR_PLAN, "%.300s: is a folder, and sha256 is of a file", path);
    int n = scandir(path, &names, is_json, by_name), rc = 0;
    if (n <= 0)
        rc = err_set(c->e, ERR_PLAN, "%.300s: %s", path,
                     n < 0 ? strerror(errno) : "this folder holds no file that ends in .json or .jsonl");
    c->folder = true;
    for (int i = 0; i < n; i++) {
        if (!rc && snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name) >= (int)sizeof file)
            rc = err_set(c->e, ERR_PLAN, "%.200s…/%.200s: a path of %zu bytes or more is not read", path,
                         names[i]->d_name, sizeof file);
        else if (!rc)
            rc = read_file(c, file);
        free(names[i]);
    }
    free(names);
    c->path = path;
    return rc;
}

int compile_run(const struct plan_workload *w, const struct compile_count *count, const char *path, FILE *out,
                struct compile_result *ret, struct err *e)
{
    struct stat st;
    struct compile c = {.w = w, .count = count, .format = format_of(w), .path = path, .r = ret, .e = e};
    c.draft.text = c.draft.body = c.draft.tree = c.table.unquoted = c.joined = (struct buf)BUF_INIT(CORPUS_RECORD_MAX);
    *ret = (struct compile_result){0};
    bool folder = c.format->form == FORM_OBJECTS && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int rc = (c.writer = corpus_writer_new(out, e)) ? 0 : -1;
    if (!rc) rc = folder ? read_folder(&c, path) : read_file(&c, path);
    if (!rc) rc = finish(&c);
    corpus_writer_destroy(&c.writer);
    if (c.draft.trees) tree_draft_clear(c.draft.trees);
    free(c.draft.trees);
    draft_clear(&c.draft);
    bundles_clear(&c.bundles);
    prefixes_clear(&c.prefixes);
    buf_clear(&c.table.unquoted);
    buf_clear(&c.joined);
    return rc;
}
