/* One row for each request (record.requests): what an agent keeps of it, bounded. Rows travel in snapshots, so each
 * comes once. Where there is no room for a row it is left out: the counter `recorded` says how many were wanted. */
#pragma once
#include <stdint.h>

#define REQUEST_ROWS_MAX 8192u /* in one snapshot: less than 1 MiB on the wire */
#define REQUEST_NONE INT64_C(-1)
#define REQUEST_NOWHERE UINT32_MAX /* address of a request that was never sent */

enum request_kind { REQUEST_NUMBER, REQUEST_SMALL, REQUEST_OUTCOME, REQUEST_ADDRESS, REQUEST_MOMENT };

struct request_row {
    int64_t due; /* ns from the stage's T0, agent's clock */
#define REQUEST_FIELD_NUMBER(member) uint64_t member;
#define REQUEST_FIELD_SMALL(member) uint32_t member;
#define REQUEST_FIELD_OUTCOME(member) uint32_t member;
#define REQUEST_FIELD_ADDRESS(member) uint32_t member;
#define REQUEST_FIELD_MOMENT(member) int64_t member;
#define X(member, kind, meaning) REQUEST_FIELD_##kind(member)
#include "common/request_row.def"
#undef X
};

struct request_column {
    const char *name, *meaning;
    enum request_kind kind;
    uint32_t offset; /* in struct request_row */
};
extern const struct request_column REQUEST_COLUMNS[];
extern const uint32_t REQUEST_COLUMNS_N;
/* The value of a column, of whatever kind. */
int64_t request_row_get(const struct request_row *r, uint32_t column);
void request_row_set(struct request_row *r, uint32_t column, int64_t value);

struct request_rows {
    struct request_row *row; /* owned; NULL while there is none */
    uint32_t n, room;
};
/* Room for REQUEST_ROWS_MAX at once, so that nothing is allocated later; -1 without memory. */
int request_rows_reserve(struct request_rows *r);
/* A new row at the end, to be filled by the caller; NULL: there is no room for it. */
struct request_row *request_rows_new(struct request_rows *r);
void request_rows_clear(struct request_rows *r);
