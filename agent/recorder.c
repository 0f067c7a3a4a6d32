#include "agent/recorder.h"

#include <assert.h>
#include <string.h>

void recorder_begin(struct recorder *r, struct snapshot *snap, int64_t window_from, int64_t window_to,
                    const int64_t *slo_ns)
{
    *r = (struct recorder){.snap = snap, .window_from = window_from, .window_to = window_to};
    if (slo_ns) memcpy(r->slo_ns, slo_ns, sizeof r->slo_ns);
}

bool recorder_in_window(const struct recorder *r, int64_t at)
{
    return at >= r->window_from && at < r->window_to;
}

static void count(struct recorder *r, enum counter c, uint64_t n)
{
    r->snap->counters[c] += n;
    for (int k = 0; k < GROUP_KIND_N; k++)
        if (r->group[k]) groups_count(r->group[k], c, n);
}

static void most(struct recorder *r, enum counter c, uint64_t n)
{
    if (n > r->snap->counters[c]) r->snap->counters[c] = n;
}

static void sample(struct recorder *r, enum metric m, int64_t value, uint64_t n)
{
    if (value < 0) value = 0;
    (void)hist_record(r->snap->hist[m], value, n); /* dense: cannot fail */
    for (int k = 0; k < GROUP_KIND_N; k++)
        if (r->group[k]) groups_sample(r->group[k], m, value, n);
}

void recorder_of(struct recorder *r, uint32_t workload, uint32_t model)
{
    r->group[GROUP_WORKLOAD] = groups_find(&r->snap->groups, GROUP_WORKLOAD, workload);
    r->group[GROUP_MODEL] = groups_find(&r->snap->groups, GROUP_MODEL, model);
}

void recorder_status(struct recorder *r, enum counter outcome, uint32_t status)
{
    enum failure label = (enum failure)(outcome - COUNTER_FAILED_FIRST);
    enum counter c = counter_is_failure(outcome) ? counter_of_status(label, status) : COUNTER_N;
    if (c < COUNTER_N) count(r, c, 1);
}

void recorder_due(struct recorder *r, int64_t due)
{
    count(r, COUNTER_DUE, 1);
    r->snap->series_due++;
    if (recorder_in_window(r, due)) count(r, COUNTER_WIN_DUE, 1);
}

void recorder_sent(struct recorder *r)
{
    count(r, COUNTER_SENT, 1);
}

static int64_t divide_rounded(int64_t a, int64_t b)
{
    return (a + b / 2) / b;
}

static void record_connection(struct recorder *r, const struct timeline *t)
{
    if (t->dns_ns >= 0) sample(r, METRIC_DNS, t->dns_ns, 1);
    if (t->tls_ns >= 0) sample(r, METRIC_TLS, t->tls_ns, 1);
    if (t->tcp_ns < 0) return;
    sample(r, METRIC_TCP, t->tcp_ns, 1);
    sample(r, METRIC_CONNECT, t->tcp_ns + (t->dns_ns > 0 ? t->dns_ns : 0) + (t->tls_ns > 0 ? t->tls_ns : 0), 1);
}

static void record_gaps(struct recorder *r, const struct gaps *gaps)
{
    struct gap_iter it;
    struct gap gap;
    const uint32_t *plain;
    gaps_begin(&it, gaps);
    for (;;) {
        for (size_t n; (n = gaps_run(&it, &plain)) > 0;) {
            (void)hist_record_both(r->snap->hist[METRIC_CHUNK_GAP], r->snap->hist[METRIC_ITL], plain, n);
            for (int k = 0; k < GROUP_KIND_N; k++)
                for (size_t i = 0; r->group[k] && i < n; i++)
                    groups_sample(r->group[k], METRIC_ITL, plain[i], 1);
        }
        if (!gaps_next(&it, &gap)) return;
        sample(r, METRIC_CHUNK_GAP, gap.ns, 1);
        sample(r, METRIC_ITL, gap.tokens == 1 ? gap.ns : divide_rounded(gap.ns, gap.tokens), gap.tokens);
    }
}

/* The gaps are those of events alone, and say nothing of tokens. */
static void record_events(struct recorder *r, const struct gaps *gaps)
{
    struct gap_iter it;
    struct gap gap;
    gaps_begin(&it, gaps);
    while (gaps_next(&it, &gap))
        sample(r, METRIC_CHUNK_GAP, gap.ns, 1);
}

