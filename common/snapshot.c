#include "common/snapshot.h"

#include <inttypes.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/unpack.h"
#include "common/wire.h"

/* On the wire: msgpack [fingerprint, from, to, the numbers of NUMBERS, [counters], [address, requests, ok, failed,
 * address …], [label, status, at, address, text, label …], [kind, at, text, kind …], [due, the columns of
 * request_row.def, due …], [groups, as group.h writes them], [metric, bytes, metric, bytes …]], kinds and metrics
 * ascending, empty ones left out. */
enum { FIELDS = 17, FAILURE_FIELDS = 5, REMARK_FIELDS = 3, ADDRESS_FIELDS = 4 };
#define REQUEST_FIELDS (1 + REQUEST_COLUMNS_N)
#define LATEST                                                                                                         \
    (10 * INT64_C(366) * 24 * 3600 * NS_PER_S) /* no stage is longer, so later arithmetic cannot overflow              \
                                                */

#define NUMBERS_N 7
#define NUMBERS(s)                                                                                                     \
    {                                                                                                                  \
        &(s)->in_flight, &(s)->waiting, &(s)->series_tokens, &(s)->series_done, &(s)->series_failed, &(s)->series_due, \
            &(s)->series_inflight_ns                                                                                   \
    }

void snapshot_destroy(struct snapshot **s)
{
    if (!*s) return;
    for (int i = 0; i < METRIC_N; i++)
        hist_destroy(&(*s)->hist[i]);
    request_rows_clear(&(*s)->requests);
    groups_clear(&(*s)->groups);
    free(*s);
    *s = NULL;
}

struct snapshot *snapshot_new(bool dense)
{
    struct snapshot *s = calloc(1, sizeof *s);
    for (int i = 0; s && dense && i < METRIC_N; i++) {
        s->hist[i] = hist_new_dense();
        if (!s->hist[i]) snapshot_destroy(&s);
    }
    return s;
}

void snapshot_reset(struct snapshot *s)
{
    memset(s, 0, offsetof(struct snapshot, hist));
    for (int i = 0; i < METRIC_N; i++)
        if (s->hist[i]) hist_reset(s->hist[i]);
    s->failures.n = 0;
    s->requests.n = 0;
    groups_reset(&s->groups);
}

static int merge_hists(struct snapshot *to, const struct snapshot *from)
{
    if (groups_add(&to->groups, &from->groups)) return -1;
    for (int i = 0; i < METRIC_N; i++) {
        if (!from->hist[i] || from->hist[i]->count == 0) continue;
        if (!to->hist[i]) to->hist[i] = hist_new();
        if (!to->hist[i] || hist_merge(to->hist[i], from->hist[i])) return -1;
    }
    return 0;
}

/* An address has another row in each snapshot. */
static void add_requests(struct snapshot *to, const struct snapshot *from)
{
    for (uint32_t i = 0; i < from->requests.n; i++) {
        const struct request_row *r = &from->requests.row[i];
        struct request_row *copy = request_rows_new(&to->requests);
        if (!copy) return;
        *copy = *r;
        if (r->address == REQUEST_NOWHERE) continue;
        const char *address =
            r->address < from->addresses.n ? from->addresses.row[r->address].address : PER_ADDRESS_OTHERS;
        copy->address = (uint32_t)(per_address_row(&to->addresses, address) - to->addresses.row);
    }
}

static void add_series(struct snapshot *to, const struct snapshot *part)
{
    to->series_tokens += part->series_tokens;
    to->series_done += part->series_done;
    to->series_failed += part->series_failed;
    to->series_due += part->series_due;
    to->series_inflight_ns += part->series_inflight_ns;
}

int snapshot_add(struct snapshot *to, const struct snapshot *part)
{
    bool empty = to->from_ns == to->to_ns;
    if (empty || part->from_ns < to->from_ns) to->from_ns = part->from_ns;
    if (empty || part->to_ns > to->to_ns) to->to_ns = part->to_ns;
    to->in_flight += part->in_flight;
    to->waiting += part->waiting;
    add_series(to, part);
    counters_add(to->counters, part->counters);
    per_address_add(&to->addresses, &part->addresses);
    failure_samples_add(&to->failures, &part->failures);
    remarks_add(&to->remarks, &part->remarks);
    add_requests(to, part);
    return merge_hists(to, part);
}

