#include "agent/stage.h"

#include <stdlib.h>
#include <string.h>

#include "agent/host.h"
#include "common/clock.h"

/* A slot whose request failed waits this long before its next one, so that a server that is dead or refuses at once is
 * not hammered. While nothing ends ok, the time doubles with each round of the slots, up to a second: a wrong key must
 * not cause a flood. */
#define FAILURE_PAUSE_NS (10 * NS_PER_MS)
#define FAILURE_PAUSE_MOST_NS NS_PER_S
#define SWEEP_LEAST_NS (5 * NS_PER_MS)
#define SWEEP_MOST_NS (250 * NS_PER_MS)
enum { CANCEL_STREAM = 16 }; /* the users' own branch of the stage's seed */
#define BODY_MAX (64u << 20)
#define GAPS_AT_START (UINT64_C(4) << 20) /* 16 MiB of gaps; more is taken as it comes */

/* ---- time in flight ---- */

/* The part of [from, to) that lies in the window. */
static int64_t in_window(const struct stage *g, int64_t from, int64_t to)
{
    int64_t a = from > g->rec.window_from ? from : g->rec.window_from,
            b = to < g->rec.window_to ? to : g->rec.window_to;
    return b > a ? b - a : 0;
}

static void flight_to(struct stage *g, int64_t now)
{
    if (now <= g->flight_at) return;
    uint64_t n = g->n_open;
    g->rec.snap->series_inflight_ns += n * (uint64_t)(now - g->flight_at);
    g->rec.snap->counters[COUNTER_WIN_INFLIGHT_NS] += n * (uint64_t)in_window(g, g->flight_at, now);
    g->flight_at = now;
}

/* A request ended at `at` but was seen to end only now: it was not in flight in between. */
static void flight_correct(struct stage *g, int64_t at, int64_t now)
{
    uint64_t *series = &g->rec.snap->series_inflight_ns, *window = &g->rec.snap->counters[COUNTER_WIN_INFLIGHT_NS];
    uint64_t late = at < now ? (uint64_t)(now - at) : 0, late_window = (uint64_t)in_window(g, at, now);
    *series -= late < *series ? late : *series;
    *window -= late_window < *window ? late_window : *window;
}

/* ---- places ---- */

static int room_for(struct stage *g, uint32_t n, struct err *e)
{
    if (n <= g->room) return 0;
    uint32_t room = g->room ? g->room : 64;
    while (room < n)
        room *= 2;
    struct request ***lists[] = {&g->places, &g->idle, &g->open};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct request **more = realloc(*lists[i], room * sizeof *more);
        if (!more) return err_set(e, ERR_NOMEM, "no memory for %u requests", n);
        *lists[i] = more;
    }
    g->room = room;
    return 0;
}

static struct request *place_new(struct stage *g, struct err *e)
{
    if (room_for(g, g->n_places + 1, e) < 0) return NULL;
    struct request *r = calloc(1, sizeof *r);
    if (!r) {
        err_set(e, ERR_NOMEM, "no memory for a request");
        return NULL;
    }
    r->stage = g;
    r->body.max = BODY_MAX;
    uint32_t address = g->n_usable ? g->usable[g->next_usable++ % g->n_usable] : 0;
    transfer_init(&r->transfer, g->tr, r, address);
    g->places[g->n_places++] = r;
    return r;
}

void stage_drop_places(struct stage *g)
{
    for (uint32_t i = 0; i < g->n_places; i++) {
        transfer_clear(&g->places[i]->transfer);
        buf_free(&g->places[i]->body);
        free(g->places[i]);
    }
    free(g->places);
    free(g->idle);
    free(g->open);
    g->places = g->idle = g->open = NULL;
    g->n_places = g->n_idle = g->n_open = g->room = 0;
}

/* ---- one request ---- */

static struct address_count *counts_of(struct stage *g, const struct request *r)
{
    return per_address_row(&g->rec.snap->addresses, g->tr->target->address[r->transfer.address].text);
}