/* As sample(), of a metric that groups do not have. */
static inline void limit(struct recorder *r, enum metric m, int64_t value, uint64_t n)
{
    if (n) (void)hist_record(r->snap->hist[m], value, n);
}

/* Of so many gaps only the sum is known, from `least` to `most`: the longest is at least their mean, and the j-th
 * longest at most sum / j. */
static void record_limits(struct recorder *r, int64_t least, int64_t most, uint64_t n)
{
    limit(r, METRIC_ITL_LEAST, least / (int64_t)n, 1);
    limit(r, METRIC_ITL_LEAST, 0, n - 1);
    for (int64_t j = 1; (uint64_t)j <= n; j++)
        limit(r, METRIC_ITL_MOST, (most + j - 1) / j, 1);
}

/* The gaps of one read: in the log the first is their sum, and the others are zero. */
struct lump {
    int64_t sum;
    uint32_t first, zeros; /* tokens */
    uint32_t end;          /* places up to here are in it, or before it */
};

static void record_lump(struct recorder *r, const struct stream *s, const struct lump *l)
{
    if (l->first == 0) return; /* none has begun */
    /* those of an answer's first read took what lies between its sending and its first token, at most */
    int64_t most = l->sum ? l->sum : s->t.first_token - s->t.sent;
    limit(r, METRIC_ITL_BLURRED, divide_rounded(l->sum, l->first), l->first);
    limit(r, METRIC_ITL_BLURRED, 0, l->zeros);
    record_limits(r, l->sum, most, l->first + l->zeros);
}

/* The gaps of late reads, once more. */
static void record_blurred(struct recorder *r, const struct stream *s)
{
    struct gap_iter gaps, places;
    struct gap gap = {0}, place;
    struct lump l = {.first = 0};
    const uint32_t *plain = NULL;
    size_t left = 0;
    gaps_begin(&gaps, &s->gaps);
    gaps_begin(&places, &s->blurred);
    bool wanted = gaps_next(&places, &place), more = true;
    while (wanted && more) {
        if (left == 0) left = gaps_run(&gaps, &plain);
        if (left > 0)
            gap = (struct gap){.ns = *plain, .tokens = 1}, left--, plain++;
        else
            more = gaps_next(&gaps, &gap);
        if (more && gap.ns == 0 && l.first) {
            l.zeros += gap.tokens;
            l.end++;
            continue;
        }
        if (place.ns < l.end) record_lump(r, s, &l);
        while (wanted && place.ns < l.end)
            wanted = gaps_next(&places, &place);
        l = (struct lump){.sum = gap.ns, .first = gap.tokens, .end = l.end + 1};
    }
}

static bool within(int64_t limit_ns, int64_t value)
{
    return limit_ns == 0 || value <= limit_ns;
}

void recorder_tail(struct recorder *r, const struct stream *s, int64_t at)
{
    if (!recorder_in_window(r, s->t.due)) return;
    sample(r, METRIC_TAIL, at - (s->t.last_token ? s->t.last_token : s->t.done), 1);
}

static void record_turn(struct recorder *r, uint32_t turn, bool whole, int64_t ttft, int64_t e2e)
{
    static const enum metric TTFT[] = {METRIC_TTFT_FIRST_TURN, METRIC_TTFT_SECOND_TURN, METRIC_TTFT_LATER_TURNS},
                             E2E[] = {METRIC_E2E_FIRST_TURN, METRIC_E2E_SECOND_TURN, METRIC_E2E_LATER_TURNS};
    uint32_t i = turn < 3 ? turn - 1 : 2;
    if (!whole) sample(r, TTFT[i], ttft, 1);
    sample(r, E2E[i], e2e, 1);
}

/* Its tokens may have come one by one, and have waited in the socket. Their gaps are blurred then. */
static bool waited(const struct stream *s)
{
    return s->late && s->events > 1;
}

/* A first sign, and the text only after a long time: half of all that was left, or out of proportion with what
 * followed, of which one read may bring several events, and a part of the wait that a user notices. */
