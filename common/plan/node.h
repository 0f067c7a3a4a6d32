/* A tree of values: what YAML and JSON have in common. It is how a plan is read and written: each node knows
 * its place in the text it came from and its path in the tree, so that every refusal can name both.
 *
 * All input is hostile: a tree is bounded in bytes, depth, nodes and entries before anything is allocated for it, keys
 * are unique, text is valid UTF-8 without control characters, numbers are finite. Memory belongs to the tree's arena.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

#define NODE_INPUT_MAX (1u << 20) /* bytes of text */
#define NODE_DEPTH_MAX 32u
#define NODE_COUNT_MAX 50000u
#define NODE_ENTRIES_MAX 1024u /* of one mapping or list */
#define NODE_KEY_MAX 128u      /* bytes; escaped it stays below YAML's 1,024 for a simple key */
#define NODE_ARENA_MAX (64u << 20)

enum node_kind { NODE_NULL, NODE_BOOL, NODE_INT, NODE_NUMBER, NODE_TEXT, NODE_SEQ, NODE_MAP };

struct node {
    enum node_kind kind;
    bool flag;        /* NODE_BOOL */
    bool negative;    /* NODE_INT: -whole */
    uint64_t whole;   /* NODE_INT: magnitude */
    double number;    /* NODE_INT, NODE_NUMBER */
    const char *text; /* scalars: as written, NUL-terminated */
    size_t len;
    struct node *parent, *next, *first, *last;   /* children of lists and mappings, in order */
    size_t n, index;                             /* number of children; its place among its siblings */
    const char *key;                             /* of a mapping's child */
    const char *file;                            /* where it came from; for messages */
    uint32_t line, column, key_line, key_column; /* from 1; 0: not from a text */
};

/* What a tree is built in. Once something fails (no memory, a bound) `failed` is set and all later calls do nothing, so
 * that a builder checks once. */
struct tree {
    struct arena *arena;
    const char *file;
    size_t nodes;
    bool failed;
};

struct node *node_new(struct tree *t, enum node_kind kind); /* NULL when the tree failed */
struct node *node_new_text(struct tree *t, const char *s);
struct node *node_new_whole(struct tree *t, uint64_t v);
struct node *node_new_number(struct tree *t, double v); /* a whole one below 2^53 becomes NODE_INT */
struct node *node_new_bool(struct tree *t, bool v);
void node_put(struct tree *t, struct node *map, const char *key, struct node *child); /* a NULL child is left out */
void node_add(struct tree *t, struct node *seq, struct node *child);
struct node *node_get(const struct node *map, const char *key); /* NULL when there is none, or `map` is not a mapping */
struct node *node_at(const struct node *seq, size_t index);
void node_sort(struct node *n); /* keys of all mappings in byte order, all the way down */
bool node_is_scalar(const struct node *n);

/* Gives n, whose `text` is set, the kind a plain (unquoted) scalar of YAML 1.2 has. Returns -1 for NaN, infinities and
 * numbers too large for a double. Octal, hexadecimal and numbers with a leading zero stay text: a plan is not the place
 * to guess. */
int node_resolve(struct node *n);

/* "load.stages[2].rate"; "" for the root. Writes at most `size` bytes with the NUL; returns buf. */
char *node_path(const struct node *n, char *buf, size_t size);
/* What a value is, for "…, got %s": 42, "abc" (shortened, control characters replaced), a list, a mapping, nothing. */
char *node_describe(const struct node *n, char *buf, size_t size);
/* Sets e to "FILE:LINE:COLUMN: path: sentence"; at_key: the place of the key instead of the value. Returns -1. */
int node_refuse(const struct node *n, bool at_key, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The shortest decimal that reads back as v; buf of at least 32 bytes; returns buf. */
char *node_number_text(double v, char *buf, size_t size);

/* Front ends and writers. Readers return the root, or NULL with a sentence. node_from_yaml is in plateau_yaml. */
ERR_CHECKED struct node *node_from_yaml(struct tree *t, const char *text, size_t n, struct err *e);
ERR_CHECKED struct node *node_from_json(struct tree *t, const char *text, size_t n, struct err *e);
int node_to_json(const struct node *n, bool pretty, struct buf *out);
void json_text(struct buf *out, const char *s, size_t n); /* a quoted JSON string that YAML reads the same way */
int node_to_yaml(const struct node *n, struct buf *out);  /* for people; reads back as the same tree */
