/* The simple kinds of values: text, numbers, durations, words, sections. Each reads a node into a field and writes it
 * back. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/args.h"
#include "common/clock.h"
#include "common/plan/plan_key.h"

/* Other tools replace ${…}. Here it would be sent literally, so it is refused. */
static int no_substitution(struct reader *r, const struct node *n)
{
    if (!strstr(n->text, "${")) return 0;
    return node_refuse(n, false, r->e,
                       "${NAME} is not replaced in a plan: give the value by --set, or a secret by {env: NAME}");
}

int scalar_read_text(struct reader *r, const struct node *n, const char *what, const char **ret)
{
    if (!node_is_scalar(n) || n->kind == NODE_NULL) return read_expected(r, n, what);
    if (n->len == 0) return node_refuse(n, false, r->e, "expected %s, got an empty text", what);
    if (n->len > 2000) return node_refuse(n, false, r->e, "longer than 2000 bytes");
    for (size_t i = 0; i < n->len; i++)
        if ((unsigned char)n->text[i] < 0x20 || n->text[i] == 0x7f)
            return node_refuse(n, false, r->e, "must be one line without control characters");
    if (no_substitution(r, n)) return -1;
    *ret = read_keep(r, n, n->text);
    return *ret ? 0 : -1;
}

static int text_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    (void)k;
    return n ? scalar_read_text(r, n, "text", at) : 0;
}
static struct node *text_write(struct tree *t, const struct plan_key *k, const void *at)
{
    const char *s = *(const char *const *)at;
    (void)k;
    return s ? node_new_text(t, s) : NULL;
}
const struct key_type KEY_TEXT = {"text", "\"type\": \"string\", \"minLength\": 1", text_read, text_write};

/* A bound as a plan would write it. */
static int out_of_bounds(struct reader *r, const struct plan_key *k, const struct node *n, double v)
{
    char got[64], bound[32];
    if (k->least < k->most && v < k->least)
        return node_refuse(n, false, r->e, "must be at least %s, got %s",
                           node_number_text(k->least, bound, sizeof bound), node_describe(n, got, sizeof got));
    if (k->least < k->most && v > k->most)
        return node_refuse(n, false, r->e, "must be at most %s, got %s", node_number_text(k->most, bound, sizeof bound),
                           node_describe(n, got, sizeof got));
    return 0;
}

static int whole_read(struct reader *r, const struct plan_key *k, const struct node *n, uint64_t max, uint64_t *ret)
{
    if (n->kind == NODE_NUMBER && n->number >= 0x1p64)
        return node_refuse(n, false, r->e, "must be at most %" PRIu64 ", got %.40s", max, n->text);
    if (n->kind != NODE_INT) return read_expected(r, n, "a whole number");
    if (out_of_bounds(r, k, n, n->number)) return -1;
    if (n->negative) return read_expected(r, n, "a whole number of at least 0");
    if (n->whole > max) return node_refuse(n, false, r->e, "must be at most %" PRIu64 ", got %.40s", max, n->text);
    *ret = n->whole;
    return 0;
}

static int u32_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    uint64_t v = 0;
    if (whole_read(r, k, n, UINT32_MAX, &v)) return -1;
    *(uint32_t *)at = (uint32_t)v;
    return 0;
}
static struct node *u32_write(struct tree *t, const struct plan_key *k, const void *at)
{
    uint32_t v = *(const uint32_t *)at;
    return v || !(k->flags & KEY_SKIP_ZERO) ? node_new_whole(t, v) : NULL;
}
const struct key_type KEY_U32 = {"whole number", "\"type\": \"integer\"", u32_read, u32_write};

static int u64_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    return whole_read(r, k, n, UINT64_MAX, at);
}
static struct node *u64_write(struct tree *t, const struct plan_key *k, const void *at)
{
    uint64_t v = *(const uint64_t *)at;
    return v || !(k->flags & KEY_SKIP_ZERO) ? node_new_whole(t, v) : NULL;
}
const struct key_type KEY_U64 = {"whole number", "\"type\": \"integer\", \"minimum\": 0", u64_read, u64_write};

