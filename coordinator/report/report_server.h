/* What a server's own page says of a stage, as a member of summary.json. */
#pragma once
#include "common/json_out.h"
#include "coordinator/answer/point.h"

/* `server`: an object, null where its page was not read. */
void report_server(struct json_out *j, const struct point_server *s);
