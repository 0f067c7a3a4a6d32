/* Runs the agent's engine alone in this process: plan and stage from the command line, no coordinator. Prints one line
 * of JSON. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "agent/engine.h"
#include "agent/recorder.h"
#include "common/args.h"
#include "common/clock.h"

struct flags {
    const char *url, *sources, *streams;
    uint32_t slots, tokens, input, workers, requests, each;
    double rate;
    int64_t duration, warmup, quantum, ramp;
    bool http2, insecure, constant, record;
};

/* ---- --streams: what the engine records, stream by stream; the linker puts this in front of the engine's own (--wrap)
 * ---- */

static FILE *streams;

void __real_recorder_end(struct recorder *r, const struct stream *s, enum counter outcome, int64_t now);
void __wrap_recorder_end(struct recorder *r, const struct stream *s, enum counter outcome, int64_t now);

void __wrap_recorder_end(struct recorder *r, const struct stream *s, enum counter outcome, int64_t now)
{
    __real_recorder_end(r, s, outcome, now);
    if (!streams || outcome != COUNTER_OK || !recorder_in_window(r, s->t.due)) return;
    struct gap_iter it;
    struct gap gap;
    flockfile(streams);
    fprintf(streams, "{\"sent_ns\":%lld,\"first_ns\":%lld,\"gaps_ns\":[", (long long)s->t.sent,
            (long long)s->t.first_token);
    gaps_begin(&it, &s->gaps);
    for (int n = 0; gaps_next(&it, &gap); n++)
        fprintf(streams, "%s%lld", n ? "," : "", (long long)gap.ns);
    fputs("]}\n", streams);
    funlockfile(streams);
}

/* ---- the run ---- */

static struct plan *make_plan(const struct flags *f, struct err *e)
{
    struct buf y = BUF_INIT(65536);
    buf_printf(&y, "plan: 1\ntarget: {url: \"%s\", model: sim%s", f->url, f->insecure ? ", tls: {verify: false}" : "");
    if (f->http2) buf_printf(&y, ", http: \"2\", streams_per_connection: %u", f->each);
    buf_puts(&y, "}\n");
    buf_printf(&y, "workload: {name: bench, synthetic: {input_tokens: %u, output_tokens: %u}}\n", f->input, f->tokens);
    if (f->record) buf_puts(&y, "record: {requests: true}\n");
    buf_printf(&y, "agents: {quantum: %lldus}\n", (long long)(f->quantum / NS_PER_US));
    if (f->rate > 0)
        buf_printf(&y, "load: {stages: [{rate: %g/s, arrivals: %s, max_concurrency: %u", f->rate,
                   f->constant ? "constant" : "poisson", f->slots);
    else
        buf_printf(&y, "load: {stages: [{concurrency: %u", f->slots);
    if (f->requests) buf_printf(&y, ", requests: %u", f->requests);
    if (f->ramp) buf_printf(&y, ", ramp: %lldms", (long long)(f->ramp / NS_PER_MS));
    if (f->duration)
        buf_printf(&y, ", duration: %lldms, warmup: %lldms", (long long)(f->duration / NS_PER_MS),
                   (long long)(f->warmup / NS_PER_MS));
    buf_puts(&y, "}]}\n");
    struct plan *p = plan_load("bench", buf_str(&y), y.len, NULL, 0, e);
    buf_clear(&y);
    return p;
}

static bool next_event(struct engine *g, struct engine_event *ev)
{
    struct pollfd pfd = {.fd = engine_fd(g), .events = POLLIN};
    while (!engine_next(g, ev))
        if (poll(&pfd, 1, 600000) <= 0) return false;
    return true;
}

static int run_stage(struct engine *g, struct snapshot *all, int64_t *ret_skew, struct err *e)
{
    struct engine_event ev;
    for (bool done = false; !done && next_event(g, &ev);) {
        switch (ev.kind) {
        case ENGINE_READY:
            *e = ev.err;
            if (ev.err.code != ERR_NONE) return -1;
            if (engine_go(g, clock_mono_ns() + 200 * NS_PER_MS, e) < 0) return -1;
            break;
        case ENGINE_SNAPSHOT:
            snapshot_extend(all, ev.snapshot);
            engine_recycle(g, &ev.snapshot);
            break;
        case ENGINE_PROBED:
            break;
        case ENGINE_DONE:
            *e = ev.err;
            *ret_skew = ev.start_skew_ns;
            done = true;
            break;
        }
    }
    return e->code == ERR_NONE ? 0 : -1;
}

static void print_metric(const struct snapshot *s, enum metric m)
{
    const struct hist *h = s->hist[m];
    if (!h || h->count == 0) return;
    printf(",\"%s\":{\"n\":%llu,\"mean\":%.2f,\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}", METRICS[m].name,
           (unsigned long long)h->count, hist_mean(h) / 1e3, (double)hist_quantile(h, 0.5) / 1e3,
           (double)hist_quantile(h, 0.99) / 1e3, (double)hist_quantile(h, 0.999) / 1e3, (double)h->max / 1e3);
}

