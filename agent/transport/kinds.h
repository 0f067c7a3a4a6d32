/* Which kinds of transport there are, and which one carries a target. */
#pragma once
#include "agent/transport/transport.h"

/* `other`: NULL unless the server may choose (http: auto). */
void kinds_choose(const struct target *target, const struct transport_kind **ret_kind,
                  const struct transport_kind **ret_other);
