#include "coordinator/report/reasons.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/report_parts.h"
#include "coordinator/answer/load_axis.h"

#define LISTED 3u /* more stages than these are counted, not listed */

static const char *skip_number(const char *s)
{
    while ((*s >= '0' && *s <= '9') || *s == '.' || *s == ',' || *s == '-' || *s == '+' || *s == 'e')
        s++;
    return s;
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

bool reasons_same(const char *x, const char *y)
{
    while (*x && *y) {
        if (digit(*x) && digit(*y)) {
            x = skip_number(x);
            y = skip_number(y);
        } else if (*x++ != *y++)
            return false;
    }
    return *x == *y;
}

static int by_weight(const void *x, const void *y)
{
    const struct reason_group *a = x, *b = y;
    if (a->status != b->status) return a->status < b->status ? 1 : -1;
    if (a->n != b->n) return a->n < b->n ? 1 : -1;
    return (a->first > b->first) - (a->first < b->first);
}

static bool has(const struct point *p, const struct reason_group *group)
{
    for (uint32_t i = 0; i < p->verdict.n_reasons; i++)
        if (p->verdict.weight[i] == group->status && reasons_same(p->verdict.reason[i], group->text)) return true;
    return false;
}

size_t reasons_group(const struct analysis *a, enum verdict_status least, struct reason_group *ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < a->n_points; i++) {
        const struct verdict *v = &a->points[i].verdict;
        for (uint32_t k = 0; k < v->n_reasons && v->weight[k] >= least && n < max; k++) {
            struct reason_group group = {.status = v->weight[k], .aside = true, .text = v->reason[k], .first = i};
            bool seen = false;
            for (size_t j = 0; j < n && !seen; j++)
                seen = ret[j].status == group.status && reasons_same(ret[j].text, group.text);
            for (size_t j = i; j < a->n_points && !seen; j++) {
                if (!has(&a->points[j], &group)) continue;
                group.n++;
                group.aside &= a->points[j].verdict.status == VERDICT_VALID;
            }
            if (!seen) ret[n++] = group;
        }
    }
    qsort(ret, n, sizeof *ret, by_weight);
    return n;
}

bool reasons_quoted(const struct analysis *a, const char *cause, const struct reason_group *group)
{
    if (cause && group->status == VERDICT_INVALID) return strcmp(cause, group->text) == 0;
    return group->n == 1 && strstr(a->answer.text, group->text);
}

bool reasons_differ(const struct analysis *a, const struct reason_group *group)
{
    for (size_t i = 0; i < a->n_points; i++) {
        const struct verdict *v = &a->points[i].verdict;
        for (uint32_t k = 0; k < v->n_reasons; k++)
            if (v->weight[k] == group->status && reasons_same(v->reason[k], group->text) &&
                strcmp(v->reason[k], group->text) != 0)
                return true;
    }
    return false;
}

void reasons_where(const struct analysis *a, const struct reason_group *group, char *ret, size_t n)
{
    char load[64];
    size_t at = 0, listed = 0;
    if (group->n > LISTED) {
        (void)snprintf(ret, n, "%zu of %zu stages, first load %s", group->n, a->n_points,
                       load_label(&a->points[group->first].requested, load));
        return;
    }
    ret[0] = 0;
    for (size_t i = 0; i < a->n_points && at < n; i++) {
        if (!has(&a->points[i], group)) continue;
        int len = snprintf(ret + at, n - at, "%s%s",
                           listed++       ? ", "
                           : group->n > 1 ? "loads "
                                          : "load ",
                           load_label(&a->points[i].requested, load));
        at += len > 0 ? (size_t)len : 0;
    }
    if (at < n && reasons_differ(a, group))
        (void)snprintf(ret + at, n - at, "; at %s", load_label(&a->points[group->first].requested, load));
}
