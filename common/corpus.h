/* A corpus: the requests of a data set or a trace, compiled by the coordinator into one file that agents map. Whatever
 * a user brought (formats, column names, units, speed, broken lines) is settled when it is written; agents know this
 * form only.
 *
 *   record 0 · record 1 · … · index (the offset of each record, 8 bytes) · footer (magic, number of records, index's
 * offset)
 *
 * A corpus is named by its hash (BLAKE2b, 32 bytes), which is in the plan, so a signed plan covers its data. Numbers
 * are little-endian. Reading checks every bound, since the bytes may be anybody's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"

#define CORPUS_HASH_HEX 65 /* 64 digits and NUL */
#define CORPUS_MAX (UINT64_C(64) << 30)
#define CORPUS_RECORD_MAX (64u << 20)
#define CORPUS_MESSAGES_MAX 4096u

enum corpus_role { ROLE_USER, ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_N };
const char *corpus_role_name(enum corpus_role r);

/* One request. Text is UTF-8, not terminated, and lives as long as the corpus (when writing: is borrowed). */
struct corpus_record {
    int64_t at_ns;                   /* when it arrives, from the first moment of the trace; 0 in a data set */
    uint32_t input_tokens;           /* 0: not known */
    uint32_t output_tokens;          /* 0: not given */
    uint32_t n_messages;             /* read one by one: corpus_message */
    uint32_t n_blocks, block_tokens; /* the prompt as hash ids of blocks of so many tokens, instead of messages */
    uint32_t repeated_tokens; /* of these blocks' tokens, those with which an earlier record's prompt began too */
    const char *body;         /* a JSON object whose members go into the request's body; NULL: none; NUL-terminated */
    const uint8_t *tree;      /* a session tree (corpus_tree.h), whose prompts are made of the blocks; NULL: none */
    uint32_t tree_n;          /* bytes */
    /* inside */
    const uint8_t *messages, *blocks, *end;
};
struct corpus_message {
    enum corpus_role role;
    const char *text;
    size_t len;
};

/* ---- reading ---- */

struct corpus; /* immutable; may be read by many threads */
/* Maps the file; `fd` stays the caller's. */
ERR_CHECKED struct corpus *corpus_open(int fd, struct err *e);
void corpus_close(struct corpus **c);
uint64_t corpus_count(const struct corpus *c);
/* Record number i, -1 when the file is not what it should be. */
int corpus_get(const struct corpus *c, uint64_t i, struct corpus_record *ret);
/* Walks the messages of a record: *at is 0 at first. False after the last. */
bool corpus_message(const struct corpus_record *r, size_t *at, struct corpus_message *ret);
uint32_t corpus_block(const struct corpus_record *r, uint32_t i); /* i < n_blocks */
bool corpus_is(const struct corpus *c, const char *hash);         /* reads all of it */
const void *corpus_bytes(const struct corpus *c, uint64_t *ret_n);

/* ---- writing ---- */

struct corpus_writer;
/* Writes to `file`, which the caller closes; never holds more than one record and part of the index. */
ERR_CHECKED struct corpus_writer *corpus_writer_new(FILE *file, struct err *e);
void corpus_writer_destroy(struct corpus_writer **w);
ERR_CHECKED int corpus_write(struct corpus_writer *w, const struct corpus_record *r,
                             const struct corpus_message *messages, const uint32_t *blocks, struct err *e);
/* The index and the footer; flushes the file. */
ERR_CHECKED int corpus_finish(struct corpus_writer *w, char ret_hash[CORPUS_HASH_HEX], struct err *e);
