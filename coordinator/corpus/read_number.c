#include "coordinator/corpus/read_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

bool read_decimal(const char *s, size_t n, double *ret)
{
    char copy[48], *end;
    if (n == 0 || n >= sizeof copy) return false;
    memcpy(copy, s, n); /* a slice of a file: nothing ends it */
    copy[n] = 0;
    if (strspn(copy, "0123456789.eE+-") < n) return false;
    *ret = strtod(copy, &end);
    return *end == 0 && isfinite(*ret);
}

bool read_json_number(struct json *j, double *ret)
{
    return json_enter(j, JSON_NUMBER) && read_decimal(j->text, j->len, ret);
}

/* Digits of a fraction, at most nine count. Returns how many were read over. */
static size_t read_fraction(const char *s, size_t n, int64_t *ret_ns)
{
    int64_t unit = NS_PER_S / 10;
    size_t i = 0;
    *ret_ns = 0;
    for (; i < n && s[i] >= '0' && s[i] <= '9'; i++, unit /= 10)
        *ret_ns += (s[i] - '0') * unit;
    return i;
}

bool read_seconds(const char *s, size_t n, int64_t *ret_ns)
{
    int64_t whole = 0, part = 0;
    size_t i = 0;
    double v;
    while (i < n && s[i] >= '0' && s[i] <= '9' && whole < INT64_MAX / NS_PER_S / 10)
        whole = whole * 10 + (s[i++] - '0');
    if (i > 0 && i < n && s[i] == '.') i += 1 + read_fraction(s + i + 1, n - i - 1, &part);
    if (i == n && n > 0 && s[0] != '.') {
        *ret_ns = whole * NS_PER_S + part;
        return true;
    }
    if (!read_decimal(s, n, &v) || v < 0 || v > 9e9) return false; /* an exponent */
    *ret_ns = llround(v * (double)NS_PER_S);
    return true;
}

/* `digits` digits, of at most `most`; advances *s. */
static bool take(const char **s, const char *end, int digits, int least, int most, int *ret)
{
    *ret = 0;
    for (int i = 0; i < digits; i++, (*s)++) {
        if (*s == end || **s < '0' || **s > '9') return false;
        *ret = *ret * 10 + (**s - '0');
    }
    return *ret >= least && *ret <= most;
}

static bool take_char(const char **s, const char *end, const char *any)
{
    if (*s == end || !strchr(any, **s)) return false;
    (*s)++;
    return true;
}

/* Days from 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that begin in March. */
static int64_t days_from_civil(int y, int m, int d)
{
    y -= m <= 2;
    int64_t era = y / 400, year = y % 400, day = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + year * 365 + year / 4 - year / 100 + day - 719468;
}

bool read_timestamp(const char *s, size_t n, int64_t *ret_ns)
{
    const char *end = s + n;
    int year, month, day, hour, minute, second, zone_hour = 0, zone_minute = 0, sign = 1;
    int64_t fraction = 0;
    if (!take(&s, end, 4, 1970, 2200, &year) || !take_char(&s, end, "-") || !take(&s, end, 2, 1, 12, &month) ||
        !take_char(&s, end, "-") || !take(&s, end, 2, 1, 31, &day) || !take_char(&s, end, " T") ||
        !take(&s, end, 2, 0, 23, &hour) || !take_char(&s, end, ":") || !take(&s, end, 2, 0, 59, &minute) ||
        !take_char(&s, end, ":") || !take(&s, end, 2, 0, 60, &second))
        return false;
    if (s < end && *s == '.') {
        size_t digits = read_fraction(s + 1, (size_t)(end - s - 1), &fraction);
        if (digits == 0 || digits > 9) return false;
        s += 1 + digits;
    }
    if (s < end && *s == 'Z')
        s++;
    else if (s < end) {
        sign = *s == '-' ? -1 : 1;
        if (!take_char(&s, end, "+-") || !take(&s, end, 2, 0, 23, &zone_hour)) return false;
        if (s < end && *s == ':') s++;
        if (!take(&s, end, 2, 0, 59, &zone_minute)) return false;
    }
    if (s != end) return false;
    int64_t seconds = days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
                      sign * (zone_hour * 3600 + zone_minute * 60);
    *ret_ns = seconds * NS_PER_S + fraction;
    return true;
}
