/* events.jsonl of a point of MLPerf Endpoints' folder: its requests as the reference client logs them, made of the rows
 * that the run kept (record: {requests: true}). */
#pragma once
#include "coordinator/report/export.h"

/* Each request is `sample.issued` (sent), `sample.recv_first` (first event with output) and `sample.complete` (end
 * marker), one that did not end ok `error.generic` and a `sample.complete` without output; in their order, between the
 * session's start and end. Performance is tracked for those that became due in the measured window. plateau keeps no
 * text: "x" stands for each token. Tokens of the first event are as many as an event has on average. Fails where a
 * request of the window has no row. */
ERR_CHECKED int mlperf_events(const struct analysis *a, const struct export_to *to, const struct point *p,
                              const char *file, struct err *e);
/* Whether the run can have them: its plan kept all rows. */
ERR_CHECKED int mlperf_events_known(const struct analysis *a, struct err *e);