static void record_first_alone(struct recorder *r, const struct stream *s)
{
    const uint32_t enough = 8; /* events, of which one gap seldom holds half of the time */
    const int64_t times = 5, part = 4;
    int64_t ttft = s->t.first_token - s->t.sent, left = s->t.last_token - s->t.first_token;
    struct gap_iter it;
    struct gap first;
    if (s->events < enough || s->dialect->choices > 1) return;
    gaps_begin(&it, &s->gaps);
    if (!gaps_next(&it, &first)) return;
    int64_t reads = (int64_t)s->pieces - 2; /* that followed */
    bool longer = reads > 0 && first.ns * reads > times * (left - first.ns) && first.ns * part > ttft;
    if (!longer && 2 * first.ns <= left) return;
    count(r, COUNTER_FIRST_ALONE, 1);
    count(r, COUNTER_FIRST_ALONE_TTFT_NS, (uint64_t)ttft);
    count(r, COUNTER_FIRST_ALONE_GAP_NS, (uint64_t)first.ns);
}

/* The first token of an answer that streams. */
static void record_first_token(struct recorder *r, const struct stream *s, int64_t ttft)
{
    const struct timeline *t = &s->t;
    r->snap->counters[COUNTER_BLURRED_FIRST] += s->late_first;
    sample(r, METRIC_TTFT, ttft, 1);
    count(r, COUNTER_WIN_UPLOAD_NS, (uint64_t)(t->upload_ns < ttft ? t->upload_ns : ttft));
    sample(r, METRIC_TTFT_DUE, t->first_token - t->due, 1);
    if (t->first_content != 0) sample(r, METRIC_TTFC, t->first_content - t->sent, 1);
}

static void record_lengths(struct recorder *r, const struct stream *s, const struct stream_tokens *n)
{
    sample(r, METRIC_INPUT_TOKENS, (int64_t)n->input * 1000, 1);
    if (!n->unknown) {
        sample(r, METRIC_OUTPUT_TOKENS, (int64_t)n->made * 1000, 1);
        count(r, COUNTER_WIN_UNASKED_OUT, !s->dialect->no_tokens && (s->asked_tokens == 0 || s->dialect->unlimited));
        count(r, COUNTER_WIN_ASKED_OUT, s->asked_tokens && !s->dialect->unlimited ? s->asked_tokens : n->made);
    }
    count(r, COUNTER_WIN_ASKED_IN, s->prompt_tokens);
    count(r, COUNTER_WIN_GUESSED_IN, s->prompt_guessed);
}

/* Of an ok request that became due inside the window. */
static void record_latencies(struct recorder *r, const struct stream *s, const struct stream_tokens *n)
{
    const struct timeline *t = &s->t;
    bool whole = s->dialect->whole;
    int64_t last = whole ? t->done : t->last_token, ttft = whole ? 0 : t->first_token - t->sent, e2e = last - t->sent,
            tpot = 0;
    if (!whole) record_first_token(r, s, ttft);
    sample(r, METRIC_E2E, e2e, 1);
    sample(r, METRIC_E2E_DUE, last - t->due, 1);
    if (s->turn) record_turn(r, s->turn, whole, ttft, e2e);
    if (n->made > 0) sample(r, METRIC_NORMALIZED, divide_rounded(e2e, n->made), 1);
    bool at_once = stream_came_at_once(s, n->seen);
    int64_t pace = whole || at_once ? -1 : stream_tpot(s, n->seen);
    if (pace >= 0) {
        tpot = pace;
        sample(r, METRIC_TPOT, tpot, 1);
        if (tpot > 0)
            sample(r, METRIC_USER_SPEED, divide_rounded(INT64_C(1000000000000000), tpot), 1); /* token/s × 1e6 */
    }
    if (!whole && !at_once && n->suffix > 0)
        sample(r, METRIC_TPOT_SUFFIX, divide_rounded(t->done - t->first_token, n->suffix), 1);
    if (!whole && s->events > 0)
        sample(r, METRIC_TOKENS_PER_EVENT, divide_rounded((int64_t)n->seen * 1000000, s->events), 1);
    record_lengths(r, s, n);
    if (!at_once || waited(s)) {
        record_gaps(r, &s->gaps);
        if (s->blurred.n) record_blurred(r, s);
    } else {
        record_events(r, &s->gaps);
    }
    if (within(r->slo_ns[SLO_TTFT], ttft) && within(r->slo_ns[SLO_TPOT], tpot) && within(r->slo_ns[SLO_E2E], e2e))
        count(r, COUNTER_WIN_GOOD, 1);
}