/* How long a closed loop's slot rests after its request. */
static int64_t rest(const struct stage *g, const struct stream *s, bool failed, int64_t at)
{
    int64_t least = g->tr->keeps == KEEPS_UNKNOWN ? KEEPS_PAUSE_NS : 0, pause = FAILURE_PAUSE_NS;
    for (uint64_t n = g->failed_on_end; n > g->shard.slots && pause < FAILURE_PAUSE_MOST_NS; n -= g->shard.slots)
        pause *= 2;
    if (pause > FAILURE_PAUSE_MOST_NS) pause = FAILURE_PAUSE_MOST_NS;
    int64_t until = failed ? s->t.sent + pause - at : 0;
    return until > least ? until : least;
}

/* The secrets of the headers, without the word for the scheme ("Bearer"). */
static size_t secrets_of(const struct target *t, struct wording_secret *ret, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_headers && n < most; i++) {
        if (!t->headers[i].secret) continue;
        const char *value = t->headers[i].value, *blank = strchr(value, ' ');
        if (blank) value = blank + 1;
        ret[n++] = (struct wording_secret){value, strlen(value)};
    }
    return n;
}

static void take_sample(struct stage *g, struct request *r, enum failure label, int64_t at)
{
    struct wording_secret secrets[4];
    struct failure_sample s = {.label = label, .at_ns = at - g->t0};
    if (!wording_wants(&g->wording, r, label)) return;
    size_t n = secrets_of(g->tr->target, secrets, sizeof secrets / sizeof *secrets);
    long status = r->transfer.status;
    s.status = status > 0 && status <= 999 ? (uint32_t)status : 0;
    memcpy(s.address, g->tr->target->address[r->transfer.address].text, sizeof s.address);
    wording_take(&g->wording, r, secrets, n, r->transfer.why ? r->transfer.why : r->stream.why, &s);
    (void)failure_samples_put(&g->rec.snap->failures, &s);
}

/* The stream has just failed by an event. */
static void hear_event(struct stage *g, struct request *r)
{
    if (!r->stream.error && !r->stream.malformed) return;
    wording_hear_event(&g->wording, r, g->pool->said, g->pool->said_n);
}

static void finish(struct stage *g, struct request *r, enum transport_end end, int64_t at, int64_t now)
{
    struct stream *s = &r->stream;
    const struct transfer *x = &r->transfer;
    s->t.dns_ns = x->dns_ns;
    s->t.tcp_ns = x->tcp_ns;
    s->t.tls_ns = x->tls_ns;
    if (at < s->t.sent) at = s->t.sent;
    flight_to(g, now);
    flight_correct(g, at, now);
    uint32_t before = s->events;
    bool good = !s->error && !s->malformed;
    enum counter outcome = stream_outcome(s, end, (int)x->status);
    if (good && s->t.first_event != 0) hear_event(g, r); /* a last event, perhaps */
    g->rec.snap->series_tokens += s->events - before;    /* tokens of a whole answer, or of a last line */
    recorder_end(&g->rec, s, outcome, at);
    if (g->refusal == 0 && x->status != 0 && (x->status < 200 || x->status > 299)) g->refusal = (int)x->status;
    struct address_count *counts = counts_of(g, r);
    counts->ok += outcome == COUNTER_OK;
    bool failed = counter_is_failure(outcome);
    counts->failed += failed;
    if (failed) take_sample(g, r, (enum failure)(outcome - COUNTER_FAILED_FIRST), at);
    wording_drop(&g->wording, r);
    g->failed_on_end = failed ? g->failed_on_end + 1 : 0;
    pacer_freed(&g->pacer, at, rest(g, s, failed, at));
    stream_release(s);
    g->open[r->at] = g->open[--g->n_open];
    g->open[r->at]->at = r->at;
    g->idle[g->n_idle++] = r;
}

/* A due request that is never sent is in the ledger all the same. */
static void finish_unsent(struct stage *g, const struct pacer_item *item, int64_t now)
{
    struct stream s;
    stream_begin(&s, &g->dialect, g->pool, g->rec.window_from, g->rec.window_to);
    s.t.due = item->due;
    s.t.free = item->free;
    recorder_end(&g->rec, &s, stream_outcome(&s, END_ABORTED, 0), now);
    stream_release(&s);
}

