/* A plan: everything about a run but its secrets, resolved, with every default filled in.
 *
 * A plan is read from YAML (plan_load_*, library plateau_yaml, coordinator only) or from its canonical JSON (agents).
 * Both go through one tree of nodes and one table of keys, so that loader, canonical JSON and reference cannot
 * disagree. All memory belongs to the plan; plan_destroy frees it. Times are ns, rates per second, sizes plain numbers.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/plan/dist.h"
#include "common/err.h"
#include "common/metric.h"

struct node;

enum plan_api {
#define X(id, ...) API_##id,
#include "common/plan/api.def"
#undef X
    API_N
};

/* Where a secret is found, on the machine that needs it. Never its value. */
enum secret_kind { SECRET_NONE, SECRET_ENV, SECRET_FILE };
struct plan_secret {
    enum secret_kind kind;
    const char *name; /* environment variable or path */
};
enum auth_kind { AUTH_NONE, AUTH_BEARER, AUTH_HEADER, AUTH_BASIC };
struct plan_auth {
    enum auth_kind kind;
    const char *header; /* AUTH_HEADER: its name */
    const char *user;   /* AUTH_BASIC */
    struct plan_secret secret;
};

struct plan_pair {
    const char *key, *value;
};
struct plan_model {
    const char *name;
    double weight;
};

/* AUTO: over TLS what the server chooses, in the clear HTTP/1.1. */
enum plan_http { HTTP_1, HTTP_2, HTTP_AUTO };

/* target.proxy: each agent's environment says which. */
#define PLAN_PROXY_ENVIRONMENT "environment"
#define PLAN_UNIX "unix:"

/* What ends an answer: the API's own marker; the event with a finish reason; the body's end; what the first answers end
 * with. */
enum plan_end { END_MARKER, END_FINISH, END_CLOSE, END_AUTO };
enum plan_lengths { LENGTHS_WORDS, LENGTHS_MEASURED };

/* api: template. The request's body with places for what changes, and where in an answer's events something stands. */
enum template_framing { TEMPLATE_SSE, TEMPLATE_LINES, TEMPLATE_WHOLE };
enum template_fill { FILL_NOTHING, FILL_PROMPT, FILL_MESSAGES, FILL_OUTPUT_TOKENS, FILL_MODEL };
enum template_place {
    PLACE_TEXT,
    PLACE_REASONING,
    PLACE_TOOLS,
    PLACE_INPUT, /* usage */
    PLACE_OUTPUT,
    PLACE_CACHED,
    PLACE_THOUGHT,
    PLACE_ERROR,
    PLACE_FINISH,
    PLACE_N
};
enum template_end {
    TEMPLATE_END_NONE,  /* not given */
    TEMPLATE_END_CLOSE, /* the body's end */
    TEMPLATE_END_DATA,  /* an event with these data */
    TEMPLATE_END_EVENT, /* an event of this name */
    TEMPLATE_END_PATH   /* an event in which something stands at this path */
};
/* A part of the body: text that is sent as it is, or a place. */
struct template_part {
    enum template_fill fill;
    bool quoted;      /* the place lies within a JSON string */
    const char *text; /* FILL_NOTHING */
    size_t len;
};
/* All paths together: what stands under a name or in a list, and what is taken from there. */
struct template_step {
    const char *name; /* NULL: an item of a list */
    size_t len;
    uint32_t item;   /* which one; TEMPLATE_EACH: each */
    uint32_t places; /* bit p: enum template_place; bit PLACE_N: its value ends the answer */
    struct template_step *first, *next;
};
#define TEMPLATE_EACH UINT32_MAX
#define TEMPLATE_ENDS (1u << PLACE_N)
struct plan_paths {
    const char **path;
    size_t n;
};
struct plan_template {
    const char *body; /* NULL: there is no template */
    enum template_framing framing;
    struct plan_paths paths[PLACE_N];
    enum template_end end;
    const char *end_text;
    /* made from these */
    struct template_part *parts;
    size_t n_parts;
    struct template_step *steps; /* the event itself */
};

/* The model's tokenizer, which the coordinator reads. Agents know what follows from it. */
struct plan_tokenizer {
    const char *file;   /* NULL: none */
    const char *sha256; /* of the file, 64 hex digits; filled in when it was read */
    const char *words;  /* which words of word_list.h are one token, 64 hex digits (plan_tokenizer_mask); as above */
    uint32_t beside;    /* tokens that it puts around a text that is no chat; as above */
};

