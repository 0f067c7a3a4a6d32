/* A page that is one file and asks nothing of the network: a frame in which each @@NAME@@ is replaced by an embedded
 * file or by what the page's own function puts. @@POLICY@@ becomes its content security policy: only the scripts and
 * the style that are embedded run, named by their hashes. */
#pragma once
#include <stdbool.h>

#include "common/buf.h"

struct page_file {
    const char *name; /* ends with JS: a script, with CSS: a style; it fills its element alone */
    const unsigned char *text;
    const size_t *len;
};
struct page {
    const unsigned char *frame;
    size_t frame_len;
    const struct page_file *files;
    size_t n_files;
    bool connects;                                                  /* it may talk to the server that it came from */
    int (*put)(const void *arg, const char *name, struct buf *out); /* every other name; -1: it cannot */
    const void *arg;
};
/* Appends; -1 when memory ran out, out is full, or `put` said so: out is then bad. */
int page_fill(const struct page *p, struct buf *out);
/* Appends the policy alone, for a header. */
void page_policy(const struct page *p, struct buf *out);
