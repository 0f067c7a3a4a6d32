#include "common/human.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TINY 1e-6
#define HUGE_NUMBER 1e15

/* Digits with an optional sign and fraction, thousands grouped. */
static const char *group(const char *raw, char buf[HUMAN_MAX])
{
    size_t sign = *raw == '-', whole = strcspn(raw, "."), out = 0;
    for (size_t i = 0; raw[i] && out + 2 < HUMAN_MAX; i++) {
        if (i > sign && i < whole && (whole - i) % 3 == 0) buf[out++] = ',';
        buf[out++] = raw[i];
    }
    buf[out] = '\0';
    return buf;
}

/* "4.50" becomes "4.5", "4.00" becomes "4". */
static void trim(char *raw)
{
    size_t n = strlen(raw);
    if (!strchr(raw, '.')) return;
    while (raw[n - 1] == '0')
        raw[--n] = '\0';
    if (raw[n - 1] == '.') raw[n - 1] = '\0';
}

const char *human_number(double v, char buf[HUMAN_MAX])
{
    char raw[HUMAN_MAX];
    double size = fabs(v);
    int digits = 0;
    if (!isfinite(v)) {
        (void)snprintf(buf, HUMAN_MAX, "n/a");
        return buf;
    }
    if (size <= 0) v = 0; /* no "-0" */
    if (size > 0 && size < TINY) {
        (void)snprintf(buf, HUMAN_MAX, v > 0 ? "<0.000001" : ">-0.000001");
        return buf;
    }
    if (size >= HUGE_NUMBER) {
        (void)snprintf(buf, HUMAN_MAX, v > 0 ? ">999,999,999,999,999" : "<-999,999,999,999,999");
        return buf;
    }
    double top = 100;
    while (size > 0 && size < top && digits < 8) {
        top /= 10;
        digits++;
    }
    (void)snprintf(raw, sizeof raw, "%.*f", digits, v);
    trim(raw);
    return group(raw, buf);
}

const char *human_percent(double share, char buf[HUMAN_MAX])
{
    double v = 100 * share;
    if (v >= 99 && v < 100) v = floor(100 * v) / 100; /* 99.96 stays 99.96 */
    if (v >= 99 && v < 100)
        (void)snprintf(buf, HUMAN_MAX, "%.2f", v);
    else
        (void)human_number(v, buf);
    if (strchr(buf, '.')) trim(buf);
    size_t n = strlen(buf);
    if (isfinite(v)) (void)snprintf(buf + n, HUMAN_MAX - n, " %%");
    return buf;
}

const char *human_change(double share, char buf[HUMAN_MAX])
{
    char raw[HUMAN_MAX];
    (void)human_percent(share, raw);
    (void)snprintf(buf, HUMAN_MAX, "%s%.*s", share > 0 ? "+" : "", HUMAN_MAX - 2, raw);
    return buf;
}

const char *human_plain(double v, char buf[HUMAN_MAX])
{
    double size = fabs(v);
    int digits = 5;
    if (!isfinite(v) || size >= HUGE_NUMBER) return human_number(v, buf);
    if (size <= 0) v = 0;
    for (; size >= 10 && digits > 0; digits--)
        size /= 10;
    for (; size > 0 && size < 1 && digits < 15; digits++)
        size *= 10;
    (void)snprintf(buf, HUMAN_MAX, "%.*f", digits, v);
    trim(buf);
    return buf;
}

const char *human_short(double v, size_t width, char buf[HUMAN_MAX])
{
    static const char UNITS[] = "kMGT";
    if (strlen(human_number(v, buf)) <= width) return buf;
    double size = fabs(v);
    if (size < 0.01) {
        (void)snprintf(buf, HUMAN_MAX, v > 0 ? "<0.01" : ">-.01");
        return buf;
    }
    if (size < HUGE_NUMBER) {
        (void)snprintf(buf, HUMAN_MAX, "%.*f", size >= 1000 ? 0 : 2, v);
        if (strlen(buf) <= width) return buf;
    }
    for (size_t i = 0; UNITS[i] && size < HUGE_NUMBER; i++) {
        size /= 1000;
        if (size >= 999.5) continue;
        (void)snprintf(buf, HUMAN_MAX, "%s%.*f%c", v < 0 ? "-" : "",
                       size >= 99.5 || v < 0 ? 0
                       : size >= 9.95        ? 1
                                             : 2,
                       size, UNITS[i]);
        return buf;
    }
    (void)snprintf(buf, HUMAN_MAX, v > 0 ? ">999T" : "<-9T");
    return buf;
}

/* The plural's s goes before a slash: requests/s. */
const char *human_things(double n, const char *thing, char buf[HUMAN_THINGS_MAX])
{
    char number[HUMAN_MAX];
    bool one = strcmp(human_number(n, number), "1") == 0;
    int word = (int)strcspn(thing, "/");
    (void)snprintf(buf, HUMAN_THINGS_MAX, "%s %.*s%s%s", number, word, thing, one ? "" : "s", thing + word);
    return buf;
}

const char *human_count(uint64_t n, char buf[HUMAN_MAX])
{
    char raw[HUMAN_MAX];
    (void)snprintf(raw, sizeof raw, "%" PRIu64, n);
    return group(raw, buf);
}

const char *human_stop(const char *sentence)
{
    static const char MORE[] = "…";
    size_t n = strlen(sentence);
    bool cut = n >= sizeof MORE - 1 && memcmp(sentence + n - (sizeof MORE - 1), MORE, sizeof MORE - 1) == 0;
    return cut || (n > 0 && strchr(".?", sentence[n - 1])) ? "" : ".";
}
