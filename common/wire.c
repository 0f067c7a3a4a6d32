#include "common/wire.h"

#include <inttypes.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "common/counter.h"
#include "common/fingerprint.h"
#include "common/group.h"
#include "common/metric.h"
#include "common/remark.h"
#include "common/request_row.h"
#include "common/unpack.h"

/* Every message is a row of fields; one loop packs and one unpacks them, so that the two cannot disagree. */
enum kind { END, TEXT, BYTES, BOOL, U32, U64, I64, DOUBLE, CODE, SHARD, TURNS, COSTS, TABLES };
struct field {
    enum kind kind;
    size_t at;    /* offset in struct wire_msg (of a shard's fields: in struct shard) */
    uint32_t max; /* TEXT, BYTES: maximum length */
    const char *name;
};
enum { FIELDS_MAX = 20, NAME = 63, WORDS = 599, HASH = 64, VERSION_MAX = 31, ENVELOPE = 2 /* version, type */ };

#define F(kind, message, member)                                                                                       \
    {                                                                                                                  \
        kind, offsetof(struct wire_msg, u.message.member), 0, #member                                                  \
    }
#define F_MAX(kind, message, member, max)                                                                              \
    {                                                                                                                  \
        kind, offsetof(struct wire_msg, u.message.member), max, #member                                                \
    }
#define F_STAGE(message) F(U32, message, stage), F(U32, message, epoch)

static const struct field FIELDS[WIRE_N][FIELDS_MAX] = {
    [WIRE_HELLO] = {{TABLES, 0, 0, "tables"},
                    F_MAX(TEXT, hello, version, VERSION_MAX),
                    F_MAX(TEXT, hello, name, NAME),
                    F_MAX(TEXT, hello, boot_id, NAME),
                    F_MAX(TEXT, hello, host, NAME),
                    F(U32, hello, cores),
                    F(U32, hello, weight),
                    F(DOUBLE, hello, quota),
                    F(U64, hello, descriptors),
                    F(U64, hello, capacity),
                    F_MAX(TEXT, hello, guard, 1000),
                    F_MAX(TEXT, hello, stamps, 15),
                    F_STAGE(hello)},
    [WIRE_WELCOME] = {F_MAX(TEXT, welcome, run_id, 39), F(U32, welcome, epoch), F(U32, welcome, agent),
                      F(I64, welcome, lease_ns), F(I64, welcome, heartbeat_ns)},
    [WIRE_REFUSE] = {F_MAX(TEXT, refuse, reason, WORDS), F(BOOL, refuse, retry)},
    [WIRE_CLOCK] = {F(U32, clock, seq), F(I64, clock, t1)},
    [WIRE_CLOCK_ECHO] = {F(U32, clock_echo, seq), F(I64, clock_echo, t1), F(I64, clock_echo, t2),
                         F(I64, clock_echo, t3)},
    [WIRE_PLAN] = {F_MAX(TEXT, plan, hash, HASH), F_MAX(BYTES, plan, plan, WIRE_MESSAGE_MAX),
                   F_MAX(BYTES, plan, signature, 1 << 16)},
    [WIRE_PLAN_OK] = {F_MAX(TEXT, plan_ok, hash, HASH), F_MAX(TEXT, plan_ok, error, WORDS), F(CODE, plan_ok, code)},
    [WIRE_WANT] = {F_MAX(TEXT, want, hash, HASH), F(U64, want, offset)},
    [WIRE_DATA] = {F_MAX(TEXT, data, hash, HASH), F(U64, data, offset), F(U64, data, size),
                   F_MAX(BYTES, data, bytes, WIRE_MESSAGE_MAX)},
    [WIRE_PROBE] = {F(U32, probe, number)},
    [WIRE_PROBED] = {F(U32, probed, number), F_MAX(BYTES, probed, said, WIRE_SAID_MAX),
                     F_MAX(TEXT, probed, error, WORDS), F(CODE, probed, code), F(BOOL, probed, final),
                     F_MAX(COSTS, probed, costs, WORD_COSTS_MAX)},
    [WIRE_ARM] = {F_STAGE(arm), F(SHARD, arm, shard)},
    [WIRE_READY] = {F_STAGE(ready), F_MAX(TEXT, ready, error, WORDS), F(CODE, ready, code),
                    F_MAX(TEXT, ready, address, 255), F_MAX(TEXT, ready, limit, 255), F_MAX(TEXT, ready, http, 15),
                    F(U32, ready, streams), F(U32, ready, connections)},
    [WIRE_GO] = {F_STAGE(go), F(I64, go, t0_ns)},
    [WIRE_SNAPSHOT] = {F_STAGE(snapshot), F(U64, snapshot, seq), F_MAX(BYTES, snapshot, snapshot, WIRE_MESSAGE_MAX)},
    [WIRE_ACK] = {F_STAGE(ack), F(U64, ack, seq)},
    [WIRE_DONE] = {F_STAGE(done), F(U64, done, seq), F(I64, done, start_skew_ns), F_MAX(TEXT, done, error, WORDS),
                   F(CODE, done, code)},
    [WIRE_HEARTBEAT] = {F(U64, heartbeat, seq), F(I64, heartbeat, now_ns)},
    [WIRE_STOP] = {F_STAGE(stop), F(BOOL, stop, now)},
    [WIRE_BYE] = {F_MAX(TEXT, bye, reason, WORDS), F(CODE, bye, code)},
};

