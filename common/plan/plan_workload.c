/* The workload: one mapping, or a list of them. */
#include <stdio.h>
#include <string.h>

#include "common/plan/plan_key.h"

enum { WORKLOADS_MAX = 64, FIELDS_MAX = 16, HASH_DIGITS = 64 };

/* ---- a file of requests ---- */

static const char *const FIELD_NAMES[] = {"prompt", "system", "messages", "input_tokens", "output_tokens"};
enum { FIELD_NAMES_N = sizeof FIELD_NAMES / sizeof *FIELD_NAMES };

static int fields_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_data *d = at;
    (void)k;
    if (n->kind != NODE_MAP || n->n == 0 || n->n > FIELDS_MAX)
        return read_expected(r, n, "a mapping of our names to the file's, such as {prompt: text, output_tokens: n}");
    d->fields = read_keep_array(r, n, n->n, sizeof *d->fields);
    if (!d->fields) return -1;
    for (const struct node *c = n->first; c; c = c->next) {
        size_t i = 0;
        while (i < FIELD_NAMES_N && strcmp(c->key, FIELD_NAMES[i]) != 0)
            i++;
        if (i == FIELD_NAMES_N)
            return node_refuse(c, true, r->e,
                               "unknown field; known here: prompt, system, messages, input_tokens, output_tokens");
        d->fields[d->n_fields].key = FIELD_NAMES[i];
        if (scalar_read_text(r, c, "the name of a field in the file", &d->fields[d->n_fields].value)) return -1;
        d->n_fields++;
    }
    return 0;
}

static struct node *fields_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_data *d = at;
    (void)k;
    if (d->n_fields == 0) return NULL;
    struct node *map = node_new(t, NODE_MAP);
    for (size_t i = 0; i < d->n_fields; i++)
        node_put(t, map, d->fields[i].key, node_new_text(t, d->fields[i].value));
    return map;
}
const struct key_type KEY_FIELDS = {"mapping of names",
                                    "\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}",
                                    fields_read, fields_write};

static int hash_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    (void)k;
    if (n->kind != NODE_TEXT || n->len != HASH_DIGITS || strspn(n->text, "0123456789abcdef") != HASH_DIGITS)
        return read_expected(r, n, "64 hexadecimal digits in lower case, in quotes");
    *(const char **)at = read_keep(r, n, n->text);
    return *(const char **)at ? 0 : -1;
}
static struct node *hash_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const char *s = *(const char *const *)at;
    (void)k;
    return s ? node_new_text(t, s) : NULL;
}
const struct key_type KEY_HASH = {"hash", "\"type\": \"string\", \"pattern\": \"^[0-9a-f]{64}$\"", hash_read,
                                  hash_write};

/* A key that may say only what is so anyway. */
static int one_word_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    (void)at;
    return n->kind == NODE_TEXT && strcmp(n->text, k->words[0]) == 0 ? 0 : read_expected(r, n, k->words[0]);
}
static struct node *one_word_write(struct tree *t, const struct plan_key *k, const void *at)
{
    (void)t, (void)k, (void)at;
    return NULL;
}
const struct key_type KEY_ONE_WORD = {"word", NULL, one_word_read, one_word_write};

#define X(id, name, file, check, section, example, what) #name,
static const char *const SOURCES[SOURCE_N] = {
#include "common/plan/source.def"
};
#undef X

static enum plan_source source_of(const struct plan_key *k)
{
    int i = 0;
    while (i + 1 < SOURCE_N && strcmp(k->name, SOURCES[i]) != 0)
        i++;
    return (enum plan_source)i;
}

#define X(id, name, file, check, section, example, what) file,
bool workload_reads_file(const struct plan_workload *w)
{
    static const bool READS[SOURCE_N] = {
#include "common/plan/source.def"
    };
    return READS[w->source];
}
#undef X

static int source_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    struct plan_workload *w = at;
    enum plan_source source = source_of(k);
    if (!n && source != SOURCE_SYNTHETIC) return 0;
    if (n) w->source = source;
    return read_section(r, n, k->sub, w);
}
static struct node *source_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan_workload *w = at;
    return w->source == source_of(k) ? write_section(t, k->sub, w, 0) : NULL;
}
const struct key_type KEY_SOURCE = {"mapping", NULL, source_read, source_write};

int workload_check(struct reader *r, const struct node *map, void *base)
{
    const struct node *first = NULL;
    for (size_t i = 0; i < SOURCE_N; i++) {
        const struct node *n = node_get(map, SOURCES[i]);
        if (n && first)
            return node_refuse(n, true, r->e,
                               "a workload has one source, and %s is given: make a list of two workloads", first->key);
        if (n) first = n;
    }
    ((struct plan_workload *)base)->data.conversations = ((struct plan_workload *)base)->sessions.on;
    return plan_sessions_check(r, map, base);
}

