/* The live page (--ui) as a follower of the run: what happens now once a second, and the report of the stages so far
 * after each of them. Reports are made from the run's file by a thread of lower priority, and only while somebody
 * watches, so that neither the loop nor the agents of this machine wait for them. */
#pragma once
#include <pthread.h>

#include "coordinator/data.h"
#include "coordinator/ui.h"

enum { RUN_UI_ROWS = 120, RUN_UI_EVENTS = 8 };

struct run_ui_row {
    double t_s, tokens_per_s, in_flight, ttft_p50_ms, failed;
};
struct run_ui_event {
    int64_t wall_ns;
    enum run_event_kind kind;
    char text[240];
};

struct run_ui {
    struct ui *ui;           /* NULL: no page; every call then does nothing */
    char dir[1024];          /* of the run */
    const struct plan *plan; /* borrowed */
    int64_t next_ns;
    uint32_t epoch;                            /* of the stage that the rows are of */
    struct run_ui_row rows[RUN_UI_ROWS];       /* the latest seconds of the stage */
    struct run_ui_event events[RUN_UI_EVENTS]; /* the latest */
    size_t n_rows, n_events;
    bool ended; /* a stage has, and the page does not know yet */
    pthread_t maker;
    bool making;          /* the thread is there */
    pthread_mutex_t lock; /* of the three below */
    pthread_cond_t wake;
    bool stale, last; /* the report is older than the run's file; it is the last one */
};

ERR_CHECKED int run_ui_open(struct run_ui *p, const char *address, const char *dir, struct err *e); /* NULL: no page */
void run_ui_close(struct run_ui *p);
/* The run is over and its reports are written: whoever watches gets the last one. Waits for that, a few seconds at
 * most.
 */
void run_ui_over(struct run_ui *p, int status);
