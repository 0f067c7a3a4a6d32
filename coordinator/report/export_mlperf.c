/* MLPerf Endpoints' submission folder, as endpoints-submission-cli 1.5 reads it: one folder for each concurrency.
 *
 * What the rules define otherwise than plateau is converted: a point is the requests issued in the window with the
 * tokens of their whole life, TPOT is that of the suffix, percentiles are observed values. What plateau cannot know
 * (the machines, the model's precision, links) comes from the file of --with, or is called "not stated". Beside the
 * rules' own members stands `plateau`, with the verdicts. The reference client's name, version and seeds are never
 * claimed. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/plan/node.h"
#include "coordinator/answer/curve.h"
#include "coordinator/answer/early_stop.h"
#include "coordinator/report/export.h"
#include "coordinator/report/export_mlperf_events.h"

#define NOT_STATED "not stated"
enum { NAME = 64 };

struct submission {
    const struct analysis *a;
    const struct export_to *to;
    struct plan plan; /* the run's, with a curve in any case */
    bool *in;         /* which points are a part of it */
    double most;      /* system token/s of the best point */
    char dir[300];    /* results/SYSTEM/MODEL, with the submission before it */
    char root[80];
};

/* ---- what is measured ---- */

static double sum_of(const struct point *p, enum metric m)
{
    const struct hist *h = p->hist ? p->hist[m] : NULL;
    return h && h->count ? hist_sum(h) / METRICS[m].scale : 0;
}

/* Tokens of the requests issued in the window, over its length. */
static double system_tps(const struct point *p)
{
    return p->window_s > 0 ? sum_of(p, METRIC_OUTPUT_TOKENS) / p->window_s : 0;
}

/* The observed value at index floor(q (n - 1)). */
static double observed(const struct hist *h, double q)
{
    double rank = floor(q * (double)(h->count - 1)) + 0.5;
    return (double)hist_quantile(h, rank / (double)h->count);
}

/* A series: times in ns as histograms keep them (by: 1), counts in their own unit (by: their scale). */
static void put_series(struct json_out *j, const struct point *p, const char *key, enum metric m, double by)
{
    static const struct {
        const char *key;
        double q;
    } Q[] = {{"50", .5}, {"75", .75}, {"80", .8}, {"90", .9}, {"95", .95}, {"97", .97}, {"99", .99}, {"99.9", .999}};
    const struct hist *h = p->hist ? p->hist[m] : NULL;
    if (!h || !h->count) return;
    json_object(j, key);
    json_double(j, "total", hist_sum(h) / by);
    json_double(j, "min", (double)h->min / by);
    json_double(j, "max", (double)h->max / by);
    json_double(j, "median", observed(h, 0.5) / by);
    json_double(j, "avg", hist_mean(h) / by);
    json_double(j, "std_dev", export_sd(p, m) * METRICS[m].scale / by);
    json_object(j, "percentiles");
    for (size_t i = 0; i < sizeof Q / sizeof *Q; i++)
        json_double(j, Q[i].key, observed(h, Q[i].q) / by);
    json_end_object(j);
    json_object(j, "early_stopping_percentiles");
    for (size_t i = 0; i < sizeof Q / sizeof *Q; i++)
        json_double(j, Q[i].key, early_stop_bound(h, Q[i].q) / by);
    json_end_object(j);
    json_end_object(j);
}

static void put_deviation(void *arg, const char *sentence)
{
    json_string(arg, NULL, sentence);
}