int workload_check_synthetic(struct reader *r, const struct node *map, void *base)
{
    struct plan_workload *w = base;
    static const char *const APART[] = {"input_tokens", "output_tokens"};
    if (!w->lengths.n && !w->lengths.file) return 0;
    for (size_t i = 0; i < sizeof APART / sizeof *APART; i++)
        if (node_get(map, APART[i]))
            return node_refuse(node_get(map, APART[i]), true, r->e,
                               "is given by \"lengths\" already, together with the other");
    w->input_tokens = w->output_tokens = (struct dist){.kind = DIST_FIXED};
    return 0;
}

int workload_check_dataset(struct reader *r, const struct node *map, void *base)
{
    const struct plan_workload *w = base;
    if (w->data.n_fields && w->data.dataset != DATASET_JSONL && w->data.dataset != DATASET_CSV)
        return node_refuse(node_get(map, "fields"), true, r->e,
                           "is for jsonl and csv: the other formats have names of their own");
    return 0;
}

int workload_check_trace(struct reader *r, const struct node *map, void *base)
{
    const struct plan_workload *w = base;
    const struct plan_data *d = &w->data;
    bool trees = plan_workload_has_trees(w);
    const struct {
        const char *key;
        bool given, tree;
    } KEYS[] = {{"from", d->from_ns > 0, false},
                {"to", d->to_ns > 0, false},
                {"max_think", d->max_think_ns > 0, true},
                {"max_idle", d->max_idle_ns > 0, true},
                {"start", d->start != START_FIRST, true},
                {"marker", d->marker, true},
                {"barrier", d->barrier, true}};
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (KEYS[i].given && KEYS[i].tree != trees)
            return node_refuse(node_get(map, KEYS[i].key), true, r->e, "%s",
                               trees ? "is for recorded days; a session tree is played as a whole"
                                     : "is for session trees of agents, such as format: weka");
    if (d->marker && d->trace == TRACE_DAG)
        return node_refuse(node_get(map, "marker"), true, r->e,
                           "is for traces of hash ids; the prompts of a dag are the file's own text");
    if (d->barrier && d->start != START_RANDOM)
        return node_refuse(node_get(map, "barrier"), true, r->e,
                           "needs start: random, whose first requests are what lanes wait after");
    if (w->data.to_ns && w->data.to_ns <= w->data.from_ns)
        return node_refuse(node_get(map, "to"), false, r->e, "must be later than \"from\"");
    return 0;
}

/* ---- workloads ---- */

static int one(struct reader *r, const struct plan_key *k, const struct node *n, struct plan_workload *w,
               const char *name)
{
    if (read_section(r, n, k->sub, w)) return -1;
    if (!w->name) w->name = read_keep(r, n, name);
    return w->name ? 0 : -1;
}

static int names_differ(struct reader *r, const struct node *list, const struct plan *p)
{
    for (const struct node *c = list->first; c; c = c->next)
        for (size_t j = 0; j < c->index; j++)
            if (strcmp(p->workloads[c->index].name, p->workloads[j].name) == 0)
                return node_refuse(node_get(c, "name") ? node_get(c, "name") : c, false, r->e,
                                   "the name \"%.40s\" is taken by another workload", p->workloads[j].name);
    return 0;
}

static int workloads_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    static const struct node NONE = {.kind = NODE_MAP, .text = "", .file = "default", .key = "workload"};
    struct plan *p = at;
    bool list = n && n->kind == NODE_SEQ;
    if (n && !list && n->kind != NODE_MAP) return read_expected(r, n, "a mapping, or a list of them");
    if (list && (n->n == 0 || n->n > WORKLOADS_MAX))
        return node_refuse(n, false, r->e, "expected 1 to %d workloads, got %zu", WORKLOADS_MAX, n->n);
    p->n_workloads = list ? n->n : 1;
    p->workloads = read_keep_array(r, n ? n : &NONE, p->n_workloads, sizeof *p->workloads);
    if (!p->workloads) return -1;
    if (!list) return one(r, k, n ? n : &NONE, p->workloads, "default");
    for (const struct node *c = n->first; c; c = c->next) {
        char name[40];
        (void)snprintf(name, sizeof name, "workload-%zu", c->index + 1);
        if (one(r, k, c, &p->workloads[c->index], name)) return -1;
    }
    return names_differ(r, n, p);
}

static struct node *workloads_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const struct plan *p = at;
    struct node *all = node_new(t, NODE_SEQ);
    for (size_t i = 0; i < p->n_workloads; i++)
        node_add(t, all, write_section(t, k->sub, &p->workloads[i], 0));
    return all;
}
const struct key_type KEY_WORKLOADS = {
    "mapping, or list of them",
    "\"oneOf\": [{\"$ref\": \"#/$defs/workload\"}, {\"type\": \"array\", \"minItems\": 1, "
    "\"maxItems\": 64, \"items\": {\"$ref\": \"#/$defs/workload\"}}]",
    workloads_read, workloads_write};
