#include "coordinator/answer/server_side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/answer/prom_read.h"

static const struct row {
    const char *server, *name;
    enum server_field field;
} ROWS[] = {
#define X(server, name, field) {server, name, SERVER_##field},
#include "coordinator/answer/server_names.def"
#undef X
};
enum { N_ROWS = sizeof ROWS / sizeof *ROWS };

const char *server_field_name(enum server_field f)
{
    static const char *const names[SERVER_SPEC_FIRST] = {
        "running",       "waiting",           "kv_use",     "prefix_hits", "prefix_queries", "preemptions",
        "prompt_tokens", "generation_tokens", "ttft_sum_s", "ttft_count",  "queue_sum_s",    "queue_count"};
    return f < SERVER_SPEC_FIRST ? names[f] : "";
}

const char *server_known(const char *name)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(ROWS[i].server, name) == 0) return ROWS[i].server;
    return "";
}

struct reading {
    struct server_sample *sample;
    size_t row[SERVER_FIELD_N]; /* the row a field was read by; N_ROWS: not yet */
    unsigned speculating;       /* engines that have a length of acceptance */
};

static bool matches(const struct row *r, const struct prom_line *s)
{
    const char *name = r->name;
    size_t n = strlen(name);
    if (name[0] != '*') return n == s->name_n && memcmp(name, s->name, n) == 0;
    name++;
    n--;
    return s->name_n >= n && memcmp(s->name + s->name_n - n, name, n) == 0;
}

/* The field of a sample that has a row; SERVER_FIELD_N: it is of no use. */
static enum server_field field_of(const struct row *r, const struct prom_line *s)
{
    char place[16], *end;
    if (r->field == SERVER_ACCEPT_LENGTH && !(s->value >= 1)) return SERVER_FIELD_N; /* 0: has checked no draft yet */
    if (r->field != SERVER_ACCEPTED_AT) return r->field;
    if (!prom_read_label(s, "position", place, sizeof place)) return SERVER_FIELD_N;
    unsigned long n = strtoul(place, &end, 10);
    return *end == '\0' && end != place && n < SERVER_PLACES ? SERVER_ACCEPTED_AT + (enum server_field)n
                                                             : SERVER_FIELD_N;
}

static bool take(void *arg, const struct prom_line *s)
{
    struct reading *r = arg;
    if (!isfinite(s->value)) return true;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (!matches(&ROWS[i], s)) continue;
        enum server_field f = field_of(&ROWS[i], s);
        if (f == SERVER_FIELD_N) break;
        double *v = &r->sample->value[f];
        r->speculating += f == SERVER_ACCEPT_LENGTH;
        if (i < r->row[f]) {
            r->row[f] = i;
            *v = s->value;
        } else if (i == r->row[f]) {
            *v = f == SERVER_KV_USE ? fmax(*v, s->value) : *v + s->value;
        }
        break; /* the first row that matches is the name's own */
    }
    return true;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

int server_read(const char *page, size_t n, struct server_sample *ret, struct err *e)
{
    struct reading r = {.sample = ret};
    ret->server = "";
    for (int f = 0; f < SERVER_FIELD_N; f++) {
        ret->value[f] = NAN;
        r.row[f] = N_ROWS;
    }
    if (n > SERVER_PAGE_MAX) return err_set(e, ERR_WIRE, "the metrics page is longer than %u bytes", SERVER_PAGE_MAX);
    if (prom_read(page, n, take, &r, e)) return -1;
    for (int f = 0; f < SERVER_FIELD_N && !ret->server[0]; f++)
        if (r.row[f] < N_ROWS) ret->server = ROWS[r.row[f]].server;
    ret->value[SERVER_ACCEPT_RATE] = ratio(ret->value[SERVER_ACCEPT_RATE], r.speculating);
    ret->value[SERVER_ACCEPT_LENGTH] = ratio(ret->value[SERVER_ACCEPT_LENGTH], r.speculating);
    return 0;
}

/* A gauge holds until the next sample. Its mean; NaN: never there. */
static double gauge(const struct server_sample *s, size_t n, int f, double to_s, double *ret_max)
{
    double sum = 0, span = 0, last = NAN;
    *ret_max = NAN;
    for (size_t i = 0; i < n; i++) {
        double v = s[i].value[f], until = i + 1 < n ? s[i + 1].t_s : fmax(to_s, s[i].t_s);
        if (isnan(v)) continue;
        last = v;
        *ret_max = fmax(*ret_max, v);
        sum += v * fmax(0, until - s[i].t_s);
        span += fmax(0, until - s[i].t_s);
    }
    return span > 0 ? sum / span : last;
}

/* A counter that fell, and stands at where it was before. A server that began anew comes there slowly, if at all; the
 * page of another one is there at once. */
