#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "tests/sim/fault.h"
#include "tests/sim/server.h"

static bool fault_is_due(const struct sim_stream *s)
{
    return s->fault != SIM_FAULT_NONE && s->fault != SIM_FAULT_NO_DONE && s->record.tokens == s->fault_at;
}

/* Where the next event ends: a group of tokens, cut where reasoning ends, where a fault waits and at the end. */
static uint32_t event_end(const struct sim_server *v, const struct sim_stream *s)
{
    uint32_t sent = s->record.tokens, end = sent + v->o->tokens_per_event;
    if (!s->frame.ask.stream) return s->record.asked;
    if (sent < v->o->reasoning && end > v->o->reasoning) end = v->o->reasoning;
    if (s->fault != SIM_FAULT_NONE && sent < s->fault_at && end > s->fault_at) end = s->fault_at;
    return end < s->record.asked ? end : s->record.asked;
}

/* Tokens that must be there before anything is sent again. */
static uint32_t needed(const struct sim_server *v, const struct sim_stream *s)
{
    return s->frame.ask.stream && fault_is_due(s) ? s->record.tokens + 1 : event_end(v, s);
}

/* Fixed mode: token k is due at received + ttft + k·tpot, whatever came before; jitter makes it late, never early. */
static void schedule(struct sim_server *v, struct sim_conn *c)
{
    struct sim_stream *s = &c->stream;
    int64_t due = s->record.received + v->o->ttft + (int64_t)(needed(v, s) - 1) * v->o->tpot;
    if (v->o->jitter) due += (int64_t)llround(fabs(rng_normal(&s->rng)) * (double)v->o->jitter);
    if (due > s->due) s->due = due;
    sim_timer_set(&v->timers, &c->token_timer, s->due);
}

static void done(struct sim_server *v, struct sim_conn *c, const char *end, enum sim_finish finish)
{
    sim_stream_end(v, c, end, finish);
    sim_conn_answered(v, c);
}

/* When what was sent since `before` was emitted: right before its write. HTTP/2's frames and TLS come before that, what
 * the kernel takes for itself comes after it. Bytes that wait count from now on. */
static int64_t emitted(const struct sim_server *v, int64_t before)
{
    return v->wrote != before ? v->wrote : clock_mono_ns();
}

/* Sends v->out as the event that carries the next n tokens. */
static int send_tokens(struct sim_server *v, struct sim_conn *c, uint32_t n, int64_t due)
{
    struct sim_record *r = &c->stream.record;
    int64_t before = v->wrote;
    if (v->out.bad || sim_conn_send(v, c, v->out.data, v->out.len)) return -1;
    int64_t now = emitted(v, before);
    if (r->events == 0) sim_metrics_ttft(&v->metrics, now - r->received);
    sim_record_event(r, now, due, n);
    sim_metrics_tokens(&v->metrics, n);
    v->tokens += n;
    v->events++;
    return 0;
}

static void whole_answer(struct sim_server *v, struct sim_conn *c, int64_t due)
{
    struct sim_stream *s = &c->stream;
    uint32_t n = s->fault == SIM_FAULT_EMPTY ? 0 : s->record.asked;
    struct buf body __attribute__((cleanup(buf_clear))) = BUF_INIT(SIM_OUT_MAX);
    if (s->fault == SIM_FAULT_GARBAGE)
        buf_puts(&body, "{\"id\":\"x\",\"choices\":[{\"message\":\xff\xfe] not json");
    else
        sim_frame_whole(&s->frame, n, &body);
    if (s->fault == SIM_FAULT_SLOW_BYTES) c->slow = true;
    int64_t before = v->wrote;
    sim_reply_json(v, c, 200, "application/json", body.data, body.len);
    if (c->dead) return;
    if (n) {
        int64_t now = emitted(v, before);
        sim_metrics_ttft(&v->metrics, now - s->record.received);
        sim_record_event(&s->record, now, due, n);
        v->metrics.generation_tokens += n;
        v->tokens += n;
        v->events++;
    }
    done(v, c, "done", n ? SIM_FINISH_LENGTH : SIM_FINISH_STOP);
}

static void truncate_answer(struct sim_server *v, struct sim_conn *c)
{
    static const char PART[] = "d6\r\ndata: {\"id\":\"chatcmpl-",
                      HEAD[] = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                               "content-length: 500\r\n\r\n{\"id\":\"chatcmpl-";
    bool stream = c->stream.frame.ask.stream;
    if (sim_conn_send(v, c, stream ? PART : HEAD, stream ? sizeof PART - 1 : sizeof HEAD - 1)) return;
    sim_stream_end(v, c, "truncate", SIM_FINISH_ERROR);
    sim_conn_finish(v, c);
}

