/* Allocations that fail, one after the other, in the pure rooms: what is tried must end with an error and leak nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/torture.h"

#include "agent/stream/stream.h"
#include "common/keys.h"
#include "common/wire.h"
#include "coordinator/answer/analysis.h"
#include "coordinator/answer/compare.h"
#include "coordinator/report/report.h"
#include "coordinator/todo.h"
#include "coordinator/watch.h"
#include "tests/unit/fake_run.h"

static struct err err;
static struct run_data run, short_run;
static struct buf json, snapshot;
static struct analysis analysis;
static struct plan search;     /* asks for the load of short_run's second stage, with a gate that looks at seconds */
static struct attempt attempt; /* a stage of `search` that runs */

/* common/plan */

static const char PLAN[] =
    "plan: 1\nname: torture\nseed: 7\n"
    "target: {url: http://127.0.0.1:8000/v1/chat/completions, headers: {x-a: b, x-c: d},\n"
    "  model: [{name: a, weight: 2}, {name: b}], auth: {bearer: {env: KEY}}, body: {top_p: 0.5}}\n"
    "workload: {synthetic: {input_tokens: {normal: {mean: 100, sd: 20, min: 1, max: 400}}, output_tokens: 20}}\n"
    "load: {stages: [{rate: 4, duration: 10s}, {concurrency: 4, duration: 10s, warmup: 1s}]}\n"
    "slo: {request: {ttft: 1s}, run: [ttft.p99 < 800ms, errors.rate < 1%]}\n";

static int plan_is_loaded(void)
{
    struct plan *p = plan_load("t.yaml", PLAN, sizeof PLAN - 1, NULL, 0, &err);
    int rc = p ? 0 : -1;
    plan_destroy(&p);
    return rc;
}

static int plan_is_written(void)
{
    struct buf out = BUF_INIT(1 << 20);
    char hex[65];
    int rc = plan_to_json(run.plan, true, &out) || plan_to_yaml(run.plan, &out) || plan_hash(run.plan, hex) ? -1 : 0;
    buf_clear(&out);
    return rc;
}

static int plan_comes_as_json(void)
{
    struct plan *p = plan_from_json(buf_str(&json), json.len, &err);
    int rc = p ? 0 : -1;
    plan_destroy(&p);
    return rc;
}

/* common */

static int key_list_is_read(void)
{
    static const char LIST[] = "# who may come\nrq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 a agent\n"
                               "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6 b agent\n";
    struct key_list l;
    if (key_list_parse("allowed", LIST, sizeof LIST - 1, &l, &err)) return -1;
    key_list_clear(&l);
    return 0;
}

static int message_travels(void)
{
    struct wire_msg m, sent = {.type = WIRE_PLAN, .u.plan = {"abc123", {"plan", 4}, {"signed", 6}}};
    struct buf out = BUF_INIT(WIRE_MESSAGE_MAX);
    int rc = wire_encode(&sent, &out) || wire_decode(&m, out.data, out.len, &err) ? -1 : 0;
    if (!rc) wire_msg_clear(&m);
    buf_clear(&out);
    return rc;
}

static int snapshot_is_added(void)
{
    struct snapshot *a = snapshot_new(false), *b = a ? snapshot_new(false) : NULL;
    struct buf out = BUF_INIT(1 << 20);
    int rc = a && b && !snapshot_decode(a, snapshot.data, snapshot.len, &err) && !snapshot_add(b, a) &&
                     !snapshot_extend(b, a) && !snapshot_encode(b, &out)
                 ? 0
                 : -1;
    buf_clear(&out);
    snapshot_destroy(&a);
    snapshot_destroy(&b);
    return rc;
}

/* agent/stream */

