/* A format of files that users bring: one row in its read_*.c and in dataset.def or trace.def. A reader sees one record
 * at a time (a line, an element of an array, a row of named columns) and makes a draft of a request from it. Pure. */
#pragma once
#include "coordinator/corpus/draft.h"
#include "coordinator/corpus/bundles.h"

/* FORM_ARRAY: one JSON array, or one object per line. FORM_OBJECTS: JSON objects one after the other, of any number of
 * lines, or an array of them; a folder's *.json and *.jsonl are read by name. */
enum format_form { FORM_LINES, FORM_TABLE, FORM_ARRAY, FORM_OBJECTS };

/* A table's header and one row: slices, quotes taken off (text that held doubled quotes lies in `unquoted`). */
struct table_cell {
    const char *text;
    size_t len;
};
enum { TABLE_COLUMNS_MAX = 256, TABLE_WANTED_MAX = 8 };
struct table {
    struct table_cell cell[TABLE_COLUMNS_MAX];
    size_t n;
    struct buf unquoted;
    int column[TABLE_WANTED_MAX]; /* of each wanted name; -1: the file has none */
    size_t n_columns;             /* of the header */
};

struct format {
    const char *name;
    enum format_form form;
    enum draft_result (*json)(const struct plan_data *p, const char *text, size_t n, struct draft *d);
    /* Instead of `json`, where a record's parts lie apart: `split` adds what it finds of them in one piece of JSON (a
     * line, an object), and `group` makes a draft of those that belong together. */
    enum draft_result (*split)(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d);
    enum draft_result (*group)(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d);
    /* FORM_TABLE: the wanted columns; `columns` fills the names (NULL: none) for a plan and returns how many; those
     * below `needed` must be there. */
    size_t (*columns)(const struct plan_data *p, const char *ret[TABLE_WANTED_MAX], size_t *ret_needed);
    enum draft_result (*row)(const struct plan_data *p, const struct table *t, struct draft *d);
};
/* read_weka.c, read_tracelab.c, read_mooncake_sessions.c, read_otel.c, read_dag.c */
enum draft_result weka_read(const struct plan_data *p, const char *text, size_t n, struct draft *d);
enum draft_result tracelab_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d);
enum draft_result tracelab_group(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d);
enum draft_result mooncake_sessions_split(const char *text, size_t n, uint64_t line, struct bundles *g,
                                          struct draft *d);
enum draft_result mooncake_sessions_group(const struct plan_data *p, const struct bundle_part *part, size_t n,
                                          struct draft *d);
enum draft_result otel_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d);
enum draft_result otel_group(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d);
enum draft_result dag_split(const char *text, size_t n, uint64_t line, struct bundles *g, struct draft *d);
enum draft_result dag_group(const struct plan_data *p, const struct bundle_part *part, size_t n, struct draft *d);
extern const struct format READ_DATASET[DATASET_N], READ_TRACE[TRACE_N];
const struct format *format_of(const struct plan_workload *w);
