/* What becomes of one record of a file: a draft of a request. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/corpus.h"
#include "common/corpus_tree.h"
#include "common/json_scan.h"
#include "common/plan/plan.h"

enum draft_result {
    DRAFT_REQUEST, /* a request */
    DRAFT_ZERO,    /* without an answer or a prompt, and the plan leaves such rows out */
    DRAFT_BROKEN,  /* `why` says what is wrong */
};

/* What becomes of one record. Reset before each. */
struct draft {
    struct corpus_record record;
    struct corpus_message *messages; /* their text lies in `text`: see draft_finish */
    size_t *text_at;
    uint32_t messages_cap;
    uint32_t *blocks;
    uint32_t blocks_cap;
    struct buf text, body, tree;
    struct tree_draft *trees; /* scratch of readers of session trees, freed by callers; NULL until one needs it */
    int64_t time_ns;          /* traces: as in the file, from any origin */
    uint32_t images;          /* that the recorded request had and ours has not */
    bool no_answer;           /* a record of a data set says that it wants 0 output tokens */
    bool bare;                /* its requests had tools or further members, which ours have not */
    uint64_t line;            /* of what is wrong, where a record lies on several; 0: its first */
    char why[200];
};
void draft_reset(struct draft *d);
void draft_clear(struct draft *d);
void draft_finish(struct draft *d); /* messages point to their text from now on */
enum draft_result draft_broken(struct draft *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends a message; the text is checked to be UTF-8. False: no memory, too many, not UTF-8; `why` is set. */
bool draft_message(struct draft *d, enum corpus_role role, const char *text, size_t n);
bool draft_message_json(struct draft *d, enum corpus_role role, const struct json *string); /* decodes */
bool draft_more_json(struct draft *d, const struct json *string); /* one more line of the last message */
bool draft_block(struct draft *d, uint32_t id);
/* The list of hash ids that is the next value, each below `below` (2^28 or 2^32), appended to the blocks. Returns NULL,
 * or what is wrong (d->why, or a constant). A member that is there twice counts as it is last. */
struct draft_ids {
    bool there; /* false: null */
    uint32_t at, n;
};
const char *draft_ids(struct draft *d, struct json *j, uint64_t below, struct draft_ids *ret);
/* A row of a trace: lengths, and what the plan does with zeros. */
enum draft_result draft_lengths(struct draft *d, const struct plan_data *p, double input, double output);
