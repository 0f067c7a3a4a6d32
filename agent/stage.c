#include "agent/stage.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/host.h"
#include "common/clock.h"

/* A slot whose request failed waits this long before its next one, so that a server that is dead or refuses at once is
 * not hammered. While nothing ends ok, the time doubles with each round of the slots, up to a second: a wrong key must
 * not cause a flood. */
#define FAILURE_PAUSE_NS (10 * NS_PER_MS)
#define FAILURE_PAUSE_MOST_NS NS_PER_S
#define SWEEP_LEAST_NS (5 * NS_PER_MS)
#define SWEEP_MOST_NS (250 * NS_PER_MS)
enum { CANCEL_STREAM = 16 };              /* the users' own branch of the stage's seed */
#define GAPS_AT_START (UINT64_C(4) << 20) /* 16 MiB of gaps; more is taken as it comes */

/* ---- one request ---- */

static struct address_count *counts_of(struct stage *st, const struct request *r)
{
    return per_address_row(&st->rec.snap->addresses, st->tr->target->address[r->transfer.address].text);
}

/* How long a closed loop's slot rests after its request. Only a connection that is left for the next one is waited for:
 * where the response ended with its connection, or a tail is left on it, the next request has another. */
static int64_t rest(struct stage *st, const struct request *r, bool failed, int64_t at)
{
    int64_t least = st->tr->keeps == KEEPS_UNKNOWN && r->transfer.kept ? KEEPS_PAUSE_NS : 0, pause = FAILURE_PAUSE_NS;
    if (!failed && atomic_load_explicit(st->failed_on_end, memory_order_relaxed) > 0)
        atomic_store_explicit(st->failed_on_end, 0, memory_order_relaxed);
    uint64_t n = failed ? atomic_fetch_add_explicit(st->failed_on_end, 1, memory_order_relaxed) + 1 : 0;
    for (; n > st->agent_slots && pause < FAILURE_PAUSE_MOST_NS; n -= st->agent_slots)
        pause *= 2;
    if (pause > FAILURE_PAUSE_MOST_NS) pause = FAILURE_PAUSE_MOST_NS;
    int64_t until = failed ? r->stream.t.sent + pause - at : 0;
    if (until > 0 && st->shard.kind == LOAD_CLOSED)
        st->rec.snap->counters[COUNTER_WIN_REST_NS] += (uint64_t)stage_in_window(st, at, at + until);
    return until > least ? until : least;
}

/* The place is free again. */
static void put_back(struct stage *st, struct request *r)
{
    r->body.made = NULL;
    st->idle[st->n_idle++] = r;
}

static void keep_row(struct stage *st, const struct request *r, enum counter outcome, int64_t at)
{
    if (!row_wanted(st->recorded, st->shard.seed, st->shard.part, r->number)) return;
    const struct row_request q = {.number = r->number,
                                  .workload = r->choice.workload,
                                  .model = r->choice.model,
                                  .session = stage_session(st, r),
                                  .turn = r->stream.turn,
                                  .tries = r->tries,
                                  .status = r->transfer.status,
                                  .t0 = st->t0};
    row_put(st->rec.snap, &q, &r->stream, outcome, st->tr->target->address[r->transfer.address].text, at);
}

/* Begins the stream of a try; moments of the request stay. */
static void begin_stream(struct stage *st, struct request *r)
{
    struct stream *s = &r->stream;
    struct timeline t = s->t;
    uint32_t asked = s->asked_tokens, prompt = s->prompt_tokens, turn = s->turn;
    uint32_t beside = s->prompt_beside, repeated = s->prompt_repeated;
    bool guessed = s->prompt_guessed, by_usage = s->prompt_by_usage;
    struct buf *text = s->text;
    stream_begin(s, &st->dialect, st->pool, st->rec.window_from, st->rec.window_to);
    s->t.due = t.due;
    s->t.free = t.free;
    s->t.sent = t.sent;
    s->t.handed = t.handed;
    s->asked_tokens = asked;
    s->prompt_tokens = prompt;
    s->prompt_beside = beside;
    s->prompt_repeated = repeated;
    s->prompt_guessed = guessed;
    s->prompt_by_usage = by_usage;
    s->turn = turn;
    s->text = text;
    s->look = &st->look;
    if (text) buf_reset(text);
}

