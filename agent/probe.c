#include "agent/probe.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/probe_words.h"
#include "agent/prompt.h"
#include "agent/stage.h"
#include "agent/stream/error_header.h"
#include "agent/transport/kinds.h"
#include "agent/transport/warm.h"
#include "agent/wording.h"
#include "common/clock.h"
#include "common/plan/plan_api.h"

#define LONGEST_NS (30 * NS_PER_S) /* for an answer; a slower server is reported, and the run begins */
#define TURN_NS (50 * NS_PER_MS)   /* between looks at `quit` */
#define EVENTS_AT_ONCE 64
enum { SHORT = 16 /* output tokens */, MODEL_EVENTS = 8 /* that may name the model */ };

struct probe {
    pthread_t thread;
    atomic_bool quit;
    const struct plan *plan;
    const struct target *target;
    void (*done)(void *arg);
    void *arg;
    struct probe_result result;
    /* the request under way */
    int epoll;
    struct target at; /* the target with another path and one more header; shallow */
    struct dialect dialect;
    struct transport tr;
    struct warm warm;
    struct transfer x;
    struct stream stream;
    struct gap_pool *pool;
    struct wording wording;
    struct probe_seen *seen;
    struct stream_look look;
    struct words words; /* the prompt; none: a sentence */
    uint32_t model;     /* its number in the plan */
    struct prompt_tokens tokens;
    enum transport_end how;
    bool ended;
};

/* ---- what the transport says ---- */

static void on_bytes(struct transfer *x, const char *bytes, size_t n, int64_t arrival)
{
    struct probe *p = x->owner;
    struct stream *s = &p->stream;
    bool good = !s->error && !s->malformed;
    p->pool->said_n = 0;
    (void)stream_feed(s, bytes, n, arrival);
    if (s->t.first_event == 0)
        wording_hear(&p->wording, p, bytes, n);
    else if (good && (s->error || s->malformed || (s->finish && s->events == 0 && p->pool->said_n > 0)))
        wording_hear_event(&p->wording, p, p->pool->said, p->pool->said_n);
    else if (good && !(s->finish && s->events == 0))
        wording_drop(&p->wording, p);
}

static void on_other_bytes(struct transfer *x, const char *bytes, size_t n)
{
    struct probe *p = x->owner;
    wording_hear(&p->wording, p, bytes, n);
}

static void on_header(struct transfer *x, const char *name, size_t name_n, const char *value, size_t value_n)
{
    struct probe *p = x->owner;
    if (p->seen->headers_ns < 0) p->seen->headers_ns = clock_mono_ns() - p->stream.t.sent;
    probe_words_header(p->seen, name, name_n, value, value_n);
    stream_header(&p->stream, name, name_n, value, value_n);
    if (error_header_tells(name, name_n, value, value_n)) /* what others say has lines of its own */
        wording_header(&p->wording, p, name, name_n, value, value_n);
}

static void on_writing(struct transfer *x)
{
    struct probe *p = x->owner;
    p->stream.t.sent = clock_mono_ns();
}

static void on_end(struct transfer *x, enum transport_end end, int64_t arrival)
{
    struct probe *p = x->owner;
    p->how = end;
    p->ended = true;
    p->seen->end_ns = arrival - p->stream.t.sent;
}

static const struct transport_calls CALLS = {
    .bytes = on_bytes, .other_bytes = on_other_bytes, .header = on_header, .writing = on_writing, .end = on_end};

/* ---- one request ---- */

static void turn(struct probe *p)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t now = clock_mono_ns(), next = now + TURN_NS;
    if (p->tr.timer < next) next = p->tr.timer;
    int n = epoll_wait(p->epoll, events, EVENTS_AT_ONCE, next > now ? (int)((next - now) / NS_PER_MS) + 1 : 0);
    now = clock_mono_ns();
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 & WARM_TAG)
            warm_ready(&p->warm, events[i].data.u64 & ~WARM_TAG, now);
        else
            transport_ready(&p->tr, events[i].data.u64, events[i].events, now);
    }
    transport_tick(&p->tr, now);
    warm_tick(&p->warm, now);
}

