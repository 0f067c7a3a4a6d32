/* A tokenizer.json becomes a tokenizer. The file may be anybody's: every part of it is either understood or named in
 * the error. */
#pragma once
#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "coordinator/tokenizer/added.h"
#include "coordinator/tokenizer/bpe.h"
#include "coordinator/tokenizer/split.h"

struct tokenizer {
    struct bpe *bpe;
    struct added added;
    enum split_kind split;
    bool nfc;          /* text is brought into normal form C first */
    bool prefix_space; /* text that begins without a blank gets one */
    uint32_t beside;
    size_t n_tokens, n_merges;
    struct buf with_blank; /* scratch */
};

/* Fills a zeroed tokenizer; what it has of it on failure is the caller's to clear. */
ERR_CHECKED int tokenizer_json_read(struct tokenizer *t, const char *json, size_t n, const char *name, struct err *e);
