/* The load: a sweep, stages one after the other, a search, or a curve (plan_curve.c). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/plan/plan_key.h"

enum { STAGES_MAX = 256 };
#define AUTO_LIMIT (300 * NS_PER_S)
#define STEADY_WINDOW (60 * NS_PER_S)
#define STEADY_LIMIT (600 * NS_PER_S)
#define WARMUP_MOST (10 * NS_PER_S)
#define DURATION_MOST (7 * 86400 * NS_PER_S)
#define RATE_MOST 1e7

/* Requests per second: 25, "25/s", "1500/m", "90000/h". */
static int one_rate(struct reader *r, const struct node *n, double *ret)
{
    static const struct {
        char unit;
        double seconds;
    } UNITS[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    double v = n->number;
    if (n->kind == NODE_TEXT) {
        struct node number = *n;
        char digits[32];
        const char *slash = strchr(n->text, '/');
        size_t u = 0, len = slash ? (size_t)(slash - n->text) : 0;
        while (slash && u < 3 && !(slash[1] == UNITS[u].unit && !slash[2]))
            u++;
        if (!slash || len == 0 || len >= sizeof digits || u == 3) return read_expected(r, n, "a rate such as 25/s");
        (void)snprintf(digits, sizeof digits, "%.*s", (int)len, n->text);
        number.text = digits;
        if (node_resolve(&number) || (number.kind != NODE_INT && number.kind != NODE_NUMBER))
            return read_expected(r, n, "a rate such as 25/s");
        v = (number.negative ? -1.0 : 1.0) * fabs(number.number) / UNITS[u].seconds;
        if (number.number < 0) v = -fabs(v);
    } else if (n->kind != NODE_INT && n->kind != NODE_NUMBER)
        return read_expected(r, n, "a rate such as 25/s");
    char got[64];
    if (!(v > 0)) return node_refuse(n, false, r->e, "must be > 0, got %s", node_describe(n, got, sizeof got));
    if (v > RATE_MOST)
        return node_refuse(n, false, r->e, "must be at most 10000000/s, got %s", node_describe(n, got, sizeof got));
    *ret = v;
    return 0;
}

static struct node *one_rate_write(struct tree *t, double v)
{
    char s[40], number[32];
    (void)snprintf(s, sizeof s, "%s/s", node_number_text(v, number, sizeof number));
    return node_new_text(t, s);
}

static int rate_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_stage *s = at;
    (void)k;
    if (n->kind != NODE_MAP) {
        if (one_rate(r, n, &s->rate_from)) return -1;
        s->rate_to = s->rate_from;
        return 0;
    }
    const struct node *from = node_get(n, "from"), *to = node_get(n, "to");
    for (const struct node *c = n->first; c; c = c->next)
        if (c != from && c != to) return node_refuse(c, true, r->e, "unknown key; known here: from, to");
    if (!from || !to) return node_refuse(n, false, r->e, "needs \"from\" and \"to\", such as {from: 1/s, to: 50/s}");
    return one_rate(r, from, &s->rate_from) || one_rate(r, to, &s->rate_to) ? -1 : 0;
}
static struct node *rate_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_stage *s = at;
    (void)k;
    if (s->arrivals == ARRIVALS_RECORDED) return NULL; /* follows from the trace */
    if (s->rate_from == s->rate_to) return one_rate_write(t, s->rate_from);
    struct node *n = node_new(t, NODE_MAP);
    node_put(t, n, "from", one_rate_write(t, s->rate_from));
    node_put(t, n, "to", one_rate_write(t, s->rate_to));
    return n;
}
const struct key_type KEY_RATE = {"rate, or {from, to}", "\"$ref\": \"#/$defs/rate\"", rate_read, rate_write};

static int amount_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    return n->kind == NODE_TEXT ? one_rate(r, n, at) : scalar_read_number(r, k, n, at);
}
static struct node *amount_write(struct tree *t, const struct plan_key *k, const void *at)
{
    (void)k;
    return node_new_number(t, *(const double *)at);
}
const struct key_type KEY_AMOUNT = {"number or rate", "\"type\": [\"number\", \"string\"]", amount_read, amount_write};

