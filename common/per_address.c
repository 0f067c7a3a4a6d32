#include "common/per_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct address_count *find(struct per_address *p, const char *address)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (strcmp(p->row[i].address, address) == 0) return &p->row[i];
    return NULL;
}

struct address_count *per_address_row(struct per_address *p, const char *address)
{
    struct address_count *row = find(p, address);
    if (!row && p->n >= PER_ADDRESS_MAX) row = find(p, address = PER_ADDRESS_OTHERS);
    if (row) return row;
    row = &p->row[p->n++]; /* the last row is for all others */
    *row = (struct address_count){0};
    (void)snprintf(row->address, sizeof row->address, "%s", address);
    return row;
}

void per_address_add(struct per_address *to, const struct per_address *from)
{
    for (uint32_t i = 0; i < from->n; i++) {
        const struct address_count *part = &from->row[i];
        struct address_count *sum = per_address_row(to, part->address);
        sum->requests += part->requests;
        sum->ok += part->ok;
        sum->failed += part->failed;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct address_count *x = a, *y = b;
    return strcmp(x->address, y->address);
}

void per_address_sort(struct per_address *p)
{
    qsort(p->row, p->n, sizeof *p->row, by_name);
}