struct plan_target {
    const char *url;
    enum plan_api api;
    struct plan_template template;
    bool whole; /* stream: false */
    enum plan_end end;
    enum plan_lengths lengths;
    struct plan_tokenizer tokenizer;
    const char *omit; /* members that requests go without, with blanks between them; "" or NULL: none */
    struct plan_model *models;
    size_t n_models;
    struct plan_auth auth;
    struct plan_pair *headers;
    size_t n_headers;
    const char *body;             /* canonical JSON object merged into every request; "{}" when none */
    const struct node *body_tree; /* the same as a tree, for writing; NULL when none */
    enum plan_http http;
    uint32_t streams_per_connection;                        /* HTTP/2 only */
    const char *tls_ca_file, *tls_cert_file, *tls_key_file; /* NULL when not given */
    bool tls_verify;
    int64_t timeout_connect_ns, timeout_first_token_ns, timeout_idle_ns, timeout_total_ns;
    bool fresh_connections;
    const char *proxy; /* http://HOST:PORT, or PLAN_PROXY_ENVIRONMENT; NULL: none */
    struct plan_auth proxy_auth;
    const char *address;     /* PLAN_UNIX and the path of a socket; NULL: the URL's host and port */
    const char *host;        /* what requests name as their host; NULL: the URL's */
    const char *sni;         /* what TLS asks for, and the certificate must be for; NULL: the URL's host */
    const char *metrics_url; /* NULL when none */
};

#define X(id, name, file, check, section, example, what) SOURCE_##id,
enum plan_source {
#include "common/plan/source.def"
    SOURCE_N
};
#undef X
#define X(id, name) DATASET_##id,
enum dataset_format {
#include "common/plan/dataset.def"
    DATASET_N
};
#undef X
#define X(id, name, tree) TRACE_##id,
enum trace_format {
#include "common/plan/trace.def"
    TRACE_N
};
#undef X
enum data_order { ORDER_SEEDED, ORDER_SEQUENTIAL };
enum zero_output { ZERO_DROP, ZERO_ONE };
enum tree_start { START_FIRST, START_RANDOM }; /* where the first tree of each lane begins */

/* What the coordinator found in a file; all 0 until it was read. */
struct plan_found {
    uint64_t records, broken, empty, outside; /* records: that are in the corpus; the others were left out */
    const char *first_broken;                 /* where, and what is wrong with it; NULL: none */
};

/* A file of requests that the coordinator reads; agents get it as a corpus (common/corpus.h). */
struct plan_data {
    const char *file;
    enum dataset_format dataset;
    enum trace_format trace;
    struct plan_pair *fields; /* what the file calls our fields: {prompt, text} */
    size_t n_fields;
    enum data_order order;
    struct dist output_tokens; /* mean 0: as each record says */
    bool conversations;        /* all turns of a record are wanted; set where its workload has sessions */
    double skip;               /* fraction of the records that may be broken */
    const char *sha256;        /* of the file, 64 hex digits; NULL: any */
    const char *corpus;        /* hash of what agents get; NULL until the file was read */
    struct plan_found found;
    double speed;           /* trace: 2 is twice as fast */
    int64_t from_ns, to_ns; /* trace: of its own time; to 0: its end */
    enum zero_output zero_output;
    /* session trees */
    int64_t max_think_ns, max_idle_ns; /* 0: as recorded */
    enum tree_start start;
    bool marker;  /* each play of a tree begins with words of its own */
    bool barrier; /* lanes go on from their first requests together, when the warm-up is over */
};

/* Conversations: requests that follow one another, each with what was said before. */
struct plan_sessions {
    bool on;
    struct dist turns;      /* requests of one; mean 0: as many as its record has */
    struct dist think_time; /* ns between an answer and the next turn */
    bool recorded;          /* the answers that are sent back are the record's, not the server's */
    bool by_request;        /* the load counts requests in flight; else sessions, which hold a slot while they think */
};

struct plan_workload {
    const char *name;
    double weight;
    enum plan_source source;
    struct dist input_tokens, output_tokens; /* synthetic; both 0 where `lengths` gives them together */
    struct dist_pairs lengths;
    uint32_t prefix_tokens, prefix_groups; /* synthetic; 0: every prompt is new */
    struct plan_data data;                 /* dataset, trace */
    struct plan_sessions sessions;
    uint32_t image_count, image_width, image_height; /* with each request; count 0: none */
    int64_t audio_ns;                                /* length of its sound; 0: none */
    uint32_t audio_rate;                             /* samples a second */
};
/* Whether its requests come from a file, which the coordinator reads and agents get as a corpus. */
bool workload_reads_file(const struct plan_workload *w);

/* Which failed requests are sent again; max 0: none. */
#define RETRY_STATUS_MAX 16
struct plan_retries {
    uint32_t max;    /* tries of a request beyond its first */
    double budget;   /* of the requests sent so far, by each worker */
    int64_t wait_ns; /* before the first; doubled each time */
    uint16_t status[RETRY_STATUS_MAX];
    uint32_t n_status, labels; /* labels: a bit for each enum failure */
};

