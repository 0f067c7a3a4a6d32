/* Requests by remote address: shows a load balance that is uneven, and one bad server among many. One row per address,
 * at most PER_ADDRESS_MAX of them. All other addresses share one more row, PER_ADDRESS_OTHERS. Adding up loses nothing.
 * Pure. */
#pragma once
#include <stdint.h>

#define PER_ADDRESS_MAX 64u
#define PER_ADDRESS_OTHERS "others"

struct address_count {
    char address[64];              /* "127.0.0.1:8000", "[::1]:8000"; the rest is zero */
    uint64_t requests, ok, failed; /* handed to the transport; ended ok; failed, by whatever label */
};

struct per_address {
    uint32_t n;
    struct address_count row[PER_ADDRESS_MAX + 1];
};

/* The row of an address, made when there is none. */
struct address_count *per_address_row(struct per_address *p, const char *address);
void per_address_add(struct per_address *to, const struct per_address *from);
void per_address_sort(struct per_address *p); /* by name */
