#include "common/args.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/wire.h"

enum { WORD_MAX = 64, NAMES_MAX = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(b), row[WORD_MAX + 1];
    if (strlen(a) > WORD_MAX || n > WORD_MAX) return WORD_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t was = row[j + 1];
            row[j + 1] = least(least(row[j + 1] + 1, row[j] + 1), diagonal + (a[i] != b[j]));
            diagonal = was;
        }
    }
    return row[n];
}

const char *args_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    size_t bound = strlen(word) / 3 + 2, best_d = bound;
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(word, words[i]);
        if (d < best_d) {
            best_d = d;
            best = words[i];
        }
    }
    return best;
}

static bool help, version, log_json, manual;
static const char *log_word;
static const struct arg BUILT_IN[] = {
    {"log-level", ARG_TEXT, &log_word, "LEVEL", "debug, info, warn, error or off (info)"},
    {"log-json", ARG_FLAG, &log_json, NULL, "log as JSON lines"},
    {"help", ARG_FLAG, &help, NULL, "print this and exit"},
    {"version", ARG_FLAG, &version, NULL, "print the version and exit"},
    {NULL, ARG_FLAG, NULL, NULL, NULL},
};

/* Not in --help: for the build, which makes the manual pages from the same rows. */
static const struct arg HIDDEN[] = {{"manual", ARG_FLAG, &manual, NULL, ""}, {NULL, ARG_FLAG, NULL, NULL, NULL}};

/* Text of a manual page: nothing in it is a command of its formatter. */
static void print_roff(const char *s)
{
    for (bool first = true; *s; s++) {
        if (first && (*s == '.' || *s == '\'')) fputs("\\&", stdout);
        fputs(*s == '\\' ? "\\e" : *s == '-' ? "\\-" : (char[]){*s, 0}, stdout);
        first = *s == '\n';
    }
}

static void print_roff_rows(const struct arg *t)
{
    for (; t->name; t++) {
        fputs(".TP\n\\fB", stdout);
        print_roff("--");
        print_roff(t->name);
        fputs("\\fR", stdout);
        if (t->value) {
            fputs(" \\fI", stdout);
            print_roff(t->value);
            fputs("\\fR", stdout);
        }
        putchar('\n');
        print_roff(t->help);
        putchar('\n');
    }
}

/* "plateau run" is the page plateau-run(1). */
static void print_manual(const struct args *a)
{
    char page[WORD_MAX + 1];
    (void)snprintf(page, sizeof page, "%s", a->program);
    for (char *c = page; *c; c++)
        if (*c == ' ') *c = '-';
    size_t n = strcspn(a->about, ".\n");
    printf(".TH \"%s\" 1 \"\" \"plateau %s\" \"plateau\"\n.SH NAME\n%s \\- %.*s\n.SH SYNOPSIS\n.B %s\n", page,
           PLATEAU_VERSION, page, (int)n, a->about, a->program);
    print_roff(a->usage);
    fputs("\n.SH DESCRIPTION\n.nf\n", stdout);
    print_roff(a->about);
    fputs("\n.fi\n.SH OPTIONS\n", stdout);
    print_roff_rows(a->table);
    print_roff_rows(BUILT_IN);
}

static void print_rows(const struct arg *t)
{
    for (; t->name; t++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", t->name, t->value ? " " : "", t->value ? t->value : "");
        printf("  %-30s %s\n", left, t->help);
    }
}

static const struct arg *find(const struct arg *t, const char *name, size_t len)
{
    for (; t->name; t++)
        if (strlen(t->name) == len && memcmp(t->name, name, len) == 0) return t;
    return NULL;
}

static int set_number(const struct arg *row, const char *v, struct err *e)
{
    char *end;
    errno = 0;
    bool digit = v[0] >= '0' && v[0] <= '9', hex = digit && (v[1] == 'x' || v[1] == 'X');
    if (row->kind == ARG_DOUBLE) {
        double d = strtod(v, &end);
        if (errno || !digit || hex || *end || !isfinite(d))
            return err_set(e, ERR_USAGE, "--%s: expected a number >= 0, got \"%s\"", row->name, v);
        *(double *)row->target = d;
        return 0;
    }
    uint64_t max = row->kind == ARG_U32 ? UINT32_MAX : UINT64_MAX, u = strtoull(v, &end, 10);
    if (errno || !digit || *end || u > max) /* strtoull takes blanks and signs: " -5" would be 2^64 - 5 */
        return err_set(e, ERR_USAGE, "--%s: expected a whole number from 0 to %" PRIu64 ", got \"%s\"", row->name, max,
                       v);
    if (row->kind == ARG_U32)
        *(uint32_t *)row->target = (uint32_t)u;
    else
        *(uint64_t *)row->target = u;
    return 0;
}

static int set(const struct arg *row, const char *v, struct err *e);

