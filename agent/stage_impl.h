/* The inside of a stage, shared by its files only. */
#pragma once
#include "agent/stage.h"

/* Time in flight is accounted up to `now`. */
void stage_flight_to(struct stage *st, int64_t now);
/* A request ended at `at` but was seen to end only now: it was not in flight in between. */
void stage_flight_correct(struct stage *st, int64_t at, int64_t now);
/* Requests that became due by `now` are counted. */
void stage_tell_due(struct stage *st, int64_t now);