static int arrivals_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const struct plan_key SHAPE = {.name = "burstiness", .least = 1e-3, .most = 1e3};
    struct plan_stage *s = at;
    (void)k;
    s->burstiness = 1;
    const struct node *gamma = node_get(n, "gamma"), *shape = node_get(gamma, "burstiness");
    if (n->kind == NODE_TEXT && strcmp(n->text, "constant") == 0)
        s->arrivals = ARRIVALS_CONSTANT;
    else if (n->kind == NODE_TEXT && strcmp(n->text, "poisson") == 0)
        s->arrivals = ARRIVALS_POISSON;
    else if (n->kind == NODE_TEXT && strcmp(n->text, "recorded") == 0)
        s->arrivals = ARRIVALS_RECORDED;
    else if (gamma && n->n == 1 && shape && gamma->n == 1) {
        s->arrivals = ARRIVALS_GAMMA;
        return scalar_read_number(r, &SHAPE, shape, &s->burstiness);
    } else
        return read_expected(r, n, "constant, poisson, recorded or {gamma: {burstiness: NUMBER}}");
    return 0;
}
static struct node *arrivals_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_stage *s = at;
    (void)k;
    static const char *const WORDS[] = {
        [ARRIVALS_CONSTANT] = "constant", [ARRIVALS_POISSON] = "poisson", [ARRIVALS_RECORDED] = "recorded"};
    if (s->arrivals != ARRIVALS_GAMMA) return node_new_text(t, WORDS[s->arrivals]);
    struct node *n = node_new(t, NODE_MAP), *gamma = node_new(t, NODE_MAP);
    node_put(t, gamma, "burstiness", node_new_number(t, s->burstiness));
    node_put(t, n, "gamma", gamma);
    return n;
}
const struct key_type KEY_ARRIVALS = {"word, or {gamma: {burstiness}}", "\"$ref\": \"#/$defs/arrivals\"", arrivals_read,
                                      arrivals_write};

static const struct plan_key LENGTH = {.name = "duration", .least = 1e-3, .most = 7 * 86400.0};

static const struct plan_key WINDOW = {.name = "window", .least = 1e-3, .most = 7 * 86400.0};

/* steady · {steady: {window: 60s, limit: 10m}}, either of them or both */
static int steady_read(struct reader *r, const struct node *n, struct plan_stage *s)
{
    const struct node *keys = node_get(n, "steady"), *window = node_get(keys, "window"),
                      *limit = node_get(keys, "limit");
    s->steady_ns = STEADY_WINDOW;
    s->duration_ns = STEADY_LIMIT;
    if (n->kind == NODE_TEXT) return 0;
    if (n->n != 1 || keys->kind != NODE_MAP || keys->n != (size_t)(window != NULL) + (limit != NULL))
        return read_expected(r, n, "steady, or {steady: {window: 60s, limit: 10m}}");
    if (window && KEY_DURATION.read(r, &WINDOW, window, &s->steady_ns)) return -1;
    if (limit && KEY_DURATION.read(r, &LENGTH, limit, &s->duration_ns)) return -1;
    if (!limit && s->duration_ns < 2 * s->steady_ns) s->duration_ns = 2 * s->steady_ns;
    if (s->steady_ns >= s->duration_ns)
        return node_refuse(window ? window : limit, false, r->e, "the window must be shorter than the limit");
    return 0;
}