enum load_kind { LOAD_CLOSED, LOAD_OPEN };
enum arrivals_kind { ARRIVALS_CONSTANT, ARRIVALS_POISSON, ARRIVALS_GAMMA, ARRIVALS_RECORDED };

struct plan_stage {
    enum load_kind kind;
    uint32_t concurrency;      /* closed: requests held in flight by the cluster */
    uint32_t max_concurrency;  /* open: cap of the cluster, 0 = none */
    double rate_from, rate_to; /* open: requests/s of the cluster; equal unless a ramp */
    enum arrivals_kind arrivals;
    double burstiness;   /* gamma: shape; 1 is Poisson, less is burstier */
    int64_t duration_ns; /* of the whole stage without its drain, warm-up included; 0: by count only */
    uint64_t requests;   /* 0: by duration only; with both, whichever ends first */
    uint32_t passes;     /* over the data set; 0: any number. Becomes `requests` when the file was read */
    int64_t warmup_ns,
        ramp_ns; /* warm-up is cut from the window; a ramp fills the slots evenly over its length, within the warm-up */
    bool warmup_auto;   /* cut by MSER-5 */
    int64_t steady_ns;  /* run until a window of this length was steady (time per token, by passes); duration_ns is the
                           limit; 0: not asked */
    bool duration_auto; /* run until the gated metric is known within tolerance; duration_ns is the limit */
};

/* A gate on the run: `throughput > 7500`, `ttft.p99 < 800ms`, `errors.rate < 1%`. */
enum gate_subject {
    GATE_METRIC,
    GATE_THROUGHPUT,
    GATE_REQUESTS_PER_S,
    GATE_GOODPUT,
    GATE_ERROR_RATE,
    GATE_ERROR_COUNT
};
enum gate_agg { AGG_MEAN, AGG_MIN, AGG_MAX, AGG_QUANTILE };
enum gate_op { OP_LT, OP_LE, OP_GT, OP_GE };
struct plan_gate {
    const char *text; /* as written, white space folded */
    enum gate_subject subject;
    enum metric metric; /* GATE_METRIC */
    enum gate_agg agg;
    double q; /* AGG_QUANTILE: 0.99 for p99 */
    enum gate_op op;
    double value; /* metric: in the histogram's scale (ns …); rates as a fraction; else plain */
};

enum slo_request_kind { SLO_TTFT, SLO_TPOT, SLO_E2E, SLO_REQUEST_N };
enum on_inconclusive {
    INCONCLUSIVE_FAIL,
    INCONCLUSIVE_PASS
}; /* what a gate that the sample cannot decide means for the exit status */
/* Must one load of the run keep all gates, or every one? AUTO is resolved when the plan is read. */
enum slo_require { REQUIRE_AUTO, REQUIRE_ANY, REQUIRE_ALL };
/* A gate on the answer: `>= 5000 token/s` within the gates of the run. */
struct plan_capacity {
    const char *text; /* white space folded; NULL: none */
    enum gate_op op;  /* OP_GE or OP_GT */
    double value;
    bool requests; /* per second; else output tokens */
};
enum on_loss { ON_LOSS_RETRY, ON_LOSS_MARK, ON_LOSS_FAIL };
/* Whose rules a run is judged by; they change nothing of what it does. */
enum plan_scenario { SCENARIO_NONE, SCENARIO_AGENTX };
enum search_goal { SEARCH_NONE, SEARCH_SLO, SEARCH_PLATEAU };

struct plan_search {
    enum search_goal goal;
    bool over_rate; /* else over concurrency */
    double from, to;
    double tolerance; /* fraction, 0.05 */
};

/* A standard's curve of loads (plan_curve.c). MLPerf Endpoints: concurrencies placed by its regions (region.h),
 * ascending, each with the window that its rules ask; then Offline, everything at once, unless the greatest one is
 * elected. */
enum curve_kind { CURVE_NONE, CURVE_MLPERF };
enum curve_offline { OFFLINE_AUTO, OFFLINE_ALL, OFFLINE_ELECTED }; /* AUTO is resolved when the plan is read */
struct plan_curve {
    enum curve_kind kind;
    uint32_t max_concurrency, min_concurrency;
    uint32_t points; /* at most; Offline among them */
    double scale;    /* of all times; below 1 the result is not to the rules */
    enum curve_offline offline;
    uint32_t passes;  /* over the data set at each point, instead of a time; 0: by time */
    uint64_t samples; /* of the data set; 0: not known yet, or there is none */
    int64_t warmup_ns;
};

