#include "coordinator/answer/part_words.h"

#include <math.h>

#include "common/human.h"
#include "coordinator/answer/answer_say.h"

#define PART_LOST 0.9       /* of the requests of a workload, a model or an address */
#define PARTS_MOST 3        /* of these, named */
#define BROKEN_TELL 0.1     /* of the conversations that ended */
#define UNFINISHED_TELL 0.5 /* of the conversations that began */
#define ANEW_TELL 0.5       /* of the requests, a connection that was closed for another reason than the load */
#define UPLOAD_TELL 0.1     /* of TTFT */
#define UNSERVED_TELL 0.02  /* of the users of a closed loop, … */
#define UNSERVED_TIMES 2    /* … and so many times the share of the requests */

static bool is_lost(uint64_t ok, uint64_t failed)
{
    return failed > 0 && (double)failed >= PART_LOST * (double)(ok + failed);
}

/* "27 of 30 requests ": the failed ones. */
static void say_failed(struct answer *a, uint64_t ok, uint64_t failed)
{
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    answer_say(a, "%s of %s ", ok ? human_count(failed, n) : "All",
               human_things((double)(ok + failed), "request", all));
}

static void say_more(struct answer *a, uint32_t lost)
{
    if (lost > PARTS_MOST) answer_say(a, "The same holds for %u more. ", lost - PARTS_MOST);
}

/* Of all stages, and of the requests due in a window; `known`: some stage keeps parts of this kind. */
struct part_ends {
    uint64_t ok, failed, cut;
    bool known;
};

static struct part_ends part_ends(const struct plan *plan, const struct point *points, size_t n, enum group_kind kind,
                                  uint32_t number)
{
    struct part_ends e = {0};
    for (size_t i = 0; i < n; i++) {
        const struct groups *all = points[i].data ? &points[i].data->groups : NULL;
        for (uint32_t k = 0; all && k < all->n; k++) {
            const struct mix_group *g = &all->row[k];
            e.known |= g->kind == kind;
            if (g->kind != kind || g->number != number) continue;
            e.ok += g->counters[GROUP_COUNT_WIN_OK];
            e.failed += g->counters[GROUP_COUNT_WIN_FAILED];
            e.cut += plan->cancel_fraction > 0 ? 0 : g->counters[GROUP_COUNT_WIN_CLOSED];
        }
    }
    return e;
}

/* How a part of a mix is in no figure, or next to none: its requests failed, or hang, maybe since the warm-up. Returns
 * false where it is in them. */
static bool say_part(const char *kind, const char *name, const struct part_ends *e, bool told, struct answer *a)
{
    bool none = e->ok + e->failed + e->cut == 0;
    if (!none && !is_lost(e->ok, e->failed + e->cut)) return false;
    if (!told) return true;
    if (none)
        answer_say(a, "No request of %s %.60s ended ok in a window", kind, name);
    else
        say_failed(a, e->ok, e->failed + e->cut);
    if (!none)
        answer_say(a, "of %s %.60s %s", kind, name,
                   !e->cut     ? "failed"
                   : e->failed ? "failed or got no whole answer"
                               : "got no whole answer");
    answer_say(a, ": the figures are %swithout it. ", e->ok ? "nearly " : "");
    return true;
}

/* A workload or a model of which nearly no request ended well is in no figure. */
static void say_mix(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    uint32_t lost = 0;
    uint64_t good = 0;
    for (size_t i = 0; i < n; i++)
        good += points[i].window_ok;
    for (uint32_t i = 0; good && plan->n_workloads > 1 && i < plan->n_workloads && i < GROUPS_OF_A_KIND; i++) {
        struct part_ends e = part_ends(plan, points, n, GROUP_WORKLOAD, i);
        lost += e.known && say_part("workload", plan->workloads[i].name, &e, lost < PARTS_MOST, a);
    }
    for (uint32_t i = 0; good && plan->target.n_models > 1 && i < plan->target.n_models && i < GROUPS_OF_A_KIND; i++) {
        struct part_ends e = part_ends(plan, points, n, GROUP_MODEL, i);
        lost += e.known && say_part("model", plan->target.models[i].name, &e, lost < PARTS_MOST, a);
    }
    say_more(a, lost);
}

/* One bad server of several. */
static void say_addresses(const struct point *points, size_t n, struct answer *a)
{
    struct per_address all = {0};
    uint32_t lost = 0, good = 0;
    for (size_t i = 0; i < n; i++)
        if (points[i].data) per_address_add(&all, &points[i].data->addresses);
    for (uint32_t i = 0; i < all.n; i++)
        good += all.row[i].ok > 0 && !is_lost(all.row[i].ok, all.row[i].failed);
    for (uint32_t i = 0; i < all.n && good; i++) {
        if (!is_lost(all.row[i].ok, all.row[i].failed) || ++lost > PARTS_MOST) continue;
        say_failed(a, all.row[i].ok, all.row[i].failed);
        answer_say(a, "to %s failed, and other addresses of the target answer. ", all.row[i].address);
    }
    say_more(a, lost);
}

