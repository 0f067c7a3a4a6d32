/* Rows of comma-separated values (RFC 4180): LF or CRLF, with or without a last one; a quoted cell may hold commas,
 * line ends and doubled quotes. */
#pragma once
#include "coordinator/corpus/format.h"

enum table_got { TABLE_ROW, TABLE_BLANK, TABLE_END, TABLE_BROKEN };
/* The next row from *at on; *line is that of *at and is moved on. A broken row is read over to the end of its line. */
enum table_got table_next(struct table *t, const char **at, const char *end, uint64_t *line);
int table_find(const struct table *t, const char *name); /* the cell that holds just this; -1 */