static int length_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_stage *s = at;
    (void)k;
    const struct node *automatic = node_get(n, "auto"), *limit = node_get(automatic, "limit");
    if (node_get(n, "steady") || (n->kind == NODE_TEXT && strcmp(n->text, "steady") == 0)) return steady_read(r, n, s);
    s->duration_auto = automatic || (n->kind == NODE_TEXT && strcmp(n->text, "auto") == 0);
    s->duration_ns = AUTO_LIMIT;
    if (s->duration_auto && !automatic) return 0;
    if (automatic && n->n == 1 && limit && automatic->n == 1)
        return KEY_DURATION.read(r, &LENGTH, limit, &s->duration_ns);
    if (n->kind == NODE_MAP) return read_expected(r, n, "a duration such as 60s, auto, {auto: {limit: 10m}} or steady");
    return KEY_DURATION.read(r, &LENGTH, n, &s->duration_ns);
}
static struct node *length_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_stage *s = at;
    (void)k;
    if (!s->duration_ns) return NULL;
    if (!s->duration_auto && !s->steady_ns) return scalar_new_duration(t, s->duration_ns);
    struct node *n = node_new(t, NODE_MAP), *keys = node_new(t, NODE_MAP);
    if (s->steady_ns) node_put(t, keys, "window", scalar_new_duration(t, s->steady_ns));
    node_put(t, keys, "limit", scalar_new_duration(t, s->duration_ns));
    node_put(t, n, s->steady_ns ? "steady" : "auto", keys);
    return n;
}
const struct key_type KEY_STAGE_DURATION = {"duration, auto, steady, {auto: {limit}} or {steady: {window, limit}}",
                                            "\"$ref\": \"#/$defs/stage_duration\"", length_read, length_write};

/* Stands after duration and ramp in the table, since its default follows from them. */
static int warmup_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_stage *s = at;
    s->warmup_auto = n && n->kind == NODE_TEXT && strcmp(n->text, "auto") == 0;
    if (n && !s->warmup_auto) {
        if (KEY_DURATION.read(r, k, n, &s->warmup_ns)) return -1;
        if (s->warmup_ns < s->ramp_ns)
            return node_refuse(n, false, r->e, "must not be shorter than the ramp: slots still fill while it runs");
        if (s->duration_ns && s->warmup_ns >= s->duration_ns)
            return node_refuse(n, false, r->e, "must be shorter than the stage's duration: nothing would be measured");
        return 0;
    }
    s->warmup_ns = s->duration_ns / 10 < WARMUP_MOST ? s->duration_ns / 10 : WARMUP_MOST;
    if (s->warmup_ns < s->ramp_ns) s->warmup_ns = s->ramp_ns;
    return 0;
}
static struct node *warmup_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_stage *s = at;
    (void)k;
    return s->warmup_auto ? node_new_text(t, "auto") : scalar_new_duration(t, s->warmup_ns);
}
const struct key_type KEY_WARMUP = {"duration, or auto", "\"$ref\": \"#/$defs/duration_or_auto\"", warmup_read,
                                    warmup_write};

static int check_stage(struct reader *r, const struct node *map, const struct plan_stage *s)
{
    if (!s->duration_ns && !s->requests && !s->passes && s->arrivals != ARRIVALS_RECORDED)
        return node_refuse(map, false, r->e, "needs \"duration\" or \"requests\", such as duration: 30s");
    if (s->duration_ns && s->ramp_ns >= s->duration_ns)
        return node_refuse(node_get(map, "ramp"), false, r->e, "must be shorter than the stage's duration");
    if (s->rate_from != s->rate_to && !s->duration_ns)
        return node_refuse(map, false, r->e, "a ramp of the rate needs \"duration\", such as duration: 5m");
    if (s->steady_ns && s->steady_ns >= s->duration_ns - s->warmup_ns)
        return node_refuse(node_get(map, "duration"), false, r->e,
                           "the limit leaves no room for the window after the warm-up");
    if ((s->duration_auto || s->steady_ns) && s->rate_from != s->rate_to)
        return node_refuse(node_get(map, "duration"), false, r->e, "a ramp of the rate needs a fixed duration");
    return 0;
}

