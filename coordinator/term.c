#include "coordinator/term.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/human.h"
#include "common/log.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/answer/point.h"
#include "coordinator/extent.h"
#include "coordinator/sinks.h"

#define TTY_NS (1 * NS_PER_S)
#define PLAIN_NS (5 * NS_PER_S)
#define WIDTH 80u        /* of a terminal that does not know its own */
#define PLAIN_WIDTH 160u /* of a line in a log */

void term_init(struct term *t, FILE *out)
{
    *t = (struct term){.out = out, .tty = isatty(fileno(out)) == 1, .hinted = UINT32_MAX};
}

/* A line that is put together piece by piece, the most important pieces first. A piece that does not fit is left out.
 */
struct pieces {
    char *text;
    size_t n, len;
    unsigned columns, width;
};

__attribute__((format(printf, 2, 3))) static bool add(struct pieces *p, const char *fmt, ...)
{
    char piece[600];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(piece, sizeof piece, fmt, ap);
    va_end(ap);
    size_t blanks = p->len ? 2 : 0;
    if (p->len == 0 && len > (int)p->width) len = (int)p->width; /* the first is cut instead */
    if (len <= 0 || (size_t)len >= sizeof piece || p->len + blanks + (size_t)len + 1 > p->n) return false;
    if (p->columns + blanks + (size_t)len > p->width) return false;
    memcpy(p->text + p->len, "  ", blanks);
    memcpy(p->text + p->len + blanks, piece, (size_t)len);
    p->len += blanks + (size_t)len;
    p->text[p->len] = 0;
    p->columns += (unsigned)(blanks + (size_t)len); /* ASCII only */
    return true;
}

static void load_words(const struct plan_stage *s, char *ret, size_t n)
{
    char label[LOAD_LABEL];
    struct plan_stage load = *s;
    load.requests = 0;
    (void)snprintf(ret, n, "load %s", load_label(&load, label));
}

static void put_waiting(const struct run_progress *p, struct pieces *out)
{
    if (p->agents_ready >= p->agents_wanted && p->fence_left_ns > 0) {
        (void)add(out, "waiting %.0f s for the last load of the earlier attempt to end",
                  (double)p->fence_left_ns / 1e9);
        return;
    }
    (void)add(out, "waiting for agents: %zu of %" PRIu32, p->agents_ready, p->agents_wanted);
    if (p->agents_hint && !p->one_row) out->width = (unsigned)out->n; /* of a command in a log half is no use */
    if (p->agents_hint)
        (void)add(out, "%s", p->agents_hint);
    else if (p->endpoint)
        (void)add(out, "plateau-agent --connect %s", p->endpoint);
}

static void put_bar(const struct run_progress *p, struct pieces *out)
{
    enum { BAR = 12 };
    const struct plan_stage *load = &p->attempt->step.load;
    double elapsed = p->elapsed_ns > 0 ? (double)p->elapsed_ns / 1e9 : 0, whole = (double)load->duration_ns / 1e9;
    char bar[BAR + 1];
    if (p->state == RUN_DRAIN || !(whole > 0)) {
        (void)add(out, p->state == RUN_DRAIN ? "%.0f s, waiting for open answers" : "%.0f s", elapsed);
        return;
    }
    int full = (int)fmin(BAR, BAR * elapsed / whole);
    memset(bar, '-', BAR);
    memset(bar, '#', (size_t)full);
    bar[BAR] = 0;
    (void)add(out, "[%s] %.0f/%.0f s", bar, fmin(elapsed, whole), whole);
}

/* Of the whole run, where that is more than the stage. */
static void put_left(const struct run_progress *p, uint64_t steps, struct pieces *out)
{
    double s = (double)p->left_ns / 1e9;
    if (p->left_ns == 0 || steps < 2) return;
    if (s < 90)
        (void)add(out, "%.0f s left", s);
    else
        (void)add(out, s < 5400 ? "%.0f min left" : "%.1f h left", s < 5400 ? s / 60 : s / 3600);
}

/* A percentile is shown only when at least 3 samples lie beyond it. */
static void put_quantile(const struct hist *h, const char *name, double q, struct pieces *out)
{
    char p[HUMAN_MAX], ms[HUMAN_MAX];
    if (h && (double)h->count * (1 - q) >= 3)
        (void)add(out, "%s p%s %s ms", name, human_plain(100 * q, p),
                  human_number(round((double)hist_quantile(h, q) / 1e6), ms)); /* a live line does not flicker */
}