static int write_body(struct stage *g, struct request *r, uint64_t number)
{
    struct dialect_request ask;
    uint32_t input;
    if (workload_next(g->workload, number, &ask, &input) < 0) return -1;
    buf_reset(&r->body);
    if (g->dialect.write_body(&g->dialect, &ask, &r->body) < 0) return -1;
    r->stream.asked_tokens = ask.output_tokens;
    r->stream.prompt_tokens = input;
    return 0;
}

/* Whether and when the user of this request goes away. */
static void plan_cancel(struct stage *g, struct request *r, uint64_t number)
{
    struct rng rng;
    r->cancel_at = INT64_MAX;
    if (!(g->plan->cancel_fraction > 0)) return;
    rng_seed(&rng, seed_mix(g->shard.seed, CANCEL_STREAM, g->shard.part, number));
    if (rng_double(&rng) >= g->plan->cancel_fraction) return;
    r->cancel_at = r->stream.t.sent + (int64_t)dist_sample(&g->plan->cancel_after, &rng);
    if (r->cancel_at < g->cancel_next) g->cancel_next = r->cancel_at;
}

static void start(struct stage *g, const struct pacer_item *item)
{
    struct request *r = g->n_idle ? g->idle[--g->n_idle] : place_new(g, NULL);
    if (!r) {
        g->rec.snap->counters[COUNTER_DROPPED]++;
        finish_unsent(g, item, item->due);
        pacer_freed(&g->pacer, clock_mono_ns(), FAILURE_PAUSE_NS);
        return;
    }
    struct stream *s = &r->stream;
    stream_begin(s, &g->dialect, g->pool, g->rec.window_from, g->rec.window_to);
    s->t.due = item->due;
    s->t.free = item->free;
    s->t.dns_ns = s->t.tcp_ns = s->t.tls_ns = -1;
    int ready = write_body(g, r, item->number);
    if (g->shard.kind == LOAD_OPEN && g->n_usable > 1) r->transfer.address = g->usable[g->next_usable++ % g->n_usable];
    s->t.sent = s->t.handed = clock_mono_ns();
    plan_cancel(g, r, item->number);
    flight_to(g, s->t.sent);
    r->waits = false;
    r->at = g->n_open;
    g->open[g->n_open++] = r;
    if (g->n_open > g->in_flight_max) g->in_flight_max = g->n_open;
    recorder_sent(&g->rec);
    counts_of(g, r)->requests++;
    if (ready < 0) {
        g->rec.snap->counters[COUNTER_DROPPED]++;
        finish(g, r, END_REFUSED, s->t.sent, s->t.sent);
        return;
    }
    transport_start(g->tr, &r->transfer, buf_str(&r->body), r->body.len);
    if (!r->transfer.open) return;
    if (r->transfer.begun)
        s->t.written = clock_mono_ns();
    else
        r->waits = true;
}

/* ---- what the transport says ---- */

static void on_bytes(struct transfer *x, const char *bytes, size_t n, int64_t arrival)
{
    struct request *r = x->owner;
    struct stage *g = r->stage;
    struct stream *s = &r->stream;
    const struct transport *t = x->tr;
    /* without a stamp: how long the loop was away */
    int64_t lag = t->arrival ? t->now - arrival : t->away;
    if (arrival < s->last_read) arrival = s->last_read;
    if (arrival < s->t.sent) arrival = s->t.sent;
    /* A read has one stamp, that of its last bytes. All that is known of the others in a late read is that they came
     * while the loop was away. */
    uint32_t known = arrival == s->last_read || s->t.first_byte == 0 ? 0 : 1;
    int64_t late = t->now - arrival > t->away ? t->now - arrival : t->away;
    bool good = !s->error && !s->malformed;
    g->pool->said_n = 0;
    uint32_t events = stream_feed(s, bytes, n, arrival);
    if (s->t.first_event == 0)
        wording_hear(&g->wording, r, bytes, n); /* the body may be no stream */
    else if (good && (s->error || s->malformed))
        hear_event(g, r);
    else if (good && g->wording.who == r)
        wording_drop(&g->wording, r);
    if (events > known && late > g->plan->verdict_lag_ns) g->rec.snap->counters[COUNTER_BLURRED] += events - known;
    g->rec.snap->series_tokens += events;
    if (events) recorder_lag(&g->rec, lag, events);
}