/* As a row of the kind itself, whose value is then looked at. */
static int set_above_0(const struct arg *row, enum arg_kind kind, const char *v, struct err *e)
{
    struct arg plain = *row;
    plain.kind = kind;
    if (set(&plain, v, e)) return -1;
    bool above = kind == ARG_U32      ? *(const uint32_t *)row->target > 0
                 : kind == ARG_U64    ? *(const uint64_t *)row->target > 0
                 : kind == ARG_DOUBLE ? *(const double *)row->target > 0
                                      : *(const int64_t *)row->target > 0;
    return above ? 0 : err_set(e, ERR_USAGE, "--%s: expected more than 0, got \"%s\"", row->name, v);
}

static int set(const struct arg *row, const char *v, struct err *e)
{
    struct arg_list *list = row->target;
    switch (row->kind) {
    case ARG_FLAG:
        *(bool *)row->target = true;
        return 0;
    case ARG_TEXT:
        *(const char **)row->target = v;
        return 0;
    case ARG_DURATION:
        if (clock_duration_parse(v, row->target))
            return err_set(e, ERR_USAGE, "--%s: expected a duration such as 250ms, 30s or 5m, got \"%s\"", row->name,
                           v);
        return 0;
    case ARG_MANY:
        if (list->n == ARG_LIST_MAX)
            return err_set(e, ERR_USAGE, "--%s: given more than %d times", row->name, ARG_LIST_MAX);
        list->item[list->n++] = v;
        return 0;
    case ARG_U32:
    case ARG_U64:
    case ARG_DOUBLE:
        return set_number(row, v, e);
    case ARG_U32_ABOVE_0:
        return set_above_0(row, ARG_U32, v, e);
    case ARG_U64_ABOVE_0:
        return set_above_0(row, ARG_U64, v, e);
    case ARG_DOUBLE_ABOVE_0:
        return set_above_0(row, ARG_DOUBLE, v, e);
    case ARG_DURATION_ABOVE_0:
        return set_above_0(row, ARG_DURATION, v, e);
    }
    return err_set(e, ERR_INTERNAL, "--%s: unknown kind", row->name);
}

static int unknown(const struct args *a, const char *name, struct err *e)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (const struct arg *t = a->table; t->name && n < NAMES_MAX; t++)
        names[n++] = t->name;
    for (const struct arg *t = BUILT_IN; t->name && n < NAMES_MAX; t++)
        names[n++] = t->name;
    const char *near = args_nearest(name, names, n);
    if (near)
        return err_set(e, ERR_USAGE, "unknown option --%s; did you mean --%s? (%s --help lists all)", name, near,
                       a->program);
    return err_set(e, ERR_USAGE, "unknown option --%s (%s --help lists all)", name, a->program);
}

static int parse_option(const struct args *a, int argc, char **argv, int *i, struct err *e)
{
    char name[WORD_MAX + 1];
    const char *word = argv[*i] + 2, *eq = strchr(word, '=');
    size_t len = eq ? (size_t)(eq - word) : strlen(word);
    (void)snprintf(name, sizeof name, "%.*s", (int)least(len, WORD_MAX), word);
    const struct arg *row = find(a->table, word, len);
    if (!row) row = find(BUILT_IN, word, len);
    if (!row) row = find(HIDDEN, word, len);
    if (!row) return unknown(a, name, e);
    if (row->kind == ARG_FLAG && eq) return err_set(e, ERR_USAGE, "--%s takes no value", name);
    const char *value = eq ? eq + 1 : NULL;
    if (row->kind != ARG_FLAG && !value) {
        if (*i + 1 >= argc) return err_set(e, ERR_USAGE, "--%s needs a value: %s", name, row->value);
        value = argv[++*i];
    }
    return set(row, value, e);
}

int args_parse(const struct args *a, int argc, char **argv, const char **ret_words, size_t *ret_n, struct err *e)
{
    bool options = true;
    help = version = log_json = manual = false;
    log_word = NULL;
    log_init(a->program, LOG_INFO, false); /* messages about the command line bear the program's name too */
    *ret_n = 0;
    for (int i = 1; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strncmp(argv[i], "--", 2) == 0) {
            if (parse_option(a, argc, argv, &i, e)) return -1;
        } else if (options && argv[i][0] == '-' && argv[i][1])
            return err_set(e, ERR_USAGE, "unknown option %s (%s --help lists all)", argv[i], a->program);
        else if ((*ret_n)++ < a->most)
            ret_words[*ret_n - 1] = argv[i];
    }
    if (manual) {
        print_manual(a);
        return 1;
    }
    if (help) {
        printf("%s %s\n\n%s\n\n", a->program, a->usage, a->about);
        print_rows(a->table);
        print_rows(BUILT_IN);
        return 1;
    }
    if (version) {
        printf("%s %s, tables %016" PRIx64 "\n", a->program, PLATEAU_VERSION, wire_fingerprint());
        return 1;
    }
    enum log_level level = LOG_INFO;
    if (log_word && log_level_parse(log_word, &level))
        return err_set(e, ERR_USAGE, "--log-level: expected debug, info, warn, error or off, got \"%s\"", log_word);
    log_init(a->program, level, log_json);
    if (*ret_n < a->least || *ret_n > a->most)
        return err_set(e, ERR_USAGE, "%s arguments; usage: %s %s", *ret_n < a->least ? "too few" : "too many",
                       a->program, a->usage);
    return 0;
}
