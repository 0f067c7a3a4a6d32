#include "coordinator/run/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 }; /* a power of two */
#define NONE UINT32_MAX
#define WEIGHT_MAX 1000000u

struct registry {
    struct agent **agent; /* each allocated apart, so that pointers stay valid */
    size_t n, cap;
    uint32_t first;           /* number of agent[0] */
    uint32_t bucket[BUCKETS]; /* index of the first; by routing id: thousands of agents, one lookup a message */
    uint32_t named[BUCKETS];  /* the same by name: one lookup a HELLO, and thousands come at once */
    enum { WEIGH_UNKNOWN, WEIGH_WORDS, WEIGH_CAPACITY } weigh;
};

#define STAY AGENT_STATE_N /* no such transition */
#define ROW(clocked, planned, arm, ready, go, done, release, lose, bye)                                                \
    {                                                                                                                  \
        clocked, planned, arm, ready, go, done, release, lose, bye                                                     \
    }
/* clang-format off */
static const enum agent_state NEXT[AGENT_STATE_N][AGENT_EVENT_N] = {
    /*                      CLOCKED         PLANNED     ARM           READY        GO             DONE        RELEASE     LOSE        BYE */
    [AGENT_CLOCKING] = ROW(AGENT_PLANNING, STAY,       STAY,         STAY,        STAY,          STAY,       STAY,       AGENT_LOST, AGENT_LEFT),
    [AGENT_PLANNING] = ROW(STAY,           AGENT_IDLE, STAY,         STAY,        STAY,          STAY,       STAY,       AGENT_LOST, AGENT_LEFT),
    [AGENT_IDLE]     = ROW(STAY,           STAY,       AGENT_ARMING, STAY,        STAY,          STAY,       STAY,       AGENT_LOST, AGENT_LEFT),
    [AGENT_ARMING]   = ROW(STAY,           STAY,       STAY,         AGENT_READY, STAY,          STAY,       AGENT_IDLE, AGENT_LOST, AGENT_LEFT),
    [AGENT_READY]    = ROW(STAY,           STAY,       STAY,         STAY,        AGENT_RUNNING, STAY,       AGENT_IDLE, AGENT_LOST, AGENT_LEFT),
    [AGENT_RUNNING]  = ROW(STAY,           STAY,       STAY,         STAY,        STAY,          AGENT_DONE, AGENT_IDLE, AGENT_LOST, AGENT_LEFT),
    [AGENT_DONE]     = ROW(STAY,           STAY,       STAY,         STAY,        STAY,          STAY,       AGENT_IDLE, AGENT_LOST, AGENT_LEFT),
    [AGENT_LOST]     = ROW(STAY,           STAY,       STAY,         STAY,        STAY,          STAY,       STAY,       STAY,       STAY),
    [AGENT_LEFT]     = ROW(STAY,           STAY,       STAY,         STAY,        STAY,          STAY,       STAY,       STAY,       STAY),
};
/* clang-format on */
static const char *const NAMES[] = {"clocking", "planning", "idle", "arming", "ready",
                                    "running",  "done",     "lost", "left"};

const char *agent_state_name(enum agent_state s)
{
    return s < AGENT_STATE_N ? NAMES[s] : "?";
}

bool agent_step(struct agent *a, enum agent_event ev)
{
    enum agent_state next = NEXT[a->state][ev];
    if (next == STAY) return false;
    a->state = next;
    if (next == AGENT_LOST) a->info.lost = true;
    return true;
}

bool agent_alive(const struct agent *a)
{
    return a->state < AGENT_LOST;
}
bool agent_in_stage(const struct agent *a)
{
    return a->state >= AGENT_ARMING && a->state <= AGENT_DONE;
}
bool agent_silent(const struct agent *a, int64_t now, int64_t limit_ns)
{
    return agent_alive(a) && now - a->heard_ns > limit_ns;
}

struct registry *registry_new(void)
{
    struct registry *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    memset(r->bucket, 0xff, sizeof r->bucket);
    memset(r->named, 0xff, sizeof r->named);
    return r;
}

void registry_number_from(struct registry *r, uint32_t first)
{
    r->first = first;
}

void registry_destroy(struct registry **r)
{
    if (!*r) return;
    for (size_t i = 0; i < (*r)->n; i++)
        free((*r)->agent[i]);
    free((*r)->agent);
    free(*r);
    *r = NULL;
}

size_t registry_count(const struct registry *r)
{
    return r->n;
}
struct agent *registry_at(const struct registry *r, size_t i)
{
    return r->agent[i];
}

/* FNV-1a: ids are random bytes of the agent's own choice; a hostile one only makes its own bucket long, bounded by
 * REGISTRY_MAX. */
static uint32_t bucket_number(const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ at[i]) * 16777619u;
    return (h ^ h >> 16) & (BUCKETS - 1);
}

static uint32_t *bucket_of(const struct registry *r, const struct peer *p)
{
    return &((struct registry *)(uintptr_t)r)->bucket[bucket_number(p->id, p->n)];
}

static void link_in(struct registry *r, struct agent *a)
{
    uint32_t *b = bucket_of(r, &a->peer);
    a->chain = *b;
    *b = a->number - r->first;
}

static void unlink_from(struct registry *r, struct agent *a)
{
    for (uint32_t *at = bucket_of(r, &a->peer); *at != NONE; at = &r->agent[*at]->chain)
        if (*at == a->number - r->first) {
            *at = a->chain;
            return;
        }
}

struct agent *registry_find(const struct registry *r, const struct peer *p)
{
    for (uint32_t i = *bucket_of(r, p); i != NONE; i = r->agent[i]->chain)
        if (peer_equal(&r->agent[i]->peer, p)) return r->agent[i];
    return NULL;
}

