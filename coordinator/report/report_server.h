/* What a server's own page says of a stage, and hit rates side by side, as members of summary.json. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/cache_hits.h"

/* `server`: an object, null where its page was not read. */
void report_server(struct json_out *j, const struct point_server *s);
/* `prefix_cache`, of the whole run. */
void report_cache_hits(struct json_out *j, const struct cache_hits *h);
