/* The truth file: what was emitted when, one JSON line per request. Records are kept in memory and written when the
 * server has time, so that formatting never delays a token. Fields: README.md. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct sim_record {
    uint64_t request, connection;
    const char *api, *end, *fault; /* static words */
    bool stream;
    uint32_t prompt, asked, tokens, events; /* tokens and token events that were sent */
    int64_t received;                       /* CLOCK_MONOTONIC ns of the read that brought the request's last byte */
    int64_t arrived;                        /* the kernel's own stamp of that byte on the same clock; 0: none */
    int64_t first, last;                    /* emission of the first and last token event; 0 when none */
    int64_t first_due, last_due;            /* as scheduled */
    int64_t lag_sum, lag_max;               /* emission - schedule over the token events */
    int64_t *emitted, *due;                 /* [events] with --truth-tokens, else NULL; owned */
    uint32_t cap;
};

struct sim_truth;
ERR_CHECKED struct sim_truth *sim_truth_open(const char *file, struct err *e);
/* Takes the record's arrays (and NULLs them). -1 without memory: the record is lost and counted. */
int sim_truth_add(struct sim_truth *t, struct sim_record *r);
/* Writes at most `n` waiting records. */
void sim_truth_write(struct sim_truth *t, size_t n);
size_t sim_truth_waiting(const struct sim_truth *t);
/* Writes all, closes and frees; -1 when something could not be written or was lost. */
ERR_CHECKED int sim_truth_close(struct sim_truth **t, struct err *e);

/* Room for the times of n events; -1 without memory. */
int sim_record_reserve(struct sim_record *r, uint32_t n);
void sim_record_event(struct sim_record *r, int64_t emitted, int64_t due, uint32_t tokens);
void sim_record_clear(struct sim_record *r);