/* events × tokens / of, in millionths; the product of three 32-bit numbers needs more than 64 bits. */
static uint64_t micro_tokens(uint32_t events, uint64_t tokens, uint64_t of)
{
    return (uint64_t)((__extension__(unsigned __int128) events * tokens * 1000000 + of / 2) / of);
}

/* Throughput: what arrived inside the window, whichever request it belongs to. */
static void record_window(struct recorder *r, const struct stream *s, const struct stream_tokens *n, bool ok)
{
    int64_t began = s->dialect->no_tokens && ok ? s->t.done : s->t.first_token;
    if (began != 0 && recorder_in_window(r, began)) count(r, COUNTER_WIN_INPUT_TOKENS, n->input);
    if (s->window_events == 0) return;
    count(r, COUNTER_WIN_EVENTS, s->window_events);
    bool runs =
        s->usage_at + 1 >= s->events; /* of an answer that has not ended, only usage that comes with its events */
    if (ok || (n->counted && runs))
        count(r, COUNTER_WIN_TOKENS_MICRO, micro_tokens(s->window_events, n->made, s->events));
    else if (r->ok_events > 0)
        count(r, COUNTER_WIN_TOKENS_MICRO, micro_tokens(s->window_events, r->ok_tokens, r->ok_events));
    else
        count(r, COUNTER_WIN_TOKENS_MICRO, micro_tokens(s->window_events, 1, 1));
}

/* Tokens of the cache beyond those of a chat template and a system prompt, which are the same in every prompt: usage
 * counts them, and they were not sent. */
static uint32_t cached_again(const struct stream *s, const struct stream_tokens *n)
{
    const uint64_t template = 32; /* where nothing tells how long it is */
    uint64_t sent = s->prompt_tokens > s->prompt_beside ? s->prompt_tokens - s->prompt_beside : 0;
    uint64_t added = n->input > sent ? n->input - sent : 0;
    if (added < template) added = template;
    return n->cached > added ? (uint32_t)(n->cached - added) : 0;
}

/* How an answer came and ended. */
static void record_form(struct recorder *r, const struct stream *s, const struct stream_tokens *n)
{
    if (s->finish_by == FINISH_NONE && !s->dialect->no_tokens) count(r, COUNTER_FINISH_NONE, 1);
    if (s->from_cache) count(r, COUNTER_FROM_CACHE, 1);
    if (s->events > 0 && s->t.first_content == 0) count(r, COUNTER_NO_TEXT, 1);
    count(r, COUNTER_REFUSALS, s->refused);
    if (!waited(s) && stream_came_at_once(s, n->seen)) count(r, COUNTER_AT_ONCE, 1);
    if (!waited(s)) record_first_alone(r, s);
    if (s->ended_by == STREAM_END_BODY && s->dialect->ends_as_learnt) count(r, COUNTER_ENDED_BY_BODY, 1);
    if (s->ended_by == STREAM_END_FINISH) count(r, COUNTER_ENDED_BY_FINISH, 1);
}

/* What could have come from a cache, as its hit rate is counted: by usage where what is repeated is known so. */
static void record_repeated(struct recorder *r, const struct stream *s, const struct stream_tokens *n)
{
    uint32_t sent = s->prompt_by_usage ? n->input : s->prompt_tokens;
    count(r, COUNTER_REPEATED_TOKENS, s->prompt_repeated < sent ? s->prompt_repeated : sent);
    count(r, COUNTER_SENT_INPUT_TOKENS, sent);
}

