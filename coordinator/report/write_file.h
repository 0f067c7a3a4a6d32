/* Writes a file whole or not at all: beside the old one, made durable, then renamed over it. */
#pragma once
#include "common/buf.h"
#include "common/err.h"

ERR_CHECKED int write_file_atomic(const char *dir, const char *name, const struct buf *b, struct err *e);
void write_file_sync(const char *dir); /* makes the names in the folder durable; once after several files */
