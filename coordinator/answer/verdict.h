/* Is the number the server's or the client's? One function per kind of evidence; the rules are in verdict.c. Pure. */
#pragma once
#include "coordinator/data.h"

/* Per agent and for the cluster. plan: the limits; cut: the stage was ended before its time. */
void verdict_compute(const uint64_t counters[COUNTER_N], struct hist *const hist[METRIC_N],
                     const struct plan_stage *requested, const struct plan *plan, bool cut, struct verdict *ret);
/* Of a stage that was ended before its time: it is invalid for that alone, before anything could be measured. */
bool verdict_only_cut(const uint64_t counters[COUNTER_N], const struct plan_stage *requested);
/* Arrivals of an open loop that the plan lets expect in the window; chance makes them more or fewer. NaN: not known. */
double verdict_expected(const uint64_t counters[COUNTER_N], const struct plan_stage *requested);
/* Arrivals of an open loop that waited because max_concurrency was reached, whether they were sent later or never. */
uint64_t verdict_waited(const uint64_t counters[COUNTER_N], const struct plan_stage *requested);
/* "up to 3,000 output tokens for one answer …": what of the server's usage was not believed. Returns buf, or a
 * constant. */
#define VERDICT_USAGE_WORDS 400u /* bytes for all of it */
const char *verdict_usage_words(const uint64_t counters[COUNTER_N], char *buf, size_t n);
const char *verdict_name(enum verdict_status s);
enum doubt {
#define X(id, aspects) DOUBT_##id,
#include "coordinator/answer/doubt.def"
#undef X
    DOUBT_N
};
/* A reason that puts only some figures in doubt (doubt.def): the point's status is raised, and that of those figures.
 */
void verdict_doubt(struct verdict *v, enum doubt d, enum verdict_status s, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A reason that makes the point suspect and leaves the figures as they are: the caller has judged them. */
void verdict_part(struct verdict *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *verdict_aspect_name(enum verdict_aspect a); /* "load", "throughput", "ttft", "due", "tpot", "itl", "e2e" */
/* A reason that puts every figure in doubt. Adds it and raises the status to at least `s`. Of nine reasons the one that
 * weighs least is dropped, its status is not. */
void verdict_add(struct verdict *v, enum verdict_status s, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
