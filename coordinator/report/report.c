#include "coordinator/report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/report/report_parts.h"
#include "coordinator/report/write_file.h"

#define FILE_MAX (256u << 20)

/* A new report is a file with its function and a line here. */
static const struct {
    const char *file;
    int (*make)(const struct report_input *in, struct buf *out, struct err *e);
} REPORTS[] = {
    {"summary.json", report_summary_json}, {"curve.csv", report_curve_csv}, {"histograms.hlog", report_hlog},
    {"report.html", report_html},          {"junit.xml", report_junit},
};

/* Stages that the plan asks for; 0: as many as a search needs. */
static size_t stages_planned(const struct run_data *r)
{
    if (!r->plan || r->plan->search.goal != SEARCH_NONE) return 0;
    return r->plan->n_stages * (r->plan->repeats ? r->plan->repeats : 1);
}

/* What makes the result worth least speaks first: a run that was stopped says so, then one that misses agents, then one
 * whose numbers are the client's own. A gate's word counts only on numbers that can be trusted; what an inconclusive
 * one means is the plan's choice. */
static int status_of(const struct report_input *in)
{
    const struct run_data *r = in->run;
    bool lost = false, invalid = in->n_points == 0 || in->n_points < stages_planned(r);
    for (size_t i = 0; i < r->n_stages; i++)
        lost |= r->stages[i].degraded;
    for (size_t i = 0; i < r->n_agents; i++)
        lost |= r->agents[i].lost && invalid; /* the run ended early for want of agents */
    for (size_t i = 0; i < r->n_events; i++)
        if (strcmp(r->events[i].kind, "gate_failed") == 0)
            invalid = in->n_points == 0; /* ended on purpose: no stage is missing */
    for (size_t i = 0; i < in->n_points; i++)
        invalid |= in->points[i].verdict.status == VERDICT_INVALID;
    if (r->signal > 0) return 128 + r->signal;
    if (lost) return 4;
    if (invalid) return 3;
    enum gate_result all = gates_decide(r->plan, in->points, in->n_points, in->gates, in->n_gates);
    bool passed = all == GATE_PASS || (all == GATE_INCONCLUSIVE && r->plan->on_inconclusive == INCONCLUSIVE_PASS);
    return passed ? 0 : 99;
}

static int write_reports(const struct report_input *in, const char *dir, struct err *e)
{
    for (size_t i = 0; i < sizeof REPORTS / sizeof REPORTS[0]; i++) {
        struct buf b = BUF_INIT(FILE_MAX);
        int rc = REPORTS[i].make(in, &b, e);
        if (!rc) rc = write_file_atomic(dir, REPORTS[i].file, &b, e);
        buf_free(&b);
        if (rc) return -1;
    }
    write_file_sync(dir);
    return 0;
}

static int print_text(const struct report_input *in, const char *dir, bool written, struct err *e)
{
    struct buf b = BUF_INIT(FILE_MAX);
    bool color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    int rc = report_text(in, color, &b, e);
    if (!rc) {
        (void)fwrite(b.data, 1, b.len, stdout);
        if (written) (void)printf("Report: %s/report.html\n", dir);
        if (fflush(stdout)) rc = err_set(e, ERR_IO, "standard output: %s", strerror(errno));
    }
    buf_free(&b);
    return rc;
}

int report_all(const struct run_data *run, const char *dir, bool print, int *ret_status, struct err *e)
{
    size_t n = run->n_stages, per_point = run->plan ? run->plan->n_gates : 0, n_gates = n * per_point;
    *ret_status = 1;
    if (!run->plan) return err_set(e, ERR_IO, "%s: the run has no plan", dir);
    struct point *points = calloc(n ? n : 1, sizeof *points);
    struct gate_outcome *gates = calloc(n_gates ? n_gates : 1, sizeof *gates);
    struct answer *answer = calloc(1, sizeof *answer);
    int rc = points && gates && answer ? 0 : err_set(e, ERR_NOMEM, "no memory for the reports");
    for (size_t i = 0; !rc && i < n; i++) {
        point_compute(&run->stages[i], run->plan, &points[i]);
        for (size_t g = 0; g < per_point; g++) {
            gate_check(&run->plan->gates[g], &points[i], &gates[i * per_point + g]);
            gates[i * per_point + g].point = (uint32_t)i;
        }
    }
    if (!rc) {
        answer_compute(run, points, n, gates, n_gates, answer);
        struct report_input in = {run, points, n, gates, n_gates, answer};
        rc = write_reports(&in, dir, e);
        if (print && print_text(&in, dir, !rc, rc ? NULL : e))
            rc = -1; /* the table is shown even where no file can be written */
        if (!rc) *ret_status = status_of(&in);
    }
    free(points);
    free(gates);
    free(answer);
    return rc;
}