#define S(kind, member)                                                                                                \
    {                                                                                                                  \
        kind, offsetof(struct shard, member), 0, #member                                                               \
    }
_Static_assert(sizeof(enum load_kind) == sizeof(uint32_t) && sizeof(enum arrivals_kind) == sizeof(uint32_t),
               "enums of a shard travel as U32");
static const struct field SHARD_FIELDS[] = {
    S(U32, kind),       S(U32, slots),         S(U32, slot_first),    S(U32, slots_all), S(DOUBLE, rate_from),
    S(DOUBLE, rate_to), S(U32, arrivals),      S(DOUBLE, burstiness), S(U64, seed),      S(U64, requests_all),
    S(U64, requests),   S(U64, request_first), S(U32, cycle),         S(TURNS, turns),   S(I64, duration_ns),
    S(I64, warmup_ns),  S(I64, ramp_ns),       S(I64, drain_ns),      S(U64, before),    S(U32, part),
    S(COSTS, costs),    {END, 0, 0, NULL},
};

static const struct {
    const char *name;
    char direction;
} TYPES[WIRE_N] = {
#define X(id, name, direction) {name, direction},
#include "common/wire.def"
#undef X
};

const char *wire_type_name(enum wire_type t)
{
    return (unsigned)t < WIRE_N ? TYPES[t].name : "?";
}
char wire_type_direction(enum wire_type t)
{
    return (unsigned)t < WIRE_N ? TYPES[t].direction : '?';
}

static uint64_t fingerprint_fields(uint64_t h, const struct field *f)
{
    for (; f->kind != END; f++)
        h = fingerprint_u64(fingerprint_u64(fingerprint_text(h, f->name), f->kind), f->max);
    return h;
}

