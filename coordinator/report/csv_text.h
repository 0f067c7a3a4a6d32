/* Cells of a CSV file, each after its comma. RFC 4180. */
#pragma once
#include "common/buf.h"

void csv_number(struct buf *b, double v); /* empty where n/a */
/* Quoted; a text that a spreadsheet would take for a formula gets an apostrophe before it. */
void csv_text(struct buf *b, const char *s);
