#include "coordinator/report/export_mlperf_events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/counter.h"

#define PIECE (1u << 20)
#define ROOM_AT_FIRST 1024u

/* In the order of events of one moment. */
enum kind { SESSION_STARTED, TRACKING_STARTED, ISSUED, FIRST, ERROR, COMPLETE, TRACKING_STOPPED, SESSION_ENDED };
static const char *const NAMES[] = {
    "session.started", "session.start_performance_tracking", "sample.issued", "sample.recv_first", "error.generic",
    "sample.complete", "session.stop_performance_tracking",  "session.ended"};

struct request {
    uint64_t session;
    uint32_t agent, turn, number; /* number: in the order of the rows */
    uint32_t tokens, first;       /* of them in the first event */
    bool stream;                  /* there was a first event */
    const char *outcome;
};
struct event {
    int64_t at;   /* its place, from T0. A request stands where it became due, as the window counts it */
    int64_t when; /* what it says, from T0 */
    uint32_t request;
    enum kind kind;
};
struct log {
    const struct point *p;
    struct request *request;
    struct event *event;
    size_t n, room, n_events, room_events;
    int64_t t0, from, to; /* T0 on the wall clock; the measured window, from T0 */
    int64_t last_due;     /* in the window */
    uint64_t in_window;
};

static int add_event(struct log *l, enum kind kind, int64_t at, int64_t when, uint32_t request)
{
    if (l->n_events == l->room_events) {
        size_t room = l->room_events ? 2 * l->room_events : ROOM_AT_FIRST;
        struct event *more = realloc(l->event, room * sizeof *more);
        if (!more) return -1;
        l->event = more;
        l->room_events = room;
    }
    l->event[l->n_events++] = (struct event){.at = at, .when = when, .request = request, .kind = kind};
    return 0;
}

static struct request *add_request(struct log *l)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : ROOM_AT_FIRST;
        struct request *more = realloc(l->request, room * sizeof *more);
        if (!more) return NULL;
        l->request = more;
        l->room = room;
    }
    return &l->request[l->n++];
}

/* The counters' own name, which stays. */
static const char *outcome_name(const char *name)
{
    for (int c = 0; c < COUNTER_N; c++)
        if (strcmp(COUNTERS[c].name, name) == 0) return COUNTERS[c].name;
    return "unknown";
}

/* As METRIC_TPOT_SUFFIX counts where usage does not run along. What came at once has no time per token. */
static uint32_t first_tokens(const struct request_row *r)
{
    if (r->events < 2 || r->last_token <= r->first_token) return r->output;
    uint32_t first = (uint32_t)(((uint64_t)r->output + r->events / 2) / r->events);
    return first < r->output ? first : r->output;
}

static int take_row(void *arg, const struct request_data *r, struct err *e)
{
    struct log *l = arg;
    const struct request_row *row = &r->row;
    if (r->stage != l->p->stage || r->repeat != l->p->repeat) return 0;
    bool ok = strcmp(r->outcome, COUNTERS[COUNTER_OK].name) == 0;
    int64_t sent = row->due + (row->sent > 0 ? row->sent : 0), end = row->due + (ok && row->done >= 0 ? row->done
                                                                                 : row->ended >= 0    ? row->ended
                                                                                                      : 0);
    uint32_t i = (uint32_t)l->n;
    struct request *q = add_request(l);
    l->t0 = r->started_wall_ns;
    if (row->due >= l->from && row->due < l->to) {
        l->in_window++;
        if (row->due > l->last_due) l->last_due = row->due;
    }
    if (q)
        *q = (struct request){.session = row->session,
                              .agent = r->agent,
                              .turn = row->turn,
                              .number = i,
                              .tokens = row->output,
                              .first = first_tokens(row),
                              .stream = row->first_token >= 0,
                              .outcome = ok ? NULL : outcome_name(r->outcome)};
    if (end < sent) end = sent;
    if (!q || add_event(l, ISSUED, row->due, sent, i) ||
        (row->first_token >= 0 && add_event(l, FIRST, row->due + row->first_token, row->due + row->first_token, i)) ||
        (!ok && add_event(l, ERROR, end, end, i)) || add_event(l, COMPLETE, end, end, i))
        return err_set(e, ERR_NOMEM, "no memory for the events of %zu requests", l->n);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    return (x->request > y->request) - (x->request < y->request);
}

/* ---- as JSON ---- */

static void put_words(struct buf *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        (void)buf_puts(b, i ? " x" : "x");
}

