/* What is promised and what it costs: gates, money, and what must agree over sections. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/plan/gate.h"
#include "common/plan/plan_api.h"
#include "common/plan/plan_key.h"

enum { GATES_MAX = 64 };

static int gates_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan *p = at;
    (void)k;
    if (n->kind != NODE_SEQ) return read_expected(r, n, "a list of gates such as [ttft.p99 < 800ms]");
    if (n->n > GATES_MAX) return node_refuse(n, false, r->e, "expected at most %d gates, got %zu", GATES_MAX, n->n);
    p->gates = read_keep_array(r, n, n->n, sizeof *p->gates);
    if (!p->gates) return -1;
    for (const struct node *c = n->first; c; c = c->next) {
        struct plan_gate *gate = &p->gates[p->n_gates++];
        struct err why;
        char folded[GATE_TEXT_MAX];
        if (c->kind != NODE_TEXT) return read_expected(r, c, "a gate such as \"ttft.p99 < 800ms\"");
        if (gate_parse(c->text, gate, &why)) return node_refuse(c, false, r->e, "%s", why.text);
        if (gate_fold(c->text, folded)) return node_refuse(c, false, r->e, "the gate is too long");
        gate->text = read_keep(r, c, folded);
        if (!gate->text) return -1;
    }
    return 0;
}
static struct node *gates_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan *p = at;
    (void)k;
    struct node *n = p->n_gates ? node_new(t, NODE_SEQ) : NULL;
    for (size_t i = 0; i < p->n_gates; i++)
        node_add(t, n, node_new_text(t, p->gates[i].text));
    return n;
}
const struct key_type KEY_GATES = {
    "list of gates", "\"type\": \"array\", \"maxItems\": 64, \"items\": {\"type\": \"string\", \"pattern\": \"[<>]\"}",
    gates_read, gates_write};

static int capacity_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan *p = at;
    struct err why;
    char folded[GATE_TEXT_MAX];
    (void)k;
    if (n->kind != NODE_TEXT) return read_expected(r, n, "a limit such as \">= 5000 token/s\"");
    if (gate_capacity_parse(n->text, &p->capacity, folded, &why)) return node_refuse(n, false, r->e, "%s", why.text);
    p->capacity.text = read_keep(r, n, folded);
    return p->capacity.text ? 0 : -1;
}
static struct node *capacity_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan *p = at;
    (void)k;
    return p->capacity.text ? node_new_text(t, p->capacity.text) : NULL;
}
const struct key_type KEY_CAPACITY = {"limit", "\"type\": \"string\", \"pattern\": \"^ *>\"", capacity_read,
                                      capacity_write};

static int money_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const struct plan_key PRICE = {.name = "price", .least = 1e-6, .most = 1e9};
    struct plan *p = at;
    (void)k;
    const char *blank = n->kind == NODE_TEXT ? strchr(n->text, ' ') : NULL;
    char digits[32];
    if (!blank || blank == n->text || blank - n->text >= (long)sizeof digits || strlen(blank) != 4)
        return read_expected(r, n, "a price and its currency, such as 2.50 USD");
    for (const char *c = blank + 1; *c; c++)
        if (!isupper((unsigned char)*c)) return read_expected(r, n, "a price and its currency, such as 2.50 USD");
    (void)snprintf(digits, sizeof digits, "%.*s", (int)(blank - n->text), n->text);
    struct node number = *n;
    number.text = digits;
    if (node_resolve(&number) || (number.kind != NODE_INT && number.kind != NODE_NUMBER))
        return read_expected(r, n, "a price and its currency, such as 2.50 USD");
    if (scalar_read_number(r, &PRICE, &number, &p->per_gpu_hour)) return -1;
    p->currency = read_keep(r, n, blank + 1);
    return p->currency ? 0 : -1;
}
static struct node *money_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan *p = at;
    char s[48], number[32];
    (void)k;
    if (!p->currency) return NULL;
    (void)snprintf(s, sizeof s, "%s %.8s", node_number_text(p->per_gpu_hour, number, sizeof number), p->currency);
    return node_new_text(t, s);
}
const struct key_type KEY_MONEY = {"price", "\"type\": \"string\", \"pattern\": \"^[0-9.]+ [A-Z]{3}$\"", money_read,
                                   money_write};

#define IMAGE_PIXELS_MAX 40000000 /* as base64 they fit into a request's 64 MiB */

