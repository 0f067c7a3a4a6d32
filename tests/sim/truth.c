#include "tests/sim/truth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node {
    struct sim_record record;
    struct node *next;
};

struct sim_truth {
    FILE *file;
    struct node *head, *tail;
    size_t waiting;
    uint64_t lost;
};

struct sim_truth *sim_truth_open(const char *file, struct err *e)
{
    struct sim_truth *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(e, ERR_NOMEM, "out of memory");
        return NULL;
    }
    t->file = fopen(file, "we");
    if (!t->file) {
        err_set(e, ERR_IO, "%s: %s", file, strerror(errno));
        free(t);
        return NULL;
    }
    setvbuf(t->file, NULL, _IOFBF, 64 * 1024);
    return t;
}

int sim_truth_add(struct sim_truth *t, struct sim_record *r)
{
    struct node *n = malloc(sizeof *n);
    if (!n) {
        t->lost++;
        sim_record_clear(r);
        return -1;
    }
    *n = (struct node){.record = *r};
    r->emitted = r->due = NULL;
    if (t->tail)
        t->tail->next = n;
    else
        t->head = n;
    t->tail = n;
    t->waiting++;
    return 0;
}

/* Times as steps from one to the next, the first from `from`: short numbers, exact. */
static void put_deltas(FILE *f, const char *name, const int64_t *time, uint32_t n, int64_t from)
{
    fprintf(f, ",\"%s\":[", name);
    for (uint32_t i = 0; i < n; i++) {
        fprintf(f, "%s%" PRId64, i ? "," : "", time[i] - from);
        from = time[i];
    }
    fputc(']', f);
}

static void put_record(FILE *f, const struct sim_record *r)
{
    fprintf(f,
            "{\"request\":%" PRIu64 ",\"connection\":%" PRIu64 ",\"api\":\"%s\",\"stream\":%s,\"prompt\":%" PRIu32
            ",\"asked\":%" PRIu32 ",\"tokens\":%" PRIu32 ",\"events\":%" PRIu32 ",\"end\":\"%s\",\"fault\":\"%s\""
            ",\"received_ns\":%" PRId64,
            r->request, r->connection, r->api, r->stream ? "true" : "false", r->prompt, r->asked, r->tokens, r->events,
            r->end, r->fault, r->received);
    if (r->arrived) fprintf(f, ",\"arrived_ns\":%" PRId64, r->arrived);
    if (r->events)
        fprintf(f,
                ",\"first_ns\":%" PRId64 ",\"last_ns\":%" PRId64 ",\"first_due_ns\":%" PRId64
                ",\"last_due_ns\":%" PRId64 ",\"lag_sum_ns\":%" PRId64 ",\"lag_max_ns\":%" PRId64,
                r->first, r->last, r->first_due, r->last_due, r->lag_sum, r->lag_max);
    if (r->emitted) {
        put_deltas(f, "emitted_ns", r->emitted, r->events, r->received);
        put_deltas(f, "due_ns", r->due, r->events, r->received);
    }
    fputs("}\n", f);
}

void sim_truth_write(struct sim_truth *t, size_t n)
{
    for (; t->head && n; n--) {
        struct node *done = t->head;
        t->head = done->next;
        if (!t->head) t->tail = NULL;
        t->waiting--;
        put_record(t->file, &done->record);
        sim_record_clear(&done->record);
        free(done);
    }
}

size_t sim_truth_waiting(const struct sim_truth *t)
{
    return t->waiting;
}

int sim_truth_close(struct sim_truth **t, struct err *e)
{
    if (!*t) return 0;
    sim_truth_write(*t, SIZE_MAX);
    uint64_t lost = (*t)->lost;
    int broken = ferror((*t)->file);
    if (fclose((*t)->file)) broken = 1;
    free(*t);
    *t = NULL;
    if (broken) return err_set(e, ERR_IO, "the truth file could not be written in full");
    return lost ? err_set(e, ERR_NOMEM, "%" PRIu64 " records of the truth file were lost", lost) : 0;
}

int sim_record_reserve(struct sim_record *r, uint32_t n)
{
    r->emitted = malloc(n * sizeof *r->emitted);
    r->due = malloc(n * sizeof *r->due);
    r->cap = n;
    if (r->emitted && r->due) return 0;
    sim_record_clear(r);
    return -1;
}

void sim_record_event(struct sim_record *r, int64_t emitted, int64_t due, uint32_t tokens)
{
    int64_t lag = emitted - due;
    if (r->events == 0) {
        r->first = emitted;
        r->first_due = due;
    }
    r->last = emitted;
    r->last_due = due;
    r->lag_sum += lag;
    if (lag > r->lag_max) r->lag_max = lag;
    if (r->emitted && r->events < r->cap) {
        r->emitted[r->events] = emitted;
        r->due[r->events] = due;
    }
    r->events++;
    r->tokens += tokens;
}

void sim_record_clear(struct sim_record *r)
{
    free(r->emitted);
    free(r->due);
    r->emitted = r->due = NULL;
}