int scalar_read_number(struct reader *r, const struct plan_key *k, const struct node *n, double *ret)
{
    if (n->kind != NODE_INT && n->kind != NODE_NUMBER) return read_expected(r, n, "a number");
    if (out_of_bounds(r, k, n, n->number)) return -1;
    *ret = n->number;
    return 0;
}
static int number_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    return n ? scalar_read_number(r, k, n, at) : 0;
}
static struct node *number_write(struct tree *t, const struct plan_key *k, const void *at)
{
    double v = *(const double *)at;
    return v > 0 || !(k->flags & KEY_SKIP_ZERO) ? node_new_number(t, v) : NULL;
}
const struct key_type KEY_NUMBER = {"number", "\"type\": \"number\"", number_read, number_write};

static int fraction_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    double v = n->number;
    if (n->kind == NODE_TEXT) {
        struct node part = *n;
        char digits[32];
        if (n->len < 2 || n->len > sizeof digits || n->text[n->len - 1] != '%')
            return read_expected(r, n, "a fraction such as 5% or 0.05");
        (void)snprintf(digits, sizeof digits, "%.*s", (int)n->len - 1, n->text);
        part.text = digits;
        if (node_resolve(&part) || (part.kind != NODE_INT && part.kind != NODE_NUMBER))
            return read_expected(r, n, "a fraction such as 5% or 0.05");
        v = part.number / 100;
    } else if (n->kind != NODE_INT && n->kind != NODE_NUMBER)
        return read_expected(r, n, "a fraction such as 5% or 0.05");
    if (v < 0) return read_expected(r, n, "a fraction of at least 0");
    if (out_of_bounds(r, k, n, v)) return -1;
    *(double *)at = v;
    return 0;
}
const struct key_type KEY_FRACTION = {
    "fraction", "\"oneOf\": [{\"type\": \"number\"}, {\"type\": \"string\", \"pattern\": \"%$\"}]", fraction_read,
    number_write};

static int duration_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    int64_t ns;
    char bound[32], got[64];
    if (n->kind == NODE_INT || n->kind == NODE_NUMBER) {
        if (n->number < 0) return read_expected(r, n, "a duration of at least 0");
        if (n->number > 0)
            return node_refuse(n, false, r->e,
                               "expected a duration with its unit, such as %.40ss or %.40sms, got %.40s", n->text,
                               n->text, n->text);
    }
    if (!node_is_scalar(n) || clock_duration_parse(n->text, &ns))
        return read_expected(r, n, "a duration such as 250ms, 30s or 5m");
    if (k->most > 0 && (double)ns < k->least * 1e9)
        return node_refuse(n, false, r->e, "must be at least %s, got %s",
                           clock_duration_text((int64_t)(k->least * 1e9), bound, sizeof bound),
                           node_describe(n, got, sizeof got));
    if (k->most > 0 && (double)ns > k->most * 1e9)
        return node_refuse(n, false, r->e, "must be at most %s, got %s",
                           clock_duration_text((int64_t)(k->most * 1e9), bound, sizeof bound),
                           node_describe(n, got, sizeof got));
    *(int64_t *)at = ns;
    return 0;
}
struct node *scalar_new_duration(struct tree *t, int64_t ns)
{
    char s[40];
    return ns == 0 ? node_new_whole(t, 0) : node_new_text(t, clock_duration_text(ns, s, sizeof s));
}
static struct node *duration_write(struct tree *t, const struct plan_key *k, const void *at)
{
    int64_t ns = *(const int64_t *)at;
    return ns || !(k->flags & KEY_SKIP_ZERO) ? scalar_new_duration(t, ns) : NULL;
}
const struct key_type KEY_DURATION = {"duration", "\"$ref\": \"#/$defs/duration\"", duration_read, duration_write};

static int bool_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    if (n->kind != NODE_BOOL) return read_expected(r, n, "true or false");
    if (n->flag && k->later)
        return node_refuse(n, false, r->e, "%s is known, but not built in this version", k->later[0]);
    *(bool *)at = n->flag;
    return 0;
}
static struct node *bool_write(struct tree *t, const struct plan_key *k, const void *at)
{
    (void)k;
    return node_new_bool(t, *(const bool *)at);
}
const struct key_type KEY_BOOL = {"true or false", "\"type\": \"boolean\"", bool_read, bool_write};