static int stream_is_read(void)
{
    static char event[CARRY_SMALL * 4 + 64];
    static struct stream s;
    struct gap_pool *pool = gap_pool_new(8, 1, &err);
    if (!pool) return -1;
    int n = snprintf(event, sizeof event, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%0*d\"}}]}\n\n",
                     (int)CARRY_SMALL * 4, 7);
    stream_begin(&s, dialect_for(API_OPENAI_CHAT), pool, 0, INT64_MAX);
    for (int i = 0, at = 1000; i < 8; i++, at += 1000) { /* each in two pieces, so that it must be kept */
        (void)stream_feed(&s, event, (size_t)n / 2, at);
        (void)stream_feed(&s, event + n / 2, (size_t)(n - n / 2), at + 500);
    }
    (void)stream_feed(&s, "data: [DONE]\n\n", 14, 20000);
    int rc = stream_outcome(&s, END_COMPLETE, 200) == COUNTER_OK && s.events == 8 ? 0 : -1;
    stream_clear(&s);
    gap_pool_destroy(&pool);
    return rc;
}

/* coordinator/run */

static int snapshots_are_merged(void)
{
    struct stage_data d, peek;
    struct merge *m = merge_new(0, 0, 1, &run.plan->stages[0]);
    int rc = m && !merge_add_agent(m, 0, "a", 1, 4, &err) && !merge_add_agent(m, 1, "b", 1, 4, &err) ? 0 : -1;
    for (uint32_t a = 0; a < 2 && !rc; a++)
        if (merge_accept(m, a, 1, snapshot.data, snapshot.len, &err) != MERGE_ACCEPTED) rc = -1;
    if (!rc && (rc = merge_peek(m, &peek, &err)) == 0) stage_data_clear(&peek);
    if (!rc && (rc = merge_finish(m, &d, &err)) == 0) stage_data_clear(&d);
    merge_destroy(&m);
    return rc;
}

/* coordinator/answer */

static int run_is_analysed(void)
{
    struct analysis a;
    if (analysis_init(&a, &run, &err)) return -1;
    analysis_clear(&a);
    return 0;
}

/* Two stages of ten seconds, as long as intervals of token gaps need, with what looks at seconds: `warmup: auto`, and a
 * gate on a percentile of gaps that no table has. */
static int short_run_is_analysed(void)
{
    struct analysis a;
    if (analysis_init(&a, &short_run, &err)) return -1;
    analysis_clear(&a);
    return 0;
}

static int runs_are_compared(void)
{
    struct comparison c;
    if (compare_runs(analysis.points, analysis.n_points, analysis.points, analysis.n_points, 1, &c, &err)) return -1;
    compare_clear(&c);
    return 0;
}

/* coordinator */

/* A search that chose its next load by a figure for which there was no memory would look for something else. */
static int search_takes_a_stage(void)
{
    struct todo t;
    struct run_data past = {.plan = &search};
    struct run_step step;
    struct point_agents judged = {0};
    int rc = todo_init(&t, &past, &err);
    if (!rc && !todo_next(&t, &step)) rc = -1;
    (void)point_judge_agents(&short_run.stages[1], &search, SIZE_MAX, &judged);
    if (!rc) rc = todo_tell(&t, &search, &short_run.stages[1], &judged, &err);
    todo_clear(&t);
    return rc;
}

static int search_is_resumed(void)
{
    struct todo t;
    struct run_data past = {.plan = &search, .stages = &short_run.stages[1], .n_stages = 1};
    int rc = todo_init(&t, &past, &err);
    todo_clear(&t);
    return rc;
}

static int search_is_analysed(void)
{
    struct analysis a;
    struct run_data past = {.plan = &search, .stages = &short_run.stages[1], .n_stages = 1};
    if (analysis_init(&a, &past, &err)) return -1;
    analysis_clear(&a);
    return 0;
}

/* A running stage whose one gate, on gaps, has a limit that is `factor` times the plan's. */
static enum run_word watched(double factor, bool may_abort)
{
    struct watch w = {0};
    struct plan plan = search;
    struct plan_gate gate = plan.gates[1];
    gate.value *= factor;
    plan.search.goal = SEARCH_NONE;
    plan.gates = &gate;
    plan.n_gates = 1;
    plan.abort_on_fail_ns = may_abort ? NS_PER_S : 0;
    return watch_stage_word(&w, &plan, &attempt, 11 * NS_PER_S);
}

