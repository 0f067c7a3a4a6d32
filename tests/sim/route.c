#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tests/sim/body.h"
#include "tests/sim/server.h"

static void route_metrics(struct sim_server *v, struct sim_conn *c)
{
    struct sim_metrics *m = &v->metrics;
    m->running = v->model ? sim_model_running(v->model) : v->busy;
    m->waiting = v->model ? sim_model_waiting(v->model) : 0;
    double use = (double)m->running / v->o->slots;
    m->kv_usage = use < 1 ? use : 1;
    buf_reset(&v->out);
    sim_metrics_write(m, v->o->model, &v->out);
    sim_reply_json(v, c, 200, "text/plain; version=0.0.4; charset=utf-8", v->out.data, v->out.len);
}

static void route_models(struct sim_server *v, struct sim_conn *c)
{
    char body[512];
    int n = snprintf(body, sizeof body,
                     "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":%" PRId64
                     ",\"owned_by\":\"plateau-sim\",\"max_model_len\":%d}]}",
                     v->o->model, clock_wall_ns() / NS_PER_S, SIM_TOKENS_MAX);
    sim_reply_json(v, c, 200, "application/json", body, n > 0 ? (size_t)n : 0);
}

static bool key_is_right(const struct sim_server *v, const struct sim_request *r)
{
    static const char BEARER[] = "Bearer ";
    size_t skip = sizeof BEARER - 1;
    if (!v->o->require_key) return true;
    if (r->authorization.n <= skip || memcmp(r->authorization.p, BEARER, skip) != 0) return false;
    return sim_slice_is((struct sim_slice){r->authorization.p + skip, r->authorization.n - skip}, v->o->require_key);
}

static void route_generate(struct sim_server *v, struct sim_conn *c, enum sim_api api, const struct sim_request *r,
                           int64_t received)
{
    struct sim_body b;
    struct err e;
    if (sim_body_count(r->body.p, r->body.n, v->tokenizer, &b, &e)) {
        sim_reply_error(v, c, 400, e.text);
        sim_conn_answered(v, c);
        return;
    }
    const char *wrong = NULL;
    const struct sim_api_row *row = &API_ROWS[api];
    if (!(row->needs != SIM_NEEDS_PROMPT && b.has_messages) && !(row->needs != SIM_NEEDS_MESSAGES && b.has_prompt))
        wrong = row->needs == SIM_NEEDS_PROMPT ? "prompt: field required" : "messages: field required";
    else if (b.has_max_tokens && (b.max_tokens < 1 || b.max_tokens > SIM_TOKENS_MAX))
        wrong = "max_tokens: out of range";
    if (wrong) {
        sim_reply_error(v, c, 400, wrong);
        sim_conn_answered(v, c);
        return;
    }
    if (api == SIM_DATABRICKS && !b.has_messages) api = SIM_COMPLETIONS;
    bool other = v->o->other_word_tokens > 0 && b.model[0] && strcmp(b.model, v->o->model) != 0;
    double words = other ? v->o->other_word_tokens : v->o->word_tokens;
    struct sim_ask ask = {.api = api,
                          .stream = row->stream == SIM_STREAM_ASKED ? b.stream : row->stream == SIM_STREAM_ALWAYS,
                          .include_usage = b.include_usage,
                          .continuous_usage = b.continuous_usage,
                          .prompt = sim_body_prompt_tokens(&b, words, v->o->template_tokens),
                          .output = b.has_max_tokens ? (uint32_t)b.max_tokens : v->o->tokens};
    ask.probe = r->probe;
    (void)snprintf(ask.model, sizeof ask.model, "%s", b.model[0] ? b.model : v->o->model);
    sim_stream_start(v, c, &ask, received);
}

static bool path_is(struct sim_slice path, const struct sim_api_row *row)
{
    size_t head = strlen(row->begins), tail = strlen(row->ends), n = path.n;
    const char *query = memchr(path.p, '?', n);
    if (query) n = (size_t)(query - path.p);
    if (tail == 0) return n == head && memcmp(path.p, row->begins, n) == 0;
    return n > head + tail && memcmp(path.p, row->begins, head) == 0 && memcmp(path.p + n - tail, row->ends, tail) == 0;
}

/* SIM_API_N: none. */
static enum sim_api api_of(struct sim_slice path)
{
    int api = 0;
    while (api < SIM_API_N && !path_is(path, &API_ROWS[api]))
        api++;
    return (enum sim_api)api;
}

void sim_route(struct sim_server *v, struct sim_conn *c, const struct sim_request *r, int64_t received)
{
    bool post = sim_slice_is(r->method, "POST"), get = sim_slice_is(r->method, "GET");
    enum sim_api api = api_of(r->path);
    bool models = sim_slice_is(r->path, "/v1/models"), generate = api != SIM_API_N;
    c->last = !r->keep_alive;
    if ((generate || models) && !key_is_right(v, r))
        sim_reply_error(v, c, 401, "Invalid or missing API key");
    else if (generate && post) {
        route_generate(v, c, api, r, received);
        return;
    } else if (models && get)
        route_models(v, c);
    else if (get && sim_slice_is(r->path, "/health"))
        sim_reply_json(v, c, 200, "text/plain", "", 0);
    else if (get && sim_slice_is(r->path, "/metrics"))
        route_metrics(v, c);
    else
        sim_reply_error(v, c, generate || models ? 405 : 404, generate || models ? "Method Not Allowed" : "Not Found");
    sim_conn_answered(v, c);
}
