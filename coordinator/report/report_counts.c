#include "coordinator/report/report_counts.h"

void report_retries(struct json_out *j, const struct analysis *a, const struct stage_data *s)
{
    if (a->run->plan->retries.max == 0) {
        json_null(j, "retries");
        return;
    }
    json_object(j, "retries");
    json_u64(j, "sent", s->counters[COUNTER_RETRIES]);
    json_u64(j, "denied", s->counters[COUNTER_RETRIES_DENIED]);
    json_object(j, "after");
    for (int i = 0; i < FAILURE_N; i++)
        if (s->counters[COUNTER_RETRIED_FIRST + i])
            json_u64(j, FAILURES[i].name, s->counters[COUNTER_RETRIED_FIRST + i]);
    json_end_object(j);
    json_end_object(j);
}

void report_recorded(struct json_out *j, const struct stage_data *s)
{
    uint64_t wanted = s->counters[COUNTER_RECORDED];
    if (!wanted) {
        json_null(j, "recorded");
        return;
    }
    json_object(j, "recorded");
    json_u64(j, "wanted", wanted);
    json_u64(j, "kept", s->request_rows);
    json_end_object(j);
}
