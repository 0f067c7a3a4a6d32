#include "coordinator/run/series.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"

#define OPEN_BINS 8u /* the newest rows of the cluster keep their histograms ready for merging */
#define PACKED_MAX (1u << 20)

struct sums {
    uint64_t tokens, done, failed, due, inflight_ns;
};

/* A second of the cluster. */
struct bin {
    struct sums sums;
    struct hist *hist[2]; /* itl, ttft */
    struct buf packed[2]; /* the same as bytes, when the row is an old one */
};

#define NONE UINT32_MAX

/* A snapshot of one agent, or several that were folded. */
struct row {
    uint32_t part;   /* the agent's place in parts[] */
    uint32_t second; /* in which the middle of its first snapshot lies */
    int64_t from_ns, to_ns;
    struct sums sums;
    float q[4]; /* itl p50, p99, ttft p50, p99 in ms; NaN: none */
};

struct series {
    int64_t bin_ns;
    struct bin *bins;
    size_t n_bins, cap_bins;
    int64_t last_ns;  /* end of the latest snapshot */
    struct row *rows; /* as they came: those of an agent ascend in time */
    size_t n_rows, cap_rows;
    struct part {
        uint32_t agent, last; /* last: its latest row; NONE: none */
    } * parts;
    size_t n_parts;
    unsigned level; /* rows of agents span 2^level seconds; 0: as they came */
};

static const enum metric SHOWN[2] = {METRIC_ITL, METRIC_TTFT};

struct series *series_new(int64_t bin_ns)
{
    struct series *s = calloc(1, sizeof *s);
    if (s) s->bin_ns = bin_ns > 0 ? bin_ns : NS_PER_S;
    return s;
}

void series_destroy(struct series **s)
{
    if (!*s) return;
    for (size_t i = 0; i < (*s)->n_bins; i++)
        for (int k = 0; k < 2; k++) {
            hist_destroy(&(*s)->bins[i].hist[k]);
            buf_clear(&(*s)->bins[i].packed[k]);
        }
    free((*s)->bins);
    free((*s)->rows);
    free((*s)->parts);
    free(*s);
    *s = NULL;
}

static void sums_add(struct sums *to, const struct sums *part)
{
    to->tokens += part->tokens;
    to->done += part->done;
    to->failed += part->failed;
    to->due += part->due;
    to->inflight_ns += part->inflight_ns;
}

static size_t bin_of(const struct series *s, int64_t t_ns)
{
    int64_t i = t_ns / s->bin_ns;
    return i < (int64_t)SERIES_BINS ? (size_t)i : SERIES_BINS - 1;
}

/* An old row's histograms are kept as bytes: a hundredth of the memory, and seldom touched again. */
static int bin_pack(struct bin *b)
{
    for (int k = 0; k < 2; k++) {
        if (!b->hist[k]) continue;
        buf_reset(&b->packed[k]);
        b->packed[k].max = PACKED_MAX;
        if (hist_encode(b->hist[k], &b->packed[k])) return -1;
        hist_destroy(&b->hist[k]);
    }
    return 0;
}

static int bin_unpack(struct bin *b)
{
    for (int k = 0; k < 2; k++) {
        if (!b->packed[k].len) continue;
        b->hist[k] = hist_new();
        if (!b->hist[k] || hist_decode_add(b->hist[k], b->packed[k].data, b->packed[k].len, NULL)) return -1;
        buf_clear(&b->packed[k]);
    }
    return 0;
}

/* Makes rows up to and including `index`; packs those that leave the open range. */
static int bins_reach(struct series *s, size_t index)
{
    if (index < s->n_bins) return 0;
    if (index >= s->cap_bins) {
        size_t cap = s->cap_bins ? s->cap_bins : 64;
        while (cap <= index)
            cap *= 2;
        struct bin *p = realloc(s->bins, cap * sizeof *p);
        if (!p) return -1;
        s->bins = p;
        s->cap_bins = cap;
    }
    size_t was = s->n_bins;
    for (; s->n_bins <= index; s->n_bins++)
        s->bins[s->n_bins] = (struct bin){0};
    for (size_t i = was > OPEN_BINS ? was - OPEN_BINS : 0; i + OPEN_BINS < s->n_bins; i++)
        if (bin_pack(&s->bins[i])) return -1;
    return 0;
}

/* What of `whole` lies before `part` of `span`; differences of neighbouring parts add up to the whole exactly. */
static uint64_t share(uint64_t whole, int64_t part, int64_t span)
{
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)((wide)whole * (wide)part / (wide)span);
}

static void spread(struct series *s, const struct row *r, size_t first, size_t last)
{
    int64_t span = r->to_ns - r->from_ns, done = 0;
    for (size_t i = first; i <= last; i++) {
        int64_t end = i == last ? span : (int64_t)(i + 1) * s->bin_ns - r->from_ns;
        struct sums *to = &s->bins[i].sums;
#define PART(f) to->f += share(r->sums.f, end, span) - share(r->sums.f, done, span)
        PART(tokens);
        PART(done);
        PART(failed);
        PART(due);
        PART(inflight_ns);
#undef PART
        done = end;
    }
}

