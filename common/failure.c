#include "common/failure.h"

const struct failure_row FAILURES[FAILURE_N] = {
#define FAILURE(id, name, by, meaning, look) {name, meaning, look, FAILURE_BY_##by},
#include "common/failure.def"
#undef FAILURE
};
