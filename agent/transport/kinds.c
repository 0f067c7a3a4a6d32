#include "agent/transport/kinds.h"

#include "agent/transport/kind_http1.h"
#include "agent/transport/kind_http2.h"

void kinds_choose(const struct target *target, const struct transport_kind **ret_kind,
                  const struct transport_kind **ret_other)
{
    enum plan_http http = target->plan->http;
    if (http == HTTP_AUTO && !target->url.tls) http = HTTP_1; /* only a TLS handshake asks the server */
    *ret_kind = http == HTTP_1 ? &KIND_HTTP1 : &KIND_HTTP2;
    *ret_other = http == HTTP_AUTO ? &KIND_HTTP1 : NULL;
}
