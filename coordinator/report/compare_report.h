/* A comparison for people: text, Markdown for a pull request, and one HTML file with the curves laid over each other.
 */
#pragma once
#include "common/buf.h"
#include "coordinator/answer/analysis.h"
#include "coordinator/answer/compare.h"

struct compared_run {
    const char *label; /* "A", "B" … and the folder */
    const char *dir;
    const struct analysis *a;
};
struct compare_input {
    const struct compared_run *runs; /* the first is what the others are compared with */
    size_t n_runs;
    const struct comparison *changes;    /* n_runs - 1 */
    const char *const *plan_differences; /* n_runs - 1 texts, "" = same plan */
};

/* What the search of a run found: "843 output token/s within its gates at 12 concurrent requests"; "" without a search.
 * Returns buf. */
#define COMPARE_FOUND_WORDS 200u
const char *compare_found_words(const struct analysis *r, char buf[COMPARE_FOUND_WORDS]);
ERR_CHECKED int compare_text(const struct compare_input *in, struct buf *out, struct err *e);
ERR_CHECKED int compare_markdown(const struct compare_input *in, struct buf *out, struct err *e);
ERR_CHECKED int compare_html(const struct compare_input *in, struct buf *out, struct err *e);
