#include "coordinator/plan_doc.h"

#include <stdio.h>
#include <string.h>

#include "common/plan/plan_key.h"

/* Shapes that several keys share. Kept beside the code that reads them by a test: every example of the table and every
 * file of configs/ is loaded. */
static const char SHAPES[] =
    "duration: {oneOf: [{const: 0}, {type: string, pattern: '^[0-9.]+(ns|us|ms|s|m|h)$'}]}\n"
    "duration_or_auto: {oneOf: [{const: auto}, {$ref: '#/$defs/duration'}]}\n"
    "stage_duration: {oneOf: [{enum: [auto, steady]}, {$ref: '#/$defs/duration'}, {type: object, additionalProperties: "
    "false, "
    "required: [auto], properties: "
    "{auto: {type: object, additionalProperties: false, required: [limit], properties: {limit: {$ref: "
    "'#/$defs/duration'}}}}}, {type: object, additionalProperties: false, required: [steady], properties: {steady: "
    "{type: object, additionalProperties: false, properties: {window: {$ref: '#/$defs/duration'}, limit: {$ref: "
    "'#/$defs/duration'}}}}}]}\n"
    "one_rate: {oneOf: [{type: number, exclusiveMinimum: 0}, {type: string, pattern: '^[0-9.]+/(s|m|h)$'}]}\n"
    "rate: {oneOf: [{$ref: '#/$defs/one_rate'}, {type: object, additionalProperties: false, required: [from, to], "
    "properties: "
    "{from: {$ref: '#/$defs/one_rate'}, to: {$ref: '#/$defs/one_rate'}}}]}\n"
    "arrivals: {oneOf: [{enum: [constant, poisson]}, {type: object, additionalProperties: false, required: [gamma], "
    "properties: "
    "{gamma: {type: object, additionalProperties: false, required: [burstiness], properties: {burstiness: {type: "
    "number, minimum: 0.001, maximum: 1000}}}}}]}\n"
    "option: {oneOf: [{type: number}, {type: object, additionalProperties: false, required: [value], properties: "
    "{value: {type: number}, weight: {type: number, exclusiveMinimum: 0}}}]}\n"
    "distribution: {oneOf: [{type: number}, {type: object, additionalProperties: false, minProperties: 1, "
    "maxProperties: 1, properties: "
    "{fixed: {type: number}, uniform: {type: array, items: {type: number}, minItems: 2, maxItems: 2}, normal: {$ref: "
    "'#/$defs/normal'}, "
    "lognormal: {$ref: '#/$defs/lognormal'}, exponential: {oneOf: [{type: number}, {$ref: '#/$defs/exponential'}]}, "
    "choice: {type: array, minItems: 1, items: {$ref: '#/$defs/option'}}, histogram: {type: string}}}]}\n"
    "models: {oneOf: [{type: string, minLength: 1}, {type: array, minItems: 1, maxItems: 1024, items: {oneOf: [{type: "
    "string, minLength: 1}, "
    "{type: object, additionalProperties: false, required: [name], properties: {name: {type: string}, weight: {type: "
    "number, exclusiveMinimum: 0}}}]}}, {type: object, additionalProperties: false, required: [zipf], properties: "
    "{zipf: {type: object, additionalProperties: false, required: [prefix, count], properties: {prefix: {type: string, "
    "minLength: 1}, count: {type: integer, minimum: 1, maximum: 1024}, exponent: {type: number, minimum: 0, maximum: "
    "2}}}}}]}\n"
    "secret: {type: object, additionalProperties: false, minProperties: 1, maxProperties: 1, properties: "
    "{env: {type: string, pattern: '^[A-Za-z_][A-Za-z0-9_]*$'}, file: {type: string}}}\n"
    "auth: {oneOf: [{const: none}, {type: object, additionalProperties: false, required: [bearer], properties: "
    "{bearer: {$ref: '#/$defs/secret'}}}, "
    "{type: object, additionalProperties: false, required: [header], properties: {header: {type: string}, env: {type: "
    "string}, file: {type: string}}}, "
    "{type: object, additionalProperties: false, required: [basic], properties: {basic: {type: object, "
    "additionalProperties: false, required: [user], "
    "properties: {user: {type: string}, env: {type: string}, file: {type: string}}}}}]}\n";