/* Of an answer that has ended: until then usage may be a first guess, or what was there so far. */
static void record_usage(struct recorder *r, const struct stream *s, const struct stream_tokens *n)
{
    count(r, COUNTER_USAGE_DOUBTED, n->doubted);
    most(r, COUNTER_USAGE_DOUBTED_OUT, n->doubted_out);
    most(r, COUNTER_USAGE_DOUBTED_IN, n->doubted_in);
    most(r, COUNTER_USAGE_DOUBTED_CACHED, n->doubted_cached);
    count(r, COUNTER_USAGE_DOUBTED_ZERO, n->zero);
    count(r, COUNTER_USAGE_DOUBTED_UNREAD, n->unread);
    count(r, COUNTER_USAGE_DOUBTED_FELL, n->fell);
    count(r, COUNTER_CACHED_TOKENS, n->cached);
    count(r, COUNTER_CACHED_AGAIN, cached_again(s, n));
    record_repeated(r, s, n);
    count(r, COUNTER_USAGE_INPUT_TOKENS, n->input_asked ? 0 : n->input);
    if (n->counted) count(r, COUNTER_USAGE_REQUESTS, 1);
    if (n->over) {
        count(r, COUNTER_USAGE_OVER, 1);
        most(r, COUNTER_USAGE_OVER_MOST, n->made);
    }
    count(r, COUNTER_INPUT_ASKED, n->input_asked);
    count(r, COUNTER_USAGE_BEYOND, n->beyond);
    if (!s->usage && !n->unread && !s->dialect->no_tokens) count(r, COUNTER_USAGE_NONE, 1);
}

static void record_ok(struct recorder *r, const struct stream *s, const struct stream_tokens *n, bool due_in_window,
                      int64_t now)
{
    assert((s->events > 0 || s->dialect->no_tokens) && s->t.sent != 0);
    r->ok_tokens += n->made;
    r->ok_events += s->events;
    r->snap->series_done++;
    count(r, COUNTER_TOKENS, n->made);
    count(r, COUNTER_TOKENS_SEEN, n->seen);
    record_usage(r, s, n);
    if (n->made < s->asked_tokens && !s->dialect->no_tokens && !n->unknown) {
        count(r, COUNTER_SHORT_REQUESTS, 1);
        bool all = s->events <= n->made; /* else usage leaves out a part of what came, and tells of no limit */
        if (n->counted && all && s->finish_by == FINISH_LENGTH && !s->dialect->unlimited)
            count(r, COUNTER_SHORT_BY_LENGTH, 1);
    }
    record_form(r, s, n);
    if (recorder_in_window(r, s->t.done)) count(r, COUNTER_WIN_DONE, 1);
    if (!due_in_window) return;
    count(r, COUNTER_WIN_OK, 1);
    record_latencies(r, s, n);
    sample(r, METRIC_HELD, now - s->t.sent, 1);
    if (s->t.closed != 0) recorder_tail(r, s, s->t.closed);
}

/* How long it was in flight in the window. */
static uint64_t flight_ns(const struct recorder *r, const struct stream *s, int64_t now)
{
    int64_t from = s->t.sent > r->window_from ? s->t.sent : r->window_from,
            to = now < r->window_to ? now : r->window_to;
    return s->t.sent != 0 && to > from ? (uint64_t)(to - from) : 0;
}

/* A request of the warm-up that is still in flight in the window takes part in the load, and in no latency. */
static void record_earlier(struct recorder *r, const struct stream *s, int64_t now)
{
    if (s->t.due < r->window_from) count(r, COUNTER_WIN_EARLIER_NS, flight_ns(r, s, now));
}

/* One of the warm-up that waited through the whole window is known to be slower than its age at the window's end,
 * whatever became of it in the drain. */
static void record_earlier_hung(struct recorder *r, const struct stream *s, int64_t now)
{
    const struct timeline *t = &s->t;
    int64_t came = t->first_token != 0 ? t->first_token : t->done, to = r->window_to;
    if (t->sent == 0 || t->due >= r->window_from || to <= r->window_from) return;
    if (t->sent > r->window_from || now < to || (came != 0 && came < to)) return;
    int64_t age = to - t->sent;
    count(r, COUNTER_WIN_EARLIER_HUNG, 1);
    sample(r, METRIC_CUT_AGE, age, 1);
    sample(r, METRIC_CUT_WAIT, age, 1);
}

/* Slower than its age, whoever cut it off. One that kept all limits until its user went away tells nothing of them. */
static void record_cut(struct recorder *r, const struct stream *s, bool cancelled, int64_t age)
{
    bool early = s->t.first_token == 0;
    int64_t wait = early ? age : s->t.first_token - s->t.sent;
    sample(r, METRIC_CUT_AGE, age, 1);
    sample(r, early ? METRIC_CUT_WAIT : METRIC_CUT_TTFT, wait, 1);
    if (!cancelled) return;
    bool kept = within(r->slo_ns[SLO_TTFT], s->dialect->whole ? 0 : wait) && within(r->slo_ns[SLO_E2E], age);
    sample(r, METRIC_CANCEL_AGE, age, 1);
    count(r, COUNTER_WIN_CANCELLED_EARLY, early);
    count(r, COUNTER_WIN_CANCELLED_OVER, !kept);
}