struct agent *registry_named(const struct registry *r, const char *name)
{
    for (uint32_t i = r->named[bucket_number(name, strlen(name))]; i != NONE; i = r->agent[i]->name_chain)
        if (agent_alive(r->agent[i]) && strcmp(r->agent[i]->info.name, name) == 0) return r->agent[i];
    return NULL;
}

static struct agent *add(struct registry *r, const struct peer *from)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        struct agent **grown = realloc(r->agent, cap * sizeof(struct agent *));
        if (!grown) return NULL;
        r->agent = grown;
        r->cap = cap;
    }
    struct agent *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->number = r->first + (uint32_t)r->n;
    a->part = NONE;
    a->peer = *from;
    r->agent[r->n++] = a;
    link_in(r, a);
    return a;
}

static void copy_text(char *to, size_t n, const char *from)
{
    (void)snprintf(to, n, "%s", from ? from : "");
}

static void introduce(struct agent *a, const struct wire_msg *m)
{
    struct run_agent *i = &a->info;
    i->agent = a->number;
    i->cores = m->u.hello.cores;
    i->weight = m->u.hello.weight ? m->u.hello.weight : 1;
    a->said_weight = m->u.hello.weight;
    a->capacity = m->u.hello.capacity;
    i->quota = m->u.hello.quota;
    copy_text(i->name, sizeof i->name, m->u.hello.name);
    copy_text(i->host, sizeof i->host, m->u.hello.host);
    copy_text(i->boot_id, sizeof i->boot_id, m->u.hello.boot_id);
    copy_text(i->version, sizeof i->version, m->u.hello.version);
    copy_text(i->stamps, sizeof i->stamps, m->u.hello.stamps);
}

enum registry_hello registry_hello(struct registry *r, const struct peer *from, const struct wire_msg *hello,
                                   int64_t now, struct agent **ret, const char **ret_reason, bool *ret_retry)
{
    const char *name = hello->u.hello.name, *boot = hello->u.hello.boot_id;
    *ret = NULL;
    *ret_retry = false;
    *ret_reason = NULL;
    if (!name || !*name || !boot || !*boot)
        *ret_reason = "an agent needs a name and a boot id";
    else if (strlen(name) >= sizeof(*ret)->info.name)
        *ret_reason = "the name is longer than 63 bytes";
    else if (strlen(boot) >= sizeof(*ret)->info.boot_id)
        *ret_reason = "the boot id is longer than 63 bytes";
    if (*ret_reason) return REGISTRY_REFUSED;

    struct agent *same = registry_named(r, name);
    struct agent *there = registry_find(r, from);
    if (there && agent_alive(there) && there != same) {
        *ret_reason = "this connection belongs to another agent";
        return REGISTRY_REFUSED;
    }
    if (same && (strcmp(same->info.boot_id, boot) != 0 || strcmp(same->peer.user, from->user) != 0)) {
        *ret_reason = "an agent of this name takes part already";
        *ret_retry = true; /* it may be the one that restarted: its place is free once the dead one is noticed */
        return REGISTRY_REFUSED;
    }
    if (same && peer_equal(&same->peer, from)) {
        same->heard_ns = now;
        *ret = same;
        return REGISTRY_AGAIN;
    }
    if (same) {
        unlink_from(r, same);
        same->peer = *from;
        link_in(r, same);
        same->heard_ns = now;
        *ret = same;
        return REGISTRY_BACK;
    }
    if (there) unlink_from(r, there); /* a lost one that says HELLO again on its old connection */
    struct agent *a = r->n < REGISTRY_MAX ? add(r, from) : NULL;
    if (!a) {
        *ret_reason = "too many agents";
        return REGISTRY_REFUSED;
    }
    introduce(a, hello);
    uint32_t *b = &r->named[bucket_number(name, strlen(name))];
    a->name_chain = *b;
    *b = a->number - r->first;
    a->heard_ns = now;
    clocksync_begin(&a->clock);
    *ret = a;
    return REGISTRY_NEW;
}

static bool all_calibrated(const struct registry *r)
{
    bool any = false;
    for (size_t i = 0; i < r->n; i++) {
        const struct agent *a = r->agent[i];
        if (!agent_alive(a)) continue;
        if (a->said_weight || !a->capacity) return false;
        any = true;
    }
    return any;
}

/* Coarse on purpose: a weight is a share of the load, and a plan's slots are few. */
static uint32_t weight_of(uint64_t capacity)
{
    uint64_t w = capacity / 1000 + (capacity % 1000 >= 500);
    return w < 1 ? 1 : w > WEIGHT_MAX ? WEIGHT_MAX : (uint32_t)w;
}

void registry_weigh(struct registry *r)
{
    uint64_t sum = 0, n = 0;
    if (r->weigh == WEIGH_UNKNOWN) r->weigh = all_calibrated(r) ? WEIGH_CAPACITY : WEIGH_WORDS;
    for (size_t i = 0; i < r->n; i++) {
        if (!agent_alive(r->agent[i]) || !r->agent[i]->capacity) continue;
        sum += weight_of(r->agent[i]->capacity);
        n++;
    }
    for (size_t i = 0; i < r->n; i++) {
        struct agent *a = r->agent[i];
        if (!agent_alive(a)) continue;
        if (a->said_weight || r->weigh == WEIGH_WORDS)
            a->info.weight = a->said_weight ? a->said_weight : 1;
        else
            a->info.weight = a->capacity ? weight_of(a->capacity) : n ? (uint32_t)((sum + n / 2) / n) : 1;
    }
}
