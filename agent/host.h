/* What this machine (or container) gives us: cores by affinity mask and cgroup quota (versions 1 and 2), throttling,
 * descriptors, ports. The parsers are pure; files that are not there mean "no limit". */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct host {
    uint32_t cpus;        /* in the affinity mask */
    double quota;         /* cores that the cgroup grants; 0 = no limit */
    uint32_t usable;      /* worker threads that make sense: min(cpus, ceil(quota)), at least 1 */
    uint64_t descriptors; /* hard limit of open files */
    uint32_t ports;       /* local ports for one pair of source and destination address */
};
void host_read(struct host *ret);

/* Periods in which our cgroup, or one above it, was throttled so far; 0 where unknown. */
uint64_t host_throttled(void);

/* Makes room for `connections` sockets of ours beside `other` descriptors, spread over `pairs` pairs of source and
 * destination address. Raises the soft limit of descriptors where it must. ERR_LIMIT with a sentence that says what to
 * change. */
ERR_CHECKED int host_reserve(uint64_t connections, uint64_t other, uint64_t pairs, struct err *e);

/* How many connections more than these the limits leave room for, after host_reserve. */
uint64_t host_spare(uint64_t connections, uint64_t other, uint64_t pairs);

/* Pure parts. Cores of the line of cpu.max ("max 100000", "150000 100000"); 0 = no limit. */
double host_parse_cpu_max(const char *text);
/* Finds the path of our cgroup in the text of /proc/self/cgroup: of controller `cpu` for version 1, of the line "0::"
 * for 2 (controller NULL). Returns 0 or -1. */
int host_parse_cgroup(const char *text, const char *controller, char *ret_path, size_t n);
/* The value of a `key value` line (cpu.stat), 0 when absent. */
uint64_t host_parse_stat(const char *text, const char *key);
uint32_t host_usable(uint32_t cpus, double quota);
