/* The simulator's settings, as its command line gives them. README.md says what each means. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "common/args.h"
#include "common/err.h"

enum sim_fault {
    SIM_FAULT_NONE,
    SIM_FAULT_STATUS,          /* an HTTP error status */
    SIM_FAULT_STREAM_ERROR,    /* an error object inside a 200 stream, then the end without [DONE] */
    SIM_FAULT_ERROR_THEN_DONE, /* the same, then [DONE], as vLLM does */
    SIM_FAULT_TRUNCATE,        /* the connection is closed in the middle of a chunk */
    SIM_FAULT_STALL,           /* nothing more is sent, the connection stays */
    SIM_FAULT_RESET,           /* the connection is reset */
    SIM_FAULT_SLOW_BYTES,      /* from here on one byte at a time */
    SIM_FAULT_GARBAGE,         /* an event that is not JSON, then the stream continues */
    SIM_FAULT_EMPTY,           /* a whole stream without a token */
    SIM_FAULT_NO_DONE,         /* all tokens, then the end without [DONE] */
    SIM_FAULT_N
};

enum {
    SIM_TOKENS_MAX = 1000000,        /* of one request */
    SIM_DRAFT_MAX = 16,              /* tokens in a draft */
    SIM_TOKENS_PER_EVENT_MAX = 4096, /* keeps an event inside the scratch buffer */
};

struct sim_options {
    struct arg_list listen;
    const char *port_file, *model, *require_key, *truth, *tls_cert, *tls_key;
    bool http2;
    bool truth_tokens;
    int64_t ttft, tpot; /* ns; both -1: the capacity model */
    uint32_t slots, prefill_chunk;
    double prefill_rate; /* tokens/s */
    int64_t step_base, step_per_seq;
    int64_t jitter; /* sd, ns */
    uint64_t seed;
    uint32_t tokens, tokens_per_event, reasoning, draft;
    const char *tokenizer;    /* a tokenizer.json to count by; NULL: none */
    double word_tokens;       /* of four characters of a prompt */
    double other_word_tokens; /* of a request for another model; 0: the same */
    uint32_t template_tokens; /* beside them */
    bool always_usage, continuous_usage, early_role, tool_calls, null;
    bool crlf, comments, no_space;
    uint32_t split_writes;
    bool fault[SIM_FAULT_N];
    uint32_t fault_status, fault_after, retry_after;
    double fault_rate;
    int64_t slow_gap;
    uint32_t close_after, max_connections, max_streams;
    /* of HTTP/2 only */
    uint32_t drop_after, head_bytes, reset_code;
    bool reset_end, answer_early;
    int64_t late_settings;
    int64_t exit_after; /* 0 = never */
};

/* Whether tokens follow --ttft/--tpot instead of the capacity model. */
bool sim_options_fixed(const struct sim_options *o);

/* Word of a fault in the truth file ("truncate"). */
const char *sim_fault_name(enum sim_fault f);

/* As args_parse: 0 to continue, 1 when help was printed, -1 on error. `ret` must outlive nothing but argv's strings. */
ERR_CHECKED int sim_options_parse(int argc, char **argv, struct sim_options *ret, struct err *e);