static void record_end(struct recorder *r, const struct stream *s, enum counter outcome, int64_t now)
{
    bool ok = outcome == COUNTER_OK, due_in_window = recorder_in_window(r, s->t.due);
    bool failed = counter_is_failure(outcome);
    struct stream_tokens n;
    stream_count(s, &n);
    assert(ok || failed || outcome == COUNTER_CANCELLED || outcome == COUNTER_ABORTED);
    count(r, outcome, 1);
    count(r, COUNTER_EVENTS, s->events);
    count(r, COUNTER_BYTES_IN, s->bytes);
    if (!s->malformed) count(r, COUNTER_UNKNOWN_EVENTS, s->unknown); /* else it is no stream, and its lines no events */
    count(r, COUNTER_DROPPED, s->gaps.lost);
    if (s->finish_by != FINISH_NONE) count(r, (enum counter)(COUNTER_FINISH_NONE + (int)s->finish_by), 1);
    if (s->t.sent != 0 && due_in_window) {
        sample(r, METRIC_LATENESS, s->t.sent - s->t.due, 1);
        sample(r, METRIC_DISPATCH,
               (s->t.handed ? s->t.handed : s->t.sent) - (s->t.free > s->t.due ? s->t.free : s->t.due), 1);
    }
    record_connection(r, &s->t);
    record_earlier(r, s, now);
    if (outcome != COUNTER_CANCELLED) record_earlier_hung(r, s, now);
    if (ok) record_ok(r, s, &n, due_in_window, now);
    record_window(r, s, &n, ok);
    if (ok) return;
    count(r, COUNTER_FAILED_TOKENS, s->events);
    if (outcome != COUNTER_CANCELLED) count(r, COUNTER_WIN_UNSERVED_NS, flight_ns(r, s, now));
    if (failed) {
        r->snap->series_failed++;
        if (s->t.sent != 0) sample(r, METRIC_FAIL_TIME, now - s->t.sent, 1);
    }
    if (!due_in_window) return;
    count(r, failed ? COUNTER_WIN_FAILED : COUNTER_WIN_CLOSED, 1);
    int64_t age = now - (s->t.sent != 0 ? s->t.sent : s->t.due);
    if (failed) {
        sample(r, METRIC_FAIL_AGE, age, 1);
        sample(r, METRIC_FAIL_WAIT, s->t.first_token != 0 ? s->t.first_token - s->t.sent : age, 1);
    } else {
        record_cut(r, s, outcome == COUNTER_CANCELLED, age);
    }
}

void recorder_end(struct recorder *r, const struct stream *s, enum counter outcome, int64_t now)
{
    record_end(r, s, outcome, now);
    memset(r->group, 0, sizeof r->group);
}

void recorder_session(struct recorder *r, uint32_t turns, const struct session_sum *sum, int64_t first_due, int64_t at)
{
    if (!recorder_in_window(r, first_due)) return;
    sample(r, METRIC_SESSION_TURNS, (int64_t)turns * 1000, 1);
    sample(r, METRIC_SESSION_TIME, at - first_due, 1);
    sample(r, METRIC_SESSION_TOKENS, (int64_t)sum->longest * 1000, 1);
    if (sum->input) sample(r, METRIC_SESSION_CACHED, (int64_t)((double)sum->cached / (double)sum->input * 100e6), 1);
}

void recorder_retry(struct recorder *r, const struct stream *s, enum counter outcome)
{
    assert(s->events == 0 && counter_is_failure(outcome));
    count(r, COUNTER_RETRIES, 1);
    count(r, (enum counter)(COUNTER_RETRIED_FIRST + (outcome - COUNTER_FAILED_FIRST)), 1);
    count(r, COUNTER_BYTES_IN, s->bytes);
    count(r, COUNTER_UNKNOWN_EVENTS, s->unknown);
    record_connection(r, &s->t);
}

struct snapshot *recorder_swap(struct recorder *r, struct snapshot *empty)
{
    struct snapshot *full = r->snap;
    memcpy(empty->counters, full->counters, sizeof empty->counters);
    r->snap = empty;
    return full;
}
