#include "tests/sim/options.h"

#include <string.h>

#include "common/clock.h"

bool sim_options_fixed(const struct sim_options *o)
{
    return o->ttft >= 0 || o->tpot >= 0;
}

const char *sim_fault_name(enum sim_fault f)
{
    static const char *const NAMES[SIM_FAULT_N] = {"none",     "status", "stream-error", "error-then-done",
                                                   "truncate", "stall",  "reset",        "slow-bytes",
                                                   "garbage",  "empty",  "no-done"};
    return f < SIM_FAULT_N ? NAMES[f] : "?";
}

static int check_faults(struct sim_options *o, struct err *e)
{
    if (o->fault_rate > 1) return err_set(e, ERR_USAGE, "--fault-rate: expected a fraction from 0 to 1");
    if (o->fault_status && (o->fault_status < 400 || o->fault_status > 599))
        return err_set(e, ERR_USAGE, "--fault-status: expected 400 to 599, got %u", o->fault_status);
    o->fault[SIM_FAULT_STATUS] = o->fault_status != 0;
    for (int f = 0; f < SIM_FAULT_N; f++)
        if (o->null && o->fault[f]) return err_set(e, ERR_USAGE, "--null takes no faults");
    return 0;
}

static int check_tokens(const struct sim_options *o, struct err *e)
{
    if (o->tokens < 1 || o->tokens > SIM_TOKENS_MAX)
        return err_set(e, ERR_USAGE, "--tokens: expected 1 to %d, got %u", SIM_TOKENS_MAX, o->tokens);
    if (o->tokens_per_event < 1 || o->tokens_per_event > SIM_TOKENS_PER_EVENT_MAX)
        return err_set(e, ERR_USAGE, "--tokens-per-event: expected 1 to %d, got %u", SIM_TOKENS_PER_EVENT_MAX,
                       o->tokens_per_event);
    if (o->draft > SIM_DRAFT_MAX || (o->draft && o->tokens_per_event > o->draft + 1))
        return err_set(e, ERR_USAGE, "--draft: expected at most %d, and at least --tokens-per-event less one, got %u",
                       SIM_DRAFT_MAX, o->draft);
    if (!(o->word_tokens >= 0.01 && o->word_tokens <= 100))
        return err_set(e, ERR_USAGE, "--word-tokens: expected 0.01 to 100, got %g", o->word_tokens);
    if (o->other_word_tokens < 0 || o->other_word_tokens > 100)
        return err_set(e, ERR_USAGE, "--other-word-tokens: expected 0.01 to 100, got %g", o->other_word_tokens);
    if (o->template_tokens > SIM_TOKENS_MAX)
        return err_set(e, ERR_USAGE, "--template-tokens: expected at most %d, got %u", SIM_TOKENS_MAX,
                       o->template_tokens);
    return 0;
}

static int check(struct sim_options *o, struct err *e)
{
    if (sim_options_fixed(o)) {
        if (o->ttft < 0) o->ttft = 50 * NS_PER_MS;
        if (o->tpot < 0) o->tpot = 20 * NS_PER_MS;
    }
    if (o->listen.n == 0) o->listen.item[o->listen.n++] = "127.0.0.1:8000";
    if (check_tokens(o, e)) return -1;
    if (o->slots < 1) return err_set(e, ERR_USAGE, "--slots: expected at least 1");
    if (!(o->prefill_rate > 0)) return err_set(e, ERR_USAGE, "--prefill-rate: expected more than 0 token/s");
    if (o->step_base <= 0) return err_set(e, ERR_USAGE, "--step-base: expected more than 0");
    if (!o->tls_cert != !o->tls_key) return err_set(e, ERR_USAGE, "--tls-cert and --tls-key go together");
    bool http2 =
        o->max_streams || o->drop_after || o->head_bytes || o->reset_end || o->answer_early || o->late_settings;
    if (http2 && !o->http2)
        return err_set(e, ERR_USAGE,
                       "--max-streams, --late-settings, --drop-after, --head-bytes, --reset-end and "
                       "--answer-early need --http2");
    if (o->head_bytes > 60000) return err_set(e, ERR_USAGE, "--head-bytes: expected at most 60000");
    if (o->truth_tokens && !o->truth) return err_set(e, ERR_USAGE, "--truth-tokens needs --truth FILE");
    return check_faults(o, e);
}

