/* What a file plainly is, or looks like, when it is not of the format that the plan names: for sentences about it.
 * Pure. */
#pragma once
#include "common/buf.h"
#include "coordinator/corpus/format.h"

/* What no format is (compressed, an HTML page, a pointer of Git LFS …), and what to do about it; NULL: nothing of
 * these. */
const char *sniff_stranger(const char *bytes, size_t n);
/* What to try when the first record of a file of lines or of an array cannot be read: a hint that continues a sentence,
 * or
 * "". `bytes`: from the first that is no white space. */
const char *sniff_hint(const struct format *f, const char *bytes, size_t n);
/* What to say of a header that lacks a column: which columns there are, and of what format they are. */
void sniff_columns(const struct plan_workload *w, const struct table *header, struct buf *out);