/* Where `text` stands in a list that ends with NULL; its length: nowhere. */
static size_t word_at(const char *const *words, const char *text)
{
    size_t i = 0;
    while (words[i] && !(text && strcmp(words[i], text) == 0))
        i++;
    return i;
}

/* "a, b or c" */
static void words_list(const char *const *words, size_t n, char *ret, size_t size)
{
    ret[0] = '\0';
    for (size_t i = 0, at = 0; i < n && at < size; i++) {
        const char *before = i == 0 ? "" : i + 1 == n ? " or " : ", ";
        int len = snprintf(ret + at, size - at, "%s%s", before, words[i]);
        at += len > 0 ? (size_t)len : 0;
    }
}

static int word_read(struct reader *r, const struct plan_key *k, const struct node *n, unsigned *ret)
{
    static const char *const NONE[] = {NULL};
    char list[400], got[64];
    const char *text = node_is_scalar(n) ? n->text : NULL, *const *later = k->later ? k->later : NONE;
    size_t words = word_at(k->words, NULL), n_later = word_at(later, NULL), at = word_at(k->words, text);
    if (at < words) {
        *ret = (unsigned)at;
        return 0;
    }
    at = word_at(later, text);
    if (at < n_later) return node_refuse(n, false, r->e, "\"%s\" is known, but not built in this version", later[at]);
    words_list(k->words, words, list, sizeof list);
    (void)node_describe(n, got, sizeof got);
    const char *near = text ? args_nearest(text, k->words, words) : NULL;
    const char *near_later = text && !near ? args_nearest(text, later, n_later) : NULL;
    if (near_later)
        return node_refuse(n, false, r->e, "expected %s, got %s; \"%s\" is known, but not built in this version", list,
                           got, near_later);
    return node_refuse(n, false, r->e, "expected %s, got %s%s%s%s", list, got, near ? "; did you mean \"" : "",
                       near ? near : "", near ? "\"?" : "");
}
static int words_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    unsigned v;
    if (word_read(r, k, n, &v)) return -1;
    if (at) memcpy(at, &v, sizeof v);
    return 0;
}
static struct node *words_write(struct tree *t, const struct plan_key *k, const void *at)
{
    unsigned v = 0;
    if (at) memcpy(&v, at, sizeof v);
    return v || !(k->flags & KEY_SKIP_ZERO) ? node_new_text(t, k->words[v]) : NULL;
}
const struct key_type KEY_WORDS = {"word", NULL, words_read, words_write};

static int word_flag_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    unsigned v;
    if (word_read(r, k, n, &v)) return -1;
    *(bool *)at = v == 1;
    return 0;
}
static struct node *word_flag_write(struct tree *t, const struct plan_key *k, const void *at)
{
    return node_new_text(t, k->words[*(const bool *)at]);
}
const struct key_type KEY_WORD_FLAG = {"word", NULL, word_flag_read, word_flag_write};

static int part_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    return read_section(r, n, k->sub, at);
}
static struct node *part_write(struct tree *t, const struct plan_key *k, const void *at)
{
    struct node *n = write_section(t, k->sub, at, 0);
    return n && n->n ? n : NULL;
}
const struct key_type KEY_SECTION = {"mapping", NULL, part_read, part_write};

static int version_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    (void)k, (void)at;
    if (n->kind == NODE_INT && !n->negative && n->whole == 1) return 0;
    return read_expected(r, n, "1, the version of the plan's format");
}
static struct node *version_write(struct tree *t, const struct plan_key *k, const void *at)
{
    (void)k, (void)at;
    return node_new_whole(t, 1);
}
const struct key_type KEY_VERSION = {"1", "\"const\": 1", version_read, version_write};

/* Rows of this type are refused by name before they are read, and never written. */
static int later_read(struct reader *r, const struct plan_key *k, const struct node *n, void *at)
{
    (void)k, (void)at;
    return n ? node_refuse(n, true, r->e, "known, but not built in this version") : 0;
}
static struct node *later_write(struct tree *t, const struct plan_key *k, const void *at)
{
    (void)t, (void)k, (void)at;
    return NULL;
}
const struct key_type KEY_NOT_BUILT = {"not built yet", NULL, later_read, later_write};
