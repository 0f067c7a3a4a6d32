/* What a probe saw, as lines for a person and as a verdict: is a run against this target worth beginning? Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/stream/stream.h"
#include "common/buf.h"
#include "common/counter.h"
#include "common/err.h"
#include "common/plan/plan.h"

#define PROBE_WORDS_LIMITS 400u

/* One answer. Times from the moment the request was sent, in ns; -1: did not happen. */
struct probe_seen {
    const struct plan_target *target; /* what was asked: url, api, first model */
    const char *http, *tls;           /* "HTTP/1.1"; NULL: in the clear */
    char address[64];
    long status;                             /* 0: none came */
    char type[80], server[80], encoding[40]; /* Content-Type, Server, Content-Encoding */
    char model[160];                         /* as the answer names it; "": it names none */
    char limits[PROBE_WORDS_LIMITS];         /* headers that tell of limits, "name: value" with commas between */
    char location[200];                      /* where a redirect points to */
    char retry_after[40];                    /* the header's value */
    char words[640]; /* the server's own, of an answer that is no stream or has an error; or the transport's */
    const char *why; /* the transport's reason; NULL: none */
    int64_t headers_ns, first_token_ns, last_token_ns, end_ns;
    enum counter outcome; /* as a request of a stage would have ended */
    bool whole;           /* one answer was asked for, and no stream */
    bool complete;        /* the body ended as HTTP says */
    bool plain, finish, end, usage;
    enum stream_end ended_by; /* with `end` */
    bool doubted;             /* usage came and its output tokens are not believed: tokens_out is not of it */
    uint32_t events, thoughts, tokens_in, tokens_out;
    uint32_t counted_in; /* input tokens by usage, as they came; 0: none */
};

/* A header of the answer: keeps what is shown. */
void probe_words_header(struct probe_seen *s, const char *name, size_t name_n, const char *value, size_t value_n);
/* Some lines, each with its line end. */
void probe_words_lines(const struct probe_seen *s, struct buf *out);

enum probe_verdict {
    PROBE_GOOD,  /* an answer as the plan wants it */
    PROBE_DOUBT, /* none, but it may work in a minute or under load: `e` says what came */
    PROBE_WRONG  /* every request would end so: `e` says what came and what to look at */
};
ERR_CHECKED enum probe_verdict probe_words_judge(const struct probe_seen *s, struct err *e);

/* Places on the same host that may be meant by a wrong path, the likeliest first. */
#define PROBE_WORDS_PLACES 8u
struct probe_place {
    char url[1024];
    enum plan_api api;
};
/* After such an answer another path is worth a try. */
bool probe_words_try_others(const struct probe_seen *s);
uint32_t probe_words_places(const struct plan_target *t, struct probe_place ret[PROBE_WORDS_PLACES]);
