#include "coordinator/corpus/bundles.h"

#include <stdlib.h>
#include <string.h>

#include "common/fingerprint.h"

void bundles_reset(struct bundles *g)
{
    g->n = g->n_links = 0;
    g->bad = false;
}

void bundles_clear(struct bundles *g)
{
    free(g->part);
    free(g->link);
    *g = (struct bundles){0};
}

void bundles_add(struct bundles *g, uint64_t key, uint64_t line, const char *text, size_t n)
{
    if (g->n == g->room) {
        size_t room = g->room ? 2 * g->room : 256;
        struct bundle_part *more = realloc(g->part, room * sizeof *more);
        if (!more) {
            g->bad = true;
            return;
        }
        g->part = more;
        g->room = room;
    }
    g->part[g->n++] = (struct bundle_part){.text = text, .n = n, .line = line, .key = key};
}

void bundles_link(struct bundles *g, uint64_t a, uint64_t b)
{
    if (g->n_links == g->links_room) {
        size_t room = g->links_room ? 2 * g->links_room : 64;
        struct bundle_link *more = realloc(g->link, room * sizeof *more);
        if (!more) {
            g->bad = true;
            return;
        }
        g->link = more;
        g->links_room = room;
    }
    g->link[g->n_links++] = (struct bundle_link){a, b};
}

/* Every key once, in order, and the key whose bundle each belongs to (union and find). */
struct keys {
    uint64_t *key;
    size_t *of, *first; /* first: the first part of the bundle, of keys that stand for themselves */
    size_t n;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t find(struct keys *k, uint64_t key)
{
    const uint64_t *at = bsearch(&key, k->key, k->n, sizeof *k->key, by_value);
    size_t i = (size_t)(at - k->key);
    while (k->of[i] != i)
        i = k->of[i] = k->of[k->of[i]];
    return i;
}

static int keys_of(const struct bundles *g, struct keys *k)
{
    size_t n = g->n + 2 * g->n_links;
    k->key = malloc((n + 1) * sizeof *k->key);
    k->of = malloc((n + 1) * sizeof *k->of);
    k->first = malloc((n + 1) * sizeof *k->first);
    if (!k->key || !k->of || !k->first) return -1;
    for (size_t i = 0; i < g->n; i++)
        k->key[i] = g->part[i].key;
    for (size_t i = 0; i < g->n_links; i++) {
        k->key[g->n + 2 * i] = g->link[i].a;
        k->key[g->n + 2 * i + 1] = g->link[i].b;
    }
    qsort(k->key, n, sizeof *k->key, by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || k->key[i] != k->key[i - 1]) k->key[k->n++] = k->key[i];
    for (size_t i = 0; i < k->n; i++) {
        k->of[i] = i;
        k->first[i] = SIZE_MAX;
    }
    return 0;
}

static int by_bundle(const void *a, const void *b)
{
    const struct bundle_part *x = a, *y = b;
    if (x->bundle != y->bundle) return x->bundle < y->bundle ? -1 : 1;
    return x->text < y->text ? -1 : x->text > y->text;
}

int bundles_seal(struct bundles *g)
{
    struct keys k = {0};
    int rc = g->bad ? -1 : keys_of(g, &k);
    for (size_t i = 0; !rc && i < g->n_links; i++)
        k.of[find(&k, g->link[i].a)] = find(&k, g->link[i].b);
    for (size_t i = 0; !rc && i < g->n; i++) {
        size_t own = find(&k, g->part[i].key);
        if (k.first[own] == SIZE_MAX) k.first[own] = i;
        g->part[i].bundle = k.first[own];
    }
    if (!rc && g->n) qsort(g->part, g->n, sizeof *g->part, by_bundle);
    free(k.key);
    free(k.of);
    free(k.first);
    return rc;
}

size_t bundles_end(const struct bundles *g, size_t from)
{
    size_t to = from;
    while (to < g->n && g->part[to].bundle == g->part[from].bundle)
        to++;
    return to;
}

enum draft_result bundles_add_line(struct bundles *g, const char *name, bool alone, uint64_t line, const char *text,
                                   size_t n, struct draft *d)
{
    struct json j;
    enum json_token t;
    uint64_t key = fingerprint_u64(FINGERPRINT_INIT, line);
    bool found = alone;
    json_begin(&j, text, n);
    if (json_next(&j) != JSON_OBJECT) return draft_broken(d, "it is not a JSON object");
    while ((t = json_next(&j)) == JSON_KEY) {
        if (!json_is(&j, name, strlen(name))) {
            (void)json_skip(&j); /* what is broken stays so, and ends this loop */
        } else if (json_enter(&j, JSON_STRING) && j.len) {
            key = fingerprint_bytes(FINGERPRINT_INIT, j.text, j.len);
            found = true;
        }
    }
    if (t != JSON_OBJECT_END || json_next(&j) != JSON_END) return draft_broken(d, "it is not JSON");
    if (!found) return draft_broken(d, "\"%s\" is missing, or not text", name);
    bundles_add(g, key, line, text, n);
    return DRAFT_REQUEST;
}