/* The capacity model's defaults: 256 prompt and 128 output tokens reach 64 slots / 8 ms = 8,000 token/s. */
static const struct sim_options DEFAULTS = {.model = "sim",
                                            .ttft = -1,
                                            .tpot = -1,
                                            .slots = 64,
                                            .prefill_rate = 160000,
                                            .step_base = 4 * NS_PER_MS,
                                            .step_per_seq = 50 * NS_PER_US,
                                            .seed = 1,
                                            .tokens = 128,
                                            .word_tokens = 1,
                                            .tokens_per_event = 1,
                                            .fault_after = 2,
                                            .fault_rate = 1,
                                            .slow_gap = 5 * NS_PER_MS,
                                            .reset_code = 2};

int sim_options_parse(int argc, char **argv, struct sim_options *ret, struct err *e)
{
    *ret = DEFAULTS;
    struct sim_options *o = ret;
    const struct arg table[] = {
        {"listen", ARG_MANY, &o->listen, "ADDR:PORT", "address to serve, may be given again; port 0: any free"},
        {"port-file", ARG_TEXT, &o->port_file, "FILE", "write the port numbers here, one a line"},
        {"model", ARG_TEXT, &o->model, "NAME", "model name of /v1/models and /metrics (sim)"},
        {"tls-cert", ARG_TEXT, &o->tls_cert, "FILE", "speak TLS with this certificate (PEM)"},
        {"tls-key", ARG_TEXT, &o->tls_key, "FILE", "its key"},
        {"http2", ARG_FLAG, &o->http2, NULL, "speak HTTP/2 too: by ALPN over TLS, with prior knowledge in the clear"},
        {"max-streams", ARG_U32, &o->max_streams, "N", "HTTP/2: at most N streams at once on a connection"},
        {"late-settings", ARG_DURATION, &o->late_settings, "TIME", "HTTP/2: a connection says nothing for so long"},
        {"drop-after", ARG_U32, &o->drop_after, "N",
         "HTTP/2: close a connection after N responses, whatever is open on it"},
        {"head-bytes", ARG_U32, &o->head_bytes, "N", "HTTP/2: a header of N bytes in each response"},
        {"reset-end", ARG_FLAG, &o->reset_end, NULL, "HTTP/2: responses end with RST_STREAM (NO_ERROR)"},
        {"reset-code", ARG_U32, &o->reset_code, "N", "HTTP/2: code of --fault-reset (2, INTERNAL_ERROR)"},
        {"answer-early", ARG_FLAG, &o->answer_early, NULL, "HTTP/2: answer 400 at a request's head, read no body"},
        {"require-key", ARG_TEXT, &o->require_key, "TOKEN", "answer 401 to requests without this bearer token"},
        {"ttft", ARG_DURATION, &o->ttft, "TIME", "fixed mode: first token after this"},
        {"tpot", ARG_DURATION, &o->tpot, "TIME", "fixed mode: each further token after this"},
        {"slots", ARG_U32, &o->slots, "N", "capacity model: running sequences (64)"},
        {"prefill-rate", ARG_DOUBLE, &o->prefill_rate, "TOKENS/S", "capacity model: prompt tokens a second (160000)"},
        {"prefill-chunk", ARG_U32, &o->prefill_chunk, "N",
         "capacity model: prompt tokens a step, 0: whole prompts (0)"},
        {"step-base", ARG_DURATION, &o->step_base, "TIME", "capacity model: time of a decode step (4ms)"},
        {"step-per-seq", ARG_DURATION, &o->step_per_seq, "TIME", "capacity model: more for each sequence (0.05ms)"},
        {"jitter", ARG_DURATION, &o->jitter, "SD", "tokens (fixed) or steps (model) late by |normal(0, SD)|"},
        {"seed", ARG_U64, &o->seed, "N", "seed of jitter and faults (1)"},
        {"tokens", ARG_U32, &o->tokens, "N", "output tokens of a request that has no max_tokens (128)"},
        {"other-word-tokens", ARG_DOUBLE, &o->other_word_tokens, "X",
         "the same of requests for another model than --model (the same)"},
        {"word-tokens", ARG_DOUBLE, &o->word_tokens, "X", "tokens of four characters of a prompt (1)"},
        {"tokenizer", ARG_TEXT, &o->tokenizer, "FILE", "count prompts by this tokenizer.json"},
        {"template-tokens", ARG_U32, &o->template_tokens, "N", "tokens that a template adds to each prompt (0)"},
        {"draft", ARG_U32, &o->draft, "N",
         "an event came of a draft of N tokens: all but one of its tokens were accepted"},
        {"tokens-per-event", ARG_U32, &o->tokens_per_event, "N", "tokens in a stream event (1)"},
        {"reasoning", ARG_U32, &o->reasoning, "N", "the first N tokens come as reasoning_content"},
        {"tool-calls", ARG_FLAG, &o->tool_calls, NULL, "tokens come as arguments of a tool call"},
        {"always-usage", ARG_FLAG, &o->always_usage, NULL, "usage chunk also when not asked for"},
        {"continuous-usage", ARG_FLAG, &o->continuous_usage, NULL, "usage in every event"},
        {"early-role", ARG_FLAG, &o->early_role, NULL, "role chunk at once instead of with the first token"},
        {"null", ARG_FLAG, &o->null, NULL, "answer flat out: whole responses in large writes"},
        {"truth", ARG_TEXT, &o->truth, "FILE", "write what was emitted when, one JSON line a request"},
        {"truth-tokens", ARG_FLAG, &o->truth_tokens, NULL, "with the time of every event"},
        {"crlf", ARG_FLAG, &o->crlf, NULL, "lines of the stream end in CR LF"},
        {"split-writes", ARG_U32, &o->split_writes, "N", "at most N bytes a write"},
        {"comments", ARG_FLAG, &o->comments, NULL, "a comment line before every event"},
        {"no-space", ARG_FLAG, &o->no_space, NULL, "no space after data:"},
        {"fault-status", ARG_U32, &o->fault_status, "CODE", "fault: HTTP status CODE"},
        {"retry-after", ARG_U32, &o->retry_after, "SECONDS", "Retry-After of --fault-status"},
        {"fault-stream-error", ARG_FLAG, &o->fault[SIM_FAULT_STREAM_ERROR], NULL, "fault: error object, no [DONE]"},
        {"fault-error-then-done", ARG_FLAG, &o->fault[SIM_FAULT_ERROR_THEN_DONE], NULL, "fault: error object, [DONE]"},
        {"fault-truncate", ARG_FLAG, &o->fault[SIM_FAULT_TRUNCATE], NULL, "fault: connection closed inside a chunk"},
        {"fault-stall", ARG_FLAG, &o->fault[SIM_FAULT_STALL], NULL, "fault: silence, connection stays"},
        {"fault-reset", ARG_FLAG, &o->fault[SIM_FAULT_RESET], NULL, "fault: connection reset"},
        {"fault-slow-bytes", ARG_FLAG, &o->fault[SIM_FAULT_SLOW_BYTES], NULL, "fault: one byte every --slow-gap"},
        {"slow-gap", ARG_DURATION, &o->slow_gap, "TIME", "time between slow bytes (5ms)"},
        {"fault-garbage", ARG_FLAG, &o->fault[SIM_FAULT_GARBAGE], NULL, "fault: an event that is no JSON"},
        {"fault-empty", ARG_FLAG, &o->fault[SIM_FAULT_EMPTY], NULL, "fault: a whole stream without a token"},
        {"fault-no-done", ARG_FLAG, &o->fault[SIM_FAULT_NO_DONE], NULL, "fault: the end without [DONE]"},
        {"fault-rate", ARG_DOUBLE, &o->fault_rate, "FRACTION", "of the requests that get a fault (1)"},
        {"fault-after", ARG_U32, &o->fault_after, "N", "tokens before the fault, at most all but one (2)"},
        {"close-after", ARG_U32, &o->close_after, "N", "close a connection after N responses"},
        {"max-connections", ARG_U32, &o->max_connections, "N", "close further connections at once"},
        {"exit-after", ARG_DURATION, &o->exit_after, "TIME", "end after this time, as by SIGTERM"},
        {NULL, ARG_FLAG, NULL, NULL, NULL},
    };
    const struct args a = {.program = "plateau-sim",
                           .usage = "[--listen ADDR:PORT] [options]",
                           .about =
                               "A simulated LLM endpoint: OpenAI-style streams on an exact schedule, by fixed times\n"
                               "(--ttft, --tpot) or by a model of continuous batching. A test instrument.",
                           .table = table};
    size_t n;
    int got = args_parse(&a, argc, argv, NULL, &n, e);
    return got ? got : check(o, e);
}
