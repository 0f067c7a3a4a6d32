#include "tests/sim/model.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/rng.h"

#define NONE UINT32_MAX

struct sequence {
    void *request;
    int64_t arrived;
    uint32_t prompt_left, output, emitted;
    uint32_t next; /* of the queue or of the free list */
    bool cancelled, running;
};

struct sim_model {
    struct sim_model_settings s;
    struct rng rng;
    struct sequence *seq;
    uint32_t cap, free_head;
    uint32_t queue_head, queue_tail, waiting;
    uint32_t *running;          /* [slots], in order of admission */
    uint32_t n_running, n_gone; /* slots taken; of them cancelled, not swept yet */
    bool in_step;
    int64_t step_end; /* of the running step, or of the last one */
    int64_t last_arrival;
};

struct sim_model *sim_model_new(const struct sim_model_settings *s)
{
    assert(s->slots >= 1 && s->prefill_rate > 0 && s->step_base > 0);
    struct sim_model *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->s = *s;
    m->free_head = m->queue_head = m->queue_tail = NONE;
    m->step_end = m->last_arrival = INT64_MIN;
    rng_seed(&m->rng, s->seed);
    m->running = calloc(s->slots, sizeof *m->running);
    if (!m->running) sim_model_destroy(&m);
    return m;
}

void sim_model_destroy(struct sim_model **m)
{
    if (!*m) return;
    free((*m)->seq);
    free((*m)->running);
    free(*m);
    *m = NULL;
}

static int grow(struct sim_model *m)
{
    uint32_t cap = m->cap ? m->cap * 2 : 256;
    if (cap < m->cap) return -1;
    struct sequence *grown = realloc(m->seq, (size_t)cap * sizeof *grown);
    if (!grown) return -1;
    m->seq = grown;
    for (uint32_t i = cap; i-- > m->cap;) {
        grown[i].next = m->free_head;
        m->free_head = i;
    }
    m->cap = cap;
    return 0;
}

static void release(struct sim_model *m, uint32_t i)
{
    m->seq[i].next = m->free_head;
    m->free_head = i;
}

int sim_model_submit(struct sim_model *m, int64_t now, void *request, uint32_t prompt, uint32_t output,
                     uint32_t *ret_handle)
{
    assert(prompt >= 1 && output >= 1);
    if (m->free_head == NONE && grow(m)) return -1;
    uint32_t i = m->free_head;
    m->free_head = m->seq[i].next;
    if (now > m->last_arrival) m->last_arrival = now;
    m->seq[i] = (struct sequence){
        .request = request, .arrived = m->last_arrival, .prompt_left = prompt, .output = output, .next = NONE};
    if (m->queue_tail == NONE)
        m->queue_head = i;
    else
        m->seq[m->queue_tail].next = i;
    m->queue_tail = i;
    m->waiting++;
    *ret_handle = i;
    return 0;
}

void sim_model_cancel(struct sim_model *m, uint32_t handle)
{
    struct sequence *q = &m->seq[handle];
    assert(handle < m->cap && !q->cancelled);
    q->cancelled = true; /* swept when its step ends or when it reaches the head of the queue */
    if (q->running)
        m->n_gone++;
    else
        m->waiting--;
}

static uint32_t pop(struct sim_model *m)
{
    uint32_t i = m->queue_head;
    m->queue_head = m->seq[i].next;
    if (m->queue_head == NONE) m->queue_tail = NONE;
    return i;
}

/* The head of the queue that still waits, or NONE. */
static uint32_t peek(struct sim_model *m)
{
    while (m->queue_head != NONE && m->seq[m->queue_head].cancelled)
        release(m, pop(m));
    return m->queue_head;
}

static void admit(struct sim_model *m, int64_t start)
{
    for (uint32_t i; m->n_running < m->s.slots && (i = peek(m)) != NONE && m->seq[i].arrived <= start;) {
        m->running[m->n_running++] = pop(m);
        m->seq[i].running = true;
        m->waiting--;
    }
}

static void begin_step(struct sim_model *m)
{
    uint32_t head = peek(m);
    if (m->n_running == 0 && head == NONE) return;
    int64_t start = m->step_end;
    if (m->n_running == 0 && m->seq[head].arrived > start) start = m->seq[head].arrived; /* it was idle */
    admit(m, start);
    uint64_t prefill = 0, budget = m->s.prefill_chunk ? m->s.prefill_chunk : UINT64_MAX;
    for (uint32_t k = 0; k < m->n_running && budget; k++) {
        struct sequence *q = &m->seq[m->running[k]];
        uint32_t take = q->prompt_left < budget ? q->prompt_left : (uint32_t)budget;
        q->prompt_left -= take;
        budget -= take;
        prefill += take;
    }
    double ns = (double)m->s.step_base + (double)m->s.step_per_seq * m->n_running +
                (double)prefill / m->s.prefill_rate * (double)NS_PER_S;
    if (m->s.jitter) ns += fabs(rng_normal(&m->rng)) * (double)m->s.jitter;
    m->step_end = start + (int64_t)llround(ns);
    m->in_step = true;
}