/* Whether a failed try is not the request's end. */
static bool send_again(struct stage *st, struct request *r, enum counter outcome, int64_t at)
{
    const struct plan_retries *p = &st->plan->retries;
    if (p->max == 0 || r->stream.events > 0 || at >= st->drain_until) return false;
    enum retry_answer a = retry_ask(p, outcome, r->transfer.status, r->tries, st->rec.snap->counters);
    if (a == RETRY_DENIED) st->rec.snap->counters[COUNTER_RETRIES_DENIED]++;
    if (a != RETRY_YES) return false;
    int64_t wait = retry_wait(p, r->tries);
    if (r->after_ns > wait) {
        wait = r->after_ns;
        int64_t total = st->plan->target.timeout_total_ns;
        if (total > 0 && at + wait >= r->stream.t.sent + total) {
            st->rec.snap->counters[COUNTER_RETRIES_TOO_LATE]++; /* it would only time out while it waits */
            return false;
        }
    }
    stage_take_retry(st, r, (enum failure)(outcome - COUNTER_FAILED_FIRST), at);
    recorder_retry(&st->rec, &r->stream, outcome);
    counts_of(st, r)->failed++;
    wording_drop(&st->wording, r);
    stream_clear(&r->stream);
    begin_stream(st, r);
    r->transfer.status = 0;
    due_heap_add(&st->again, &r->again, at + wait);
    return true;
}

/* The slot is free at `at`. `closed`: so is the response; else its tail is left, and the place stays taken. */
static void finish(struct stage *st, struct request *r, enum transport_end end, int64_t at, int64_t now, bool closed)
{
    struct stream *s = &r->stream;
    const struct transfer *x = &r->transfer;
    stage_take_times(r);
    if (at < s->t.sent) at = s->t.sent;
    bool waits = r->again.place != 0; /* to be sent again */
    if (waits && end == END_TIMEOUT_TOTAL)
        r->transfer.why = "its time was over while it waited to be sent again (load.retries)";
    due_heap_remove(&st->again, &r->again);
    tails_remove(&r->tail);
    s->t.closed = closed ? at : 0;
    stage_flight_to(st, now);
    uint32_t before = s->events;
    bool good = !s->error && !s->malformed;
    st->pool->said_n = 0;
    enum counter outcome = stream_outcome(s, end, (int)x->status);
    if (good && s->t.first_event != 0) stage_hear_event(st, r); /* a last event, or lines between them, perhaps */
    if (st->look.is_new) stage_take_remarks(st, r, at);
    st->rec.snap->series_tokens += s->events - before; /* tokens of a whole answer, or of a last line */
    if (st->refusal == 0 && x->status != 0 && (x->status < 200 || x->status > 299)) st->refusal = (int)x->status;
    if (closed && send_again(st, r, outcome, at)) return;
    stage_flight_correct(st, at, now);
    recorder_of(&st->rec, r->choice.workload, r->choice.model);
    recorder_status(&st->rec, outcome, (uint32_t)x->status);
    recorder_end(&st->rec, s, outcome, at);
    if (waits && outcome != COUNTER_CANCELLED) st->rec.snap->counters[COUNTER_RETRIES_CUT]++;
    struct address_count *counts = counts_of(st, r);
    counts->ok += outcome == COUNTER_OK;
    bool failed = counter_is_failure(outcome);
    counts->failed += failed;
    if (st->recorded > 0) keep_row(st, r, outcome, at);
    if (failed) stage_take_failure(st, r, (enum failure)(outcome - COUNTER_FAILED_FIRST), at);
    wording_drop(&st->wording, r);
    int64_t pause = rest(st, r, failed, at);
    if (r->node)
        stage_tree_ended(st, r->node, s, outcome, at, pause);
    else
        pacer_freed(&st->pacer, at, stage_talk_ended(st, r, outcome, at, pause));
    stream_clear(s);
    st->open[r->at] = st->open[--st->n_open];
    st->open[r->at]->at = r->at;
    r->ended = !closed;
    r->tail_counts = outcome == COUNTER_OK;
    if (closed) put_back(st, r);
}

