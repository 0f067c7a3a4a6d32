#include "common/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *net, *why;
} FORBIDDEN[] = {
    {"169.254.0.0/16", "link-local, where clouds keep their metadata service"},
    {"fe80::/10", "link-local"},
    {"fd00:ec2::/32", "a cloud's metadata service"},
    {"100.100.100.200/32", "a cloud's metadata service"},
    {"192.0.0.192/32", "a cloud's metadata service"},
    {"168.63.129.16/32", "a cloud's metadata service"},
    {"0.0.0.0/8", "\"this network\", not an address"},
    {"::/128", "the unspecified address"},
    {"224.0.0.0/4", "multicast"},
    {"ff00::/8", "multicast"},
    {"255.255.255.255/32", "broadcast"},
};

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void map4(const uint8_t v4[4], uint8_t out[16])
{
    memcpy(out, MAPPED, 12);
    memcpy(out + 12, v4, 4);
}

bool addr_port_valid(const char *endpoint, bool any)
{
    const char *port = strrchr(endpoint, ':');
    if (!port || !*++port) return false;
    if (any && strcmp(port, "*") == 0) return true;
    return strlen(port) <= 5 && strspn(port, "0123456789") == strlen(port) && strtoul(port, NULL, 10) <= 65535;
}

static const char *any_address(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) (void)close(fd);
    return fd >= 0 ? "::" : "0.0.0.0";
}

int addr_socket_parse(const char *text, struct sockaddr_storage *ret)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    char *end;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!colon || n >= sizeof host || !colon[1] || *end || port > 65535) return -1;
    if (n > 1 && text[0] == '[' && text[n - 1] == ']') text++, n -= 2;
    memcpy(host, text, n);
    host[n] = 0;
    if (strcmp(host, "*") == 0) (void)snprintf(host, sizeof host, "%s", any_address());
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1)
        memcpy(ret, &in, sizeof in);
    else if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1)
        memcpy(ret, &in6, sizeof in6);
    else
        return -1;
    return 0;
}

int addr_net_parse(const char *text, struct addr_net *ret)
{
    char host[64];
    const char *slash = strchr(text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof host) return -1;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = 0;
    char *end;
    unsigned long bits = strtoul(slash + 1, &end, 10);
    if (!isdigit((unsigned char)slash[1]) || *end) return -1;
    uint8_t v4[4];
    if (inet_pton(AF_INET, host, v4) == 1) {
        if (bits > 32) return -1;
        map4(v4, ret->addr);
        ret->bits = (uint8_t)(bits + 96);
        return 0;
    }
    if (inet_pton(AF_INET6, host, ret->addr) != 1 || bits > 128) return -1;
    ret->bits = (uint8_t)bits;
    return 0;
}

bool addr_in_net(const uint8_t a[16], const struct addr_net *net)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;
    if (memcmp(a, net->addr, whole) != 0) return false;
    if (!rest) return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return (a[whole] & mask) == (net->addr[whole] & mask);
}

int addr_of(const struct sockaddr *sa, uint8_t ret_addr[16], char ret_shown[INET6_ADDRSTRLEN])
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        map4((const uint8_t *)&in.sin_addr, ret_addr);
        (void)inet_ntop(AF_INET, &in.sin_addr, ret_shown, INET6_ADDRSTRLEN);
        return 0;
    }
    if (sa->sa_family != AF_INET6) return -1;
    struct sockaddr_in6 in6;
    memcpy(&in6, sa, sizeof in6);
    memcpy(ret_addr, &in6.sin6_addr, 16);
    (void)inet_ntop(AF_INET6, &in6.sin6_addr, ret_shown, INET6_ADDRSTRLEN);
    return 0;
}

/* An IPv6 address that only carries an IPv4 one is judged as that: mapped, compatible, 6to4, NAT64. */
static bool embedded4(const uint8_t a[16], uint8_t out[16])
{
    static const uint8_t ZERO[12] = {0}, NAT64[12] = {0x00, 0x64, 0xff, 0x9b};
    bool compatible = memcmp(a, ZERO, 12) == 0 && (a[12] || a[13] || a[14] || a[15] > 1);
    if (compatible || memcmp(a, NAT64, 12) == 0)
        map4(a + 12, out);
    else if (a[0] == 0x20 && a[1] == 0x02)
        map4(a + 2, out);
    else
        return false;
    return true;
}

static const char *listed(const uint8_t a[16])
{
    for (size_t i = 0; i < sizeof FORBIDDEN / sizeof *FORBIDDEN; i++) {
        struct addr_net net;
        if (addr_net_parse(FORBIDDEN[i].net, &net) == 0 && addr_in_net(a, &net)) return FORBIDDEN[i].why;
    }
    return NULL;
}

const char *addr_forbidden(const uint8_t a[16])
{
    uint8_t inner[16];
    const char *why = listed(a);
    return !why && embedded4(a, inner) ? listed(inner) : why;
}