struct returns {
    double peak, low; /* of the fall that it has not come back from; NaN: none */
    unsigned times, at_once;
};

static void returns_add(struct returns *r, double before, double v)
{
    if (v < before) {
        r->peak = isnan(r->peak) ? before : fmax(r->peak, before);
        r->low = fmin(r->low, v);
    } else if (v >= r->peak) {
        r->times++;
        r->at_once += v - before > (r->peak - r->low) / 2;
        r->peak = r->low = NAN;
    }
}

static void counter(const struct server_sample *s, size_t n, int f, struct server_stage *ret)
{
    double before = NAN, sum = 0;
    size_t seen = 0;
    struct returns back = {NAN, NAN, 0, 0};
    for (size_t i = 0; i < n; i++) {
        double v = s[i].value[f];
        if (isnan(v)) continue;
        if (seen++) sum += v >= before ? v - before : v;
        ret->restarted |= seen > 1 && v < before;
        if (seen > 1) returns_add(&back, before, v);
        before = v;
    }
    ret->several |= back.at_once > 0 || back.times > 1;
    ret->delta[f] = seen > 1 ? sum : (double)NAN;
}

/* Acceptance by counters, which are of every step in the window; else by gauges, which are of the server's last steps
 * at each reading. */
static void speculation(const struct server_sample *s, size_t n, double to_s, struct server_stage *ret)
{
    double max, drafts = ret->delta[SERVER_DRAFTS];
    ret->acceptance_rate = ratio(ret->delta[SERVER_ACCEPTED], ret->delta[SERVER_DRAFT_TOKENS]);
    ret->acceptance_length = 1 + ratio(ret->delta[SERVER_ACCEPTED], drafts);
    if (isnan(ret->acceptance_rate)) ret->acceptance_rate = gauge(s, n, SERVER_ACCEPT_RATE, to_s, &max);
    if (isnan(ret->acceptance_length)) ret->acceptance_length = gauge(s, n, SERVER_ACCEPT_LENGTH, to_s, &max);
    for (int i = 0; i < SERVER_PLACES; i++)
        ret->acceptance_at[i] = ratio(ret->delta[SERVER_ACCEPTED_AT + i], drafts);
}

void server_stage_forget(struct server_stage *ret)
{
    ret->restarted = false;
    for (int f = 0; f < SERVER_FIELD_N; f++)
        ret->delta[f] = NAN;
    for (int f = 0; f < SERVER_COUNTER_FIRST; f++)
        ret->mean[f] = ret->max[f] = NAN;
    ret->acceptance_rate = ret->acceptance_length = NAN;
    ret->prefix_hit_rate = ret->ttft_ms = ret->queue_ms = NAN;
    for (int i = 0; i < SERVER_PLACES; i++)
        ret->acceptance_at[i] = NAN;
}

void server_stage_compute(const struct server_sample *s, size_t n, double from_s, double to_s, struct server_stage *ret)
{
    *ret = (struct server_stage){.server = ""};
    while (n && s->t_s < from_s)
        s++, n--;
    while (n && s[n - 1].t_s > to_s)
        n--;
    ret->samples = n;
    for (size_t i = 0; i < n && !ret->server[0]; i++)
        ret->server = s[i].server;
    for (int f = 0; f < SERVER_FIELD_N; f++)
        ret->delta[f] = NAN;
    for (int f = 0; f < SERVER_COUNTER_FIRST; f++)
        ret->mean[f] = gauge(s, n, f, to_s, &ret->max[f]);
    for (int f = SERVER_COUNTER_FIRST; f < SERVER_ACCEPT_RATE; f++)
        counter(s, n, f, ret);
    speculation(s, n, to_s, ret);
    if (ret->several) server_stage_forget(ret);
    /* prompt_tokens are all tokens of the prompts: llama.cpp counts those from its cache apart, the others with the
     * rest. Where no queries are counted, every prompt token was looked up. */
    double hits = ret->delta[SERVER_PREFIX_HITS];
    if (strcmp(ret->server, "llama.cpp") == 0 && !isnan(hits)) ret->delta[SERVER_PROMPT_TOKENS] += hits;
    bool counted = !isnan(ret->delta[SERVER_PREFIX_QUERIES]);
    ret->prefix_queries = ret->delta[counted ? SERVER_PREFIX_QUERIES : SERVER_PROMPT_TOKENS];
    ret->prefix_hit_rate = ratio(hits, ret->prefix_queries);
    ret->ttft_ms = 1e3 * ratio(ret->delta[SERVER_TTFT_SUM], ret->delta[SERVER_TTFT_COUNT]);
    ret->queue_ms = 1e3 * ratio(ret->delta[SERVER_QUEUE_SUM], ret->delta[SERVER_QUEUE_COUNT]);
}
