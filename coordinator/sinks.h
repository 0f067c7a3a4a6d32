/* The kinds of followers of a run (sink.h). */
#pragma once
#include "coordinator/sink.h"

extern const struct sink_kind SINK_STORE;  /* arg: struct store * (sink_store.c) */
extern const struct sink_kind SINK_STATUS; /* arg: struct run_page * (run_page.c) */
extern const struct sink_kind SINK_UI;     /* arg: struct run_ui * (run_ui.c) */
extern const struct sink_kind SINK_TERM;   /* arg: struct term * (term.c) */
