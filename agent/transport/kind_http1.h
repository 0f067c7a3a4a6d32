/* HTTP/1.1, in the clear or over TLS: one request at a time on a connection. */
#pragma once
#include "agent/transport/transport.h"
#include "agent/transport/transport_kind.h"

extern const struct transport_kind KIND_HTTP1;
