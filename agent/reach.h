/* Why nothing is heard from a coordinator: its name is looked up and its addresses are probed, in at most REACH_NS plus
 * the time of the resolver. Only for an agent without a connection: nothing else happens meanwhile. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/transport/resolver.h"

#define REACH_NS INT64_C(1000000000)

struct reach {
    struct resolver resolver; /* a question not answered in time stays open until the next probe */
};
/* The reason in words, for tcp://HOST:PORT. True: somebody accepts connections there. */
bool reach_knock(struct reach *r, const char *endpoint, char *ret_words, size_t n);
void reach_clear(struct reach *r);
