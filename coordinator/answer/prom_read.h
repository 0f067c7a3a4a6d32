/* Prometheus' text format (and what OpenMetrics adds to it: exemplars, `# EOF`): one call a sample. Pure, allocates
 * nothing; slices point into the caller's bytes. https://prometheus.io/docs/instrumenting/exposition_formats/ */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

#define PROM_LINE_MAX 65536u

struct prom_line {
    const char *name, *labels; /* not NUL-terminated; labels: what is between the braces, escaped as it came */
    size_t name_n, labels_n;
    double value; /* may be NaN or infinite, as the format allows */
};
/* False stops. */
typedef bool prom_fn(void *arg, const struct prom_line *s);

/* -1 with the line's number when a line is none of: blank, a comment, a sample. What came before it has been given. A
 * last line without its newline is refused too: the page was cut. */
ERR_CHECKED int prom_read(const char *text, size_t n, prom_fn *fn, void *arg, struct err *e);
/* The value of a label, unescaped into buf (cut to fit); false when there is none of that name. */
bool prom_read_label(const struct prom_line *s, const char *name, char *buf, size_t size);