static int bin_merge(struct series *s, size_t index, const struct hist_sparse hist[METRIC_N])
{
    struct bin *b = &s->bins[index];
    if (bin_unpack(b)) return -1;
    for (int k = 0; k < 2; k++) {
        const struct hist_sparse *h = &hist[SHOWN[k]];
        if (!h->whole.count) continue;
        if (!b->hist[k] && !(b->hist[k] = hist_new())) return -1;
        if (hist_add_sparse(b->hist[k], h)) return -1;
    }
    return index + OPEN_BINS < s->n_bins ? bin_pack(b) : 0;
}

/* Rows of an agent whose snapshots come in the same 2^level seconds are one. */
static bool row_fold(struct series *s, const struct row *r)
{
    struct part *p = &s->parts[r->part];
    struct row *to = p->last == NONE ? NULL : &s->rows[p->last];
    if (!to || !s->level || to->second >> s->level != r->second >> s->level) return false;
    to->to_ns = r->to_ns;
    sums_add(&to->sums, &r->sums);
    return true;
}

static void row_keep(struct series *s, const struct row *r)
{
    s->parts[r->part].last = (uint32_t)s->n_rows;
    s->rows[s->n_rows++] = *r;
}

/* To the lowest level at which no more rows than the limit are left. It depends on the rows alone, not on the order in
 * which those of several agents came. */
static void rows_settle(struct series *s)
{
    while (s->n_rows > SERIES_AGENT_ROWS && s->level < 31) {
        size_t n = s->n_rows;
        s->level++;
        s->n_rows = 0;
        for (size_t i = 0; i < s->n_parts; i++)
            s->parts[i].last = NONE;
        for (size_t i = 0; i < n; i++) {
            struct row r = s->rows[i];
            if (!row_fold(s, &r)) row_keep(s, &r);
        }
    }
}

static int row_put(struct series *s, const struct row *r)
{
    if (row_fold(s, r)) return 0;
    if (s->n_rows == 2 * SERIES_AGENT_ROWS) {
        rows_settle(s);
        return row_put(s, r);
    }
    if (s->n_rows == s->cap_rows) {
        size_t cap = s->cap_rows ? s->cap_rows * 2 : 128;
        struct row *p = realloc(s->rows, cap * sizeof *p);
        if (!p) return -1;
        s->rows = p;
        s->cap_rows = cap;
    }
    row_keep(s, r);
    return 0;
}

static int parts_reach(struct series *s, uint32_t part, uint32_t agent)
{
    if (part >= s->n_parts) {
        size_t n = s->n_parts ? s->n_parts * 2 : 16;
        while (n <= part)
            n *= 2;
        struct part *p = realloc(s->parts, n * sizeof *p);
        if (!p) return -1;
        for (size_t i = s->n_parts; i < n; i++)
            p[i] = (struct part){NONE, NONE};
        s->parts = p;
        s->n_parts = n;
    }
    s->parts[part].agent = agent;
    return 0;
}

static double ms(const struct hist *h, double q)
{
    return h && h->count ? (double)hist_quantile(h, q) / (double)NS_PER_MS : (double)NAN;
}

static float sparse_ms(const struct hist_sparse *h, double q)
{
    return h->whole.count ? (float)((double)hist_sparse_quantile(h, q) / (double)NS_PER_MS) : NAN;
}

int series_add(struct series *s, uint32_t part, uint32_t agent, const struct snapshot *snap,
               const struct hist_sparse hist[METRIC_N])
{
    const struct hist_sparse *itl = &hist[METRIC_ITL], *ttft = &hist[METRIC_TTFT];
    struct row r = {
        .part = part,
        .second = (uint32_t)((snap->from_ns + (snap->to_ns - snap->from_ns) / 2) / NS_PER_S),
        .from_ns = snap->from_ns,
        .to_ns = snap->to_ns > snap->from_ns ? snap->to_ns : snap->from_ns + 1,
        .sums = {snap->series_tokens, snap->series_done, snap->series_failed, snap->series_due,
                 snap->series_inflight_ns},
        .q = {sparse_ms(itl, 0.5), sparse_ms(itl, 0.99), sparse_ms(ttft, 0.5), sparse_ms(ttft, 0.99)},
    };
    size_t first = bin_of(s, r.from_ns), last = bin_of(s, r.to_ns - 1);
    if (bins_reach(s, last) || parts_reach(s, part, agent) || row_put(s, &r)) return -1;
    spread(s, &r, first, last);
    if (r.to_ns > s->last_ns) s->last_ns = r.to_ns;
    return bin_merge(s, bin_of(s, r.from_ns + (r.to_ns - r.from_ns) / 2), hist);
}

