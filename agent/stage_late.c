/* What late reads leave unknown of their token events. */
#include "agent/stage.h"

/* A read has one stamp, that of its last bytes and so of its last event. All that is known of the others in a late read
 * is that they came while the loop was away. `before`: the token event before these (0: none), which has the same stamp
 * where an earlier part of this read had one. */
static bool one_is_known(const struct transport *t, int64_t arrival, int64_t before)
{
    return t->arrival && (t->shared ? !t->more : arrival != before);
}

void stage_take_late(struct stage *st, struct request *r, uint32_t events, int64_t arrival, int64_t before)
{
    const struct transport *t = r->transfer.tr;
    struct stream *s = &r->stream;
    uint64_t *c = st->rec.snap->counters;
    bool known = one_is_known(t, arrival, before), after_hazy = before && before == s->hazy;
    uint32_t blurred = events - known;
    if (s->t.first_token == arrival && (s->events > 1 || !known)) s->late_first = true;
    c[COUNTER_BLURRED] += blurred;
    if (!t->arrival || t->shared || s->choice || after_hazy) {
        s->hazy = arrival;
    } else if (blurred && s->gaps.n) {
        gaps_put(&s->blurred, s->gaps.n - 1, 1);
        if (!s->blurred.lost) c[COUNTER_BLURRED_BOUND] += blurred;
    }
}