/* Made once; two threads may make it at the same time and get the same. */
uint64_t wire_fingerprint(void)
{
    static _Atomic uint64_t made;
    uint64_t h = made;
    if (h) return h;
    h = fingerprint_u64(FINGERPRINT_INIT, WIRE_VERSION);
    for (int i = 0; i < COUNTER_N; i++)
        h = fingerprint_u64(fingerprint_text(h, COUNTERS[i].name), COUNTERS[i].kind);
    for (int i = 0; i < METRIC_N; i++) {
        h = fingerprint_text(fingerprint_text(h, METRICS[i].name), METRICS[i].unit);
        h = fingerprint_u64(fingerprint_u64(h, (uint64_t)METRICS[i].scale), METRICS[i].window);
    }
    for (int i = 0; i < REMARK_N; i++)
        h = fingerprint_text(h, REMARK_NAMES[i]);
    for (uint32_t i = 0; i < REQUEST_COLUMNS_N; i++)
        h = fingerprint_u64(fingerprint_text(h, REQUEST_COLUMNS[i].name), REQUEST_COLUMNS[i].kind);
    for (int i = 0; i < GROUP_COUNT_N; i++)
        h = fingerprint_u64(h, GROUP_COUNTERS[i]);
    for (int i = 0; i < GROUP_METRIC_N; i++)
        h = fingerprint_u64(h, GROUP_METRICS[i]);
    for (int t = 0; t < WIRE_N; t++)
        h = fingerprint_fields(fingerprint_text(h, TYPES[t].name), FIELDS[t]);
    made = fingerprint_fields(h, SHARD_FIELDS);
    return made;
}

static uint32_t count_fields(const struct field *f)
{
    uint32_t n = 0;
    while (f[n].kind != END)
        n++;
    return n;
}

/* Words may come from anywhere (a server's answer inside an error): what the other side would refuse is replaced or cut
 * off here. */
static void pack_text(msgpack_packer *pk, const char *s, uint32_t max)
{
    char clean[1024];
    size_t n = 0, left = s ? strlen(s) : 0;
    while (left) {
        size_t len = text_char(s, left), take = len ? len : 1;
        if (n + take > max || n + take > sizeof clean) break;
        memcpy(clean + n, len ? s : "?", take);
        n += take;
        s += take;
        left -= take;
    }
    (void)msgpack_pack_str(pk, n);
    (void)msgpack_pack_str_body(pk, clean, n);
}

static int pack_fields(msgpack_packer *pk, const struct field *f, const void *base);

static void pack_turns(msgpack_packer *pk, const struct shard *s)
{
    (void)msgpack_pack_array(pk, s->n_turns);
    for (uint32_t i = 0; i < s->n_turns; i++)
        (void)msgpack_pack_uint32(pk, s->turns[i]);
}

static void pack_costs(msgpack_packer *pk, const struct word_costs *c)
{
    (void)msgpack_pack_array(pk, 2 * WORD_COSTS_MAX);
    for (uint32_t i = 0; i < WORD_COSTS_MAX; i++) {
        (void)msgpack_pack_double(pk, c->of[i].word);
        (void)msgpack_pack_double(pk, c->of[i].beside);
    }
}

static int pack_bytes(msgpack_packer *pk, const struct wire_bytes *b, uint32_t max)
{
    if (b->n > max) return -1;
    (void)msgpack_pack_bin(pk, b->n);
    return msgpack_pack_bin_body(pk, b->n ? b->data : "", b->n);
}

static int pack_field(msgpack_packer *pk, const struct field *f, const void *base, const void *p)
{
    switch (f->kind) {
    case TEXT:
        pack_text(pk, *(const char *const *)p, f->max);
        return 0;
    case BYTES:
        return pack_bytes(pk, p, f->max);
    case BOOL:
        return *(const bool *)p ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
    case U32:
    case CODE:
        return msgpack_pack_uint32(pk, *(const uint32_t *)p);
    case U64:
        return msgpack_pack_uint64(pk, *(const uint64_t *)p);
    case I64:
        return msgpack_pack_int64(pk, *(const int64_t *)p);
    case DOUBLE:
        return msgpack_pack_double(pk, *(const double *)p);
    case SHARD:
        (void)msgpack_pack_array(pk, count_fields(SHARD_FIELDS));
        return pack_fields(pk, SHARD_FIELDS, p);
    case TURNS:
        pack_turns(pk, base);
        return 0;
    case COSTS:
        pack_costs(pk, p);
        return 0;
    case TABLES:
        return msgpack_pack_uint64(pk, wire_fingerprint());
    case END:
        break;
    }
    return -1;
}