/* Known well enough; but without memory for a figure the stage takes its whole time. */
static int stage_is_watched(void)
{
    enum run_word word = watched(1000, false);
    return word == RUN_WORD_ENOUGH ? 0 : word == RUN_WORD_ON ? -1 : 1;
}

/* A gate that is broken ends the run, but not without the memory to see it. */
static int stage_is_given_up(void)
{
    enum run_word word = watched(0.001, true);
    return word == RUN_WORD_GIVE_UP ? 0 : word == RUN_WORD_ON ? -1 : 1;
}

/* coordinator/report */

static int report_is_printed(void)
{
    struct report_style style = {.width = REPORT_WIDE};
    struct buf out = BUF_INIT(1 << 20);
    int rc = report_text(&analysis, &style, &out, &err);
    buf_clear(&out);
    return rc;
}

static void all(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int (*work)(void);
    } WORK[] = {
        {"a plan is loaded", plan_is_loaded},
        {"a plan is written", plan_is_written},
        {"a plan comes as JSON", plan_comes_as_json},
        {"a list of keys is read", key_list_is_read},
        {"a message travels", message_travels},
        {"snapshots are added", snapshot_is_added},
        {"a stream is read", stream_is_read},
        {"snapshots are merged", snapshots_are_merged},
        {"a run is analysed", run_is_analysed},
        {"a short run is analysed", short_run_is_analysed},
        {"runs are compared", runs_are_compared},
        {"a report is printed", report_is_printed},
        {"a search takes a stage", search_takes_a_stage},
        {"a search is resumed", search_is_resumed},
        {"a search is analysed", search_is_analysed},
        {"a stage is watched", stage_is_watched},
        {"a stage is given up", stage_is_given_up},
    };
    int faults = 0;
    long most = 0;
    for (size_t i = 0; i < sizeof WORK / sizeof *WORK; i++) {
        long n = torture_work(WORK[i].name, WORK[i].work, &faults);
        (void)printf("%s: %ld allocations failed\n", WORK[i].name, n);
        if (n > most) most = n;
    }
    assert_int_equal(faults, 0);
    assert_true(most > 20); /* else the wrappers are not in the place of malloc */
}

int main(void)
{
    struct fake f = {.agents = 2, .seed = 1, .duration_s = 4, .warmup_s = 1};
    fake_run(&f, NULL, &run);
    f.duration_s = 10;
    fake_run(&f, NULL, &short_run);
    size_t stages = short_run.n_stages;
    short_run.n_stages = 2;
    short_run.stages[1].plan.warmup_auto = true;
    short_run.plan->gates[1].metric = METRIC_ITL;
    short_run.plan->gates[1].q = 0.975;
    search = *short_run.plan;
    search.n_stages = 1;
    search.stages = &search.stages[1];
    search.stages[0].warmup_auto = search.stages[0].duration_auto = true;
    search.search = (struct plan_search){.goal = SEARCH_SLO, .from = search.stages[0].concurrency, .to = 64};
    attempt =
        (struct attempt){.step.load = search.stages[0], .epoch = 1, .merge = fake_merge(&f, search.stages, 0, false)};
    json = (struct buf)BUF_INIT(1 << 20);
    snapshot = (struct buf)BUF_INIT(1 << 20);
    struct snapshot *s = snapshot_new(false);
    s->to_ns = NS_PER_S;
    fake_record(s, METRIC_TTFT, 1e6, 10);
    fake_record(s, METRIC_ITL, 1e6, 10);
    (void)per_address_row(&s->addresses, "127.0.0.1:1");
    if (plan_to_json(run.plan, false, &json) || snapshot_encode(s, &snapshot)) return 1;
    snapshot_destroy(&s);
    if (analysis_init(&analysis, &run, &err)) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    analysis_clear(&analysis);
    run_data_clear(&run);
    short_run.n_stages = stages;
    run_data_clear(&short_run);
    merge_destroy(&attempt.merge);
    buf_clear(&json);
    buf_clear(&snapshot);
    return rc;
}
