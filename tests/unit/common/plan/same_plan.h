/* Two plans are the same in every member. */
#pragma once
#include <math.h>

#include "common/plan/plan.h"

static bool same(double a, double b)
{
    return fabs(a - b) <= 1e-12 * fabs(b);
}

static void same_dist(const struct dist *a, const struct dist *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(same(a->a, b->a) && same(a->b, b->b) && same(a->min, b->min) && same(a->max, b->max));
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        assert_true(same(a->value[i], b->value[i]) && same(a->weight[i], b->weight[i]));
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a) assert_string_equal(a, b);
}

static void same_template(const struct plan_template *a, const struct plan_template *b)
{
    same_text(a->body, b->body);
    same_text(a->end_text, b->end_text);
    assert_int_equal(a->framing, b->framing);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->n_parts, b->n_parts);
    for (int place = 0; place < PLACE_N; place++) {
        assert_int_equal(a->paths[place].n, b->paths[place].n);
        for (size_t i = 0; i < a->paths[place].n; i++)
            assert_string_equal(a->paths[place].path[i], b->paths[place].path[i]);
    }
}

static void same_target(const struct plan_target *a, const struct plan_target *b)
{
    assert_string_equal(a->url, b->url);
    assert_int_equal(a->api, b->api);
    same_template(&a->template, &b->template);
    assert_int_equal(a->whole, b->whole);
    assert_int_equal(a->n_models, b->n_models);
    for (size_t i = 0; i < a->n_models; i++) {
        assert_string_equal(a->models[i].name, b->models[i].name);
        assert_true(same(a->models[i].weight, b->models[i].weight));
    }
    assert_int_equal(a->auth.kind, b->auth.kind);
    assert_int_equal(a->auth.secret.kind, b->auth.secret.kind);
    same_text(a->auth.secret.name, b->auth.secret.name);
    same_text(a->auth.header, b->auth.header);
    same_text(a->auth.user, b->auth.user);
    assert_int_equal(a->n_headers, b->n_headers);
    for (size_t i = 0; i < a->n_headers; i++) {
        assert_string_equal(a->headers[i].key, b->headers[i].key);
        assert_string_equal(a->headers[i].value, b->headers[i].value);
    }
    assert_string_equal(a->body, b->body);
    assert_int_equal(a->http, b->http);
    assert_int_equal(a->streams_per_connection, b->streams_per_connection);
    same_text(a->tls_ca_file, b->tls_ca_file);
    same_text(a->tls_cert_file, b->tls_cert_file);
    same_text(a->tls_key_file, b->tls_key_file);
    assert_int_equal(a->tls_verify, b->tls_verify);
    assert_int_equal(a->timeout_connect_ns, b->timeout_connect_ns);
    assert_int_equal(a->timeout_first_token_ns, b->timeout_first_token_ns);
    assert_int_equal(a->timeout_idle_ns, b->timeout_idle_ns);
    assert_int_equal(a->timeout_total_ns, b->timeout_total_ns);
    assert_int_equal(a->fresh_connections, b->fresh_connections);
    same_text(a->proxy, b->proxy);
    assert_int_equal(a->proxy_auth.kind, b->proxy_auth.kind);
    assert_int_equal(a->proxy_auth.secret.kind, b->proxy_auth.secret.kind);
    same_text(a->proxy_auth.secret.name, b->proxy_auth.secret.name);
    same_text(a->proxy_auth.user, b->proxy_auth.user);
    same_text(a->address, b->address);
    same_text(a->host, b->host);
    same_text(a->sni, b->sni);
    same_text(a->metrics_url, b->metrics_url);
}

static void same_stage(const struct plan_stage *a, const struct plan_stage *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->concurrency, b->concurrency);
    assert_int_equal(a->max_concurrency, b->max_concurrency);
    assert_true(same(a->rate_from, b->rate_from) && same(a->rate_to, b->rate_to) && same(a->burstiness, b->burstiness));
    assert_int_equal(a->arrivals, b->arrivals);
    assert_int_equal(a->duration_ns, b->duration_ns);
    assert_int_equal(a->requests, b->requests);
    assert_int_equal(a->warmup_ns, b->warmup_ns);
    assert_int_equal(a->ramp_ns, b->ramp_ns);
    assert_int_equal(a->warmup_auto, b->warmup_auto);
    assert_int_equal(a->duration_auto, b->duration_auto);
    assert_int_equal(a->steady_ns, b->steady_ns);
}

