/* Parts of a file that make one record together, wherever they stand in it: the lines of a session, the spans of a
 * trace, conversations that start one another. A reader names the key of each part, and the keys that belong together.
 * The parts' text is borrowed. Pure. */
#pragma once
#include <stdint.h>

#include "coordinator/corpus/draft.h"

struct bundle_part {
    const char *text;
    size_t n;
    uint64_t line; /* of the file */
    uint64_t key;
    size_t bundle; /* number of its bundle's first part; set by bundles_seal */
};

struct bundles {
    struct bundle_part *part;
    size_t n, room;
    struct bundle_link {
        uint64_t a, b;
    } * link;
    size_t n_links, links_room;
    bool bad; /* there was no memory */
};

void bundles_reset(struct bundles *g);
void bundles_clear(struct bundles *g);
void bundles_add(struct bundles *g, uint64_t key, uint64_t line, const char *text, size_t n);
void bundles_link(struct bundles *g, uint64_t a, uint64_t b); /* of one bundle, also when no part has one of them */
/* The parts of a group now lie together, in the order of the file, and bundles in that of their first parts. -1: no
 * memory. */
int bundles_seal(struct bundles *g);
size_t bundles_end(const struct bundles *g, size_t from); /* one past the bundle whose first part is at `from` */
/* A line that is one JSON object, whose text member `name` is its key. Of a line without it the key is its number,
 * where `alone` allows that. */
enum draft_result bundles_add_line(struct bundles *g, const char *name, bool alone, uint64_t line, const char *text,
                                   size_t n, struct draft *d);