int snapshot_extend(struct snapshot *to, const struct snapshot *later)
{
    if (to->from_ns == to->to_ns) to->from_ns = later->from_ns;
    to->to_ns = later->to_ns;
    to->in_flight = later->in_flight;
    to->waiting = later->waiting;
    add_series(to, later);
    memcpy(to->counters, later->counters, sizeof to->counters);
    per_address_add(&to->addresses, &later->addresses);
    failure_samples_add(&to->failures, &later->failures);
    remarks_add(&to->remarks, &later->remarks);
    add_requests(to, later);
    return merge_hists(to, later);
}

static void pack_text(msgpack_packer *pk, const char *s, size_t size)
{
    size_t len = strnlen(s, size);
    (void)msgpack_pack_str(pk, len);
    (void)msgpack_pack_str_body(pk, s, len);
}

static void pack_addresses(msgpack_packer *pk, const struct per_address *p)
{
    (void)msgpack_pack_array(pk, (size_t)p->n * ADDRESS_FIELDS);
    for (uint32_t i = 0; i < p->n; i++) {
        const struct address_count *a = &p->row[i];
        pack_text(pk, a->address, sizeof a->address);
        (void)msgpack_pack_uint64(pk, a->requests);
        (void)msgpack_pack_uint64(pk, a->ok);
        (void)msgpack_pack_uint64(pk, a->failed);
    }
}

static void pack_failures(msgpack_packer *pk, const struct failure_samples *f)
{
    (void)msgpack_pack_array(pk, (size_t)f->n * FAILURE_FIELDS);
    for (uint32_t i = 0; i < f->n; i++) {
        const struct failure_sample *s = &f->row[i];
        (void)msgpack_pack_uint32(pk, (uint32_t)s->label);
        (void)msgpack_pack_uint32(pk, s->status);
        (void)msgpack_pack_int64(pk, s->at_ns);
        pack_text(pk, s->address, sizeof s->address);
        pack_text(pk, s->text, sizeof s->text);
    }
}

static void pack_remarks(msgpack_packer *pk, const struct remarks *r)
{
    size_t n = 0;
    for (int k = 0; k < REMARK_N; k++)
        n += r->of[k].text[0] != 0;
    (void)msgpack_pack_array(pk, n * REMARK_FIELDS);
    for (int k = 0; k < REMARK_N; k++) {
        if (!r->of[k].text[0]) continue;
        (void)msgpack_pack_int(pk, k);
        (void)msgpack_pack_int64(pk, r->of[k].at_ns);
        pack_text(pk, r->of[k].text, sizeof r->of[k].text);
    }
}

static void pack_requests(msgpack_packer *pk, const struct request_rows *rows)
{
    (void)msgpack_pack_array(pk, (size_t)rows->n * REQUEST_FIELDS);
    for (uint32_t i = 0; i < rows->n; i++) {
        (void)msgpack_pack_int64(pk, rows->row[i].due);
        for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++)
            (void)msgpack_pack_int64(pk, request_row_get(&rows->row[i], c));
    }
}

static int pack_hists(msgpack_packer *pk, const struct snapshot *s)
{
    size_t n = 0;
    for (int i = 0; i < METRIC_N; i++)
        n += s->hist[i] && s->hist[i]->count;
    (void)msgpack_pack_array(pk, 2 * n);
    struct buf bytes __attribute__((cleanup(buf_clear))) = BUF_INIT(HIST_BUCKETS * 10);
    for (int i = 0; i < METRIC_N; i++) {
        if (!s->hist[i] || s->hist[i]->count == 0) continue;
        buf_reset(&bytes);
        if (hist_encode(s->hist[i], &bytes)) return -1;
        (void)msgpack_pack_int(pk, i);
        (void)msgpack_pack_bin(pk, bytes.len);
        (void)msgpack_pack_bin_body(pk, bytes.data, bytes.len);
    }
    return 0;
}

int snapshot_encode(const struct snapshot *s, struct buf *out)
{
    const uint64_t *const numbers[NUMBERS_N] = NUMBERS(s);
    msgpack_packer pk;
    msgpack_packer_init(&pk, out, buf_pack);
    (void)msgpack_pack_array(&pk, FIELDS);
    (void)msgpack_pack_uint64(&pk, wire_fingerprint());
    (void)msgpack_pack_int64(&pk, s->from_ns);
    (void)msgpack_pack_int64(&pk, s->to_ns);
    for (int i = 0; i < NUMBERS_N; i++)
        (void)msgpack_pack_uint64(&pk, *numbers[i]);
    (void)msgpack_pack_array(&pk, COUNTER_N);
    for (int i = 0; i < COUNTER_N; i++)
        (void)msgpack_pack_uint64(&pk, s->counters[i]);
    pack_addresses(&pk, &s->addresses);
    pack_failures(&pk, &s->failures);
    pack_remarks(&pk, &s->remarks);
    pack_requests(&pk, &s->requests);
    if (groups_encode(&s->groups, out)) return -1;
    if (pack_hists(&pk, s)) return -1;
    return out->bad ? -1 : 0;
}

