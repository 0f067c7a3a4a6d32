/* A file of requests becomes a corpus: read once, by mapping it, record after record. What is wrong with a record is
 * named (file, line, what) and counted; more broken records than the plan allows refuse the file. */
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "common/corpus.h"
#include "common/err.h"
#include "common/plan/plan.h"
#include "coordinator/tokenizer/tokenizer.h"

#define COMPILE_TOLD 5u /* broken records whose reason is kept */

struct compile_result {
    uint64_t requests;                               /* of session trees, each of which is a record */
    uint64_t records, broken, zero, outside, images; /* outside: of the wanted time; images: rows that had some */
    uint64_t bare;                                   /* with tools or further members, which are not sent */
    char told[COMPILE_TOLD][280];
    char hash[CORPUS_HASH_HEX];
};

/* By which the prompts of data sets are counted. */
struct compile_count {
    struct tokenizer *tokenizer;
    bool text; /* a request is one text, around which the tokenizer puts its own tokens; else it is messages */
};

/* Reads the workload's file (`path`) and writes its corpus to `out`. Without `count` nothing is counted. */
ERR_CHECKED int compile_run(const struct plan_workload *w, const struct compile_count *count, const char *path,
                            FILE *out, struct compile_result *ret, struct err *e);
