/* Headers and trailers by which a server says that an answer went wrong: gRPC's, and those of gateways whose name holds
 * "error" or "exception". Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Whether it tells of an error, with a value that is not "none". */
bool error_header_tells(const char *name, size_t name_n, const char *value, size_t value_n);
/* Whether it is one: not only the words about a status that stands beside it. `trailer`: it came after the body began,
 * so it is of how the answer went, and not of how the server is set up. */
bool error_header_is(const char *name, size_t name_n, const char *value, size_t value_n, bool trailer);