/* A connection, as a stage makes them before its first request: the first address that accepts one. */
static int connect_first(struct probe *p, uint32_t *ret_address, struct err *e)
{
    int64_t until = clock_mono_ns() + p->plan->target.timeout_connect_ns;
    int rc = 0;
    warm_begin(&p->warm, &p->tr, 1, p->plan->target.timeout_connect_ns, clock_mono_ns());
    while (!warm_done(&p->warm) && !p->quit)
        turn(p);
    if (p->quit) return err_set(e, ERR_INTERNAL, "the probe was given up");
    if (warm_result(&p->warm, e)) return -1;
    while ((rc = transport_prepared(&p->tr, e)) == 0 && !p->quit && clock_mono_ns() < until)
        turn(p);
    if (rc <= 0)
        return rc < 0 ? -1 : err_set(e, ERR_NET, "%s is not ready for a request in time", p->target->address[0].text);
    for (*ret_address = 0; !p->warm.good[*ret_address];)
        ++*ret_address;
    return 0;
}

static int write_body(struct probe *p, struct payload *body)
{
    static const char PROMPT[] = "Say hello in a few words.";
    const struct plan_target *t = p->at.plan;
    struct dialect_message m = {.role = "user", .text = PROMPT, .len = sizeof PROMPT - 1};
    if (p->words.n)
        m = (struct dialect_message){.role = "user", .len = WORDS_CHARS(p->words.n), .words = &p->words, .n_words = 1};
    double mean = dist_mean(&p->plan->workloads[0].output_tokens);
    bool fixed = t->body && strstr(t->body, "min_tokens"); /* fewer than those would be refused */
    uint32_t tokens = mean >= 1 && (fixed || mean < SHORT) ? (uint32_t)mean : SHORT;
    struct dialect_request r = {.model = t->n_models ? t->models[p->model].name : NULL,
                                .messages = &m,
                                .n_messages = 1,
                                .output_tokens = tokens,
                                .body = t->body};
    p->stream.asked_tokens = dialect_asked(&p->dialect, tokens);
    return p->dialect.write_body(&p->dialect, &r, &body->text);
}

/* How long is waited: as a run would, and no longer than LONGEST_NS. */
static int64_t limit_of(const struct probe *p)
{
    const struct plan_target *t = &p->plan->target;
    int64_t most = t->timeout_total_ns > 0 && t->timeout_total_ns < LONGEST_NS ? t->timeout_total_ns : LONGEST_NS;
    bool begins = p->stream.t.first_token == 0 && !p->dialect.whole && t->timeout_first_token_ns > 0;
    return begins && t->timeout_first_token_ns < most ? t->timeout_first_token_ns : most;
}

/* target.end: auto, and the body stays open after the finish reason. */
static bool is_held(const struct probe *p)
{
    return p->dialect.ends_as_learnt && p->stream.finish && clock_mono_ns() - p->stream.last_read > TAIL_MAX_NS;
}

static void send_and_wait(struct probe *p, uint32_t address, const struct payload *body)
{
    int64_t began = clock_mono_ns();
    transfer_init(&p->x, &p->tr, p, address);
    p->stream.t.sent = clock_mono_ns();
    transport_start(&p->tr, &p->x, body);
    while (!p->ended && !p->quit && !is_held(p) && clock_mono_ns() - began < limit_of(p))
        turn(p);
    if (p->ended) return;
    p->how = is_held(p) ? END_TIMEOUT_IDLE : p->stream.t.first_token ? END_TIMEOUT_TOTAL : END_TIMEOUT_FIRST_TOKEN;
    p->seen->end_ns = clock_mono_ns() - p->stream.t.sent;
    transport_abort(&p->x);
}

static int64_t since_sent(const struct stream *s, int64_t t)
{
    return t ? t - s->t.sent : -1;
}

