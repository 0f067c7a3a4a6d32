#include "coordinator/run_ui.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json_out.h"
#include "common/log.h"
#include "coordinator/answer/load_axis.h"
#include "coordinator/extent.h"
#include "coordinator/report/report.h"
#include "coordinator/report/report_parts.h"
#include "coordinator/run/run.h"
#include "coordinator/sinks.h"
#include "coordinator/store/store.h"

#define REPORT_MAX (64u << 20)
#define NOW_MAX (1u << 20)
#define PARTS_SHOWN 64u /* agents of a stage, of thousands the first */
#define LOOK_NS (250 * NS_PER_MS)
#define LAST_NS (5 * NS_PER_S)
#define FIRST_ROW_NS (3 * NS_PER_S / 2)
#define LEAST_PRIORITY 19

/* ---- reports, in a thread of their own ---- */

static int put_report(struct run_ui *p, struct err *e)
{
    struct store *s = store_open(p->dir, e);
    struct run_data run = {0};
    struct analysis a;
    struct buf json = BUF_INIT(REPORT_MAX);
    int rc = s ? store_load(s, &run, e) : -1;
    store_close(&s);
    if (rc == 0 && (rc = analysis_init(&a, &run, e)) == 0) {
        rc = report_html_data(&a, &json, e);
        analysis_clear(&a);
    }
    if (rc == 0) ui_put(p->ui, UI_REPORT, &json);
    buf_clear(&json);
    run_data_clear(&run);
    return rc;
}