/* ---- tails ---- */

/* The response is over, or is not waited for any longer. */
static void tail_over(struct stage *st, struct request *r, int64_t at)
{
    tails_remove(&r->tail);
    if (r->tail_counts) recorder_tail(&st->rec, &r->stream, at);
    r->ended = false;
    put_back(st, r);
}

static void tail_close(struct stage *st, int64_t now)
{
    struct request *r = st->tails.first->owner;
    transport_abort(&r->transfer);
    tail_over(st, r, now);
}

/* The end marker was seen some time ago, and the response is still open: its slot is free, the connection stays with
 * the tail for a while. */
static void let_go(struct stage *st, struct request *r, int64_t now)
{
    finish(st, r, END_COMPLETE, r->tail.due, now, false);
    r->tail.owner = r;
    tails_append(&st->tails, &r->tail, now + TAIL_MAX_NS);
    if (st->tails.n > st->tails_max) tail_close(st, now);
}

static void tails_advance(struct stage *st, int64_t now)
{
    while (tails_due(&st->ending) <= now)
        let_go(st, st->ending.first->owner, now);
    while (tails_due(&st->tails) <= now || (st->tails.n > 0 && now >= st->drain_until))
        tail_close(st, now);
}

/* A due request that is never sent is in the ledger all the same. */
static void finish_unsent(struct stage *st, const struct pacer_item *item, int64_t now)
{
    struct stream s;
    stream_begin(&s, &st->dialect, st->pool, st->rec.window_from, st->rec.window_to);
    s.t.due = item->due;
    s.t.free = item->free;
    enum counter outcome = stream_outcome(&s, END_ABORTED, 0);
    recorder_end(&st->rec, &s, outcome, now);
    if (row_wanted(st->recorded, st->shard.seed, st->shard.part, item->number))
        row_put(st->rec.snap, &(struct row_request){.number = item->number, .t0 = st->t0}, &s, outcome, NULL, now);
    stream_clear(&s);
}

/* Whether and when the user of this request goes away. */
static void plan_cancel(struct stage *st, struct request *r, uint64_t number)
{
    struct rng rng;
    r->cancel_at = INT64_MAX;
    if (!(st->plan->cancel_fraction > 0)) return;
    rng_seed(&rng, rng_mix(st->shard.seed, CANCEL_STREAM, st->shard.part, number));
    if (rng_double(&rng) >= st->plan->cancel_fraction) return;
    r->cancel_at = r->stream.t.sent + (int64_t)dist_sample(&st->plan->cancel_after, &rng);
    if (r->cancel_at < st->cancel_next) st->cancel_next = r->cancel_at;
}

/* A try begins. */
static void hand_over(struct stage *st, struct request *r, int64_t now)
{
    r->tries++;
    r->tried = now;
    r->after_ns = -1;
    r->waits = false;
    transport_start(st->tr, &r->transfer, &r->body);
    if (!r->transfer.open) return;
    if (r->transfer.begun)
        r->stream.t.written = clock_mono_ns();
    else
        r->waits = true;
}

/* `node`: of a session tree; else NULL. */
static void start(struct stage *st, const struct pacer_item *item, struct tree_node *node)
{
    struct request *r = stage_take_made(st, item->number);
    const bool made = r != NULL;
    if (!made) r = stage_take_place(st);
    if (!r) {
        st->rec.snap->counters[COUNTER_DROPPED]++;
        finish_unsent(st, item, item->due);
        if (node)
            stage_tree_ended(st, node, NULL, COUNTER_CANCELLED, clock_mono_ns(), FAILURE_PAUSE_NS);
        else
            pacer_freed(&st->pacer, clock_mono_ns(), FAILURE_PAUSE_NS);
        return;
    }
    r->node = node;
    struct stream *s = &r->stream;
    if (made)
        begin_stream(st, r);
    else
        stream_begin(s, &st->dialect, st->pool, st->rec.window_from, st->rec.window_to);
    s->look = &st->look;
    s->t.due = item->due;
    s->t.free = item->free;
    r->talk = node ? NULL : stage_talk_due(st, item->due);
    int ready = made ? 0 : stage_write_body(st, r, item->number);
    if (st->shard.kind == LOAD_OPEN && st->n_usable > 1)
        r->transfer.address = st->usable[st->next_usable++ % st->n_usable];
    s->t.sent = s->t.handed = clock_mono_ns();
    r->tries = 0;
    stage_talk_send(st, r);
    plan_cancel(st, r, item->number);
    stage_flight_to(st, s->t.sent);
    r->ended = false;
    r->tail = (struct tail){.owner = r};
    r->at = st->n_open;
    st->open[st->n_open++] = r;
    if (st->n_open > st->in_flight_max) st->in_flight_max = st->n_open;
    recorder_sent(&st->rec);
    counts_of(st, r)->requests++;
    if (ready < 0) {
        st->rec.snap->counters[COUNTER_DROPPED]++;
        finish(st, r, END_REFUSED, s->t.sent, s->t.sent, true);
        return;
    }
    hand_over(st, r, s->t.sent);
}