static void look(struct probe *p, uint32_t address, struct probe_seen *ret)
{
    struct stream *s = &p->stream;
    struct wording_secret secrets[STAGE_SECRETS];
    struct stream_tokens tokens;
    ret->status = p->x.status;
    bool good = !s->error && !s->malformed && s->t.first_event != 0;
    p->pool->said_n = 0;
    ret->outcome = stream_outcome(s, p->how, (int)p->x.status);
    if (good && p->pool->said_n > 0) wording_hear_event(&p->wording, p, p->pool->said, p->pool->said_n);
    memcpy(ret->address, p->target->address[address].text, sizeof ret->address);
    ret->tls = transport_tls(&p->tr);
    ret->http = transport_http(&p->tr);
    ret->first_token_ns = since_sent(s, s->t.first_token);
    ret->last_token_ns = since_sent(s, s->t.last_token);
    ret->complete = p->how == END_COMPLETE;
    ret->plain = s->plain;
    ret->why = p->x.why;
    ret->finish = s->finish;
    ret->end = s->end;
    ret->ended_by = s->ended_by;
    ret->usage = s->usage;
    ret->events = s->events;
    ret->thoughts = s->thoughts;
    stream_count(s, &tokens);
    ret->tokens_in = tokens.input;
    ret->counted_in = s->usage ? s->usage_in : 0;
    ret->tokens_out = tokens.made;
    ret->doubted = ret->outcome == COUNTER_OK && (tokens.zero || tokens.fell || tokens.unread || tokens.doubted_out);
    failure_words(ret->model, sizeof ret->model, p->look.bytes[REMARK_OTHER_MODEL], p->look.n[REMARK_OTHER_MODEL]);
    if (!counter_is_failure(ret->outcome)) return;
    struct failure_sample f = {.label = (enum failure)(ret->outcome - COUNTER_FAILED_FIRST),
                               .status = (uint32_t)p->x.status};
    size_t n = stage_secrets(p->target, secrets);
    wording_take(&p->wording, p, secrets, n, p->x.why ? p->x.why : s->why, &f);
    memcpy(ret->words, f.text, sizeof ret->words);
}

/* Headers of the target and those of a probe; their texts stay the target's. */
static int aim(struct probe *p, const struct plan_target *t, struct err *e)
{
    static char name[] = PROBE_HEADER, one[] = "1";
    p->at = *p->target;
    p->at.plan = t;
    p->at.headers = calloc(p->target->n_headers + 1, sizeof *p->at.headers);
    if (!p->at.headers) return err_set(e, ERR_NOMEM, "no memory for a probe");
    memcpy(p->at.headers, p->target->headers, p->target->n_headers * sizeof *p->at.headers);
    p->at.headers[p->at.n_headers++] = (struct target_header){.name = name, .value = one};
    dialect_open(t, &p->dialect);
    return 0;
}

/* 0 with what was seen, -1 when no request could be sent. */
static int ask(struct probe *p, const struct plan_target *t, struct probe_seen *ret, struct err *e)
{
    struct transport_options o = {.epoll = p->epoll};
    struct payload body = PAYLOAD_INIT(1 << 20);
    uint32_t address = 0;
    *ret = (struct probe_seen){.target = t, .headers_ns = -1, .first_token_ns = -1, .end_ns = -1};
    p->seen = ret;
    p->ended = false;
    p->pool = gap_pool_new(4096, 1, e);
    if (!p->pool || aim(p, t, e)) {
        gap_pool_destroy(&p->pool);
        return -1;
    }
    ret->whole = p->dialect.whole;
    wording_begin(&p->wording, ret->whole);
    kinds_choose(&p->at, &o.kind, &o.other);
    int rc = transport_init(&p->tr, &p->at, &CALLS, &o, e);
    if (rc == 0) {
        stream_begin(&p->stream, &p->dialect, p->pool, 0, INT64_MAX);
        p->look = (struct stream_look){.models = MODEL_EVENTS};
        p->stream.look = &p->look;
        rc = connect_first(p, &address, e);
        if (rc == 0 && write_body(p, &body))
            rc = err_set(e, ERR_PLAN, "no request can be written: target.body must be a JSON object");
        if (rc == 0) {
            send_and_wait(p, address, &body);
            look(p, address, ret);
        }
        warm_cancel(&p->warm);
        stream_clear(&p->stream);
        transport_clear(&p->tr);
    }
    free(p->at.headers);
    gap_pool_destroy(&p->pool);
    payload_clear(&body);
    return rc;
}

/* ---- the probe ---- */

