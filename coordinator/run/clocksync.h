/* The offset of an agent's clock by exchanges of four stamps, as in NTP (RFC 5905, section 8): t1 sent here, t2
 * received there, t3 sent there, t4 received here. Of a series the exchange with the shortest delay wins; the error of
 * its offset is at most half of its delay. Later, single exchanges keep the offset up to date: clocks drift, so its
 * bound grows with time, and a new exchange replaces it as soon as the bound of the new one is smaller. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define CLOCKSYNC_EXCHANGES 8u
#define CLOCKSYNC_DRIFT_PPM 500 /* of two clocks that are slewed apart; NTP slews by at most this */

struct clocksync {
    bool known;        /* a series has been completed */
    int64_t offset_ns; /* agent's clock - ours */
    int64_t bound_ns;  /* |error of offset_ns| <= bound_ns at the moment at_ns */
    int64_t delay_ns;  /* of the winner */
    int64_t at_ns;     /* our time of the winner */
    int64_t tried_ns;  /* our time of the latest answer */
    uint32_t jumps;    /* how often an exchange showed that the other clock had jumped: both bounds cannot be true */
    /* the series under way */
    uint32_t left; /* exchanges still wanted; 0 = none under way */
    uint32_t seq;  /* of the exchange that is out */
    int64_t t1;
    int64_t best_delay, best_offset, best_at;
};

void clocksync_begin(struct clocksync *c); /* a new series; what is known stays until it ends */
void clocksync_track(struct clocksync *c); /* the same of one exchange; nothing while a series is under way */
bool clocksync_settled(const struct clocksync *c, int64_t now,
                       int64_t fresh_ns); /* known, and heard of no longer ago than fresh_ns */
int64_t clocksync_bound(const struct clocksync *c, int64_t now);
/* The next (or, when the last was lost, another) exchange: stamps t1 = now. Call only while left > 0. */
void clocksync_ask(struct clocksync *c, int64_t now, uint32_t *ret_seq, int64_t *ret_t1);
enum clocksync_result { CLOCKSYNC_MORE, CLOCKSYNC_DONE, CLOCKSYNC_IGNORED }; /* ignored: late, replayed or impossible */
enum clocksync_result clocksync_echo(struct clocksync *c, uint32_t seq, int64_t t1, int64_t t2, int64_t t3, int64_t t4);