static void on_other_bytes(struct transfer *x, const char *bytes, size_t n)
{
    struct request *r = x->owner;
    wording_hear(&r->stage->wording, r, bytes, n);
}

/* A request is sent when it is written on a connection that is ready. Its wait for a new connection lies before that
 * moment. */
static void on_writing(struct transfer *x)
{
    struct request *r = x->owner;
    struct timeline *t = &r->stream.t;
    t->sent = clock_mono_ns();
    if (!r->waits && t->written == 0) t->handed = t->sent; /* not when it is sent again */
}

static void on_end(struct transfer *x, enum transport_end end, int64_t arrival)
{
    struct request *r = x->owner;
    finish(r->stage, r, end, arrival, x->tr->now);
}

const struct transport_calls STAGE_CALLS = {
    .bytes = on_bytes, .other_bytes = on_other_bytes, .writing = on_writing, .end = on_end};

/* ---- the stage ---- */

static bool past(int64_t since, int64_t now, int64_t limit)
{
    return limit > 0 && now - since >= limit;
}

static void end_open(struct stage *g, struct request *r, enum transport_end end, int64_t now)
{
    transport_abort(&r->transfer);
    finish(g, r, end, now, now);
}

/* Timeouts of all open requests. Coarse on purpose: no timer per token. */
static void sweep(struct stage *g, int64_t now)
{
    const struct plan_target *p = &g->plan->target;
    for (uint32_t i = g->n_open; i-- > 0;) {
        struct request *r = g->open[i];
        const struct timeline *t = &r->stream.t;
        if (past(t->sent, now, p->timeout_total_ns))
            end_open(g, r, END_TIMEOUT_TOTAL, now);
        else if (!r->transfer.begun && past(t->sent, now, p->timeout_connect_ns))
            end_open(g, r, END_TIMEOUT_CONNECT, now);
        else if (t->first_token == 0 && !g->dialect.whole && past(t->sent, now, p->timeout_first_token_ns))
            end_open(g, r, END_TIMEOUT_FIRST_TOKEN, now);
        else if (t->first_token != 0 && past(t->last_token, now, p->timeout_idle_ns))
            end_open(g, r, END_TIMEOUT_IDLE, now);
    }
    g->sweep_at = now + g->sweep_every;
}

/* Cancels the requests of users who go away now. */
static void cancel_due(struct stage *g, int64_t now)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = g->n_open; i-- > 0;) {
        struct request *r = g->open[i];
        if (r->cancel_at <= now)
            end_open(g, r, END_CANCELLED, now);
        else if (r->cancel_at < next)
            next = r->cancel_at;
    }
    g->cancel_next = next;
}

static int64_t sweep_interval(const struct plan_target *p)
{
    const int64_t limits[] = {p->timeout_connect_ns, p->timeout_first_token_ns, p->timeout_idle_ns,
                              p->timeout_total_ns};
    int64_t least = SWEEP_MOST_NS * 64;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i] > 0 && limits[i] < least) least = limits[i];
    return least / 64 > SWEEP_LEAST_NS ? least / 64 : SWEEP_LEAST_NS;
}

