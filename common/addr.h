/* Addresses as networks: parsing, matching, and the addresses that are never connected to, whatever a plan asks for.
 * Pure, but for what "*" asks of the kernel. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr_net {
    uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t bits;
};

/* The port of tcp://HOST:PORT: after the last colon there must be a number up to 65535, or "*" where any is allowed.
 * ZeroMQ takes a larger number modulo 65536, and then listens or dials somewhere else. */
bool addr_port_valid(const char *endpoint, bool any);

/* "127.0.0.1:9100", "[::1]:0", "*:9100": what a page listens on. "*" is every address of this machine: [::], which
 * takes IPv4 too, or 0.0.0.0 where the kernel has no IPv6. -1 when it is none. */
int addr_socket_parse(const char *text, struct sockaddr_storage *ret);

int addr_net_parse(const char *text, struct addr_net *ret); /* "10.0.0.0/8", "fd00::/8"; -1 when it is none */
bool addr_in_net(const uint8_t addr[16], const struct addr_net *net);

/* The 16 bytes of an address, and how it is written. -1 when it is neither IPv4 nor IPv6. */
int addr_of(const struct sockaddr *sa, uint8_t ret_addr[16], char ret_shown[INET6_ADDRSTRLEN]);

/* Why an address is never a target, in any spelling that reaches it (IPv4-mapped or -compatible, 6to4, NAT64):
 * link-local and cloud metadata addresses, multicast, broadcast, "this network" (0.0.0.0/8, ::). NULL: it is not
 * forbidden. */
const char *addr_forbidden(const uint8_t addr[16]);
