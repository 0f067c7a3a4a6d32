/* What is counted beside the ledger, as members of summary.json. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/analysis.h"

/* `counters`: all of a stage. */
void report_counters(struct json_out *j, const struct stage_data *s);
/* `with_cut`: percentiles with the requests that were cut off; null unless some were. */
void report_with_cut(struct json_out *j, const struct point *p);
/* `retries`: null unless the plan has requests sent again. */
void report_retries(struct json_out *j, const struct analysis *a, const struct stage_data *s);
/* `sessions`: null unless a workload has conversations. */
void report_sessions(struct json_out *j, const struct analysis *a, const struct stage_data *s);
/* `recorded`: null unless rows of single requests were wanted. */
void report_recorded(struct json_out *j, const struct stage_data *s);
/* What was sent again in the whole run, for people. */
#define REPORT_RETRIES_WORDS (2000u + FAILURE_N * (REMARK_TEXT + 40u)) /* bytes at most */
void report_retries_words(const struct analysis *in, struct buf *text);
/* `first_failures`: of a stage, by label. */
void report_first_failures(struct json_out *j, const struct stage_data *s);
void report_remarks(struct json_out *j, const struct stage_data *s);
/* `failures`: of the whole run, by label. */
void report_failures_of_run(struct json_out *j, const struct analysis *in);
/* `addresses`: requests of a stage by the endpoint's address. */
void report_addresses(struct json_out *j, const struct stage_data *s);