double series_tokens_per_s(const struct series *s, int64_t until_ns)
{
    int64_t full = until_ns / s->bin_ns;
    if (full <= 0 || (size_t)full > s->n_bins) return 0;
    return (double)s->bins[full - 1].sums.tokens * (double)NS_PER_S / (double)s->bin_ns;
}

static struct series_row row_of(int32_t agent, int64_t from_ns, int64_t to_ns, const struct sums *v)
{
    double span_ns = (double)(to_ns - from_ns);
    return (struct series_row){
        .agent = agent,
        .t_s = (double)from_ns / (double)NS_PER_S,
        .span_s = span_ns / (double)NS_PER_S,
        .tokens = (double)v->tokens,
        .done = (double)v->done,
        .failed = (double)v->failed,
        .due = (double)v->due,
        .in_flight = span_ns > 0 ? (double)v->inflight_ns / span_ns : 0,
        .itl_p50_ms = NAN,
        .itl_p99_ms = NAN,
        .ttft_p50_ms = NAN,
        .ttft_p99_ms = NAN,
    };
}

int series_peek(const struct series *s, struct series_row **ret, size_t *ret_n)
{
    *ret = calloc(s->n_bins + 1, sizeof **ret);
    if (!*ret) return -1;
    for (size_t i = 0; i < s->n_bins; i++) {
        int64_t from = (int64_t)i * s->bin_ns, to = i + 1 == s->n_bins ? s->last_ns : from + s->bin_ns;
        (*ret)[i] = row_of(-1, from, to, &s->bins[i].sums);
    }
    *ret_n = s->n_bins;
    return 0;
}

static int part_order(const void *a, const void *b)
{
    const struct part *x = a, *y = b;
    return x->agent < y->agent ? -1 : x->agent > y->agent;
}

static void put_row(const struct series *s, uint32_t agent, const struct row *r, struct series_row *to)
{
    bool whole = s->level == 0; /* percentiles of two rows cannot be put together */
    *to = row_of((int32_t)agent, r->from_ns, r->to_ns, &r->sums);
    to->itl_p50_ms = whole ? (double)r->q[0] : (double)NAN;
    to->itl_p99_ms = whole ? (double)r->q[1] : (double)NAN;
    to->ttft_p50_ms = whole ? (double)r->q[2] : (double)NAN;
    to->ttft_p99_ms = whole ? (double)r->q[3] : (double)NAN;
}

/* By agent, and each agent's as they came. There may be a hundred thousand rows: they are counted and placed, not
 * sorted. */
static int put_agent_rows(const struct series *s, struct series_row *out)
{
    struct part *sorted = calloc(s->n_parts + 1, sizeof *sorted);
    size_t *at = calloc(s->n_parts + 1, sizeof *at), first = 0;
    int rc = sorted && at ? 0 : -1;
    for (size_t i = 0; !rc && i < s->n_rows; i++)
        at[s->rows[i].part]++;
    for (size_t i = 0; !rc && i < s->n_parts; i++)
        sorted[i] = (struct part){s->parts[i].agent, (uint32_t)i};
    if (!rc && s->n_parts) qsort(sorted, s->n_parts, sizeof *sorted, part_order);
    for (size_t i = 0; !rc && i < s->n_parts; i++) {
        size_t n = at[sorted[i].last];
        at[sorted[i].last] = first;
        first += n;
    }
    for (size_t i = 0; !rc && i < s->n_rows; i++)
        put_row(s, s->parts[s->rows[i].part].agent, &s->rows[i], &out[at[s->rows[i].part]++]);
    free(sorted);
    free(at);
    return rc;
}

int series_finish(struct series *s, struct series_row **ret, size_t *ret_n)
{
    rows_settle(s);
    struct series_row *out = calloc(s->n_bins + s->n_rows + 1, sizeof *out);
    if (!out || put_agent_rows(s, out + s->n_bins)) {
        free(out);
        return -1;
    }
    size_t n = 0;
    for (size_t i = 0; i < s->n_bins; i++) {
        struct bin *b = &s->bins[i];
        if (bin_unpack(b)) {
            free(out);
            return -1;
        }
        int64_t from = (int64_t)i * s->bin_ns, to = i + 1 == s->n_bins ? s->last_ns : from + s->bin_ns;
        struct series_row *r = &out[n++];
        *r = row_of(-1, from, to, &b->sums);
        r->itl_p50_ms = ms(b->hist[0], 0.5);
        r->itl_p99_ms = ms(b->hist[0], 0.99);
        r->ttft_p50_ms = ms(b->hist[1], 0.5);
        r->ttft_p99_ms = ms(b->hist[1], 0.99);
        hist_destroy(&b->hist[0]);
        hist_destroy(&b->hist[1]);
    }
    *ret = out;
    *ret_n = n + s->n_rows;
    return 0;
}