static void print_result(const struct snapshot *s, const struct engine *g, int64_t skew)
{
    const uint64_t *c = s->counters;
    double window_s = (double)c[COUNTER_MEASURED_NS] / 1e9, events = (double)c[COUNTER_EVENTS];
    printf("{\"stamps\":\"%s\",\"workers\":%u,\"skew_us\":%.1f,\"window_s\":%.3f,\"tokens_per_s\":%.0f,\"mean_in_"
           "flight\":%.3f,\"cpu_us_per_token\":%.3f",
           engine_stamps(g), engine_workers(g), (double)skew / 1e3, window_s,
           window_s > 0 ? (double)c[COUNTER_WIN_TOKENS_MICRO] / 1e6 / window_s : 0,
           window_s > 0 ? (double)c[COUNTER_WIN_INFLIGHT_NS] / (double)c[COUNTER_MEASURED_NS] : 0,
           events > 0 ? (double)c[COUNTER_CPU_NS] / 1e3 / events : 0);
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf(",\"rss_kib\":%ld,\"counters\":{", u.ru_maxrss);
    for (int i = 0, n = 0; i < COUNTER_N; i++)
        if (c[i]) printf("%s\"%s\":%llu", n++ ? "," : "", COUNTERS[i].name, (unsigned long long)c[i]);
    printf("}");
    static const enum metric SHOWN[] = {METRIC_TTFT,     METRIC_TTFT_DUE, METRIC_E2E, METRIC_TPOT,   METRIC_ITL,
                                        METRIC_LATENESS, METRIC_DISPATCH, METRIC_LAG, METRIC_CONNECT};
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++)
        print_metric(s, SHOWN[i]);
    printf("}\n");
}

static int bench(const struct flags *f, struct err *e)
{
    const char *sources[] = {f->sources, NULL};
    struct engine_options o = {.workers = f->workers, .source_addresses = f->sources ? sources : NULL};
    struct shard shard = {0};
    int64_t skew = 0;
    if (f->streams && !(streams = fopen(f->streams, "we")))
        return err_set(e, ERR_IO, "%s: cannot be written", f->streams);
    struct plan *p = make_plan(f, e);
    struct engine *g = p ? engine_new(&o, e) : NULL;
    struct snapshot *all = snapshot_new(false);
    int rc = -1;
    if (g && all && engine_plan(g, p, e) == 0 && shard_whole(p, &p->stages[0], 42, &shard, e) == 0 &&
        engine_arm(g, &shard, e) == 0)
        rc = run_stage(g, all, &skew, e);
    if (rc == 0) print_result(all, g, skew);
    shard_clear(&shard);
    snapshot_destroy(&all);
    engine_destroy(&g);
    plan_destroy(&p);
    if (streams && fclose(streams) && rc == 0) rc = err_set(e, ERR_IO, "%s: could not be written", f->streams);
    return rc;
}

int main(int argc, char **argv)
{
    struct flags f = {.url = "http://127.0.0.1:8000/v1/chat/completions",
                      .slots = 64,
                      .tokens = 128,
                      .input = 16,
                      .each = 100,
                      .quantum = 500 * NS_PER_US};
    const struct arg table[] = {
        {"url", ARG_TEXT, &f.url, "URL", "endpoint (http://127.0.0.1:8000/v1/chat/completions)"},
        {"source", ARG_TEXT, &f.sources, "ADDR", "local address"},
        {"slots", ARG_U32, &f.slots, "N", "requests in flight (64); with --rate the cap"},
        {"rate", ARG_DOUBLE, &f.rate, "N", "open loop: requests a second"},
        {"constant", ARG_FLAG, &f.constant, NULL, "arrivals at equal distances (Poisson)"},
        {"requests", ARG_U32, &f.requests, "N", "count limit"},
        {"tokens", ARG_U32, &f.tokens, "N", "output tokens (128)"},
        {"input", ARG_U32, &f.input, "N", "prompt tokens (16)"},
        {"workers", ARG_U32, &f.workers, "N", "threads (one a usable core)"},
        {"duration", ARG_DURATION, &f.duration, "TIME", "of the stage"},
        {"warmup", ARG_DURATION, &f.warmup, "TIME", "cut from the window"},
        {"ramp", ARG_DURATION, &f.ramp, "TIME", "slots begin evenly over this time"},
        {"quantum", ARG_DURATION, &f.quantum, "TIME", "wake at most once in this time (500us, as plans have it)"},
        {"http2", ARG_FLAG, &f.http2, NULL, "speak HTTP/2"},
        {"per-connection", ARG_U32, &f.each, "N", "… with at most so many streams a connection (100)"},
        {"streams", ARG_TEXT, &f.streams, "FILE",
         "write when each token of the window's streams came, one stream a line"},
        {"record", ARG_FLAG, &f.record, NULL, "keep a row of each request"},
        {"insecure", ARG_FLAG, &f.insecure, NULL, "do not verify the certificate"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    const struct args a = {.program = "bench_engine",
                           .usage = "[options]",
                           .about = "The agent's engine alone, in one process.",
                           .table = table};
    const char *words[64];
    size_t n;
    struct err e = {0};
    if (argc > 64) return 2;
    int rc = args_parse(&a, argc, argv, words, &n, &e);
    if (rc == 0 && !f.duration && !f.requests) f.duration = 5 * NS_PER_S;
    if (rc == 0) rc = bench(&f, &e);
    if (rc >= 0) return 0;
    fprintf(stderr, "%s\n", e.text);
    return err_exit_status(&e);
}
