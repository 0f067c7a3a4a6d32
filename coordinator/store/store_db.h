/* Inside of the store, shared by its files and nobody else. */
#pragma once
#include "coordinator/store/db.h"

struct store {
    struct db db;
    uint64_t device, inode; /* of its file, to see whether that is still there */
    /* the stage whose snapshots come now */
    uint32_t stage, repeat, epoch;
    int64_t stage_id; /* 0: none */
    uint64_t journal; /* bytes of its snapshots so far */
};

ERR_CHECKED int store_check_file(const struct store *s, struct err *e); /* nobody took it away while it was written */
ERR_CHECKED int64_t store_stage_id(struct store *s, uint32_t stage, uint32_t repeat, uint32_t epoch,
                                   struct err *e); /* -1: none, said in e */