static void error_answer(struct sim_server *v, struct sim_conn *c, bool then_done)
{
    struct sim_stream *s = &c->stream;
    buf_reset(&v->out);
    if (!s->frame.ask.stream)
        sim_reply_error(v, c, 500, "EngineCore encountered an issue (simulated)");
    else {
        sim_frame_error(&s->frame, &v->out);
        sim_frame_close(&s->frame, then_done, &v->out);
        (void)sim_conn_send(v, c, v->out.data, v->out.len);
    }
    if (!c->dead) done(v, c, sim_fault_name(s->fault), SIM_FINISH_ERROR);
}

/* A whole stream without a token. */
static void empty_answer(struct sim_server *v, struct sim_conn *c)
{
    struct sim_stream *s = &c->stream;
    buf_reset(&v->out);
    sim_frame_role(&s->frame, &v->out);
    sim_frame_finish(&s->frame, &v->out);
    sim_frame_end(&s->frame, 0, true, &v->out);
    if (sim_conn_send(v, c, v->out.data, v->out.len) == 0) done(v, c, sim_fault_name(s->fault), SIM_FINISH_STOP);
}

/* Does what is due; true when the answer continues. */
static bool run_fault(struct sim_server *v, struct sim_conn *c)
{
    struct sim_stream *s = &c->stream;
    switch (s->fault) {
    case SIM_FAULT_STREAM_ERROR:
    case SIM_FAULT_ERROR_THEN_DONE:
        error_answer(v, c, s->fault == SIM_FAULT_ERROR_THEN_DONE);
        return false;
    case SIM_FAULT_TRUNCATE:
        truncate_answer(v, c);
        return false;
    case SIM_FAULT_STALL:
        s->stalled = true;
        sim_timer_clear(&v->timers, &c->token_timer);
        if (s->in_model)
            sim_model_cancel(v->model, s->handle); /* it holds no slot: the others continue as if it had never been */
        s->in_model = false;
        return false;
    case SIM_FAULT_RESET:
        sim_conn_reset(v, c);
        return false;
    case SIM_FAULT_EMPTY:
        if (!s->frame.ask.stream) return true;
        empty_answer(v, c);
        return false;
    case SIM_FAULT_GARBAGE:
        if (!s->frame.ask.stream) return true;
        buf_reset(&v->out);
        sim_frame_garbage(&s->frame, &v->out);
        s->fault = SIM_FAULT_NONE;
        return sim_conn_send(v, c, v->out.data, v->out.len) == 0;
    case SIM_FAULT_SLOW_BYTES:
        if (!s->frame.ask.stream) return true;
        c->slow = true;
        s->fault = SIM_FAULT_NONE;
        return true;
    case SIM_FAULT_NONE:
    case SIM_FAULT_STATUS:
    case SIM_FAULT_NO_DONE:
    case SIM_FAULT_N:
        break;
    }
    return true;
}

/* The next event, now that its tokens are due; true when more follow. */
static bool next_event(struct sim_server *v, struct sim_conn *c, int64_t due)
{
    struct sim_stream *s = &c->stream;
    bool stream = s->frame.ask.stream;
    if ((stream ? fault_is_due(s) : s->fault != SIM_FAULT_NONE) && !run_fault(v, c)) return false;
    if (!stream) {
        whole_answer(v, c, due);
        return false;
    }
    uint32_t from = s->record.tokens, to = event_end(v, s);
    if (s->ready < to) return true; /* the fault cut the group in two */
    bool last = to == s->record.asked;
    buf_reset(&v->out);
    if (from == 0 && !v->o->early_role) sim_frame_role(&s->frame, &v->out);
    sim_frame_tokens(&s->frame, from, to - from, last, &v->out);
    if (last) sim_frame_end(&s->frame, to, s->fault != SIM_FAULT_NO_DONE, &v->out);
    if (send_tokens(v, c, to - from, due)) return false;
    if (last) done(v, c, s->fault == SIM_FAULT_NO_DONE ? "no-done" : "done", SIM_FINISH_LENGTH);
    return !last;
}

bool sim_stream_due(struct sim_server *v, struct sim_conn *c)
{
    int64_t due = c->stream.due;
    c->stream.ready = needed(v, &c->stream);
    bool more = next_event(v, c, due);
    if (more) schedule(v, c);
    return more;
}

bool sim_stream_model_event(struct sim_server *v, const struct sim_model_event *ev)
{
    struct sim_conn *c = ev->request;
    struct sim_stream *s = &c->stream;
    s->ready = ev->token + 1;
    if (ev->last) s->in_model = false; /* the model forgets it by itself */
    bool more = true;
    while (more && s->ready >= needed(v, s))
        more = next_event(v, c, ev->time);
    return more;
}

