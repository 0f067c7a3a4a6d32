#include "agent/transport/tls_curl.h"

#include <string.h>

#include "common/clock.h"

void tls_setup(CURL *c, const struct plan_target *p)
{
    curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    if (p->tls_ca_file) curl_easy_setopt(c, CURLOPT_CAINFO, p->tls_ca_file);
    if (p->tls_cert_file) curl_easy_setopt(c, CURLOPT_SSLCERT, p->tls_cert_file);
    if (p->tls_key_file) curl_easy_setopt(c, CURLOPT_SSLKEY, p->tls_key_file);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, p->tls_verify ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, p->tls_verify ? 2L : 0L);
}

/* No option tells which protocol was agreed on before a response has come; libcurl's log does. */
static int on_words(CURL *c, curl_infotype kind, char *text, size_t n, void *user)
{
    static const char H2[] = "ALPN: server accepted h2";
    struct tls_try *y = user;
    (void)c;
    if (kind == CURLINFO_TEXT && n >= sizeof H2 - 1 && memcmp(text, H2, sizeof H2 - 1) == 0) y->http2 = true;
    return 0;
}

void tls_try_setup(CURL *c, const struct plan_target *p, struct tls_try *y)
{
    memset(y, 0, sizeof *y);
    curl_easy_setopt(c, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, NULL); /* it is called all the same, and there is no request */
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, y->why);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(p->timeout_connect_ns / NS_PER_MS + 1));
    curl_easy_setopt(c, CURLOPT_DEBUGFUNCTION, on_words);
    curl_easy_setopt(c, CURLOPT_DEBUGDATA, y);
    curl_easy_setopt(c, CURLOPT_VERBOSE, 1L);
}

int tls_try_result(const struct tls_try *y, CURLcode code, const struct plan_target *p, const char *address,
                   struct err *e)
{
    const char *why = *y->why ? y->why : curl_easy_strerror(code);
    if (code == CURLE_OK && (!p->http2 || y->http2)) return 0;
    if (code == CURLE_OK)
        return err_set(
            e, ERR_NET,
            "%s does not speak HTTP/2 (it was offered h2 in the TLS handshake): leave target.http at \"1.1\"", address);
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return err_set(e, ERR_NET,
                       "the certificate of %s is not accepted: %s (target.tls.ca_file names the authority to trust)",
                       address, why);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return err_set(e, ERR_NET, "%s ends no TLS handshake within the connect timeout", address);
    return err_set(e, ERR_NET, "no TLS with %s: %s", address, why);
}
