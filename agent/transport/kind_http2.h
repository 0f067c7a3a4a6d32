/* HTTP/2 by nghttp2, over TLS or in the clear with prior knowledge: many requests at a time on a connection. */
#pragma once
#include "agent/transport/transport.h"
#include "agent/transport/transport_kind.h"

extern const struct transport_kind KIND_HTTP2;