static void again_due(struct stage *st, int64_t now)
{
    for (struct due_entry *e; (e = due_heap_first(&st->again)) && e->at <= now && stage_may_load(st);) {
        struct request *r = e->owner;
        due_heap_remove(&st->again, e);
        counts_of(st, r)->requests++;
        hand_over(st, r, now);
    }
}

/* ---- what the transport says ---- */

static void on_bytes(struct transfer *x, const char *bytes, size_t n, int64_t arrival)
{
    struct request *r = x->owner;
    struct stage *st = r->stage;
    struct stream *s = &r->stream;
    const struct transport *t = x->tr;
    if (r->ended) return;
    /* without a stamp: how long the loop was away */
    int64_t lag = t->arrival ? t->now - arrival : t->away;
    const int64_t before = s->t.last_token;
    const uint32_t pieces = s->pieces;
    if (arrival < s->last_read) arrival = s->last_read;
    if (arrival < s->t.sent) arrival = s->t.sent;
    bool good = !(s->error | s->malformed);
    st->pool->said_n = 0;
    uint32_t events = stream_feed(s, bytes, n, arrival);
    if (st->look.is_new) stage_take_remarks(st, r, arrival);
    if (!s->at_plain || st->wording.who == r) stage_hear(st, r, bytes, n, good);
    if (s->end && !r->tail.in && !s->malformed) tails_append(&st->ending, &r->tail, s->t.done + TAIL_GRACE_NS);
    if (!events) return;
    st->rec.snap->series_tokens += events;
    recorder_lag(&st->rec, lag, events);
    if (t->now - arrival > st->plan->verdict_lag_ns || t->away > st->plan->verdict_lag_ns) {
        s->late = true;
        if (lag > r->transfer.tr->away) r->transfer.tr->away = lag; /* what waits in other sockets has waited as long */
        if (events > 1 || arrival == before || !t->arrival || t->shared || s->hazy)
            stage_take_late(st, r, events, arrival, before);
    } else if (events > 1 || arrival == before) {
        st->rec.snap->counters[COUNTER_GATHERED] += events - (s->pieces - pieces);
    }
}

static void on_other_bytes(struct transfer *x, const char *bytes, size_t n)
{
    struct request *r = x->owner;
    wording_hear(&r->stage->wording, r, bytes, n);
}

static void on_header(struct transfer *x, const char *name, size_t name_n, const char *value, size_t value_n)
{
    struct request *r = x->owner;
    char first = name_n > 0 ? (char)(name[0] | 0x20) : '\0'; /* nearly all others are done with here */
    if (first == 'r' && name_n == 11 && strncasecmp(name, "retry-after", name_n) == 0)
        r->after_ns = retry_after(value, value_n, clock_wall_ns() / NS_PER_S);
    if (!memchr("rxlgesach", first, 9)) return;
    stream_header(&r->stream, name, name_n, value, value_n);
    wording_header(&r->stage->wording, r, name, name_n, value, value_n);
}

/* A request is sent when it is written on a connection that is ready. Its wait for a new connection lies before that
 * moment. */
