/* A mix by workload and by model, as members of summary.json. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/analysis.h"

/* `by_workload`, `by_model`: lists, empty where the plan has but one. */
void report_by_group(struct json_out *j, const struct analysis *in, size_t point,
                     void (*put_stat)(struct json_out *j, const char *key, const struct metric_stat *s));