/* Records of these formats are bodies of requests. */
static bool has_bodies(const struct plan_workload *w)
{
    return w->source == SOURCE_DATASET &&
           (w->data.dataset == DATASET_OPENAI_BATCH || w->data.dataset == DATASET_MESSAGES);
}

static int media_check(struct reader *r, const struct node *one, const struct plan *p, const struct plan_workload *w)
{
    const struct node *images = node_get(one, "images"), *audio = node_get(one, "audio");
    const char *api = PLAN_APIS[p->target.api].name;
    if (images && !plan_api_takes(p->target.api, "image"))
        return node_refuse(images, true, r->e, "messages of api %s hold no images here", api);
    if (audio && !plan_api_takes(p->target.api, "audio"))
        return node_refuse(audio, true, r->e, "messages of api %s hold no audio here", api);
    if (images && (double)w->image_count * w->image_width * w->image_height > IMAGE_PIXELS_MAX)
        return node_refuse(images, false, r->e, "more than %d million pixels in a request", IMAGE_PIXELS_MAX / 1000000);
    if ((images || audio) && node_get(one, "sessions"))
        return node_refuse(images ? images : audio, true, r->e,
                           "conversations hold text only: leave out sessions, or this");
    if ((images || audio) && has_bodies(w))
        return node_refuse(images ? images : audio, true, r->e,
                           "the data set's records are whole requests, to which nothing is added");
    return 0;
}

/* What a workload may not be with this target. */
static int workloads_check(struct reader *r, const struct node *map, const struct plan *p)
{
    const struct node *all = node_get(map, "workload");
    for (size_t i = 0; all && i < p->n_workloads; i++) {
        const struct plan_workload *w = &p->workloads[i];
        const struct node *one = all->kind == NODE_SEQ ? node_at(all, i) : all;
        if (p->target.api == API_TEMPLATE && has_bodies(w))
            return node_refuse(node_get(node_get(one, "dataset"), "format"), false, r->e,
                               "its records are whole requests of another API: with api: template use a format with "
                               "prompts, such as jsonl");
        if (media_check(r, one, p, w)) return -1;
    }
    return 0;
}

int goal_check(struct reader *r, const struct node *map, void *base)
{
    struct plan *p = (struct plan *)base;
    if (workloads_check(r, map, p)) return -1;
    const struct node *slo = node_get(map, "slo"), *run = node_get(slo, "run"), *load = node_get(map, "load");
    bool per_request = false;
    for (int i = 0; i < SLO_REQUEST_N; i++)
        per_request |= p->slo_request_ns[i] > 0;
    for (size_t i = 0; i < p->n_gates; i++)
        if (p->gates[i].subject == GATE_GOODPUT && !per_request)
            return node_refuse(node_at(run, i), false, r->e,
                               "goodput needs slo.request, such as request: {ttft: 500ms}");
    if (p->search.goal == SEARCH_SLO && !p->n_gates)
        return node_refuse(node_get(load, "search"), false, r->e,
                           "within: slo needs gates in slo.run, such as run: [ttft.p99 < 800ms]");
    for (size_t i = 0; i < p->n_stages; i++)
        if (p->stages[i].duration_auto && !p->n_gates)
            return node_refuse(load, false, r->e,
                               "duration: auto needs gates in slo.run: it continues until they are decided");
    if (p->search.goal != SEARCH_NONE && p->require == REQUIRE_ALL)
        return node_refuse(node_get(slo, "require"), false, r->e,
                           "a search looks for a load that keeps the gates: all cannot be required; use any");
    bool asks = p->search.goal != SEARCH_NONE || (p->sweep && p->n_stages > 1);
    if (p->require == REQUIRE_AUTO) p->require = asks ? REQUIRE_ANY : REQUIRE_ALL;
    return plan_sessions_check_load(r, load, p);
}

double plan_recorded(const struct plan *p)
{
    if (p->record_sample > 0) return p->record_sample;
    return p->record_requests ? 1 : 0;
}