static int pack_fields(msgpack_packer *pk, const struct field *f, const void *base)
{
    for (; f->kind != END; f++)
        if (pack_field(pk, f, base, (const char *)base + f->at)) return -1;
    return 0;
}

int wire_encode(const struct wire_msg *m, struct buf *out)
{
    if ((unsigned)m->type >= WIRE_N) return -1;
    size_t before = out->len;
    msgpack_packer pk;
    msgpack_packer_init(&pk, out, buf_pack);
    (void)msgpack_pack_array(&pk, ENVELOPE + count_fields(FIELDS[m->type]));
    (void)msgpack_pack_uint32(&pk, WIRE_VERSION);
    (void)msgpack_pack_uint32(&pk, (uint32_t)m->type);
    if (pack_fields(&pk, FIELDS[m->type], m) || out->bad) return -1;
    return out->len - before > WIRE_MESSAGE_MAX ? -1 : 0;
}

/* Reading: a slice of the message, and the message's own memory, which strings and bytes are copied to. A string takes
 * one byte more in memory, its NUL, and at least one more on the wire, its head: so the memory never needs more than
 * the message has bytes. */
struct in {
    struct unpack u;
    char *memory;
};

static const char *keep(struct in *in, const void *bytes, uint32_t n, bool terminate)
{
    char *at = in->memory;
    if (n) memcpy(at, bytes, n);
    if (terminate) at[n] = 0;
    in->memory += n + terminate;
    return at;
}

static int read_text(struct in *in, uint32_t max, void *p)
{
    const char *s;
    uint32_t n;
    if (unpack_text(&in->u, max, &s, &n)) return -1;
    *(const char **)p = keep(in, s, n, true);
    return 0;
}

static int read_bytes(struct in *in, uint32_t max, struct wire_bytes *ret)
{
    const uint8_t *b;
    uint32_t n;
    if (unpack_bytes(&in->u, max, &b, &n)) return -1;
    *ret = (struct wire_bytes){keep(in, b, n, false), n};
    return 0;
}

static int read_code(struct in *in, uint32_t *ret)
{
    if (unpack_u32(&in->u, ret)) return -1;
    if (*ret >= ERR_N) *ret = ERR_INTERNAL;
    return 0;
}

static int read_turns(struct in *in, struct shard *ret)
{
    uint32_t n;
    if (unpack_array(&in->u, &n) || n > SHARD_CYCLE_MAX) return -1;
    ret->turns = n ? malloc(n * sizeof *ret->turns) : NULL;
    if (n && !ret->turns) return -1;
    for (ret->n_turns = 0; ret->n_turns < n; ret->n_turns++)
        if (unpack_u32(&in->u, &ret->turns[ret->n_turns])) return -1;
    return 0;
}

static int read_costs(struct in *in, struct word_costs *ret)
{
    uint32_t n;
    if (unpack_array(&in->u, &n) || n != 2 * WORD_COSTS_MAX) return -1;
    for (uint32_t i = 0; i < WORD_COSTS_MAX; i++)
        if (unpack_double(&in->u, &ret->of[i].word) || unpack_double(&in->u, &ret->of[i].beside)) return -1;
    return 0;
}

static int read_shard(struct in *in, struct shard *ret);

static int read_field(struct in *in, const struct field *f, void *base, void *p)
{
    uint64_t tables; /* checked before, by check_tables */
    switch (f->kind) {
    case TEXT:
        return read_text(in, f->max, p);
    case BYTES:
        return read_bytes(in, f->max, p);
    case BOOL:
        return unpack_bool(&in->u, p);
    case U32:
        return unpack_u32(&in->u, p);
    case U64:
        return unpack_u64(&in->u, p);
    case I64:
        return unpack_i64(&in->u, p);
    case DOUBLE:
        return unpack_double(&in->u, p);
    case CODE:
        return read_code(in, p);
    case SHARD:
        return read_shard(in, p);
    case TURNS:
        return read_turns(in, base);
    case COSTS:
        return read_costs(in, p);
    case TABLES:
        return unpack_u64(&in->u, &tables);
    case END:
        break;
    }
    return -1;
}