/* Field by field: a field that reader and writer both forget would be missed by comparing what they write. */
static void same_plan(const struct plan *a, const struct plan *b)
{
    assert_string_equal(a->name, b->name);
    assert_true(a->seed == b->seed);
    same_target(&a->target, &b->target);
    assert_int_equal(a->n_workloads, b->n_workloads);
    for (size_t i = 0; i < a->n_workloads; i++) {
        const struct plan_workload *x = &a->workloads[i], *y = &b->workloads[i];
        assert_string_equal(x->name, y->name);
        assert_true(same(x->weight, y->weight));
        assert_true(x->image_count == y->image_count && x->image_width == y->image_width &&
                    x->image_height == y->image_height);
        assert_true(x->audio_ns == y->audio_ns && x->audio_rate == y->audio_rate);
        same_dist(&x->input_tokens, &y->input_tokens);
        same_dist(&x->output_tokens, &y->output_tokens);
        assert_int_equal(x->prefix_tokens, y->prefix_tokens);
        assert_int_equal(x->prefix_groups, y->prefix_groups);
        same_dist(&x->sessions.turns, &y->sessions.turns);
        same_dist(&x->sessions.think_time, &y->sessions.think_time);
        assert_int_equal(x->sessions.on, y->sessions.on);
        assert_int_equal(x->sessions.recorded, y->sessions.recorded);
        assert_int_equal(x->sessions.by_request, y->sessions.by_request);
        assert_int_equal(x->data.conversations, y->data.conversations);
    }
    assert_int_equal(a->n_stages, b->n_stages);
    for (size_t i = 0; i < a->n_stages; i++)
        same_stage(&a->stages[i], &b->stages[i]);
    assert_int_equal(a->sweep, b->sweep);
    assert_int_equal(a->search.goal, b->search.goal);
    assert_int_equal(a->search.over_rate, b->search.over_rate);
    assert_true(same(a->search.from, b->search.from) && same(a->search.to, b->search.to) &&
                same(a->search.tolerance, b->search.tolerance));
    assert_int_equal(a->repeats, b->repeats);
    assert_int_equal(a->cooldown_ns, b->cooldown_ns);
    assert_int_equal(a->drain_ns, b->drain_ns);
    for (int i = 0; i < SLO_REQUEST_N; i++)
        assert_int_equal(a->slo_request_ns[i], b->slo_request_ns[i]);
    assert_int_equal(a->n_gates, b->n_gates);
    for (size_t i = 0; i < a->n_gates; i++) {
        assert_string_equal(a->gates[i].text, b->gates[i].text);
        assert_int_equal(a->gates[i].subject, b->gates[i].subject);
        assert_true(same(a->gates[i].value, b->gates[i].value));
    }
    assert_int_equal(a->agents_count, b->agents_count);
    assert_int_equal(a->agents_wait_ns, b->agents_wait_ns);
    assert_int_equal(a->on_loss, b->on_loss);
    assert_true(same(a->max_lost_weight, b->max_lost_weight));
    assert_int_equal(a->quantum_ns, b->quantum_ns);
    assert_int_equal(a->record_requests, b->record_requests);
    assert_int_equal(a->record_rows, b->record_rows);
    assert_int_equal(a->retries.max, b->retries.max);
    assert_int_equal(a->retries.n_status, b->retries.n_status);
    assert_memory_equal(a->retries.status, b->retries.status, sizeof a->retries.status);
    assert_int_equal(a->retries.labels, b->retries.labels);
    assert_int_equal(a->retries.wait_ns, b->retries.wait_ns);
    assert_true(a->retries.budget - b->retries.budget == 0);
    assert_true(a->record_sample - b->record_sample == 0);
    assert_int_equal(a->verdict_lateness_ns, b->verdict_lateness_ns);
    assert_int_equal(a->verdict_lag_ns, b->verdict_lag_ns);
    assert_true(same(a->verdict_achieved, b->verdict_achieved) && same(a->gpus, b->gpus) &&
                same(a->per_gpu_hour, b->per_gpu_hour));
    same_text(a->currency, b->currency);
}
