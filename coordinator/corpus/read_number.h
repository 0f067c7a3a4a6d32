/* Numbers and times as foreign files write them. All are whole cells: nothing may follow. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/json_scan.h"

bool read_decimal(const char *s, size_t n, double *ret);       /* 12, 12.5, 1e3; finite */
bool read_json_number(struct json *j, double *ret);            /* the next value; false: it is none */
bool read_seconds(const char *s, size_t n, int64_t *ret_ns);   /* 5, 19440110.0, 0.123456789: exact to the ns */
bool read_timestamp(const char *s, size_t n, int64_t *ret_ns); /* 2023-11-16 18:17:03.9799600, T for the space, 0 to 9
                                                                  digits, Z or +00:00 or no zone (taken as UTC) */