/* Another path of the same host that answers as the plan wants it: the sentence for it. */
static void try_others(struct probe *p, struct buf *said)
{
    struct probe_place *place = calloc(PROBE_WORDS_PLACES, sizeof *place);
    uint32_t n = place ? probe_words_places(&p->plan->target, place) : 0;
    for (uint32_t i = 0; i < n && !p->quit; i++) {
        struct probe_seen seen;
        struct plan_target t = p->plan->target;
        t.url = place[i].url;
        t.api = place[i].api;
        if (ask(p, &t, &seen, NULL) || seen.outcome != COUNTER_OK) continue;
        const char *path = strchr(strstr(t.url, "://") + 3, '/');
        size_t len = strlen(p->result.err.text);
        bool sentence = len > 0 && strchr("?.", p->result.err.text[len - 1]);
        (void)snprintf(p->result.err.text + len, sizeof p->result.err.text - len, "%s %.100s answers on the same host",
                       sentence ? "" : ";", path);
        (void)buf_printf(
            said, "%s answers on the same host, as %s: target: {url: \"%s\"%s%s}\n", path, PLAN_APIS[t.api].name, t.url,
            t.api == p->plan->target.api ? "" : ", api: ", t.api == p->plan->target.api ? "" : PLAN_APIS[t.api].name);
        break;
    }
    free(place);
}

/* ---- how the server counts (target.lengths: measured) ---- */

#define WORDS_SEED UINT64_C(0x776f726473) /* each prompt has words of its own: none is answered from a cache */
enum { FEW_WORDS = 64, LEAST_WORDS = 512, MOST_WORDS = 2048 };

/* The input tokens that the server counts in a prompt of so many words. */
static int count_words(struct probe *p, uint32_t words, uint64_t number, double *ret, struct err *e)
{
    struct probe_seen seen;
    bool exact = p->tokens.on;
    p->words = (struct words){.seed = rng_mix(WORDS_SEED, p->plan->seed, number, words),
                              .table = exact ? p->tokens.table : NULL,
                              .n = words,
                              .stop = !exact,
                              .even = !exact};
    if (ask(p, &p->plan->target, &seen, e)) return -1;
    if (probe_words_judge(&seen, e) != PROBE_GOOD) {
        (void)err_context(e, "target.lengths: measured: a prompt of %u words", words);
        return -1;
    }
    *ret = seen.counted_in;
    if (seen.counted_in > 0) return 0;
    return err_set(e, ERR_TARGET,
                   "target.lengths: measured: the server counts no input tokens (its answers have no usage, or none of "
                   "them): leave that key out, and a word is taken for a token");
}

/* A line through two lengths gives the tokens of a word and those beside the prompt. Where a word is a token of a known
 * tokenizer, the line must say so; else a third request, of a wanted length, shows how well it does. */
static int measure_model(struct probe *p, struct buf *said, struct err *e)
{
    struct word_costs all = {0};
    struct word_cost *found = &all.of[0];
    const char *file = p->plan->target.tokenizer.file;
    double mean = dist_mean(&p->plan->workloads[0].input_tokens), few, many, got;
    uint32_t wanted = mean > MOST_WORDS ? MOST_WORDS : mean > LEAST_WORDS ? (uint32_t)mean : LEAST_WORDS;
    if (count_words(p, FEW_WORDS, 1, &few, e) || count_words(p, wanted, 2, &many, e)) return -1;
    found->word = (many - few) / (wanted - FEW_WORDS);
    found->beside = fmax(0, few - found->word * FEW_WORDS);
    bool follows = found->word > 0 && shard_costs_valid(&all);
    if (p->tokens.on && (!follows || fabs(found->word - 1) > 1e-9 || few < FEW_WORDS))
        return err_set(e, ERR_TARGET,
                       "target.tokenizer: the server counts %.0f input tokens in a prompt that has %d by %.200s, and "
                       "%.0f in one that has %u: it has another tokenizer",
                       few, FEW_WORDS, file, many, wanted);
    if (!follows)
        return err_set(e, ERR_TARGET,
                       "target.lengths: measured: the server counts %.0f input tokens in %d words and %.0f in %u: no "
                       "length follows from that",
                       few, FEW_WORDS, many, wanted);
    if (p->tokens.on) found->word = 1;
    if (!p->tokens.on && count_words(p, prompt_words(found, wanted, true), 3, &got, e)) return -1;
    p->result.costs.of[p->model] = *found;
    if (p->tokens.on)
        (void)buf_printf(said, "by %.200s, and %.0f tokens beside a prompt, by prompts of %d and %u tokens\n", file,
                         found->beside, FEW_WORDS, wanted);
    else
        (void)buf_printf(said,
                         "%.4g tokens a word, and %.0f beside a prompt, by prompts of %d and %u words; a "
                         "prompt that was to have %u tokens had %.0f\n",
                         found->word, found->beside, FEW_WORDS, wanted, wanted, got);
    return 0;
}

