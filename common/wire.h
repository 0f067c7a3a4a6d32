/* The messages of the control plane: msgpack arrays [wire version, type, fields …], read by a bounded reader (unpack.h)
 * that checks before it allocates. Strings of a message to send may be NULL (""); what is too long or no clean text in
 * them is cut off or replaced. Strings in a decoded message point into memory of the message and live until
 * wire_msg_clear. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/shard.h"

/* The version of what no table says: the envelope; the first two fields of HELLO, by which two releases recognise each
 * other; the layout of a snapshot and of a histogram. The fingerprint covers all else. */
#define WIRE_VERSION 5u
#define WIRE_MESSAGE_MAX (4u << 20) /* bytes */
#define WIRE_PIECE (1u << 20)       /* of data, before compression */
#define WIRE_SAID_MAX 8192u         /* of a probe's text */

enum wire_type {
#define X(id, name, direction) WIRE_##id,
#include "common/wire.def"
#undef X
    WIRE_N
};

struct wire_bytes {
    const void *data;
    size_t n;
};

struct wire_msg {
    enum wire_type type;
    union {
        struct {
            /* on the wire before these: the fingerprint of the sender's tables, written by wire_encode and checked by
             * wire_decode */
            const char *version; /* of the program */
            const char *name, *boot_id, *host;
            uint32_t cores, weight; /* weight: set by the agent's user; 0 = none */
            double quota;           /* CPUs by cgroup, 0 = none */
            uint64_t descriptors;
            uint64_t capacity;  /* calibrated token/s, 0 = unknown */
            const char *guard;  /* what this agent allows, in words */
            const char *stamps; /* "kernel" or "program" */
            /* a stage this agent still has results of (after a reconnect); epoch 0 = none */
            uint32_t stage, epoch;
        } hello;
        struct {
            const char *run_id;
            uint32_t epoch, agent; /* agent: its number */
            int64_t lease_ns, heartbeat_ns;
        } welcome;
        struct {
            const char *reason;
            bool retry;
        } refuse;
        struct {
            uint32_t seq;
            int64_t t1;
        } clock;
        struct {
            uint32_t seq;
            int64_t t1, t2, t3;
        } clock_echo;
        struct {
            const char *hash;
            struct wire_bytes plan;
            struct wire_bytes signature; /* envelope, may be empty */
        } plan;
        struct {
            const char *hash, *error; /* error "" = accepted */
            uint32_t code; /* its enum err_code: decides the run's exit status; unknown ones decode as ERR_INTERNAL */
        } plan_ok;
        struct {
            const char *hash; /* of the corpus */
            uint64_t offset;
        } want;
        struct {
            const char *hash;
            uint64_t offset, size;   /* size: of the whole corpus */
            struct wire_bytes bytes; /* zlib */
        } data;
        struct {
            uint32_t number; /* a probe of another number is a new one */
        } probe;
        struct {
            uint32_t number;
            struct wire_bytes said;  /* lines of text */
            const char *error;       /* "" = an answer as the plan wants it */
            uint32_t code;           /* as in plan_ok */
            bool final;              /* asking again would not help: the run is not worth beginning */
            struct word_costs costs; /* with target.lengths: measured */
        } probed;
        struct {
            uint32_t stage, epoch;
            struct shard shard; /* decoded: checked, and owned by the message: take it by copying and zeroing it here;
                                   to send: borrowed */
        } arm;
        struct {
            uint32_t stage, epoch;
            const char *error;    /* "" = ready */
            uint32_t code;        /* as in plan_ok */
            const char *address;  /* remote addresses resolved, for the report */
            const char *limit;    /* what holds the agent's part below what the plan may ask for; "" = nothing */
            const char *http;     /* what is spoken to them: "HTTP/2" */
            uint32_t streams;     /* that the target allows a connection, where more are needed for that; else 0 */
            uint32_t connections; /* made ahead */
        } ready;
        struct {
            uint32_t stage, epoch;
            int64_t t0_ns; /* in the agent's CLOCK_MONOTONIC */
        } go;
        struct {
            uint32_t stage, epoch;
            uint64_t seq;
            struct wire_bytes snapshot;
        } snapshot;
        struct {
            uint32_t stage, epoch;
            uint64_t seq;
        } ack;
        struct {
            uint32_t stage, epoch;
            uint64_t seq;          /* of the last snapshot */
            int64_t start_skew_ns; /* when the first worker began, minus T0 */
            const char *error;     /* "" = ran as planned */
            uint32_t code;         /* as in plan_ok */
        } done;
        struct {
            uint64_t seq;
            int64_t now_ns; /* sender's clock */
        } heartbeat;
        struct {
            uint32_t stage, epoch;
            bool now; /* else: no new requests, drain, then DONE */
        } stop;
        struct {
            const char *reason;
            enum err_code code; /* of a coordinator: what the run failed for; ERR_NONE when it did not fail */
        } bye;
    } u;
    void *memory; /* owns strings of a decoded message */
};

/* Of all tables that two programs must share: messages and their fields, counters (failures among them), metrics. Sent
 * in HELLO and before a snapshot. */
uint64_t wire_fingerprint(void);

const char *wire_type_name(enum wire_type t);
char wire_type_direction(enum wire_type t);                 /* who may send it: 'A' agent, 'C' coordinator, 'B' both */
int wire_encode(const struct wire_msg *m, struct buf *out); /* -1 only without memory or over WIRE_MESSAGE_MAX */
/* Hostile bytes in; on success `ret` must be cleared. A message of another wire version, and a HELLO of other tables,
 * is refused with both sides named. */
ERR_CHECKED int wire_decode(struct wire_msg *ret, const void *bytes, size_t n, struct err *e);
void wire_msg_clear(struct wire_msg *m);
