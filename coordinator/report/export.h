/* A run in the forms that other tools read (plateau export). An exporter gives its files one after the other to a place
 * that writes them; it computes nothing that the analysis does not hold. Points whose verdict is invalid are left out:
 * those forms have no place for a warning. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/analysis.h"

/* Takes a file: `name` may hold folders ("load-8/x.json"). -1 with an error ends the export. */
struct export_to {
    void *arg;
    ERR_CHECKED int (*put)(void *arg, const char *name, const struct buf *content, struct err *e);
    /* A long file in pieces, one file at a time; `last`: this is its last piece, which may be empty. */
    ERR_CHECKED int (*append)(void *arg, const char *name, const struct buf *piece, bool last, struct err *e);
    /* Walks the rows of single requests that the run kept; what `each` returns other than 0 ends it. */
    ERR_CHECKED int (*requests)(void *arg, int (*each)(void *arg, const struct request_data *r, struct err *e),
                                void *each_arg, struct err *e);
    const char
        *with; /* JSON that states what plateau does not measure; NULL: none. Only mlperf-endpoints has a use for it */
    bool events; /* with a log of each request. Likewise */
};
struct export_kind {
    const char *name, *readers;
    ERR_CHECKED int (*run)(const struct analysis *a, const struct export_to *to, struct err *e);
};
extern const struct export_kind EXPORTS[];
extern const size_t EXPORTS_N;
const struct export_kind *export_find(const char *name); /* NULL: there is none */

/* ---- for exporters ---- */

#define X(id, name, readers)                                                                                           \
    ERR_CHECKED int export_##id(const struct analysis *a, const struct export_to *to, struct err *e);
#include "coordinator/report/export.def"
#undef X

#define EXPORT_FILE_MAX (64u << 20)

/* Calls `write` for every point that is exported, with an empty buffer, and puts the file that it makes under the name
 * that `name` (a printf form with one %s) gives with the point's load: "serving_%s.json" is serving_8.json,
 * serving_25-s.json; a load that comes again gets "-2", "-3". */
ERR_CHECKED int export_each(const struct analysis *a, const struct export_to *to, const char *name,
                            void (*write)(struct json_out *j, const struct analysis *a, const struct point *p),
                            struct err *e);
bool export_counts(const struct point *p);
/* Percentile of a metric in its own unit from all its samples, as those tools give it, however few there are; standard
 * deviation of the population likewise. NaN when there is no sample. */
double export_quantile(const struct point *p, enum metric m, double q);
double export_sd(const struct point *p, enum metric m);
/* Due in the point's window, and due before it and never answered, as its errors count them. */
uint64_t export_requests(const struct point *p);
/* Tokens in the point's window. */
double export_tokens(double per_s, const struct point *p);
const char *export_model(const struct analysis *a); /* the first of the plan's models */
