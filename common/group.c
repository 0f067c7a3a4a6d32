#include "common/group.h"

#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

enum { FIELDS = 4 };

const enum counter GROUP_COUNTERS[GROUP_COUNT_N] = {
#define COUNT(id) COUNTER_##id,
#include "common/group.def"
#undef COUNT
};
const enum metric GROUP_METRICS[GROUP_METRIC_N] = {
#define METRIC(id) METRIC_##id,
#include "common/group.def"
#undef METRIC
};
/* The place of a counter or metric in a group, plus 1; 0: groups do not keep it. */
static const unsigned char PLACE_OF_COUNTER[COUNTER_N] = {
#define COUNT(id) [COUNTER_##id] = GROUP_COUNT_##id + 1,
#include "common/group.def"
#undef COUNT
};
static const unsigned char PLACE_OF_METRIC[METRIC_N] = {
#define METRIC(id) [METRIC_##id] = GROUP_METRIC_##id + 1,
#include "common/group.def"
#undef METRIC
};

const char *group_kind_name(enum group_kind k)
{
    static const char *const NAMES[GROUP_KIND_N] = {[GROUP_WORKLOAD] = "workload", [GROUP_MODEL] = "model"};
    return NAMES[k];
}

static uint32_t at_most(uint32_t number)
{
    return number < GROUP_OTHERS ? number : GROUP_OTHERS;
}

/* Where a group stands, or would. */
static uint32_t place(const struct groups *g, enum group_kind kind, uint32_t number)
{
    uint32_t lo = 0, hi = g->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct mix_group *row = &g->row[mid];
        if (row->kind < kind || (row->kind == kind && row->number < number))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct mix_group *groups_find(const struct groups *g, enum group_kind kind, uint32_t number)
{
    number = at_most(number);
    uint32_t at = place(g, kind, number);
    return at < g->n && g->row[at].kind == kind && g->row[at].number == number ? &g->row[at] : NULL;
}

struct mix_group *groups_at(struct groups *g, enum group_kind kind, uint32_t number)
{
    struct mix_group *found = groups_find(g, kind, number);
    if (found) return found;
    if (g->n == g->room) {
        uint32_t room = g->room ? 2 * g->room : 4;
        struct mix_group *row = realloc(g->row, room * sizeof *row);
        if (!row) return NULL;
        g->row = row;
        g->room = room;
    }
    number = at_most(number);
    uint32_t at = place(g, kind, number);
    memmove(&g->row[at + 1], &g->row[at], (g->n - at) * sizeof *g->row);
    g->n++;
    g->row[at] = (struct mix_group){.kind = kind, .number = number};
    return &g->row[at];
}

static int reserve_kind(struct groups *g, enum group_kind kind, uint32_t n)
{
    if (n < 2) return 0; /* one is the whole */
    for (uint32_t i = 0; i < n && i <= GROUP_OTHERS; i++) {
        struct mix_group *row = groups_at(g, kind, i);
        if (!row) return -1;
        for (int m = 0; m < GROUP_METRIC_N; m++)
            if (!row->hist[m] && !(row->hist[m] = hist_new_dense())) return -1;
    }
    return 0;
}

static uint32_t of_kind(const struct groups *g, enum group_kind kind)
{
    return place(g, kind, UINT32_MAX) - place(g, kind, 0);
}

static uint32_t wanted(uint32_t n)
{
    return n < 2 ? 0 : n <= GROUP_OTHERS ? n : GROUP_OTHERS + 1;
}

int groups_reserve(struct groups *g, uint32_t workloads, uint32_t models)
{
    if (of_kind(g, GROUP_WORKLOAD) != wanted(workloads) || of_kind(g, GROUP_MODEL) != wanted(models)) groups_clear(g);
    return reserve_kind(g, GROUP_WORKLOAD, workloads) || reserve_kind(g, GROUP_MODEL, models) ? -1 : 0;
}

void groups_count(struct mix_group *g, enum counter c, uint64_t n)
{
    if (PLACE_OF_COUNTER[c]) g->counters[PLACE_OF_COUNTER[c] - 1] += n;
}

void groups_sample(struct mix_group *g, enum metric m, int64_t value, uint64_t n)
{
    if (PLACE_OF_METRIC[m]) (void)hist_record(g->hist[PLACE_OF_METRIC[m] - 1], value, n); /* dense: cannot fail */
}

int groups_add(struct groups *to, const struct groups *from)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct mix_group *part = &from->row[i];
        struct mix_group *sum = groups_at(to, part->kind, part->number);
        if (!sum) return -1;
        for (int c = 0; c < GROUP_COUNT_N; c++)
            sum->counters[c] += part->counters[c];
        for (int m = 0; m < GROUP_METRIC_N; m++) {
            if (!part->hist[m] || part->hist[m]->count == 0) continue;
            if (!sum->hist[m] && !(sum->hist[m] = hist_new())) return -1;
            if (hist_merge(sum->hist[m], part->hist[m])) return -1;
        }
    }
    return 0;
}

void groups_reset(struct groups *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        memset(g->row[i].counters, 0, sizeof g->row[i].counters);
        for (int m = 0; m < GROUP_METRIC_N; m++)
            if (g->row[i].hist[m]) hist_reset(g->row[i].hist[m]);
    }
}

