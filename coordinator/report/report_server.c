#include "coordinator/report/report_server.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/human.h"
#include "coordinator/answer/load_axis.h"

static void put_gauge(struct json_out *j, const char *key, const struct server_stage *w, enum server_field f)
{
    json_object(j, key);
    json_double(j, "mean", w->mean[f]);
    json_double(j, "max", w->max[f]);
    json_end_object(j);
}

static void put_speculation(struct json_out *j, const struct server_stage *w)
{
    int places = SERVER_PLACES;
    if (isnan(w->acceptance_rate) && isnan(w->acceptance_length)) {
        json_null(j, "speculation");
        return;
    }
    while (places && isnan(w->acceptance_at[places - 1]))
        places--;
    json_object(j, "speculation");
    json_double(j, "drafts", w->delta[SERVER_DRAFTS]);
    json_double(j, "draft_tokens", w->delta[SERVER_DRAFT_TOKENS]);
    json_double(j, "accepted_tokens", w->delta[SERVER_ACCEPTED]);
    json_double(j, "acceptance_rate", w->acceptance_rate);
    json_double(j, "acceptance_length", w->acceptance_length);
    json_array(j, "acceptance_at");
    for (int i = 0; i < places; i++)
        json_double(j, NULL, w->acceptance_at[i]);
    json_end_array(j);
    json_end_object(j);
}

void report_server(struct json_out *j, const struct point_server *s)
{
    const struct server_stage *w = &s->window;
    if (!s->any) {
        json_null(j, "server");
        return;
    }
    json_object(j, "server");
    json_string(j, "name", w->server);
    json_u64(j, "samples", w->samples);
    json_bool(j, "restarted", w->restarted);
    json_bool(j, "several", s->several);
    for (int f = 0; f < SERVER_COUNTER_FIRST; f++)
        put_gauge(j, server_field_name((enum server_field)f), w, (enum server_field)f);
    for (int f = SERVER_COUNTER_FIRST; f < SERVER_TTFT_SUM; f++)
        json_double(j, server_field_name((enum server_field)f), w->delta[f]);
    json_double(j, "prefix_hit_rate", w->prefix_hit_rate);
    put_speculation(j, w);
    json_double(j, "ttft_ms", w->ttft_ms);
    json_double(j, "queue_ms", s->queue_ms);
    json_double(j, "queue_share_of_ttft", s->queue_share);
    json_double(j, "other_requests", s->others);
    json_double(j, "stage_generation_tokens", s->tokens);
    json_double(j, "stage_client_tokens", s->client_tokens);
    json_end_object(j);
}

void report_cache_hits(struct json_out *j, const struct cache_hits *h)
{
    json_object(j, "prefix_cache");
    json_double(j, "possible", h->possible);
    json_double(j, "by_usage", h->usage);
    json_double(j, "by_metrics_page", h->page);
    json_end_object(j);
}

bool server_others_words(const struct analysis *a, char *buf, size_t n)
{
    char load[64], t[HUMAN_THINGS_MAX], ours[HUMAN_MAX];
    for (size_t i = 0; i < a->n_points; i++) {
        const struct point *p = &a->points[i];
        bool left = p->server.others_left;
        if (!(p->server.others > 0)) continue;
        (void)snprintf(
            buf, n,
            "%s: in stage %" PRIu32
            " (load %s) its page had %s that are not of this %s, on average, beside %s of ours.",
            left ? "The server may have been at work on what a drain had left open" : "Others load the server too",
            p->stage + 1, load_label(&p->requested, load), human_things(round(p->server.others), "request", t),
            left ? "stage" : "run", human_number(round(p->concurrency), ours));
        return true;
    }
    return false;
}
