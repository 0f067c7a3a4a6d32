#include "coordinator/answer/gate_plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "common/plan/gate.h"
#include "common/plan/plan_api.h"

#define SHARE_ASK 0.1 /* a share of errors from this on, written without %, is asked about */
#define NOTE_MAX 512

/* The greatest value that it gives; INFINITY when it has no end or stands in a file. */
static double dist_most(const struct dist *d)
{
    double most = INFINITY;
    if (d->kind == DIST_FIXED && d->a > 0) most = d->a;
    if (d->kind == DIST_UNIFORM) most = d->b;
    for (size_t i = 0; d->kind == DIST_CHOICE && i < d->n; i++)
        most = i ? fmax(most, d->value[i]) : d->value[i];
    return d->max > 0 ? fmin(most, d->max) : most;
}

/* The most output tokens that a request asks for. */
static double most_tokens(const struct plan *p)
{
    double most = plan_target_limit(&p->target);
    if (most > 0) return most;
    for (size_t i = 0; i < p->n_workloads; i++) {
        const struct plan_workload *w = &p->workloads[i];
        most = fmax(most, workload_reads_file(w) ? dist_most(&w->data.output_tokens)
                          : w->lengths.n         ? 0
                                                 : dist_most(&w->output_tokens));
        for (size_t k = 0; k < w->lengths.n; k++)
            most = fmax(most, w->lengths.output[k]);
    }
    return p->n_workloads ? most : (double)INFINITY;
}

/* The most turns of a conversation; 0: there is none. */
static double most_turns(const struct plan *p)
{
    double most = 0;
    for (size_t i = 0; i < p->n_workloads; i++)
        if (p->workloads[i].sessions.on) most = fmax(most, dist_most(&p->workloads[i].sessions.turns));
    return most;
}

static const char *never_turn(const struct plan *p, double turns)
{
    double most = most_turns(p);
    if (most == 0) return "the plan has no conversations";
    return most < turns ? "no conversation has that many turns" : NULL;
}

/* A whole answer has one moment, its end. */
static const char *never_whole(const struct plan *p)
{
    if (!plan_api_has_tokens(p->target.api))
        return "answers of this API come whole and have no tokens; e2e is their time";
    if (!p->target.whole) return NULL;
    return "answers come whole, so that their tokens have no times; e2e is the answer's time";
}

/* A share of 0 is broken by one failure, and shown by no number of requests without. */
static bool is_none(const struct plan_gate *g)
{
    return g->subject == GATE_ERROR_RATE && g->op == OP_LE && g->value <= 0;
}

const char *gate_never(const struct plan *p, const struct plan_gate *gate)
{
    if (is_none(gate)) return "no sample shows that none ever fails; errors.count <= 0 asks that none did";
    if (gate->subject != GATE_METRIC) return NULL;
    switch (gate->metric) {
    case METRIC_TTFT_FIRST_TURN:
    case METRIC_TTFT_SECOND_TURN:
    case METRIC_TTFT_LATER_TURNS:
        if (never_whole(p)) return never_whole(p);
        return never_turn(p, gate->metric - METRIC_TTFT_FIRST_TURN + 1);
    case METRIC_E2E_FIRST_TURN:
    case METRIC_E2E_SECOND_TURN:
    case METRIC_E2E_LATER_TURNS:
        return never_turn(p, gate->metric - METRIC_E2E_FIRST_TURN + 1);
    case METRIC_SESSION_TURNS:
    case METRIC_SESSION_TIME:
    case METRIC_SESSION_TOKENS:
    case METRIC_SESSION_CACHED:
        return never_turn(p, 1);
    case METRIC_TPOT:
    case METRIC_TPOT_SUFFIX:
    case METRIC_ITL:
    case METRIC_CHUNK_GAP:
    case METRIC_USER_SPEED:
        if (never_whole(p)) return never_whole(p);
        return most_tokens(p) < 2 ? "answers of one token have no time between tokens" : NULL;
    case METRIC_TTFT:
    case METRIC_TTFT_DUE:
    case METRIC_TTFC:
    case METRIC_TOKENS_PER_EVENT:
        return never_whole(p);
    case METRIC_NORMALIZED:
        return !plan_api_has_tokens(p->target.api) ? never_whole(p) : NULL;
    case METRIC_TLS:
        return strncmp(p->target.url, "https:", 6) == 0 ? NULL : "target.url is not https";
    default:
        return NULL;
    }
}

