/* What the reports share: names and words for the same thing in all of them. */
#pragma once
#include "common/json_out.h"
#include "coordinator/report/report.h"

/* Text as an element or an attribute of HTML and XML 1.0 may hold it. XML has no form for control characters,
 * surrogates, U+FFFE, U+FFFF and bytes that are not UTF-8, and a name in a plan may hold any of them: they become a
 * blank or U+FFFD. `attribute`: line ends become references, which an attribute keeps. */
void report_put_markup(struct buf *out, const char *s, size_t n, bool attribute);

/* All that summary.json says, as members of the object that is open in `j`. */
void report_summary_members(struct json_out *j, const struct analysis *in);

/* All that summary.json says of one point, likewise. */
void report_point_members(struct json_out *j, const struct analysis *in, size_t point);

/* An interval as a member: null when an end is unknown. */
void report_pair(struct json_out *j, const char *key, double lo, double hi);

/* The stage whose point this is; points stand in the order of the run's stages. NULL when there is none. */
const struct stage_data *report_stage(const struct analysis *in, size_t point);

/* "ttft_ms", "output_tokens": the name of a metric's numbers, with the unit where it is ms. buf holds 64 bytes. */
const char *report_metric_key(enum metric m, char *buf);

/* How the times of a stage were taken: "kernel", "program", "mixed", "" when unknown. */
const char *report_stamps(const struct stage_data *s);

/* A gate's result for the run and the point that decides it: where a load within the limits was asked for (a sweep, a
 * search), the point that the answer stands on, else the point that passes most gates, and of several the one where a
 * longer stage decides soonest; with explicit stages the worst
 * of all. NULL when no valid point was measured. */
const struct gate_outcome *report_gate(const struct analysis *in, size_t gate);

const char *report_steady(enum steady s); /* "yes", "no", NULL: unknown */

/* The point at the knee: the usable one with the smallest load that is not below it. false: the knee was not seen. */
bool report_knee_point(const struct analysis *in, size_t *ret);

/* The failures of a run by label, of most requests first: how many in all stages, and the first of them. */
struct report_failure {
    enum failure label;
    uint64_t n;
    size_t point;                       /* the first point with such a failure */
    const struct failure_sample *first; /* of that label, of the first point that kept one; NULL: none did */
};
size_t report_failures(const struct analysis *in, struct report_failure ret[FAILURE_N]);

/* Indices of the points in order of load (closed loops first, then open ones, each by what was asked), repeats beside
 * each other. `ret` has room for all points. */
void report_order(const struct analysis *in, size_t *ret);

/* How ttft and itl spread at each moment of a stage, as the member "heat" of the object that is open in `j`: for each
 * metric rows [from, span, row, counts …] with seconds from T0; row r begins at 10^(r / 10) ms. At most about `columns`
 * rows for each metric. */
void report_heat(struct json_out *j, const struct stage_data *s, size_t columns);