static void cell(struct buf *out, const char *s, bool code)
{
    buf_puts(out, "| ");
    if (code && s[0]) buf_putc(out, '`');
    buf_puts(out, s);
    buf_puts(out, code && s[0] ? "` " : s[0] ? " " : "");
}

static void type_cell(struct buf *out, const struct plan_key *k)
{
    buf_printf(out, "| %s", k->type->name);
    for (size_t i = 0; k->words && k->words[i]; i++)
        buf_printf(out, "%s`%s`", i ? ", " : ": ", k->words[i]);
    char least[32], most[32];
    if (k->least < k->most && k->type == &KEY_DURATION)
        buf_printf(out, ", %s to %s s", node_number_text(k->least, least, sizeof least),
                   node_number_text(k->most, most, sizeof most));
    else if (k->least < k->most)
        buf_printf(out, ", %s to %s", node_number_text(k->least, least, sizeof least),
                   node_number_text(k->most, most, sizeof most));
    buf_putc(out, ' ');
}

static void reference_row(struct buf *out, const struct plan_key *k)
{
    cell(out, k->name, true);
    type_cell(out, k);
    cell(out, k->unit, false);
    if (!k->standard || k->flags & KEY_REQUIRED)
        buf_puts(out, "| **needed** ");
    else if (!k->standard[0])
        buf_puts(out, "| none ");
    else
        cell(out, k->standard, !(k->flags & KEY_TOLD) || k->standard[0] == '{');
    cell(out, k->example, true);
    buf_printf(out, "| %s", k->what);
    for (size_t i = 0; k->later && k->later[i]; i++)
        buf_printf(out, "%s`%s`", i ? ", " : "; not built yet: ", k->later[i]);
    buf_putc(out, ' ');
    if (k->flags & KEY_CLOSED) buf_puts(out, "(with `concurrency`) ");
    if (k->flags & KEY_OPEN) buf_puts(out, "(with `rate`) ");
    buf_puts(out, "|\n");
}

int plan_reference_write(struct buf *out)
{
    for (size_t s = 0; s < PLAN_SECTIONS_N; s++) {
        const struct plan_section *section = &PLAN_SECTIONS[s];
        buf_printf(out,
                   "%s### %s%s%s\n%s\n\n| key | type | unit | default | example | what |\n| --- | --- | --- | --- | "
                   "--- | --- |\n",
                   s ? "\n" : "", section->path[0] ? "`" : "The file", section->path, section->path[0] ? "`" : "",
                   section->what);
        for (size_t i = 0; i < PLAN_KEYS_N; i++)
            if (strcmp(PLAN_KEYS[i].section, section->name) == 0) reference_row(out, &PLAN_KEYS[i]);
    }
    return out->bad ? -1 : 0;
}

static struct node *parse(struct tree *t, const char *text)
{
    struct node *n = node_from_yaml(t, text, strlen(text), NULL);
    if (!n) t->failed = true;
    return n;
}

static struct node *reference_to(struct tree *t, const char *name)
{
    char path[80];
    struct node *n = node_new(t, NODE_MAP);
    (void)snprintf(path, sizeof path, "#/$defs/%s", name);
    node_put(t, n, "$ref", node_new_text(t, path));
    return n;
}

static struct node *one_of(struct tree *t, struct node *a, struct node *b)
{
    struct node *n = node_new(t, NODE_MAP), *list = node_new(t, NODE_SEQ);
    node_add(t, list, a);
    node_add(t, list, b);
    node_put(t, n, "oneOf", list);
    return n;
}

