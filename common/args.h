/* Command lines as tables: one row per option, from which both the parser and --help are made. Every program has
 * --help, --version, --log-json and --log-level WORD without asking. Options may be written --name value or
 * --name=value; "--" ends them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

enum arg_kind {
    ARG_FLAG,     /* bool: set true */
    ARG_TEXT,     /* const char * */
    ARG_U32,      /* uint32_t */
    ARG_U64,      /* uint64_t */
    ARG_DOUBLE,   /* double, finite, >= 0 */
    ARG_DURATION, /* int64_t ns, "250ms" */
    ARG_MANY,     /* struct arg_list: may be given again */
    /* As above, but 0 is refused: for the options whose 0 would be taken for "not given". */
    ARG_U32_ABOVE_0,
    ARG_U64_ABOVE_0,
    ARG_DOUBLE_ABOVE_0,
    ARG_DURATION_ABOVE_0,
};
#define ARG_LIST_MAX 64
struct arg_list {
    const char *item[ARG_LIST_MAX];
    size_t n;
};
struct arg {
    const char *name; /* without the dashes; NULL ends the table */
    enum arg_kind kind;
    void *target;
    const char *value; /* what the value is called in --help ("N", "ADDR:PORT"); NULL for flags */
    const char *help;
};
struct args {
    const char *program; /* "plateau-agent" or "plateau run" */
    const char *usage;   /* "--connect tcp://HOST:PORT [options]" */
    const char *about;   /* one or more lines */
    const struct arg *table;
    size_t least, most; /* positional arguments */
};

/* Parses argv[1 …]; positionals are put into ret_words (room for `most`). Sets up the log. Returns 0 to continue, 1
 * when help or version was printed (exit 0), -1 with ERR_USAGE and a sentence that names the nearest option for a
 * typing error. */
ERR_CHECKED int args_parse(const struct args *a, int argc, char **argv, const char **ret_words, size_t *ret_n,
                           struct err *e);

/* The nearest of n words to `word` by edit distance, or NULL when none is near. For "did you mean". */
const char *args_nearest(const char *word, const char *const *words, size_t n);
