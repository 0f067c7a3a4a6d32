#include "coordinator/corpus/format.h"

const struct format *format_of(const struct plan_workload *w)
{
    return w->source == SOURCE_TRACE ? &READ_TRACE[w->data.trace] : &READ_DATASET[w->data.dataset];
}