static int read_counters(struct unpack *u, struct snapshot *ret, struct err *e)
{
    uint32_t n;
    if (unpack_array(u, &n)) return err_set(e, ERR_WIRE, "snapshot: its counters are not a list");
    if (n != COUNTER_N)
        return err_set(e, ERR_WIRE, "snapshot: %" PRIu32 " counters, this program has %d", n, COUNTER_N);
    for (uint32_t i = 0; i < n; i++)
        if (unpack_u64(u, &ret->counters[i]))
            return err_set(e, ERR_WIRE, "snapshot: counter %s is malformed", COUNTERS[i].name);
    return 0;
}

static int read_addresses(struct unpack *u, struct per_address *ret, struct err *e)
{
    uint32_t n, len;
    const char *text;
    if (unpack_array(u, &n) || n % ADDRESS_FIELDS || n / ADDRESS_FIELDS > PER_ADDRESS_MAX + 1)
        return err_set(e, ERR_WIRE, "snapshot: its addresses are not a list");
    for (; n; n -= ADDRESS_FIELDS) {
        struct address_count *a = &ret->row[ret->n];
        if (unpack_text(u, sizeof a->address - 1, &text, &len) || len == 0 || unpack_u64(u, &a->requests) ||
            unpack_u64(u, &a->ok) || unpack_u64(u, &a->failed))
            return err_set(e, ERR_WIRE, "snapshot: counts of an address are malformed");
        memcpy(a->address, text, len);
        ret->n++;
    }
    return 0;
}

static int read_text(struct unpack *u, char *ret, size_t size)
{
    uint32_t len;
    const char *text;
    if (unpack_text(u, (uint32_t)size - 1, &text, &len)) return -1;
    memcpy(ret, text, len);
    ret[len] = '\0';
    return 0;
}

/* Rows, and with ret NULL past them. */
static int read_failures(struct unpack *u, struct failure_samples *ret, struct err *e)
{
    struct failure_sample skipped;
    uint32_t n, label, next = 0;
    if (unpack_array(u, &n) || n % FAILURE_FIELDS || n / FAILURE_FIELDS > FAILURE_N)
        return err_set(e, ERR_WIRE, "snapshot: its failures are not a list");
    for (; n; n -= FAILURE_FIELDS) {
        struct failure_sample *s = ret ? &ret->row[ret->n] : &skipped;
        if (unpack_u32(u, &label) || label < next || label >= FAILURE_N)
            return err_set(e, ERR_WIRE, "snapshot: a failure of no label, or out of order");
        next = label + 1;
        s->label = (enum failure)label;
        if (unpack_u32(u, &s->status) || unpack_i64(u, &s->at_ns) || read_text(u, s->address, sizeof s->address) ||
            read_text(u, s->text, sizeof s->text) || s->status > 999 || s->at_ns < -LATEST || s->at_ns > LATEST)
            return err_set(e, ERR_WIRE, "snapshot: failure %s is malformed", FAILURES[label].name);
        if (ret) ret->n++;
    }
    return 0;
}

/* Rows, and with ret NULL past them. */
static int read_remarks(struct unpack *u, struct remarks *ret, struct err *e)
{
    struct remark skipped;
    uint32_t n, kind, next = 0;
    if (unpack_array(u, &n) || n % REMARK_FIELDS || n / REMARK_FIELDS > REMARK_N)
        return err_set(e, ERR_WIRE, "snapshot: its remarks are not a list");
    for (; n; n -= REMARK_FIELDS) {
        if (unpack_u32(u, &kind) || kind < next || kind >= REMARK_N)
            return err_set(e, ERR_WIRE, "snapshot: a remark of no kind, or out of order");
        next = kind + 1;
        struct remark *r = ret ? &ret->of[kind] : &skipped;
        if (unpack_i64(u, &r->at_ns) || read_text(u, r->text, sizeof r->text) || !r->text[0] || r->at_ns < -LATEST ||
            r->at_ns > LATEST)
            return err_set(e, ERR_WIRE, "snapshot: remark %s is malformed", REMARK_NAMES[kind]);
    }
    return 0;
}

