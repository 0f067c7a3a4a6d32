/* The data of a run: each workload's corpus, compiled into a folder under its hash, mapped, and handed out piece by
 * piece to agents that ask for it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/corpus.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "common/wire.h"

struct shelf;
/* Reads the data of all workloads of a plan and fills in what follows from them: hashes, counts, rates. `plan_path` is
 * where relative names start. `dir` is where corpora are kept (NULL: nowhere, they are only looked at). With `known` (a
 * run that continues) corpora are taken from `dir` by the hashes in the plan. `tell` (may be NULL) gets what a user
 * should know, line by line. A plan without data gives an empty shelf. */
ERR_CHECKED struct shelf *shelf_fill(struct plan *p, const char *plan_path, const char *dir, bool known,
                                     void (*tell)(void *arg, const char *text), void *arg, struct err *e);
void shelf_destroy(struct shelf **s);
bool shelf_is_empty(const struct shelf *s);
/* Where corpora are kept when no folder is given: $XDG_CACHE_HOME/plateau or ~/.cache/plateau. -1: no home. */
int shelf_default_dir(char *ret, size_t n);
/* Answers WANT: the piece that begins at the offset, compressed. `out` keeps its bytes. False: no such data here. */
bool shelf_answer(const struct shelf *s, const struct wire_msg *want, struct buf *out, struct wire_msg *ret);
