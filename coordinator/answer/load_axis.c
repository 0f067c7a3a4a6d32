#include "coordinator/answer/load_axis.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/human.h"

#define AT_WORK 0.5      /* of the slots */
#define FAILED_MUCH 0.1  /* of the requests: slots rest after them */
#define KEPT_UP 0.98     /* of the requests that came due, answered */
#define GRAIN_OF_ONE 0.6 /* standard deviation of a count whose ends fall anywhere: one request more or less */
#define ALIKE 0.02       /* loads achieved within this of each other */

static bool same_number(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

bool load_same(const struct plan_stage *a, const struct plan_stage *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == LOAD_CLOSED) return a->concurrency == b->concurrency;
    if (a->arrivals != b->arrivals || a->max_concurrency != b->max_concurrency) return false;
    if (a->arrivals == ARRIVALS_GAMMA && !same_number(a->burstiness, b->burstiness)) return false;
    return same_number(a->rate_from, b->rate_from) && same_number(a->rate_to, b->rate_to);
}

bool load_seen_before(const struct point *points, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (load_same(&points[k].requested, &points[i].requested)) return true;
    return false;
}

static bool was_measured(const struct point *p)
{
    return p->verdict.status != VERDICT_INVALID && !p->offline && p->output_tokens_per_s > 0 && p->concurrency > 0;
}

bool load_usable(const struct point *p)
{
    return was_measured(p) && p->steady != STEADY_NO;
}

static bool requests_measured(const struct point *p)
{
    bool none = !(p->output_tokens_per_s > 0) && p->requests_per_s > 0 && p->ledger.ok > 0;
    return none && p->verdict.status != VERDICT_INVALID && !p->offline;
}

bool load_tokenless(const struct point *p)
{
    return requests_measured(p) && p->steady != STEADY_NO;
}

/* A window that grew fuller all the time, at a rate beyond the server's limit. Most of a ramp came before it. */
static bool at_limit(const struct point *p)
{
    return p->overrun && !plan_stage_is_ramp(&p->requested);
}

bool load_carries(const struct point *p)
{
    return was_measured(p) && (p->steady != STEADY_NO || at_limit(p));
}

bool load_carries_requests(const struct point *p)
{
    return requests_measured(p) && (p->steady != STEADY_NO || at_limit(p));
}

enum load_axis load_axis(const struct point *points, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (points[i].requested.kind != LOAD_OPEN) return AXIS_IN_FLIGHT;
    return n ? AXIS_RATE : AXIS_IN_FLIGHT;
}

double load_on(const struct point *p, enum load_axis axis)
{
    const struct plan_stage *asked = &p->requested;
    if (axis == AXIS_RATE) /* arrivals that waited for the cap in vain were never offered to the server */
        return (p->by_count ? asked->rate_to : p->arrivals_per_s) * (1 - p->unsent_share);
    if (!p->by_count || asked->kind != LOAD_CLOSED) return p->concurrency;
    return fmin((double)asked->concurrency, (double)asked->requests);
}

const char *load_thing(enum load_axis axis)
{
    return axis == AXIS_RATE ? "request/s" : "concurrent request";
}

const char *load_axis_name(enum load_axis axis)
{
    return axis == AXIS_RATE ? "arrivals_per_s" : "in_flight";
}

double load_asked(const struct plan_stage *s)
{
    return s->kind == LOAD_OPEN ? s->rate_to : (double)s->concurrency;
}

bool load_below(double a, const struct plan_stage *x, double b, const struct plan_stage *y)
{
    bool alike = x->kind == y->kind && fabs(a - b) <= ALIKE * fmax(a, b);
    return alike ? load_asked(x) < load_asked(y) : a < b;
}

const char *load_label(const struct plan_stage *p, char buf[LOAD_LABEL])
{
    int n;
    char from[HUMAN_MAX], to[HUMAN_MAX];
    if (p->kind == LOAD_CLOSED)
        n = snprintf(buf, LOAD_LABEL, "%" PRIu32, p->concurrency);
    else if (plan_stage_is_ramp(p))
        n = snprintf(buf, LOAD_LABEL, "%.24s-%.24s/s", human_plain(p->rate_from, from), human_plain(p->rate_to, to));
    else
        n = snprintf(buf, LOAD_LABEL, "%s/s", human_plain(p->rate_from, from));
    if (p->requests && n > 0 && n < LOAD_LABEL - 24)
        (void)snprintf(buf + n, (size_t)(LOAD_LABEL - n), " x%" PRIu64, p->requests);
    return buf;
}

bool load_by_chance(const struct plan_stage *s)
{
    return s->kind == LOAD_OPEN && (s->arrivals == ARRIVALS_POISSON || s->arrivals == ARRIVALS_GAMMA);
}

bool load_kept_up(const struct point *p)
{
    return p->requested.kind == LOAD_OPEN && !p->overrun && !p->outrun && !(p->unsent_share > 0) &&
           (double)p->window_ok >= KEPT_UP * (double)p->window_due;
}

double load_noise(const struct point *p, uint64_t ended)
{
    const struct plan_stage *s = &p->requested;
    double n = (double)ended, due = (double)p->window_due;
    double shape = s->arrivals == ARRIVALS_GAMMA && s->burstiness > 0 ? s->burstiness : 1;
    double slots = s->kind == LOAD_CLOSED && s->concurrency ? s->concurrency : 1;
    double square = n > 0 ? GRAIN_OF_ONE * GRAIN_OF_ONE * slots / (n * n) : 0;
    if (load_by_chance(s) && due > 0) square += 1 / (due * shape);
    return sqrt(square);
}

bool load_mostly_ends(const struct point *p)
{
    double ended = (double)(p->window_ok + p->window_failed);
    if (!p->by_count || p->requested.kind != LOAD_CLOSED || (double)p->window_failed > FAILED_MUCH * ended)
        return false;
    return p->concurrency < AT_WORK * load_on(p, AXIS_IN_FLIGHT);
}