struct plan {
    const char *name;
    uint64_t seed;
    struct plan_target target;
    struct plan_workload *workloads;
    size_t n_workloads;
    struct plan_stage *stages;
    size_t n_stages;
    bool sweep;                    /* stages came from a list in load.concurrency or load.rate (a curve is wanted) */
    struct plan_search search;     /* goal SEARCH_NONE unless load.search; then stages[0] is the pattern of each load */
    enum plan_scenario scenario;   /* whose rules the run is judged by */
    struct plan_curve curve;       /* kind CURVE_NONE unless load.curve; then the stages follow from it */
    uint32_t repeats;              /* each stage is run this many times */
    int64_t cooldown_ns, drain_ns; /* pause between stages; longest wait for open requests after a stage */
    double cancel_fraction;        /* of the requests; 0: no user leaves early */
    struct dist cancel_after;      /* ns from sent */
    struct plan_retries retries;
    int64_t slo_request_ns[SLO_REQUEST_N]; /* 0: none */
    struct plan_gate *gates;
    size_t n_gates;
    enum on_inconclusive on_inconclusive;
    enum slo_require require;
    struct plan_capacity capacity;
    int64_t abort_on_fail_ns; /* end the run when a stage still breaks a gate this long into its window; 0: never */
    uint32_t agents_count;
    int64_t agents_wait_ns;
    enum on_loss on_loss;
    double max_lost_weight; /* fraction of the cluster that may be lost before a run fails */
    int64_t quantum_ns;     /* agents under load wake at most once in this time unless something is due; 0: at once */
    bool record_requests;
    double record_sample; /* of the requests; 0: all, where record_requests asks for them */
    uint64_t record_rows; /* of a run, at most */
    /* limits of the verdict */
    int64_t verdict_lateness_ns, verdict_lag_ns; /* 1 ms each; beside 1 % of ttft p50, 2 % of itl p50 */
    double verdict_achieved;                     /* 0.02 */
    /* cost */
    double gpus, per_gpu_hour;
    const char *currency; /* NULL: no cost wanted */

    struct arena *arena; /* owns everything above */
};

bool plan_has_sessions(const struct plan *p);
/* Its requests are session trees of agents: the load counts trees, and each may have many requests in flight. */
bool plan_workload_has_trees(const struct plan_workload *w);
bool plan_has_trees(const struct plan *p);
/* The part of the requests of which a row is kept; 0: of none. */
double plan_recorded(const struct plan *p);

/* From YAML text (bounded: 1 MiB, depth 32; aliases and tags refused). `file` is the name used in messages. `set` are
 * `path=value` pairs applied before defaults (`load.duration=5s`, `target.url=…`; value parsed as YAML). On failure
 * e->text is `FILE:LINE:COL: path.to.key: what was expected, got …; did you mean "…"?`. Implemented in plateau_yaml. */
ERR_CHECKED struct plan *plan_load(const char *file, const char *yaml, size_t n, const char *const *set, size_t n_set,
                                   struct err *e);
ERR_CHECKED struct plan *plan_load_file(const char *path, const char *const *set, size_t n_set, struct err *e);
/* Writes every mistake that can be found in one go to `out`, one per line, the first as plan_load gives it. Returns how
 * many there are. Further ones may hide in a list that holds a mistake, and after a key that is missing. */
size_t plan_mistakes(const char *file, const char *yaml, size_t n, const char *const *set, size_t n_set,
                     struct buf *out);
void plan_destroy(struct plan **p);

/* The stages of a plan with a curve, made again after the size of its data set became known. */
ERR_CHECKED int plan_curve_place(struct plan *p, struct err *e);
/* The length of a measured window that the curve's rules ask at this concurrency, without `scale`. */
int64_t plan_curve_window_ns(uint32_t concurrency);
/* Everything is sent at once: as many slots as requests. */
bool plan_stage_is_batch(const struct plan_stage *s);
/* An open loop whose rate changes from its beginning to its end. */
static inline bool plan_stage_is_ramp(const struct plan_stage *s)
{
    return s->kind == LOAD_OPEN && (s->rate_from < s->rate_to || s->rate_from > s->rate_to);
}

/* The resolved plan as canonical JSON: keys in table order, every default present, no white space when `pretty` is
 * false. The compact form is what agents get and what is hashed. plan_load of either gives an equal plan (JSON is
 * YAML). */
int plan_to_json(const struct plan *p, bool pretty, struct buf *out);
/* From JSON that another program wrote: hostile bytes. */
ERR_CHECKED struct plan *plan_from_json(const char *text, size_t n, struct err *e);

/* The same as YAML in blocks, for people; plan_load reads it back. */
int plan_to_yaml(const struct plan *p, struct buf *out);

/* SHA-256 of the compact canonical JSON, 64 hex digits and NUL; of the plan, or of that JSON as it came. */
int plan_hash(const struct plan *p, char ret_hex[65]);
void plan_hash_json(const void *json, size_t n, char ret_hex[65]);