static void on_writing(struct transfer *x)
{
    struct request *r = x->owner;
    struct timeline *t = &r->stream.t;
    r->tried = clock_mono_ns();
    if (r->tries > 1) return; /* its latency began with the first */
    t->sent = r->tried;
    if (!r->waits && t->written == 0) t->handed = t->sent; /* not when it is sent again */
}

static void on_end(struct transfer *x, enum transport_end end, int64_t arrival)
{
    struct request *r = x->owner;
    if (r->ended)
        tail_over(r->stage, r, arrival);
    else
        finish(r->stage, r, end, arrival, x->tr->now, true);
}

const struct transport_calls STAGE_CALLS = {
    .bytes = on_bytes, .other_bytes = on_other_bytes, .header = on_header, .writing = on_writing, .end = on_end};

/* ---- the stage ---- */

static bool past(int64_t since, int64_t now, int64_t limit)
{
    return limit > 0 && now - since >= limit;
}

static void end_open(struct stage *st, struct request *r, enum transport_end end, int64_t now)
{
    transport_abort(&r->transfer);
    finish(st, r, end, now, now, true);
}

/* The body stays open after the finish reason, where that ends answers as was learnt. */
static bool stays_open(const struct stage *st, const struct request *r, int64_t now)
{
    return st->dialect.ends_as_learnt && r->stream.finish && past(r->stream.last_read, now, TAIL_MAX_NS);
}

/* Timeouts of all open requests. Coarse on purpose: no timer per token. */
static void sweep(struct stage *st, int64_t now)
{
    const struct plan_target *p = &st->plan->target;
    for (uint32_t i = st->n_open; i-- > 0;) {
        struct request *r = st->open[i];
        const struct timeline *t = &r->stream.t;
        if (past(t->sent, now, p->timeout_total_ns))
            end_open(st, r, END_TIMEOUT_TOTAL, now);
        else if (r->again.place != 0)
            continue;
        else if (!r->transfer.begun && past(r->tried, now, p->timeout_connect_ns))
            end_open(st, r, r->transfer.why ? END_PROXY /* it has kept the request waiting */ : END_TIMEOUT_CONNECT,
                     now);
        else if (t->first_token == 0 && !st->dialect.whole && past(r->tried, now, p->timeout_first_token_ns))
            end_open(st, r, END_TIMEOUT_FIRST_TOKEN, now);
        else if ((t->first_token != 0 && past(t->last_token, now, p->timeout_idle_ns)) || stays_open(st, r, now))
            end_open(st, r, END_TIMEOUT_IDLE, now);
    }
    st->sweep_at = now + st->sweep_every;
}

/* Cancels the requests of users who go away now. */
static void cancel_due(struct stage *st, int64_t now)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = st->n_open; i-- > 0;) {
        struct request *r = st->open[i];
        if (r->cancel_at <= now)
            end_open(st, r, END_CANCELLED, now);
        else if (r->cancel_at < next)
            next = r->cancel_at;
    }
    st->cancel_next = next;
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

