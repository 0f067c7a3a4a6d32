#include "coordinator/answer/twice_words.h"

#include <math.h>

#include "common/human.h"
#include "coordinator/answer/answer_say.h"

/* Their mean is of neither: another state of the server, or of what stands before it. */
void twice_apart_words(struct answer *a)
{
    const struct runs_apart *r = &a->twice.apart;
    char load[LOAD_LABEL], loads[HUMAN_THINGS_MAX], stage[2][LOOK_TWICE_STAGE];
    if (!r->low) return;
    const struct point *first = look_twice_first(r), *then = first == r->low ? r->high : r->low;
    bool repeat = r->low->repeat != r->high->repeat, low = first == r->low;
    answer_say(a, "Runs of load %s are apart: ", load_label(&first->requested, load));
    answer_say_number(a, "", low ? r->low_value : r->high_value, ", then ");
    answer_say_number(a, "", low ? r->high_value : r->low_value, " ");
    answer_say(a, "%s (stages %s and %s%s). ", look_twice_figure(r->figure), look_twice_stage(first, repeat, stage[0]),
               look_twice_stage(then, repeat, stage[1]),
               r->resumed ? ", with the run interrupted and resumed between them" : "");
    if (r->unlike) { /* other requests: the server need not be another */
        answer_say_number(a, r->unlike == METRIC_INPUT_TOKENS ? "Their prompts had " : "Their answers had ",
                          first->metric[r->unlike].mean, ", then ");
        answer_say_number(a, "", then->metric[r->unlike].mean, " tokens on average");
    } else {
        answer_say(a, "%s changed in between", r->ours ? "Something" : "The server or the way to it");
    }
    if (r->more)
        answer_say(a, r->unlike ? "; runs of %s are apart too" : ", and between those of %s",
                   human_things(r->more, "other load", loads));
    answer_say(a, ", so no %s of %s given. ",
               r->figure != APART_THROUGHPUT ? "latency"
               : a->curve_apart              ? "plateau, no knee and no figure"
                                             : "figure",
               r->more ? "these loads is" : "this load is");
}

static void say_dip(const char *what, const struct answer_dip *d, struct answer *a)
{
    if (!(d->share > 0)) return;
    answer_say(a, "Look twice: %s falls by ", what);
    answer_say_percent(a, "", d->share, "");
    answer_say_number(a, " from load ", d->from_load, "");
    answer_say_number(a, " to ", d->to_load, "");
    answer_say(a, "%s. ", d->resumed ? ", with the run interrupted and resumed between them" : "");
}

/* token/s and times of loads whose answers differ in length are of unlike requests. */
static void say_lengths_apart(struct answer *a)
{
    const struct lengths_apart *l = &a->twice.lengths;
    char load[2][LOAD_LABEL];
    if (!l->low) return;
    answer_say_number(a, "Look twice: answers had ", l->low_value, " tokens on average");
    answer_say(a, " at load %s and ", load_label(&l->low->requested, load[0]));
    answer_say_number(a, "", l->high_value, "");
    answer_say(a, " at load %s: figures of these loads are of unlike answers. ",
               load_label(&l->high->requested, load[1]));
}

/* "90 s", "12 min", "3.5 h" */
static void say_time(struct answer *a, double s)
{
    const double minute = 60, hour = 3600;
    if (s < 2 * minute)
        answer_say_number(a, "", round(s), " s");
    else if (s < 2 * hour)
        answer_say_number(a, "", round(s / minute), " min");
    else
        answer_say_number(a, "", round(s / hour), " h");
}

static void say_interrupted(struct answer *a)
{
    const struct interrupted *i = &a->twice.interrupted;
    char load[LOAD_LABEL];
    if (!i->times) return;
    answer_say(a, "The run was interrupted after stage %u (load %s) and resumed", i->before->stage + 1,
               load_label(&i->before->requested, load));
    if (i->away_s > 0) {
        answer_say(a, " after ");
        say_time(a, i->away_s);
    }
    if (i->times > 1) answer_say(a, ", and %u more times", i->times - 1);
    answer_say(a, ": the server may have been in another state before. ");
}

void twice_words(struct answer *a)
{
    say_dip("throughput", &a->throughput_dip, a);
    say_dip("e2e p50", &a->latency_dip, a);
    if (!a->loads_apart) twice_apart_words(a);
    say_lengths_apart(a);
    say_interrupted(a);
}
