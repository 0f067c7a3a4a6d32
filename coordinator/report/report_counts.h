/* What a plan has counted beside the ledger, as members of a point in summary.json. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/analysis.h"

/* `retries`: null unless the plan has requests sent again. */
void report_retries(struct json_out *j, const struct analysis *a, const struct stage_data *s);
/* `recorded`: null unless rows of single requests were wanted. */
void report_recorded(struct json_out *j, const struct stage_data *s);