static int read_shard(struct in *in, struct shard *ret)
{
    uint32_t n;
    if (unpack_array(&in->u, &n) || n != count_fields(SHARD_FIELDS)) return -1;
    for (const struct field *f = SHARD_FIELDS; f->kind != END; f++)
        if (read_field(in, f, ret, (char *)ret + f->at)) return -1;
    return 0;
}

/* Before anything else of a HELLO is read, since another release may have other fields. */
static int check_tables(struct unpack u, uint32_t n, struct err *e)
{
    uint64_t tables;
    const char *version;
    uint32_t len;
    if (n < ENVELOPE + 2 || unpack_u64(&u, &tables) || unpack_text(&u, VERSION_MAX, &version, &len))
        return err_set(e, ERR_WIRE, "HELLO message: tables or version is malformed, too long or out of range");
    if (tables == wire_fingerprint()) return 0;
    return err_set(e, ERR_WIRE,
                   "HELLO of plateau %.*s with tables %016" PRIx64 ", this is plateau %s with tables %016" PRIx64
                   ": run the same release of plateau on all machines",
                   (int)len, version, tables, PLATEAU_VERSION, wire_fingerprint());
}

static int read_message(struct in *in, uint32_t n, struct wire_msg *ret, struct err *e)
{
    uint32_t type;
    if (unpack_u32(&in->u, &type) || type >= WIRE_N) return err_set(e, ERR_WIRE, "message of unknown type");
    ret->type = (enum wire_type)type;
    if (type == WIRE_HELLO && check_tables(in->u, n, e)) return -1;
    const struct field *f = FIELDS[type];
    if (n != ENVELOPE + count_fields(f))
        return err_set(e, ERR_WIRE, "%s message has %" PRIu32 " fields, expected %" PRIu32, TYPES[type].name,
                       n - ENVELOPE, count_fields(f));
    for (; f->kind != END; f++)
        if (read_field(in, f, ret, (char *)ret + f->at))
            return err_set(e, ERR_WIRE, "%s message: %s is malformed, too long or out of range", TYPES[type].name,
                           f->name);
    if (in->u.at != in->u.end) return err_set(e, ERR_WIRE, "%s message: bytes after its end", TYPES[type].name);
    if (type != WIRE_ARM || shard_check(&ret->u.arm.shard, e) == 0) return 0;
    (void)err_context(e, "ARM message");
    if (e) e->code = ERR_WIRE;
    return -1;
}

int wire_decode(struct wire_msg *ret, const void *bytes, size_t n, struct err *e)
{
    *ret = (struct wire_msg){0};
    struct in in = {{bytes, (const uint8_t *)bytes + n}, NULL};
    uint32_t elements, version;
    if (n > WIRE_MESSAGE_MAX)
        return err_set(e, ERR_WIRE, "message of %zu bytes, at most %u are allowed", n, WIRE_MESSAGE_MAX);
    if (n == 0 || unpack_array(&in.u, &elements) || elements < ENVELOPE || unpack_u32(&in.u, &version))
        return err_set(e, ERR_WIRE, "not a message of plateau");
    if (version != WIRE_VERSION)
        return err_set(e, ERR_WIRE,
                       "message of wire version %" PRIu32
                       ", this program speaks version %u: run the same release of plateau on all machines",
                       version, WIRE_VERSION);
    ret->memory = in.memory = malloc(n);
    if (!ret->memory) return err_set(e, ERR_NOMEM, "out of memory for a message");
    int rc = read_message(&in, elements, ret, e);
    if (rc) wire_msg_clear(ret);
    return rc;
}

void wire_msg_clear(struct wire_msg *m)
{
    if (m->memory && m->type == WIRE_ARM)
        shard_clear(&m->u.arm.shard); /* a message that was not decoded borrows its shard */
    free(m->memory);
    *m = (struct wire_msg){0};
}