/* What every value meets, and what none does: there are no negative values, and no share above 1. */
static const char *sure(const struct plan_gate *g)
{
    bool share = g->subject == GATE_ERROR_RATE;
    if ((g->op == OP_LT && g->value <= 0) || (share && g->op == OP_GT && g->value >= 1)) return "can never be met";
    if ((g->op == OP_GE && g->value <= 0) || (share && g->op == OP_LE && g->value >= 1))
        return "is met whatever happens";
    if (share && g->op == OP_LT && g->value >= 1) return "is met unless all requests fail";
    return NULL;
}

/* A share that was written as a plain number may have been meant as a percentage. */
static bool put_sure(const struct plan_gate *g, char *buf)
{
    char all[HUMAN_MAX], write[HUMAN_MAX], plain[HUMAN_MAX];
    const char *what = sure(g);
    int n = what ? snprintf(buf, NOTE_MAX, "%s of slo.run %s", g->text, what) : 0;
    if (g->subject != GATE_ERROR_RATE || g->value < SHARE_ASK || strchr(g->text, '%')) return what;
    if (!what) n = snprintf(buf, NOTE_MAX, "%s of slo.run means %s", g->text, human_percent(g->value, all));
    (void)snprintf(buf + n, NOTE_MAX - (size_t)n, ": write %s%% or %s if a percentage was meant",
                   human_plain(g->value, write), human_plain(g->value / 100, plain));
    return true;
}

static bool put_never(const struct plan *p, const struct plan_gate *g, char *buf)
{
    const char *never = gate_never(p, g);
    if (never)
        (void)snprintf(buf, NOTE_MAX, "%s of slo.run can never be %s: %s", g->text,
                       is_none(g) ? "shown to be kept" : "decided", never);
    else if (g->subject == GATE_THROUGHPUT && !plan_api_has_tokens(p->target.api))
        (void)snprintf(buf, NOTE_MAX,
                       "%s of slo.run counts output tokens, of which answers of this API have none; requests.rate "
                       "counts answers",
                       g->text);
    return never || (g->subject == GATE_THROUGHPUT && !plan_api_has_tokens(p->target.api));
}

void gate_notes(const struct plan *p, void (*put)(void *arg, const char *sentence), void *arg)
{
    static const char *const NAMES[] = {[SLO_TTFT] = "ttft", [SLO_TPOT] = "tpot"};
    static const enum metric METRICS_OF[] = {[SLO_TTFT] = METRIC_TTFT, [SLO_TPOT] = METRIC_TPOT};
    char buf[NOTE_MAX];
    for (size_t i = 0; i < p->n_gates; i++) {
        const struct plan_gate *g = &p->gates[i];
        if (put_never(p, g, buf)) put(arg, buf);
        if (put_sure(g, buf)) put(arg, buf);
    }
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *never = gate_never(p, &(struct plan_gate){.subject = GATE_METRIC, .metric = METRICS_OF[i]});
        if (!p->slo_request_ns[i] || !never) continue;
        (void)snprintf(buf, sizeof buf, "slo.request.%s limits nothing: %s", NAMES[i], never);
        put(arg, buf);
    }
    if (p->capacity.text && !p->capacity.requests && !plan_api_has_tokens(p->target.api))
        put(arg, "slo.capacity counts output tokens, of which answers of this API have none; requests/s would count "
                 "answers");
}