void groups_clear(struct groups *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        for (int m = 0; m < GROUP_METRIC_N; m++)
            hist_destroy(&g->row[i].hist[m]);
    free(g->row);
    *g = (struct groups){0};
}

static bool has_samples(const struct mix_group *g, int m)
{
    return g->hist[m] && g->hist[m]->count > 0;
}

static bool is_empty(const struct mix_group *g)
{
    bool any = false;
    for (int c = 0; c < GROUP_COUNT_N; c++)
        any |= g->counters[c] > 0;
    for (int m = 0; m < GROUP_METRIC_N; m++)
        any |= has_samples(g, m);
    return !any;
}

static int encode_group(msgpack_packer *pk, const struct mix_group *g, struct buf *scratch)
{
    size_t n = 0;
    (void)msgpack_pack_uint32(pk, (uint32_t)g->kind);
    (void)msgpack_pack_uint32(pk, g->number);
    (void)msgpack_pack_array(pk, GROUP_COUNT_N);
    for (int c = 0; c < GROUP_COUNT_N; c++)
        (void)msgpack_pack_uint64(pk, g->counters[c]);
    for (int m = 0; m < GROUP_METRIC_N; m++)
        n += has_samples(g, m);
    (void)msgpack_pack_array(pk, 2 * n);
    for (int m = 0; m < GROUP_METRIC_N; m++) {
        if (!has_samples(g, m)) continue;
        buf_reset(scratch);
        if (hist_encode(g->hist[m], scratch)) return -1;
        (void)msgpack_pack_int(pk, m);
        (void)msgpack_pack_bin(pk, scratch->len);
        (void)msgpack_pack_bin_body(pk, scratch->data, scratch->len);
    }
    return 0;
}

int groups_encode(const struct groups *g, struct buf *out)
{
    struct buf scratch __attribute__((cleanup(buf_clear))) = BUF_INIT(HIST_BUCKETS * 10);
    msgpack_packer pk;
    size_t n = 0;
    msgpack_packer_init(&pk, out, buf_pack);
    for (uint32_t i = 0; i < g->n; i++)
        n += !is_empty(&g->row[i]);
    (void)msgpack_pack_array(&pk, n * FIELDS);
    for (uint32_t i = 0; i < g->n; i++)
        if (!is_empty(&g->row[i]) && encode_group(&pk, &g->row[i], &scratch)) return -1;
    return out->bad ? -1 : 0;
}

/* `to` NULL: past them. */
static int decode_hists(struct unpack *u, struct mix_group *to, struct err *e)
{
    uint32_t n, m, len, next = 0;
    const uint8_t *bytes;
    if (unpack_array(u, &n) || n % 2) return err_set(e, ERR_WIRE, "snapshot: histograms of a group are not a list");
    for (; n; n -= 2) {
        if (unpack_u32(u, &m) || m < next || m >= GROUP_METRIC_N || unpack_bytes(u, UINT32_MAX, &bytes, &len))
            return err_set(e, ERR_WIRE, "snapshot: a histogram of a group is of no metric, out of order or cut off");
        next = m + 1;
        if (!to) continue;
        if (!to->hist[m] && !(to->hist[m] = hist_new())) return err_set(e, ERR_NOMEM, "out of memory for a snapshot");
        if (hist_decode_add(to->hist[m], bytes, len, e))
            return err_context(e, "snapshot: metric %s of a group", METRICS[GROUP_METRICS[m]].name);
    }
    return 0;
}

/* Likewise. */
static int decode_counters(struct unpack *u, struct mix_group *to, struct err *e)
{
    uint32_t n;
    uint64_t value;
    if (unpack_array(u, &n) || n != GROUP_COUNT_N)
        return err_set(e, ERR_WIRE, "snapshot: counters of a group are not a list of %d", GROUP_COUNT_N);
    for (uint32_t c = 0; c < n; c++) {
        if (unpack_u64(u, &value)) return err_set(e, ERR_WIRE, "snapshot: a counter of a group is malformed");
        if (to) to->counters[c] += value;
    }
    return 0;
}

int groups_decode(struct unpack *u, struct groups *ret, struct err *e)
{
    uint32_t n, kind, number;
    uint64_t before = 0;
    if (unpack_array(u, &n) || n % FIELDS || n / FIELDS > GROUP_KIND_N * (GROUP_OTHERS + 1))
        return err_set(e, ERR_WIRE, "snapshot: its groups are not a list");
    for (; n; n -= FIELDS) {
        if (unpack_u32(u, &kind) || kind >= GROUP_KIND_N || unpack_u32(u, &number) || number > GROUP_OTHERS)
            return err_set(e, ERR_WIRE, "snapshot: a group of no workload and no model");
        uint64_t key = (uint64_t)kind * (GROUP_OTHERS + 1) + number + 1;
        if (key <= before) return err_set(e, ERR_WIRE, "snapshot: a group comes twice or out of order");
        before = key;
        struct mix_group *to = ret ? groups_at(ret, (enum group_kind)kind, number) : NULL;
        if (ret && !to) return err_set(e, ERR_NOMEM, "out of memory for a snapshot");
        if (decode_counters(u, to, e) || decode_hists(u, to, e)) return -1;
    }
    return 0;
}