static void *make_reports(void *arg)
{
    struct run_ui *p = arg;
    struct err e = {0};
    struct timespec until;
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), LEAST_PRIORITY); /* of this thread alone, on Linux */
    pthread_mutex_lock(&p->lock);
    for (;;) {
        bool last = p->last;
        if (p->stale && ui_viewers(p->ui)) {
            p->stale = false;
            pthread_mutex_unlock(&p->lock);
            if (put_report(p, &e)) log_warn("the live page lacks the last stages: %s", e.text);
            pthread_mutex_lock(&p->lock);
        }
        if (last) break;
        if (p->last) continue;
        clock_gettime(CLOCK_REALTIME, &until); /* a viewer that comes is seen at the next look */
        int64_t at = until.tv_nsec + LOOK_NS;
        until.tv_sec += at / NS_PER_S;
        until.tv_nsec = at % NS_PER_S;
        (void)pthread_cond_timedwait(&p->wake, &p->lock, &until);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void want_report(struct run_ui *p, bool last)
{
    pthread_mutex_lock(&p->lock);
    p->stale = true;
    p->last |= last;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* ---- what happens now ---- */

static double quantile_ms(const struct hist *h, double q)
{
    return h && h->count ? round((double)hist_quantile(h, q) / 1e4) / 100 : (double)NAN;
}

static void put_stage(struct json_out *j, const struct run_progress *p)
{
    const struct attempt *a = p->attempt;
    char load[64];
    if (!a || !a->t0_ns) {
        json_null(j, "stage");
        return;
    }
    json_object(j, "stage");
    json_string(j, "load", load_label(&a->step.load, load));
    json_u64(j, "repeat", a->step.repeat + 1);
    json_u64(j, "tries", a->tries);
    json_double(j, "elapsed_s", (double)p->elapsed_ns / 1e9);
    json_double(j, "duration_s", (double)a->step.load.duration_ns / 1e9);
    json_double(j, "warmup_s", (double)a->step.load.warmup_ns / 1e9);
    json_double(j, "tokens_per_s", p->live.tokens_per_s);
    json_u64(j, "ok", p->live.counters[COUNTER_OK]);
    json_u64(j, "failed", counters_failed(p->live.counters));
    json_u64(j, "in_flight", p->live.in_flight);
    json_u64(j, "waiting", p->live.waiting);
    json_double(j, "ttft_p50_ms", quantile_ms(p->live.ttft, 0.5));
    json_double(j, "ttft_p99_ms", quantile_ms(p->live.ttft, 0.99));
    json_u64(j, "ttft_n", p->live.ttft ? p->live.ttft->count : 0);
    json_double(j, "itl_p50_ms", quantile_ms(p->live.itl, 0.5));
    json_double(j, "itl_p99_ms", quantile_ms(p->live.itl, 0.99));
    json_array(j, "agents");
    for (size_t i = 0; i < a->n && i < PARTS_SHOWN; i++) {
        const struct agent *of = a->part[i].agent;
        json_object(j, NULL);
        json_string(j, "name", of->info.name);
        json_string(j, "host", of->info.host);
        json_string(j, "state", a->part[i].lost ? agent_state_name(AGENT_LOST) : agent_state_name(of->state));
        json_end_object(j);
    }
    json_end_array(j);
    json_u64(j, "agents_in_all", a->n);
    json_end_object(j);
}

static void put_rows(struct json_out *j, const struct run_ui *p)
{
    json_array(j, "rows");
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct run_ui_row *r = &p->rows[i];
        json_array(j, NULL);
        json_double(j, NULL, round(r->t_s * 10) / 10);
        json_double(j, NULL, round(r->tokens_per_s * 10) / 10);
        json_double(j, NULL, r->in_flight);
        json_double(j, NULL, r->ttft_p50_ms);
        json_double(j, NULL, r->failed);
        json_end_array(j);
    }
    json_end_array(j);
}

static void put_events(struct json_out *j, const struct run_ui *p)
{
    char when[40];
    json_array(j, "events");
    for (size_t i = 0; i < p->n_events; i++) {
        json_object(j, NULL);
        json_string(j, "time", clock_wall_text(p->events[i].wall_ns, when, sizeof when));
        json_string(j, "kind", RUN_EVENTS[p->events[i].kind].name);
        json_string(j, "text", p->events[i].text);
        json_end_object(j);
    }
    json_end_array(j);
}

/* NaN: not known. */
static double left_s(const struct run_ui *p, const struct sink_view *v, const struct run_progress *progress)
{
    int64_t elapsed = progress->attempt && progress->attempt->t0_ns ? progress->elapsed_ns : 0;
    int64_t left = extent_left_ns(p->plan, v->ended, v->ended_ns, elapsed);
    return left ? (double)left / 1e9 : (double)NAN;
}

static void keep_row(struct run_ui *p, const struct run_progress *progress)
{
    uint32_t epoch = progress->attempt && progress->attempt->t0_ns ? progress->attempt->epoch : 0;
    if (epoch != p->epoch) p->n_rows = 0;
    p->epoch = epoch;
    /* The first second is not whole, and while open answers are waited for throughput falls by itself. */
    if (progress->state != RUN_LOAD || progress->elapsed_ns < FIRST_ROW_NS) return;
    if (p->n_rows == RUN_UI_ROWS) memmove(p->rows, p->rows + 1, --p->n_rows * sizeof *p->rows);
    p->rows[p->n_rows++] = (struct run_ui_row){(double)progress->elapsed_ns / 1e9, progress->live.tokens_per_s,
                                               (double)progress->live.in_flight, quantile_ms(progress->live.ttft, 0.5),
                                               (double)counters_failed(progress->live.counters)};
}

static void tick(void *arg, const struct sink_view *v)
{
    struct run_ui *p = arg;
    struct run_progress progress;
    struct buf json = BUF_INIT(NOW_MAX);
    struct json_out j = JSON_OUT(&json);
    if (!p->ui) return;
    if (p->ended && !v->saving) {
        p->ended = false;
        want_report(p, false);
    }
    if (v->now < p->next_ns) return;
    p->next_ns = v->now + NS_PER_S;
    run_progress(v->run, v->now, &progress);
    keep_row(p, &progress);
    json_object(&j, NULL);
    json_string(&j, "state", run_state_name(progress.state));
    json_u64(&j, "step", v->step);
    json_u64(&j, "steps", v->steps);
    json_double(&j, "left_s", left_s(p, v, &progress));
    json_double(&j, "whole_s", (double)extent_left_ns(p->plan, 0, 0, 0) / 1e9); /* 0: not known */
    json_u64(&j, "agents", progress.agents);
    json_u64(&j, "agents_ready", progress.agents_ready);
    json_u64(&j, "agents_wanted", progress.agents_wanted);
    json_bool(&j, "stopping", run_signal(v->run) != 0);
    put_stage(&j, &progress);
    put_rows(&j, p);
    put_events(&j, p);
    json_end_object(&j);
    ui_put(p->ui, UI_NOW, &json);
    buf_clear(&json);
}

/* ---- the follower ---- */

static int begin(void *arg, const struct run_data *meta, struct err *e)
{
    struct run_ui *p = arg;
    struct buf page = BUF_INIT(REPORT_MAX), policy = BUF_INIT(NOW_MAX);
    if (!p->ui) return 0;
    p->plan = meta->plan;
    const char *title = meta->plan->name ? meta->plan->name : meta->run_id;
    int rc = report_html_live(title, ui_token(p->ui), &page, &policy, e);
    if (rc == 0) {
        ui_page(p->ui, &page, &policy);
        p->stale = true;
        if (pthread_create(&p->maker, NULL, make_reports, p))
            rc = err_set(e, ERR_NOMEM, "no thread for the live page");
        else
            p->making = true;
    }
    if (rc == 0) log_info("the run can be watched at %s", ui_url(p->ui));
    buf_clear(&page);
    buf_clear(&policy);
    return rc;
}

static int stage_end(void *arg, const struct stage_data *s, struct err *e)
{
    struct run_ui *p = arg;
    (void)s, (void)e;
    p->ended = true;
    return 0;
}

static int event(void *arg, enum run_event_kind kind, const char *text, struct err *e)
{
    struct run_ui *p = arg;
    (void)e;
    if (p->n_events == RUN_UI_EVENTS) memmove(p->events, p->events + 1, --p->n_events * sizeof *p->events);
    struct run_ui_event *to = &p->events[p->n_events++];
    to->wall_ns = clock_wall_ns();
    to->kind = kind;
    (void)snprintf(to->text, sizeof to->text, "%s", text);
    return 0;
}

const struct sink_kind SINK_UI = {
    .name = "live page", .begin = begin, .stage_end = stage_end, .event = event, .tick = tick};

/* As Ctrl-C: once drains, twice ends at once. */
static void stop(void *arg)
{
    (void)arg;
    log_warn("the stop button of the live page was pressed");
    (void)kill(getpid(), SIGINT);
}

int run_ui_open(struct run_ui *p, const char *address, const char *dir, struct err *e)
{
    *p = (struct run_ui){0};
    if (!address) return 0;
    (void)snprintf(p->dir, sizeof p->dir, "%s", dir);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->ui = ui_open(address, stop, p, e);
    return p->ui ? 0 : -1;
}

static void end_maker(struct run_ui *p)
{
    if (!p->making) return;
    want_report(p, true);
    (void)pthread_join(p->maker, NULL);
    p->making = false;
}

void run_ui_close(struct run_ui *p)
{
    if (!p->ui) return;
    ui_end(p->ui);
    end_maker(p);
    ui_close(&p->ui);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}

void run_ui_over(struct run_ui *p, int status)
{
    struct buf json = BUF_INIT(NOW_MAX);
    struct json_out j = JSON_OUT(&json);
    if (!p->ui) return;
    end_maker(p);
    char *whole = realpath(p->dir, NULL);
    json_object(&j, NULL);
    json_i64(&j, "status", status);
    json_string(&j, "dir", whole ? whole : p->dir);
    json_end_object(&j);
    ui_put(p->ui, UI_OVER, &json);
    ui_end(p->ui);
    ui_wait(p->ui, LAST_NS);
    free(whole);
    buf_clear(&json);
}