/* Ours, beside what the rules ask for. */
static void put_ours(struct json_out *j, const struct submission *s, const struct point *p)
{
    json_object(j, "plateau");
    json_string(j, "run", s->a->run->run_id);
    json_string(j, "plan_hash", s->a->run->plan_hash);
    json_string(j, "verdict", verdict_name(p->verdict.status));
    json_object(j, "verdict_by_figure");
    for (int k = 0; k < ASPECT_N; k++)
        json_string(j, verdict_aspect_name((enum verdict_aspect)k), verdict_name(p->verdict.aspect[k]));
    json_end_object(j);
    json_double(j, "output_tokens_per_s", p->output_tokens_per_s);
    json_double(j, "tpot_p90_ms", p->metric[METRIC_TPOT].q[1]);
    json_string(j, "tokens_counted_by", "the server's usage, else token events");
    json_array(j, "not_to_the_rules");
    curve_deviations(&s->plan, p, 1, put_deviation, j);
    json_end_array(j);
    json_end_object(j);
}

static void put_summary(struct json_out *j, const struct submission *s, const struct point *p)
{
    char text[80];
    const struct hist *tpot = p->hist ? p->hist[METRIC_TPOT_SUFFIX] : NULL;
    double in_flight = sum_of(p, METRIC_E2E), tokens = sum_of(p, METRIC_OUTPUT_TOKENS);
    (void)snprintf(text, sizeof text, "plateau %.60s", s->a->run->version);
    json_string(j, "version", text);
    json_string(j, "state", "complete");
    if (p->data) json_string(j, "test_started_at", clock_wall_text(p->data->started_wall_ns, text, sizeof text));
    json_u64(j, "n_samples_issued", p->window_due);
    json_u64(j, "n_samples_completed", p->window_ok);
    json_u64(j, "n_samples_failed", p->window_due - p->window_ok);
    json_double(j, "duration_ns", round(p->window_s * 1e9));
    json_double(j, "qps", (double)p->window_ok / p->window_s);
    json_double(j, "system_tps", system_tps(p));
    if (tpot && tpot->count) json_double(j, "tps_per_user", 1e9 / observed(tpot, 0.9));
    if (p->window_ok == p->window_due && in_flight > 0)
        json_double(j, "e2e_avg_interactivity", tokens / (in_flight / 1e3));
    put_series(j, p, "ttft", METRIC_TTFT, 1);
    put_series(j, p, "tpot", METRIC_TPOT_SUFFIX, 1);
    put_series(j, p, "latency", METRIC_E2E, 1);
    put_series(j, p, "output_sequence_lengths", METRIC_OUTPUT_TOKENS, METRICS[METRIC_OUTPUT_TOKENS].scale);
    put_series(j, p, "input_sequence_lengths", METRIC_INPUT_TOKENS, METRICS[METRIC_INPUT_TOKENS].scale);
    put_ours(j, s, p);
}

/* ---- what is stated ---- */

/* The part of --with's file that goes into one of ours; NULL: nothing was given. */
static struct node *given(struct tree *t, const struct submission *s, const char *part, struct err *e)
{
    const char *text = s->to->with;
    if (!text) return NULL;
    struct node *root = node_from_json(t, text, strlen(text), e);
    struct node *n = root ? node_get(root, part) : NULL;
    if (root && n && n->kind != NODE_MAP)
        return (void)err_set(e, ERR_USAGE, "--with: \"%s\" is not an object", part), NULL;
    if (root && !n)
        (void)err_set(e, ERR_USAGE, "--with: has no object \"%s\"; it holds {\"system\": {...}, \"point\": {...}}",
                      part);
    return n;
}

/* Members that stand in the file given, and of the rest `standard`, as text or, where it is a number, as that. */
struct statement {
    const char *key;
    const char *standard; /* JSON */
};
static const struct statement SYSTEM[] = {{"division", "\"RDI\""},
                                          {"system_name", "\"" NOT_STATED "\""},
                                          {"shortened_system_name", "\"" NOT_STATED "\""},
                                          {"system_availability_status", "\"RDI\""},
                                          {"system_size", "\"" NOT_STATED "\""},
                                          {"system_node_ensemble_count", "0"},
                                          {"system_node_ensemble_total", "0"},
                                          {"node_types", "[]"}};
