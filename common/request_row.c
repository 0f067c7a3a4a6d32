#include "common/request_row.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_AT_FIRST 64u

const struct request_column REQUEST_COLUMNS[] = {
#define X(member, kind, meaning) {#member, meaning, REQUEST_##kind, offsetof(struct request_row, member)},
#include "common/request_row.def"
#undef X
};
const uint32_t REQUEST_COLUMNS_N = sizeof REQUEST_COLUMNS / sizeof *REQUEST_COLUMNS;

static bool is_small(enum request_kind k)
{
    return k != REQUEST_NUMBER && k != REQUEST_MOMENT;
}

int64_t request_row_get(const struct request_row *r, uint32_t column)
{
    const struct request_column *c = &REQUEST_COLUMNS[column];
    const char *at = (const char *)r + c->offset;
    uint32_t small;
    int64_t wide;
    if (is_small(c->kind)) {
        memcpy(&small, at, sizeof small);
        return small;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

void request_row_set(struct request_row *r, uint32_t column, int64_t value)
{
    const struct request_column *c = &REQUEST_COLUMNS[column];
    char *at = (char *)r + c->offset;
    uint32_t small = (uint32_t)value;
    if (is_small(c->kind))
        memcpy(at, &small, sizeof small);
    else
        memcpy(at, &value, sizeof value);
}

static int make_room(struct request_rows *r, uint32_t room)
{
    if (room > REQUEST_ROWS_MAX) room = REQUEST_ROWS_MAX;
    if (room <= r->room) return 0;
    struct request_row *more = realloc(r->row, room * sizeof *more);
    if (!more) return -1;
    r->row = more;
    r->room = room;
    return 0;
}

int request_rows_reserve(struct request_rows *r)
{
    return make_room(r, REQUEST_ROWS_MAX);
}

struct request_row *request_rows_new(struct request_rows *r)
{
    if (r->n == REQUEST_ROWS_MAX) return NULL;
    if (r->n == r->room && make_room(r, r->room ? 2 * r->room : ROOM_AT_FIRST)) return NULL;
    return &r->row[r->n++];
}

void request_rows_clear(struct request_rows *r)
{
    free(r->row);
    *r = (struct request_rows){0};
}