/* Each model on its own: a mix may hold several tokenizers and templates. */
static int measure(struct probe *p, struct buf *said, struct err *e)
{
    static const struct word_costs NONE;
    const struct plan_target *t = &p->plan->target;
    uint32_t n = word_costs_n(t->n_models);
    if (p->dialect.divides)
        return err_set(e, ERR_PLAN, "target.lengths: measured: this API cuts a prompt into parts, and it has no words");
    if (prompt_tokens_init(&p->tokens, t, &NONE, e)) return -1;
    for (p->model = 0; p->model < n; p->model++) {
        (void)buf_puts(said, "lengths: ");
        if (t->n_models > 1) (void)buf_printf(said, "model %.200s: ", t->models[p->model].name);
        if (measure_model(p, said, e)) {
            if (t->n_models > 1) (void)err_context(e, "model %.200s", t->models[p->model].name);
            p->result.costs = NONE;
            return -1;
        }
    }
    p->model = 0;
    if (t->n_models > n)
        (void)buf_printf(said,
                         "lengths: of %zu models the first %u were measured; the others are taken to count as the "
                         "first\n",
                         t->n_models, n);
    return 0;
}

static void conclude(struct probe *p, const struct buf *said)
{
    struct wording_secret secrets[STAGE_SECRETS];
    struct probe_result *r = &p->result;
    size_t n = stage_secrets(p->target, secrets), len = strlen(r->err.text);
    r->n = said->len < sizeof r->said ? said->len : sizeof r->said;
    if (r->n) memcpy(r->said, said->data, r->n);
    for (size_t i = 0; i < n; i++) { /* a header may repeat what it was sent */
        r->n = failure_hide(r->said, r->n, secrets[i].text, secrets[i].n);
        len = failure_hide(r->err.text, len, secrets[i].text, secrets[i].n);
    }
    r->err.text[len] = '\0';
}

static void *probe_main(void *arg)
{
    struct probe *p = arg;
    struct probe_seen seen;
    struct buf said = BUF_INIT(WIRE_SAID_MAX);
    struct probe_result *r = &p->result;
    pthread_setname_np(pthread_self(), "probe");
    if (ask(p, &p->plan->target, &seen, &r->err)) {
        r->final = true; /* READY would say the same */
    } else {
        probe_words_lines(&seen, &said);
        r->final = probe_words_judge(&seen, &r->err) == PROBE_WRONG;
        if (probe_words_try_others(&seen)) try_others(p, &said);
        bool measured = p->plan->target.lengths == LENGTHS_MEASURED;
        if (r->err.code == ERR_NONE && measured && measure(p, &said, &r->err)) r->final = true;
    }
    conclude(p, &said);
    buf_clear(&said);
    if (!p->quit) p->done(p->arg);
    return NULL;
}

struct probe *probe_open(const struct plan *plan, const struct target *t, void (*done)(void *arg), void *arg,
                         struct err *e)
{
    struct probe *p = calloc(1, sizeof *p);
    if (!p) {
        (void)err_set(e, ERR_NOMEM, "no memory for a probe");
        return NULL;
    }
    p->plan = plan;
    p->target = t;
    p->done = done;
    p->arg = arg;
    p->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (p->epoll >= 0 && pthread_create(&p->thread, NULL, probe_main, p) == 0) return p;
    (void)err_set(e, ERR_IO, "no thread for a probe");
    if (p->epoll >= 0) (void)close(p->epoll);
    free(p);
    return NULL;
}

void probe_close(struct probe **pp)
{
    struct probe *p = *pp;
    if (!p) return;
    p->quit = true;
    (void)pthread_join(p->thread, NULL);
    (void)close(p->epoll);
    free(p);
    *pp = NULL;
}

const struct probe_result *probe_result(const struct probe *p)
{
    return &p->result;
}
