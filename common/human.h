/* Numbers for people: one formatter for terminal, page, JUnit, verdicts and the answer. Three significant digits below
 * 100, whole numbers in full with their thousands grouped; never an exponent. Files for programs do not use it. Pure.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define HUMAN_MAX 48

/* "n/a", "0", "0.0123", "4.57", "56.5", "565", "56,500"; below a millionth "<0.000001", from 10^15 on
 * ">999,999,999,999,999". Returns buf. */
const char *human_number(double v, char buf[HUMAN_MAX]);
/* A share: "3.27 %", "0.004 %", "100 %". Less than all is never rounded up to 100 %. */
const char *human_percent(double share, char buf[HUMAN_MAX]);
/* "1,593" */
const char *human_count(uint64_t n, char buf[HUMAN_MAX]);
/* A change: "+4.84 %", "-0.5 %", "0 %". */
const char *human_change(double share, char buf[HUMAN_MAX]);
/* As given in a plan, for labels that programs read too: up to six significant digits, neither exponent nor groups. */
const char *human_plain(double v, char buf[HUMAN_MAX]);
/* For a column of at most `width` characters, 5 or more: as human_number, else without groups, else "1.23M", "<0.01".
 */
const char *human_short(double v, size_t width, char buf[HUMAN_MAX]);
/* What ends this sentence: ".", or "" where it has its end (".", "?", "…"). */
const char *human_stop(const char *sentence);
/* A number of things, named in the singular: "1 request", "2,000 requests", "1.5 requests/s" of "request/s". */
#define HUMAN_THINGS_MAX 96
const char *human_things(double n, const char *thing, char buf[HUMAN_THINGS_MAX]);