void term_line(const struct run_progress *p, uint64_t step, uint64_t steps, unsigned width, char *ret, size_t n)
{
    struct pieces out = {.text = ret, .n = n, .width = width};
    const struct merge_live *l = &p->live;
    char load[64], stage[48], number[HUMAN_MAX];
    ret[0] = 0;
    if (p->state == RUN_GATHER) {
        put_waiting(p, &out);
        return;
    }
    if (p->state == RUN_PROBE) {
        (void)add(&out, "one request is sent first, to see what the target answers");
        return;
    }
    if (!p->attempt || p->attempt->t0_ns == 0) {
        (void)add(&out, "between stages: %zu of %zu agents ready", p->agents_ready, p->agents);
        return;
    }
    (void)snprintf(stage, sizeof stage, steps ? "stage %" PRIu64 "/%" PRIu64 : "stage %" PRIu64, step, steps);
    load_words(&p->attempt->step.load, load, sizeof load);
    (void)add(&out, "%s", stage);
    (void)add(&out, "%s", load);
    put_bar(p, &out);
    if (l->counters[COUNTER_DUE]) (void)add(&out, "%s token/s", human_number(l->tokens_per_s, number));
    uint64_t failed = counters_failed(l->counters);
    if (failed) (void)add(&out, "%s failed", human_count(failed, number));
    put_left(p, steps, &out);
    (void)add(&out, "%s ok", human_count(l->counters[COUNTER_OK], number));
    put_quantile(l->ttft, "ttft", 0.5, &out);
    if (!failed) (void)add(&out, "0 failed");
    if (l->counters[COUNTER_DUE])
        (void)add(&out, "%s in flight", human_count(l->in_flight, number)); /* else no report yet */
    put_quantile(l->ttft, "ttft", 0.99, &out);
    put_quantile(l->itl, "itl", 0.99, &out);
}

static const char *ms(double v, char buf[HUMAN_MAX + 4])
{
    char number[HUMAN_MAX];
    (void)snprintf(buf, HUMAN_MAX + 4, isnan(v) ? "n/a" : "%s ms", human_number(v, number));
    return buf;
}

/* Lines of one run stand below each other, so figures have columns; what is wrong comes before the latency. */
void term_stage_line(const struct stage_data *s, const struct point *p, unsigned width, char *ret, size_t n)
{
    struct pieces out = {.text = ret, .n = n, .width = width};
    char load[64], number[HUMAN_MAX + 4], failed[2 * HUMAN_MAX + 16], due[HUMAN_MAX];
    bool fails = counters_failed(s->counters) > 0;
    load_words(&s->plan, load, sizeof load - 1);
    (void)snprintf(load + strlen(load), 2, ":");
    (void)snprintf(failed, sizeof failed, "%s/%s failed", human_count(counters_failed(s->counters), number),
                   human_count(s->counters[COUNTER_DUE], due));
    ret[0] = 0;
    (void)add(&out, "%-11s %7s token/s", load, human_number(p->output_tokens_per_s, number));
    if (p->verdict.status != VERDICT_VALID) (void)add(&out, "%s", verdict_name(p->verdict.status));
    if (fails) (void)add(&out, "%s", failed);
    (void)add(&out, "ttft p50 %8s", ms(p->metric[METRIC_TTFT].q[0], number));
    (void)add(&out, "p99 %8s", ms(p->metric[METRIC_TTFT].q[3], number));
    if (!fails) (void)add(&out, "%s", failed);
}

