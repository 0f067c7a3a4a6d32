/* Continuous batching as a pure model: submissions with their time go in, token events with their time come out. No
 * socket, no clock, no thread; the server drives it with real time, a test with simulated time. README.md states the
 * rules and the closed form. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct sim_model_settings {
    uint32_t slots;                  /* maximum of running sequences, >= 1 */
    double prefill_rate;             /* prompt tokens/s, > 0 */
    uint32_t prefill_chunk;          /* maximum of prompt tokens per step; 0: no limit, a prompt takes one step */
    int64_t step_base, step_per_seq; /* ns; base > 0 */
    int64_t jitter;                  /* ns; a step is longer by |normal(0, jitter)| */
    uint64_t seed;
};

struct sim_model_event {
    void *request;  /* as submitted */
    uint32_t token; /* 0 … output - 1 */
    bool last;
    int64_t time; /* ns, on the clock of the submissions */
};
typedef void sim_model_fn(void *arg, const struct sim_model_event *event);

struct sim_model;
struct sim_model *sim_model_new(const struct sim_model_settings *s); /* NULL without memory */
void sim_model_destroy(struct sim_model **m);

/* A request arrives at `now` (never earlier than the last event or submission; else it counts as then). `prompt` and
 * `output` >= 1. The handle is valid until the request's last event or its cancellation. May be called from an event.
 * -1 without memory. */
int sim_model_submit(struct sim_model *m, int64_t now, void *request, uint32_t prompt, uint32_t output,
                     uint32_t *ret_handle);

/* The request goes away, from queue or slot; no further event of it. May be called from an event, but not for a request
 * that had its last. */
void sim_model_cancel(struct sim_model *m, uint32_t handle);

/* Time of the next events; INT64_MAX when nothing is to be done. Begins the step that is due: what is submitted later
 * waits for the next one. */
int64_t sim_model_next(struct sim_model *m);

/* Gives all events up to and including `now`, in order of time and, within a step, of admission. */
void sim_model_advance(struct sim_model *m, int64_t now, sim_model_fn *fn, void *arg);

uint32_t sim_model_running(const struct sim_model *m);
uint32_t sim_model_waiting(const struct sim_model *m);

/* The closed form: what the model gives in steady state. */
struct sim_model_load {
    double prompt, output; /* mean tokens of a request, output >= 1 */
    /* Steps a slot's owner misses between two requests of a closed loop: 0 when the next request is there at the very
     * moment the last one ends, 1 when it comes a little later, as any real client's does. */
    double missed_steps;
};
struct sim_model_answer {
    double tokens_per_s, requests_per_s;
    double running;               /* mean sequences running */
    double waiting;               /* mean requests in the queue */
    double step_s;                /* mean step */
    double ttft_s, tpot_s, e2e_s; /* means; e2e from submission to last token, the missed steps included */
    bool saturated;               /* all slots busy, or (open loop) more asked than the model can give */
};
void sim_model_at_concurrency(const struct sim_model_settings *s, const struct sim_model_load *l, double concurrency,
                              struct sim_model_answer *ret);
void sim_model_at_rate(const struct sim_model_settings *s, const struct sim_model_load *l, double requests_per_s,
                       struct sim_model_answer *ret);