int stage_arm(struct stage *st, struct shard *shard, const struct plan *plan, const struct corpus *const *corpora,
              struct transport *tr, uint32_t cap, struct err *e)
{
    st->shard = *shard;
    memset(shard, 0, sizeof *shard);
    st->plan = plan;
    st->tr = tr;
    st->cap = cap ? cap : 1;
    st->recorded = plan_recorded(plan);
    st->has_talks = plan_has_sessions(plan);
    st->has_trees = plan_has_trees(plan);
    st->tree_requests = 0;
    st->names = tr->target->sessions;
    dialect_open(&plan->target, &st->dialect);
    st->ends = (struct dialect_ends){0};
    st->dialect.ends = &st->ends;
    st->shapes = (struct shapes){0};
    st->dialect.shapes = &st->shapes;
    st->shard.recorded = corpora ? corpora[0] : NULL;
    st->workload = workload_new(plan, corpora, &st->shard, e);
    if (!st->workload) return -1;
    if (!st->dialect.divides) workload_take_words(st->workload);
    double tokens = 0;
    for (size_t i = 0; i < plan->n_workloads; i++)
        if (dist_mean(&plan->workloads[i].output_tokens) > tokens)
            tokens = dist_mean(&plan->workloads[i].output_tokens);
    uint32_t slots = st->shard.kind == LOAD_CLOSED ? st->shard.slots : 64;
    if (st->shard.kind == LOAD_OPEN && st->shard.slots && st->shard.slots < slots) slots = st->shard.slots;
    double gaps = (tokens * 1.25 + GAP_CHUNK_WORDS) * slots; /* an open stream holds whole chunks */
    st->pool = gap_pool_new(gaps < (double)GAPS_AT_START ? (uint64_t)gaps : GAPS_AT_START, slots < 64 ? slots : 64, e);
    if (!st->pool) return -1;
    while (st->n_places < slots)
        if (!stage_place_new(st, e)) return -1;
    if (plan->retries.max && due_heap_reserve(&st->again, st->room))
        return err_set(e, ERR_NOMEM, "no memory for %u requests", slots);
    st->n_idle = st->n_open = 0;
    for (uint32_t i = st->n_places; i-- > 0;)
        st->idle[st->n_idle++] = st->places[i];
    if (st->n_places > 0 && stage_try_body(st) < 0)
        return err_set(e, ERR_PLAN,
                       "no request can be written: target.body must be a JSON object, and a prompt fit into %u MiB",
                       STAGE_BODY_MAX >> 20);
    if (st->n_places > 0 && st->places[0]->talk) talks_end(&st->talks, st->places[0]->talk);
    if (st->n_places > 0) st->places[0]->talk = NULL;
    talks_restart(&st->talks);
    return 0;
}

void stage_use_addresses(struct stage *st, const bool *good)
{
    st->n_usable = st->next_usable = 0;
    for (uint32_t i = 0; i < st->tr->target->n_addresses; i++)
        if (good[i]) st->usable[st->n_usable++] = i;
    for (uint32_t i = 0; st->n_usable > 0 && i < st->n_places; i++)
        st->places[i]->transfer.address = st->usable[st->next_usable++ % st->n_usable];
}

int stage_begin(struct stage *st, struct snapshot *snap, int64_t t0, struct err *e)
{
    if (pacer_init(&st->pacer, &st->shard, st->cap, t0, e) < 0) return -1;
    st->t0 = st->flight_at = t0;
    st->span_from = 0;
    st->closed = false;
    st->cancel_next = INT64_MAX;
    st->drain_until = st->shard.duration_ns > 0 ? t0 + st->shard.duration_ns + st->shard.drain_ns : INT64_MAX;
    st->sweep_every = sweep_interval(&st->plan->target);
    st->sweep_at = t0 + st->sweep_every;
    st->in_flight_max = st->wakes = 0;
    st->refusal = 0;
    wording_begin(&st->wording, st->dialect.whole);
    stage_begin_remarks(st);
    st->steps_base = st->tr->clock.steps;
    st->throttled_base = st->counts_throttling ? host_throttled() : 0;
    recorder_begin(&st->rec, snap, t0 + st->shard.warmup_ns, st->pacer.end, st->plan->slo_request_ns);
    if (st->shard.kind == LOAD_OPEN && st->shard.arrivals == ARRIVALS_RECORDED && !st->has_talks && !st->has_trees)
        ahead_begin(&st->ahead, &st->shard);
    return 0;
}

bool stage_may_load(const struct stage *st)
{
    int64_t until = st->allowed ? atomic_load_explicit(st->allowed, memory_order_relaxed) : INT64_MAX;
    return until == INT64_MAX || clock_mono_ns() < until;
}

void stage_pump(struct stage *st, int64_t now)
{
    struct pacer_item item;
    struct tree_node *node;
    stage_tell_due(st, now);
    while (!st->closed && stage_may_load(st) && pacer_take(&st->pacer, now, &item)) {
        stage_tell_due(st, now);
        if (!st->has_trees) {
            start(st, &item, NULL);
        } else if (stage_tree_begin(st, &item) < 0) {
            st->rec.snap->counters[COUNTER_DROPPED]++;
            pacer_freed(&st->pacer, now, FAILURE_PAUSE_MOST_NS);
        }
    }
    while (st->has_trees && stage_may_load(st) && stage_tree_due(st, now, &item, &node))
        start(st, &item, node);
}