static const struct statement POINT[] = {{"division", "\"RDI\""},
                                         {"model_precision", "\"" NOT_STATED "\""},
                                         {"link_to_model", "\"" NOT_STATED "\""},
                                         {"dataset_name", "\"" NOT_STATED "\""},
                                         {"dataset_type", "\"Performance\""},
                                         {"dataset_link", "\"" NOT_STATED "\""}};

static void state(struct tree *t, struct node *out, const struct node *from, const struct statement *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!node_get(from, s[i].key) && !node_get(out, s[i].key))
            node_put(t, out, s[i].key, node_from_json(t, s[i].standard, strlen(s[i].standard), NULL));
}

/* Takes a member out of its mapping; NULL: there is none. */
static struct node *detach(struct node *map, const char *key)
{
    struct node *before = NULL, *c = map ? map->first : NULL;
    for (; c && strcmp(c->key, key) != 0; c = c->next)
        before = c;
    if (!c) return NULL;
    if (before)
        before->next = c->next;
    else
        map->first = c->next;
    c->next = NULL;
    return c;
}

/* Moves the members of `from` into `out`; those that are measured cannot be given. */
static int take_over(struct tree *t, struct node *out, struct node *from, const char *part, struct err *e)
{
    for (struct node *c = from ? from->first : NULL, *next; c; c = next) {
        next = c->next;
        if (node_get(out, c->key))
            return err_set(e, ERR_USAGE, "--with: %s.%.60s: is measured, or follows from the plan, and cannot be given",
                           part, c->key);
        c->next = NULL;
        node_put(t, out, c->key, c);
    }
    return 0;
}

static void put_warmup(struct tree *t, struct node *out, const struct point *p)
{
    struct node *w = node_new(t, NODE_MAP);
    uint64_t issued = p->ledger.due - p->window_due, done = p->ledger.ok - p->window_ok;
    bool any = p->requested.warmup_ns > 0 && issued > 0;
    node_put(t, w, "duration_s", node_new_number(t, any ? (double)p->requested.warmup_ns / 1e9 : 0));
    node_put(t, w, "requests_issued", node_new_whole(t, any ? issued : 0));
    node_put(t, w, "requests_completed", node_new_whole(t, any ? done : 0));
    node_put(t, w, "data_source", node_new_text(t, "the same as the window's"));
    node_put(t, w, "concurrency", node_new_whole(t, any ? p->requested.concurrency : 0));
    if (any) node_put(t, w, "logs_retained", node_new_bool(t, false));
    node_put(t, out, "warmup", w);
}

static void put_runtime(struct tree *t, struct node *out, const struct submission *s, const struct point *p,
                        struct node *seeds)
{
    struct node *r = node_new(t, NODE_MAP);
    node_put(t, r, "load_pattern", node_new_text(t, p->offline ? "max_throughput" : "concurrency"));
    node_put(t, r, "min_duration_ms",
             node_new_whole(t, (uint64_t)((p->requested.steady_ns ? p->requested.steady_ns
                                                                  : p->requested.duration_ns - p->requested.warmup_ns) /
                                          NS_PER_MS)));
    node_put(t, r, "stream_all_chunks", node_new_bool(t, true));
    node_put(t, r, "runtime", seeds ? seeds : node_new(t, NODE_MAP));
    node_put(t, out, "runtime_settings", r);
    node_put(t, out, "plateau_seed", node_new_whole(t, s->a->run->seed));
}

/* What a gate of the search for a steady window says of the time per token. */
static const char *state_of(const struct super_pass_window *w)
{
    return w->verdict == SUPER_PASS_DRIFTING_UP     ? "Drifting Up"
           : w->verdict == SUPER_PASS_DRIFTING_DOWN ? "Drifting Down"
                                                    : "Plateau";
}