static bool same_ask(const struct sim_ask *a, const struct sim_ask *b)
{
    return a->api == b->api && a->include_usage == b->include_usage && a->continuous_usage == b->continuous_usage &&
           a->prompt == b->prompt && a->output == b->output && strcmp(a->model, b->model) == 0;
}

/* --null: the whole answer in one write; its bytes serve all like requests. */
static void null_answer(struct sim_server *v, struct sim_conn *c)
{
    struct sim_stream *s = &c->stream;
    struct buf *out = &v->null_answer;
    if (!s->frame.ask.stream) {
        whole_answer(v, c, clock_mono_ns());
        return;
    }
    bool ends = c->last || v->o->close_after, same = out->len && !ends && same_ask(&s->frame.ask, &v->null_ask);
    if (!same) {
        buf_reset(out);
        sim_reply_stream_head(v, c, out);
        sim_frame_role(&s->frame, out);
        for (uint32_t from = 0, asked = s->record.asked; from < asked; from += v->o->tokens_per_event) {
            uint32_t n = asked - from < v->o->tokens_per_event ? asked - from : v->o->tokens_per_event;
            sim_frame_tokens(&s->frame, from, n, from + n == asked, out);
        }
        sim_frame_end(&s->frame, s->record.asked, true, out);
        v->null_ask = s->frame.ask;
        if (ends) v->null_ask.output = 0; /* says "connection: close": not for others */
    }
    if (out->bad) {
        sim_conn_close(v, c, "client-closed");
        return;
    }
    int64_t before = v->wrote;
    if (sim_conn_send(v, c, out->data, out->len)) return;
    int64_t now = emitted(v, before);
    sim_metrics_ttft(&v->metrics, now - s->record.received);
    sim_record_event(&s->record, now, now, s->record.asked);
    v->metrics.generation_tokens += s->record.asked;
    v->tokens += s->record.asked;
    v->events += s->record.events = (s->record.asked + v->o->tokens_per_event - 1) / v->o->tokens_per_event;
    done(v, c, "done", SIM_FINISH_LENGTH);
}

static void status_answer(struct sim_server *v, struct sim_conn *c)
{
    sim_reply_error(v, c, v->o->fault_status, "simulated failure");
    if (!c->dead) done(v, c, sim_fault_name(SIM_FAULT_STATUS), SIM_FINISH_ERROR);
}

/* The head goes out at once, as vLLM's does. */
static int send_head(struct sim_server *v, struct sim_conn *c)
{
    buf_reset(&v->out);
    sim_reply_stream_head(v, c, &v->out);
    if (v->o->early_role) sim_frame_role(&c->stream.frame, &v->out);
    return sim_conn_send(v, c, v->out.data, v->out.len);
}

void sim_stream_start(struct sim_server *v, struct sim_conn *c, const struct sim_ask *ask, int64_t received)
{
    struct sim_stream *s = &c->stream;
    uint64_t number = v->requests + 1;
    v->requests += !ask->probe;
    *s = (struct sim_stream){.fault = sim_fault_choose(v->o, number)};
    s->fault_at = sim_fault_position(v->o, s->fault, ask->output);
    s->record = (struct sim_record){.request = number,
                                    .connection = c->number,
                                    .api = API_ROWS[ask->api].word,
                                    .fault = sim_fault_name(s->fault),
                                    .stream = ask->stream,
                                    .prompt = ask->prompt,
                                    .asked = ask->output,
                                    .received = received,
                                    .arrived = c->arrived};
    sim_frame_init(&s->frame, v->o, ask, number, clock_wall_ns() / NS_PER_S);
    s->frame.ask.no_done = s->fault == SIM_FAULT_NO_DONE;
    c->busy = true;
    v->busy++;
    v->metrics.prompt_tokens += ask->prompt;
    if (v->o->null) {
        null_answer(v, c);
        return;
    }
    if (s->fault == SIM_FAULT_STATUS) {
        status_answer(v, c);
        return;
    }
    if (v->o->truth_tokens && sim_record_reserve(&s->record, ask->stream ? ask->output : 1))
        log_warn("request %llu: no memory for the times of its tokens", (unsigned long long)number);
    if (v->o->jitter) rng_seed(&s->rng, rng_mix(v->o->seed, number, 0x71, 0));
    if (ask->stream && send_head(v, c)) return;
    if (!v->model)
        schedule(v, c);
    else if (sim_model_submit(v->model, received, c, ask->prompt, ask->output, &s->handle))
        sim_conn_reset(v, c);
    else
        s->in_model = true;
}