/* No request starts any more; those that are due and wait for the cap never will. */
static void close_stage(struct stage *st, int64_t now)
{
    struct pacer_item item;
    st->closed = true;
    stage_tell_due(st, now);
    while (pacer_abandon(&st->pacer, now, &item))
        finish_unsent(st, &item, now);
}

void stage_stop(struct stage *st, bool now_too, int64_t now)
{
    if (now < st->t0) now = st->t0;
    pacer_end(&st->pacer, now);
    if (now < st->rec.window_to) {
        stage_flight_to(st, now);
        stage_talk_stop(st, now);
        st->rec.window_to = now;
    }
    for (uint32_t i = 0; i < st->n_open; i++)
        st->open[i]->stream.window_to = st->rec.window_to;
    if (!st->closed) close_stage(st, now);
    int64_t until = now_too ? now : now + st->shard.drain_ns;
    if (until < st->drain_until) st->drain_until = until;
}

/* Its count is reached, and nothing is open. */
static bool all_ended(const struct stage *st)
{
    return !st->closed && st->n_open == 0 && st->trees.open == 0 && pacer_exhausted(&st->pacer);
}

void stage_advance(struct stage *st, int64_t now)
{
    stage_pump(st, now);
    if (!st->closed && now >= st->pacer.end) close_stage(st, now);
    tails_advance(st, now);
    again_due(st, now);
    if (now >= st->cancel_next) cancel_due(st, now);
    if (now >= st->sweep_at) sweep(st, now);
    if (now >= st->drain_until)
        for (uint32_t i = st->n_open; i-- > 0;)
            end_open(st, st->open[i], END_ABORTED, now);
    int64_t over = all_ended(st) ? pacer_over(&st->pacer) : INT64_MAX;
    if (now >= over) {
        int64_t to = over > st->pacer.freed ? over : now;
        st->closed = true;
        stage_flight_to(st, now);
        if (to < st->rec.window_to) st->rec.window_to = to;
    }
}

int64_t stage_next(const struct stage *st)
{
    int64_t next = st->closed ? INT64_MAX : pacer_next(&st->pacer);
    if (!st->closed && st->pacer.end < next) next = st->pacer.end;
    if (all_ended(st) && pacer_over(&st->pacer) < next) next = pacer_over(&st->pacer);
    if (!st->closed && st->n_open < st->cap && trees_next(&st->trees) < next) next = trees_next(&st->trees);
    if (tails_due(&st->ending) < next) next = tails_due(&st->ending);
    if (tails_due(&st->tails) < next) next = tails_due(&st->tails);
    if (st->tails.n > 0 && st->drain_until < next) next = st->drain_until;
    if (due_heap_next(&st->again) < next) next = due_heap_next(&st->again);
    if (st->n_open > 0 && st->sweep_at < next) next = st->sweep_at;
    if (st->n_open > 0 && st->cancel_next < next) next = st->cancel_next;
    if (st->n_open > 0 && st->drain_until < next) next = st->drain_until;
    return next;
}

bool stage_done(const struct stage *st)
{
    return st->closed && st->n_open == 0 && st->tails.n == 0;
}

void stage_clear(struct stage *st)
{
    for (uint32_t i = st->n_open; i-- > 0;) {
        transport_abort(&st->open[i]->transfer);
        stream_clear(&st->open[i]->stream);
    }
    while (st->tails.n > 0) {
        struct request *r = st->tails.first->owner;
        transport_abort(&r->transfer);
        tails_remove(&r->tail);
    }
    due_heap_clear(&st->again);
    ahead_end(&st->ahead);
    for (uint32_t i = 0; i < st->n_places; i++) {
        if (st->places[i]->talk) talks_end(&st->talks, st->places[i]->talk);
        st->places[i]->talk = NULL;
        st->places[i]->node = NULL;
    }
    talks_clear(&st->talks);
    trees_clear(&st->trees);
    st->ending = st->tails = (struct tails){0};
    st->n_open = st->n_idle = 0;
    workload_destroy(&st->workload);
    gap_pool_destroy(&st->pool);
    pacer_clear(&st->pacer);
    shard_clear(&st->shard);
}