/* Only what was looked for: a run without a steady window says so, one that was not asked says nothing. */
static void put_steady_state(struct tree *t, struct node *out, const struct steady_pass *s)
{
    struct node *n = node_new(t, NODE_MAP), *w = node_new(t, NODE_MAP), *gates = node_new(t, NODE_MAP);
    if (!s->any) return;
    node_put(t, n, "status", node_new_text(t, super_pass_status_name(s->at.status)));
    node_put(t, n, "verdict", node_new_text(t, super_pass_verdict_name(s->at.verdict)));
    if (s->at.end > s->at.begin) {
        node_put(t, w, "super_pass_start", node_new_whole(t, s->at.begin));
        node_put(t, w, "super_pass_end", node_new_whole(t, s->at.end - 1));
        if (s->size) node_put(t, w, "super_pass_size", node_new_whole(t, s->size));
        node_put(t, w, "n_samples", node_new_number(t, s->answers));
        node_put(t, w, "duration_s", node_new_number(t, s->end_s - s->begin_s));
        node_put(t, n, "window", w);
    }
    if (s->at.status == SUPER_PASS_WINDOWABLE || s->at.verdict != SUPER_PASS_NOT_FOUND) {
        node_put(t, gates, "tpot_p50", node_new_text(t, state_of(&s->at)));
        node_put(t, n, "state", gates);
    }
    if (s->at.verdict == SUPER_PASS_ANOMALY)
        node_put(t, n, "anomaly", node_new_text(t, "a later plateau has another level"));
    node_put(t, out, "steady_state", n);
}

static struct node *point_tree(struct tree *t, const struct submission *s, const struct point *p, struct err *e)
{
    struct node *out = node_new(t, NODE_MAP);
    struct err none = {.code = ERR_NONE};
    struct node *from = given(t, s, "point", &none);
    if (none.code) {
        *e = none;
        return NULL;
    }
    bool offline = curve_is_offline(&s->plan, &p->requested);
    node_put(t, out, "concurrency", node_new_whole(t, p->requested.concurrency));
    if (!p->offline) node_put(t, out, "region", node_new_text(t, curve_region_key(&s->plan, &p->requested)));
    node_put(t, out, "offline", node_new_text(t, !offline ? "none" : p->offline ? "dedicated" : "elected"));
    node_put(t, out, "max_supported_concurrency", node_new_whole(t, s->plan.curve.max_concurrency));
    node_put(t, out, "model_name", node_new_text(t, export_model(s->a)));
    put_runtime(t, out, s, p, detach(from, "seeds"));
    put_warmup(t, out, p);
    put_steady_state(t, out, &p->passes);
    state(t, out, from, POINT, sizeof POINT / sizeof *POINT);
    if (take_over(t, out, from, "point", e)) return NULL;
    node_put(t, out, "shared_src", node_new_text(t, "src/plateau"));
    node_put(t, out, "shared_docs", node_new_text(t, "docs"));
    return out;
}

static struct node *system_tree(struct tree *t, const struct submission *s, const struct point *p, struct err *e)
{
    struct node *out = node_new(t, NODE_MAP);
    struct err none = {.code = ERR_NONE};
    struct node *from = given(t, s, "system", &none);
    if (none.code) {
        *e = none;
        return NULL;
    }
    node_put(t, out, "max_supported_concurrency", node_new_whole(t, s->plan.curve.max_concurrency));
    node_put(t, out, "tps_utilization", node_new_number(t, s->most > 0 ? system_tps(p) / s->most : 0));
    state(t, out, from, SYSTEM, sizeof SYSTEM / sizeof *SYSTEM);
    return take_over(t, out, from, "system", e) ? NULL : out;
}

/* ---- files ---- */

static int put_file(const struct submission *s, uint32_t concurrency, const char *name, struct buf *b, struct err *e)
{
    char file[400];
    if (b->bad) return err_set(e, ERR_NOMEM, "%s: no memory", name);
    (void)snprintf(file, sizeof file, "%s/r%" PRIu32 "/%s", s->dir, concurrency, name);
    return s->to->put(s->to->arg, file, b, e);
}