static int read_request(struct unpack *u, uint32_t addresses, struct request_row *ret)
{
    static const int64_t MOST[] = {[REQUEST_NUMBER] = INT64_MAX,
                                   [REQUEST_SMALL] = UINT32_MAX,
                                   [REQUEST_OUTCOME] = COUNTER_N - 1,
                                   [REQUEST_ADDRESS] = UINT32_MAX,
                                   [REQUEST_MOMENT] = LATEST};
    if (unpack_i64(u, &ret->due) || ret->due < -LATEST || ret->due > LATEST) return -1;
    for (uint32_t c = 0; c < REQUEST_COLUMNS_N; c++) {
        enum request_kind kind = REQUEST_COLUMNS[c].kind;
        int64_t value;
        if (unpack_i64(u, &value) || value < (kind == REQUEST_MOMENT ? REQUEST_NONE : 0) || value > MOST[kind])
            return -1;
        request_row_set(ret, c, value);
    }
    return ret->address < addresses || ret->address == REQUEST_NOWHERE ? 0 : -1;
}

static int read_requests_head(struct unpack *u, uint32_t *ret_n, struct err *e)
{
    if (unpack_array(u, ret_n) || *ret_n % REQUEST_FIELDS || *ret_n / REQUEST_FIELDS > REQUEST_ROWS_MAX)
        return err_set(e, ERR_WIRE, "snapshot: its requests are not a list");
    *ret_n /= REQUEST_FIELDS;
    return 0;
}

static int read_requests(struct unpack *u, struct request_rows *ret, uint32_t addresses, struct err *e)
{
    uint32_t n;
    if (read_requests_head(u, &n, e)) return -1;
    for (; n; n--) {
        struct request_row *r = request_rows_new(ret);
        if (!r) return err_set(e, ERR_NOMEM, "out of memory for a snapshot");
        if (read_request(u, addresses, r)) return err_set(e, ERR_WIRE, "snapshot: the row of a request is malformed");
    }
    return 0;
}

/* The next histogram of n more: its metric and its bytes. */
static int next_hist(struct unpack *u, uint32_t *io_next, uint32_t *ret_id, const uint8_t **ret, uint32_t *ret_len,
                     struct err *e)
{
    uint32_t id;
    if (unpack_u32(u, &id)) return err_set(e, ERR_WIRE, "snapshot: malformed metric number");
    if (id >= METRIC_N) return err_set(e, ERR_WIRE, "snapshot: unknown metric %" PRIu32, id);
    if (id < *io_next) return err_set(e, ERR_WIRE, "snapshot: metric %s comes twice or out of order", METRICS[id].name);
    if (unpack_bytes(u, UINT32_MAX, ret, ret_len))
        return err_set(e, ERR_WIRE, "snapshot: metric %s is cut off", METRICS[id].name);
    *io_next = id + 1;
    *ret_id = id;
    return 0;
}

static int decode_failed(struct err *e, uint32_t id, bool empty)
{
    return empty ? err_set(e, ERR_WIRE, "snapshot: metric %s is empty", METRICS[id].name)
                 : err_context(e, "snapshot: metric %s", METRICS[id].name);
}

static int read_hists(struct unpack *u, struct snapshot *ret, bool known, struct err *e)
{
    uint32_t n, id, len, next = 0;
    const uint8_t *bytes;
    if (unpack_array(u, &n) || n % 2) return err_set(e, ERR_WIRE, "snapshot: its histograms are not a list");
    for (; n; n -= 2) {
        if (next_hist(u, &next, &id, &bytes, &len, e)) return -1;
        if (!ret->hist[id] && !(ret->hist[id] = hist_new()))
            return err_set(e, ERR_NOMEM, "out of memory for a snapshot");
        int rc = (known ? hist_decode_add_known : hist_decode_add)(ret->hist[id], bytes, len, e);
        if (rc || ret->hist[id]->count == 0) return decode_failed(e, id, rc == 0);
    }
    return 0;
}

static int read_sparse(struct unpack *u, struct hist_sparse ret[METRIC_N], struct err *e)
{
    uint32_t n, id, len, next = 0;
    const uint8_t *bytes;
    if (unpack_array(u, &n) || n % 2) return err_set(e, ERR_WIRE, "snapshot: its histograms are not a list");
    for (; n; n -= 2) {
        if (next_hist(u, &next, &id, &bytes, &len, e)) return -1;
        int rc = hist_sparse_decode(&ret[id], bytes, len, e);
        if (rc || ret[id].whole.count == 0) return decode_failed(e, id, rc == 0);
    }
    return 0;
}

