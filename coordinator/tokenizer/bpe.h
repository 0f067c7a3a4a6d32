/* Byte-pair encoding: a piece of text begins as its bytes; of all neighbours the pair whose merge was learnt first
 * becomes one token, and so on until no pair is left that has a merge. Of equal pairs the left one is first. One thread
 * at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define BPE_TOKENS_MAX (1u << 22)
#define BPE_MERGES_MAX (1u << 22)
#define BPE_PIECE_MAX (16u << 20) /* bytes */
#define BPE_NONE UINT32_MAX

struct bpe_ids { /* grows */
    uint32_t *id;
    size_t n, room;
};

struct bpe;
/* Room for so many tokens and merges. */
ERR_CHECKED struct bpe *bpe_new(size_t tokens, size_t merges, bool ignore_merges, struct err *e);
void bpe_destroy(struct bpe **b);
/* Tokens first, by their bytes; -1 without memory or room. */
int bpe_add_token(struct bpe *b, const char *bytes, size_t n, uint32_t id);
uint32_t bpe_find(const struct bpe *b, const char *bytes, size_t n); /* BPE_NONE: no such token */
/* Every byte is a token: what is added later can be written with them. False: `ret_byte` is not. */
bool bpe_has_bytes(struct bpe *b, unsigned *ret_byte);
/* The next merge in the order of learning. -1: one of the three tokens is not there. */
int bpe_add_merge(struct bpe *b, const char *left, size_t left_n, const char *right, size_t right_n);
/* A piece's tokens, added to `ids`, or with NULL only counted. -1: no memory, or it is too long. */
int64_t bpe_encode(struct bpe *b, const char *piece, size_t n, struct bpe_ids *ids);
int bpe_ids_put(struct bpe_ids *ids, uint32_t id);