int64_t sim_model_next(struct sim_model *m)
{
    if (!m->in_step) begin_step(m);
    return m->in_step ? m->step_end : INT64_MAX;
}

static void end_step(struct sim_model *m, sim_model_fn *fn, void *arg)
{
    uint32_t n = m->n_running, left = 0;
    m->in_step = false;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = m->running[k];
        struct sequence *q = &m->seq[i];
        if (!q->cancelled && q->prompt_left == 0) {
            struct sim_model_event ev = {
                .request = q->request, .token = q->emitted++, .last = q->emitted == q->output, .time = m->step_end};
            fn(arg, &ev); /* may submit (which moves m->seq) or cancel */
        }
    }
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = m->running[k];
        if (m->seq[i].cancelled) m->n_gone--;
        if (m->seq[i].cancelled || m->seq[i].emitted == m->seq[i].output)
            release(m, i);
        else
            m->running[left++] = i;
    }
    m->n_running = left;
}

void sim_model_advance(struct sim_model *m, int64_t now, sim_model_fn *fn, void *arg)
{
    while (sim_model_next(m) <= now)
        end_step(m, fn, arg);
}

uint32_t sim_model_running(const struct sim_model *m)
{
    return m->n_running - m->n_gone;
}

uint32_t sim_model_waiting(const struct sim_model *m)
{
    return m->waiting;
}

/* Mean of |normal(0, sd)|. */
static double mean_jitter(const struct sim_model_settings *s)
{
    return (double)s->jitter * sqrt(2 / M_PI);
}

/* With n running, a step takes base + per_seq·n + (n/O)·P/R: each sequence is prefilled once in its O steps. */
static double step_s(const struct sim_model_settings *s, const struct sim_model_load *l, double n)
{
    return ((double)s->step_base + mean_jitter(s) + (double)s->step_per_seq * n) / (double)NS_PER_S +
           n / l->output * l->prompt / s->prefill_rate;
}

/* The steps after a request's first token hold the prefill of the n - 1 others. */
static double decode_s(const struct sim_model_settings *s, const struct sim_model_load *l, double n)
{
    double own = n >= 1 ? l->prompt / s->prefill_rate / l->output : n * l->prompt / s->prefill_rate / l->output;
    return step_s(s, l, n) - own;
}

static void complete(const struct sim_model_settings *s, const struct sim_model_load *l, struct sim_model_answer *a)
{
    a->step_s = step_s(s, l, a->running);
    a->tokens_per_s = a->running / a->step_s;
    a->requests_per_s = a->tokens_per_s / l->output;
    a->tpot_s = decode_s(s, l, a->running);
}

void sim_model_at_concurrency(const struct sim_model_settings *s, const struct sim_model_load *l, double concurrency,
                              struct sim_model_answer *ret)
{
    double n = concurrency * l->output / (l->output + l->missed_steps);
    *ret = (struct sim_model_answer){.saturated = n >= s->slots, .running = fmin(n, s->slots)};
    complete(s, l, ret);
    ret->e2e_s = concurrency / ret->requests_per_s;
    ret->waiting = concurrency - ret->running;
    ret->ttft_s = ret->e2e_s - (l->output - 1) * ret->tpot_s;
}

void sim_model_at_rate(const struct sim_model_settings *s, const struct sim_model_load *l, double requests_per_s,
                       struct sim_model_answer *ret)
{
    /* n = rate·O·step(n), which is linear in n */
    double tokens = requests_per_s * l->output, fixed = ((double)s->step_base + mean_jitter(s)) / (double)NS_PER_S;
    double each = (double)s->step_per_seq / (double)NS_PER_S + l->prompt / s->prefill_rate / l->output;
    double n = tokens * each < 1 ? tokens * fixed / (1 - tokens * each) : HUGE_VAL;
    *ret = (struct sim_model_answer){.saturated = n >= s->slots, .running = fmin(n, s->slots)};
    complete(s, l, ret);
    if (ret->saturated) { /* the queue grows without end */
        ret->waiting = ret->e2e_s = ret->ttft_s = HUGE_VAL;
        return;
    }
    /* An arrival waits for the rest of a step when one is going on. */
    double busy = fmin(1, n);
    ret->waiting = requests_per_s * busy * ret->step_s / 2;
    ret->e2e_s = n / requests_per_s + busy * ret->step_s / 2;
    ret->ttft_s = ret->e2e_s - (l->output - 1) * ret->tpot_s;
}
