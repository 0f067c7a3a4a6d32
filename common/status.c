#include "common/status.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"

enum { CONNECTIONS = 64, IDLE_S = 10 };

struct status {
    struct MHD_Daemon *daemon;
    unsigned port;
    pthread_mutex_t lock; /* guards the three below */
    bool ready;
    char reason[200];
    char *metrics;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned code, const char *type, const char *text)
{
    struct MHD_Response *r =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    (void)MHD_add_response_header(r, "Content-Type", type);
    enum MHD_Result ok = MHD_queue_response(c, code, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct status *s = self;
    (void)version, (void)upload, (void)upload_size, (void)state;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "GET and HEAD only\n");
    if (strcmp(url, "/healthz") == 0) return answer(c, MHD_HTTP_OK, "text/plain", "ok\n");
    enum MHD_Result rc;
    pthread_mutex_lock(&s->lock);
    if (strcmp(url, "/readyz") == 0)
        rc = answer(c, s->ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", s->reason);
    else if (strcmp(url, "/metrics") == 0)
        rc = answer(c, MHD_HTTP_OK, "text/plain; version=0.0.4", s->metrics ? s->metrics : "");
    else
        rc = answer(c, MHD_HTTP_NOT_FOUND, "text/plain", "/healthz, /readyz or /metrics\n");
    pthread_mutex_unlock(&s->lock);
    return rc;
}

struct status *status_open(const char *address, struct err *e)
{
    struct sockaddr_storage sa;
    if (addr_socket_parse(address, &sa)) {
        (void)err_set(e, ERR_USAGE, "--http: expected ADDR:PORT such as 127.0.0.1:9100, got \"%s\"", address);
        return NULL;
    }
    struct status *s = calloc(1, sizeof *s);
    if (!s) {
        (void)err_set(e, ERR_NOMEM, "no memory for the status page");
        return NULL;
    }
    (void)snprintf(s->reason, sizeof s->reason, "starting\n");
    pthread_mutex_init(&s->lock, NULL);
    unsigned flags =
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | (sa.ss_family == AF_INET6 ? MHD_USE_DUAL_STACK : 0u);
    s->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_SOCK_ADDR, &sa, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    if (!s->daemon) {
        (void)err_set(e, ERR_USAGE, "--http: cannot listen on %s (is the port taken?)", address);
        status_close(&s);
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    s->port = info ? info->port : 0;
    return s;
}

void status_close(struct status **s)
{
    if (!*s) return;
    if ((*s)->daemon) MHD_stop_daemon((*s)->daemon);
    pthread_mutex_destroy(&(*s)->lock);
    free((*s)->metrics);
    free(*s);
    *s = NULL;
}

unsigned status_port(const struct status *s)
{
    return s->port;
}

void status_ready(struct status *s, bool ready, const char *reason)
{
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->ready = ready;
    (void)snprintf(s->reason, sizeof s->reason, "%s\n", reason);
    pthread_mutex_unlock(&s->lock);
}

void status_publish(struct status *s, const char *metrics)
{
    if (!s) return;
    char *copy = strdup(metrics);
    pthread_mutex_lock(&s->lock);
    if (copy) {
        free(s->metrics);
        s->metrics = copy;
    }
    pthread_mutex_unlock(&s->lock);
}
