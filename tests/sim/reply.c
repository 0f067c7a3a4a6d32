#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/server.h"

static const char *reason(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Status";
    }
}

static void put_head(const struct sim_server *v, const struct sim_conn *c, unsigned status, const char *type,
                     struct buf *out)
{
    buf_printf(out, "HTTP/1.1 %u %s\r\nserver: plateau-sim\r\ncontent-type: %s\r\n", status, reason(status), type);
    if (status >= 400 && v->o->retry_after) buf_printf(out, "retry-after: %" PRIu32 "\r\n", v->o->retry_after);
    if (c->last || (v->o->close_after && c->responses + 1 >= v->o->close_after)) buf_puts(out, "connection: close\r\n");
}

void sim_reply_stream_head(struct sim_server *v, const struct sim_conn *c, struct buf *out)
{
    bool lines = API_ROWS[c->stream.frame.ask.api].type == SIM_TYPE_NDJSON;
    put_head(v, c, 200, lines ? "application/x-ndjson" : "text/event-stream; charset=utf-8", out);
    buf_printf(out, "cache-control: no-cache\r\nx-request-id: %" PRIu64 "\r\ntransfer-encoding: chunked\r\n\r\n",
               c->stream.record.request);
}

void sim_reply_json(struct sim_server *v, struct sim_conn *c, unsigned status, const char *type, const void *body,
                    size_t n)
{
    struct buf head __attribute__((cleanup(buf_clear))) = BUF_INIT(4096 + SIM_OUT_MAX);
    put_head(v, c, status, type, &head);
    buf_printf(&head, "content-length: %zu\r\n\r\n", n);
    buf_put(&head, body, n);
    (void)sim_conn_send(v, c, head.data, head.len);
}

void sim_reply_error(struct sim_server *v, struct sim_conn *c, unsigned status, const char *why)
{
    static const struct {
        unsigned status;
        const char *type;
    } TYPES[] = {
        {400, "BadRequestError"}, {401, "AuthenticationError"}, {404, "NotFoundError"}, {429, "RateLimitError"}};
    const char *type = status >= 500 ? "InternalServerError" : "BadRequestError";
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (TYPES[i].status == status) type = TYPES[i].type;
    char body[512];
    int n = snprintf(body, sizeof body, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":%u}}",
                     why, type, status);
    sim_reply_json(v, c, status, "application/json", body, n > 0 ? (size_t)n : 0);
}

void sim_reply_refuse(struct sim_server *v, struct sim_conn *c, unsigned status, const char *why)
{
    c->last = true;
    sim_reply_error(v, c, status, why);
    sim_conn_finish(v, c);
}
