/* What a server's own page says of a stage, and hit rates side by side, as members of summary.json. */
#pragma once
#include "coordinator/answer/analysis.h"
#include "common/json_out.h"
#include "coordinator/answer/cache_hits.h"

/* `server`: an object, null where its page was not read. */
void report_server(struct json_out *j, const struct point_server *s);
/* `prefix_cache`, of the whole run. */
void report_cache_hits(struct json_out *j, const struct cache_hits *h);
/* "Others load the server too: …": of the first stage in which its page had more requests than ours. false: none had.
 */
bool server_others_words(const struct analysis *a, char *buf, size_t n);
