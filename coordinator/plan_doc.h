/* What is made from the plan file's table of keys (common/plan/plan_key.c): the reference and the schema. */
#pragma once
#include "common/buf.h"

/* The tables of configs/README.md, in Markdown. */
int plan_reference_write(struct buf *out);
/* configs/plan.schema.json: JSON Schema, draft 2020-12. */
int plan_schema_write(struct buf *out);