void term_curve(const double *v, size_t n, char *ret, size_t size)
{
    static const char *const BAR[] = {"\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
    double most = 0;
    size_t at = 0;
    ret[0] = 0;
    for (size_t i = 0; i < n; i++)
        most = v[i] > most ? v[i] : most;
    for (size_t i = 0; n > 1 && most > 0 && i < n; i++) {
        const char *c = isnan(v[i]) ? "\u00b7" : BAR[(size_t)fmin(7, 8 * fmax(v[i], 0) / most)];
        int k = snprintf(ret + at, size - at, "%s", c);
        if (k < 0 || (size_t)k >= size - at) break;
        at += (size_t)k;
    }
}

static void curve_add(struct term *t, const struct point *p)
{
    if (t->n_curve == TERM_CURVE) memmove(t->curve, t->curve + 1, --t->n_curve * sizeof *t->curve);
    t->curve[t->n_curve++] = p->verdict.status == VERDICT_INVALID ? (double)NAN : p->output_tokens_per_s;
}

/* As wide as the terminal is now: asked each time, so that a new size counts from the next line on. */
static unsigned width_of(FILE *out)
{
    struct winsize w = {0};
    return ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : WIDTH;
}

/* Before anything else is printed. */
static void line_clear(struct term *t)
{
    if (t->dirty) fputs("\r\x1b[K", t->out);
    t->dirty = false;
    (void)fflush(t->out);
}

static void tick(void *arg, const struct sink_view *v)
{
    struct term *t = arg;
    struct run_progress p;
    char line[700];
    uint32_t epoch = run_loading(v->run);
    if (run_state(v->run) >= RUN_CLOSE || (v->now < t->next_ns && (epoch == 0 || epoch == t->epoch))) return;
    t->next_ns = v->now + (t->tty ? TTY_NS : PLAIN_NS);
    t->epoch = epoch;
    run_progress(v->run, v->now, &p);
    int64_t elapsed = p.attempt && p.attempt->t0_ns ? p.elapsed_ns : 0;
    p.left_ns = extent_left_ns(t->plan, v->ended, v->ended_ns, elapsed);
    p.endpoint = t->endpoint;
    p.agents_hint = t->agents_hint;
    p.one_row = t->tty;
    /* the last column stays empty, since some terminals wrap when it is written */
    term_line(&p, v->step, v->steps, t->tty ? width_of(t->out) - 1 : PLAIN_WIDTH, line, sizeof line);
    if (log_is_json())
        log_info("%s", line);
    else if (t->tty)
        fprintf(t->out, "\r\x1b[K%s", line);
    else
        fprintf(t->out, "%s\n", line);
    t->dirty = t->tty && !log_is_json();
    (void)fflush(t->out);
}

static int event(void *arg, enum run_event_kind kind, const char *text, struct err *e)
{
    struct term *t = arg;
    (void)e;
    line_clear(t);
    log_msg(RUN_EVENTS[kind].level, "%s: %s", RUN_EVENTS[kind].name, text);
    if (kind != RUN_EVENT_AGENT_LOST || !t->agents_hint || t->hinted == t->epoch) return 0;
    t->hinted = t->epoch; /* a node that is lost takes many agents with it: once for a stage */
    log_info("where the agents are: %s", t->agents_hint);
    return 0;
}

static int begin(void *arg, const struct run_data *meta, struct err *e)
{
    struct term *t = arg;
    (void)e;
    t->plan = meta->plan;
    return 0;
}

/* The line, and beside it as many of the latest columns of the curve as find room. */
static void put_stage(const struct term *t, const char *line)
{
    char curve[4 * TERM_CURVE];
    size_t used = strlen(line) + 3, width = width_of(t->out), room = width > used ? width - used : 0;
    size_t n = t->n_curve < room ? t->n_curve : room;
    term_curve(t->curve + (t->n_curve - n), n, curve, sizeof curve);
    fprintf(t->out, "%s%s%s\n", line, curve[0] ? "  " : "", curve);
}

/* Judging thousands of agents takes a while, and so does the end of their stage: this comes a turn later. */
static int stage_end(void *arg, const struct stage_data *s, struct err *e)
{
    struct term *t = arg;
    (void)s, (void)e;
    t->ended = true;
    t->agents = (struct point_agents){0};
    return 0;
}

static int stage_more(void *arg, const struct stage_data *s, struct err *e)
{
    struct term *t = arg;
    struct point p;
    char line[400];
    (void)e;
    if (!t->ended) return 0;
    if (point_judge_agents(s, t->plan, POINT_AGENTS_A_TURN, &t->agents)) return 1;
    t->ended = false;
    point_glance(s, t->plan, &t->agents, &p);
    term_stage_line(s, &p, t->tty ? width_of(t->out) : PLAIN_WIDTH, line, sizeof line);
    line_clear(t);
    curve_add(t, &p);
    if (t->tty && !log_is_json())
        put_stage(t, line);
    else
        log_info("%s", line);
    return 1; /* the other sinks begin a turn later */
}

static void over(void *arg, const struct sink_view *v)
{
    (void)v;
    line_clear(arg);
}

const struct sink_kind SINK_TERM = {.name = "terminal",
                                    .begin = begin,
                                    .stage_end = stage_end,
                                    .stage_more = stage_more,
                                    .event = event,
                                    .tick = tick,
                                    .over = over};