int stage_arm(struct stage *g, struct shard *shard, const struct plan *plan, const struct corpus *const *corpora,
              struct transport *tr, uint32_t cap, struct err *e)
{
    g->shard = *shard;
    memset(shard, 0, sizeof *shard);
    g->plan = plan;
    g->tr = tr;
    g->cap = cap ? cap : 1;
    dialect_open(&plan->target, &g->dialect);
    g->shard.recorded = corpora ? corpora[0] : NULL;
    g->workload = workload_new(plan, corpora, &g->shard, e);
    if (!g->workload) return -1;
    double tokens = 0;
    for (size_t i = 0; i < plan->n_workloads; i++)
        if (dist_mean(&plan->workloads[i].output_tokens) > tokens)
            tokens = dist_mean(&plan->workloads[i].output_tokens);
    uint32_t slots = g->shard.kind == LOAD_CLOSED ? g->shard.slots : 64;
    if (g->shard.kind == LOAD_OPEN && g->shard.slots && g->shard.slots < slots) slots = g->shard.slots;
    double gaps = (tokens * 1.25 + GAP_CHUNK_WORDS) * slots; /* an open stream holds whole chunks */
    g->pool = gap_pool_new(gaps < (double)GAPS_AT_START ? (uint64_t)gaps : GAPS_AT_START, slots < 64 ? slots : 64, e);
    if (!g->pool) return -1;
    while (g->n_places < slots)
        if (!place_new(g, e)) return -1;
    g->n_idle = g->n_open = 0;
    for (uint32_t i = g->n_places; i-- > 0;)
        g->idle[g->n_idle++] = g->places[i];
    if (g->n_places > 0 && write_body(g, g->places[0], 0) < 0)
        return err_set(e, ERR_PLAN,
                       "no request can be written: target.body must be a JSON object, and a prompt fit into %u MiB",
                       BODY_MAX >> 20);
    return 0;
}

void stage_use_addresses(struct stage *g, const bool *good)
{
    g->n_usable = g->next_usable = 0;
    for (uint32_t i = 0; i < g->tr->target->n_addresses; i++)
        if (good[i]) g->usable[g->n_usable++] = i;
    for (uint32_t i = 0; g->n_usable > 0 && i < g->n_places; i++)
        g->places[i]->transfer.address = g->usable[g->next_usable++ % g->n_usable];
}

int stage_begin(struct stage *g, struct snapshot *snap, int64_t t0, struct err *e)
{
    if (pacer_init(&g->pacer, &g->shard, g->cap, t0, e) < 0) return -1;
    g->t0 = g->flight_at = t0;
    g->span_from = 0;
    g->closed = false;
    g->cancel_next = INT64_MAX;
    g->drain_until = g->shard.duration_ns > 0 ? t0 + g->shard.duration_ns + g->shard.drain_ns : INT64_MAX;
    g->sweep_every = sweep_interval(&g->plan->target);
    g->sweep_at = t0 + g->sweep_every;
    g->in_flight_max = g->wakes = 0;
    g->refusal = 0;
    wording_begin(&g->wording);
    g->failed_on_end = 0;
    g->steps_base = g->tr->clock.steps;
    g->throttled_base = g->counts_throttling ? host_throttled() : 0;
    recorder_begin(&g->rec, snap, t0 + g->shard.warmup_ns, g->pacer.end, g->plan->slo_request_ns);
    return 0;
}

static void tell_due(struct stage *g, int64_t now)
{
    int64_t due;
    while (pacer_due(&g->pacer, now, &due))
        recorder_due(&g->rec, due);
}

bool stage_may_load(const struct stage *g)
{
    int64_t until = g->allowed ? atomic_load_explicit(g->allowed, memory_order_relaxed) : INT64_MAX;
    return until == INT64_MAX || clock_mono_ns() < until;
}

void stage_pump(struct stage *g, int64_t now)
{
    struct pacer_item item;
    tell_due(g, now);
    while (!g->closed && stage_may_load(g) && pacer_take(&g->pacer, now, &item)) {
        tell_due(g, now);
        start(g, &item);
    }
}

/* No request starts any more; those that are due and wait for the cap never will. */
static void close_stage(struct stage *g, int64_t now)
{
    struct pacer_item item;
    g->closed = true;
    tell_due(g, now);
    while (pacer_abandon(&g->pacer, now, &item))
        finish_unsent(g, &item, now);
}

void stage_stop(struct stage *g, bool now_too, int64_t now)
{
    if (now < g->t0) now = g->t0;
    pacer_end(&g->pacer, now);
    if (now < g->rec.window_to) {
        flight_to(g, now);
        g->rec.window_to = now;
    }
    for (uint32_t i = 0; i < g->n_open; i++)
        g->open[i]->stream.window_to = g->rec.window_to;
    if (!g->closed) close_stage(g, now);
    int64_t until = now_too ? now : now + g->shard.drain_ns;
    if (until < g->drain_until) g->drain_until = until;
}