/* A stage from the keys of `map`; in a sweep `load` stands for it instead of the map's own concurrency or rate. */
static int stage_read(struct reader *r, const struct node *map, const struct node *load, enum load_kind kind,
                      struct plan_stage *s)
{
    unsigned alien = kind == LOAD_CLOSED ? KEY_OPEN : KEY_CLOSED;
    s->kind = kind;
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        if (strcmp(k->section, "stage") != 0) continue;
        bool is_load = strcmp(k->name, kind == LOAD_CLOSED ? "concurrency" : "rate") == 0;
        const struct node *n = is_load ? load : node_get(map, k->name);
        if (k->flags & alien) {
            if (n)
                return node_refuse(n, true, r->e, "is for stages with a %s",
                                   kind == LOAD_CLOSED ? "rate" : "concurrency");
        } else if (read_key(r, k, map, n, s))
            return -1;
    }
    return check_stage(r, map, s);
}

static int which(struct reader *r, const struct node *map, enum load_kind *ret_kind, const struct node **ret_load)
{
    const struct node *closed = node_get(map, "concurrency"), *open = node_get(map, "rate");
    if (closed && open) return node_refuse(open, true, r->e, "a stage has a concurrency or a rate, not both");
    const struct node *arrivals = node_get(map, "arrivals");
    bool recorded = arrivals && arrivals->kind == NODE_TEXT && strcmp(arrivals->text, "recorded") == 0;
    if (recorded && open) return node_refuse(open, true, r->e, "recorded arrivals have the trace's own rate");
    if (!closed && !open && !recorded)
        return node_refuse(map, false, r->e,
                           "needs \"concurrency\" (closed loop) or \"rate\" (open loop), such as concurrency: 64");
    *ret_kind = closed ? LOAD_CLOSED : LOAD_OPEN;
    *ret_load = closed ? closed : open;
    return 0;
}

static int make_stages(struct reader *r, const struct node *n, struct plan *p, size_t count)
{
    if (count == 0 || count > STAGES_MAX)
        return node_refuse(n, false, r->e, "expected 1 to %d entries, got %zu", STAGES_MAX, count);
    p->stages = read_keep_array(r, n, count, sizeof *p->stages);
    p->n_stages = count;
    return p->stages ? 0 : -1;
}

static int sweep_read(struct reader *r, const struct node *map, struct plan *p)
{
    enum load_kind kind;
    const struct node *load;
    if (which(r, map, &kind, &load)) return -1;
    p->sweep = load && load->kind == NODE_SEQ;
    if (load && load->kind == NODE_TEXT && strpbrk(load->text, ",-"))
        return read_expected(r, load, "one load, a list such as [1, 2, 4, 8], or a search (load.search)");
    if (make_stages(r, load ? load : map, p, p->sweep ? load->n : 1)) return -1;
    if (!p->sweep) return stage_read(r, map, load, kind, p->stages);
    for (const struct node *c = load->first; c; c = c->next)
        if (c->kind == NODE_MAP)
            return read_expected(r, c, kind == LOAD_CLOSED ? "a whole number" : "a rate such as 25/s");
        else if (stage_read(r, map, c, kind, &p->stages[c->index]))
            return -1;
    return 0;
}

static int stages_read(struct reader *r, const struct node *list, struct plan *p)
{
    if (list->kind != NODE_SEQ) return read_expected(r, list, "a list of stages");
    if (make_stages(r, list, p, list->n)) return -1;
    for (const struct node *c = list->first; c; c = c->next) {
        enum load_kind kind;
        const struct node *load;
        if (read_section_names(r, c, "stage") || which(r, c, &kind, &load)) return -1;
        if (load && load->kind == NODE_SEQ)
            return node_refuse(load, false, r->e, "a list is a sweep and stands in load.%s, not in a stage", load->key);
        if (stage_read(r, c, load, kind, &p->stages[c->index])) return -1;
    }
    return 0;
}

static int search_bounds(struct reader *r, const struct node *at, const struct plan_search *s)
{
    if (!(s->from < s->to)) return node_refuse(at, false, r->e, "\"from\" must be less than \"to\"");
    if (!s->over_rate && (s->from != floor(s->from) || s->to != floor(s->to) || s->from < 1))
        return node_refuse(at, false, r->e,
                           "a search over concurrency needs whole numbers of at least 1 in \"from\" and \"to\"");
    return 0;
}

/* What goes with a search for the plateau, `plateau` being its mapping where there is one; *ret_keys: those of the
 * search.
 */