static struct node *shape_of(struct tree *t, const struct plan_key *k)
{
    char text[600];
    struct node *n;
    if (k->words) {
        n = node_new(t, NODE_MAP);
        struct node *words = node_new(t, NODE_SEQ);
        for (size_t i = 0; k->words[i]; i++)
            node_add(t, words, node_new_text(t, k->words[i]));
        node_put(t, n, "enum", words);
    } else if (k->type->schema) {
        (void)snprintf(text, sizeof text, "{%s}", k->type->schema);
        n = parse(t, text);
    } else
        n = k->sub ? reference_to(t, k->sub) : node_new(t, NODE_MAP);
    bool number = k->type == &KEY_U32 || k->type == &KEY_U64 || k->type == &KEY_NUMBER;
    if (number && k->least < k->most) {
        if (!node_get(n, "minimum")) node_put(t, n, "minimum", node_new_number(t, k->least));
        node_put(t, n, "maximum", node_new_number(t, k->most));
    }
    return n;
}

/* The default as a JSON value. A default in words becomes a part of the description. */
static void put_standard(struct tree *t, struct node *n, const struct plan_key *k)
{
    if (!k->standard || !k->standard[0] || k->flags & (KEY_TOLD | KEY_REQUIRED)) return;
    node_put(t, n, "default", parse(t, k->standard));
}

static struct node *property(struct tree *t, const struct plan_key *k, bool in_load)
{
    char text[400];
    struct node *n = shape_of(t, k);
    if (in_load && (strcmp(k->name, "concurrency") == 0 || strcmp(k->name, "rate") == 0)) {
        struct node *list = node_new(t, NODE_MAP);
        node_put(t, list, "type", node_new_text(t, "array"));
        node_put(t, list, "items", shape_of(t, k));
        n = one_of(t, n, list);
    }
    bool told = k->standard && k->standard[0] && k->flags & KEY_TOLD;
    (void)snprintf(text, sizeof text, "%s%s%s", k->what, told ? "; default: " : "", told ? k->standard : "");
    node_put(t, n, "description", node_new_text(t, text));
    put_standard(t, n, k);
    return n;
}

static struct node *section_schema(struct tree *t, const struct plan_section *s)
{
    struct node *n = node_new(t, NODE_MAP), *required = node_new(t, NODE_SEQ), *properties = node_new(t, NODE_MAP);
    bool load = strcmp(s->name, "load") == 0;
    for (size_t i = 0; i < PLAN_KEYS_N; i++) {
        const struct plan_key *k = &PLAN_KEYS[i];
        bool own = strcmp(k->section, s->name) == 0, curve = load && strcmp(k->section, "curve") == 0,
             beside = load && strcmp(k->section, "stage") == 0;
        if ((!own && !beside && !curve) || k->flags & KEY_LATER) continue;
        if (curve && key_find("stage", k->name)) continue; /* the stage's key of that name stands for both */
        node_put(t, properties, k->name, property(t, k, beside));
        if (own && k->flags & KEY_REQUIRED) node_add(t, required, node_new_text(t, k->name));
    }
    node_put(t, n, "type", node_new_text(t, "object"));
    node_put(t, n, "description", node_new_text(t, s->what));
    node_put(t, n, "additionalProperties", node_new_bool(t, false));
    if (required && required->n) node_put(t, n, "required", required);
    node_put(t, n, "properties", properties);
    return n;
}

int plan_schema_write(struct buf *out)
{
    struct tree t = {.arena = arena_new(NODE_ARENA_MAX), .file = "schema"};
    struct node *root = node_new(&t, NODE_MAP), *defs = parse(&t, SHAPES);
    node_put(&t, root, "$schema", node_new_text(&t, "https://json-schema.org/draft/2020-12/schema"));
    node_put(&t, root, "title", node_new_text(&t, "plateau plan"));
    struct node *top = section_schema(&t, &PLAN_SECTIONS[0]);
    for (struct node *c = top ? top->first : NULL, *next; c; c = next) {
        next = c->next;
        c->next = NULL;
        node_put(&t, root, c->key, c);
    }
    for (size_t i = 1; i < PLAN_SECTIONS_N; i++)
        node_put(&t, defs, PLAN_SECTIONS[i].name, section_schema(&t, &PLAN_SECTIONS[i]));
    node_put(&t, root, "$defs", defs);
    int bad = t.failed || node_to_json(root, true, out) || buf_putc(out, '\n') ? -1 : 0;
    arena_destroy(&t.arena);
    return bad;
}