/* How many users of a closed loop had nothing, where their requests do not show it: at the load where it is most. */
static void say_users(const struct point *points, size_t n, struct answer *a)
{
    const struct point *most = NULL;
    char unserved[HUMAN_MAX], served[HUMAN_MAX], all[HUMAN_THINGS_MAX], load[LOAD_LABEL];
    for (size_t i = 0; i < n; i++) {
        const struct point *p = &points[i];
        double share = p->users.unserved / p->users.n, requests = (double)(p->window_failed + p->window_cut);
        if (!(share > UNSERVED_TELL) || !(share > UNSERVED_TIMES * requests / (double)point_due(p))) continue;
        if (!most || share > most->users.unserved / most->users.n) most = p;
    }
    if (!most) return;
    double nothing = round(10 * most->users.unserved) / 10,
           good = round(10 * fmax(0, most->users.n - most->users.unserved)) / 10;
    (void)human_things(most->users.n, "user", all);
    if (n > 1) answer_say(a, "Load %s: ", load_label(&most->requested, load));
    answer_say(a, "%s of %s on average waited for requests that failed or got no whole answer, and %s were served. ",
               human_number(nothing, unserved), all, human_number(good, served));
    answer_say(a, "Few of the requests are such, since users who are answered make many more. ");
}

/* Later turns have the longest prompts, and what a cache may know. */
static void say_unfinished(const struct plan *plan, struct answer *a)
{
    const uint64_t *c = a->counters;
    uint64_t begun = c[COUNTER_SESSIONS], ended = c[COUNTER_SESSIONS_DONE] + c[COUNTER_SESSIONS_BROKEN];
    bool trees = plan_has_trees(plan);
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    if (!(begun > ended) || (double)(begun - ended) < UNFINISHED_TELL * (double)begun) return;
    answer_say(a, "%s of %s had not come to their last %s when their stage ended: ", human_count(begun - ended, n),
               human_things((double)begun, trees ? "session tree" : "conversation", all), trees ? "request" : "turn");
    answer_say(a, "the figures hold few of the later ones, whose prompts are the longest. A longer load.duration has "
                  "more of them. ");
}

static void say_broken(const struct plan *plan, struct answer *a)
{
    uint64_t broken = a->counters[COUNTER_SESSIONS_BROKEN], ended = broken + a->counters[COUNTER_SESSIONS_DONE];
    char n[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    if (plan_has_trees(plan) || !broken || (double)broken < BROKEN_TELL * (double)ended) return;
    answer_say(a, "%s of %s broke off before their last turn: the figures are without the turns that are missing. ",
               human_count(broken, n), human_things((double)ended, "conversation", all));
}

/* What connections are closed for, where that is half as often as a request is sent; NULL: it is not. Failures that
 * closed one are told as such. Those that the agents open ahead of a rate, or close to take a request back, show
 * nothing. */
static const char *who_closes(const struct plan *plan, const uint64_t c[COUNTER_N])
{
    double few = ANEW_TELL * (double)c[COUNTER_SENT], idle = (double)c[COUNTER_CONNECTIONS_IDLE];
    double ended = (double)c[COUNTER_CONNECTIONS_ENDED] - (double)counters_failed(c);
    if (plan->target.fresh_connections)
        return (double)c[COUNTER_CONNECTIONS] < few ? NULL : "No connection is used again (target.connections: fresh)";
    if (fmax(ended, 0) + idle < few) return NULL;
    if (idle > ended) return "The agents close connections that are idle for 4 s";
    return plan->target.proxy ? "The proxy, or the server behind it, closes connections"
                              : "The server closes connections";
}

/* Latencies begin on a ready connection: what a new one takes is in none of them. */
static void say_connections(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    double ms = 0, count = 0;
    uint64_t c[COUNTER_N] = {0};
    char number[HUMAN_MAX], all[HUMAN_THINGS_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct metric_stat *connect = &points[i].metric[METRIC_CONNECT];
        if (!points[i].data || !connect->count) continue;
        counters_add(c, points[i].data->counters);
        ms += connect->mean * (double)connect->count;
        count += (double)connect->count;
    }
    const char *who = count > 0 ? who_closes(plan, c) : NULL;
    if (!who) return;
    answer_say(a, "%s: %s took", who, human_things((double)c[COUNTER_SENT], "request", all));
    answer_say(a, " %s", human_things((double)c[COUNTER_CONNECTIONS], "new connection", all));
    answer_say(a, ", of %s ms on average, which TTFT and E2E do not hold. ", human_number(ms / count, number));
}

/* It lies in TTFT, and the server sees nothing of the request before its end. */
static void say_upload(const struct point *points, size_t n, struct answer *a)
{
    double ns = 0, ms = 0, count = 0;
    char number[HUMAN_MAX], share[HUMAN_MAX];
    for (size_t i = 0; i < n; i++) {
        const struct metric_stat *ttft = &points[i].metric[METRIC_TTFT];
        if (!points[i].data || !ttft->count) continue;
        ns += (double)points[i].data->counters[COUNTER_WIN_UPLOAD_NS];
        ms += ttft->mean * (double)ttft->count;
        count += (double)ttft->count;
    }
    if (!(count > 0) || ns / 1e6 < UPLOAD_TELL * ms) return;
    answer_say(a, "Until the last byte of a request was sent %s ms passed on average, %s of TTFT: ",
               human_number(ns / 1e6 / count, number), human_percent(ns / 1e6 / ms, share));
    answer_say(a, "prompts are large for the way to the server, or it reads them slowly. ");
}

void part_words(const struct plan *plan, const struct point *points, size_t n, struct answer *a)
{
    if (!plan) return;
    say_mix(plan, points, n, a);
    if (a->failed) say_addresses(points, n, a);
    say_users(points, n, a);
    say_unfinished(plan, a);
    say_broken(plan, a);
    say_connections(plan, points, n, a);
    say_upload(points, n, a);
}
