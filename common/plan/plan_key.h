/* The table of keys: what a plan may say, with default, unit, bounds, example and one sentence each. It drives reading,
 * writing, the reference (configs/README.md) and the schema (configs/plan.schema.json). A new key is one row; a new
 * kind of value is one key_type. */
#pragma once
#include "common/plan/node.h"
#include "common/plan/plan.h"

struct reader {
    struct arena *arena; /* of the plan */
    struct err *e;
};

enum key_flag {
    KEY_REQUIRED = 1 << 0,
    KEY_LATER = 1 << 1,     /* known, not built: refused by name */
    KEY_TOLD = 1 << 2,      /* the default is a rule given in words; the type works it out when nothing is given */
    KEY_OPTIONAL = 1 << 3,  /* a section that is left alone when it is absent */
    KEY_SKIP_ZERO = 1 << 4, /* not written when 0: it means none */
    KEY_CLOSED = 1 << 5,    /* stages that hold a concurrency only */
    KEY_OPEN = 1 << 6,      /* stages that hold a rate only */
    KEY_ELSEWHERE = 1 << 7, /* read and written by its section's own code */
};

struct plan_key;
struct key_type {
    const char *name;   /* in the reference: "duration" */
    const char *schema; /* members of a JSON Schema, without the braces; NULL: the type's own shape is the section's */
    /* Reads n (NULL: not given, only for sections and KEY_TOLD) into the field at `at`. */
    int (*read)(struct reader *r, const struct plan_key *k, const struct node *n, void *at);
    /* The value as a node; NULL: nothing to write. */
    struct node *(*write)(struct tree *t, const struct plan_key *k, const void *at);
};

struct plan_key {
    const char *section, *name;
    const struct key_type *type;
    size_t offset;        /* of the field in the section's struct */
    const char *standard; /* the default as written in a plan; "" for none; NULL when required */
    const char *example;
    const char *unit;
    const char *what;
    double least, most;       /* numbers; durations in seconds; no bounds when both are 0 */
    const char *const *words; /* key_words: NULL-terminated; the index is the value */
    const char *const *later; /* words known but not built; KEY_BOOL: "true" */
    const char *sub;          /* sections: name of the section below */
    unsigned flags;
};
extern const struct plan_key PLAN_KEYS[];
extern const size_t PLAN_KEYS_N;

struct plan_section {
    const char *name, *path; /* path: how a plan spells it, "workload[].synthetic" */
    const char *what;
    /* Looks at the section as a whole when all its keys are read; may be NULL. */
    int (*check)(struct reader *r, const struct node *map, void *base);
};
extern const struct plan_section PLAN_SECTIONS[];
extern const size_t PLAN_SECTIONS_N;
const struct plan_section *key_section(const char *name);
const struct plan_key *key_find(const char *section, const char *name);

/* Simple values (plan_scalar.c). */
extern const struct key_type KEY_TEXT, KEY_U32, KEY_U64, KEY_NUMBER, KEY_FRACTION, KEY_DURATION, KEY_BOOL, KEY_WORDS,
    KEY_WORD_FLAG, KEY_SECTION, KEY_VERSION, KEY_NOT_BUILT;
/* Values with a shape of their own, beside the code that knows them. */
extern const struct key_type KEY_DIST, KEY_TIMES, KEY_PAIRS;                                        /* plan_dist.c */
extern const struct key_type KEY_AUTH;                                                              /* plan_secret.c */
extern const struct key_type KEY_URL, KEY_PAGE_URL, KEY_PROXY, KEY_UNIX, KEY_HOST, KEY_SERVER_NAME; /* plan_url.c */
extern const struct key_type KEY_MODELS, KEY_HEADERS, KEY_BODY, KEY_STREAM, KEY_OMIT;               /* plan_target.c */
extern const struct key_type KEY_TEMPLATE, KEY_TEMPLATE_BODY, KEY_PATHS, KEY_TEMPLATE_END;  /* plan_template.c */
extern const struct key_type KEY_ONE_WORD, KEY_WORKLOADS, KEY_SOURCE, KEY_FIELDS, KEY_HASH; /* plan_workload.c */
extern const struct key_type KEY_LOAD, KEY_STAGES, KEY_SEARCH, KEY_RATE, KEY_ARRIVALS, KEY_STAGE_DURATION, KEY_WARMUP,
    KEY_AMOUNT;                                                  /* plan_stage.c */
extern const struct key_type KEY_SESSIONS;                       /* plan_sessions.c */
extern const struct key_type KEY_RETRY_AFTER;                    /* plan_retries.c */
extern const struct key_type KEY_GATES, KEY_CAPACITY, KEY_MONEY; /* plan_goal.c */
/* A URL without a path gets `standard`. */
int plan_url_add_path(struct reader *r, const struct node *n, const char **url, const char *standard);
int curve_read(struct reader *r, const struct node *load, struct plan *p); /* load.curve is there */
struct node *curve_write(struct tree *t, const struct plan_curve *c);
int plan_sessions_check(struct reader *r, const struct node *map, const struct plan_workload *w);
int plan_sessions_check_load(struct reader *r, const struct node *load, const struct plan *p);
int plan_way_check(struct reader *r, const struct node *map, const struct plan_target *t);
int workload_check(struct reader *r, const struct node *map, void *base);
int workload_check_synthetic(struct reader *r, const struct node *map, void *base);
int workload_check_dataset(struct reader *r, const struct node *map, void *base);
int workload_check_trace(struct reader *r, const struct node *map, void *base);
int target_check(struct reader *r, const struct node *map, void *base);
int template_check(struct reader *r, const struct node *map, void *base);
int goal_check(struct reader *r, const struct node *map, void *base);

/* Reading (plan_read.c). */
int read_section_names(struct reader *r, const struct node *map,
                       const char *section); /* a mapping, and all its keys are known */
int read_section(struct reader *r, const struct node *map, const char *section,
                 void *base); /* names, values, defaults, check; map may be NULL */
int read_key(struct reader *r, const struct plan_key *k, const struct node *map, const struct node *n, void *base);
ERR_CHECKED struct plan *plan_from_node(const struct node *root, struct err *e);
int read_expected(struct reader *r, const struct node *n, const char *what); /* "expected WHAT, got VALUE" */
char *read_keep(struct reader *r, const struct node *n,
                const char *s); /* a copy in the plan's arena; NULL sets the error */
void *read_keep_array(struct reader *r, const struct node *n, size_t count, size_t size);
int scalar_read_text(struct reader *r, const struct node *n, const char *what,
                     const char **ret); /* one line, not empty, no ${…} */
int scalar_read_number(struct reader *r, const struct plan_key *k, const struct node *n, double *ret);

/* Writing (plan_write.c). */
struct node *write_section(struct tree *t, const char *section, const void *base,
                           unsigned skip); /* rows with a flag of `skip` are left out */
struct node *plan_to_node(const struct plan *p, struct tree *t);
struct node *scalar_new_duration(struct tree *t, int64_t ns);
