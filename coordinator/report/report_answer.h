/* The answer of a run as a member of summary.json. Pure. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/analysis.h"

void report_answer(struct json_out *j, const struct analysis *in);