void stage_advance(struct stage *g, int64_t now)
{
    stage_pump(g, now);
    if (!g->closed && now >= g->pacer.end) close_stage(g, now);
    if (now >= g->cancel_next) cancel_due(g, now);
    if (now >= g->sweep_at) sweep(g, now);
    if (now >= g->drain_until)
        for (uint32_t i = g->n_open; i-- > 0;)
            end_open(g, g->open[i], END_ABORTED, now);
    if (!g->closed && g->n_open == 0 && pacer_exhausted(&g->pacer)) {
        g->closed = true;
        flight_to(g, now);
        if (now < g->rec.window_to) g->rec.window_to = now;
    }
}

int64_t stage_next(const struct stage *g)
{
    int64_t next = g->closed ? INT64_MAX : pacer_next(&g->pacer);
    if (!g->closed && g->pacer.end < next) next = g->pacer.end;
    if (g->n_open > 0 && g->sweep_at < next) next = g->sweep_at;
    if (g->n_open > 0 && g->cancel_next < next) next = g->cancel_next;
    if (g->n_open > 0 && g->drain_until < next) next = g->drain_until;
    return next;
}

bool stage_done(const struct stage *g)
{
    return g->closed && g->n_open == 0;
}

static void fill_counters(struct stage *g, const struct evidence *v, int64_t now)
{
    uint64_t *c = g->rec.snap->counters;
    const struct transport *t = g->tr;
    int64_t cpu, runq;
    evidence_read(v, &cpu, &runq);
    c[COUNTER_READS] = t->counts.reads;
    c[COUNTER_UNSTAMPED] = t->counts.unstamped;
    c[COUNTER_CONNECTIONS] = t->counts.connections;
    c[COUNTER_NOT_PROCESSED] = t->counts.not_processed;
    c[COUNTER_WAITING_BYTES_MAX] = t->counts.waiting_bytes_max;
    c[COUNTER_CLOCK_STEPS] = t->clock.steps - g->steps_base;
    c[COUNTER_WAKES] = g->wakes;
    c[COUNTER_CAPPED] = g->pacer.capped;
    c[COUNTER_CPU_NS] = c[COUNTER_CPU_MAX_NS] = (uint64_t)(cpu > 0 ? cpu : 0);
    c[COUNTER_RUNQ_NS] = (uint64_t)(runq > 0 ? runq : 0);
    c[COUNTER_INFLIGHT_MAX] = g->in_flight_max;
    if (g->counts_throttling) {
        uint64_t throttled = host_throttled();
        c[COUNTER_THROTTLED] = throttled > g->throttled_base ? throttled - g->throttled_base : 0;
    }
    c[COUNTER_MEASURED_NS] = (uint64_t)in_window(g, g->t0, now);
}

struct snapshot *stage_snapshot(struct stage *g, struct snapshot *empty, const struct evidence *v, int64_t now)
{
    struct snapshot *s = g->rec.snap;
    flight_to(g, now);
    if (!g->closed) tell_due(g, now);
    fill_counters(g, v, now);
    s->from_ns = g->span_from;
    s->to_ns = now - g->t0;
    s->in_flight = g->n_open;
    s->waiting = pacer_waiting(&g->pacer);
    g->span_from = s->to_ns;
    if (!empty) {
        g->rec.snap = NULL;
        return s;
    }
    recorder_swap(&g->rec, empty);
    return s;
}

void stage_clear(struct stage *g)
{
    for (uint32_t i = g->n_open; i-- > 0;) {
        transport_abort(&g->open[i]->transfer);
        stream_release(&g->open[i]->stream);
    }
    g->n_open = g->n_idle = 0;
    workload_destroy(&g->workload);
    gap_pool_destroy(&g->pool);
    pacer_clear(&g->pacer);
    shard_clear(&g->shard);
}