typedef struct node *tree_of(struct tree *t, const struct submission *s, const struct point *p, struct err *e);

static int put_tree(const struct submission *s, const struct point *p, const char *name, tree_of *make,
                    int (*write)(const struct node *n, struct buf *out), struct err *e)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "--with"};
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    struct node *n = make(&t, s, p, e);
    int rc = n ? 0 : -1;
    if (n && (t.failed || write(n, &b))) rc = err_set(e, ERR_NOMEM, "%s: no memory", name);
    if (rc == 0) rc = put_file(s, p->requested.concurrency, name, &b, e);
    buf_clear(&b);
    arena_destroy(&t.arena);
    return rc;
}

static int to_pretty(const struct node *n, struct buf *out)
{
    return node_to_json(n, true, out) || buf_putc(out, '\n') ? -1 : 0;
}

static int put_point(const struct submission *s, const struct point *p, struct err *e)
{
    struct buf b = BUF_INIT(EXPORT_FILE_MAX);
    struct json_out j = JSON_OUT(&b);
    j.pretty = true;
    json_object(&j, NULL);
    put_summary(&j, s, p);
    json_end_object(&j);
    (void)buf_putc(&b, '\n');
    int rc = put_file(s, p->requested.concurrency, "result_summary.json", &b, e);
    buf_reset(&b);
    if (rc == 0 && plan_to_yaml(s->a->run->plan, &b)) b.bad = true;
    if (rc == 0) rc = put_file(s, p->requested.concurrency, "config.yaml", &b, e);
    buf_clear(&b);
    if (rc) return -1;
    if (put_tree(s, p, "point.yaml", point_tree, node_to_yaml, e)) return -1;
    if (put_tree(s, p, "system_desc.json", system_tree, to_pretty, e)) return -1;
    if (!s->to->events) return 0;
    char file[400];
    (void)snprintf(file, sizeof file, "%s/r%" PRIu32 "/events.jsonl", s->dir, p->requested.concurrency);
    return mlperf_events(s->a, s->to, p, file, e);
}

static void put_line(void *arg, const char *sentence)
{
    (void)buf_printf(arg, "- %s\n", sentence);
}

/* What the submission has once: how to make it again, and what it is not. */
static int put_words(const struct submission *s, struct err *e)
{
    char file[120];
    struct buf b = BUF_INIT(1 << 20);
    (void)buf_printf(&b,
                     "# Made by plateau %s\n\nRun %s. To make a point again: `plateau run config.yaml`, with the "
                     "config.yaml that stands beside it, which holds the whole plan.\n",
                     s->a->run->version, s->a->run->run_id);
    (void)snprintf(file, sizeof file, "%s/src/plateau/README.md", s->root);
    int rc = b.bad ? err_set(e, ERR_NOMEM, "no memory") : s->to->put(s->to->arg, file, &b, e);
    buf_reset(&b);
    (void)buf_puts(&b, "# Where this is not to the rules\n\n");
    curve_deviations(&s->plan, s->a->points, s->a->n_points, put_line, &b);
    if (s->to->events)
        (void)buf_puts(&b, "\n# events.jsonl\n\nplateau keeps no text of answers: in events.jsonl an x stands for each "
                           "token. Tokens of the first event are as many as an event has on average. Times are the "
                           "agents', put on the wall clock; a request is issued when it was sent, and stands where it "
                           "became due.\n");
    (void)snprintf(file, sizeof file, "%s/docs/README.md", s->root);
    if (rc == 0) rc = b.bad ? err_set(e, ERR_NOMEM, "no memory") : s->to->put(s->to->arg, file, &b, e);
    buf_clear(&b);
    return rc;
}

