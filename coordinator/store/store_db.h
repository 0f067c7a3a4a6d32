/* The inside of the store, shared by its files only. */
#pragma once
#include "coordinator/store/db.h"

struct store {
    struct db db;
    uint64_t device, inode; /* of its file, to see whether that is still there */
    /* the stage whose snapshots come now */
    uint32_t stage, repeat, epoch;
    int64_t stage_id; /* 0: none */
    uint64_t journal; /* bytes of its snapshots so far */
    struct store_saving saving;
    bool unsettled;           /* rows of agents or events are not committed yet */
    struct err failed;        /* why that was not possible, until the next that would write one has reported it */
    uint64_t rows, rows_most; /* of requests: in the file; that may be there, 0 = none are wanted */
};

ERR_CHECKED int store_put_requests(struct store *s, int64_t id, uint32_t agent, const void *bytes, size_t n,
                                   struct err *e); /* those of a snapshot, while there is room */
ERR_CHECKED int store_has_table(struct store *s, const char *name,
                                struct err *e); /* files of earlier versions lack some: 1, 0 or -1 */
/* What an earlier build did not count (`uncounted`), as the verdict takes it; after all of a stage is read. */
ERR_CHECKED int store_fill_old(struct stage_data *d, struct err *e);
ERR_CHECKED int store_check_file(const struct store *s, struct err *e); /* -1: it was removed or replaced */
ERR_CHECKED int64_t store_stage_id(struct store *s, uint32_t stage, uint32_t repeat, uint32_t epoch,
                                   struct err *e); /* -1: none; e says why */
