/* The file of a plan as people give it: a path, or "-" for standard input. What is plainly something else (a run's
 * folder, its summary, an address) is named in the error. */
#pragma once
#include "common/buf.h"
#include "common/plan/plan.h"

#define PLAN_FILE_MAX (1u << 20)

/* Appends the whole text to `out`, whose maximum bounds it. ERR_PLAN when it cannot be read or is not a plan. */
ERR_CHECKED int plan_file_read(const char *path, struct buf *out, struct err *e);
/* Read and resolved, with the `n` settings `path=value`. NULL on failure. */
ERR_CHECKED struct plan *plan_file_load(const char *path, const char *const *set, size_t n, struct err *e);