static int search_form(struct reader *r, const struct node *n, enum search_goal goal, const struct node **ret_keys)
{
    static const struct node NONE = {.kind = NODE_MAP, .text = "", .file = "default"};
    const struct node *plateau = node_get(n, "plateau"), *keys = plateau ? plateau : n;
    if (plateau && n->n != 1)
        return node_refuse(n, false, r->e, "plateau stands alone: over, from, to and tolerance belong into it");
    if (plateau && plateau->kind == NODE_NULL) keys = &NONE;
    const struct node *within = node_get(keys, "within"), *no = within ? within : node_get(keys, "maximize");
    if (goal != SEARCH_PLATEAU) no = NULL;
    if (no || node_get(keys, "plateau") != (plateau && keys == n ? plateau : NULL))
        return node_refuse(no ? no : keys, true, r->e, "does not go with plateau");
    *ret_keys = n->kind == NODE_TEXT ? &NONE : keys;
    return 0;
}

/* search: plateau · {plateau: {…}} · {maximize: …, within: slo, …}; all other keys of load but concurrency and rate are
 * the pattern of each load. */
static int search_read(struct reader *r, const struct node *map, const struct node *n, struct plan *p)
{
    const struct node *keys = n;
    bool word = n->kind == NODE_TEXT && strcmp(n->text, "plateau") == 0;
    if (!word && n->kind != NODE_MAP)
        return read_expected(r, n, "plateau, {plateau: {...}} or {maximize: ..., within: slo, ...}");
    p->search.goal = word || node_get(n, "plateau") ? SEARCH_PLATEAU : SEARCH_SLO;
    if (search_form(r, n, p->search.goal, &keys)) return -1;
    if (read_section(r, keys, "search", &p->search) || search_bounds(r, n, &p->search)) return -1;
    for (const struct node *c = map->first; c; c = c->next)
        if (strcmp(c->key, "concurrency") == 0 || strcmp(c->key, "rate") == 0)
            return node_refuse(c, true, r->e, "is what the search varies: give its from and to");
    if (make_stages(r, n, p, 1)) return -1;
    struct node start = {
        .kind = NODE_INT, .text = "", .file = n->file, .whole = (uint64_t)p->search.from, .number = p->search.from};
    return stage_read(r, map, &start, p->search.over_rate ? LOAD_OPEN : LOAD_CLOSED, p->stages);
}

/* With stages of their own, the keys of one stage have no place beside them. */
static int nothing_beside(struct reader *r, const struct node *map)
{
    for (const struct node *c = map->first; c; c = c->next)
        if (key_find("stage", c->key))
            return node_refuse(c, true, r->e, "has no place beside stages: write it into each of them");
    return 0;
}

/* What the stages ask of the workloads, which were read before. */
static int check_data(struct reader *r, const struct node *n, const struct plan *p)
{
    size_t files = 0, traces = 0;
    for (size_t i = 0; i < p->n_workloads; i++) {
        files += workload_reads_file(&p->workloads[i]);
        traces += p->workloads[i].source == SOURCE_TRACE;
    }
    for (size_t i = 0; i < p->n_stages; i++) {
        const struct plan_stage *s = &p->stages[i];
        if (s->kind == LOAD_OPEN && s->arrivals == ARRIVALS_RECORDED && (traces != 1 || p->n_workloads != 1))
            return node_refuse(n, false, r->e,
                               "recorded arrivals need a workload that is one trace, such as trace: "
                               "{file: day.csv, format: azure}");
        if (s->passes && (files != 1 || p->n_workloads != 1))
            return node_refuse(n, false, r->e, "passes need a workload that is one dataset or trace");
        if (s->kind == LOAD_OPEN && s->arrivals == ARRIVALS_RECORDED && s->passes > 1)
            return node_refuse(n, false, r->e, "a trace with recorded arrivals is passed once");
    }
    return 0;
}