/* Up to the histograms, which come last. */
static int read_front(struct snapshot *ret, struct unpack *u, struct err *e)
{
    uint64_t *const numbers[NUMBERS_N] = NUMBERS(ret);
    uint32_t n;
    uint64_t tables;
    if (unpack_array(u, &n) || n == 0 || unpack_u64(u, &tables))
        return err_set(e, ERR_WIRE, "snapshot: malformed head");
    if (tables != wire_fingerprint())
        return err_set(e, ERR_WIRE, "snapshot: of tables %016" PRIx64 ", this program has %016" PRIx64, tables,
                       wire_fingerprint());
    if (n != FIELDS) return err_set(e, ERR_WIRE, "snapshot: %" PRIu32 " fields, expected %d", n, FIELDS);
    if (unpack_i64(u, &ret->from_ns) || unpack_i64(u, &ret->to_ns))
        return err_set(e, ERR_WIRE, "snapshot: malformed span");
    if (ret->from_ns < -LATEST || ret->to_ns < ret->from_ns || ret->to_ns > LATEST)
        return err_set(e, ERR_WIRE, "snapshot: impossible span from %" PRId64 " to %" PRId64, ret->from_ns, ret->to_ns);
    for (int i = 0; i < NUMBERS_N; i++)
        if (unpack_u64(u, numbers[i])) return err_set(e, ERR_WIRE, "snapshot: malformed number %d", i);
    if (read_counters(u, ret, e) || read_addresses(u, &ret->addresses, e) || read_failures(u, &ret->failures, e) ||
        read_remarks(u, &ret->remarks, e) || read_requests(u, &ret->requests, ret->addresses.n, e) ||
        groups_decode(u, &ret->groups, e))
        return -1;
    return 0;
}

static int at_end(const struct unpack *u, struct err *e)
{
    return u->at == u->end ? 0 : err_set(e, ERR_WIRE, "snapshot: bytes after its end");
}

int snapshot_decode(struct snapshot *ret, const void *bytes, size_t n, struct err *e)
{
    struct unpack u = {bytes, (const uint8_t *)bytes + n};
    snapshot_reset(ret);
    if (n == 0) return err_set(e, ERR_WIRE, "snapshot: empty");
    int rc = read_front(ret, &u, e) || read_hists(&u, ret, false, e) || at_end(&u, e) ? -1 : 0;
    if (rc) snapshot_reset(ret);
    return rc;
}

int snapshot_decode_sparse(struct snapshot *ret, struct hist_sparse hist[METRIC_N], const void *bytes, size_t n,
                           struct snapshot_bytes *ret_hists, struct err *e)
{
    struct unpack u = {bytes, (const uint8_t *)bytes + n};
    snapshot_reset(ret);
    for (int k = 0; k < METRIC_N; k++) {
        hist[k].whole.count = 0;
        hist[k].n = 0;
    }
    if (n == 0) return err_set(e, ERR_WIRE, "snapshot: empty");
    if (read_front(ret, &u, e)) return -1;
    *ret_hists = (struct snapshot_bytes){u.at, (size_t)(u.end - u.at)};
    return read_sparse(&u, hist, e) || at_end(&u, e) ? -1 : 0;
}

/* Past all that comes before the rows of requests; `ret`: the addresses. */
static int skip_to_requests(struct unpack *u, struct per_address *ret)
{
    uint32_t fields, counters;
    int64_t span;
    uint64_t number;
    if (unpack_array(u, &fields) || fields != FIELDS) return -1;
    if (unpack_u64(u, &number)) return -1;
    for (int i = 0; i < 2; i++)
        if (unpack_i64(u, &span)) return -1;
    for (int i = 0; i < NUMBERS_N; i++)
        if (unpack_u64(u, &number)) return -1;
    if (unpack_array(u, &counters)) return -1;
    for (; counters; counters--)
        if (unpack_u64(u, &number)) return -1;
    return read_addresses(u, ret, NULL) || read_failures(u, NULL, NULL) || read_remarks(u, NULL, NULL) ? -1 : 0;
}

int snapshot_each_request(const void *bytes, size_t n,
                          int (*each)(void *arg, const struct request_row *r, const char *address), void *arg)
{
    struct unpack u = {bytes, (const uint8_t *)bytes + n};
    struct per_address addresses = {0};
    struct request_row row = {0};
    uint32_t left;
    if (skip_to_requests(&u, &addresses) || read_requests_head(&u, &left, NULL)) return -1;
    for (; left; left--) {
        if (read_request(&u, addresses.n, &row)) return -1;
        int rc = each(arg, &row, row.address == REQUEST_NOWHERE ? "" : addresses.row[row.address].address);
        if (rc) return rc;
    }
    return 0;
}

int snapshot_add_hists(struct snapshot *to, const void *hists, size_t n, struct err *e)
{
    struct unpack u = {hists, (const uint8_t *)hists + n};
    return read_hists(&u, to, true, e) || at_end(&u, e) ? -1 : 0;
}