/* A name as the rules spell it in folders: letters, digits, _ and -. */
static void slug(const char *name, char ret[NAME])
{
    const char *slash = strrchr(name, '/');
    size_t n = 0;
    for (const char *c = slash ? slash + 1 : name; *c && n < NAME - 1; c++) {
        char x = isalnum((unsigned char)*c) || *c == '-' ? *c : '_';
        if (x == '_' && (n == 0 || ret[n - 1] == '_')) continue;
        ret[n++] = x;
    }
    while (n > 0 && ret[n - 1] == '_')
        n--;
    ret[n] = 0;
    if (n == 0) (void)snprintf(ret, NAME, "unnamed");
}

static void name_folders(struct submission *s)
{
    char system[NAME] = "system", model[NAME], run[NAME];
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "--with"};
    struct err e = {.code = ERR_NONE};
    const struct node *n = node_get(given(&t, s, "system", &e), "shortened_system_name");
    if (n && n->kind == NODE_TEXT) slug(n->text, system);
    arena_destroy(&t.arena);
    slug(export_model(s->a), model);
    slug(s->a->run->run_id, run);
    (void)snprintf(s->root, sizeof s->root, "%s", run);
    (void)snprintf(s->dir, sizeof s->dir, "%s/results/%s/%s", run, system, model);
}

/* A plan without load.curve whose loads are a curve all the same. */
static int make_curve(struct submission *s, struct err *e)
{
    struct plan_curve *c = &s->plan.curve;
    struct regions r;
    s->plan = *s->a->run->plan;
    if (c->kind == CURVE_NONE) {
        *c = (struct plan_curve){
            .kind = CURVE_MLPERF, .scale = 1, .offline = OFFLINE_ELECTED, .min_concurrency = UINT32_MAX};
        for (size_t i = 0; i < s->a->n_points; i++) {
            const struct plan_stage *load = &s->a->points[i].requested;
            if (load->kind != LOAD_CLOSED) continue;
            if (load->concurrency > c->max_concurrency) c->max_concurrency = load->concurrency;
            if (load->concurrency < c->min_concurrency) c->min_concurrency = load->concurrency;
        }
    }
    if (regions_compute(c->max_concurrency, c->min_concurrency, &r))
        return err_set(e, ERR_USAGE,
                       "MLPerf Endpoints' curve needs closed loops from at most %u to more than %u requests in flight, "
                       "as load.curve: mlperf-endpoints places them",
                       REGION_ULTRA_LOW_MAX, REGION_ULTRA_LOW_MAX);
    return 0;
}

/* A concurrency is a point once, and its figures must be the server's; those that this form does not carry may be in
 * doubt. */
static void choose(struct submission *s)
{
    for (size_t i = 0; i < s->a->n_points; i++) {
        const struct point *p = &s->a->points[i];
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again |= s->in[k] && s->a->points[k].requested.concurrency == p->requested.concurrency;
        s->in[i] = !again && p->requested.kind == LOAD_CLOSED && p->window_ok > 0 &&
                   p->verdict.aspect[ASPECT_THROUGHPUT] != VERDICT_INVALID &&
                   p->verdict.aspect[ASPECT_TTFT] != VERDICT_INVALID &&
                   p->verdict.aspect[ASPECT_TPOT] != VERDICT_INVALID;
        if (s->in[i]) s->most = fmax(s->most, system_tps(p));
    }
}

int export_mlperf(const struct analysis *a, const struct export_to *to, struct err *e)
{
    struct submission s = {.a = a, .to = to};
    if (make_curve(&s, e) || (to->events && mlperf_events_known(a, e))) return -1;
    s.in = calloc(a->n_points + 1, sizeof *s.in);
    if (!s.in) return err_set(e, ERR_NOMEM, "no memory for the points of the curve");
    choose(&s);
    name_folders(&s);
    int rc = 0;
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < a->n_points; i++)
        if (s.in[i]) {
            rc = put_point(&s, &a->points[i], e);
            n++;
        }
    if (rc == 0 && n) rc = put_words(&s, e);
    free(s.in);
    return rc;
}