static int stages_or_sweep(struct reader *r, const struct node *n, struct plan *p)
{
    const struct node *stages = node_get(n, "stages"), *search = node_get(n, "search");
    if (node_get(n, "curve")) return curve_read(r, n, p);
    for (const struct node *c = n->first; c; c = c->next)
        if (key_find("curve", c->key) && !key_find("stage", c->key))
            return node_refuse(c, true, r->e, "is for a curve, such as curve: mlperf-endpoints");
    if (stages && search) return node_refuse(search, true, r->e, "has no place beside stages");
    if (stages) return nothing_beside(r, n) ? -1 : stages_read(r, stages, p);
    if (search) return search_read(r, n, search, p);
    return sweep_read(r, n, p);
}

static int load_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan *p = at;
    if (read_section(r, n, k->sub, p) || stages_or_sweep(r, n, p)) return -1;
    return check_data(r, n, p);
}

static struct node *search_write(struct tree *t, const struct plan_search *s)
{
    bool plateau = s->goal == SEARCH_PLATEAU;
    struct node *keys = node_new(t, NODE_MAP);
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        bool goal = k->offset == SIZE_MAX;
        if (strcmp(k->section, "search") != 0 || k->flags & KEY_ELSEWHERE || (goal && plateau)) continue;
        node_put(t, keys, k->name, k->type->write(t, k, goal ? NULL : (const char *)s + k->offset));
    }
    if (!plateau) return keys;
    struct node *outer = node_new(t, NODE_MAP);
    node_put(t, outer, "plateau", keys);
    return outer;
}

static struct node *stage_write(struct tree *t, const struct plan_stage *s)
{
    return write_section(t, "stage", s, s->kind == LOAD_CLOSED ? KEY_OPEN : KEY_CLOSED);
}

/* The keys of the first stage, written into `load` itself; the load is a list, or left to the search. */
static void pattern_write(struct tree *t, struct node *load, const struct plan *p)
{
    const char *varied = p->stages->kind == LOAD_CLOSED ? "concurrency" : "rate";
    struct node *keys = stage_write(t, p->stages), *list = node_new(t, NODE_SEQ);
    for (size_t i = 0; p->sweep && i < p->n_stages; i++)
        node_add(t, list,
                 p->stages->kind == LOAD_CLOSED ? node_new_whole(t, p->stages[i].concurrency)
                                                : one_rate_write(t, p->stages[i].rate_from));
    if (p->sweep) node_put(t, load, varied, list);
    for (struct node *c = keys ? keys->first : NULL, *next; c; c = next) {
        next = c->next;
        c->next = NULL;
        if (strcmp(c->key, varied) != 0) node_put(t, load, c->key, c);
    }
}

static struct node *load_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan *p = at;
    struct node *load = node_new(t, NODE_MAP), *rest = write_section(t, k->sub, p, 0);
    if (p->search.goal != SEARCH_NONE) node_put(t, load, "search", search_write(t, &p->search));
    if (p->curve.kind != CURVE_NONE)
        load = curve_write(t, &p->curve);
    else if (p->sweep || p->search.goal != SEARCH_NONE)
        pattern_write(t, load, p);
    else {
        struct node *list = node_new(t, NODE_SEQ);
        for (size_t i = 0; i < p->n_stages; i++)
            node_add(t, list, stage_write(t, &p->stages[i]));
        node_put(t, load, "stages", list);
    }
    for (struct node *c = rest ? rest->first : NULL, *next; c; c = next) {
        next = c->next;
        c->next = NULL;
        node_put(t, load, c->key, c);
    }
    return load;
}
const struct key_type KEY_LOAD = {"mapping", NULL, load_read, load_write};

/* Shapes that load_read reads itself: here only for the reference and the schema. */
const struct key_type KEY_STAGES = {
    "list of stages",
    "\"type\": \"array\", \"minItems\": 1, \"maxItems\": 256, \"items\": {\"$ref\": \"#/$defs/stage\"}", NULL, NULL};
const struct key_type KEY_SEARCH = {
    "mapping, or plateau", "\"oneOf\": [{\"const\": \"plateau\"}, {\"$ref\": \"#/$defs/search\"}]", NULL, NULL};
