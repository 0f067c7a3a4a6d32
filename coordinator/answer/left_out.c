#include "coordinator/answer/left_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/human.h"
#include "common/text.h"

#define FILE_MOST 120

/* "10 of 1,000 records (1 %)"; session trees lose requests, whose number nobody has. */
static int part_words(const struct plan_workload *w, uint64_t n, bool trees, char *ret, size_t size)
{
    const struct plan_found *f = &w->data.found;
    uint64_t all = f->records + f->broken + f->outside + (trees ? 0 : f->empty);
    char count[HUMAN_MAX], things[HUMAN_THINGS_MAX], share[HUMAN_MAX];
    const char *thing = trees ? "session tree" : w->source == SOURCE_TRACE ? "row" : "record";
    return snprintf(ret, size, "%s of %s (%s)", human_count(n, count), human_things((double)all, thing, things),
                    human_percent((double)n / (double)all, share));
}

bool left_out_words(const struct plan_workload *w, char ret[static LEFT_OUT_WORDS])
{
    const struct plan_found *f = &w->data.found;
    bool trees = plan_workload_has_trees(w);
    char file[FILE_MOST + 4], part[220], things[HUMAN_THINGS_MAX];
    int n = 0;
    ret[0] = '\0';
    if (!workload_reads_file(w) || (f->broken == 0 && f->empty == 0)) return false;
    const char *slash = strrchr(w->data.file, '/');
    const char *name = text_cut(slash && slash[1] ? slash + 1 : w->data.file, FILE_MOST, file);
    if (f->broken) {
        (void)part_words(w, f->broken, trees, part, sizeof part);
        n = snprintf(ret, LEFT_OUT_WORDS, "%s of %s %s broken and left out, the first: %s", part, name,
                     f->broken == 1 ? "is" : "are", f->first_broken ? f->first_broken : "not known");
    }
    if (f->empty && trees)
        (void)snprintf(part, sizeof part, "%s", human_things((double)f->empty, "request", things));
    else if (f->empty)
        (void)part_words(w, f->empty, false, part, sizeof part);
    if (f->empty && n < LEFT_OUT_WORDS)
        (void)snprintf(ret + n, (size_t)(LEFT_OUT_WORDS - n), "%s%s of %s without an answer or a prompt left out",
                       n ? "; " : "", part, name);
    return true;
}

const char *left_out_of_plan(const struct plan *plan, char *ret, size_t size)
{
    char first[LEFT_OUT_WORDS], other[LEFT_OUT_WORDS], things[HUMAN_THINGS_MAX], more[HUMAN_THINGS_MAX + 32] = "";
    size_t n = 0;
    ret[0] = '\0';
    for (size_t i = 0; plan && i < plan->n_workloads; i++)
        if (left_out_words(&plan->workloads[i], n ? other : first)) n++;
    if (n == 0) return ret;
    if (n > 1)
        (void)snprintf(more, sizeof more, "; %s more lost some too", human_things((double)(n - 1), "workload", things));
    (void)snprintf(ret, size, "%s%s. ", first, more);
    return ret;
}