/* ["TextModelOutput", ["x", " x x x"]]: what came first, and the rest; of a whole answer the text alone. */
static void put_output(struct buf *b, const struct request *q)
{
    (void)buf_puts(b, q->stream ? "[\"TextModelOutput\",[\"" : "[\"TextModelOutput\",\"");
    put_words(b, q->first);
    if (q->stream && q->first < q->tokens) {
        (void)buf_puts(b, "\",\" ");
        put_words(b, q->tokens - q->first);
    }
    (void)buf_puts(b, q->stream ? "\"]]" : "\"]");
}

static void put_event(struct buf *b, const struct log *l, const struct event *v)
{
    bool sample = v->kind >= ISSUED && v->kind <= COMPLETE;
    const struct request *q = sample ? &l->request[v->request] : NULL;
    (void)buf_printf(b, "{\"event_type\":\"%s\",\"timestamp_ns\":%" PRId64 ",\"sample_uuid\":\"", NAMES[v->kind],
                     l->t0 + v->when);
    if (q) (void)buf_printf(b, "%08" PRIx32 "%08" PRIx32 "%016" PRIx32, l->p->stage, q->agent, q->number);
    (void)buf_puts(b, "\",\"conversation_id\":\"");
    if (q && q->session) (void)buf_printf(b, "%" PRIu32 "-%" PRIu64, q->agent, q->session);
    if (q && q->session)
        (void)buf_printf(b, "\",\"turn\":%" PRIu32 ",\"data\":", q->turn);
    else
        (void)buf_puts(b, "\",\"turn\":null,\"data\":");
    if (v->kind == ERROR)
        (void)buf_printf(b, "[\"ErrorData\",\"%s\"]", q->outcome);
    else if (v->kind == COMPLETE && !q->outcome)
        put_output(b, q);
    else
        (void)buf_puts(b, "null");
    (void)buf_puts(b, "}\n");
}

static int put_all(struct log *l, const struct export_to *to, const char *file, struct err *e)
{
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    int rc = 0;
    qsort(l->event, l->n_events, sizeof *l->event, by_place);
    for (size_t i = 0; rc == 0 && i < l->n_events; i++) {
        put_event(&b, l, &l->event[i]);
        if (b.bad) rc = err_set(e, ERR_NOMEM, "%s: no memory", file);
        if (rc || b.len < PIECE) continue;
        rc = to->append(to->arg, file, &b, false, e);
        buf_reset(&b);
    }
    if (rc == 0) rc = to->append(to->arg, file, &b, true, e);
    buf_clear(&b);
    return rc;
}

/* The session, and its window, around them. */
static int add_session(struct log *l, struct err *e)
{
    int64_t first = 0, last = 0, stop = l->from + (int64_t)(l->p->window_s * 1e9);
    if (stop <= l->last_due) stop = l->last_due + 1;
    for (size_t i = 0; i < l->n_events; i++) {
        if (l->event[i].at < first) first = l->event[i].at;
        if (l->event[i].at > last) last = l->event[i].at;
    }
    if (stop > last) last = stop;
    if (add_event(l, SESSION_STARTED, first, first, 0) || add_event(l, TRACKING_STARTED, l->from, l->from, 0) ||
        add_event(l, TRACKING_STOPPED, stop - 1, stop, 0) || add_event(l, SESSION_ENDED, last, last, 0))
        return err_set(e, ERR_NOMEM, "no memory");
    return 0;
}

int mlperf_events_known(const struct analysis *a, struct err *e)
{
    if (plan_recorded(a->run->plan) >= 1) return 0;
    return err_set(e, ERR_USAGE,
                   "--events: the run kept no row for each of its requests: its plan asks for them with record: "
                   "{requests: true}");
}

int mlperf_events(const struct analysis *a, const struct export_to *to, const struct point *p, const char *file,
                  struct err *e)
{
    const struct plan_stage *s = &p->requested;
    struct log l = {.p = p, .from = s->warmup_ns, .to = s->duration_ns ? s->duration_ns : INT64_MAX, .last_due = -1};
    int rc = to->requests(to->arg, take_row, &l, e);
    if (rc == 0 && l.in_window != p->window_due)
        rc = err_set(e, ERR_USAGE,
                     "--events: the run kept %" PRIu64 " rows of the %" PRIu64
                     " requests in the window of %s; record.rows is %" PRIu64,
                     l.in_window, p->window_due, file, a->run->plan->record_rows);
    if (rc == 0) rc = add_session(&l, e);
    if (rc == 0) rc = put_all(&l, to, file, e);
    free(l.request);
    free(l.event);
    return rc;
}
